"""The cluster's drawing follows what kernels and the API say, the dead, the unplugged and the many included."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from test_drawings import labels, outside, overlapping

from podwalk.views import topology
from podwalk.views.topology import Device, NodePlace, PodPlace, Topology
from podwalk.views.topology_map import TopologyMap

BRIDGE = Device("cni0", 5, "bridge", ("10.244.1.1/24",), 1450)
TUNNEL = Device("flannel.1", 3, "vxlan", ("10.244.1.0/32",), 1450, "b6:ff:05:7f:db:e8")
UPLINK = Device("eth0", 2, "veth", ("172.18.0.3/16",), 1500, peer=4)


def pod(number: int, *, host: bool = False, **changes: Any) -> PodPlace:
    name = f"shop/a-deployment-with-a-long-name-5879674949-bm65{number}"
    if host:
        return PodPlace(name, "172.18.0.3", host_network=True)
    port = Device(f"veth7bde8a{number:02}", 10 + number, "veth", master="cni0", peer=2)
    inside = (Device("eth0", 2, "veth", (f"10.244.1.{number}/24",), 1450, peer=10 + number),)
    return dataclasses.replace(PodPlace(name, f"10.244.1.{number}", False, "cni-1", inside, port), **changes)


def node(
    name: str, *pods: PodPlace, alive: bool = True, devices: tuple[Device, ...] = (BRIDGE, TUNNEL, UPLINK)
) -> NodePlace:
    port = Device("veth1", 4, "veth", master="kind0")
    return NodePlace(name, "worker", "172.18.0.3", alive, devices if alive else (), pods, port if alive else None)


def drawing(*nodes: NodePlace) -> TopologyMap:
    return TopologyMap(Topology("podwalk", nodes, Device("kind0", 2, "bridge", ("172.18.0.1/16",))))


def words(picture: TopologyMap) -> str:
    return "\n".join(t.get_text() for t in labels(picture.figure()))


def test_reading_what_a_node_printed() -> None:
    addresses = [
        {"family": "inet", "local": "172.18.0.3", "prefixlen": 16},
        {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
    ]
    eth0 = {"ifindex": 2, "ifname": "eth0", "link_index": 4, "link_netnsid": 0, "flags": ["UP"], "mtu": 1500}
    eth0 |= {"linkinfo": {"info_kind": "veth"}, "address": "02:42:ac:12:00:03", "addr_info": addresses}
    own: list[dict[str, Any]] = [eth0, {}]
    seen = topology.parse(f"{json.dumps(own)}\n--- cni-one\n{json.dumps(own)}\n--- cni-two\n\n")
    assert seen.devices == (Device("eth0", 2, "veth", ("172.18.0.3/16",), 1500, "02:42:ac:12:00:03", "", 4, True),)
    assert seen.devices[0].address == "172.18.0.3"
    assert set(seen.spaces) == {"cni-one", "cni-two"}
    assert seen.spaces["cni-two"] == ()


def test_a_pod_is_found_by_its_uid_else_by_its_address() -> None:
    inside = (Device("lo", 1), Device("eth0", 2, "veth", ("10.244.1.7/24",), 1450, peer=12))
    port = Device("veth12", 12, "veth", master="cni0", peer=2)
    found = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u-1"},
        "spec": {},
        "status": {"podIP": "10.244.1.7"},
    }
    for netns in ("cni-u-1", "cni-somebody-elses-choice"):
        place = topology._pod(found, topology._Seen((port,), {"cni-empty": (), netns: inside}))
        assert (place.netns, place.port, [d.name for d in place.devices]) == (netns, port, ["eth0"])
    lost = topology._pod({**found, "status": {}}, topology._Seen((port,), {"cni-other": inside}))
    assert (lost.netns, lost.port) == ("", None)


def test_labels_do_not_lie_on_each_other() -> None:
    full = node(
        "a-cluster-with-a-long-name-worker", *[pod(i) for i in range(12)], pod(90, host=True), pod(91, host=True)
    )
    routed = node("worker2", pod(1), devices=(UPLINK,))
    empty = node("worker3", devices=(TUNNEL, UPLINK))
    for nodes in ((full,), (full, routed, empty), (empty, full, routed, full, node("worker5", alive=False))):
        figure = drawing(*nodes).figure()
        assert not overlapping(figure)
        assert not outside(figure)


def test_what_is_left_out_is_counted() -> None:
    picture = drawing(node("worker", *[pod(i) for i in range(12)], pod(90, host=True), pod(91, host=True)))
    assert "and 4 Pods more" in words(picture)
    assert "and 1 more" in words(picture)
    assert picture.alt().count("by veth") == 12


def test_a_pulled_plug_a_port_out_of_the_bridge_and_no_cable_show() -> None:
    port = pod(1).port
    assert port is not None
    whole = words(drawing(node("worker", pod(1))))
    assert "✘" not in whole
    for changes in ({"up": False}, {"master": ""}):
        assert "✘" in words(drawing(node("worker", pod(1, port=dataclasses.replace(port, **changes)))))  # type: ignore[arg-type]
    assert "no cable" in words(drawing(node("worker", pod(1, port=None))))


def test_a_dead_node_and_a_node_that_is_cut_off_show() -> None:
    assert "its kernel answers nobody" in words(drawing(node("worker", pod(1), alive=False)))
    assert "dead" in drawing(node("worker", alive=False)).alt()
    alone = node("worker", pod(1))
    assert alone.port is not None
    cut = dataclasses.replace(alone, port=dataclasses.replace(alone.port, up=False))
    assert "veth1 is down" in words(drawing(cut))


def test_a_profile_without_a_bridge_routes() -> None:
    assert "host routes" in words(drawing(node("worker", pod(1), devices=(UPLINK,))))
    assert "flannel.1  MTU 1450" in words(drawing(node("worker", pod(1))))
