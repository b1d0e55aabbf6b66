"""test/e2e/network/apiserver.go"""

from __future__ import annotations

from e2e_framework import SERVICE_NAME, Apis


def test_provides_the_master_service(apis: Apis) -> None:
    """[sig-network] API Server should provide secure master service [Conformance]"""
    service = apis.core.read_namespaced_service("kubernetes", "default")
    assert service.spec.cluster_ip == "10.96.0.1"
    assert [(p.name, p.port) for p in service.spec.ports] == [("https", 443)]


def test_endpoints_and_slices_point_to_the_api_server(apis: Apis) -> None:
    """[sig-network] API Server should have Endpoints and EndpointSlices pointing to API Server [Conformance]"""
    endpoints = apis.core.read_namespaced_endpoints("kubernetes", "default")
    hosts = {a.ip for s in endpoints.subsets for a in (s.addresses or []) + (s.not_ready_addresses or [])}
    ports = {p.port for s in endpoints.subsets for p in s.ports}
    slices = apis.discovery.list_namespaced_endpoint_slice("default", label_selector=f"{SERVICE_NAME}=kubernetes").items
    assert {a for s in slices for e in s.endpoints for a in e.addresses} == hosts != set()
    assert {p.port for s in slices for p in s.ports} == ports != set()
