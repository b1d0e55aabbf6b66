"""What a check found, as plain data: the terminal, the notebooks and CI render the same report.

There are three verdicts on a step that was tried. "Could not tell" exists because a grader that blames the learner for
an ill cluster is worse than none; a step that needs an earlier one is not tried at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

StepKind = Literal["control", "step", "guard"]


class Verdict(StrEnum):
    """The outcome of a step, and of a report (which is never "not tried")."""

    PASS = "pass"
    NOT_YET = "not yet"
    COULD_NOT_TELL = "could not tell"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation that was not met.

    ``see_it`` is a command that shows the learner the same; ``died`` says where the packet ended, if that is known.
    """

    expected: str
    observed: str
    see_it: str = ""
    died: str = ""


@dataclass(frozen=True, slots=True)
class StepResult:
    """One line of the report. ``reason`` is set where the step was not tried or nothing could be told."""

    title: str
    kind: StepKind
    verdict: Verdict
    points: int = 0
    possible: int = 0
    finding: Finding | None = None
    reason: str = ""
    nudge: str = ""

    @property
    def passed(self) -> bool:
        """Whether the verdict is "pass"."""
        return self.verdict is Verdict.PASS


@dataclass(frozen=True, slots=True)
class Report:
    """The whole check of one lab. ``lab`` is ``layer/id``."""

    lab: str
    title: str
    steps: tuple[StepResult, ...]
    seconds: float = 0.0
    hint_command: str = field(default="podwalk lab hint")

    def told(self, words: Callable[[str], str]) -> Report:
        """The same with all that is said in other words: the names of namespaces as the learner knows them."""
        return replace(self, steps=tuple(_told(step, words) for step in self.steps))

    @property
    def verdict(self) -> Verdict:
        """Pass only if everything passed; what is certainly missing outweighs what could not be told."""
        verdicts = {step.verdict for step in self.steps}
        control_failed = any(s.kind == "control" and not s.passed for s in self.steps)
        if control_failed or not any(s.kind == "step" for s in self.steps):
            return Verdict.COULD_NOT_TELL
        for verdict in (Verdict.NOT_YET, Verdict.COULD_NOT_TELL):
            if verdict in verdicts:
                return verdict
        return Verdict.PASS if verdicts == {Verdict.PASS} else Verdict.COULD_NOT_TELL

    @property
    def passed(self) -> bool:
        """Whether the lab is done."""
        return self.verdict is Verdict.PASS

    @property
    def guard_broken(self) -> bool:
        """Whether something was changed that the ticket asked to leave alone."""
        return any(s.kind == "guard" and s.verdict is Verdict.NOT_YET for s in self.steps)

    @property
    def points(self) -> int:
        """The points earned. A broken guard holds all of them back: the symptom went, but not by a repair."""
        return 0 if self.guard_broken else sum(s.points for s in self.steps)

    @property
    def possible(self) -> int:
        """The points of a pass."""
        return sum(s.possible for s in self.steps)

    @property
    def next(self) -> str:
        """The question of the first step that is not yet met, or an empty string."""
        return next((s.nudge for s in self.steps if s.verdict is Verdict.NOT_YET and s.nudge), "")

    def step(self, title: str) -> StepResult:
        """The step of this title. Raises KeyError, naming the titles there are."""
        for result in self.steps:
            if result.title == title:
                return result
        raise KeyError(f"{self.lab} has no step {title!r}, but: {', '.join(s.title for s in self.steps)}")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data, derived values included."""
        return {
            "lab": self.lab,
            "title": self.title,
            "verdict": str(self.verdict),
            "points": self.points,
            "possible": self.possible,
            "next": self.next,
            "seconds": round(self.seconds, 3),
            "steps": [{**asdict(s), "verdict": str(s.verdict)} for s in self.steps],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Report:
        """The inverse of :meth:`to_dict`. Raises KeyError or ValueError on other data."""
        steps = tuple(
            StepResult(
                **{
                    **step,
                    "verdict": Verdict(step["verdict"]),
                    "finding": Finding(**step["finding"]) if step["finding"] else None,
                }
            )
            for step in data["steps"]
        )
        return cls(data["lab"], data["title"], steps, float(data["seconds"]))


def _told(step: StepResult, words: Callable[[str], str]) -> StepResult:
    found = step.finding
    if found is not None:
        found = Finding(words(found.expected), words(found.observed), words(found.see_it), words(found.died))
    return replace(step, finding=found, reason=words(step.reason), nudge=words(step.nudge))
