"""When a CronJob starts its Jobs, and what they look like. Pure. Upstream: utils.go of pkg/controller/cronjob."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from podwalk.api import meta
from podwalk.api.cron import Schedule
from podwalk.api.meta import Object
from podwalk.controllers import job_plan

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_MANY = 100


@dataclass(frozen=True, slots=True)
class Due:
    """The latest time that was not met yet (None where none is due), and whether far too many were missed."""

    at: datetime | None = None
    many: bool = False


def zone(cronjob: Object) -> ZoneInfo | None:
    """The time zone of the schedule, None for the machine's own. Raises KeyError or ValueError on an unknown one."""
    name = cronjob["spec"].get("timeZone")
    return ZoneInfo(name) if name else None


def due(cronjob: Object, schedule: Schedule, now: datetime) -> Due:
    """What should have started since the last time, or since the CronJob was made."""
    last = (cronjob.get("status") or {}).get("lastScheduleTime")
    earliest = meta.parse_time(last or cronjob["metadata"]["creationTimestamp"]).astimezone(now.tzinfo)
    deadline = cronjob["spec"].get("startingDeadlineSeconds")
    if deadline is not None:
        earliest = max(earliest, now - timedelta(seconds=int(deadline)))
    first = schedule.next(earliest)
    if first is None or first > now:
        return Due()
    second = schedule.next(first)
    if second is None or second > now:
        return Due(first)
    # Many were missed: only the last ones are counted out, beginning where the rhythm says they must be.
    rhythm = second - first
    missed = (now - first) // rhythm + 1
    at = max(first, first + rhythm * (missed - 2))
    latest = first
    while at is not None and at <= now:
        latest, following = at, schedule.next(at)
        if following is None:
            break
        at = following
    if latest not in (first, second):
        # A computed time need not be one of the schedule.
        latest = _latest(schedule, latest - 2 * rhythm, now) or latest
    return Due(latest, missed > _MANY and deadline is None)


def _latest(schedule: Schedule, since: datetime, now: datetime) -> datetime | None:
    found, at = None, schedule.next(since)
    while at is not None and at <= now:
        found, at = at, schedule.next(at)
    return found


def job_name(cronjob: Object, at: datetime) -> str:
    """The name of the Job of a scheduled time: it is the lock against starting it twice."""
    return f"{meta.name(cronjob)}-{int(at.timestamp()) // 60}"


def job_for(cronjob: Object, at: datetime) -> Object:
    """The Job to create."""
    template = cronjob["spec"]["jobTemplate"]
    wanted = template.get("metadata") or {}
    annotations = dict(wanted.get("annotations") or {})
    zoned = at.astimezone(zone(cronjob) or UTC)
    text = zoned.isoformat(timespec="seconds")
    annotations[SCHEDULED_AT] = text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
    metadata: Object = {
        "name": job_name(cronjob, at),
        "namespace": meta.namespace(cronjob),
        "annotations": annotations,
        "ownerReferences": [meta.owner_reference(cronjob)],
    }
    if wanted.get("labels"):
        metadata["labels"] = dict(wanted["labels"])
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": copy.deepcopy(template["spec"])}


def reference(job: Object) -> Object:
    """How a running Job stands in ``status.active``."""
    return {
        "kind": "Job",
        "namespace": meta.namespace(job),
        "name": meta.name(job),
        "uid": meta.uid(job),
        "apiVersion": "batch/v1",
        "resourceVersion": job["metadata"].get("resourceVersion"),
    }


def outcome(job: Object) -> str:
    """``Complete``, ``Failed``, or an empty string while the Job runs."""
    status = job.get("status") or {}
    return next((kind for kind in ("Complete", "Failed") if job_plan.condition(status, kind)), "")


def outdated(cronjob: Object, jobs: Iterable[Object]) -> list[Object]:
    """Finished Jobs beyond the history limits, the oldest first."""
    out: list[Object] = []
    ended = sorted(
        (j for j in jobs if outcome(j)), key=lambda j: ((j.get("status") or {}).get("startTime") or "", meta.name(j))
    )
    for kind, field in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
        limit = cronjob["spec"].get(field)
        same = [j for j in ended if outcome(j) == kind]
        if limit is not None:
            out += same[: max(0, len(same) - int(limit))]
    return out
