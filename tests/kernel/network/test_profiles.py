"""Every network profile: who reaches whom, from which address, in which packets, and what goes with a node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from network_world import World, boot, until

from podwalk.cluster.spec import GATEWAY_MAC

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

NODE, PEER = "172.18.0.3", "172.18.0.4"
PEER_MAC = "02:42:ac:12:00:04"


@dataclass(frozen=True)
class Expected:
    """``gateway`` and ``remote``: the source that a Pod of this node, or of another, sees of the node itself.

    ``itself``: the source that a Pod sees of itself through its Service, where that is not the gateway.
    """

    mtu: int
    capture: str
    gateway: str
    remote: str
    entries: tuple[str, ...]
    outside: str = NODE
    itself: str = ""


PROFILES = {
    "flannel": Expected(
        1450, "udp port 8472", "10.244.1.1", "10.244.1.0", ("10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink",)
    ),
    "flannel-host-gw": Expected(1500, "icmp", "10.244.1.1", NODE, (f"10.244.2.0/24 via {PEER} dev eth0",)),
    "flannel-udp": Expected(1472, "udp port 8285", "10.244.1.1", "10.244.1.0", ()),
    "kindnet": Expected(1500, "icmp", "10.244.1.1", NODE, (f"10.244.2.0/24 via {PEER} dev eth0",)),
    "calico": Expected(1500, "icmp", NODE, NODE, (f"10.244.2.0/26 via {PEER} dev eth0 proto bird",)),
    "cloud": Expected(1500, "icmp", "10.244.1.1", NODE, (), outside="pod"),
    "ebpf": Expected(1500, "icmp", "10.244.1.1", NODE, (f"10.244.2.0/24 via {PEER} dev eth0",), itself="169.254.42.1"),
}


@pytest.fixture(scope="module", params=list(PROFILES))
def world(request: pytest.FixtureRequest, podwalk_home: Path) -> Iterator[World]:
    made = boot(request.param)
    try:
        made.populate()
        yield made
    finally:
        made.cluster.down()


@pytest.fixture
def expected(world: World) -> Expected:
    return PROFILES[world.profile]


def test_a_pod_reaches_pods_and_services_with_its_own_address(world: World) -> None:
    targets = [f"{world.ips['beside']}:8080", f"{world.ips['far']}:8080"]
    targets += [f"{world.services['beside']}:80", f"{world.services['far']}:80"]
    assert world.ask("near", *targets) == dict.fromkeys(targets, world.ips["near"])
    back = [f"{world.ips['near']}:8080", f"{world.services['near']}:80"]
    assert world.ask("far", *back) == dict.fromkeys(back, world.ips["far"])


def test_a_pod_that_reaches_itself_through_its_service_is_seen_as_the_node(world: World, expected: Expected) -> None:
    assert world.one("near", f"{world.services['near']}:80") == (expected.itself or expected.gateway)


def test_a_node_reaches_pods_here_and_there(world: World, expected: Expected) -> None:
    here, there = f"{world.ips['near']}:8080", f"{world.ips['far']}:8080"
    assert world.ask(world.first, here, there) == {here: expected.gateway, there: expected.remote}


def test_the_outside_sees_the_node_unless_its_router_knows_pods(world: World, expected: Expected) -> None:
    assert world.seen_outside(5005) == (world.ips["near"] if expected.outside == "pod" else expected.outside)


def test_a_node_port_is_reached_from_outside(world: World) -> None:
    for name in ("near", "far"):
        done = world.cluster.outside(["curl", "-s", "-m", "5", f"http://{NODE}:{world.node_ports[name]}/hostname"])
        assert done.stdout == name


def test_the_wire(world: World, expected: Expected) -> None:
    seen = world.first_packet(expected.capture)
    if expected.capture == "icmp":
        # The Pods' own addresses are on the wire; the frame goes to the peer, or in a cloud to the router.
        assert f"{world.ips['near']} > {world.ips['far']}: ICMP echo request" in seen
        router = world.cluster.outside(["cat", "/sys/class/net/kind0/address"]).stdout.strip()
        assert f"> {router if world.profile == 'cloud' else PEER_MAC}," in seen
    else:
        assert re.search(rf"{NODE}\.\d+ > {PEER}\.{expected.capture.split()[-1]}", seen)
        if world.profile == "flannel":
            assert f"{world.ips['near']} > {world.ips['far']}: ICMP echo request" in seen


def test_the_mtu_is_what_fits(world: World, expected: Expected) -> None:
    assert f"mtu {expected.mtu} " in world.in_pod("near", "ip", "link", "show", "eth0")
    fits = expected.mtu - 28
    world.in_pod("near", "ping", "-c", "1", "-W", "5", "-M", "do", "-s", str(fits), world.ips["far"])
    argv = ["nsenter", f"--net={world.netns['near']}", "ping", "-c", "1", "-M", "do", "-s", str(fits + 1)]
    assert not world.cluster.node(world.first, [*argv, world.ips["far"]], timeout=20).ok


def test_host_ends_of_pods(world: World) -> None:
    links = world.on(world.first, "ip", "-o", "link")
    if world.profile == "calico":
        assert len(re.findall(r" cali[0-9a-f]{11}@.*ee:ee:ee:ee:ee:ee", links)) >= 2
        routes = world.in_pod("near", "ip", "route").splitlines()
        assert [r.strip() for r in routes] == ["default via 169.254.1.1 dev eth0", "169.254.1.1 dev eth0 scope link"]
        assert "ee:ee:ee:ee:ee:ee" in world.in_pod("near", "ip", "neigh", "show", "169.254.1.1")
    else:
        assert (" master cni0 " in links) == world.profile.startswith("flannel")


def test_a_pod_gives_back_what_it_had(world: World) -> None:
    gone = world.ips["beside"]
    world.kubectl("delete", "pod", "beside")
    until(lambda: gone not in world.on(world.first, "ip", "route"), "the route of the Pod is gone")
    if world.profile == "calico":
        assert '"pod": "beside"' not in world.on(world.first, "cat", "/var/lib/calico/ipam.json")


def way_to_the_second(world: World) -> str:
    """Everything on the first worker, or in the router, that leads to the second worker's Pods."""
    if world.profile == "cloud":
        table = world.cluster.outside(["ip", "route"]).stdout
    else:
        table = world.on(world.first, "ip", "route")
    lines = [line.strip() for line in table.splitlines() if line.startswith("10.244.2.")]
    if world.profile == "flannel":
        lines += world.on(world.first, "ip", "neigh", "show", "dev", "flannel.1").splitlines()
        lines += world.on(world.first, "bridge", "fdb", "show", "dev", "flannel.1").splitlines()
    return "\n".join(line for line in lines if "10.244.2." in line or PEER in line)


def test_death_leaves_the_way_and_deletion_takes_it(world: World, expected: Expected) -> None:
    before = way_to_the_second(world)
    for entry in expected.entries:
        assert entry in before
    if world.profile == "cloud":
        assert before == f"10.244.2.0/24 via {PEER} dev kind0"
    if world.profile == "flannel":
        assert len(before.splitlines()) == 3
    known = world.cluster.outside(["cat", "/sys/class/net/kind0/address"]).stdout
    world.kill(world.second)
    assert way_to_the_second(world) == before
    # The nodes that live know the router by this address, and go on sending to it.
    assert world.cluster.outside(["cat", "/sys/class/net/kind0/address"]).stdout == known == f"{GATEWAY_MAC}\n"
    world.kubectl("delete", "node", world.second)
    until(lambda: way_to_the_second(world) == "", "nothing leads to the deleted node")
