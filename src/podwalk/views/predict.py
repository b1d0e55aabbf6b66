"""A place to write down what you expect, before you look."""

from __future__ import annotations

from html import escape

import ipywidgets as widgets


class Prediction(widgets.VBox):  # type: ignore[misc]
    """The box; where widgets are not rendered, the question stands there as text."""

    question = ""

    def __repr__(self) -> str:
        return f"Before you look: {self.question}"


def predict(question: str, *choices: str, lines: int = 1) -> Prediction:
    """A box to write a prediction into, or buttons to choose one. Nothing waits for it: the next cell runs anyway.

    ``lines``: how high the box is.
    """
    label = widgets.HTML(f"<b>Before you look:</b> {escape(question)}")
    answer: widgets.DOMWidget
    if choices:
        answer = widgets.RadioButtons(options=choices, value=None, layout=widgets.Layout(width="auto"))
    else:
        wide = widgets.Layout(width="90%")
        box_kind = widgets.Text if lines == 1 else widgets.Textarea
        rows = {} if lines == 1 else {"rows": lines}
        answer = box_kind(placeholder="write it down; nobody else reads it", layout=wide, **rows)
    kept = widgets.HTML()

    def noted(change: dict[str, object]) -> None:
        kept.value = "Noted. Now run the next cell." if change["new"] else ""

    answer.observe(noted, names="value")
    box = Prediction([label, answer, kept])
    box.question = question
    return box
