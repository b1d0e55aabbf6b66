"""ClusterIPs and NodePorts: uniqueness, requests, changes of type, and the texts of refusals."""

import copy

import pytest

from podwalk.api.errors import ApiError
from podwalk.apiserver.strategy import ServiceAllocator, default

RANGE = (30000, 32767)


@pytest.fixture
def allocator():
    return ServiceAllocator("10.96.0.0/16", RANGE)


def service(name="s", **spec):
    spec.setdefault("ports", [{"port": 80}])
    obj = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    default(obj)
    return obj


def stored(allocator, **spec):
    obj = service(**spec)
    allocator.allocate(obj, None)
    return obj


def changed(old, **spec):
    new = copy.deepcopy(old)
    for field, value in spec.items():
        if value is None:
            new["spec"].pop(field, None)
        else:
            new["spec"][field] = value
    default(new)
    return new


def refusal(allocator, obj, old=None):
    with pytest.raises(ApiError) as caught:
        allocator.allocate(obj, old)
    assert caught.value.code == 422
    (cause,) = caught.value.details["causes"]
    return cause["field"], cause["message"]


def test_a_service_gets_an_address_of_the_range(allocator):
    spec = stored(allocator)["spec"]
    assert spec["clusterIP"].startswith("10.96.")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


def test_every_address_is_given_once():
    small = ServiceAllocator("10.96.0.0/28", RANGE)
    addresses = {stored(small, ports=[{"port": 80}])["spec"]["clusterIP"] for _ in range(14)}
    assert len(addresses) == 14
    assert "10.96.0.0" not in addresses
    assert "10.96.0.15" not in addresses
    assert "range is full" in refusal(small, service())[1]


def test_a_requested_address_is_honoured_once(allocator):
    assert stored(allocator, clusterIP="10.96.0.10")["spec"]["clusterIPs"] == ["10.96.0.10"]
    assert refusal(allocator, service(clusterIP="10.96.0.10")) == (
        "spec.clusterIPs",
        'Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already allocated',
    )


@pytest.mark.parametrize("outside", ["10.97.0.1", "10.96.0.0"])
def test_an_address_outside_the_range_is_refused(allocator, outside):
    field, message = refusal(allocator, service(clusterIP=outside))
    assert field == "spec.clusterIPs"
    assert message.endswith(f"failed to allocate IP {outside}: the provided network does not match the current range")


def test_garbage_is_refused_before_anything_is_taken(allocator):
    field, message = refusal(allocator, service(clusterIP="abc"))
    assert field == "spec.clusterIPs[0]"
    assert message == 'Invalid value: "abc": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'


def test_headless_means_none(allocator):
    spec = stored(allocator, clusterIP="None", selector={"a": "b"})["spec"]
    assert spec["clusterIPs"] == ["None"]
    assert spec["ipFamilies"] == ["IPv4"]


def test_headless_without_selector_is_dual_stack_everywhere(allocator):
    spec = stored(allocator, clusterIP="None")["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "RequireDualStack")


def test_an_external_name_has_no_address(allocator):
    spec = stored(allocator, type="ExternalName", externalName="a.example", ports=[])["spec"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies"} & set(spec)


def test_ipv6_is_not_configured(allocator):
    assert refusal(allocator, service(ipFamilies=["IPv6"])) == (
        "spec.ipFamilies[0]",
        'Invalid value: "IPv6": not configured on this cluster',
    )


def test_released_addresses_and_ports_return(allocator):
    old = stored(allocator, clusterIP="10.96.1.1", type="NodePort", ports=[{"port": 80, "nodePort": 30500}])
    allocator.release(old)
    again = stored(allocator, clusterIP="10.96.1.1", type="NodePort", ports=[{"port": 80, "nodePort": 30500}])
    assert again["spec"]["ports"][0]["nodePort"] == 30500


def test_a_refused_service_keeps_nothing(allocator):
    stored(allocator, type="NodePort", ports=[{"port": 80, "nodePort": 30500}])
    clash = service(clusterIP="10.96.1.1", type="NodePort", ports=[{"port": 80, "nodePort": 30500}])
    field, message = refusal(allocator, clash)
    assert (field, message) == ("spec.ports[0].nodePort", "Invalid value: 30500: provided port is already allocated")
    assert stored(allocator, clusterIP="10.96.1.1")["spec"]["clusterIP"] == "10.96.1.1"


def test_tcp_and_udp_of_one_port_share_a_node_port(allocator):
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    numbers = [p["nodePort"] for p in stored(allocator, type="NodePort", ports=ports)["spec"]["ports"]]
    assert numbers[0] == numbers[1]


def test_one_number_twice_for_one_protocol_is_refused(allocator):
    ports = [{"name": "a", "port": 80, "nodePort": 30099}, {"name": "b", "port": 81, "nodePort": 30099}]
    field, message = refusal(allocator, service(type="NodePort", ports=ports))
    assert (field, message) == ("spec.ports[1].nodePort", "Invalid value: 30099: provided port is already allocated")


def test_a_node_port_outside_the_range_is_refused(allocator):
    _, message = refusal(allocator, service(type="NodePort", ports=[{"port": 80, "nodePort": 80}]))
    assert message.endswith("provided port is not in the valid range. The range of valid ports is 30000-32767")


def test_a_new_type_keeps_the_address_and_adds_or_drops_node_ports(allocator):
    old = stored(allocator)
    node_port = changed(old, type="NodePort")
    allocator.allocate(node_port, old)
    assert node_port["spec"]["clusterIP"] == old["spec"]["clusterIP"]
    number = node_port["spec"]["ports"][0]["nodePort"]
    back = changed(node_port, type="ClusterIP")
    allocator.allocate(back, node_port)
    assert "nodePort" not in back["spec"]["ports"][0]
    assert "externalTrafficPolicy" not in back["spec"]
    again = stored(allocator, type="NodePort", ports=[{"port": 80, "nodePort": number}])
    assert again["spec"]["ports"][0]["nodePort"] == number


def test_becoming_external_name_frees_the_address(allocator):
    old = stored(allocator, clusterIP="10.96.1.1")
    new = changed(old, type="ExternalName", externalName="a.example")
    allocator.allocate(new, old)
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"} & set(new["spec"])
    assert stored(allocator, clusterIP="10.96.1.1")


def test_the_address_of_a_service_may_not_change(allocator):
    old = stored(allocator, clusterIP="10.96.1.1")
    assert refusal(allocator, changed(old, clusterIP="10.96.1.2"), old) == (
        "spec.clusterIPs[0]",
        'Invalid value: ["10.96.1.2"]: may not change once set',
    )


def test_an_update_that_leaves_out_what_was_allocated_keeps_it(allocator):
    old = stored(allocator, type="NodePort")
    new = changed(old, clusterIP=None, clusterIPs=None, ports=[{"port": 80}])
    allocator.allocate(new, old)
    assert new["spec"]["clusterIP"] == old["spec"]["clusterIP"]
    assert new["spec"]["ports"] == old["spec"]["ports"]


def test_a_local_load_balancer_gets_a_health_check_port(allocator):
    old = stored(allocator, type="LoadBalancer", externalTrafficPolicy="Local")
    port = old["spec"]["healthCheckNodePort"]
    assert RANGE[0] <= port <= RANGE[1]
    new = changed(old, externalTrafficPolicy="Cluster")
    allocator.allocate(new, old)
    assert "healthCheckNodePort" not in new["spec"]


def test_a_load_balancer_may_do_without_node_ports(allocator):
    spec = stored(allocator, type="LoadBalancer", allocateLoadBalancerNodePorts=False)["spec"]
    assert "nodePort" not in spec["ports"][0]


def test_two_known_services_restore_after_a_restart():
    first = ServiceAllocator("10.96.0.0/16", RANGE)
    old = stored(first, type="NodePort")
    restarted = ServiceAllocator("10.96.0.0/16", RANGE)
    restarted.allocate(copy.deepcopy(old), None)
    assert "already allocated" in refusal(restarted, service(clusterIP=old["spec"]["clusterIP"]))[1]
