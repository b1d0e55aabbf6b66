"""The way of a call from a Pod to a Service, drawn from the rules of the client's node and the Service's endpoints.

Left to right: the client; the ClusterIP, which is a line in KUBE-SERVICES; the KUBE-SVC chain with the probabilities
it has in the kernel; the KUBE-SEP chains that rewrite the packet; the Pods, in the nodes they run on.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from podwalk.views.drawing import FAINT, INK, WRONG, Drawing, blank, colour, shorten, write
from podwalk.views.service_facts import Backend, ServiceFacts

_WIDTH = 10.3
_TOP, _BOTTOM, _ROW = 1.2, 0.48, 0.56
_BOX = 0.42
# Left edges and widths of the columns.
_CLIENT, _SERVICE, _CHAIN, _ENDPOINT, _POD = (0.28, 1.47), (2.05, 1.5), (3.85, 1.75), (5.95, 1.72), (8.22, 1.8)
_BAND = (0.12, 7.73)
_NODE = (8.05, 2.12)
_NODE_HEAD, _NODE_GAP = 0.34, 0.16
_GREY = "#9aa0a6"
_MONO = {"family": "monospace", "fontsize": 7.1, "color": FAINT}


@dataclass(frozen=True, slots=True, repr=False)
class ServiceMap(Drawing):
    """The drawing of one moment's facts."""

    facts: ServiceFacts

    def alt(self) -> str:
        """The drawing in words."""
        f = self.facts
        head = f"{f.client} on {f.client_node} calls {f.service} at {f.address}: "
        if f.refused:
            return f"{head}refused ({f.refused})"
        if not f.rules:
            return f"{head}no rule of its node leads on"
        return head + "; ".join(f"{r.share:.0%} to {r.target}" for r in f.rules)

    def figure(self) -> Figure:
        """The matplotlib figure."""
        groups = _groups(self.facts)
        pods = sum(_group_height(g) for g in groups.values()) + _NODE_GAP * max(len(groups) - 1, 0)
        height = max(_ROW * max(len(self.facts.rules), 2), pods) + _TOP + _BOTTOM
        figure, axes = blank(_WIDTH, height)
        _Painter(axes, self.facts, height).paint(groups)
        return figure


class _Painter:
    def __init__(self, axes: Any, facts: ServiceFacts, height: float) -> None:
        self.axes, self.facts, self.height = axes, facts, height
        self.middle = (_BOTTOM + height - _TOP) / 2
        self.places: dict[str, float] = {}
        self.colours = {r.target: colour(i) for i, r in enumerate(facts.rules)}

    def paint(self, groups: dict[str, list[Backend]]) -> None:
        self._frame()
        self._nodes(groups)
        self._client_and_service()
        if self.facts.rules:
            self._legs()
        else:
            self._dead_end()

    def _frame(self) -> None:
        f, top = self.facts, self.height
        write(
            self.axes,
            0.2,
            top - 0.3,
            f"{shorten(f.client, 48)}  →  {shorten(f.service, 40)}",
            ha="left",
            fontsize=12,
            weight="bold",
        )
        band = (_BAND[0], 0.15, _BAND[1], top - _TOP + 0.27)
        self._box(*band, fill="#eef3f8", edge="#d5dfe9", z=0)
        head = f"the client's own node, {f.client_node}: its kernel decides, before the packet leaves"
        write(self.axes, _BAND[0] + 0.15, top - 0.68, head, ha="left", fontsize=8.6, color=FAINT)
        for (left, width), title in ((_CLIENT, "client"), (_SERVICE, "KUBE-SERVICES"), (_CHAIN, "choose")):
            write(self.axes, left + width / 2, top - 0.95, title, fontsize=8.6, weight="bold")
        write(self.axes, _ENDPOINT[0] + _ENDPOINT[1] / 2, top - 0.95, "rewrite (DNAT)", fontsize=8.6, weight="bold")
        write(self.axes, _NODE[0] + _NODE[1] / 2, top - 0.68, "where the Pods are", fontsize=8.6, color=FAINT)

    def _client_and_service(self) -> None:
        f, y = self.facts, self.middle
        self._labelled(_CLIENT, y, shorten(f.client.partition("/")[2], 22), f.client_address, "#ffffff", INK)
        self._labelled(_SERVICE, y, f.address, shorten(f.service, 22), "#ffffff", INK)
        self._arrow(_CLIENT[0] + _CLIENT[1], y, _SERVICE[0], y, INK, 1.8)

    def _legs(self) -> None:
        rules, y, rows = self.facts.rules, self.middle, self._rows()
        left, width = _CHAIN
        top, bottom = rows[0] + _ROW / 2, rows[-1] - _ROW / 2
        self._box(left, bottom, width, top - bottom, fill="#ffffff", edge=INK)
        write(self.axes, left + width / 2, bottom - 0.14, self.facts.chain, **_MONO)
        self._arrow(_SERVICE[0] + _SERVICE[1], y, left, y, INK, 1.8)
        for index, (rule, row) in enumerate(zip(rules, rows, strict=True)):
            tint = self.colours[rule.target]
            words = "the rest" if rule.probability == 1 else f"probability {rule.probability:.4g}"
            write(self.axes, left + 0.1, row + 0.1, f"{index + 1}.  {words}", ha="left", fontsize=8.6)
            write(
                self.axes,
                left + 0.31,
                row - 0.12,
                f"{rule.share:.1%} of all calls",
                ha="left",
                **{**_MONO, "family": None},
            )
            weight = 0.8 + 4 * rule.share
            self._arrow(left + width, row, _ENDPOINT[0], row, tint, weight)
            self._labelled(
                _ENDPOINT,
                row,
                f"to {rule.target}" if rule.target else "no rewrite",
                rule.chain,
                "#ffffff",
                tint,
                mono=True,
            )
            self._arrow(_ENDPOINT[0] + _ENDPOINT[1], row, _POD[0], self.places[rule.target], tint, weight)

    def _rows(self) -> list[float]:
        """A height for each rule: that of its Pod, so that lines are level, where the Pods stand in their order."""
        rows = [self.places[r.target] for r in self.facts.rules]
        if all(upper - lower >= _ROW * 0.99 for upper, lower in itertools.pairwise(rows)):
            return rows
        return [self.middle + _ROW * ((len(rows) - 1) / 2 - i) for i in range(len(rows))]

    def _dead_end(self) -> None:
        f, y = self.facts, self.middle
        left, width = _CHAIN[0], _ENDPOINT[0] + _ENDPOINT[1] - _CHAIN[0]
        if f.refused:
            head, tail = "REJECT: refused, here and at once", shorten(f.refused, 60)
        elif f.chain:
            head, tail = (
                "an empty chain: nothing rewrites the packet",
                f"{f.chain}; it leaves for an address that nobody has",
            )
        else:
            head, tail = "no rule here knows this address", "the packet leaves for an address that nobody has"
        self._arrow(_SERVICE[0] + _SERVICE[1], y, left, y, WRONG, 1.8)
        self._box(left, y - 0.36, width, 0.72, fill="#fdf0ee", edge=WRONG)
        write(self.axes, left + width / 2, y + 0.12, head, color=WRONG, weight="bold")
        write(self.axes, left + width / 2, y - 0.14, tail, fontsize=6.9, color=FAINT)

    def _nodes(self, groups: dict[str, list[Backend]]) -> None:
        total = sum(_group_height(g) for g in groups.values()) + _NODE_GAP * (len(groups) - 1)
        top = self.middle + total / 2
        if not groups:
            write(
                self.axes, _NODE[0] + _NODE[1] / 2, self.middle + 0.12, "its list is empty", weight="bold", color=WRONG
            )
            asked = f"it asks for {self.facts.selector}" if self.facts.selector else "it has no selector"
            write(self.axes, _NODE[0] + _NODE[1] / 2, self.middle - 0.14, shorten(asked, 40), fontsize=7.6, color=FAINT)
        for node, backends in groups.items():
            height = _group_height(backends)
            self._box(_NODE[0], top - height, _NODE[1], height, fill="#f4f4f1", edge="#d8d8d2")
            note = f"{shorten(node, 22)} (the client's)" if node == self.facts.client_node else shorten(node, 34)
            write(self.axes, _NODE[0] + 0.12, top - 0.18, note, ha="left", fontsize=8, color=FAINT)
            for index, backend in enumerate(backends):
                y = top - _NODE_HEAD - _ROW * (index + 0.5)
                self.places[backend.target] = y
                self._pod(backend, y)
            top -= height + _NODE_GAP

    def _pod(self, backend: Backend, y: float) -> None:
        tint = self.colours.get(backend.target, _GREY)
        note = backend.target if backend.ready else f"{backend.target.partition(':')[0]}, not ready"
        if backend.ready and backend.target not in self.colours:
            note = f"{backend.target.partition(':')[0]}, in no rule here"
        self._labelled(
            _POD, y, shorten(backend.pod or "nobody's address", 24), note, "#ffffff", tint, dashed=tint == _GREY
        )

    def _labelled(
        self,
        column: tuple[float, float],
        y: float,
        head: str,
        tail: str,
        fill: str,
        edge: str,
        *,
        mono: bool = False,
        dashed: bool = False,
    ) -> None:
        left, width = column
        self._box(left, y - _BOX / 2, width, _BOX, fill=fill, edge=edge, dashed=dashed)
        write(self.axes, left + width / 2, y + 0.09, head, fontsize=8.6, color=_GREY if dashed else INK)
        write(self.axes, left + width / 2, y - 0.1, tail, **(_MONO if mono else {"fontsize": 7.8, "color": FAINT}))

    def _box(
        self, x: float, y: float, width: float, height: float, *, fill: str, edge: str, z: int = 2, dashed: bool = False
    ) -> None:
        style = "round,pad=0,rounding_size=0.07"
        line = (0, (3, 2)) if dashed else "solid"
        self.axes.add_patch(
            FancyBboxPatch(
                (x, y),
                width,
                height,
                boxstyle=style,
                facecolor=fill,
                edgecolor=edge,
                linewidth=1.1,
                linestyle=line,
                zorder=z,
            )
        )

    def _arrow(self, x: float, y: float, to_x: float, to_y: float, tint: str, weight: float) -> None:
        self.axes.add_patch(
            FancyArrowPatch(
                (x + 0.03, y),
                (to_x - 0.03, to_y),
                arrowstyle="-|>",
                mutation_scale=10,
                linewidth=weight,
                color=tint,
                shrinkA=0,
                shrinkB=0,
                zorder=3,
            )
        )


def _groups(facts: ServiceFacts) -> dict[str, list[Backend]]:
    """The Pods by node, in the order of the rules that lead to them; what no rule leads to comes last in its node."""
    known = {b.target for b in facts.backends}
    strangers = [Backend(r.target, "", "", True) for r in facts.rules if r.target not in known]
    order = {r.target: i for i, r in enumerate(facts.rules)}
    everybody = sorted([*facts.backends, *strangers], key=lambda b: order.get(b.target, len(order)))
    groups: dict[str, list[Backend]] = {}
    for backend in everybody:
        groups.setdefault(backend.node or "on no node that the list names", []).append(backend)
    return groups


def _group_height(backends: list[Backend]) -> float:
    return _NODE_HEAD + _ROW * len(backends) + 0.06
