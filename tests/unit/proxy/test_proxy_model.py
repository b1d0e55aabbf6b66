"""Which Services are proxied, and which endpoints a node uses."""

from __future__ import annotations

from typing import Any

import pytest
from proxy_rows import HERE, HERE2, NODE, THERE, endpoint, endpoint_slice, service

from podwalk.proxy import model
from podwalk.proxy.model import Node, ServicePort


def only(services: list[dict[str, Any]], slices: list[dict[str, Any]], node: Node = NODE) -> ServicePort:
    (port,) = model.service_ports(services, slices, node)
    return port


def ips(port: ServicePort) -> list[str]:
    return [e.ip for e in port.endpoints.cluster]


@pytest.mark.parametrize(
    "unproxied",
    [
        service(clusterIP="None"),
        service(clusterIP=""),
        service(type="ExternalName", externalName="example.com"),
    ],
    ids=["headless", "no address yet", "ExternalName"],
)
def test_services_without_a_cluster_ip_have_no_rules(unproxied: dict[str, Any]) -> None:
    assert model.service_ports([unproxied], [endpoint_slice(endpoint(HERE))], NODE) == []


def test_a_service_may_be_left_to_another_proxy() -> None:
    labelled = service()
    labelled["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "other"}
    assert model.service_ports([labelled], [], NODE) == []


def test_slices_of_one_service_add_up_and_an_address_counts_once() -> None:
    slices = [
        endpoint_slice(endpoint(HERE), endpoint(THERE), name="web-1"),
        endpoint_slice(endpoint(THERE), endpoint(HERE2), name="web-2"),
    ]
    assert ips(only([service()], slices)) == [HERE, HERE2, THERE]


def test_endpoints_are_found_by_the_ports_name_not_its_number() -> None:
    ports = [{"name": "http", "port": 80}, {"name": "admin", "port": 90}]
    slices = [endpoint_slice(endpoint(HERE), ports=[{"name": "admin", "port": 9090, "protocol": "TCP"}])]
    admin, http = model.service_ports([service(ports=ports)], slices, NODE)
    assert [str(e) for e in admin.endpoints.cluster] == [f"{HERE}:9090"]
    assert http.endpoints.cluster == ()
    assert not http.endpoints.any_usable


def test_a_condition_that_is_absent_means_ready() -> None:
    bare = {"addresses": [HERE], "nodeName": "worker"}
    assert ips(only([service()], [endpoint_slice(bare)])) == [HERE]


def test_ipv6_slices_are_left_out() -> None:
    six = {**endpoint_slice({"addresses": ["fd00::5"]}), "addressType": "IPv6"}
    assert ips(only([service()], [six])) == []


ZONE_A = {"forZones": [{"name": "zone-a"}]}
ZONE_B = {"forZones": [{"name": "zone-b"}]}


def test_zone_hints_keep_traffic_in_the_zone() -> None:
    slices = [endpoint_slice(endpoint(HERE, hints=ZONE_A), endpoint(THERE, hints=ZONE_B))]
    assert ips(only([service()], slices)) == [HERE]


@pytest.mark.parametrize(
    ("endpoints", "node", "why"),
    [
        ((endpoint(HERE, hints=ZONE_A), endpoint(THERE)), NODE, "one endpoint has no hint"),
        ((endpoint(HERE, hints=ZONE_B), endpoint(THERE, hints=ZONE_B)), NODE, "no endpoint is meant for this zone"),
        ((endpoint(HERE, hints=ZONE_A), endpoint(THERE, hints=ZONE_B)), Node("worker", "172.18.0.3"), "no zone known"),
    ],
)
def test_hints_that_cannot_be_followed_are_ignored(endpoints: tuple[Any, ...], node: Node, why: str) -> None:
    assert ips(only([service()], [endpoint_slice(*endpoints)], node)) == [HERE, THERE], why


def test_node_hints_go_before_zone_hints() -> None:
    def hints(node: str) -> dict[str, Any]:
        return {"forNodes": [{"name": node}], **ZONE_A}

    slices = [endpoint_slice(endpoint(HERE, hints=hints("worker")), endpoint(THERE, hints=hints("worker2")))]
    assert ips(only([service()], slices)) == [HERE]


def test_an_endpoint_that_is_not_ready_needs_no_hint() -> None:
    waiting = endpoint(HERE2, ready=False, serving=False)
    slices = [endpoint_slice(endpoint(HERE, hints=ZONE_A), waiting, endpoint(THERE, hints=ZONE_B))]
    assert ips(only([service()], slices)) == [HERE]


def test_a_load_balancer_that_proxies_is_not_answered_for() -> None:
    balanced = service(type="LoadBalancer")
    balanced["status"] = {
        "loadBalancer": {"ingress": [{"ip": "203.0.113.9", "ipMode": "Proxy"}, {"hostname": "x.test"}]}
    }
    assert only([balanced], []).load_balancer_ips == ()


def test_what_did_not_change_is_remembered_and_what_did_is_not() -> None:
    known = model.ServicePorts()
    web, other = service(), service("other", clusterIP="10.96.7.8", clusterIPs=["10.96.7.8"])
    slices = [endpoint_slice(endpoint(HERE)), endpoint_slice(endpoint(HERE), of="other")]
    first = known.of([web, other], slices, NODE)
    slices[0] = endpoint_slice(endpoint(THERE))
    second = known.of([web, other], slices, NODE)
    assert [a is b for a, b in zip(first, second, strict=True)] == [True, False]
    assert [str(e) for e in second[1].endpoints.cluster] == [f"{THERE}:8080"]
    moved = Node(NODE.name, NODE.ip, "another-zone")
    assert known.of([web, other], slices, moved) == model.service_ports([web, other], slices, moved)
    assert known.of([other], slices, moved) == model.service_ports([other], slices, moved)
    assert known.of([other], [], moved)[0].endpoints.cluster == ()
