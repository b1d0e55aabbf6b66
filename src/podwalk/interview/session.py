"""Holding an interview: what comes next, what was answered, how much time is left. Nothing is told before the end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podwalk.drills.asking import Asked, ask
from podwalk.drills.bank import Bank
from podwalk.drills.grading import Outcome, grade
from podwalk.interview import plan, state
from podwalk.interview.model import Part, Track, tracks
from podwalk.interview.state import Given, InterviewError, State

# After so many of the follow-ups were missed the tree ends: an interviewer would go on to something else.
_MISSES = 2
_MISSED = 0.5


class Interview:
    """One interview. Every answer is on disk before the next question. Methods raise InterviewError."""

    def __init__(self, home: Path, bank: Bank, kept: State, clock: Callable[[], float] = time.monotonic) -> None:
        self.home, self.bank, self.state, self._clock = home, bank, kept, clock
        if kept.track not in tracks():
            raise InterviewError(f"interview {kept.id}: there is no track {kept.track}; known: {', '.join(tracks())}")
        self._since = clock()

    @property
    def track(self) -> Track:
        """Its track."""
        return tracks()[self.state.track]

    @property
    def part(self) -> Part | None:
        """The part that it is in, or None at the end."""
        parts = self.track.parts
        return parts[self.state.part] if self.state.part < len(parts) else None

    @property
    def left(self) -> float:
        """The seconds that are left of this part; below zero when it is over."""
        assert self.part is not None
        return self.part.minutes * 60 - self.state.spent[self.state.part] - self._lately()

    def next(self) -> Asked | None:
        """The next question; None where this part is live, or where the interview is over."""
        while (part := self.part) is not None and part.kind != "live":
            names = self.state.plan[self.state.part]
            if self.state.step < len(names) and self.left > 0:
                try:
                    return ask(plan.resolve(names[self.state.step], self.bank), self.state.seed)
                except KeyError:
                    # The bank has changed since it was drawn.
                    self._skip(names[self.state.step], "it is no longer in the bank")
                    continue
            for name in names[self.state.step :]:
                self._skip(name, state.TIME_UP)
            self._onward()
        return None

    def answer(
        self,
        asked: Asked,
        text: str,
        ticks: Sequence[bool] | None = None,
        *,
        hints: int = 0,
        marks: float | None = None,
    ) -> Outcome:
        """Keep an answer. Raises AnswerError where it is none; then nothing is kept."""
        outcome = grade(asked, text, ticks)
        spent = round(self._lately(), 1)
        given = Given(asked.question.id, asked.seed, text, outcome.score, spent, list(outcome.ticks), hints, marks)
        self._keep(given)
        return outcome

    def pass_by(self, asked: Asked) -> None:
        """The learner does not know, and says so."""
        self._keep(Given(asked.question.id, asked.seed, "", 0.0, round(self._lately(), 1), skipped="passed"))

    def note(self, draft: str) -> None:
        """Keep what stands there so far, so that whoever is interrupted need not write it again."""
        if draft != self.state.draft:
            self.state.draft = draft
            state.save(self.home, self.state)

    def live_done(self, report: Mapping[str, Any] | None, skipped: str = "") -> None:
        """Keep what became of the live part: its report, or why there was none."""
        self.state.live, self.state.live_skipped = (dict(report) if report else None), skipped
        self._count()
        self._onward()

    def finish(self) -> None:
        """It is over."""
        self._count()
        self.state.ended = True
        state.save(self.home, self.state)

    def pause(self) -> None:
        """Keep the time that has passed; it can be resumed."""
        self._count()
        state.save(self.home, self.state)

    def as_kept(self) -> Interview:
        """The same interview as it is on disk: for going on after an answer could not be kept."""
        kept = state.load(state.folder(self.home) / f"{self.state.id}.json")
        return Interview(self.home, self.bank, kept, self._clock)

    def _keep(self, given: Given) -> None:
        self._count()
        self.state.given.append(given)
        self.state.step, self.state.draft = self.state.step + 1, ""
        part = self.part
        if part is not None and part.kind == "tree" and self._missed() >= _MISSES:
            for name in self.state.plan[self.state.part][self.state.step :]:
                self._skip(name, "two were missed before it")
        state.save(self.home, self.state)

    def _missed(self) -> int:
        names = set(self.state.plan[self.state.part])
        return sum(
            1
            for g in self.state.given
            if g.question in names and (g.marks if g.marks is not None else g.score) < _MISSED
        )

    def _skip(self, name: str, why: str) -> None:
        self.state.given.append(Given(name, self.state.seed, "", 0.0, 0.0, skipped=why))
        self.state.step, self.state.draft = self.state.step + 1, ""

    def _onward(self) -> None:
        self._count()
        self.state.part, self.state.step = self.state.part + 1, 0
        state.save(self.home, self.state)

    def _lately(self) -> float:
        return max(0.0, self._clock() - self._since)

    def _count(self) -> None:
        """Add the time since the last count to the part that it was spent in."""
        if self.part is not None:
            self.state.spent[self.state.part] += self._lately()
        self._since = self._clock()


def begin(
    home: Path,
    bank: Bank,
    track: str,
    *,
    seed: int | None = None,
    observed: bool = False,
    seen: Sequence[str] = (),
    weak: Mapping[str, float] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Interview:
    """Draw an interview and keep it. Raises InterviewError for an unknown track or where there is nothing to ask."""
    if track not in tracks():
        raise InterviewError(f"there is no track {track}; known: {', '.join(tracks())}")
    seed = secrets.randbelow(2**31) if seed is None else seed
    drawn = plan.draw(tracks()[track], bank, seed, seen, weak)
    if not any(drawn):
        raise InterviewError(f"the bank has no question for the track {track}; see: podwalk drill list")
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%S}-{track}-{secrets.token_hex(2)}"
    kept = State(
        name, track, seed, now.isoformat(timespec="seconds"), drawn, observed, spent=[0.0] * len(tracks()[track].parts)
    )
    state.folder(home).mkdir(mode=0o700, parents=True, exist_ok=True)
    state.save(home, kept)
    return Interview(home, bank, kept, clock)


def resume(home: Path, bank: Bank, clock: Callable[[], float] = time.monotonic) -> Interview:
    """Go on with the one that was interrupted last. Raises InterviewError where there is none."""
    kept = state.unfinished(home)
    if kept is None:
        raise InterviewError("no interview was interrupted; begin one: podwalk interview junior")
    return Interview(home, bank, kept, clock)
