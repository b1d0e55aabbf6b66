"""test/e2e/network/endpoints.go, endpointslicemirroring.go and the controllers' part of endpointslice.go"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from e2e_framework import (
    NGINX,
    SERVICE_NAME,
    Namespace,
    agnhost_pod,
    await_event,
    code_of,
    container,
    eventually,
    pod_of,
    service_of,
    watching,
)

_NOBODY = {"does-not-match-anything": "endpoints-and-endpoint-slices-should-still-be-created"}


def test_lifecycle_of_endpoints(ns: Namespace) -> None:
    """[sig-network] Endpoints should test the lifecycle of an Endpoint [Conformance]"""
    label = {"label_selector": "test-endpoint-static=true"}
    start = ns.core.list_endpoints_for_all_namespaces(**label).metadata.resource_version
    subset = {"addresses": [{"ip": "10.0.0.24"}], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}
    metadata = {"name": "testservice", "labels": {"test-endpoint-static": "true"}}
    made = ns.core.create_namespaced_endpoints(ns.name, {"metadata": metadata, "subsets": [subset]})
    with watching(ns.core.list_namespaced_endpoints, ns.name, resource_version=start, **label) as events:
        await_event(events, "ADDED")
        listed = ns.core.list_endpoints_for_all_namespaces(**label).items
        (found,) = [e for e in listed if e.metadata.namespace == ns.name and e.metadata.name == "testservice"]
        found.metadata.labels["test-service"] = "updated"
        ns.core.replace_namespaced_endpoints("testservice", ns.name, found)
        await_event(events, "MODIFIED", lambda e: e["metadata"]["labels"].get("test-service") == "updated")
        change = {
            "metadata": {"labels": {"test-service": "patched"}},
            "subsets": [{"addresses": [{"ip": "10.0.0.25"}], "ports": [{"name": "http-test", "port": 8080}]}],
        }
        patched = ns.core.patch_namespaced_endpoints("testservice", ns.name, change)
        assert int(patched.metadata.resource_version) > int(made.metadata.resource_version)
        await_event(events, "MODIFIED", lambda e: e["metadata"]["labels"].get("test-service") == "patched")
        (only,) = ns.core.read_namespaced_endpoints("testservice", ns.name).subsets
        assert [a.ip for a in only.addresses] == ["10.0.0.25"]
        assert [(p.name, p.port) for p in only.ports] == [("http-test", 8080)]
        ns.core.delete_collection_namespaced_endpoints(ns.name, **label)
        await_event(events, "DELETED")
    assert ns.endpoints("testservice") is None


def test_endpoints_of_a_service_without_pods(ns: Namespace) -> None:
    """[sig-network] EndpointsController should create and delete Endpoints for a Service with a selector that matches no pods [Conformance]"""  # noqa: E501
    ns.service(service_of("example-empty-selector", {"name": "example", "port": 80}, selector=_NOBODY))
    eventually(lambda: ns.endpoints("example-empty-selector"), what="Endpoints appear")
    ns.core.delete_namespaced_service("example-empty-selector", ns.name)
    eventually(lambda: ns.endpoints("example-empty-selector") is None, what="Endpoints go")


def test_slices_of_a_service_without_pods(ns: Namespace) -> None:
    """[sig-network] EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods [Conformance]"""  # noqa: E501
    ns.service(service_of("example-empty-selector", {"name": "example", "port": 80}, selector=_NOBODY))
    (only,) = eventually(lambda: ns.slices("example-empty-selector"), what="a slice appears")
    assert only.metadata.labels["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    assert not only.endpoints
    ns.core.delete_namespaced_service("example-empty-selector", ns.name)
    eventually(lambda: not ns.slices("example-empty-selector"), what="the slice goes")


@pytest.fixture
def two_pods(ns: Namespace) -> tuple[Any, Any]:
    """Two Pods that share a label and name a port alike, and two Services over them."""
    ports = {"pod1": {"example-name": 3000}, "pod2": {"example-name": 3001, "other-port": 3002}}
    for name, named in ports.items():
        listed = [{"name": n, "containerPort": p} for n, p in named.items()]
        only = container("container1", image=NGINX, ports=listed)
        ns.pod(pod_of(name, only, labels={name: "on", "shared12": "on"}), ready=False)
    number = {"name": "example", "port": 80, "targetPort": 3000}
    named_port = {"name": "http", "port": 80, "targetPort": "example-name"}
    ns.service(service_of("example-int-port", number, selector={"pod1": "on"}, publishNotReadyAddresses=True))
    ns.service(service_of("example-named-port", named_port, selector={"shared12": "on"}, publishNotReadyAddresses=True))
    one, two = (
        eventually(lambda n=n: ns.core.read_namespaced_pod(n, ns.name), lambda p: p.status.pod_ip, n) for n in ports
    )
    return one, two


def _reference(pod: Any) -> tuple[str, str, str, str]:
    return ("Pod", pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)


def _refers(target: Any) -> tuple[str, str, str, str]:
    return (target.kind, target.namespace, target.name, target.uid)


def _by_endpoints(ns: Namespace, service: str) -> dict[Any, Any]:
    found = ns.endpoints(service)
    return {
        (a.ip, _refers(a.target_ref)): [(p.name, p.port, p.protocol) for p in s.ports]
        for s in (found.subsets if found else None) or []
        for a in (s.addresses or []) + (s.not_ready_addresses or [])
    }


def _by_slices(ns: Namespace, service: str) -> dict[Any, Any]:
    return {
        (e.addresses[0], _refers(e.target_ref)): [(p.name, p.port, p.protocol) for p in s.ports]
        for s in ns.slices(service)
        for e in s.endpoints or []
    }


def _expected(one: Any, two: Any) -> dict[str, dict[Any, Any]]:
    first, second = ((p.status.pod_ip, _reference(p)) for p in (one, two))
    return {
        "example-int-port": {first: [("example", 3000, "TCP")]},
        "example-named-port": {first: [("http", 3000, "TCP")], second: [("http", 3001, "TCP")]},
    }


def test_endpoints_of_matching_pods(ns: Namespace, two_pods: tuple[Any, Any]) -> None:
    """[sig-network] EndpointsController should create Endpoints for Pods matching a Service [Conformance]"""
    for service, expected in _expected(*two_pods).items():
        eventually(
            lambda s=service: _by_endpoints(ns, s), lambda found, e=expected: found == e, f"{service}: {expected}"
        )
        assert len(ns.endpoints(service).subsets) == len(expected)


def test_slices_of_matching_pods(ns: Namespace, two_pods: tuple[Any, Any]) -> None:
    """[sig-network] EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service [Conformance]"""  # noqa: E501
    for service, expected in _expected(*two_pods).items():
        eventually(lambda s=service: _by_slices(ns, s), lambda found, e=expected: found == e, f"{service}: {expected}")
    old = {s.metadata.uid for s in ns.slices("example-named-port")}
    assert len(old) == 2
    for found in ns.slices("example-named-port"):
        ns.discovery.delete_namespaced_endpoint_slice(found.metadata.name, ns.name)
    expected = _expected(*two_pods)["example-named-port"]
    eventually(lambda: _by_slices(ns, "example-named-port"), lambda found: found == expected, "slices come back")
    assert not old & {s.metadata.uid for s in ns.slices("example-named-port")}


def test_custom_endpoints_are_mirrored(ns: Namespace) -> None:
    """[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete [Conformance]"""  # noqa: E501
    name = "example-custom-endpoints"
    ns.service(service_of(name, {"name": "example", "port": 80}))

    def mirrored() -> list[Any]:
        return [([p.port for p in s.ports or []], [e.addresses for e in s.endpoints or []]) for s in ns.slices(name)]

    body = {"metadata": {"name": name}, "subsets": [{"ports": [{"port": 80}], "addresses": [{"ip": "10.1.2.3"}]}]}
    ns.core.create_namespaced_endpoints(ns.name, body)
    eventually(mirrored, lambda found: found == [([80], [["10.1.2.3"]])], within=12)
    # Without a resourceVersion: the spec writes what it created, not what it read.
    changed = copy.deepcopy(body)
    changed["subsets"] = [{"ports": [{"port": 80}], "addresses": [{"ip": "10.2.3.4"}]}]
    ns.core.replace_namespaced_endpoints(name, ns.name, changed)
    eventually(mirrored, lambda found: found == [([80], [["10.2.3.4"]])], within=12)
    ns.core.delete_namespaced_endpoints(name, ns.name)
    eventually(mirrored, lambda found: found == [], within=12)


def _two_ports(ns: Namespace) -> Any:
    ports = [{"name": f"port{p}", "port": p, "protocol": "TCP"} for p in (80, 81)]
    return ns.service(service_of("example-custom-endpoints", *ports))


def _slice(ns: Namespace, port: str, address: str, target: int) -> None:
    labels = {SERVICE_NAME: "example-custom-endpoints", "endpointslice.kubernetes.io/managed-by": f"e2e-test{ns.name}"}
    body = {
        "metadata": {"generateName": "e2e-custom-slice", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": port, "port": target, "protocol": "TCP"}],
    }
    ns.discovery.create_namespaced_endpoint_slice(ns.name, body)


def _server(ns: Namespace, name: str, *ports: int) -> Any:
    listening = [
        container(f"container-handle-{p}-request", "netexec", "--http-port", str(p), "--udp-port", "-1") for p in ports
    ]
    return ns.pod(pod_of(name, *listening))


def test_one_address_and_two_ports_in_two_slices(ns: Namespace) -> None:
    """[sig-network] EndpointSlice should support a Service with multiple ports specified in multiple EndpointSlices [Conformance]"""  # noqa: E501
    service = _two_ports(ns)
    pod = _server(ns, "pod-handle-http-request", 8090, 9090)
    _slice(ns, "port80", pod.status.pod_ip, 8090)
    _slice(ns, "port81", pod.status.pod_ip, 9090)
    ns.pod(agnhost_pod("pause-pod-0"))
    for port in (80, 81):
        ns.expect_host_name("pause-pod-0", f"{service.spec.cluster_ip}:{port}", pod.metadata.name)


def test_two_addresses_in_two_slices(ns: Namespace) -> None:
    """[sig-network] EndpointSlice should support a Service with multiple endpoint IPs specified in multiple EndpointSlices [Conformance]"""  # noqa: E501
    service = _two_ports(ns)
    for number, port in ((1, 80), (2, 81)):
        pod = _server(ns, f"pod{number}-handle-http-request", 8090)
        _slice(ns, f"port{port}", pod.status.pod_ip, 8090)
    ns.pod(agnhost_pod("pause-pod-0"))
    for number, port in ((1, 80), (2, 81)):
        ns.expect_host_name("pause-pod-0", f"{service.spec.cluster_ip}:{port}", f"pod{number}-handle-http-request")
    assert code_of(ns.core.read_namespaced_endpoints, "example-custom-endpoints", ns.name) == 404
