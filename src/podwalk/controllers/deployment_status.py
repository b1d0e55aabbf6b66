"""A Deployment's status and its conditions: Available, Progressing, ReplicaFailure. Pure.

Upstream: pkg/controller/deployment/progress.go and util/deployment_util.go, with their reasons and messages.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import deployment_plan as plan

TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"
NEW_RS_AVAILABLE = "NewReplicaSetAvailable"
_NO_DEADLINE = 2**31 - 1


def condition(status: Object, kind: str) -> Object | None:
    """The condition of this type."""
    return next((c for c in status.get("conditions") or () if c.get("type") == kind), None)


def set_condition(status: Object, kind: str, value: str, reason: str, message: str) -> None:
    """Set a condition; one with the same status and reason stays as it is, text and times included."""
    old = condition(status, kind)
    if old is not None and (old.get("status"), old.get("reason")) == (value, reason):
        return
    now = meta.now()
    same = old is not None and old.get("status") == value
    fresh = {
        "type": kind,
        "status": value,
        "lastUpdateTime": now,
        "lastTransitionTime": old["lastTransitionTime"] if old is not None and same else now,
        "reason": reason,
        "message": message,
    }
    remove_condition(status, kind)
    status.setdefault("conditions", []).append(fresh)


def remove_condition(status: Object, kind: str) -> None:
    """Drop a condition."""
    if "conditions" in status:
        status["conditions"] = [c for c in status["conditions"] if c.get("type") != kind]


def deadline(deployment: Object) -> int | None:
    """``spec.progressDeadlineSeconds``, or None where no progress is estimated."""
    value = deployment["spec"].get("progressDeadlineSeconds")
    return None if value is None or int(value) >= _NO_DEADLINE else int(value)


def calculate(deployment: Object, sets: Iterable[Object], new: Object | None, draft: Object) -> Object:
    """The status from the ReplicaSets; the conditions of ``draft`` are kept, Available is brought up to date."""
    all_sets = list(sets)
    available = plan.status_sum(all_sets, "availableReplicas")
    counts = {
        "replicas": plan.status_sum(all_sets, "replicas"),
        "updatedReplicas": plan.status_sum([new] if new else [], "replicas"),
        "readyReplicas": plan.status_sum(all_sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, plan.total(all_sets) - available),
    }
    out: Object = {"observedGeneration": deployment["metadata"].get("generation", 0)}
    out.update({k: v for k, v in counts.items() if v})
    out["terminatingReplicas"] = plan.status_sum(all_sets, "terminatingReplicas")
    if draft.get("collisionCount") is not None:
        out["collisionCount"] = draft["collisionCount"]
    out["conditions"] = copy.deepcopy(draft.get("conditions") or [])
    if available >= plan.replicas(deployment) - plan.max_unavailable(deployment):
        text = "Deployment has minimum availability."
        set_condition(out, "Available", "True", "MinimumReplicasAvailable", text)
    else:
        text = "Deployment does not have minimum availability."
        set_condition(out, "Available", "False", "MinimumReplicasUnavailable", text)
    return out


def is_complete(deployment: Object, status: Object) -> bool:
    """Whether every replica is of the new template, available, and nothing else is left."""
    wanted = plan.replicas(deployment)
    return (
        int(status.get("updatedReplicas") or 0) == wanted
        and int(status.get("replicas") or 0) == wanted
        and int(status.get("availableReplicas") or 0) == wanted
        and int(status.get("observedGeneration") or 0) >= int(deployment["metadata"].get("generation") or 0)
    )


def _progressed(old: Object, new: Object) -> bool:
    def number(status: Object, field: str) -> int:
        return int(status.get(field) or 0)

    old_rest = number(old, "replicas") - number(old, "updatedReplicas")
    new_rest = number(new, "replicas") - number(new, "updatedReplicas")
    grown = any(number(new, f) > number(old, f) for f in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return grown or new_rest < old_rest


def timed_out(deployment: Object, status: Object, now: datetime | None = None) -> bool:
    """Whether a rollout made no progress for longer than its deadline."""
    found, seconds = condition(status, "Progressing"), deadline(deployment)
    if found is None or seconds is None or found.get("reason") == NEW_RS_AVAILABLE:
        return False
    if found.get("reason") == TIMED_OUT:
        return True
    since = meta.parse_time(found["lastUpdateTime"])
    return since + timedelta(seconds=seconds) < (now or datetime.now(UTC))


def estimate_progress(deployment: Object, status: Object, new: Object | None, now: datetime | None = None) -> None:
    """Bring the Progressing condition of the new ``status`` up to date."""
    if deadline(deployment) is None:
        remove_condition(status, "Progressing")
        return
    current = condition(status, "Progressing")
    settled = int(status.get("replicas") or 0) == int(status.get("updatedReplicas") or 0)
    if settled and current is not None and current.get("reason") == NEW_RS_AVAILABLE:
        return
    who = f'ReplicaSet "{meta.name(new)}"' if new is not None else f'Deployment "{meta.name(deployment)}"'
    if is_complete(deployment, status):
        set_condition(status, "Progressing", "True", NEW_RS_AVAILABLE, f"{who} has successfully progressed.")
    elif _progressed(deployment.get("status") or {}, status):
        # Progress with the same reason moves lastUpdateTime, from which the deadline counts.
        remove_condition(status, "Progressing")
        set_condition(status, "Progressing", "True", "ReplicaSetUpdated", f"{who} is progressing.")
        fresh = condition(status, "Progressing")
        if fresh is not None and current is not None and current.get("status") == "True":
            fresh["lastTransitionTime"] = current["lastTransitionTime"]
    elif timed_out(deployment, status, now):
        set_condition(status, "Progressing", "False", TIMED_OUT, f"{who} has timed out progressing.")


def copy_failure(status: Object, sets: Iterable[Object], new: Object | None) -> None:
    """Show the ReplicaFailure of the new ReplicaSet, or of an old one, on the Deployment."""
    ordered = ([new] if new is not None else []) + [rs for rs in sets if rs is not new]
    for rs in ordered:
        found = condition(rs.get("status") or {}, "ReplicaFailure")
        if found is not None:
            reason, message = str(found.get("reason") or ""), str(found.get("message") or "")
            set_condition(status, "ReplicaFailure", found["status"], reason, message)
            return
    remove_condition(status, "ReplicaFailure")


def check_paused(deployment: Object, draft: Object) -> None:
    """Progressing is Unknown while a Deployment is paused, so that the pause is not taken for a lack of progress."""
    if deadline(deployment) is None:
        return
    reason = (condition(draft, "Progressing") or {}).get("reason")
    if reason == TIMED_OUT:
        return
    if deployment["spec"].get("paused") and reason != PAUSED:
        set_condition(draft, "Progressing", "Unknown", PAUSED, "Deployment is paused")
    elif not deployment["spec"].get("paused") and reason == PAUSED:
        set_condition(draft, "Progressing", "Unknown", RESUMED, "Deployment is resumed")


def check_again_in(deployment: Object, status: Object, now: datetime | None = None) -> float | None:
    """Seconds until the deadline has to be looked at, or None where it does not matter."""
    found, seconds = condition(status, "Progressing"), deadline(deployment)
    if seconds is None or found is None or is_complete(deployment, status) or found.get("reason") == TIMED_OUT:
        return None
    if found.get("reason") == NEW_RS_AVAILABLE:
        return None
    since = meta.parse_time(found["lastUpdateTime"])
    left = (since + timedelta(seconds=seconds) - (now or datetime.now(UTC))).total_seconds()
    return max(left, 0.0) + 1
