"""What a node's conditions mean for its taints, and taints for its Pods. Pure.

Upstream: pkg/controller/nodelifecycle and pkg/controller/tainteviction.
"""

from __future__ import annotations

import copy
from datetime import datetime, timedelta

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import pods as podutil
from podwalk.controllers import scheduler_fit as fit

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_NO_SCHEDULE = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
}
_MANAGED = {(key, "NoSchedule") for key in _NO_SCHEDULE.values()} | {
    (fit.UNSCHEDULABLE_TAINT, "NoSchedule"),
    (NOT_READY, "NoExecute"),
    (UNREACHABLE, "NoExecute"),
}


def unknown_conditions(node: Object) -> list[Object]:
    """The conditions of a node that has not been heard of for too long."""
    now = meta.now()
    out = copy.deepcopy((node.get("status") or {}).get("conditions") or [])
    known = {c["type"]: c for c in out}
    for kind in _CONDITIONS:
        found = known.get(kind)
        if found is None:
            out.append(
                {
                    "type": kind,
                    "status": "Unknown",
                    "lastHeartbeatTime": node["metadata"].get("creationTimestamp"),
                    "lastTransitionTime": now,
                    "reason": "NodeStatusNeverUpdated",
                    "message": "Kubelet never posted node status.",
                }
            )
        elif found.get("status") != "Unknown":
            found.update(
                status="Unknown",
                reason="NodeStatusUnknown",
                message="Kubelet stopped posting node status.",
                lastTransitionTime=now,
            )
    return out


def desired_taints(node: Object) -> list[Object]:
    """The node's taints, those of this controller brought up to date with conditions and ``spec.unschedulable``."""
    spec = node.get("spec") or {}
    conditions = (node.get("status") or {}).get("conditions") or ()
    wanted = {}
    for condition in conditions:
        key = _NO_SCHEDULE.get((condition.get("type"), condition.get("status")))
        if key:
            wanted[key, "NoSchedule"] = True
    ready = (meta.condition(node, "Ready") or {}).get("status")
    if ready in ("False", "Unknown"):
        wanted[NOT_READY if ready == "False" else UNREACHABLE, "NoExecute"] = True
    if spec.get("unschedulable"):
        wanted[fit.UNSCHEDULABLE_TAINT, "NoSchedule"] = True
    old = spec.get("taints") or []
    out = [dict(t) for t in old if _id(t) not in _MANAGED or _id(t) in wanted]
    have = {_id(t) for t in out}
    now = meta.now()
    out += [{"key": key, "effect": effect, "timeAdded": now} for key, effect in wanted if (key, effect) not in have]
    return out


def _id(taint: Object) -> tuple[str, str]:
    return str(taint.get("key")), str(taint.get("effect"))


def eviction_time(pod: Object, node: Object, now: datetime) -> datetime | None:
    """When the node's NoExecute taints drive the Pod away: a time (perhaps past), or None for never."""
    taints = [t for t in (node.get("spec") or {}).get("taints") or () if t.get("effect") == "NoExecute"]
    if not taints:
        return None
    tolerations = pod["spec"].get("tolerations") or ()
    deadlines = []
    for taint in taints:
        used = [t for t in tolerations if fit.tolerates([t], taint)]
        if not used:
            return now
        limits = [int(t["tolerationSeconds"]) for t in used if t.get("tolerationSeconds") is not None]
        if limits:
            deadlines.append(_start(pod, taint, now) + timedelta(seconds=max(0, min(limits))))
    return min(deadlines, default=None)


def _start(pod: Object, taint: Object, now: datetime) -> datetime:
    """The tolerated time runs from the taint, or from the Pod's creation where that is later."""
    times = [meta.parse_time(t) for t in (taint.get("timeAdded"), pod["metadata"].get("creationTimestamp")) if t]
    return max(times, default=now)


def not_ready_conditions(pod: Object) -> list[Object] | None:
    """The Pod's conditions with Ready set to False, or None where it is not ready anyway."""
    if not podutil.is_ready(pod):
        return None
    out = copy.deepcopy(pod["status"]["conditions"])
    meta.set_condition(out, "Ready", "False")
    return list(out)


def standard_labels(node: Object) -> dict[str, str]:
    """The old names of the os and arch labels, where the node has only the new ones."""
    labels = meta.labels(node)
    pairs = (("kubernetes.io/os", "beta.kubernetes.io/os"), ("kubernetes.io/arch", "beta.kubernetes.io/arch"))
    return {old: labels[new] for new, old in pairs if new in labels and labels.get(old) != labels[new]}
