"""Which nodes a DaemonSet wants a Pod on, and which Pods go. Pure. Upstream: pkg/controller/daemon."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import pods as podutil
from podwalk.controllers import scheduler_fit as fit
from podwalk.controllers.deployment_plan import template_of
from podwalk.controllers.history import REVISION_LABEL as HASH_LABEL

GENERATION_LABEL = "pod-template-generation"
_GENERATION = "deprecated.daemonset.template.generation"
_ALWAYS_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    (fit.UNSCHEDULABLE_TAINT, "NoSchedule"),
)


@dataclass
class Actions:
    """Nodes to put a Pod on, Pods to delete, and what the status needs."""

    create: list[str] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    misscheduled: int = 0
    desired: dict[str, list[Object]] = field(default_factory=dict)


def template_hash(ds: Object) -> str:
    """The value of ``controller-revision-hash`` for a revision made of the current template."""
    return podutil.template_hash(template_of(ds), (ds.get("status") or {}).get("collisionCount"))


def pod_for(ds: Object, node: str, value: str = "") -> Object:
    """The Pod to create for a node: pinned to it by affinity, tolerating what daemons tolerate."""
    pod = podutil.from_template(ds["spec"]["template"], ds)
    labels = pod["metadata"].setdefault("labels", {})
    labels[HASH_LABEL] = value
    labels[GENERATION_LABEL] = meta.annotations(ds).get(_GENERATION, "1")
    tolerations = pod["spec"].setdefault("tolerations", [])
    wanted = list(_ALWAYS_TOLERATED)
    if pod["spec"].get("hostNetwork"):
        wanted.append(("node.kubernetes.io/network-unavailable", "NoSchedule"))
    for key, effect in wanted:
        tolerations.append({"key": key, "operator": "Exists", "effect": effect})
    affinity = pod["spec"].setdefault("affinity", {}).setdefault("nodeAffinity", {})
    pinned = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = (required or {}).get("nodeSelectorTerms") or [{}]
    # The real controller overwrites the terms' fields and keeps their expressions.
    affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {
        "nodeSelectorTerms": [{**term, **copy.deepcopy(pinned)} for term in terms]
    }
    return pod


def wants(ds: Object, node: Object) -> tuple[bool, bool]:
    """(should a Pod be started here, may one that runs here go on)."""
    pod = pod_for(ds, meta.name(node))
    if not fit.matches_node(pod, node):
        return False, False
    tolerations = pod["spec"]["tolerations"]
    if fit.untolerated_taint(node, tolerations, ("NoExecute",)) is not None:
        return False, False
    return fit.untolerated_taint(node, tolerations, ("NoSchedule",)) is None, True


def target_node(pod: Object) -> str:
    """The node that a daemon Pod is for, also before it is bound."""
    if podutil.node_name(pod):
        return podutil.node_name(pod)
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for requirement in term.get("matchFields") or ():
            if requirement.get("key") == "metadata.name" and requirement.get("values"):
                return str(requirement["values"][0])
    return ""


def plan(
    ds: Object, nodes: Iterable[Object], owned: Iterable[Object], value: str, now: datetime | None = None
) -> Actions:
    """What to create and to delete, rolling update included; ``value`` is the hash of the current revision."""
    now = now or datetime.now(UTC)
    surge = _budgets(ds, 1)[0] > 0
    by_node: dict[str, list[Object]] = {}
    for pod in owned:
        by_node.setdefault(target_node(pod), []).append(pod)
    actions, all_nodes = Actions(), {meta.name(n): n for n in nodes}
    for name, node in all_nodes.items():
        here = [p for p in by_node.get(name, ()) if not meta.is_deleting(p)]
        should_run, may_stay = wants(ds, node)
        ended = [p for p in here if podutil.is_terminal(p)]
        alive = sorted((p for p in here if not podutil.is_terminal(p)), key=_oldest_first)
        actions.delete += ended
        if should_run or (alive and may_stay):
            kept = _kept(alive, value, surge)
            actions.delete += [p for p in alive if p not in kept]
            if should_run:
                actions.desired[name] = kept
                if not alive and not by_node.get(name):
                    actions.create.append(name)
            else:
                actions.misscheduled += 1
        else:
            actions.delete += alive
            actions.misscheduled += bool(alive)
    for name, lost in by_node.items():
        if name not in all_nodes:
            actions.delete += [p for p in lost if not meta.is_deleting(p) and not podutil.node_name(p)]
    if (ds["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate":
        (_surge if surge else _replace)(ds, actions, value, now)
    return actions


def _kept(alive: list[Object], value: str, surge: bool) -> list[Object]:
    """The oldest Pod of a node; while surging, the oldest one of the old template and of the new one."""
    if not surge:
        return alive[:1]
    old = [p for p in alive if not _is_updated(p, value)]
    return old[:1] + [p for p in alive if _is_updated(p, value)][:1]


def _oldest_first(pod: Object) -> tuple[bool, str]:
    return (not podutil.node_name(pod), str(pod["metadata"].get("creationTimestamp") or ""))


def _is_updated(pod: Object, value: str) -> bool:
    return meta.labels(pod).get(HASH_LABEL) == value


def _budgets(ds: Object, total: int) -> tuple[int, int]:
    """(maxSurge, maxUnavailable), percentages rounded up; both zero would never move."""
    rolling = (ds["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = podutil.scaled_up(rolling.get("maxSurge") or 0, total)
    unavailable = podutil.scaled_up(rolling.get("maxUnavailable", 1), total)
    return surge, unavailable if surge or unavailable else 1


def _replace(ds: Object, actions: Actions, value: str, now: datetime) -> None:
    """Delete Pods of an old template: those that are not available anyway, then as many as may be missing."""
    budget = _budgets(ds, len(actions.desired))[1]
    min_ready = int(ds["spec"].get("minReadySeconds") or 0)
    candidates: list[Object] = []
    unavailable = 0
    for pods in actions.desired.values():
        available = bool(pods) and podutil.is_available(pods[0], min_ready, now)
        unavailable += not available
        if pods and not _is_updated(pods[0], value):
            (candidates if available else actions.delete).append(pods[0])
    actions.delete += candidates[: max(0, budget - unavailable)]


def _surge(ds: Object, actions: Actions, value: str, now: datetime) -> None:
    """Start Pods of the new template beside the old ones; an old one goes when its successor is available."""
    budget = _budgets(ds, len(actions.desired))[0]
    min_ready = int(ds["spec"].get("minReadySeconds") or 0)
    candidates: list[str] = []
    surging = 0
    for node, pods in actions.desired.items():
        old = next((p for p in pods if not _is_updated(p, value)), None)
        new = next((p for p in pods if _is_updated(p, value)), None)
        if old is None:
            continue
        if new is not None:
            surging += 1
            if podutil.is_available(new, min_ready, now):
                actions.delete.append(old)
        elif podutil.is_available(old, min_ready, now):
            candidates.append(node)
        else:
            # What does not work is replaced without counting.
            surging += 1
            actions.create.append(node)
    actions.create += candidates[: max(0, budget - surging)]


def status(ds: Object, actions: Actions, value: str, now: datetime | None = None) -> Object:
    """The DaemonSet's status; ``value`` is the hash of the current revision."""
    now = now or datetime.now(UTC)
    min_ready = int(ds["spec"].get("minReadySeconds") or 0)
    running = [pods[0] for pods in actions.desired.values() if pods]
    available = sum(podutil.is_available(p, min_ready, now) for p in running)
    out: Object = {
        "currentNumberScheduled": len(running),
        "numberMisscheduled": actions.misscheduled,
        "desiredNumberScheduled": len(actions.desired),
        "numberReady": sum(podutil.is_ready(p) for p in running),
        "observedGeneration": ds["metadata"].get("generation", 0),
    }
    more = {
        "updatedNumberScheduled": sum(_is_updated(p, value) for p in running),
        "numberAvailable": available,
        "numberUnavailable": len(actions.desired) - available,
    }
    out.update({k: v for k, v in more.items() if v})
    if (ds.get("status") or {}).get("collisionCount") is not None:
        out["collisionCount"] = ds["status"]["collisionCount"]
    return out


def next_available(ds: Object, actions: Actions, now: datetime | None = None) -> float | None:
    """Seconds until the next ready Pod becomes available, or None where none is on its way."""
    now = now or datetime.now(UTC)
    min_ready = int(ds["spec"].get("minReadySeconds") or 0)
    waits = [podutil.available_in(p, min_ready, now) for pods in actions.desired.values() for p in pods]
    return min((w for w in waits if w is not None and w > 0), default=None)
