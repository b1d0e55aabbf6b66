"""Stepping through a walk in a notebook: a slider and two buttons, the picture, and the sentence of the hop.

The widgets are the browser's own, so Tab and the arrow keys work. Where widgets are not rendered, the output holds the
picture and the sentences as well.
"""

from __future__ import annotations

import base64
import html
from typing import Any

import ipywidgets as widgets

from podwalk.trace.model import Hop, Walk
from podwalk.views.packet_walk import PacketWalk


class WalkStepper(widgets.VBox):  # type: ignore[misc]
    """A walk to step through, hop by hop; ``direction`` is request, reply or error (default: the interesting one)."""

    def __init__(self, walk: Walk, direction: str = "") -> None:
        self.walk = walk
        self._direction = direction
        self._hops = PacketWalk(walk, direction=direction).hops()
        self._pictures: dict[int, bytes] = {}
        width, _ = PacketWalk(walk, direction=direction).shown()
        self._image = widgets.Image(format="png", layout=widgets.Layout(width=f"{width}px", max_width="100%"))
        self._words = widgets.HTML()
        last = max(len(self._hops) - 1, 0)
        self._slider = widgets.IntSlider(
            0, 0, last, description="hop", readout=False, layout=widgets.Layout(width="20em"), disabled=not self._hops
        )
        narrow = widgets.Layout(width="7em")
        back = widgets.Button(description="Back", icon="step-backward", tooltip="one hop back", layout=narrow)
        forth = widgets.Button(description="Next", icon="step-forward", tooltip="one hop on", layout=narrow)
        back.on_click(lambda _: self.step(-1))
        forth.on_click(lambda _: self.step(1))
        self._slider.observe(lambda _: self._show(), "value")
        row = widgets.HBox([back, self._slider, forth], layout=widgets.Layout(flex_flow="row wrap"))
        super().__init__([row, self._words, self._image])
        self.add_class("podwalk-walk")
        self._show()

    def __repr__(self) -> str:
        return f"{len(self._hops)} stations of {self.walk.source} → {self.walk.url}, one at a time"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget, and for readers without one the picture."""
        widget: dict[str, Any] = super()._repr_mimebundle_(**kwargs) or {}
        data, size = PacketWalk(self.walk, direction=self._direction)._repr_mimebundle_()
        picture = base64.b64encode(data["image/png"]).decode()
        return {**widget, "text/plain": data["text/plain"], "image/png": picture}, size

    @property
    def hop(self) -> Hop | None:
        """The hop that is shown."""
        return self._hops[self._slider.value] if self._hops else None

    @property
    def sentence(self) -> str:
        """What is said about it, as HTML."""
        return str(self._words.value)

    def step(self, by: int) -> None:
        """Go on, or back; the ends are the ends."""
        self._slider.value = min(max(self._slider.value + by, 0), self._slider.max)

    def _show(self) -> None:
        hop = self.hop
        number = hop.number if hop else 0
        if number not in self._pictures:
            self._pictures[number] = PacketWalk(self.walk, number, self._direction).png()
        self._image.value = self._pictures[number]
        self._words.value = _words(hop, self._slider.value + 1, len(self._hops), self.walk)


def _words(hop: Hop | None, position: int, count: int, walk: Walk) -> str:
    if hop is None:
        return f"<p>{html.escape(walk.verdict.sentence)}</p>"
    where = f"{hop.place}, {hop.namespace}" if hop.namespace else hop.place
    rules = "".join(f"<li><code>{html.escape(r.text)}</code></li>" for r in hop.rules)
    listed = f"<details><summary>{len(hop.rules)} rules matched</summary><ul>{rules}</ul></details>" if rules else ""
    return (
        f"<p><b>{position} of {count}</b> · {html.escape(where)} · {hop.micros} µs<br>"
        f"{html.escape(hop.sentence)}<br><code>{html.escape(str(hop.packet))}</code></p>{listed}"
    )
