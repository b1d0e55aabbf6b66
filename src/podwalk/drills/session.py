"""A sitting: which questions, in which order, and what becomes of the answers. Terminal and notebook share it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from podwalk.drills import asking, schedule
from podwalk.drills.asking import Asked
from podwalk.drills.bank import Bank
from podwalk.drills.grading import Outcome, grade
from podwalk.drills.memory import Memory, Review
from podwalk.drills.model import LAYERS, LEVELS, Question


@dataclass(frozen=True, slots=True)
class Graded:
    """An answer judged and remembered."""

    asked: Asked
    outcome: Outcome
    rating: int
    due: datetime
    again: bool


@dataclass(slots=True)
class Session:
    """A sitting over a bank. ``next`` gives a question until there are none; ``answer`` judges what was said to it.

    Every answer is kept as it is given, so a sitting that is broken off loses nothing.
    """

    bank: Bank
    memory: Memory
    plan: list[Question]
    seed: int
    language: str = "en"
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    graded: list[Graded] = field(default_factory=list)
    _missed: list[Question] = field(default_factory=list)
    _asked: int = 0

    @property
    def position(self) -> int:
        """The number of the question that was asked last, from 1."""
        return min(self._asked, len(self.plan))

    def next(self) -> Asked | None:
        """The next question; when all were asked, those that were missed once more; then none."""
        if self._asked < len(self.plan):
            question = self.plan[self._asked]
        elif self._missed:
            question = self._missed.pop(0)
        else:
            return None
        self._asked += 1
        return asking.ask(question, (self.seed + self._asked) % asking.MOST_SEED, self.language)

    @property
    def repeating(self) -> bool:
        """Whether the question that was asked last has been asked in this sitting before."""
        return self._asked > len(self.plan)

    def answer(
        self,
        asked: Asked,
        text: str,
        seconds: float,
        *,
        hinted: bool = False,
        sure: bool = False,
        ticks: Sequence[bool] | None = None,
    ) -> Graded:
        """Judge and keep an answer. Raises AnswerError, and then nothing was kept."""
        outcome = grade(asked, text, ticks)
        seconds = max(seconds, 0.0)
        given = schedule.rating(asked.question, outcome, seconds, hinted=hinted, sure=sure)
        review = Review(
            self.id, asked.question.id, given, outcome.score, seconds, int(hinted), sure, asked.seed, text.strip()
        )
        due = self.memory.record(review, self.clock())
        again = not outcome.right and not self.repeating
        if again:
            self._missed.append(asked.question)
        graded = Graded(asked, outcome, given, due, again)
        self.graded.append(graded)
        return graded


def begin(
    bank: Bank,
    memory: Memory,
    count: int,
    *,
    seed: int | None = None,
    language: str = "en",
    clock: Callable[[], datetime] | None = None,
) -> Session:
    """A sitting of at most ``count`` questions: what is due first, then new ones, layer by layer in turn."""
    clock = clock or (lambda: datetime.now(UTC))
    seed = random.SystemRandom().randrange(asking.MOST_SEED) if seed is None else seed
    return Session(bank, memory, draw(bank, memory, count, clock(), seed), seed, language, clock)


def draw(bank: Bank, memory: Memory, count: int, now: datetime, seed: int) -> list[Question]:
    """The questions of a sitting. Live drills are none of them: they need a cluster."""
    asked = {q.id: q for q in bank if q.type != "drill"}
    due = [asked[name] for name in memory.due(now) if name in asked][:count]
    random.Random(seed).shuffle(due)
    seen = set(memory.seen())
    known = seen | {q.id for q in due}
    fresh = _interleaved([q for q in asked.values() if q.id not in seen], seed)
    plan = list(due)
    waiting: list[Question] = []
    for question in fresh:
        if len(plan) >= count:
            break
        # What a question builds on comes first, unless the learner has asked for a part that lacks it.
        if all(name in known or name not in asked for name in question.prereq):
            plan.append(question)
            known.add(question.id)
        else:
            waiting.append(question)
    plan += waiting[: count - len(plan)]
    return plan


def _interleaved(questions: list[Question], seed: int) -> list[Question]:
    """Level by level; within one, the layers in turn, for mixing is what makes the difference stick."""
    rng = random.Random(seed)
    out: list[Question] = []
    for level in LEVELS:
        piles = [[q for q in questions if q.level == level and q.layer == layer] for layer in LAYERS]
        piles = [pile for pile in piles if pile]
        rng.shuffle(piles)
        while piles:
            out += [pile.pop(0) for pile in piles]
            piles = [pile for pile in piles if pile]
    return out
