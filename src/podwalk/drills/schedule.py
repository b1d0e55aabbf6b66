"""When a question comes again: the scheduler FSRS (the package ``fsrs``), with an interview some weeks away in mind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from podwalk.drills.grading import GOOD, Outcome
from podwalk.drills.model import Question

if TYPE_CHECKING:
    from fsrs import Card, Scheduler

AGAIN, HARD, GOOD_, EASY = 1, 2, 3, 4
NAMES = {AGAIN: "again", HARD: "hard", GOOD_: "good", EASY: "easy"}
# Who prepares for an interview wants to have seen everything within two months.
MOST_DAYS = 60
_FAST = 3


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A card after a review. ``data`` is what to keep of it."""

    data: str
    due: datetime


def rating(question: Question, outcome: Outcome, seconds: float, *, hinted: bool = False, sure: bool = False) -> int:
    """FSRS' rating of an answer: wrong is Again; right with a hint, slowly or just so is Hard; fast and sure is Easy.

    Hard never means failure. An answer that passes by the learner's own ticks alone is Hard at best.
    """
    if not outcome.right:
        return AGAIN
    if hinted or seconds > question.seconds or outcome.score < GOOD or outcome.score - outcome.vouched < GOOD / 2:
        return HARD
    if sure and seconds * _FAST <= question.seconds:
        return EASY
    return GOOD_


def review(data: str | None, given: int, now: datetime) -> Scheduled:
    """The card after a review now; ``data``: as it was kept, nothing for a new one.

    A card that was last seen in what is now the future, because a clock was set back, counts as seen now. Raises
    ValueError where ``data`` is no card.
    """
    from fsrs import Rating

    now = now.astimezone(UTC)
    card = _card(data, now)
    if card.last_review is not None and card.last_review > now:
        card.last_review = now
    try:
        card, _ = _scheduler().review_card(card, Rating(given), now)
    except (TypeError, ArithmeticError, AssertionError) as error:
        # The fields have their names and no sense: a stability that is a text, a review without a difficulty.
        raise ValueError(f"no card: {error}") from None
    return Scheduled(json.dumps(card.to_dict()), card.due)


def retrievability(data: str, now: datetime) -> float:
    """How likely it is that the learner still knows it, from 0 to 1. Raises ValueError where ``data`` is no card."""
    return float(_scheduler().get_card_retrievability(_card(data, now), now.astimezone(UTC)))


def latest(now: datetime) -> datetime:
    """No card can be due later than this, unless a clock jumped."""
    return now.astimezone(UTC) + timedelta(days=MOST_DAYS + 1)


def _card(data: str | None, now: datetime) -> Card:
    from fsrs import Card

    if data is None:
        # An id of its own would cost a wait for the clock's next millisecond; ours are the questions'.
        return Card(card_id=0, due=now.astimezone(UTC))
    try:
        found: Any = json.loads(data)
        return Card.from_dict(found)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no card: {error}") from None


def _scheduler() -> Scheduler:
    from fsrs import Scheduler

    # Without fuzz the same answers give the same days, which a learner and a test can rely on.
    return Scheduler(maximum_interval=MOST_DAYS, enable_fuzzing=False)
