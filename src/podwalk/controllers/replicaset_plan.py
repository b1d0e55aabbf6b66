"""What a ReplicaSet does next, and what its status says. Pure. Upstream: pkg/controller/replicaset."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.selectors import label_selector
from podwalk.controllers import pods as podutil

BURST = 500


@dataclass
class Claim:
    """The Pods of a ReplicaSet, those to take into it and those to let go."""

    owned: list[Object] = field(default_factory=list)
    adopt: list[Object] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)


def claim(rs: Object, pods: Iterable[Object]) -> Claim:
    """Sort the Pods of the namespace: ours by ownerReference, orphans that match, ours that match no longer."""
    matches = label_selector(rs["spec"].get("selector"))
    out = Claim()
    for pod in pods:
        fits = matches(meta.labels(pod))
        if meta.controller_of(pod) is not None:
            if podutil.is_owned_by(pod, rs):
                (out.owned if fits or meta.is_deleting(rs) else out.release).append(pod)
        elif fits and podutil.is_active(pod) and not meta.is_deleting(rs):
            out.adopt.append(pod)
    return out


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
    out["terminatingReplicas"] = sum(meta.is_deleting(p) and not podutil.is_terminal(p) for p in listed)
    out["observedGeneration"] = rs["metadata"].get("generation", 0)
    conditions = copy.deepcopy((rs.get("status") or {}).get("conditions") or [])
    conditions = [c for c in conditions if c.get("type") != "ReplicaFailure" or failure]
    if failure:
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
