"""The rules that decide about one Service, drawn as a tree: hooks at the left, the rewrites as its leaves.

The readers are `chains_iptables` and `chains_nftables`; both read the node's kernel, so the tree shows what is there
and not what should be.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from podwalk.views.drawing import FAINT, INK, WRONG, Drawing, blank, colour, shorten, write

_ROW, _STEP, _TOP, _FOOT = 0.3, 0.3, 0.78, 0.2
_LEFT, _NARROWEST, _WIDEST = 0.3, 6.4, 10.6
# Inches of a letter: of a head, which is monospace, and of a note.
_LETTER, _NOTE_LETTER = 0.0655, 0.059
_MONO = {"family": "monospace", "fontsize": 7.8}
# What a row is, and how its box looks: fill, edge.
_LOOKS = {
    "hook": ("#1f2430", "#1f2430"),
    "chain": ("#ffffff", "#1f2430"),
    "map": ("#e8f1fa", "#0072B2"),
    "mark": ("#fff6e5", "#b7791f"),
    "other": ("#f4f4f1", "#d8d8d2"),
    "end": ("#fdf0ee", WRONG),
}


@dataclass(frozen=True, slots=True)
class Branch:
    """One row: a hook, chain, map, rewrite (``leg``), mark or dead end; ``packets`` is the kernel's count, or None."""

    head: str
    note: str = ""
    kind: str = "chain"
    packets: int | None = None
    below: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class RuleTree(Drawing):
    """The tree of one Service on one node, or (without ``node``) of what ``service`` says. ``how`` names the tool."""

    service: str
    node: str
    how: str
    roots: tuple[Branch, ...]
    notes: tuple[str, ...] = field(default=())

    def alt(self) -> str:
        """The tree in words, indented."""
        lines = [f"{self.service}{f' on {self.node}' if self.node else ''} ({self.how})"]
        for depth, branch, _ in _rows(self.roots):
            count = "" if branch.packets is None else f" [{branch.packets}]"
            lines.append(f"{'  ' * (depth + 1)}{branch.head}{f': {branch.note}' if branch.note else ''}{count}")
        return "\n".join([*lines, *self.notes])

    def figure(self) -> Figure:
        """The matplotlib figure."""
        rows = _rows(self.roots)
        counted = any(b.packets is not None for _, b, _ in rows)
        height = _TOP + _ROW * len(rows) + _FOOT + 0.2 * len(self.notes)
        width = self._width(rows, counted)
        figure, axes = blank(width, height)
        write(axes, 0.2, height - 0.27, self._title(), ha="left", fontsize=12, weight="bold")
        write(axes, 0.2, height - 0.53, self.how, ha="left", color=FAINT)
        if counted:
            write(axes, width - 0.25, height - 0.53, "packets", ha="right", color=FAINT)
        _Painter(axes, height - _TOP, width, counted).paint(rows)
        for index, words in enumerate(self.notes):
            y = 0.15 + 0.2 * (len(self.notes) - 1 - index)
            write(axes, 0.2, y, words, ha="left", color=FAINT, fontsize=8)
        return figure

    def _title(self) -> str:
        return f"{shorten(self.service, 50)} on {shorten(self.node, 30)}" if self.node else shorten(self.service, 76)

    def _width(self, rows: list[tuple[int, Branch, int]], counted: bool) -> float:
        """As wide as the longest row: small pictures stay legible in narrow windows."""
        longest = max(
            (_LEFT + _STEP * d + 0.3 + _LETTER * len(b.head) + _NOTE_LETTER * len(b.note) for d, b, _ in rows),
            default=0,
        )
        return min(max(longest + (0.95 if counted else 0.3), _NARROWEST), _WIDEST)


class _Painter:
    def __init__(self, axes: Any, top: float, width: float, counted: bool) -> None:
        self.axes, self.top, self.width = axes, top, width
        self.right = width - (0.95 if counted else 0.3)
        self.colours: dict[str, str] = {}

    def paint(self, rows: list[tuple[int, Branch, int]]) -> None:
        for index, (depth, branch, parent) in enumerate(rows):
            y = self._y(index)
            x = _LEFT + _STEP * depth
            if parent >= 0:
                trunk = x - _STEP + 0.13
                self.axes.plot([trunk, trunk], [self._y(parent) - 0.11, y], color="#9aa7b5", linewidth=1.2, zorder=1)
                self.axes.plot([trunk, x], [y, y], color="#9aa7b5", linewidth=1.2, zorder=1)
            self._row(branch, x, y)

    def _row(self, branch: Branch, x: float, y: float) -> None:
        fill, edge = _LOOKS.get(branch.kind, _LOOKS["chain"])
        if branch.kind == "leg":
            fill, edge = "#ffffff", self._leg(branch.head)
        head = shorten(branch.head, 62)
        wide = 0.16 + _LETTER * len(head)
        self.axes.add_patch(
            FancyBboxPatch(
                (x, y - 0.1), wide, 0.2, boxstyle="round,pad=0,rounding_size=0.05", facecolor=fill, edgecolor=edge,
                linewidth=1.6 if branch.kind == "leg" else 1.0, zorder=2,
            )
        )  # fmt: skip
        ink = "#ffffff" if branch.kind == "hook" else WRONG if branch.kind == "end" else INK
        write(self.axes, x + 0.08, y, head, ha="left", zorder=3, **{**_MONO, "color": ink})
        room = int((self.right - x - wide - 0.05) / _NOTE_LETTER)
        note = shorten(branch.note, max(room, 8))
        write(self.axes, x + wide + 0.1, y, note, ha="left", fontsize=7.8, color=FAINT, zorder=3)
        if branch.packets is not None:
            strong = {"color": INK, "weight": "bold"} if branch.packets else {"color": FAINT}
            write(self.axes, self.width - 0.25, y, str(branch.packets), ha="right", fontsize=8.2, **strong)

    def _leg(self, head: str) -> str:
        if head not in self.colours:
            self.colours[head] = colour(len(self.colours))
        return self.colours[head]

    def _y(self, index: int) -> float:
        return self.top - _ROW * (index + 0.5)


def _rows(roots: tuple[Branch, ...]) -> list[tuple[int, Branch, int]]:
    """Every branch in the order in which it is drawn: its depth, itself, and the row of its parent.

    What stands below a chain is shown once, however many rules lead there.
    """
    rows: list[tuple[int, Branch, int]] = []
    shown: set[str] = set()

    def add(branches: tuple[Branch, ...], depth: int, parent: int) -> None:
        for branch in branches:
            again = branch.kind == "chain" and bool(branch.below) and branch.head in shown
            shown.add(branch.head)
            if again:
                branch = replace(branch, note=f"{branch.note}; as above" if branch.note else "as above", below=())
            rows.append((depth, branch, parent))
            add(branch.below, depth + 1, len(rows) - 1)

    add(roots, 0, -1)
    return rows
