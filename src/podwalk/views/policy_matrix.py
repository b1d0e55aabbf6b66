"""The policy matrix as a picture: who reaches whom, before and after, with what changed and what disagrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from podwalk.matrix.model import Cell, Matrix
from podwalk.views.drawing import FAINT, INK, WRONG, Drawing, blank, shorten, write

# Blue and orange: told apart by every reader; the sign says it again.
_COLOURS = {"allowed": "#0072B2", "refused": "#56B4E9", "dropped": "#E69F00", "could not tell": "#c9ccd1"}
_SIGNS = {"allowed": "✔", "refused": "○", "dropped": "✘", "could not tell": "?"}
_WORDS = {
    "allowed": "allowed",
    "refused": "delivered, nobody listens",
    "dropped": "dropped",
    "could not tell": "could not tell",
}
_CELL, _LETTER, _NAME = 0.34, 0.078, 26
_TOP, _GAP, _LEGEND = 0.55, 0.4, 0.75
# Inches of a letter of the legend.
_WORD_LETTER = 0.062
# Two matrices that are wider than a notebook's page together stand below each other.
_NARROWEST, _WIDEST = 8.2, 11.0


@dataclass(frozen=True, slots=True, repr=False)
class PolicyMatrix(Drawing):
    """One matrix, or two side by side: ``before`` a policy and after it."""

    after: Matrix
    before: Matrix | None = None

    def alt(self) -> str:
        """What changed, in words; without an earlier look, what is blocked."""
        if self.before is not None:
            changed = self.after.changes(self.before)
            words = [f"{c.source} to {c.target}:{c.port} is now {c.outcome}" for _, c in changed]
            return "; ".join(words) or "nothing changed"
        blocked = [f"{c.source} to {c.target}:{c.port}" for c in self.after.cells if c.outcome == "dropped"]
        return f"dropped: {', '.join(blocked)}" if blocked else "nothing is dropped"

    def figure(self) -> Figure:
        """The figure."""
        shown = [("", self.after)] if self.before is None else [("before", self.before), ("after", self.after)]
        layouts = [_Layout(title, matrix) for title, matrix in shown]
        widths, heights = [one.width for one in layouts], [one.height for one in layouts]
        beside = sum(widths) + _GAP * (len(layouts) - 1) <= _WIDEST
        width = (sum(widths) + _GAP * (len(layouts) - 1) if beside else max(widths)) + 0.5
        height = (max(heights) if beside else sum(heights) + _GAP * (len(layouts) - 1)) + _LEGEND + 0.2
        figure, axes = blank(max(width, _NARROWEST), height)
        x, y = 0.25, height - 0.1
        changed = {(c.source, c.target, c.port) for _, c in self.after.changes(self.before)} if self.before else set()
        for layout in layouts:
            layout.draw(axes, x, y, changed if layout.matrix is self.after else set())
            x, y = (x + layout.width + _GAP, y) if beside else (x, y - layout.height - _GAP)
        _legend(axes, 0.25, 0.3, bool(changed), any(m.disagreements for _, m in shown))
        return figure


class _Layout:
    """One matrix: rows are sources; columns are the ports of the destinations, grouped."""

    def __init__(self, title: str, matrix: Matrix) -> None:
        self.title, self.matrix = title, matrix
        self._prefix = _shared_namespace([*matrix.sources, *matrix.targets])
        self._rows = [self._name(s) for s in matrix.sources]
        self._columns = [(t, self._ports(t)) for t in matrix.targets]
        self._left = 0.25 + _LETTER * max((len(r) for r in self._rows), default=0)
        names = [self._name(t) for t in matrix.targets]
        # Names stand slanted over their columns, so the last one leans out to the right.
        self._slant = _LETTER * 0.72 * max((len(n) for n in names), default=0)
        self._columns_width = sum(max(len(p), 1) * _CELL + 0.1 for _, p in self._columns)
        self.width = self._left + self._columns_width + self._slant
        self._head = (_TOP if title else 0.2) + self._slant + 0.45
        self.height = self._head + _CELL * len(self._rows) + 0.1

    def _name(self, name: str) -> str:
        return shorten(name.removeprefix(self._prefix), _NAME)

    def _ports(self, target: str) -> list[str]:
        cells = next((found for s in self.matrix.sources if (found := self.matrix.between(s, target))), [])
        return [str(c.port) for c in cells]

    def draw(self, axes: Any, x: float, top: float, changed: set[Any]) -> None:
        if self.title:
            write(axes, x, top - 0.2, self.title, ha="left", fontsize=12, weight="bold")
        at = x + self._left
        head = top - self._head
        write(axes, at - 0.1, head + 0.42, "to →", ha="right", color=FAINT, fontsize=7.5)
        write(axes, at - 0.1, head + 0.16, "from ↓", ha="right", color=FAINT, fontsize=7.5)
        for target, ports in self._columns:
            middle = at + max(len(ports), 1) * _CELL / 2
            write(axes, middle - 0.06, head + 0.42, self._name(target), rotation=45, ha="left", va="bottom",
                  rotation_mode="anchor")  # fmt: skip
            for index, port in enumerate(ports):
                write(axes, at + _CELL * (index + 0.5), head + 0.16, port, fontsize=5.6, color=FAINT, rotation=35)
            for row, source in enumerate(self.matrix.sources):
                y = head - _CELL * row
                self._row(axes, at, y, self.matrix.between(source, target), len(ports), changed)
            at += max(len(ports), 1) * _CELL + 0.1
        for row, name in enumerate(self._rows):
            write(axes, x + self._left - 0.1, head - _CELL * (row + 0.5), name, ha="right")

    def _row(self, axes: Any, x: float, y: float, cells: Sequence[Cell], ports: int, changed: set[Any]) -> None:
        if not cells:
            write(axes, x + max(ports, 1) * _CELL / 2, y - _CELL / 2, "·", color=FAINT)
        for index, cell in enumerate(cells):
            left = x + _CELL * index
            _box(axes, left, y, _COLOURS[cell.outcome])
            ink = "white" if cell.outcome == "allowed" else INK
            write(axes, left + _CELL / 2, y - _CELL / 2, _SIGNS[cell.outcome], color=ink, fontsize=9)
            if cell.disagrees:
                _box(axes, left, y, "none", edge=WRONG, width=2.2)
            elif (cell.source, cell.target, cell.port) in changed:
                _box(axes, left, y, "none", edge=INK, width=1.6)


def _box(axes: Any, x: float, y: float, fill: str, edge: str = "none", width: float = 0.0) -> None:
    margin = 0.025
    size = _CELL - 2 * margin
    shape = FancyBboxPatch(
        (x + margin, y - _CELL + margin), size, size, boxstyle="round,pad=0,rounding_size=0.05", facecolor=fill,
        edgecolor=edge, linewidth=width,
    )  # fmt: skip
    axes.add_patch(shape)


def _legend(axes: Any, x: float, y: float, changes: bool, disagreements: bool) -> None:
    for outcome, words in _WORDS.items():
        _box(axes, x, y + _CELL / 2, _COLOURS[outcome])
        ink = "white" if outcome == "allowed" else INK
        write(axes, x + _CELL / 2, y, _SIGNS[outcome], color=ink, fontsize=9)
        write(axes, x + _CELL + 0.06, y, words, ha="left", fontsize=7.5)
        x += _CELL + 0.3 + _WORD_LETTER * len(words)
    for wanted, words, edge in ((changes, "changed", INK), (disagreements, "policies disagree", WRONG)):
        if wanted:
            _box(axes, x, y + _CELL / 2, "none", edge=edge, width=1.8)
            write(axes, x + _CELL + 0.06, y, words, ha="left", fontsize=7.5)
            x += _CELL + 0.3 + _WORD_LETTER * len(words)


def _shared_namespace(names: Sequence[str]) -> str:
    spaces = {n.partition("/")[0] for n in names if "/" in n}
    return f"{spaces.pop()}/" if len(spaces) == 1 else ""
