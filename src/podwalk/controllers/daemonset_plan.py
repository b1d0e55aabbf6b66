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

HASH_LABEL = "controller-revision-hash"
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
    """The value of ``controller-revision-hash`` for the current template."""
    return podutil.template_hash(template_of(ds))


def pod_for(ds: Object, node: str) -> Object:
    """The Pod to create for a node: pinned to it by affinity, tolerating what daemons tolerate."""
    pod = podutil.from_template(ds["spec"]["template"], ds)
    labels = pod["metadata"].setdefault("labels", {})
    labels[HASH_LABEL] = template_hash(ds)
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


def plan(ds: Object, nodes: Iterable[Object], owned: Iterable[Object]) -> Actions:
    """What to create and to delete, rolling update included."""
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
            actions.delete += alive[1:]
            if should_run:
                actions.desired[name] = alive[:1]
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
    actions.delete += _outdated(ds, actions)
    return actions


def _oldest_first(pod: Object) -> tuple[bool, str]:
    return (not podutil.node_name(pod), str(pod["metadata"].get("creationTimestamp") or ""))


def _outdated(ds: Object, actions: Actions) -> list[Object]:
    """Pods of an old template that a rolling update may take now: unavailable ones first."""
    strategy = ds["spec"].get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return []
    rolling = strategy.get("rollingUpdate") or {}
    budget = _scaled_up(rolling.get("maxUnavailable", 1), len(actions.desired))
    min_ready, value = int(ds["spec"].get("minReadySeconds") or 0), template_hash(ds)
    old_available: list[Object] = []
    old_unavailable: list[Object] = []
    unavailable = 0
    for pods in actions.desired.values():
        available = bool(pods) and podutil.is_available(pods[0], min_ready)
        unavailable += not available
        if pods and meta.labels(pods[0]).get(HASH_LABEL) != value:
            (old_available if available else old_unavailable).append(pods[0])
    return old_unavailable + old_available[: max(0, budget - unavailable)]


def _scaled_up(value: int | str, total: int) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return -(-int(value[:-1]) * total // 100)
    return int(value)


def status(ds: Object, actions: Actions, now: datetime | None = None) -> Object:
    """The DaemonSet's status."""
    now = now or datetime.now(UTC)
    min_ready, value = int(ds["spec"].get("minReadySeconds") or 0), template_hash(ds)
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
        "updatedNumberScheduled": sum(meta.labels(p).get(HASH_LABEL) == value for p in running),
        "numberAvailable": available,
        "numberUnavailable": len(actions.desired) - available,
    }
    out.update({k: v for k, v in more.items() if v})
    return out
