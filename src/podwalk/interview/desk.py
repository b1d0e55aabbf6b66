"""What an interview needs from the learner's machine, in a terminal or a notebook: questions, standing, report."""

from __future__ import annotations

from collections.abc import Sequence

from podwalk.backends.base import home
from podwalk.course import catalogue
from podwalk.course.progress import Progress
from podwalk.drills import bank as banks
from podwalk.drills.asking import ask
from podwalk.drills.bank import Bank
from podwalk.drills.grading import grade
from podwalk.drills.memory import Memory
from podwalk.interview import plan, report, state
from podwalk.interview.report import InterviewReport
from podwalk.interview.state import InterviewError, State


def load_bank() -> Bank:
    """All questions: the course's, and the learner's own in $PODWALK_HOME/questions. Raises QuestionError, LabError."""
    return banks.load(catalogue.course_root(), home() / "questions")


def standing(bank: Bank) -> tuple[list[str], dict[str, float]]:
    """What was asked lately, and how much of each layer is known. Raises ProgressError."""
    with Progress(home() / "progress.sqlite") as progress:
        reviews = Memory(progress).reviews()
    scores: dict[str, list[float]] = {}
    layers = {q.id: q.layer for q in bank}
    for _, review in reviews:
        if review.question in layers:
            scores.setdefault(layers[review.question], []).append(review.score)
    return [r.question for _, r in reviews], {layer: sum(s) / len(s) for layer, s in scores.items()}


def report_of(kept: State, bank: Bank) -> InterviewReport:
    """The report, which knows what labs there are and which of them are done. Raises LabError, ProgressError."""
    labs = catalogue.all_labs(catalogue.course_root())
    with Progress(home() / "progress.sqlite") as progress:
        done = {lab.name: progress.standing(lab.name).done for lab in labs}
    return report.make(kept, bank, labs, done)


def last_finished() -> State | None:
    """The newest interview that came to its end; those that are damaged are passed over."""
    for path in reversed(state.every(home())):
        try:
            kept = state.load(path)
        except InterviewError:
            continue
        if kept.ended:
            return kept
    return None


def tick(kept: State, bank: Bank, number: int, ticks: Sequence[bool]) -> None:
    """Looking back, the learner says which points of the rubric the answer had; it counts anew, and is kept.

    ``number``: of the answer, from 0. Raises KeyError where the bank has lost the question, AnswerError where nothing
    was said, InterviewError where it cannot be kept.
    """
    given = kept.given[number]
    asked = ask(plan.resolve(given.question, bank), given.seed)
    outcome = grade(asked, given.text, ticks)
    given.score, given.ticks = outcome.score, list(outcome.ticks)
    state.save(home(), kept)
