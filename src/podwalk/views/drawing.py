"""What the drawings share: one palette, text that is never taken for markup, and figures that show themselves.

Figures are made without pyplot: it keeps them alive for the whole session and is not safe in threads.
"""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers too; the yellow is too pale for a line on paper.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7B6FD0", "#8C6D31")
INK, FAINT, PAPER, WRONG = "#1f2430", "#6b7280", "#fcfcfa", "#b42318"
_DPI = 200
_SHOWN_DPI = 96


class Drawing:
    """Something that a notebook shows as a picture, and everything else as a sentence."""

    def figure(self) -> Figure:
        """The matplotlib figure, made anew."""
        raise NotImplementedError

    def alt(self) -> str:
        """The same in words."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.alt()

    def png(self) -> bytes:
        """The picture at twice a screen's resolution, on paper of its own: it looks alike in every theme."""
        out = io.BytesIO()
        self.figure().savefig(out, format="png", dpi=_DPI, facecolor=PAPER)
        return out.getvalue()

    def shown(self) -> tuple[int, int]:
        """Width and height on a screen, in pixels; the picture itself has twice as many."""
        width, height = self.figure().get_size_inches()
        return int(width * _SHOWN_DPI), int(height * _SHOWN_DPI)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        width, height = self.shown()
        shown = {"width": width, "height": height}
        return {"image/png": self.png(), "text/plain": self.alt()}, {"image/png": shown}


def blank(width: float, height: float) -> tuple[Figure, Any]:
    """A figure whose only axes have one unit to the inch, the origin at the lower left, and no frame."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    return figure, axes


def write(axes: Any, x: float, y: float, words: str, **style: Any) -> Any:
    """Text as it is: a dollar sign in a name is a dollar sign."""
    style = {"fontsize": 8.5, "color": INK, "va": "center", "ha": "center", **style}
    return axes.text(x, y, words, parse_math=False, **style)


def shorten(words: str, length: int) -> str:
    """The beginning and the end of a long name."""
    if len(words) <= length:
        return words
    keep = length - 1
    return f"{words[: keep - keep // 2]}…{words[len(words) - keep // 2 :]}"


def colour(index: int) -> str:
    """The colour of the endpoint with this number."""
    return COLOURS[index % len(COLOURS)]
