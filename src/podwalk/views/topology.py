"""What is plugged into what: the nodes, their bridges, tunnels and Pods, and the network between the nodes.

Read from the kernel of every node (`ip -j`), beside what the API says about Nodes and Pods: where the two differ, the
difference is what a learner should see.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster

_SECONDS = 20.0
_UPLINK = "eth0"
_SEPARATOR = "---"
# One visit to a node brings its own devices and those of every Pod on it. `-d` tells what kind a device is. Not
# `ip -n`: it mounts /sys anew, which an ordinary user's sandbox may not.
_SCRIPT = f"""
ip -j -d addr; echo
for path in /run/netns/*; do
  [ -e "$path" ] || continue
  echo "{_SEPARATOR} ${{path##*/}}"; nsenter --net="$path" ip -j -d addr; echo
done
"""
_TUNNELS = ("vxlan", "tun", "ipip")


@dataclass(frozen=True, slots=True)
class Device:
    """A network device: ``kind`` as `ip -d link` says it, ``peer`` the number of a veth's other end (0: none)."""

    name: str
    index: int
    kind: str = ""
    addresses: tuple[str, ...] = ()
    mtu: int = 0
    mac: str = ""
    master: str = ""
    peer: int = 0
    up: bool = True

    @property
    def address(self) -> str:
        """The first address, without the length of its prefix."""
        return self.addresses[0].partition("/")[0] if self.addresses else ""


@dataclass(frozen=True, slots=True)
class PodPlace:
    """A Pod on its node. ``devices`` are the ones inside, ``port`` is the end of its cable that the node holds."""

    name: str
    address: str
    host_network: bool = False
    netns: str = ""
    devices: tuple[Device, ...] = ()
    port: Device | None = None


@dataclass(frozen=True, slots=True)
class NodePlace:
    """A node: its devices, and its Pods. A dead node has neither."""

    name: str
    role: str
    address: str
    alive: bool = True
    devices: tuple[Device, ...] = ()
    pods: tuple[PodPlace, ...] = ()
    port: Device | None = None
    """The end of the node's cable at the network between the nodes."""

    @property
    def uplink(self) -> Device | None:
        """The device that leads to the other nodes."""
        return next((d for d in self.devices if d.name == _UPLINK), None)

    @property
    def tunnel(self) -> Device | None:
        """The device that wraps packets for other nodes, where the profile has one."""
        return next((d for d in self.devices if d.kind in _TUNNELS), None)

    @property
    def bridge(self) -> Device | None:
        """The bridge of the Pods, where the profile has one."""
        return next((d for d in self.devices if d.kind == "bridge"), None)


@dataclass(frozen=True, slots=True)
class Topology:
    """The whole cluster. ``fabric`` is the bridge between the nodes (None on a backend that shows it to nobody)."""

    cluster: str
    nodes: tuple[NodePlace, ...]
    fabric: Device | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one place's kernel said: its own devices, and those in each named namespace."""

    devices: tuple[Device, ...] = ()
    spaces: Mapping[str, tuple[Device, ...]] = field(default_factory=dict)


def read_topology(cluster: Cluster, namespaces: Iterable[str] = ()) -> Topology:
    """Look at every node at once. ``namespaces``: show the Pods of these only. Raises BackendError."""
    nodes = cluster.status().nodes
    alive = [n.name for n in nodes if n.alive]
    try:
        with cluster.client() as client:
            pods = client.list("Pod")
    except (ApiError, OSError) as error:
        raise BackendError(f"cluster {cluster.name}: {error}; look: podwalk status") from error
    with ThreadPoolExecutor(len(alive) + 1) as pool:
        outside = pool.submit(_look, cluster, None)
        looks = {name: pool.submit(_look, cluster, name) for name in alive}
        seen = {name: look.result() for name, look in looks.items()}
        fabric = outside.result()
    shown = set(namespaces)
    chosen = [p for p in pods if not shown or meta.namespace(p) in shown]
    places = (
        _node(n.name, n.role, n.address, seen.get(n.name), chosen, fabric) for n in sorted(nodes, key=_in_their_order)
    )
    bridge = next((d for d in fabric.devices if d.kind == "bridge"), None)
    return Topology(cluster.name, tuple(places), bridge)


def devices(text: str) -> tuple[Device, ...]:
    """Read the output of `ip -j -d addr`. Raises ValueError."""
    return tuple(_device(found) for found in json.loads(text or "[]") if found)


def parse(text: str) -> _Seen:
    """Read what the script printed on a node. Raises ValueError."""
    own, *others = text.split(f"{_SEPARATOR} ")
    spaces = {}
    for other in others:
        name, _, said = other.partition("\n")
        spaces[name.strip()] = devices(said.strip())
    return _Seen(devices(own.strip()), spaces)


def _look(cluster: Cluster, node: str | None) -> _Seen:
    argv = ["sh", "-c", _SCRIPT]
    try:
        done = cluster.node(node, argv, timeout=_SECONDS) if node else cluster.outside(argv, timeout=_SECONDS)
        return parse(done.stdout)
    except (ValueError, TimeoutError, OSError) as error:
        where = f"node/{node}" if node else "the network between the nodes"
        raise BackendError(f"{where}: cannot read its devices ({error}); look: podwalk doctor") from error


def _device(found: Mapping[str, Any]) -> Device:
    addresses = [f"{a['local']}/{a['prefixlen']}" for a in found.get("addr_info", ()) if a.get("family") == "inet"]
    peer = found.get("link_index", 0) if "link_netnsid" in found else 0
    return Device(
        name=str(found["ifname"]),
        index=int(found["ifindex"]),
        kind=str((found.get("linkinfo") or {}).get("info_kind", "")),
        addresses=tuple(addresses),
        mtu=int(found.get("mtu", 0)),
        mac=str(found.get("address", "")),
        master=str(found.get("master", "")),
        peer=int(peer),
        up="UP" in found.get("flags", ()),
    )


def _node(name: str, role: str, address: str, seen: _Seen | None, pods: Iterable[Object], fabric: _Seen) -> NodePlace:
    here = [p for p in pods if p["spec"].get("nodeName") == name]
    if seen is None:
        return NodePlace(name, role, address, alive=False, pods=tuple(_pod(p, _Seen()) for p in here))
    places = sorted((_pod(p, seen) for p in here), key=lambda p: (p.host_network, p.name))
    uplink = next((d for d in seen.devices if d.name == _UPLINK), None)
    port = next((d for d in fabric.devices if uplink and d.kind == "veth" and d.index == uplink.peer), None)
    return NodePlace(name, role, address, True, seen.devices, tuple(places), port)


def _pod(pod: Object, seen: _Seen) -> PodPlace:
    address = str((pod.get("status") or {}).get("podIP", ""))
    key = meta.key(pod)
    if pod["spec"].get("hostNetwork"):
        return PodPlace(key, address, host_network=True)
    own = f"cni-{pod['metadata'].get('uid', '')}"
    # kind's containerd gives namespaces names of its own: there the address tells whose it is.
    by_address = (name for name, inside in seen.spaces.items() if address and address in {d.address for d in inside})
    netns = own if own in seen.spaces else next(by_address, "")
    inside = tuple(d for d in seen.spaces.get(netns, ()) if d.name != "lo")
    first = next((d for d in inside if d.name == "eth0"), None)
    port = next((d for d in seen.devices if first and first.peer and d.index == first.peer), None)
    return PodPlace(key, address, False, netns, inside, port)


def _in_their_order(node: Any) -> tuple[bool, int, str]:
    return node.role != "control-plane", len(node.name), node.name
