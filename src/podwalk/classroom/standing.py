"""What one learner has reached and where they are, read from a ``$PODWALK_HOME``. Runs with the learner's account."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podwalk.backends.base import BackendError
from podwalk.backends.embedded import EmbeddedBackend, EmbeddedCluster
from podwalk.checks.report import Report, StepResult, Verdict
from podwalk.cluster.state import ClusterDir
from podwalk.course import catalogue
from podwalk.course.engine import Course, CourseError
from podwalk.course.progress import Progress, ProgressError
from podwalk.course.schema import LabError

CLUSTER = "podwalk"
Results = dict[str, Any]


def standing(home: Path, *, recheck: bool = False) -> Results:
    """JSON-ready: ``labs`` (each with points, times and evidence), ``chapters``, ``cluster`` and ``now``.

    ``recheck``: first check every lab that runs, with this installation's checkers. Raises ProgressError, BackendError.
    """
    if not (home / "progress.sqlite").exists():
        return {"labs": [], "chapters": {}, "cluster": _cluster(home), "now": None}
    with Progress(home / "progress.sqlite") as progress:
        checked = _recheck(progress) if recheck else {}
        names = progress.rows("SELECT lab FROM attempts UNION SELECT lab FROM checks UNION SELECT lab FROM hints")
        labs = [_lab(progress, name, checked.get(name)) for (name,) in sorted(names)]
        return {
            "labs": labs,
            "chapters": progress.chapters(),
            "cluster": _cluster(home),
            "now": _now(progress, home),
            "notice": progress.notice,
        }


def _cluster(home: Path) -> Results:
    state = ClusterDir(home, CLUSTER).read()
    alive = state is not None and bool(state.node_pids)
    return {"running": alive, "nodes": len(state.node_pids) if state is not None else 0}


def _lab(progress: Progress, name: str, recheck: Results | None) -> Results:
    reached = progress.standing(name)
    passed = progress.rows("SELECT MIN(at) FROM checks WHERE lab = ? AND verdict = 'pass' AND solved = 0", name)[0][0]
    begun = progress.rows("SELECT MIN(started) FROM attempts WHERE lab = ?", name)[0][0]
    report = _best(progress, name)
    return {
        "lab": name,
        **reached.to_dict(),
        "startedAt": begun,
        "passedAt": passed,
        "evidence": _evidence(report) if report else [],
        "recheck": recheck,
    }


def _best(progress: Progress, name: str) -> Report | None:
    """The report that the points are for; before a pass, the last one."""
    rows = progress.rows(
        "SELECT report FROM checks WHERE lab = ?"
        " ORDER BY (solved = 0 AND verdict = 'pass') DESC,"
        " CASE WHEN solved = 0 AND verdict = 'pass' THEN points END DESC, id DESC LIMIT 1",
        name,
    )
    return Report.from_dict(json.loads(rows[0][0])) if rows else None


def _evidence(report: Report) -> list[Results]:
    return [
        {
            "step": step.title,
            "kind": step.kind,
            "verdict": str(step.verdict),
            "points": step.points,
            "found": _found(step),
        }
        for step in report.steps
    ]


def _found(step: StepResult) -> str:
    if step.finding is None:
        return step.reason
    return f"expected {step.finding.expected}; observed {step.finding.observed}"


def _recheck(progress: Progress) -> dict[str, Results]:
    """Judge each lab that runs on this learner's cluster."""
    found: EmbeddedCluster | None = EmbeddedBackend().find(CLUSTER)
    if found is None:
        return {}
    course = Course(found, progress)
    root, judged = catalogue.course_root(), {}
    for name in course.running():
        at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            report = course.check(catalogue.find(root, name))
        except (CourseError, LabError, BackendError, ProgressError) as error:
            judged[name] = {"at": at, "verdict": str(Verdict.COULD_NOT_TELL), "points": 0, "why": str(error)}
        else:
            judged[name] = {
                "at": at,
                "verdict": str(report.verdict),
                "points": report.points,
                "evidence": _evidence(report),
            }
    return judged


def _now(progress: Progress, home: Path) -> Results | None:
    """Where the learner is: the lab started last on the cluster that runs, and the step that fails, since when."""
    state = ClusterDir(home, CLUSTER).read()
    if state is None:
        return None
    # Attempts on a cluster that has gone stay open; those that are older than this one are of no cluster any more.
    since = datetime.fromtimestamp(state.started, UTC).isoformat(timespec="milliseconds")
    rows = progress.rows(
        "SELECT id, lab, started FROM attempts WHERE ended IS NULL AND started >= ? ORDER BY id DESC LIMIT 1", since
    )
    if not rows:
        return None
    attempt, lab, started = rows[0]
    checks = progress.rows("SELECT at, verdict FROM checks WHERE attempt = ? ORDER BY id", attempt)
    failing_since = None
    for at, verdict in checks:
        failing_since = None if verdict == Verdict.PASS else failing_since or at
    last = progress.last_report(lab) if checks else None
    return {
        "lab": lab,
        "since": started,
        "checks": len(checks),
        "verdict": checks[-1][1] if checks else None,
        "step": next((s.title for s in last.steps if s.verdict is Verdict.NOT_YET), None) if last else None,
        "failingSince": failing_since,
        "hints": progress.hints_taken(lab),
    }
