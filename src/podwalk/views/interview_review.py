"""Looking back on an interview in a notebook: the report, and every answer beside a good one."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from podwalk.course.progress import ProgressError
from podwalk.course.schema import LabError
from podwalk.drills.asking import Asked, ask
from podwalk.drills.bank import Bank
from podwalk.drills.grading import grade
from podwalk.drills.model import QuestionError
from podwalk.interview import desk, plan
from podwalk.interview.report import InterviewReport
from podwalk.interview.state import InterviewError, State
from podwalk.views import drill_html, interview_html, lab_html
from podwalk.views.answer_box import rubric_ticks

ONE_LINE = (InterviewError, LabError, ProgressError, QuestionError)
_LONGEST = 110


class Review(widgets.VBox):  # type: ignore[misc]
    """The report. What was said in one's own words can be ticked point by point, and the report follows.

    Raises LabError or ProgressError where the course or the progress cannot be read.
    """

    def __init__(self, kept: State, bank: Bank) -> None:
        self._kept, self._bank = kept, bank
        self._report, self._links, self._below, self._said = (widgets.HTML() for _ in range(4))
        self._verdicts: dict[int, widgets.HTML] = {}
        self.ticks: dict[int, list[widgets.Checkbox]] = {}
        found = desk.report_of(kept, bank)
        pages = [self._page(number) for number in range(len(kept.given))]
        self.answers = widgets.Accordion(pages, selected_index=None)
        heading = widgets.HTML("<h2>Looking back</h2>")
        super().__init__([self._report, self._links, heading, self.answers, self._said, self._below])
        self._show(found)

    def _show(self, found: InterviewReport) -> None:
        self._report.value = interview_html.report(found)
        self._links.value = interview_html.downloads(found)
        self._below.value = interview_html.below(found)
        self.answers.titles = tuple(
            _title(n, told.asked, "not answered" if told.skipped else f"{told.share:.0%}")
            for n, told in enumerate(found.told, 1)
        )

    def _page(self, number: int) -> widgets.VBox:
        """One answer: what was asked and said, what to tick, and what would have been good."""
        given = self._kept.given[number]
        try:
            question = plan.resolve(given.question, self._bank)
        except KeyError:
            return widgets.VBox([widgets.HTML(drill_html.said("This question is no longer in the bank."))])
        asked = ask(question, given.seed)
        about = interview_html.task(asked, number, len(self._kept.given))
        said = interview_html.own_words(given.text) if question.written else ""
        parts: list[widgets.Widget] = [widgets.HTML(f"{about}{said}")]
        if question.written and given.text.strip() and given.marks is None:
            ticked = given.ticks or [False] * len(question.rubric)
            self.ticks[number] = rubric_ticks(asked, ticked)
            for box in self.ticks[number]:
                box.observe(lambda _: self._ticked(number, asked), names="value")
            parts += [widgets.HTML(drill_html.said("Tick what your answer said.")), *self.ticks[number]]
        verdict = self._verdicts[number] = widgets.HTML(self._judged(number, asked))
        return widgets.VBox([*parts, verdict])

    def _ticked(self, number: int, asked: Asked) -> None:
        try:
            desk.tick(self._kept, self._bank, number, [box.value for box in self.ticks[number]])
            self._show(desk.report_of(self._kept, self._bank))
        except ONE_LINE as error:
            self._said.value = lab_html.failed(str(error))
            return
        self._said.value = ""
        self._verdicts[number].value = self._judged(number, asked)

    def _judged(self, number: int, asked: Asked) -> str:
        given = self._kept.given[number]
        if given.skipped or not given.text.strip():
            model = asked.question.answer
            good = interview_html.good(asked.fill(model)) if model is not None else ""
            return f"{drill_html.said(_left_out(given.skipped))}{good}{drill_html.reasons(asked)}"
        ticks: Sequence[bool] | None = given.ticks if asked.question.written and given.ticks else None
        return drill_html.judged(asked, grade(asked, given.text, ticks), points=number not in self.ticks)


def _left_out(why: str) -> str:
    return "You passed." if why == "passed" else f"Not answered: {why}."


def _title(number: int, asked: str, share: str) -> str:
    asked = " ".join(asked.split())
    asked = asked if len(asked) <= _LONGEST else f"{asked[: _LONGEST - 1]}…"
    return f"{number}. {asked} ({share})"
