"""What a ReplicaSet (or a ReplicationController) does next, and what its status says. Pure.

Upstream: pkg/controller/replicaset.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import pods as podutil
from podwalk.controllers.pod_control import BURST


def replicas(obj: Object) -> int:
    """``spec.replicas``, 1 where it is absent."""
    wanted = obj["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def surplus(rs: Object, active: list[Object], related: Iterable[Object], now: datetime | None = None) -> list[Object]:
    """The Pods to delete now; ``related`` are the active Pods of all ReplicaSets of the same Deployment."""
    count = min(len(active) - replicas(rs), BURST)
    if count <= 0:
        return []
    doubled_up = Counter(podutil.node_name(p) for p in related if podutil.is_active(p))
    return podutil.to_delete(active, count, doubled_up, now or datetime.now(UTC))


def status(rs: Object, pods: Iterable[Object], failure: tuple[str, str] | None, now: datetime | None = None) -> Object:
    """The status for these Pods; ``failure`` is the (reason, message) of a ReplicaFailure condition."""
    now = now or datetime.now(UTC)
    listed = list(pods)
    active = [p for p in listed if podutil.is_active(p)]
    template_labels = (rs["spec"]["template"].get("metadata") or {}).get("labels") or {}
    min_ready = int(rs["spec"].get("minReadySeconds") or 0)
    counts = {
        "fullyLabeledReplicas": sum(template_labels.items() <= meta.labels(p).items() for p in active),
        "readyReplicas": sum(podutil.is_ready(p) for p in active),
        "availableReplicas": sum(podutil.is_available(p, min_ready, now) for p in active),
    }
    out: Object = {"replicas": len(active)}
    out.update({k: v for k, v in counts.items() if v})
    if rs.get("kind") != "ReplicationController":
        out["terminatingReplicas"] = sum(meta.is_deleting(p) and not podutil.is_terminal(p) for p in listed)
    out["observedGeneration"] = rs["metadata"].get("generation", 0)
    conditions = copy.deepcopy((rs.get("status") or {}).get("conditions") or [])
    conditions = [c for c in conditions if c.get("type") != "ReplicaFailure" or failure]
    # As upstream: the same reason again leaves the condition alone, although every try names another Pod. A status
    # that changed with each try would be a reason to try again at once.
    if failure and all((c.get("type"), c.get("reason")) != ("ReplicaFailure", failure[0]) for c in conditions):
        meta.set_condition(conditions, "ReplicaFailure", "True", *failure)
    if conditions:
        out["conditions"] = conditions
    return out


def next_available(rs: Object, pods: Iterable[Object], now: datetime | None = None) -> float | None:
    """Seconds until the next ready Pod becomes available, or None where none is on its way."""
    now = now or datetime.now(UTC)
    min_ready = int(rs["spec"].get("minReadySeconds") or 0)
    waits = [podutil.available_in(p, min_ready, now) for p in pods if podutil.is_active(p)]
    return min((w for w in waits if w is not None and w > 0), default=None)
