"""test/e2e/network/service.go: the conformance specs of Services"""

from __future__ import annotations

from typing import Any

from e2e_framework import Apis, Body, Namespace, addresses, agnhost_pod, await_event, eventually, service_of, watching

_HOSTNAME = ("/agnhost", "serve-hostname")
_TCP = {"port": 80, "protocol": "TCP"}
_TARGET = {"port": 80, "name": "http", "protocol": "TCP", "targetPort": 9376}
# Upstream's AffinityConfirmCount.
_ENOUGH = 15
_CONDITION = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}


def _server(ns: Namespace, name: str, labels: dict[str, str], ports: list[Body], *flags: str) -> None:
    ns.pod(agnhost_pod(name, "netexec", *flags, labels=labels, ports=ports))


def test_finds_a_service_in_all_namespaces(apis: Apis) -> None:
    """[sig-network] Services should find a service from listing all namespaces [Conformance]"""
    found = {(s.metadata.namespace, s.metadata.name) for s in apis.core.list_service_for_all_namespaces().items}
    assert ("default", "kubernetes") in found


def test_serves_a_basic_endpoint(ns: Namespace) -> None:
    """[sig-network] Services should serve a basic endpoint from pods [Conformance]"""
    labels = {"testid": "endpoint-test2"}
    service = ns.service(service_of("endpoint-test2", _TCP, selector=labels))
    ns.expect_endpoints("endpoint-test2", {})
    ports = [{"containerPort": 80}]
    _server(ns, "pod1", labels, ports, "--http-port", "80")
    ns.expect_endpoints("endpoint-test2", {"pod1": [80]})
    ns.exec_pod()
    ns.expect_reachable(service, "execpod")
    _server(ns, "pod2", labels, ports, "--http-port", "80")
    ns.expect_endpoints("endpoint-test2", {"pod1": [80], "pod2": [80]})
    ns.expect_reachable(service, "execpod")
    ns.core.delete_namespaced_pod("pod1", ns.name)
    ns.expect_endpoints("endpoint-test2", {"pod2": [80]})
    ns.expect_reachable(service, "execpod")
    ns.core.delete_namespaced_pod("pod2", ns.name)
    ns.expect_endpoints("endpoint-test2", {})


def test_serves_endpoints_of_two_ports(ns: Namespace) -> None:
    """[sig-network] Services should serve multiport endpoints from pods [Conformance]"""
    name, labels = "multi-endpoint-test", {"testid": "multi-endpoint-test"}
    ports = [{"name": f"portname{n}", "port": 79 + n, "targetPort": f"svc{n}"} for n in (1, 2)]
    service = ns.service(service_of(name, *ports, selector=labels))
    ns.expect_endpoints(name, {})
    _server(ns, "pod1", labels, [{"name": "svc1", "containerPort": 100}], "--http-port", "100")
    ns.expect_endpoints(name, {"pod1": [100]})
    _server(ns, "pod2", labels, [{"name": "svc2", "containerPort": 101}], "--http-port", "101")
    ns.expect_endpoints(name, {"pod1": [100], "pod2": [101]})
    ns.exec_pod()
    ns.expect_reachable(service, "execpod")
    ns.core.delete_namespaced_pod("pod1", ns.name)
    ns.expect_endpoints(name, {"pod2": [101]})
    ns.core.delete_namespaced_pod("pod2", ns.name)
    ns.expect_endpoints(name, {})


def test_one_port_and_two_protocols(ns: Namespace) -> None:
    """[sig-network] Services should serve endpoints on same port and different protocols [Conformance]"""
    labels = {"app": "multiport"}
    ports = {p: {"name": f"{p.lower()}-port", "port": 80, "targetPort": 80, "protocol": p} for p in ("TCP", "UDP")}
    address = ns.service(service_of("multiprotocol-test", *ports.values(), selector=labels)).spec.cluster_ip
    listed = [{"name": p["name"], "containerPort": 80, "protocol": p["protocol"]} for p in ports.values()]
    _server(ns, "pod1", labels, listed, "--http-port", "80", "--udp-port", "80")
    ns.expect_endpoints("multiprotocol-test", {"pod1": [80, 80]})
    ns.exec_pod()

    def answers(protocol: str) -> str:
        return ns.reaches("execpod", address, 80, protocol)

    for protocol in ports:
        eventually(lambda p=protocol: answers(p), what=protocol)
    for kept, gone in (("TCP", "UDP"), ("UDP", "TCP")):

        def only(service: Any, kept: str = kept) -> None:
            service.spec.ports = [ports[kept]]

        ns.update_service("multiprotocol-test", only)
        eventually(lambda k=kept: answers(k), what=kept)
        eventually(lambda g=gone: not answers(g), what=f"no {gone}")


def test_a_node_port_service_works(ns: Namespace) -> None:
    """[sig-network] Services should be able to create a functioning NodePort service [Conformance]"""
    labels = {"testid": "nodeport-test"}
    service = ns.service(service_of("nodeport-test", _TARGET, selector=labels, type="NodePort"))
    assert 30000 <= service.spec.ports[0].node_port <= 32767
    ns.replicas("nodeport-test", 2, *_HOSTNAME, "--http=false", "--tcp", "--udp", labels=labels)
    ns.exec_pod()
    ns.expect_reachable(service, "execpod")


def _from_external_name(ns: Namespace, kind: str) -> None:
    name, labels = "externalname-service", {"testid": "externalname-service"}
    spec = {"selector": labels, "externalName": "foo.example.com", "type": "ExternalName"}
    made = ns.service({"metadata": {"name": name}, "spec": spec})
    assert made.spec.cluster_ip is None

    def change(service: Any) -> None:
        service.spec.type, service.spec.external_name, service.spec.ports = kind, None, [_TARGET]

    service = ns.update_service(name, change)
    assert (service.spec.type, service.spec.external_name) == (kind, None)
    assert service.spec.cluster_ip
    ns.replicas(name, 2, *_HOSTNAME, "--http=false", "--tcp", "--udp", labels=labels)
    ns.exec_pod()
    ns.expect_reachable(service, "execpod")


def test_from_external_name_to_cluster_ip(ns: Namespace) -> None:
    """[sig-network] Services should be able to change the type from ExternalName to ClusterIP [Conformance]"""
    _from_external_name(ns, "ClusterIP")


def test_from_external_name_to_node_port(ns: Namespace) -> None:
    """[sig-network] Services should be able to change the type from ExternalName to NodePort [Conformance]"""
    _from_external_name(ns, "NodePort")


def _to_external_name(ns: Namespace, kind: str) -> None:
    made = ns.service(service_of("to-be-renamed", _TCP, selector={"testid": "to-be-renamed"}, type=kind))
    ns.service(service_of("externalsvc", {**_TCP, "targetPort": 9376}, selector={"name": "externalsvc"}))
    ns.replicas("externalsvc", 2, *_HOSTNAME)
    target = f"externalsvc.{ns.name}.svc.cluster.local"

    def change(service: Any) -> None:
        service.spec.type, service.spec.external_name = "ExternalName", target

    service = ns.update_service("to-be-renamed", change)
    assert made.spec.cluster_ip
    stored = ns.api.sanitize_for_serialization(service)["spec"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & stored.keys()
    assert not any("nodePort" in p for p in stored["ports"])
    ns.exec_pod()
    ns.expect_reachable(service, "execpod")
    ask = f"curl -q -s --connect-timeout 5 to-be-renamed.{ns.name}.svc.cluster.local"
    eventually(
        lambda: ns.host_command("execpod", ask).stdout, lambda told: told.startswith("externalsvc-"), "an answer"
    )


def test_from_cluster_ip_to_external_name(ns: Namespace) -> None:
    """[sig-network] Services should be able to change the type from ClusterIP to ExternalName [Conformance]"""
    _to_external_name(ns, "ClusterIP")


def test_from_node_port_to_external_name(ns: Namespace) -> None:
    """[sig-network] Services should be able to change the type from NodePort to ExternalName [Conformance]"""
    _to_external_name(ns, "NodePort")


def _sticky(ns: Namespace, name: str, kind: str) -> tuple[str, int]:
    """A Service with session affinity over three Pods, and where to ask it."""
    port = {"port": 80, "targetPort": 9376, "protocol": "TCP"}
    body = service_of(name, port, selector={"name": name}, type=kind, sessionAffinity="ClientIP")
    ns.service(body)
    ns.replicas(name, 3, *_HOSTNAME)
    ns.exec_pod("execpod-affinity")
    service = ns.core.read_namespaced_service(name, ns.name)
    ns.expect_reachable(service, "execpod-affinity")
    if kind == "NodePort":
        return addresses(ns.schedulable_nodes()[0])[0], service.spec.ports[0].node_port
    return service.spec.cluster_ip, 80


def _hosts(ns: Namespace, place: tuple[str, int]) -> set[str]:
    host, port = place
    ask = f"curl -q -s --connect-timeout 2 http://{host}:{port}/"
    done = ns.host_command("execpod-affinity", f"for i in $(seq 0 {_ENOUGH}); do echo; {ask} ; done")
    return {line for line in done.stdout.splitlines() if line}


def _switch(ns: Namespace, name: str, affinity: str) -> None:
    def change(service: Any) -> None:
        service.spec.session_affinity = affinity

    # The configuration of ClientIP is left where it is, as upstream leaves it: the server clears it.
    ns.update_service(name, change)


def _stays_with_one(ns: Namespace, place: tuple[str, int]) -> None:
    eventually(lambda: _hosts(ns, place), lambda hosts: len(hosts) == 1, "one Pod answers")


def test_affinity_of_a_cluster_ip(ns: Namespace) -> None:
    """[sig-network] Services should have session affinity work for service with type clusterIP [LinuxOnly] [Conformance]"""  # noqa: E501
    _stays_with_one(ns, _sticky(ns, "affinity-clusterip", "ClusterIP"))


def test_affinity_of_a_node_port(ns: Namespace) -> None:
    """[sig-network] Services should have session affinity work for NodePort service [LinuxOnly] [Conformance]"""
    _stays_with_one(ns, _sticky(ns, "affinity-nodeport", "NodePort"))


def _switches(ns: Namespace, name: str, kind: str) -> None:
    place = _sticky(ns, name, kind)
    _switch(ns, name, "None")
    eventually(lambda: _hosts(ns, place), lambda hosts: len(hosts) > 1, "several Pods answer")
    _switch(ns, name, "ClientIP")
    _stays_with_one(ns, place)


def test_affinity_of_a_cluster_ip_switches(ns: Namespace) -> None:
    """[sig-network] Services should be able to switch session affinity for service with type clusterIP [LinuxOnly] [Conformance]"""  # noqa: E501
    _switches(ns, "affinity-clusterip-transition", "ClusterIP")


def test_affinity_of_a_node_port_switches(ns: Namespace) -> None:
    """[sig-network] Services should be able to switch session affinity for NodePort service [LinuxOnly] [Conformance]"""  # noqa: E501
    _switches(ns, "affinity-nodeport-transition", "NodePort")


def test_a_condition_may_have_no_time(ns: Namespace) -> None:
    """A time that Go never set is sent as null, and stored as such."""
    body = service_of("test-service", _TCP)
    path = f"/api/v1/namespaces/{ns.name}/services"
    made = ns.request("POST", path, body)
    made["status"]["conditions"] = [{**_CONDITION, "lastTransitionTime": None}]
    stored = ns.request("PUT", f"{path}/test-service/status", made)
    assert stored["status"]["conditions"] == [{**_CONDITION, "lastTransitionTime": None}]


def test_status_of_a_service(ns: Namespace) -> None:
    """[sig-network] Services should complete a service status lifecycle [Conformance]"""
    label = {"label_selector": "test-service-static=true"}
    start = ns.core.list_service_for_all_namespaces(**label).metadata.resource_version
    body = service_of("test-service", {**_TCP, "name": "http", "targetPort": 80}, type="LoadBalancer")
    body["metadata"]["labels"] = {"test-service-static": "true"}
    body["spec"]["loadBalancerClass"] = "example.com/internal-vip"
    ns.service(body)
    with watching(ns.core.list_namespaced_service, ns.name, resource_version=start, **label) as events:
        await_event(events, "ADDED")
        assert not ns.core.read_namespaced_service_status("test-service", ns.name).status.load_balancer.ingress
        change: Body = {
            "metadata": {"annotations": {"patchedstatus": "true"}},
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}},
        }
        ns.core.patch_namespaced_service_status("test-service", ns.name, change)
        seen = await_event(events, "MODIFIED", lambda s: "annotations" in s["metadata"])
        assert seen["metadata"]["annotations"] == {"patchedstatus": "true"}
        assert [i["ip"] for i in seen["status"]["loadBalancer"]["ingress"]] == ["203.0.113.1"]
        current = ns.core.read_namespaced_service("test-service", ns.name)
        current.status.conditions = [{**_CONDITION, "lastTransitionTime": "2026-01-01T00:00:00Z"}]
        ns.core.replace_namespaced_service_status("test-service", ns.name, current)
        ns.core.patch_namespaced_service("test-service", ns.name, {"metadata": {"labels": {"test-service": "patched"}}})
        await_event(events, "MODIFIED", lambda s: s["metadata"]["labels"].get("test-service") == "patched")
        ns.core.delete_namespaced_service("test-service", ns.name)
        last = await_event(events, "DELETED")
        assert [c["message"] for c in last["status"]["conditions"]] == ["Set from e2e test"]


def test_deletes_a_collection(ns: Namespace) -> None:
    """[sig-network] Services should delete a collection of services [Conformance]"""
    for name, label, port in (
        ("e2e-svc-a", "delete", 8001),
        ("e2e-svc-b", "delete", 8002),
        ("e2e-svc-c", "keep", 8003),
    ):
        body = service_of(name, {"name": "http", "protocol": "TCP", "port": port, "targetPort": port})
        body["metadata"]["labels"] = {"e2e-test-service": label}
        ns.service(body)
    assert len(ns.core.list_namespaced_service(ns.name).items) == 3
    ns.core.delete_collection_namespaced_service(ns.name, label_selector="e2e-test-service=delete")
    assert [s.metadata.name for s in ns.core.list_namespaced_service(ns.name).items] == ["e2e-svc-c"]
