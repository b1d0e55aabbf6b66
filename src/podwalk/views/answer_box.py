"""Where an answer is given: the widgets of every type of question. The drills and the interview share them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ipywidgets as widgets

from podwalk.drills.asking import Asked
from podwalk.views import drill_html

WIDE = widgets.Layout(width="calc(100% - 4px)", max_width="860px")


@dataclass(frozen=True, slots=True)
class AnswerBox:
    """``read``: the answer in the form that grading takes; ``write`` puts one there, as far as it can be read."""

    read: Callable[[], str]
    write: Callable[[str], None]
    parts: list[widgets.Widget]

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call something whenever the answer changes. An order says so by itself (see `answer_box`)."""
        for part in self.parts:
            if part.has_trait("value") and not isinstance(part, widgets.HTML):
                part.observe(lambda _: changed(), names="value")


def answer_box(asked: Asked, moved: Callable[[], None] = lambda: None) -> AnswerBox:
    """The box of a question. ``moved`` is called when something of an order was moved."""
    question = asked.question
    if question.order is not None:
        return _order_box(asked, moved)
    if question.type == "multi":
        return _multi_box(asked)
    if question.chosen:
        pairs = list(zip(asked.shown, asked.marks, strict=True))
        radio = widgets.RadioButtons(options=pairs, value=None, layout=widgets.Layout(width="auto"))

        def choose(answer: str) -> None:
            radio.value = answer if answer and answer in asked.marks else None

        return AnswerBox(lambda: radio.value or "", choose, [radio])
    if question.written:
        field = widgets.Textarea(placeholder="in a few sentences; nobody else reads it", rows=7, layout=WIDE)
    else:
        unit = f" in {question.numeric.unit}" if question.numeric is not None and question.numeric.unit else ""
        what = {"numeric": f"a number{unit}", "spot": "the number of the line", "predict": "what you expect"}
        field = widgets.Text(placeholder=what.get(question.type, ""), layout=widgets.Layout(width="22em"))

    def fill(answer: str) -> None:
        field.value = answer

    return AnswerBox(lambda: str(field.value), fill, [field])


def rubric_ticks(asked: Asked, ticked: Sequence[bool]) -> list[widgets.Checkbox]:
    """A box to tick for each point of the rubric."""
    return [
        widgets.Checkbox(
            value=found,
            indent=False,
            layout=WIDE,
            description=asked.fill(point.point) + (" (a mistake, if you said so)" if point.antipattern else ""),
        )
        for point, found in zip(asked.question.rubric, ticked, strict=True)
    ]


def button(words: str, icon: str, style: str, click: Callable[[], None], tip: str = "") -> widgets.Button:
    """A button; without words it is a small one."""
    made = widgets.Button(description=words, icon=icon, button_style=style, tooltip=tip or words)
    if not words:
        made.add_class("pw-move")
    made.on_click(lambda _: click())
    return made


def _multi_box(asked: Asked) -> AnswerBox:
    boxes = [widgets.Checkbox(description=text, indent=False, layout=WIDE) for text in asked.shown]

    def read() -> str:
        return " ".join(m for m, b in zip(asked.marks, boxes, strict=True) if b.value)

    def write(answer: str) -> None:
        for mark, box in zip(asked.marks, boxes, strict=True):
            box.value = mark in answer.split()

    return AnswerBox(read, write, list(boxes))


def _order_box(asked: Asked, moved: Callable[[], None]) -> AnswerBox:
    """Rows that are moved up and down by buttons; the focus goes with what is moved, so that keys are enough."""
    order = list(range(len(asked.shown)))
    texts = [widgets.HTML() for _ in order]

    def show() -> None:
        for text, at in zip(texts, order, strict=True):
            text.value = drill_html.item(asked.shown[at])

    def mover(place: int, by: int) -> Callable[[], None]:
        def move() -> None:
            target = place + by
            order[place], order[target] = order[target], order[place]
            show()
            buttons[target][0 if (by < 0 and target > 0) or target == len(order) - 1 else 1].focus()
            moved()

        return move

    def write(answer: str) -> None:
        marks = answer.split()
        if sorted(marks) == sorted(asked.marks):
            order[:] = [asked.marks.index(m) for m in marks]
            show()

    buttons = []
    for place in range(len(order)):
        up = button("", "arrow-up", "", mover(place, -1) if place else _nothing, "move up")
        down = button("", "arrow-down", "", mover(place, 1) if place < len(order) - 1 else _nothing, "move down")
        up.disabled, down.disabled = place == 0, place == len(order) - 1
        buttons.append((up, down))
    show()
    center = widgets.Layout(align_items="center")
    rows = [widgets.HBox([*pair, text], layout=center) for pair, text in zip(buttons, texts, strict=True)]
    return AnswerBox(lambda: " ".join(asked.marks[at] for at in order), write, rows)


def _nothing() -> None:
    pass
