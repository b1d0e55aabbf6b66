"""A place to write down what you expect, before you look."""

from __future__ import annotations

from html import escape

import ipywidgets as widgets


def predict(question: str, *choices: str) -> widgets.VBox:
    """A box to write a prediction into, or buttons to choose one. Nothing waits for it: the next cell runs anyway."""
    label = widgets.HTML(f"<b>Before you look:</b> {escape(question)}")
    answer: widgets.DOMWidget
    if choices:
        answer = widgets.RadioButtons(options=choices, value=None, layout=widgets.Layout(width="auto"))
    else:
        answer = widgets.Text(placeholder="write it down; nobody else reads it", layout=widgets.Layout(width="90%"))
    kept = widgets.HTML()

    def noted(change: dict[str, object]) -> None:
        kept.value = "Noted. Now run the next cell." if change["new"] else ""

    answer.observe(noted, names="value")
    return widgets.VBox([label, answer, kept])
