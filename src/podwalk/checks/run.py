"""Running one checker: the control first, then the checker, then a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from podwalk.api.meta import Object
from podwalk.backends.base import Cluster
from podwalk.checks import control
from podwalk.checks.lab import Lab, LabFacts
from podwalk.checks.patience import Clock
from podwalk.checks.report import Report, StepResult, Verdict

Checker = Callable[[Lab], None]


def run_check(
    facts: LabFacts, checker: Checker, cluster: Cluster, at_start: list[Object], *, clock: Clock | None = None
) -> Report:
    """The report of one check. The control runs beside the checker; an ill cluster voids what the checker found.

    Nothing a checker does escapes: an exception outside its steps becomes a line that could not tell.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool, cluster.client() as client:
        well = pool.submit(_control, cluster)
        lab = Lab(facts, cluster, client, at_start, clock)
        results = _run(lab, checker)
        first = well.result()
    if not first.passed:
        results = [_void(r) for r in results]
    return Report(facts.lab, facts.title, (first, *results), time.monotonic() - began)


def _control(cluster: Cluster) -> StepResult:
    with cluster.client() as client:
        return control.check(cluster, client)


def _run(lab: Lab, checker: Checker) -> list[StepResult]:
    try:
        checker(lab)
    except Exception as error:
        # A checker is code of a lab's author: whatever it raises is the lab's fault, and the report must say so.
        reason = f"the checker stumbled (a bug of the lab): {type(error).__name__}: {error}"
        lab.results.append(StepResult("the checker", "step", Verdict.COULD_NOT_TELL, reason=reason))
    return lab.results


def _void(result: StepResult) -> StepResult:
    reason = "the cluster is not well"
    return StepResult(result.title, result.kind, Verdict.NOT_TRIED, 0, result.possible, None, reason)
