"""Specs of test/e2e/network/service.go that are not conformance: policies, endings, reserved labels and ports"""

from __future__ import annotations

from typing import Any

import pytest
from e2e_framework import Namespace, addresses, agnhost_pod, condition, eventually, service_of
from kubernetes.client.exceptions import ApiException

_HOSTNAME = ("/agnhost", "serve-hostname")
_HTTP = {"port": 80, "name": "http", "protocol": "TCP", "targetPort": 80}
_GRACE = 60


def _asks(ns: Namespace, pod: str, target: str, seconds: int = 2) -> str:
    """What http://TARGET/hostname answers; empty where nothing does."""
    return ns.host_command(pod, f"curl -q -s --connect-timeout {seconds} {target}/hostname").stdout.strip()


def _unreachable(ns: Namespace, pod: str, target: str) -> None:
    eventually(lambda: _asks(ns, pod, target, 1), lambda answer: answer == "", f"{target} does not answer")


@pytest.fixture
def two(ns: Namespace) -> tuple[Any, Any]:
    """Two Nodes, each with a Pod to ask from: pause-pod-0 and pause-pod-1."""
    first, second, *_ = ns.schedulable_nodes()
    for number, node in enumerate((first, second)):
        ns.pod(agnhost_pod(f"pause-pod-{number}", nodeName=node.metadata.name), ready=False)
    for number in (0, 1):
        ns.ready(f"pause-pod-{number}")
    return first, second


def _web(ns: Namespace, node: Any, labels: dict[str, str], *flags: str, **spec: Any) -> None:
    body = agnhost_pod("web", "netexec", "--http-port=80", *flags, labels=labels, **spec)
    ns.pod({**body, "spec": {**body["spec"], "nodeName": node.metadata.name}})


def test_hairpin(ns: Namespace) -> None:
    """[sig-network] Services should allow pods to hairpin back to themselves through services"""
    labels = {"testid": "hairpin-test"}
    service = ns.service(service_of("hairpin-test", {"port": 8080}, selector=labels))
    ns.pod(agnhost_pod("hairpin", "netexec", "--http-port", "8080", labels=labels))
    ns.expect_endpoints("hairpin-test", {"hairpin": [8080]})
    ns.expect_reachable(service, "hairpin")


def test_source_is_kept(ns: Namespace, two: tuple[Any, Any]) -> None:
    """[sig-network] Services should preserve source pod IP for traffic thru service cluster IP [LinuxOnly]"""
    labels = {"testid": "sourceip-test"}
    address = ns.service(service_of("sourceip-test", {"port": 8080}, selector=labels)).spec.cluster_ip
    ns.pod(agnhost_pod("echo-sourceip", "netexec", "--http-port", "8080", labels=labels))
    for name in ("pause-pod-0", "pause-pod-1"):
        own = ns.core.read_namespaced_pod(name, ns.name).status.pod_ip
        ask = f"curl -q -s --connect-timeout 30 {address}:8080/clientip"
        seen = eventually(lambda n=name, a=ask: ns.host_command(n, a).stdout)
        assert seen.rpartition(":")[0] == own


def test_up_down_and_again(ns: Namespace) -> None:
    """[sig-network] Services should be able to up and down services; should work after the service has been recreated"""  # noqa: E501
    port = {"port": 80, "targetPort": 9376}
    names = ns.replicas("up-down", 2, *_HOSTNAME)
    ns.exec_pod()

    def answers(address: str) -> set[str]:
        return set(
            ns.host_command(
                "execpod", f"for i in 1 2 3 4 5 6; do wget -q -T 1 -t 1 -O - {address}; echo; done"
            ).stdout.split()
        )

    body = service_of("up-down", port, selector={"name": "up-down"})
    for _ in range(2):
        address = ns.service(body).spec.cluster_ip
        seen: set[str] = set()
        eventually(lambda a=address, s=seen: s.update(answers(a)) or s, lambda s: s == set(names))
        ns.core.delete_namespaced_service("up-down", ns.name)
        _unreachable(ns, "execpod", f"{address}:80")


@pytest.mark.parametrize(
    ("title", "label", "value"),
    [
        ("service-proxy-name", "service.kubernetes.io/service-proxy-name", "foo-bar"),
        ("headless", "service.kubernetes.io/headless", ""),
    ],
)
def test_labels_that_tell_kube_proxy_to_stay_away(ns: Namespace, title: str, label: str, value: str) -> None:
    """[sig-network] Services should implement service.kubernetes.io/service-proxy-name and service.kubernetes.io/headless"""  # noqa: E501
    (name,) = ns.replicas(title, 1, *_HOSTNAME)
    service = ns.service(service_of(title, {"port": 80, "targetPort": 9376}, selector={"name": title}))
    ns.exec_pod()

    def relabel(service: Any, labels: dict[str, str] | None) -> None:
        service.metadata.labels = labels

    target = f"{service.spec.cluster_ip}:80"
    for labels, answer in ((None, name), ({label: value}, ""), (None, name)):
        ns.update_service(title, lambda s, labels=labels: relabel(s, labels))
        eventually(lambda: _asks(ns, "execpod", target, 1), lambda told, answer=answer: told == answer, f"{labels}")


def test_refused_without_endpoints(ns: Namespace) -> None:
    """[sig-network] Services should be rejected when no endpoints exist"""
    ns.service(service_of("no-pods", {"port": 80}, selector={"testid": "no-pods"}))
    ns.exec_pod()
    command = "/agnhost connect --timeout=3s no-pods:80"
    done = eventually(lambda: ns.host_command("execpod", command), lambda done: "REFUSED" in done.stderr)
    assert done.returncode == 1


def test_internal_traffic_stays_on_the_node(ns: Namespace, two: tuple[Any, Any]) -> None:
    """[sig-network] Services should respect internalTrafficPolicy=Local Pod to Pod"""
    labels = {"testid": "svc-itp"}
    service = ns.service(service_of("svc-itp", _HTTP, selector=labels, internalTrafficPolicy="Local"))
    _web(ns, two[0], labels)
    ns.expect_endpoints("svc-itp", {"web": [80]})
    ns.expect_host_name("pause-pod-0", f"{service.spec.cluster_ip}:80", "web")
    _unreachable(ns, "pause-pod-1", f"{service.spec.cluster_ip}:80")


def test_internal_traffic_of_host_network_pods(ns: Namespace) -> None:
    """[sig-network] Services should respect internalTrafficPolicy=Local Pod and Node, to Pod (hostNetwork: true)"""
    first, second, *_ = ns.schedulable_nodes()
    labels = {"testid": "svc-itp"}
    port = {"port": 80, "name": "http", "targetPort": 10180}
    service = ns.service(service_of("svc-itp", port, selector=labels, internalTrafficPolicy="Local"))
    flags = ("netexec", "--http-port", "10180", "--udp-port", "10180")
    ns.pod(agnhost_pod("web", *flags, labels=labels, hostNetwork=True, nodeName=first.metadata.name))
    ns.expect_endpoints("svc-itp", {"web": [10180]})
    for number, node in enumerate((first, second)):
        ns.pod(agnhost_pod(f"node-{number}", hostNetwork=True, nodeName=node.metadata.name))
        ns.pod(agnhost_pod(f"pod-{number}", nodeName=node.metadata.name))
    for name in ("pod-0", "node-0"):
        ns.expect_host_name(name, f"{service.spec.cluster_ip}:80", first.metadata.name)
    for name in ("pod-1", "node-1"):
        _unreachable(ns, name, f"{service.spec.cluster_ip}:80")


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
@pytest.mark.parametrize("side", ["internal", "external"])
def test_terminating_endpoints_are_the_last_resort(ns: Namespace, two: tuple[Any, Any], side: str, policy: str) -> None:
    """[sig-network] Services should fallback to (local) terminating endpoints when there are no ready endpoints with internalTrafficPolicy and externalTrafficPolicy of Cluster and Local"""  # noqa: E501
    labels = {"testid": "svc-proxy-terminating"}
    spec = {f"{side}TrafficPolicy": policy, **({"type": "NodePort"} if side == "external" else {})}
    service = ns.service(service_of("svc-proxy-terminating", _HTTP, selector=labels, **spec))
    _web(ns, two[0], labels, f"--delay-shutdown={_GRACE}", terminationGracePeriodSeconds=_GRACE)
    ns.expect_endpoints("svc-proxy-terminating", {"web": [80]})
    ns.core.delete_namespaced_pod("web", ns.name)
    (only,) = eventually(
        lambda: [e for s in ns.slices("svc-proxy-terminating") for e in s.endpoints or []],
        lambda found: [e.conditions.terminating for e in found] == [True],
        "the endpoint terminates",
    )
    assert (only.conditions.ready, only.conditions.serving) == (False, True)
    if side == "internal":
        here = there = f"{service.spec.cluster_ip}:80"
    else:
        here, there = (f"{addresses(node)[0]}:{service.spec.ports[0].node_port}" for node in two)
    ns.expect_host_name("pause-pod-0", here, "web")
    if policy == "Cluster":
        ns.expect_host_name("pause-pod-1", here, "web")
    elif side == "internal":
        _unreachable(ns, "pause-pod-1", here)
    else:
        ns.expect_host_name("pause-pod-1", here, "web")
        _unreachable(ns, "pause-pod-0", there)
    ns.core.delete_namespaced_pod("web", ns.name, grace_period_seconds=0)


def test_health_check_node_port_of_an_ending_pod(ns: Namespace, two: tuple[Any, Any]) -> None:
    """[sig-network] Services should fail health check node port if there are only terminating endpoints"""
    labels = {"testid": "svc-proxy-terminating"}
    service = ns.service(
        service_of("ending", _HTTP, selector=labels, type="LoadBalancer", externalTrafficPolicy="Local")
    )
    _web(ns, two[0], labels, f"--delay-shutdown={_GRACE}", terminationGracePeriodSeconds=_GRACE)
    (address,) = addresses(two[0])
    health = f"http://{address}:{service.spec.health_check_node_port}/healthz"
    ask = f'curl -s -o /dev/null -w "%{{http_code}}" --max-time 5 {health}'
    eventually(lambda: ns.host_command("pause-pod-0", ask).stdout, lambda code: code == "200", "healthy")
    ns.core.delete_namespaced_pod("web", ns.name)
    eventually(lambda: ns.host_command("pause-pod-0", ask).stdout, lambda code: code == "503", "not healthy")
    ns.expect_host_name("pause-pod-0", f"{address}:{service.spec.ports[0].node_port}", "web")
    ns.core.delete_namespaced_pod("web", ns.name, grace_period_seconds=0)


@pytest.mark.parametrize("published", [True, False])
def test_terminating_and_unready(ns: Namespace, two: tuple[Any, Any], published: bool) -> None:
    """[sig-network] Services should (not) be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is true (false)"""  # noqa: E501
    labels = {"testid": "unready"}
    spec = {"type": "NodePort", "publishNotReadyAddresses": published}
    service = ns.service(service_of("unready", _HTTP, selector=labels, **spec))
    body = agnhost_pod("web", "netexec", "--http-port=80", f"--delay-shutdown={_GRACE}", labels=labels)
    body["spec"].update(terminationGracePeriodSeconds=_GRACE, nodeName=two[0].metadata.name)
    # /readyz fails as soon as the server has been told to end; upstream probes every 10 s.
    body["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {"path": "/readyz", "port": 80}, "periodSeconds": 1}
    ns.pod(body)
    ns.expect_endpoints("unready", {"web": [80]})
    ns.core.delete_namespaced_pod("web", ns.name)
    eventually(
        lambda: condition(ns.core.read_namespaced_pod("web", ns.name), "Ready"), lambda s: s == "False", "unready"
    )
    port = service.spec.ports[0].node_port
    for place in (f"{service.spec.cluster_ip}:80", *(f"{addresses(node)[0]}:{port}" for node in two)):
        if published:
            ns.expect_host_name("pause-pod-1", place, "web")
        else:
            _unreachable(ns, "pause-pod-1", place)
    ns.core.delete_namespaced_pod("web", ns.name, grace_period_seconds=0)


def test_node_ports_collide_have_a_range_and_are_released(ns: Namespace) -> None:
    """[sig-network] Services should prevent NodePort collisions, check NodePort out-of-range, release NodePorts on delete"""  # noqa: E501
    made = ns.service(service_of("one", {"port": 80}, type="NodePort"))
    taken = made.spec.ports[0].node_port
    with pytest.raises(ApiException, match=f"{taken}.*port is already allocated"):
        ns.service(service_of("two", {"port": 80, "nodePort": taken}, type="NodePort"))
    with pytest.raises(ApiException, match=r"20000.*port is not in the valid range"):
        ns.service(service_of("two", {"port": 80, "nodePort": 20000}, type="NodePort"))

    def leave(service: Any) -> None:
        service.spec.ports[0].node_port = 20000

    with pytest.raises(ApiException, match=r"20000.*port is not in the valid range"):
        ns.update_service("one", leave)
    ns.core.delete_namespaced_service("one", ns.name)
    assert (
        ns.service(service_of("two", {"port": 80, "nodePort": taken}, type="NodePort")).spec.ports[0].node_port == taken
    )


def test_external_ip_and_two_protocols_on_one_node_port(ns: Namespace) -> None:
    """[sig-network] Services should be possible to connect to a service via ExternalIP when the external IP is not assigned to a node; should be able to update service type to NodePort listening on same port number but different protocols"""  # noqa: E501
    labels = {"testid": "many-ways"}
    ns.replicas("many-ways", 2, *_HOSTNAME, "--http=false", "--tcp", "--udp", labels=labels)
    ports = [{"name": f"{p.lower()}-port", "port": 80, "targetPort": 9376, "protocol": p} for p in ("TCP", "UDP")]
    ns.service(service_of("many-ways", ports[0], selector=labels, externalIPs=["203.0.113.250"]))
    ns.exec_pod()
    eventually(lambda: ns.reaches("execpod", "203.0.113.250", 80), what="the external IP")

    def widen(service: Any) -> None:
        service.spec.type, service.spec.ports = "NodePort", ports

    service = ns.update_service("many-ways", widen)
    assert len({p.node_port for p in service.spec.ports} - {None}) >= 1
    ns.expect_reachable(service, "execpod")


def test_affinity_ends(ns: Namespace) -> None:
    """[sig-network] Services should have session affinity timeout work for service with type clusterIP [LinuxOnly]"""
    ns.replicas("timeout", 3, *_HOSTNAME)
    spec = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 2}}}
    service = ns.service(service_of("timeout", {"port": 80, "targetPort": 9376}, selector={"name": "timeout"}, **spec))
    ns.exec_pod()
    target = f"{service.spec.cluster_ip}:80"
    eventually(lambda: _asks(ns, "execpod", target))
    ask = f"for i in 1 2 3 4 5 6 7 8; do curl -q -s --connect-timeout 2 {target}/hostname; echo; done"
    eventually(lambda: set(ns.host_command("execpod", ask).stdout.split()), lambda found: len(found) == 1)
    # Longer than the affinity lasts, in the Pod: the kernel's clock is what is asked for.
    spread = f"for i in 1 2 3 4; do curl -q -s --connect-timeout 2 {target}/hostname; echo; sleep 3; done"
    eventually(lambda: set(ns.host_command("execpod", spread).stdout.split()), lambda found: len(found) > 1)
