"""Calico's BGP in a cluster: the mesh, AS numbers, a route reflector, wrong resources, a BIRD that dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from network_world import World, boot, until

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

CONTROL_PLANE, FIRST, SECOND = "172_18_0_2", "172_18_0_3", "172_18_0_4"
ADDRESS = {CONTROL_PLANE: "172.18.0.2", FIRST: "172.18.0.3", SECOND: "172.18.0.4"}

NO_MESH = """\
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: {name: default}
spec: {asNumber: 64512, nodeToNodeMeshEnabled: false}
"""
REFLECTED = """\
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: peer-with-route-reflectors}
spec: {nodeSelector: all(), peerSelector: route-reflector == 'true'}
"""


@pytest.fixture(scope="module")
def world(podwalk_home: Path) -> Iterator[World]:
    made = boot("calico")
    try:
        made.populate()
        yield made
    finally:
        made.cluster.down()


def sessions(world: World, node: str) -> dict[str, str]:
    """The BGP sessions of a node and what birdc says of each."""
    lines = (line.split() for line in world.on(node, "birdc", "show", "protocols").splitlines())
    return {words[0]: words[-1] for words in lines if len(words) > 1 and words[1] == "BGP"}


def established(world: World, node: str, *names: str) -> bool:
    return sessions(world, node) == dict.fromkeys(names, "Established")


def route(world: World, cidr: str) -> str:
    """What BIRD on the first worker knows of a network; it may know nothing."""
    return world.cluster.node(world.first, ["birdc", "show", "route", "all", cidr], timeout=10).stdout


def configure(world: World, **data: str) -> None:
    patch = {"data": {f"{name}.yaml": text for name, text in data.items()}}
    world.kubectl("-n", "kube-system", "patch", "configmap", "calico-config", "--type=merge", "-p", json.dumps(patch))


def reaches(world: World) -> bool:
    return world.one("near", f"{world.ips['far']}:8080") == world.ips["near"]


def test_every_node_talks_to_every_other(world: World) -> None:
    until(lambda: established(world, world.first, f"Mesh_{CONTROL_PLANE}", f"Mesh_{SECOND}"), "the full mesh")
    shown = world.on(world.first, "birdc", "show", "protocols", "all", f"Mesh_{SECOND}")
    assert "Neighbor AS:      64512" in shown
    assert "Local AS:         64512" in shown
    assert "AS64512" not in route(world, "10.244.2.0/26")  # iBGP adds nothing


def test_peers_are_told_of_blocks_and_not_of_pods(world: World) -> None:
    table = world.on(world.first, "ip", "route").splitlines()
    assert [line.strip() for line in table if line.startswith("10.244.2.")] == [
        "10.244.2.0/26 via 172.18.0.4 dev eth0 proto bird"
    ]


def test_an_unused_address_of_a_block_is_dropped_here(world: World) -> None:
    assert "blackhole 10.244.1.0/26 proto bird" in world.on(world.first, "ip", "route")
    assert not world.cluster.node(world.first, ["ip", "route", "get", "10.244.1.60"], timeout=10).ok


def test_a_node_of_another_as_talks_ebgp(world: World) -> None:
    world.kubectl("annotate", "node", world.second, "projectcalico.org/ASNumber=64513")
    until(
        lambda: "AS64513i" in route(world, "10.244.2.0/26"),
        "a path through AS 64513",
    )
    until(lambda: established(world, world.first, f"Mesh_{CONTROL_PLANE}", f"Mesh_{SECOND}"), "the sessions again")
    until(lambda: reaches(world), "Pods across the border")
    world.kubectl("annotate", "node", world.second, "projectcalico.org/ASNumber-")
    until(lambda: "[i]" in route(world, "10.244.2.0/26"), "iBGP again")


def test_a_wrong_resource_changes_nothing_and_is_logged(world: World) -> None:
    before = sessions(world, world.first)
    configure(world, bgpconfiguration=NO_MESH.replace("64512", "many"))
    name = f"calico-node-{world.first}"
    text = "asNumber: 'many' is not an AS number"
    until(lambda: text in world.kubectl("-n", "kube-system", "logs", name), "calico-node's complaint")
    assert sessions(world, world.first).keys() == before.keys()


def test_a_route_reflector_takes_the_place_of_the_mesh(world: World) -> None:
    node = f"{world.cluster.name}-control-plane"
    world.kubectl("annotate", "node", node, "projectcalico.org/RouteReflectorClusterID=244.0.0.1")
    world.kubectl("label", "node", node, "route-reflector=true")
    configure(world, bgpconfiguration=NO_MESH, bgppeers=REFLECTED)
    until(lambda: established(world, world.first, f"Node_{CONTROL_PLANE}"), "one session on a client")
    until(lambda: established(world, node, f"Node_{FIRST}", f"Node_{SECOND}"), "all sessions on the reflector")
    until(lambda: reaches(world), "Pods reach each other through routes that were reflected")
    # The reflector passes the route on, not the packets.
    assert "via 172.18.0.4 on eth0" in route(world, "10.244.2.0/26")
    assert "BGP.originator_id: 172.18.0.4" in route(world, "10.244.2.0/26")
    assert "BGP.cluster_list: 244.0.0.1" in route(world, "10.244.2.0/26")


@contextmanager
def route_changes(world: World, node: str) -> Iterator[list[str]]:
    """What `ip monitor route` says on a node during a `with` block, for the time after it."""
    said: list[str] = []
    monitor = world.cluster.start(node, ["ip", "monitor", "route"])
    mark = "blackhole 203.0.113.0"
    try:
        assert monitor.stdout is not None
        # A first change is made until it is heard; a second one tells where the block ends.
        with ThreadPoolExecutor(1) as pool:
            heard = pool.submit(monitor.stdout.readline)
            while not heard.done():
                world.on(node, "ip", "route", "replace", "blackhole", "203.0.113.9")
                world.on(node, "ip", "route", "del", "blackhole", "203.0.113.9")
        yield said
        world.on(node, "ip", "route", "replace", *mark.split())
        world.on(node, "ip", "route", "del", *mark.split())
        for line in iter(monitor.stdout.readline, b""):
            said.append(line.decode().strip())
            if said[-1].startswith(f"Deleted {mark}"):
                break
    finally:
        monitor.kill()
        monitor.communicate()


def test_bird_comes_back_and_its_routes_have_never_gone(world: World) -> None:
    with route_changes(world, world.first) as changes:
        _kill_bird(world)
    assert not [line for line in changes if line.startswith("Deleted 10.244.")], changes


def _kill_bird(world: World) -> None:
    # The child of the agent, by its number in the node.
    pid = world.on(world.first, "pgrep", "-o", "-x", "bird").strip()
    world.on(world.first, "kill", "-9", pid)
    until(lambda: world.cluster.node(world.first, ["pgrep", "-x", "bird"], timeout=10).stdout.strip() not in ("", pid),
          "another BIRD")  # fmt: skip
    assert reaches(world)
    until(lambda: world.cluster.node(world.first, ["birdc", "show", "status"], timeout=10).ok, "birdc answers")
    until(lambda: established(world, world.first, f"Node_{CONTROL_PLANE}"), "its session")
    assert reaches(world)


def test_a_second_block_is_claimed_and_announced(world: World) -> None:
    # Take the rest of the first block as the plugin does, then ask for one more.
    program = (
        "from podwalk.network.calico.ipam import Ipam\n"
        "ipam = Ipam()\n"
        "for n in range(64): last = ipam.assign(f'test.{n}', {'device': 'none'})\n"
        "print(last)"
    )
    import sys

    source = str(Path(__file__).resolve().parents[3] / "src")
    script = f"import sys; sys.path.insert(0, {source!r})\n{program}"
    last = world.on(world.first, sys.executable, "-c", script).strip()
    assert last.startswith("10.244.1.6")
    until(
        lambda: "10.244.1.64/26 via 172.18.0.3" in world.on(world.second, "ip", "route"),
        "the other node learns the second block",
    )


def test_a_dead_nodes_routes_are_withdrawn_when_it_does_not_restart_in_time(world: World) -> None:
    node = f"{world.cluster.name}-control-plane"
    world.kubectl("annotate", "node", node, "projectcalico.org/RouteReflectorClusterID-")
    short = NO_MESH.replace("nodeToNodeMeshEnabled: false", "nodeMeshMaxRestartTime: 2s")
    configure(world, bgpconfiguration=short, bgppeers="")
    until(lambda: established(world, world.first, f"Mesh_{CONTROL_PLANE}", f"Mesh_{SECOND}"), "the mesh again")
    until(lambda: "10.244.2.0/26 via" in world.on(world.first, "ip", "route"), "the way to the second node")
    world.kill(world.second)
    until(lambda: sessions(world, world.first)[f"Mesh_{SECOND}"] != "Established", "the session is lost")
    until(lambda: "10.244.2.0/26" not in world.on(world.first, "ip", "route"), "the route is withdrawn")
    assert world.second in world.kubectl("get", "nodes", "-o", "name")
