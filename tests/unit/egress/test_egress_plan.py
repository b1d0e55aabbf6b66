"""What a node has to do for egress gateway policies, and how nft and ip are told."""

from __future__ import annotations

from typing import Any

import pytest

from podwalk.egress import plan, render
from podwalk.egress.plan import Objects, Plan

Object = dict[str, Any]
INTERNAL = ("10.244.0.0/16", "10.96.0.0/16")


def node(number: int, **labels: str) -> Object:
    name = f"n{number}"
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": {"podCIDR": f"10.244.{number}.0/24"},
        "status": {"addresses": [{"type": "InternalIP", "address": f"172.18.0.{number}"}]},
    }


def pod(name: str, where: int, last: int, **status: str) -> Object:
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {"nodeName": f"n{where}"},
        "status": {"podIP": f"10.244.{where}.{last}", "phase": "Running", **status},
    }


def policy(name: str = "till", *, gateway: Object | None = None, **spec: Any) -> Object:
    fields = {
        "selectors": [{"podSelector": {"matchLabels": {"app": "till"}}}],
        "destinationCIDRs": ["0.0.0.0/0"],
        "egressGateway": gateway or {"nodeSelector": {"matchLabels": {"egress": "yes"}}, "egressIP": "172.18.0.100"},
    }
    return {"metadata": {"name": name}, "spec": {**fields, **spec}}


def make(at: str, *policies: Object, pods: list[Object] | None = None, nodes: list[Object] | None = None) -> Plan:
    everywhere = [pod("till", 2, 5), pod("till", 3, 6), pod("clock", 2, 7)]
    namespaces = [{"metadata": {"name": "shop", "labels": {"team": "green"}}}]
    return plan.make(
        Objects(
            policies,
            everywhere if pods is None else pods,
            namespaces,
            nodes or [node(2), node(3, egress="yes"), node(4, egress="yes")],
            INTERNAL,
        ),
        at,
    )


def test_a_node_sends_its_own_pods_and_the_gateway_rewrites_everybodys() -> None:
    (away,) = make("n2", policy()).ways
    assert (away.sources, away.here) == (("10.244.2.5",), False)
    gateway = make("n3", policy())
    assert (gateway.ways[0].sources, gateway.ways[0].here) == (("10.244.2.5", "10.244.3.6"), True)
    assert gateway.addresses == {"172.18.0.100"}
    assert make("n4", policy()) == Plan()  # the second by name is no gateway


def test_what_stays_inside_is_never_taken() -> None:
    (way,) = make("n2", policy(excludedCIDRs=["172.18.1.10/32"])).ways
    nodes = {"172.18.0.2/31", "172.18.0.4/32"}
    assert set(way.excluded) == {*INTERNAL, *nodes, "172.18.1.10/32"}


@pytest.mark.parametrize(
    "gateway",
    [
        {"nodeSelector": {"matchLabels": {"egress": "nobody"}}, "egressIP": "172.18.0.100"},
        {"egressIP": "172.18.0.100"},
        {"nodeSelector": {"matchLabels": {"egress": "yes"}}, "egressIP": "172.18.0.2"},
        {"nodeSelector": {"matchLabels": {"egress": "yes"}}, "interface": "eth7"},
    ],
)
def test_without_gateway_or_address_the_traffic_is_dropped(gateway: Object) -> None:
    made = make("n2", policy(gateway=gateway))
    assert made.addresses == set()
    assert made.gateways == []
    assert "counter drop" in render.nft(made)
    assert "snat" not in render.nft(made)


def test_without_an_address_it_is_the_gateways_own() -> None:
    made = make("n3", policy(gateway={"nodeSelector": {"matchLabels": {"egress": "yes"}}}))
    assert made.ways[0].egress_ip == "172.18.0.3"


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        ({"namespaceSelector": {"matchLabels": {"team": "green"}}}, ("10.244.2.5", "10.244.2.7")),
        ({"namespaceSelector": {"matchLabels": {"team": "red"}}}, ()),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "clock"}}}, ("10.244.2.7",)),
        ({"podSelector": {}}, ("10.244.2.5", "10.244.2.7")),
    ],
)
def test_selectors(rule: Object, chosen: tuple[str, ...]) -> None:
    made = make("n2", policy(selectors=[rule]))
    assert tuple(s for way in made.ways for s in way.sources) == chosen


def test_pods_of_the_nodes_network_and_ended_ones_are_not_taken() -> None:
    shared = pod("till", 2, 5)
    shared["spec"]["hostNetwork"] = True
    assert make("n2", policy(), pods=[shared, pod("till", 2, 9, phase="Succeeded")]) == Plan()


@pytest.mark.parametrize(
    "spec", [{"selectors": [{}]}, {"destinationCIDRs": ["nowhere"]}, {"egressGateway": {"egressIP": "x"}}]
)
def test_a_policy_that_makes_no_sense_does_not_stop_the_others(spec: Object, caplog: pytest.LogCaptureFixture) -> None:
    if "egressGateway" in spec:
        spec["egressGateway"]["nodeSelector"] = {}
    made = make("n2", policy("bad", **spec), policy())
    assert [way.policy for way in made.ways] == ["till"]
    assert "CiliumEgressGatewayPolicy bad" in caplog.text


def test_each_gateway_has_its_mark_its_table_and_its_rule() -> None:
    other = policy("clock", gateway={"nodeSelector": {"matchLabels": {"kubernetes.io/hostname": "n4"}}})
    other["spec"]["selectors"] = [{"podSelector": {"matchLabels": {"app": "clock"}}}]
    made = make("n2", policy(), other)
    assert [gateway.name for gateway in made.gateways] == ["n3", "n4"]
    assert render.routing(made.gateways, tunnel="flannel.1") == [
        "route replace default via 10.244.3.0 dev flannel.1 onlink table 2000",
        "rule add preference 20000 fwmark 0x10000/0xff0000 lookup 2000",
        "route replace default via 10.244.4.0 dev flannel.1 onlink table 2001",
        "rule add preference 20001 fwmark 0x20000/0xff0000 lookup 2001",
    ]
    assert render.routing(made.gateways[:1], tunnel="")[0] == "route replace default via 172.18.0.3 dev eth0 table 2000"
    text = render.nft(made)
    assert "ip saddr { 10.244.2.5 }" in text
    assert '| 0x00010000 accept comment "till"' in text
    assert '| 0x00020000 accept comment "clock"' in text


def test_nothing_to_do_takes_the_table_away() -> None:
    assert render.nft(Plan()) == f"add table ip {render.TABLE}\ndelete table ip {render.TABLE}\n"
    assert render.unrouting([20001]) == ["rule del preference 20001", "route flush table 2001"]
    assert render.ours(20000)
    assert not render.ours(32766)
