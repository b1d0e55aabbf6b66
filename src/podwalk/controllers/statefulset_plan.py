"""What a StatefulSet does next, and what its status says. Pure.

Upstream: stateful_set_control.go and stateful_set_utils.go of pkg/controller/statefulset (MaxUnavailableStatefulSet,
which v1.36 has switched off, is left out).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import history
from podwalk.controllers import pods as podutil
from podwalk.controllers.replicaset_plan import replicas

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"
_NAME = re.compile(r"(.*)-([0-9]+)$")


@dataclass
class Plan:
    """Pods to create, to give their identity back, and to delete; ``updated`` are deleted for the new revision."""

    create: list[Object] = field(default_factory=list)
    correct: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    updated: list[Object] = field(default_factory=list)


def start_ordinal(sts: Object) -> int:
    """``spec.ordinals.start``, 0 where it is absent."""
    return int((sts["spec"].get("ordinals") or {}).get("start") or 0)


def ordinal(pod: Object) -> int:
    """The number at the end of the Pod's name, -1 where there is none."""
    found = _NAME.fullmatch(meta.name(pod))
    return int(found[2]) if found else -1


def is_member(sts: Object, pod: Object) -> bool:
    """Whether the Pod's name is one of this set's."""
    found = _NAME.fullmatch(meta.name(pod))
    return found is not None and found[1] == meta.name(sts)


def revision_of(pod: Object) -> str:
    """The name of the ControllerRevision that the Pod was made from."""
    return meta.labels(pod).get(history.REVISION_LABEL, "")


def pod_for(sts: Object, number: int, revision: str) -> Object:
    """The Pod of an ordinal, made from the set's template."""
    pod = podutil.from_template(sts["spec"]["template"], sts)
    name = f"{meta.name(sts)}-{number}"
    pod["metadata"]["name"] = name
    labels = pod["metadata"].setdefault("labels", {})
    labels.update({POD_NAME_LABEL: name, INDEX_LABEL: str(number), history.REVISION_LABEL: revision})
    pod["spec"]["hostname"] = name
    if sts["spec"].get("serviceName"):
        pod["spec"]["subdomain"] = sts["spec"]["serviceName"]
    return pod


def is_running_and_ready(pod: Object) -> bool:
    """Whether the Pod runs and is ready."""
    return podutil.phase(pod) == "Running" and podutil.is_ready(pod)


def _is_available(sts: Object, pod: Object, now: datetime) -> bool:
    min_ready = int(sts["spec"].get("minReadySeconds") or 0)
    return podutil.phase(pod) == "Running" and podutil.is_available(pod, min_ready, now)


def _is_unavailable(sts: Object, pod: Object | None, now: datetime) -> bool:
    return pod is None or meta.is_deleting(pod) or not _is_available(sts, pod, now)


def _strategy(sts: Object) -> tuple[str, int | None]:
    strategy = sts["spec"].get("updateStrategy") or {}
    rolling = strategy.get("rollingUpdate")
    partition = None if rolling is None else int(rolling.get("partition") or 0)
    return str(strategy.get("type") or "RollingUpdate"), partition


def _needs_current(sts: Object, number: int) -> bool:
    """Whether a Pod that is missing is made from the current revision and not from the new one."""
    kind, partition = _strategy(sts)
    if partition is not None:
        return number < start_ordinal(sts) + partition
    current = int((sts.get("status") or {}).get("currentReplicas") or 0)
    return kind == "RollingUpdate" and number < start_ordinal(sts) + current


def plan(sts: Object, current: Object, update: Object, pods: Iterable[Object], now: datetime | None = None) -> Plan:
    """The next step; ``current`` and ``update`` are ControllerRevisions.

    OrderedReady stops at the first Pod that is not yet there, Parallel does everything at once.
    """
    now, out = now or datetime.now(UTC), Plan()
    start, count = start_ordinal(sts), replicas(sts)
    ordered = sts["spec"].get("podManagementPolicy") != "Parallel"
    by_ordinal = {ordinal(p): p for p in pods if ordinal(p) >= 0}
    wanted = [by_ordinal.get(n) for n in range(start, start + count)]
    condemned = [by_ordinal[n] for n in sorted(by_ordinal, reverse=True) if not start <= n < start + count]
    sets = {meta.name(r): history.applied(sts, r) for r in (current, update)}
    for offset, pod in enumerate(wanted):
        number = start + offset
        if pod is None:
            revision = meta.name(current if _needs_current(sts, number) else update)
            out.create.append(pod_for(sets[revision], number, revision))
            if ordered:
                return out
            continue
        if podutil.is_terminal(pod):
            # Made again once it is gone, whatever its exit code was.
            if not meta.is_deleting(pod):
                out.delete.append(pod)
            if ordered:
                return out
            continue
        if ordered and _is_unavailable(sts, pod, now):
            return out
        if not _has_identity(pod):
            out.correct.append(pod)
    if _condemn(sts, wanted, condemned, ordered, now, out):
        return out
    _roll(sts, meta.name(update), wanted, now, out)
    return out


def _has_identity(pod: Object) -> bool:
    return meta.labels(pod).get(POD_NAME_LABEL) == meta.name(pod)


def _condemn(
    sts: Object, wanted: list[Object | None], condemned: list[Object], ordered: bool, now: datetime, out: Plan
) -> bool:
    """Scale down from the highest ordinal; True where the rest of this step has to wait."""
    unavailable = [p for p in wanted if _is_unavailable(sts, p, now)]
    unavailable += [p for p in reversed(condemned) if _is_unavailable(sts, p, now)]
    for pod in condemned:
        if meta.is_deleting(pod):
            if ordered:
                return True
            continue
        if ordered and not _is_available(sts, pod, now) and (not unavailable or unavailable[0] is not pod):
            return True
        out.delete.append(pod)
        if ordered:
            return True
    return False


def _roll(sts: Object, revision: str, wanted: list[Object | None], now: datetime, out: Plan) -> None:
    """The highest ordinal with another revision goes, once those above it are available."""
    kind, partition = _strategy(sts)
    if kind != "RollingUpdate":
        return
    for offset in range(len(wanted) - 1, (partition or 0) - 1, -1):
        pod = wanted[offset]
        if pod in out.delete:
            return
        if pod is not None and revision_of(pod) != revision and not meta.is_deleting(pod):
            out.updated.append(pod)
            return
        if _is_unavailable(sts, pod, now):
            return


def status(
    sts: Object, current: Object, update: Object, pods: Iterable[Object], collisions: int, now: datetime | None = None
) -> Object:
    """The StatefulSet's status; a finished rollout makes the new revision the current one."""
    now, listed = now or datetime.now(UTC), list(pods)
    living = [p for p in listed if not meta.is_deleting(p)]
    counts = {
        "replicas": len(listed),
        "readyReplicas": sum(is_running_and_ready(p) for p in listed),
        "currentReplicas": sum(revision_of(p) == meta.name(current) for p in living),
        "updatedReplicas": sum(revision_of(p) == meta.name(update) for p in living),
    }
    name = meta.name(current)
    everywhere = counts["updatedReplicas"] == counts["readyReplicas"] == counts["replicas"] == replicas(sts)
    if _strategy(sts)[0] == "RollingUpdate" and everywhere:
        counts["currentReplicas"], name = counts["updatedReplicas"], meta.name(update)
    out: Object = {"observedGeneration": sts["metadata"].get("generation", 0)}
    out.update({k: v for k, v in counts.items() if v or k == "replicas"})
    out.update(currentRevision=name, updateRevision=meta.name(update), collisionCount=collisions)
    out["availableReplicas"] = sum(_is_available(sts, p, now) for p in listed)
    if (sts.get("status") or {}).get("conditions"):
        out["conditions"] = sts["status"]["conditions"]
    return out


def next_available(sts: Object, pods: Iterable[Object], now: datetime | None = None) -> float | None:
    """Seconds until the next ready Pod becomes available, or None where none is on its way."""
    now = now or datetime.now(UTC)
    min_ready = int(sts["spec"].get("minReadySeconds") or 0)
    waits = [podutil.available_in(p, min_ready, now) for p in pods]
    return min((w for w in waits if w is not None and w > 0), default=None)
