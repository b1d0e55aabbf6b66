"""A walk as a picture: the places in columns, every station in its order, the header wherever it is another one.

The picture is drawn from the data of `podwalk trace`. `step_through` shows it with a stepper, one sentence a hop.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from podwalk.trace.model import Hop, Walk
from podwalk.views.drawing import FAINT, INK, WRONG, Drawing, blank, shorten, write

# The network between the nodes does little, and takes less room.
_COLUMN, _OUTSIDE, _GUTTER, _EDGE = 3.3, 2.75, 0.45, 0.2
_ROW, _HEAD, _POD_HEAD, _POD_FOOT = 0.27, 0.32, 0.27, 0.1
_TOP, _FOOT = 0.78, 0.3
_CHIP, _INDENT = 1.12, 0.2
_MIN_WIDTH = 5.6
_LINE = 0.19
_REWRITE, _TUNNEL, _ROUTE = "#8a3ffc", "#0072B2", "#4b5563"
_MONO = {"family": "monospace", "fontsize": 7.2}
_NODE_FILL, _POD_FILL, _OUTSIDE_FILL = "#eef3f8", "#ffffff", "#f4f4f1"
# Letters of the note to the right of a chip, and of the verdict in an inch.
_NOTE_LETTERS, _OUTSIDE_LETTERS, _LETTERS_PER_INCH = 30, 22, 14.5


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of a column: a station (``hop``), a header, or the head or foot of a Pod's box."""

    kind: str
    words: str
    hop: Hop | None = None


@dataclass(frozen=True, slots=True, repr=False)
class PacketWalk(Drawing):
    """One direction of a walk; ``at`` is the number of a hop to point at."""

    walk: Walk
    at: int = 0
    direction: str = ""

    def hops(self) -> list[Hop]:
        """The hops that are drawn: the way there, unless the answer was what got lost."""
        lost_reply = self.walk.verdict.direction == "reply" and self.walk.verdict.outcome != "answered"
        chosen = self.direction or ("reply" if lost_reply else "request")
        return [h for h in self.walk.hops if h.direction == chosen]

    def alt(self) -> str:
        """The walk in words."""
        walk = self.walk
        hops = " ".join(
            f"{h.number}. {h.place}{f' ({h.namespace})' if h.namespace else ''}: {h.sentence}" for h in self.hops()
        )
        return f"{walk.source} → {walk.url}: {hops} {walk.verdict.outcome.capitalize()}: {walk.verdict.sentence}"

    def figure(self) -> Figure:
        """The matplotlib figure."""
        columns = _columns(self.hops())
        width = max(sum(_wide(place) + _GUTTER for place, _ in columns) - _GUTTER + 2 * _EDGE, _MIN_WIDTH)
        verdict = _wrap(_ending(self.walk), int((width - 0.6) * _LETTERS_PER_INCH))
        tallest = max((_height(lines) for _, lines in columns), default=0.3)
        height = _TOP + tallest + _FOOT + _LINE * len(verdict) + 0.15
        figure, axes = blank(width, height)
        _Painter(axes, self, width, height).paint(columns, verdict)
        return figure


class _Painter:
    def __init__(self, axes: Any, picture: PacketWalk, width: float, height: float) -> None:
        self.axes, self.picture, self.width, self.height = axes, picture, width, height
        verdict = picture.walk.verdict
        numbers = [h.number for h in picture.hops()]
        self.dead = 0
        if verdict.outcome != "answered" and numbers:
            self.dead = verdict.hop if verdict.hop in numbers else numbers[-1]

    def paint(self, columns: list[tuple[str, list[_Line]]], verdict: list[str]) -> None:
        self._title()
        end: tuple[float, float] | None = None
        left = _EDGE
        for place, lines in columns:
            first, last = self._column(place, lines, left)
            if end is not None:
                self._across(end, (left + _INDENT, first))
            end = (left + _INDENT + _CHIP, last)
            left += _wide(place) + _GUTTER
        self._verdict(verdict)

    def _title(self) -> None:
        walk, top = self.picture.walk, self.height
        letters = int(self.width * 9.5)
        title = shorten(f"{walk.source}  →  {walk.url}", letters)
        write(self.axes, _EDGE, top - 0.26, title, ha="left", fontsize=12, weight="bold")
        write(self.axes, _EDGE, top - 0.53, _subtitle(self.picture), ha="left", fontsize=8.6, color=FAINT)

    def _column(self, place: str, lines: list[_Line], left: float) -> tuple[float, float]:
        """Draw one place and return the heights of its first and last station."""
        top, height = self.height - _TOP, _height(lines)
        outside = place == "outside"
        self._box(left, top - height, _wide(place), height, _OUTSIDE_FILL if outside else _NODE_FILL, "#cfd8e3", 0)
        name = "outside: the nodes' network" if outside else f"node {place}"
        write(self.axes, left + 0.12, top - 0.17, shorten(name, 42), ha="left", fontsize=8.8, weight="bold")
        y, stations, pod_top = top - _HEAD, [], 0.0
        for line in lines:
            if line.kind == "pod":
                pod_top = y - 0.03
                write(
                    self.axes,
                    left + _INDENT + 0.22,
                    y - _POD_HEAD / 2 - 0.02,
                    line.words,
                    ha="left",
                    fontsize=8,
                    color=FAINT,
                )
                y -= _POD_HEAD
            elif line.kind == "end":
                self._box(left + 0.1, y, _COLUMN - 0.2, pod_top - y, _POD_FILL, "#cfd8e3", 1)
                y -= _POD_FOOT
            else:
                y -= _ROW
                self._row(line, left, y + _ROW / 2, _OUTSIDE_LETTERS if outside else _NOTE_LETTERS)
                if line.hop is not None:
                    stations.append(y + _ROW / 2)
        x = left + _INDENT + 0.08
        if len(stations) > 1:
            self.axes.plot([x, x], [stations[0], stations[-1]], color="#9aa7b5", linewidth=2.2, zorder=2)
        return stations[0], stations[-1]

    def _row(self, line: _Line, left: float, y: float, letters: int) -> None:
        if line.hop is None:
            tint = _TUNNEL if line.kind == "outer" else INK
            write(self.axes, left + _INDENT + 0.22, y, line.words, ha="left", zorder=6, **{**_MONO, "color": tint})
            return
        hop = line.hop
        tint = _tint(hop)
        dead = hop.number == self.dead
        here = hop.number == self.picture.at
        self._box(
            left + _INDENT, y - 0.1, _CHIP, 0.2, "#fff3bf" if here else "#fdf0ee" if dead else "#ffffff",
            WRONG if dead else tint, 4, width=2.4 if here else 1.1,
        )  # fmt: skip
        write(self.axes, left + _INDENT + _CHIP / 2, y, shorten(_chip(hop), 15), fontsize=7.4, zorder=6)
        words = f"✘ {self._cause(hop) or line.words}" if dead else line.words
        style = {"color": WRONG, "weight": "bold"} if dead else {"color": tint if hop.rewrite else FAINT}
        note = shorten(words, letters * 4 // 5 if dead else letters)  # bold letters are wider
        write(self.axes, left + _INDENT + _CHIP + 0.08, y, note, ha="left", fontsize=7.3, zorder=6, **style)

    def _cause(self, hop: Hop) -> str:
        """Why it ends here, where no rule of this station says so."""
        return "" if hop.dropped else self.picture.walk.verdict.cause.replace("-", " ")

    def _across(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """From the last station of a column, round its edge, to the first of the next."""
        gutter = end[0] - _INDENT - _GUTTER / 2
        # Below the last row, so that the line crosses no words.
        below = start[1] - _ROW * 0.5
        x = start[0] - _CHIP / 2
        points = [(x, start[1] - 0.1), (x, below), (gutter, below), (gutter, end[1]), end]
        self.axes.add_patch(
            FancyArrowPatch(
                path=Path(points), arrowstyle="-|>", mutation_scale=11, linewidth=1.8, color="#5b6b7d", zorder=3,
                joinstyle="round",
            )
        )  # fmt: skip

    def _verdict(self, lines: list[str]) -> None:
        good = self.picture.walk.verdict.outcome == "answered"
        height = _LINE * len(lines) + 0.14
        self._box(
            _EDGE,
            0.12,
            self.width - 2 * _EDGE,
            height,
            "#eefaf1" if good else "#fdf0ee",
            "#1a7f37" if good else WRONG,
            0,
        )
        for index, words in enumerate(lines):
            y = 0.12 + height - 0.07 - _LINE * (index + 0.5)
            write(self.axes, _EDGE + 0.12, y, words, ha="left", color=INK if good else WRONG)

    def _box(
        self, x: float, y: float, width_: float, height: float, fill: str, edge: str, z: int, width: float = 1.1
    ) -> None:
        self.axes.add_patch(
            FancyBboxPatch(
                (x, y), width_, height, boxstyle="round,pad=0,rounding_size=0.06", facecolor=fill, edgecolor=edge,
                linewidth=width, zorder=z,
            )
        )  # fmt: skip


def _wide(place: str) -> float:
    return _OUTSIDE if place == "outside" else _COLUMN


def _ending(walk: Walk) -> str:
    verdict = walk.verdict
    return f"✔ {verdict.sentence}" if verdict.outcome == "answered" else f"✘ {verdict.outcome}. {verdict.sentence}"


def _subtitle(picture: PacketWalk) -> str:
    walk, hops = picture.walk, picture.hops()
    if not hops:
        return "no packet was seen"
    what = {"request": "the way there", "reply": "the way back", "error": "an error on its way back"}[hops[0].direction]
    took = hops[-1].micros - hops[0].micros
    name = f"{walk.names.name} is {walk.address}; " if walk.names.address else ""
    return f"{name}{what}: {len(hops)} stations, {took} µs"


def _columns(hops: list[Hop]) -> list[tuple[str, list[_Line]]]:
    """The rows of each place, in the order in which the packet visits them."""
    columns = []
    header = outer = ""
    for place, here in itertools.groupby(hops, key=lambda h: h.place):
        lines: list[_Line] = []
        for namespace, group in itertools.groupby(here, key=lambda h: h.namespace):
            if namespace:
                lines.append(_Line("pod", f"Pod {shorten(namespace, 33)}"))
            for hop in group:
                wrapped = str(hop.encapsulation.outer) if hop.encapsulation else ""
                if hop.kind != "hook" and wrapped != outer:
                    outer = wrapped
                    lines += [_Line("outer", wrapped)] if wrapped else [_Line("header", str(hop.packet))]
                    header = str(hop.packet)
                elif not wrapped and str(hop.packet) != header:
                    header = str(hop.packet)
                    lines.append(_Line("header", header))
                lines.append(_Line("station", _note(hop), hop))
            if namespace:
                lines.append(_Line("end", ""))
        columns.append((place, lines))
    return columns


def _height(lines: list[_Line]) -> float:
    heights = {"pod": _POD_HEAD, "end": _POD_FOOT}
    return _HEAD + sum(heights.get(line.kind, _ROW) for line in lines) + 0.14


def _chip(hop: Hop) -> str:
    if hop.kind == "route":
        return "route"
    return hop.hook.upper() if hop.kind == "hook" else hop.device


def _tint(hop: Hop) -> str:
    if hop.dropped or (hop.route and hop.route.error):
        return WRONG
    if hop.rewrite:
        return _REWRITE
    if hop.encapsulation:
        return _TUNNEL
    return _ROUTE if hop.kind in ("route", "hook") else INK


def _note(hop: Hop) -> str:
    if hop.route:
        if hop.route.error:
            return f"none: {hop.route.error}"
        return f"{hop.route.prefix} → {hop.route.device or hop.route.kind}"
    if hop.dropped:
        rule = hop.rules[-1] if hop.rules else None
        return (rule.comment or f"{rule.chain}: {rule.verdict}") if rule else "drop"
    if hop.rewrite:
        return f"{hop.rewrite.kind} → {hop.rewrite.after}"
    if hop.kind == "hook":
        return f"{len(hop.rules)} rules, passes" if len(hop.rules) != 1 else "1 rule, passes"
    if hop.encapsulation:
        return f"in {hop.encapsulation.kind}, {'sent' if hop.kind == 'out' else 'arrives'}"
    return f"{'out' if hop.kind == 'out' else 'in'}, {hop.micros} µs"


def _wrap(words: str, letters: int) -> list[str]:
    lines = [""]
    for word in words.split():
        if lines[-1] and len(lines[-1]) + len(word) + 1 > letters:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [shorten(line, letters) for line in lines]
