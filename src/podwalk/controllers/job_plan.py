"""What a Job's Pods say about it, and the Pods it wants. Pure.

Upstream: job_controller.go, pod_failure_policy.go, success_policy.go and backoff_utils.go of pkg/controller/job.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import job_indexes
from podwalk.controllers import pods as podutil

FINALIZER = "batch.kubernetes.io/job-tracking"
_INDEX_ENV = "JOB_COMPLETION_INDEX"
_LONGEST_BACKOFF = 600.0


@dataclass(frozen=True, slots=True)
class Finish:
    """The condition that ends a Job: SuccessCriteriaMet or FailureTarget, which Complete or Failed follows."""

    kind: str
    reason: str
    message: str

    @property
    def failed(self) -> bool:
        """Whether the Job fails."""
        return self.kind == "FailureTarget"


def number(job: Object, field: str, otherwise: int = 0) -> int:
    """A number of the spec."""
    value = job["spec"].get(field)
    return otherwise if value is None else int(value)


def is_indexed(job: Object) -> bool:
    """Whether each completion has a number of its own."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def is_suspended(job: Object) -> bool:
    """``spec.suspend``."""
    return bool(job["spec"].get("suspend"))


def condition(status: Object, kind: str) -> Object | None:
    """The condition of this type, where it is True."""
    for one in status.get("conditions") or ():
        if one.get("type") == kind and one.get("status") == "True":
            return dict(one)
    return None


def is_finished(job: Object) -> bool:
    """Whether the Job is Complete or Failed."""
    status = job.get("status") or {}
    return condition(status, "Complete") is not None or condition(status, "Failed") is not None


def set_condition(status: Object, kind: str, value: str, reason: str = "", message: str = "") -> bool:
    """Add or change a condition; one that is not there is not added as False. Whether anything changed."""
    conditions = status.setdefault("conditions", [])
    old = next((c for c in conditions if c["type"] == kind), None)
    if old is None and value == "False":
        if not conditions:
            del status["conditions"]
        return False
    if old is not None and (old["status"], old.get("reason", ""), old.get("message", "")) == (value, reason, message):
        return False
    now = meta.now()
    fresh = {"type": kind, "status": value, "lastProbeTime": now, "lastTransitionTime": now}
    fresh.update({k: v for k, v in (("reason", reason), ("message", message)) if v})
    if old is None:
        conditions.append(fresh)
    else:
        old.clear()
        old.update(fresh)
    return True


def has_finalizer(pod: Object) -> bool:
    """Whether the Job has not yet counted this Pod."""
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def replaces_only_failed(job: Object) -> bool:
    """Whether a Pod on its way out counts only once it has failed."""
    return bool(job["spec"].get("podReplacementPolicy") == "Failed") or bool(job["spec"].get("podFailurePolicy"))


def is_failed(job: Object, pod: Object) -> bool:
    """Whether the Pod counts as failed; one that is deleted never gets the chance to say so."""
    phase = podutil.phase(pod)
    if phase == "Failed":
        return True
    return not replaces_only_failed(job) and meta.is_deleting(pod) and phase != "Succeeded"


def is_valid(job: Object, pod: Object) -> bool:
    """Whether the Pod counts at all: one of an Indexed Job needs an index in range."""
    return not is_indexed(job) or 0 <= job_indexes.index_of(pod) < number(job, "completions")


def failure_action(job: Object, pod: Object) -> tuple[str, str]:
    """(action, message) of the first rule of podFailurePolicy that matches; ("Count", "") where none does."""
    for index, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        why = _exit_codes(rule.get("onExitCodes"), pod) or _pod_conditions(rule.get("onPodConditions"), pod)
        if why:
            where = f"Pod {meta.key(pod)} has condition {why[0]}"
            if len(why) == 2:
                where = f"Container {why[0]} for pod {meta.key(pod)} failed with exit code {why[1]}"
            return str(rule.get("action")), f"{where} matching {rule.get('action')} rule at index {index}"
    return "Count", ""


def _exit_codes(wanted: Object | None, pod: Object) -> tuple[str, ...]:
    if not wanted:
        return ()
    status = pod.get("status") or {}
    for one in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]:
        code = int(((one.get("state") or {}).get("terminated") or {}).get("exitCode") or 0)
        if code == 0 or wanted.get("containerName") not in (None, one.get("name")):
            continue
        if (code in (wanted.get("values") or ())) == (wanted.get("operator") == "In"):
            return str(one.get("name")), str(code)
    return ()


def _pod_conditions(wanted: Iterable[Object] | None, pod: Object) -> tuple[str, ...]:
    for one in (pod.get("status") or {}).get("conditions") or ():
        for pattern in wanted or ():
            if one.get("type") == pattern.get("type") and one.get("status") == (pattern.get("status") or "True"):
                return (str(one["type"]),)
    return ()


def restarts(pods: Iterable[Object]) -> int:
    """How often containers of running Pods were restarted (what backoffLimit means for restartPolicy OnFailure)."""
    total = 0
    for pod in pods:
        if podutil.phase(pod) in ("Running", "Pending"):
            status = pod.get("status") or {}
            listed = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
            total += sum(int(s.get("restartCount") or 0) for s in listed)
    return total


def failure(job: Object, status: Object, pods: list[Object], failed: int, now: datetime) -> Finish | None:
    """Why the Job has to fail, or None where it may go on."""
    for pod in pods if job["spec"].get("podFailurePolicy") else ():
        if is_failed(job, pod):
            action, message = failure_action(job, pod)
            if action == "FailJob":
                return Finish("FailureTarget", "PodFailurePolicy", message)
    limit = number(job, "backoffLimit", 6)
    over = failed > limit
    if job["spec"]["template"]["spec"].get("restartPolicy") == "OnFailure":
        again = restarts(pods)
        over = over or (again > 0 if limit == 0 else again >= limit)
    if over:
        return Finish("FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = deadline_left(job, status, now)
    if left is not None and left <= 0:
        return Finish("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline")
    return None


def deadline_left(job: Object, status: Object, now: datetime) -> float | None:
    """Seconds until activeDeadlineSeconds is over, or None where nothing runs out."""
    if job["spec"].get("activeDeadlineSeconds") is None or not status.get("startTime") or is_suspended(job):
        return None
    end = meta.parse_time(status["startTime"]) + timedelta(seconds=number(job, "activeDeadlineSeconds"))
    return (end - now).total_seconds()


def success_policy(job: Object, succeeded: set[int]) -> Finish | None:
    """The first rule of successPolicy that the succeeded indexes meet."""
    for position, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        listed, count = rule.get("succeededIndexes"), rule.get("succeededCount")
        met = succeeded
        if listed is not None:
            wanted = job_indexes.parse(listed, number(job, "completions"))
            met = succeeded & wanted
            if count is None and not wanted <= succeeded:
                continue
        if count is not None and len(met) < int(count):
            continue
        return Finish("SuccessCriteriaMet", "SuccessPolicy", f"Matched rules at index {position}")
    return None


def wanted_active(job: Object, succeeded: int, active: int) -> int:
    """How many Pods should run now."""
    parallelism = number(job, "parallelism", 1)
    if job["spec"].get("completions") is None:
        # Work queue: after one success no new Pod is started.
        return active if succeeded > 0 else parallelism
    return max(0, min(number(job, "completions") - succeeded, parallelism))


def is_complete(job: Object, succeeded: int, active: int) -> bool:
    """Whether nothing is left to do."""
    if job["spec"].get("completions") is None:
        return succeeded > 0 and active == 0
    return succeeded >= number(job, "completions") and active == 0


def pod_for(job: Object, index: int | None) -> Object:
    """The Pod to create, for an index where the Job is Indexed."""
    pod = podutil.from_template(job["spec"]["template"], job)
    metadata, spec = pod["metadata"], pod["spec"]
    finalizers = metadata.setdefault("finalizers", [])
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)
    if index is None:
        return pod
    metadata["generateName"] = f"{meta.name(job)}-{index}-"
    metadata.setdefault("annotations", {})[job_indexes.ANNOTATION] = str(index)
    metadata.setdefault("labels", {})[job_indexes.ANNOTATION] = str(index)
    spec["hostname"] = f"{meta.name(job)}-{index}"
    path = f"metadata.labels['{job_indexes.ANNOTATION}']"
    for container in [*spec.get("containers", ()), *(spec.get("initContainers") or ())]:
        env = container.setdefault("env", [])
        if all(one.get("name") != _INDEX_ENV for one in env):
            field = {"apiVersion": "v1", "fieldPath": path}
            env.append({"name": _INDEX_ENV, "valueFrom": {"fieldRef": copy.deepcopy(field)}})
    return pod


def finish_time(pod: Object) -> datetime | None:
    """When the last container of an ended Pod ended, or when the Pod was deleted."""
    times = []
    for one in (pod.get("status") or {}).get("containerStatuses") or ():
        at = ((one.get("state") or {}).get("terminated") or {}).get("finishedAt")
        if at:
            times.append(meta.parse_time(at))
    if times:
        return max(times)
    ready = meta.condition(pod, "Ready") or {}
    at = pod["metadata"].get("deletionTimestamp") or ready.get("lastTransitionTime")
    return meta.parse_time(at) if at else None


@dataclass(frozen=True, slots=True)
class Backoff:
    """Failures since the last success, and when the last one was."""

    failures: int = 0
    last: datetime | None = None

    def after(self, succeeded: Iterable[Object], failed: Iterable[Object], now: datetime) -> Backoff:
        """The record once these Pods have ended too."""
        good = max((finish_time(p) or now for p in succeeded), default=None)
        times = [finish_time(p) or now for p in failed]
        count = 0 if good is not None else self.failures
        count += sum(good is None or at >= good for at in times)
        last = max([*times, *([self.last] if self.last else ())], default=None)
        return Backoff(count, last)

    def left(self, first: float, now: datetime) -> float:
        """Seconds until the next Pod may start: ``first`` doubled with each failure, ten minutes at most."""
        if self.failures == 0 or self.last is None:
            return 0.0
        wait = min(first * float(1 << min(self.failures - 1, 20)), _LONGEST_BACKOFF)
        return max(0.0, wait - (now - self.last).total_seconds())
