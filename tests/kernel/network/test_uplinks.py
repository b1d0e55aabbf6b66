"""Calico's nodes and the two switches of their rack: a peer makes a route, two make one with two ways, one dies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from network_world import World, boot, until

from podwalk.backends.base import NotFoundError
from podwalk.cluster.uplinks import NETWORK, SERVER_ADDRESS, SWITCHES

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

PEER = """\
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {{name: {name}}}
spec: {{peerIP: {address}, asNumber: {number}}}
"""
# So many connections take the same of two ways by chance once in 2^39.
MANY = 40
HASH = "net.ipv4.fib_multipath_hash_policy"


@pytest.fixture(scope="module")
def world(podwalk_home: Path) -> Iterator[World]:
    made = boot("calico")
    try:
        made.populate()
        yield made
    finally:
        made.cluster.down()


def peer_with(world: World, *names: str) -> None:
    """Let all nodes have these switches as peers, and wait for the routes on the first worker."""
    chosen = [switch for switch in SWITCHES if switch.name in names]
    documents = "---\n".join(PEER.format(name=s.name, address=s.address, number=s.as_number) for s in chosen)
    patch = json.dumps({"data": {"bgppeers.yaml": documents}})
    world.kubectl("-n", "kube-system", "patch", "configmap", "calico-config", "--type=merge", "-p", patch)
    until(lambda: ways(world) == {switch.address for switch in chosen}, f"routes by way of {names}")


def ways(world: World, machine: str = "", network: str = NETWORK) -> set[str]:
    """The next hops of a network, on the first worker unless told."""
    routes = json.loads(world.on(machine or world.first, "ip", "-j", "route", "show", network))
    hops = [hop for route in routes for hop in (route.get("nexthops") or [route])]
    return {hop["gateway"] for hop in hops}


def call(world: World, times: int) -> dict[str, int]:
    """Connect from a Pod on the first worker; how many connections came by which switch."""
    script = f"for i in $(seq {times}); do curl -sfm5 http://{SERVER_ADDRESS}/ || exit 1; done"
    return Counter(line.split()[-1] for line in world.in_pod("near", "sh", "-c", script).splitlines())


def test_without_a_peer_nobody_knows_the_way(world: World) -> None:
    assert ways(world) == set()
    assert " " in world.one("near", f"{SERVER_ADDRESS}:80"), "an answer where an error was to be expected"


def test_one_peer_is_one_way(world: World) -> None:
    peer_with(world, "tor-a")
    assert call(world, 5) == {"tor-a": 5}
    told = world.on(world.first, "birdc", "show", "route", "all", NETWORK)
    assert "BGP.as_path: 65001 65100" in told


def test_switches_are_told_of_the_pods(world: World) -> None:
    peer_with(world, "tor-a")
    until(lambda: ways(world, "tor-a", "10.244.1.0/26"), "the first worker's block on tor-a")


def test_two_equal_routes_become_one_with_two_next_hops(world: World) -> None:
    peer_with(world, "tor-a", "tor-b")
    # By addresses alone, which is the kernel's default, all connections of a Pod to a server go one way.
    world.on(world.first, "sysctl", "-qw", f"{HASH}=0")
    assert list(call(world, MANY).values()) == [MANY]
    world.on(world.first, "sysctl", "-qw", f"{HASH}=1")
    by_ports = call(world, MANY)
    assert sum(by_ports.values()) == MANY
    assert len(by_ports) == 2


def test_a_switch_without_its_cable_is_left_and_taken_again(world: World) -> None:
    peer_with(world, "tor-a", "tor-b")
    world.on(world.first, "sysctl", "-qw", f"{HASH}=1")
    dead, alive = SWITCHES
    assert world.cluster.outside(["ip", "link", "set", dead.name, "down"]).ok
    until(lambda: ways(world) == {alive.address}, "the dead way is withdrawn when the hold time is over")
    until(lambda: ways(world, "storage", "172.18.0.0/16") == {alive.inner}, "and the way back")
    assert call(world, 10) == {alive.name: 10}
    assert world.cluster.outside(["ip", "link", "set", dead.name, "up"]).ok
    until(lambda: len(ways(world)) == 2, "both ways again")


def test_machines_beside_the_nodes_are_entered_like_nodes_and_are_none(world: World) -> None:
    assert "server" in world.on("tor-b", "birdc", "show", "protocols")
    assert not {s.name for s in SWITCHES} & {node.name for node in world.cluster.status().nodes}
    with pytest.raises(NotFoundError, match=r"node/tor-c: not found in cluster .*tor-a, tor-b"):
        world.cluster.node("tor-c", ["true"])
