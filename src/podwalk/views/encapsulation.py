"""One packet on its way, as a drawing: a row for each device, a box for each header, a byte as wide as a byte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from podwalk.views.drawing import COLOURS, FAINT, INK, Drawing, blank, shorten, write
from podwalk.views.frames import Frame, Layer

_LABEL, _EDGE, _ROW, _BOX = 1.5, 0.2, 0.8, 0.62
_PER_BYTE = 0.054
_MOST_PAYLOAD = 20
_TITLE, _FOOT = 0.62, 0.12
_OUTER_FILL, _INNER_FILL, _PAYLOAD_FILL = "#dcebf7", "#ffffff", "#f0efe9"
_MONO = {"family": "monospace", "fontsize": 5.9}


@dataclass(frozen=True, slots=True, repr=False)
class Encapsulation(Drawing):
    """The frames of one packet, in the order of its way."""

    title: str
    frames: tuple[Frame, ...]

    def alt(self) -> str:
        """The drawing in words."""
        rows = [f"{f.device} of {f.place}, {f.length} bytes: {' | '.join(map(_words, f.layers))}" for f in self.frames]
        return f"{self.title}. {'. '.join(rows) or 'no device saw it'}."

    def figure(self) -> Figure:
        """The matplotlib figure."""
        widest = max((_wide(f) for f in self.frames), default=3.0)
        width = max(_LABEL + widest + 0.75 + 2 * _EDGE, 6.0)
        height = _TITLE + _ROW * max(len(self.frames), 1) + _FOOT
        figure, axes = blank(width, height)
        write(axes, _EDGE, height - 0.25, shorten(self.title, int(width * 9)), ha="left", fontsize=11.5, weight="bold")
        write(axes, _EDGE, height - 0.48, self._about(), ha="left", color=FAINT)
        if not self.frames:
            write(axes, width / 2, _FOOT + _ROW / 2, "no device saw it")
        for index, frame in enumerate(self.frames):
            self._row(axes, frame, width - _EDGE - 0.75, height - _TITLE - _ROW * (index + 0.5))
        return figure

    def _about(self) -> str:
        most = max((f.overhead for f in self.frames), default=0)
        return f"blue: what the nodes put in front, {most} bytes" if most else "nothing was put in front of it"

    def _row(self, axes: Any, frame: Frame, right: float, y: float) -> None:
        write(axes, _EDGE, y + 0.11, shorten(frame.device, 22), ha="left", fontsize=8.6, weight="bold")
        write(axes, _EDGE, y - 0.09, shorten(frame.place, 22), ha="left", fontsize=7.2, color=FAINT)
        write(axes, right + 0.1, y, f"{frame.length} B", ha="left", fontsize=8.6)
        x = right - _wide(frame)
        for layer in frame.layers:
            wide = _width(layer)
            _draw(axes, layer, x, y, wide)
            x += wide


def _draw(axes: Any, layer: Layer, x: float, y: float, wide: float) -> None:
    fill = _OUTER_FILL if layer.outer else _PAYLOAD_FILL if layer.name == "payload" else _INNER_FILL
    axes.add_patch(
        FancyBboxPatch(
            (x + 0.012, y - _BOX / 2), wide - 0.024, _BOX, boxstyle="round,pad=0,rounding_size=0.03", facecolor=fill,
            edgecolor=COLOURS[0] if layer.outer else "#8895a3", linewidth=1.0,
        )
    )  # fmt: skip
    middle = x + wide / 2
    lines = layer.words
    write(axes, middle, y + (0.17 if lines else 0.08), layer.name, fontsize=8.2, color=INK)
    write(axes, middle, y + (0.03 if lines else -0.09), f"{layer.length} B", fontsize=6.8, color=FAINT)
    for index, line in enumerate(lines):
        write(axes, middle, y - 0.1 - 0.11 * index, line, **{**_MONO, "fontsize": 5.3 if len(line) > 15 else 6.8})


def _width(layer: Layer) -> float:
    """True to scale, except that a payload ends somewhere and a header needs room for its name."""
    bytes_ = min(layer.length, _MOST_PAYLOAD) if layer.name == "payload" else layer.length
    return max(bytes_ * _PER_BYTE, 0.56 if layer.name != "Ethernet" else 0.9)


def _wide(frame: Frame) -> float:
    return sum(_width(layer) for layer in frame.layers)


def _words(layer: Layer) -> str:
    said = f" ({' → '.join(layer.words)})" if layer.words else ""
    return f"{layer.name} {layer.length}{said}"
