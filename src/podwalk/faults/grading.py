"""Grading a live drill against what was really done: layer, object, cause, evidence, and a repair proven by probes.

Pure: everything that was seen comes in as data. The points are those of a hundred; deductions are for what a repair
should not have cost.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from podwalk.faults.model import Fault
from podwalk.faults.probes import PROBES, sick

LAYER, OBJECT, CAUSE, EVIDENCE, FIX = 15, 15, 25, 15, 30
HINTS = (5, 10, 20)
COLLATERAL, RESTARTS = 10, 10
# Points of the repair for each other question that is not answered as it should be.
_ILL = 5
_SEEN_NOT_CITED = 8
_MINUTES = {"junior": 10, "mid": 15, "senior": 20, "netsre": 30}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a learner says about one fault. ``cited`` is the output that is said to prove it."""

    layer: str = ""
    object: str = ""
    cause: str = ""
    cited: str = ""


@dataclass(frozen=True, slots=True)
class After:
    """How the cluster was left: what probes see, changed objects, foreign lines on nodes, share of replaced Pods.

    ``taken_back``: somebody has undone the fault by its record, which repairs nothing.
    """

    seen: Mapping[str, str]
    changed: Sequence[str] = ()
    nodes: Sequence[str] = ()
    replaced: float = 0.0
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class FaultScore:
    """The points of one fault, with a word on each."""

    fault: str
    layer: int
    object: int
    cause: int
    evidence: int
    fix: int
    notes: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """Their sum."""
        return self.layer + self.object + self.cause + self.evidence + self.fix


@dataclass(frozen=True, slots=True)
class Result:
    """A graded drill. ``deductions`` are (what for, points)."""

    faults: tuple[FaultScore, ...]
    deductions: tuple[tuple[str, int], ...]
    seconds: float
    badge: str

    @property
    def points(self) -> int:
        """Of a hundred: the mean of the faults, less the deductions."""
        mean = sum(f.points for f in self.faults) / len(self.faults)
        return max(0, round(mean) - sum(cost for _, cost in self.deductions))

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "points": self.points,
            "badge": self.badge,
            "seconds": round(self.seconds),
            "faults": [{**asdict(f), "points": f.points} for f in self.faults],
            "deductions": [{"for": what, "points": cost} for what, cost in self.deductions],
        }


def minutes(faults: Sequence[Fault]) -> int:
    """The time that is allowed for these faults."""
    return sum(_MINUTES[f.level] for f in faults)


def grade(
    faults: Sequence[Fault],
    answers: Sequence[Answer],
    outputs: Sequence[str],
    hints: int,
    after: After,
    seconds: float,
) -> Result:
    """Grade the answers, in the order of the faults or any other: each goes with the fault that it fits best."""
    given = [*answers, *[Answer()] * (len(faults) - len(answers))][: len(faults)]
    orders = itertools.permutations(given)
    scores = max(
        ([_score(f, a, outputs, after) for f, a in zip(faults, order, strict=True)] for order in orders),
        key=lambda s: sum(x.points for x in s),
    )
    deductions = _deductions(hints, len(faults), after)
    points = sum(s.points for s in scores) / len(scores) - sum(cost for _, cost in deductions)
    return Result(tuple(scores), deductions, seconds, _badge(points, seconds, faults))


def _score(fault: Fault, answer: Answer, outputs: Sequence[str], after: After) -> FaultScore:
    notes = []
    lesson = fault.lesson
    found = any(re.search(p, answer.object, re.I) for p in lesson.objects) if answer.object.strip() else False
    evidence = 0
    if _shows(lesson.token, [answer.cited]):
        evidence = EVIDENCE
    elif _shows(lesson.token, outputs):
        evidence = _SEEN_NOT_CITED
        notes.append("you had the evidence on your screen and did not cite it")
    fix, why = (
        (0, "taken back by `podwalk fault undo`, not repaired") if after.taken_back else repaired(fault, after.seen)
    )
    notes += [why] if why else []
    return FaultScore(
        fault.id,
        LAYER if answer.layer == fault.layer else 0,
        OBJECT if found else 0,
        CAUSE if answer.cause == lesson.cause else 0,
        evidence,
        fix,
        tuple(notes),
    )


def _shows(token: str, texts: Collection[str]) -> bool:
    return any(text.strip() and re.search(token, text, re.M) for text in texts)


def repaired(fault: Fault, seen: Mapping[str, str]) -> tuple[int, str]:
    """The points of the repair, and why they are not all of them.

    Nothing for a symptom that is still there, and nothing for a door that is open now and was closed before.
    """
    ill = sick(seen)
    opened = [name for name in ill if PROBES[name].closed and "HTTP 200" in ill[name]]
    if opened:
        return 0, f"now open, and must be closed: {PROBES[opened[0]].what.replace(' does not get', ' gets')}"
    symptom = [n for n, pattern in fault.shows.items() if not re.fullmatch(PROBES[n].healthy, seen.get(n, ""))]
    if symptom:
        return 0, f"not repaired: {PROBES[symptom[0]].what}: {seen.get(symptom[0], 'not asked')}"
    if ill:
        name = next(iter(ill))
        return max(0, FIX - _ILL * len(ill)), f"repaired, but {PROBES[name].what}: {ill[name]}"
    return FIX, ""


def _deductions(hints: int, faults: int, after: After) -> tuple[tuple[str, int], ...]:
    # Of several faults the gentle hints come first, then the plainer ones.
    costs = [(f"hint {i + 1}", HINTS[min(i // faults, len(HINTS) - 1)]) for i in range(hints)]
    unrelated = [*after.changed, *after.nodes]
    if unrelated:
        more = f" and {len(unrelated) - 1} more" if len(unrelated) > 1 else ""
        costs.append((f"changed what had nothing to do with it: {unrelated[0]}{more}", COLLATERAL))
    if after.replaced >= 0.5:
        costs.append((f"{after.replaced:.0%} of the tramway's Pods were replaced", RESTARTS))
    return tuple(costs)


def _badge(points: float, seconds: float, faults: Sequence[Fault]) -> str:
    if points < 60:
        return ""
    share = seconds / (minutes(faults) * 60)
    return "gold" if share <= 0.5 else "silver" if share <= 1 else "bronze"


def unrelated(before: Mapping[str, Any], after: Mapping[str, Any], allowed: Collection[str]) -> list[str]:
    """The objects (``Kind namespace/name``) that changed, came or went, except those that a repair may change."""
    refs = [ref for ref in {**before, **after} if before.get(ref) != after.get(ref)]
    return sorted(ref for ref in refs if not any(fnmatch.fnmatchcase(ref, pattern) for pattern in allowed))
