"""Marks of a class from its sealed results: rows for a sheet, and the sums.

Only what a seal confirms counts. The points of a lab are those of the instructor's own labs at most, whatever a file
says: a learner owns their progress file and may have written into it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from podwalk import __version__
from podwalk.checks.report import Verdict
from podwalk.classroom.folder import ClassDir
from podwalk.classroom.roster import Learner
from podwalk.classroom.seal import FORMAT, Opened, read

COLUMNS = (
    "learner",
    "user",
    "file",
    "collected",
    "lab",
    "points",
    "possible",
    "done",
    "started_at",
    "passed_at",
    "checks",
    "hints",
    "solution_shown",
    "recheck",
    "evidence",
)
# A cell that begins so is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Mark:
    """What one learner has in one lab. ``recheck``: the verdict at collection, empty where the lab did not run then."""

    lab: str
    points: int
    possible: int
    done: bool
    started_at: str
    passed_at: str
    checks: int
    hints: int
    solution_shown: bool
    recheck: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grade:
    """One learner. ``file``: the state of their sealed file; unless it is "sealed" there are no marks."""

    learner: Learner
    file: str
    why: str
    collected: str = ""
    marks: tuple[Mark, ...] = field(default=())

    @property
    def points(self) -> int:
        """The sum over the labs."""
        return sum(mark.points for mark in self.marks)


def body(learner: Learner, results: Mapping[str, Any], at: str) -> dict[str, Any]:
    """What is sealed for a learner."""
    return {
        "format": FORMAT,
        "podwalk": __version__,
        "learner": learner.name,
        "user": learner.user,
        "collected": at,
        "results": dict(results),
    }


def grade(folder: ClassDir, learners: Sequence[Learner], key: bytes, possible: Mapping[str, int]) -> list[Grade]:
    """Open each learner's file and mark it. ``possible``: the points of each lab here; other labs do not count."""
    return [_grade(one, read(folder.results / f"{one.name}.json", one.name, key), possible) for one in learners]


def _grade(learner: Learner, opened: Opened, possible: Mapping[str, int]) -> Grade:
    if opened.state != "sealed":
        return Grade(learner, opened.state, opened.why)
    labs = opened.body.get("results", {}).get("labs", [])
    try:
        marks = tuple(_mark(lab, possible[lab["lab"]]) for lab in labs if lab["lab"] in possible)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Sealed as the learner's process gave it, which was not this installation's code or not this data.
        return Grade(learner, "unreadable", f"was collected in another shape ({error!r}); look into their folder")
    return Grade(learner, "sealed", "", str(opened.body.get("collected", "")), marks)


def _mark(lab: Mapping[str, Any], possible: int) -> Mark:
    recheck = lab.get("recheck") or {}
    return Mark(
        lab=str(lab["lab"]),
        points=max(0, min(int(lab["points"]), possible)),
        possible=possible,
        done=bool(lab["done"]),
        started_at=str(lab["startedAt"] or ""),
        passed_at=str(lab["passedAt"] or ""),
        checks=int(lab["checks"]),
        hints=int(lab["hints"]),
        solution_shown=bool(lab["solutionShown"]),
        recheck=str(recheck.get("verdict", "")),
        evidence=tuple(_lines(recheck.get("evidence") or lab["evidence"], recheck.get("why", ""))),
    )


def _lines(evidence: Iterable[Mapping[str, Any]], why: str) -> Iterable[str]:
    if why:
        yield f"recheck: {why}"
    for step in evidence:
        sign = "✔" if step["verdict"] == Verdict.PASS else "✘"
        found = f": {step['found']}" if step["found"] else ""
        yield f"{sign} {step['step']}{found}"


def sheet(grades: Iterable[Grade]) -> str:
    """CSV (RFC 4180) with a line for each learner and lab; one line for whoever has no lab."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in grades:
        for mark in one.marks or (None,):
            writer.writerow([_safe(cell) for cell in _cells(one, mark)])
    return out.getvalue()


def _cells(one: Grade, mark: Mark | None) -> list[str]:
    who = [one.learner.name, one.learner.user, one.file, one.collected]
    if mark is None:
        return [*who, "", "0", "", "", "", "", "", "", "", "", one.why]
    facts = (mark.lab, mark.points, mark.possible, _yes(mark.done), mark.started_at, mark.passed_at, mark.checks)
    rest = (mark.hints, _yes(mark.solution_shown), mark.recheck, "\n".join(mark.evidence))
    return [*who, *(str(fact) for fact in (*facts, *rest))]


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
