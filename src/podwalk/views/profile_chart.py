"""The profiles side by side: the bytes on the wire, and what passed, beside what is often claimed about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from podwalk.views.drawing import COLOURS, FAINT, INK, Drawing, blank, write
from podwalk.views.profile_run import Measured

_WIDTH, _EDGE, _ROW, _TITLE, _HEADS, _FOOT = 10.0, 0.2, 0.42, 0.62, 0.32, 0.42
_MTU, _BYTES, _TRIP, _BAR, _BAR_WIDE, _CLAIM = 1.95, 2.75, 3.75, 4.45, 3.1, 8.35


@dataclass(frozen=True, slots=True, repr=False)
class ProfileChart(Drawing):
    """What was measured. ``claims`` says for a profile what articles claim that it loses."""

    found: tuple[Measured, ...]
    claims: Mapping[str, str]

    def alt(self) -> str:
        """The chart in words."""
        rows = [
            f"{m.profile}: MTU {m.mtu}, {m.overhead} bytes in front, {_rate(m)}, {m.trip * 1e6:.0f} µs, "
            f"claimed: {self.claims.get(m.profile, 'nothing')}, route: {m.route}"
            for m in self.found
        ]
        return "Profiles measured from Pod to Pod across nodes. " + ". ".join(rows)

    def figure(self) -> Figure:
        """A row for each profile."""
        height = _TITLE + _HEADS + _ROW * len(self.found) + _FOOT
        figure, axes = blank(_WIDTH, height)
        title = "One TCP connection between Pods on two nodes"
        write(axes, _EDGE, height - 0.25, title, ha="left", fontsize=12, weight="bold")
        about = "bytes are exact; throughput (of the best 50 ms) and round trips are this machine's, at this moment"
        write(axes, _EDGE, height - 0.48, about, ha="left", color=FAINT)
        heads = height - _TITLE - _HEADS / 2
        self._words(axes, heads, ("profile", "MTU", "in front", "round trip", "throughput", "“it loses”"), FAINT)
        most = max((m.rate for m in self.found), default=1.0)
        for index, m in enumerate(self.found):
            y = height - _TITLE - _HEADS - _ROW * (index + 0.5)
            claim = self.claims.get(m.profile, "")
            front = f"{m.overhead} bytes" if m.overhead else "nothing"
            self._words(axes, y, (m.profile, str(m.mtu), front, f"{m.trip * 1e6:.0f} µs", "", claim), INK)
            wide = m.rate / most * (_BAR_WIDE - 0.95)
            tint = COLOURS[0] if m.overhead else COLOURS[2]
            axes.barh(y, wide, left=_BAR, height=_ROW * 0.55, color=tint, linewidth=0)
            write(axes, _BAR + wide + 0.08, y, _rate(m), ha="left", fontsize=8)
        foot = "blue: with a tunnel, green: without. Last column: what articles say, without saying how they measured."
        write(axes, _EDGE, 0.2, foot, ha="left", fontsize=7.6, color=FAINT)
        return figure

    def _words(self, axes: Any, y: float, words: tuple[str, ...], tint: str) -> None:
        name, mtu, front, trip, rate, claim = words
        write(axes, _EDGE, y, name, ha="left", color=tint)
        write(axes, _MTU, y, mtu, ha="right", color=tint)
        write(axes, _BYTES, y, front, ha="right", color=tint)
        write(axes, _TRIP, y, trip, ha="right", color=tint)
        write(axes, _BAR, y, rate, ha="left", color=tint)
        write(axes, _CLAIM, y, claim, ha="left", color=tint)


def _rate(measured: Measured) -> str:
    return f"{measured.rate / 1e9:.1f} Gbit/s" if measured.rate >= 1e9 else f"{measured.rate / 1e6:.0f} Mbit/s"
