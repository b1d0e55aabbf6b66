"""What several tests of drills need: a clock that a test sets, and right and wrong answers to anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from podwalk.drills import asking


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Move it, in the arguments of timedelta."""
        self.now += timedelta(**by)


def right_answer(asked: asking.Asked) -> str:
    """What one has to write."""
    question = asked.question
    if question.choices:
        return " ".join(m for m, at in zip(asked.marks, asked.order, strict=True) if question.choices[at].ok)
    if question.order is not None:
        return " ".join(asked.marks[asked.order.index(i)] for i in range(len(question.order.items)))
    if question.predict is not None:
        return question.predict.answer
    if question.numeric is not None:
        return str(asked.number)
    if question.spot is not None:
        return str(question.spot.lines[0])
    assert question.answer is not None
    return question.answer.en


def wrong_answer(asked: asking.Asked) -> str:
    """What one must not write."""
    if asked.question.choices:
        return next(m for m, at in zip(asked.marks, asked.order, strict=True) if not asked.question.choices[at].ok)
    return " ".join(asked.marks) if asked.question.order is not None else "99"
