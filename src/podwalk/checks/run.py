"""Running one checker: the control first, then the checker, then a report."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import control
from podwalk.checks.lab import Lab, LabFacts
from podwalk.checks.patience import Clock, RealClock
from podwalk.checks.report import Report, StepResult, Verdict
from podwalk.client.sync import SyncClient
from podwalk.matrix import enforced

Checker = Callable[[Lab], None]

_SETTLE_SECONDS = 2.0


def run_check(
    facts: LabFacts, checker: Checker, cluster: Cluster, at_start: list[Object], *, clock: Clock | None = None
) -> Report:
    """The report of one check. The control runs beside the checker; an ill cluster voids what the checker found.

    Nothing a checker does escapes: an exception outside its steps becomes a line that could not tell.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool, cluster.client() as client:
        well = pool.submit(_control, cluster, facts)
        _settle(cluster, client, at_start, (clock or RealClock()).stretched(_SETTLE_SECONDS))
        lab = Lab(facts, cluster, client, at_start, clock)
        results = _run(lab, checker)
        first = well.result()
    if not first.passed:
        results = [_void(r) for r in results]
    return Report(facts.lab, facts.title, (first, *results), time.monotonic() - began)


def _settle(cluster: Cluster, client: SyncClient, at_start: list[Object], seconds: float) -> None:
    """Let the nodes write the rules of policies that were changed a moment ago, where podwalk's own agents do that.

    Else a probe could still meet the rules of before, and find as blocked what is open now. What does not come to rest
    is judged as it is: a broken agent is for the probes to find.
    """
    if cluster.backend != "embedded" or not cluster.status().details.get("options", {}).get("networkPolicy"):
        return
    with suppress(ApiError, BackendError, OSError):
        if any(o["kind"].endswith("NetworkPolicy") for o in at_start) or client.list("NetworkPolicy"):
            enforced.wait(cluster, seconds)


def _control(cluster: Cluster, facts: LabFacts) -> StepResult:
    with cluster.client() as client:
        return control.check(cluster, client, facts.breaks, facts.addons)


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
