"""Questions as data: what a file of drills/questions says, read into types."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LAYERS = ("pod-network", "services", "ingress", "policy", "dns", "troubleshooting", "design")
LEVELS = ("junior", "mid", "senior", "staff", "netsre")
TYPES = ("single", "multi", "order", "predict", "numeric", "free", "spot", "myth", "design", "drill")
LANGUAGES = ("en", "zh")
# Who needs longer than this was slow, in seconds; a question may say otherwise.
_TIMES = {"single": 60, "myth": 60, "multi": 90, "order": 150, "predict": 90, "numeric": 120, "spot": 120}
_FREE_TIME = 600


class QuestionError(Exception):
    """A file of questions is wrong. The message is one line: file: question: field: reason; cure."""


@dataclass(frozen=True, slots=True)
class Words:
    """A text in English, and perhaps in Chinese."""

    en: str
    zh: str = ""

    def of(self, language: str = "en") -> str:
        """The text in a language, or in English where it has not been translated."""
        return self.zh if language == "zh" and self.zh else self.en


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose, whether it is right, and why not."""

    text: Words
    ok: bool = False
    why: Words | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """Things in their right order; ``also``: other right orders, as indices from 0."""

    items: tuple[Words, ...]
    also: tuple[tuple[int, ...], ...] = ()

    @property
    def accepted(self) -> tuple[tuple[int, ...], ...]:
        """Every right order."""
        return (tuple(range(len(self.items))), *self.also)


@dataclass(frozen=True, slots=True)
class Trap:
    """A wrong answer that one may expect, and why it is wrong. ``match``: a pattern or an expression."""

    match: str
    why: Words


@dataclass(frozen=True, slots=True)
class Predict:
    """What an artifact means or what comes next, in a few words. ``match``: exact, regex (by ``pattern``) or set."""

    answer: str
    match: str = "exact"
    pattern: str = ""
    traps: tuple[Trap, ...] = ()


@dataclass(frozen=True, slots=True)
class Numeric:
    """A number that an expression of drawn parameters gives."""

    expr: str
    params: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    tol: float = 0.0
    unit: str = ""
    traps: tuple[Trap, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a rubric. An ``antipattern`` costs its weight where it is said; a ``must`` has to be there."""

    point: Words
    weight: int
    must: bool
    antipattern: bool
    any_of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """A text with one error in it, the lines (from 1) that are a right answer, and the text repaired."""

    text: str
    lines: tuple[int, ...]
    fix: str
    near: Mapping[int, Words] = field(default_factory=dict)

    @property
    def repair(self) -> str:
        """What has to change: lines that go begin with ``-``, lines that come with ``+``."""
        changed = difflib.ndiff(self.text.split("\n"), self.fix.split("\n"))
        return "\n".join(line for line in changed if line[0] in "+-")


@dataclass(frozen=True, slots=True)
class Drill:
    """A live fault and what is true of it."""

    fault: str
    layer: str
    object: str
    cause: Words


@dataclass(frozen=True, slots=True)
class Artifact:
    """What was captured from a running cluster: the command that shows it, and what it showed."""

    name: str
    command: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question; which of the bodies it has depends on its type."""

    id: str
    type: str
    layer: str
    level: str
    exam: tuple[str, ...]
    stem: Words
    explain: Words
    refs: tuple[str, ...]
    path: Path
    hint: Words | None = None
    prereq: tuple[str, ...] = ()
    labs: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    article: bool = False
    imported: bool = False
    time_s: int = 0
    artifact: Artifact | None = None
    choices: tuple[Choice, ...] = ()
    order: Order | None = None
    predict: Predict | None = None
    numeric: Numeric | None = None
    answer: Words | None = None
    rubric: tuple[Point, ...] = ()
    constraints: tuple[Words, ...] = ()
    spot: Spot | None = None
    drill: Drill | None = None

    @property
    def seconds(self) -> int:
        """Who needs longer was slow."""
        return self.time_s or _TIMES.get(self.type, _FREE_TIME)

    @property
    def chosen(self) -> bool:
        """Whether it is answered by choosing."""
        return bool(self.choices)

    @property
    def written(self) -> bool:
        """Whether it is answered in the learner's own words and judged by a rubric."""
        return bool(self.rubric)
