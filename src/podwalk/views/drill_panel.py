"""Questions in a notebook: answer first, then see. What is due comes first, and every answer is kept at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import ipywidgets as widgets

from podwalk.backends.base import home
from podwalk.course import catalogue
from podwalk.course.progress import Progress, ProgressError
from podwalk.course.schema import LabError
from podwalk.drills import bank, session
from podwalk.drills.asking import Asked
from podwalk.drills.grading import AnswerError, proposed
from podwalk.drills.memory import Memory
from podwalk.drills.model import QuestionError
from podwalk.drills.session import Session
from podwalk.views import drill_html
from podwalk.views.answer_box import answer_box, button, rubric_ticks

_ONE_LINE = (LabError, ProgressError, QuestionError)


class DrillPanel(widgets.VBox):  # type: ignore[misc]
    """Questions of some layers and levels, ``count`` at a sitting. Nothing named means all of them.

    Everything works by keys: Tab, Space and Enter. Errors are told in the panel.
    """

    def __init__(
        self,
        layers: Sequence[str] = (),
        levels: Sequence[str] = (),
        count: int = 10,
        *,
        language: str = "en",
        seed: int | None = None,
    ) -> None:
        self._wanted = (tuple(layers), tuple(levels), count, language, seed)
        self._session: Session | None = None
        self._asked: Asked | None = None
        self._begun = 0.0
        self._hinted = False
        self._question, self._said, self._feedback = (widgets.HTML() for _ in range(3))
        self._place = widgets.VBox()
        self._sure = widgets.Checkbox(description="I am sure", indent=False, layout=widgets.Layout(width="auto"))
        self._buttons = {
            "answer": button("Answer", "check", "primary", self.submit),
            "hint": button("Hint", "lightbulb-o", "", self.hint),
            "next": button("Next", "arrow-right", "primary", self.next),
            "again": button("Another round", "refresh", "", self.begin),
        }
        self._read: Callable[[], str] = lambda: ""
        self._ticks: list[widgets.Checkbox] = []
        self._written = ""
        across = widgets.Layout(flex_flow="row wrap", align_items="center")
        row = widgets.HBox([*self._buttons.values(), self._sure], layout=across)
        super().__init__([widgets.HTML(drill_html.STYLE), self._question, self._place, row, self._said, self._feedback])
        self.add_class("podwalk-drill")
        self.begin()

    def __repr__(self) -> str:
        return f"Questions: {self._asked.stem}" if self._asked else "Questions: none"

    def begin(self) -> None:
        """Draw a new round."""
        layers, levels, count, language, seed = self._wanted
        self._feedback.value = ""
        try:
            chosen = bank.load(catalogue.course_root(), home() / "questions").select(layers, levels)
            with Progress(home() / "progress.sqlite") as progress:
                self._session = session.begin(chosen, Memory(progress), count, seed=seed, language=language)
        except _ONE_LINE as error:
            self._end(drill_html.failed(str(error)))
            return
        self.next()

    def next(self) -> None:
        """Show the next question."""
        if self._session is None:
            return
        self._asked = self._session.next()
        self._feedback.value = self._said.value = ""
        if self._asked is None:
            done = self._session.graded
            self._end(drill_html.closing(self._session) if done else drill_html.said("Nothing is due, nothing is new."))
            return
        self._hinted, self._sure.value, self._ticks = False, False, []
        self._question.value = drill_html.question(self._asked, self._session)
        box = answer_box(self._asked)
        self._read, self._place.children = box.read, box.parts
        self._show("answer", "hint")
        self._sure.layout.display = "none" if self._asked.question.written else ""
        self._begun = time.monotonic()

    def hint(self) -> None:
        """Show the hint; a right answer then counts as hard."""
        if self._asked is None:
            return
        self._hinted = True
        hint = self._asked.question.hint
        self._said.value = drill_html.said(self._asked.fill(hint) if hint else "There is no hint for this one.")

    def submit(self) -> None:
        """Judge what stands there; an answer in own words first shows what to tick."""
        if self._asked is None or self._session is None:
            return
        text = self._written if self._ticks else self._read()
        if self._asked.question.written and not self._ticks and text.strip():
            self._offer_ticks(text)
            return
        ticks = [t.value for t in self._ticks] or None
        seconds = time.monotonic() - self._begun
        try:
            # A connection to the progress file belongs to one thread, and a kernel may call from another.
            with Progress(home() / "progress.sqlite") as progress:
                self._session.memory = Memory(progress)
                graded = self._session.answer(
                    self._asked, text, seconds, hinted=self._hinted, sure=self._sure.value, ticks=ticks
                )
        except AnswerError as error:
            self._said.value = drill_html.said(f"Not judged yet: {error}")
            return
        except _ONE_LINE as error:
            self._said.value = drill_html.failed(str(error))
            return
        self._said.value = ""
        self._feedback.value = drill_html.feedback(graded, datetime.now(UTC))
        self._freeze()
        self._show("next")
        self._sure.layout.display = "none"

    def _offer_ticks(self, text: str) -> None:
        assert self._asked is not None
        self._written = text
        points = self._asked.question.rubric
        self._ticks = rubric_ticks(self._asked, proposed(points, text))
        told = widgets.HTML(drill_html.said("Tick what your answer says; what was found in it is ticked already."))
        self._place.children = [*self._place.children, told, *self._ticks]

    def _freeze(self) -> None:
        for child in self._place.children:
            for widget in [child, *getattr(child, "children", ())]:
                if hasattr(widget, "disabled"):
                    widget.disabled = True

    def _end(self, html: str) -> None:
        self._asked = None
        self._question.value, self._place.children = html, []
        self._show("again")
        self._sure.layout.display = "none"

    def _show(self, *names: str) -> None:
        for name, each in self._buttons.items():
            each.layout.display = "" if name in names else "none"
