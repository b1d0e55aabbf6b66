"""The cluster as a drawing: each node with its Pods, cables, bridge and tunnel, on the network between the nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from podwalk.views.drawing import COLOURS, FAINT, INK, WRONG, Drawing, blank, shorten, write
from podwalk.views.topology import Device, NodePlace, PodPlace, Topology

_ACROSS = 3
_NODE, _GAP, _EDGE = 3.2, 0.2, 0.2
_POD, _ROW, _BOX = 1.5, 0.5, 0.4
_BUS = 0.3
_HEAD, _FOOT, _FABRIC, _DROP = 0.42, 0.66, 0.36, 0.44
_TITLE = 0.7
_MOST_PODS = 8
_TUNNEL = COLOURS[0]
_CABLE = "#5b6b7d"
_MONO = {"family": "monospace", "fontsize": 6.6}
_NODE_FILL, _POD_FILL, _BUS_FILL, _FABRIC_FILL = "#eef3f8", "#ffffff", "#dfe7ef", "#f0efe9"


@dataclass(frozen=True, slots=True, repr=False)
class TopologyMap(Drawing):
    """The cluster as it is plugged together. ``marked`` names a Pod (``namespace/name``) or a device to point at."""

    topology: Topology
    marked: tuple[str, ...] = ()

    def alt(self) -> str:
        """The drawing in words."""
        lines = [f"Cluster {self.topology.cluster}."]
        for node in self.topology.nodes:
            where = f"{node.name} ({node.address}{'' if node.alive else ', dead'})"
            middle = f" bridge {_said(node.bridge)};" if node.bridge else ""
            tunnel = f" tunnel {_said(node.tunnel)};" if node.tunnel else ""
            pods = ", ".join(_pod_words(p) for p in node.pods) or "no Pods"
            lines.append(f"{where}:{middle}{tunnel} {pods}.")
        if self.topology.fabric:
            lines.append(f"Between the nodes: {_said(self.topology.fabric)}.")
        return " ".join(lines)

    def figure(self) -> Figure:
        """The matplotlib figure."""
        rows = [self.topology.nodes[i : i + _ACROSS] for i in range(0, len(self.topology.nodes), _ACROSS)]
        across = max(len(row) for row in rows)
        width = across * _NODE + (across - 1) * _GAP + 2 * _EDGE
        heights = [max(_height(n) for n in row) + _DROP for row in rows]
        height = _TITLE + sum(heights) + _FABRIC + 0.2 + 0.15 * (len(rows) - 1)
        figure, axes = blank(width, height)
        _Painter(axes, self, width, height).paint(rows, heights)
        return figure


class _Painter:
    def __init__(self, axes: Any, picture: TopologyMap, width: float, height: float) -> None:
        self.axes, self.picture, self.width, self.height = axes, picture, width, height

    def paint(self, rows: list[tuple[NodePlace, ...]], heights: list[float]) -> None:
        topology = self.picture.topology
        write(
            self.axes, _EDGE, self.height - 0.25, f"cluster {topology.cluster}", ha="left", fontsize=12, weight="bold"
        )
        about = (
            f"{len(topology.nodes)} nodes, {sum(len(n.pods) for n in topology.nodes)} Pods, as their kernels have it"
        )
        write(self.axes, _EDGE, self.height - 0.5, about, ha="left", color=FAINT)
        top = self.height - _TITLE
        for row, tall in zip(rows, heights, strict=True):
            for index, node in enumerate(row):
                self._node(node, _EDGE + index * (_NODE + _GAP), top, tall - _DROP)
            top -= tall + 0.15
        self._fabric()

    def _fabric(self) -> None:
        fabric = self.picture.topology.fabric
        name = f"{fabric.name} {fabric.address}: " if fabric else ""
        words = f"{name}the network between the nodes, and the world outside"
        self._box(_EDGE, 0.14, self.width - 2 * _EDGE, _FABRIC, _FABRIC_FILL, "#b9b6a8")
        write(self.axes, self.width / 2, 0.14 + _FABRIC / 2, shorten(words, int(self.width * 13)), fontsize=8.4)

    def _node(self, node: NodePlace, left: float, top: float, height: float) -> None:
        edge = "#b9c6d4" if node.alive else WRONG
        self._box(left, top - height, _NODE, height, _NODE_FILL if node.alive else "#fdf0ee", edge, z=1)
        role = node.role if node.alive else f"{node.role}, dead"
        name = shorten(node.name, 26)
        write(self.axes, left + 0.12, top - 0.2, name, ha="left", fontsize=9, weight="bold", color=INK)
        write(self.axes, left + _NODE - 0.12, top - 0.2, role, ha="right", fontsize=7.4, color=FAINT)
        if not node.alive:
            write(self.axes, left + _NODE / 2, top - height / 2, "its kernel answers nobody", color=WRONG)
            return
        pods, host, more = _shown(node)
        bus_bottom = top - height + _FOOT + 0.06
        bus_x = left + _NODE - 0.16 - _BUS
        if pods or node.bridge:
            self._bus(node, bus_x, bus_bottom, top - _HEAD)
        else:
            words = "no Pod with an address of its own"
            write(self.axes, left + _NODE / 2, top - _HEAD - _ROW, words, fontsize=7.4, color=FAINT)
        y = top - _HEAD - _ROW / 2
        for pod in pods:
            self._pod(pod, node, left + 0.12, y, bus_x)
            y -= _ROW
        self._host_pods(host, more, left + 0.12, bus_bottom)
        self._devices(node, left, top - height, bus_x + _BUS / 2 if pods else 0, bus_bottom)

    def _bus(self, node: NodePlace, x: float, bottom: float, top: float) -> None:
        bridge = node.bridge
        line: Any = "solid" if bridge else (0, (3, 2))
        marked = bridge is not None and bridge.name in self.picture.marked
        fill = "#fff3bf" if marked else _BUS_FILL if bridge else "#ffffff"
        self._box(x, bottom, _BUS, top - bottom, fill, _CABLE, line=line)
        words = f"{bridge.name} {bridge.address}" if bridge else "host routes"
        room = int((top - bottom) * 17)
        write(self.axes, x + _BUS / 2, (top + bottom) / 2, shorten(words, max(room, 6)), rotation=90, fontsize=7.2)

    def _pod(self, pod: PodPlace, node: NodePlace, left: float, y: float, bus: float) -> None:
        marked = pod.name in self.picture.marked
        self._box(left, y - _BOX / 2, _POD, _BOX, "#fff3bf" if marked else _POD_FILL, "#9fb0c2")
        name = pod.name.partition("/")[2]
        write(self.axes, left + _POD / 2, y + 0.085, shorten(name, 23), fontsize=7.6)
        inside = ", ".join([pod.address or "no address", *(f"{d.name} {d.address}" for d in pod.devices[1:])])
        write(self.axes, left + _POD / 2, y - 0.09, shorten(inside, 26), **{**_MONO, "color": FAINT})
        if pod.port is None:
            write(self.axes, left + _POD + 0.08, y, "no cable", ha="left", fontsize=7, color=WRONG)
            return
        whole = pod.port.up and (node.bridge is None or pod.port.master == node.bridge.name)
        tint = _CABLE if whole else WRONG
        end = bus if whole else bus - 0.3
        self.axes.plot([left + _POD, end], [y, y], color=tint, linewidth=1.4, zorder=1.5)
        name = shorten(pod.port.name, 14)
        write(self.axes, (left + _POD + bus) / 2, y + 0.08, name, **{**_MONO, "fontsize": 6, "color": tint})
        if not whole:
            write(self.axes, end + 0.05, y, "✘", ha="left", fontsize=8, color=WRONG)

    def _host_pods(self, host: list[PodPlace], more: int, left: float, bottom: float) -> None:
        words = []
        if host:
            first, *others = sorted(host, key=lambda p: p.name.startswith("kube-system/"))
            rest = f" and {len(others)} more" if others else ""
            words.append(f"on eth0 itself: {shorten(first.name.partition('/')[2], 22)}{rest}")
        if more:
            words.append(f"and {more} Pods more")
        for index, line in enumerate(reversed(words)):
            write(self.axes, left, bottom + 0.06 + 0.17 * index, line, ha="left", fontsize=6.8, color=FAINT)

    def _devices(self, node: NodePlace, left: float, bottom: float, bus: float, bus_bottom: float) -> None:
        y, tall = bottom + 0.1, 0.42
        wide = 1.42
        places = [d for d in (node.tunnel, node.uplink) if d is not None]
        right = left + _NODE - 0.12 - wide
        spots = dict(zip((d.name for d in reversed(places)), (right, left + 0.12), strict=False))
        for device in places:
            x = spots[device.name]
            tint = _TUNNEL if device is node.tunnel else INK
            fill = "#fff3bf" if device.name in self.picture.marked else "#ffffff"
            self._box(x, y, wide, tall, fill, tint if device.up else WRONG)
            write(self.axes, x + wide / 2, y + 0.3, f"{device.name}  MTU {device.mtu}", fontsize=7.4, color=tint)
            write(self.axes, x + wide / 2, y + 0.12, device.address or "no address", **{**_MONO, "color": FAINT})
        if bus:
            # No cable: the node is a router between the two.
            ends = [bus_bottom, y + tall]
            self.axes.plot([bus, bus], ends, color=_CABLE, linewidth=1.4, linestyle=(0, (2, 1.5)), zorder=1.5)
            write(self.axes, bus - 0.07, sum(ends) / 2, "routed", ha="right", fontsize=6.6, color=FAINT)
        if node.tunnel is not None and node.uplink is not None:
            ends = [spots[node.tunnel.name] + wide, spots[node.uplink.name]]
            self.axes.plot(ends, [y + tall / 2] * 2, color=_TUNNEL, linewidth=1.4, linestyle=(0, (2, 1.5)), zorder=1.5)
        self._plug(node, right + wide / 2, y)

    def _plug(self, node: NodePlace, x: float, top: float) -> None:
        """From the node's uplink down to the network between the nodes, behind whatever lies on the way."""
        port = node.port
        whole = port is None or port.up
        self.axes.plot(
            [x, x], [0.14 + _FABRIC, top], color=_CABLE if whole else WRONG, linewidth=1.8, zorder=1.5,
            linestyle="solid" if whole else (0, (2, 2)),
        )  # fmt: skip
        if port is not None:
            label = port.name if whole else f"{port.name} is down"
            y = top - 0.1 - (_DROP / 2)
            write(self.axes, x - 0.08, y, label, ha="right", **{**_MONO, "color": _CABLE if whole else WRONG})

    def _box(
        self, x: float, y: float, wide: float, tall: float, fill: str, edge: str, line: Any = "solid", z: int = 2
    ) -> None:
        self.axes.add_patch(
            FancyBboxPatch(
                (x, y), wide, tall, boxstyle="round,pad=0,rounding_size=0.05", facecolor=fill, edgecolor=edge,
                linewidth=1.1, linestyle=line, zorder=z,
            )
        )  # fmt: skip


def _shown(node: NodePlace) -> tuple[list[PodPlace], list[PodPlace], int]:
    """The Pods with a cable that there is room for, those on the node's network, and how many are left out."""
    plugged = [p for p in node.pods if not p.host_network]
    return plugged[:_MOST_PODS], [p for p in node.pods if p.host_network], max(len(plugged) - _MOST_PODS, 0)


def _height(node: NodePlace) -> float:
    pods, host, more = _shown(node)
    return _HEAD + _ROW * max(len(pods), 2) + 0.17 * (bool(host) + bool(more)) + 0.06 + _FOOT


def _said(device: Device | None) -> str:
    return f"{device.name} {', '.join(device.addresses)}".strip() if device else ""


def _pod_words(pod: PodPlace) -> str:
    if pod.host_network:
        return f"{pod.name} on the node's own network"
    return f"{pod.name} {pod.address} by {pod.port.name}" if pod.port else f"{pod.name} {pod.address} without a cable"
