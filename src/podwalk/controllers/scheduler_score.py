"""Which of the nodes that a Pod fits on is best. Pure.

Upstream: the scoring halves of the default plugins with their default weights. Left out are ImageLocality (nothing is
pulled here) and the chance by which kube-scheduler breaks ties: here the node with fewer Pods wins, then the name.
"""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.controllers import scheduler_affinity, scheduler_fit, scheduler_spread
from podwalk.controllers.scheduler_fit import Attempt
from podwalk.controllers.scheduler_node import NodeState

_MOST = 100.0
_RESOURCES = ("cpu", "memory")


def choose(attempt: Attempt) -> str | None:
    """The name of the best node among those that fit, or None where none does."""
    fitting = attempt.fitting()
    if not fitting:
        return None
    if len(fitting) == 1:
        return fitting[0].name
    total = scores(attempt, fitting)
    return min(fitting, key=lambda s: (-round(total[s.name], 6), len(s.pods), s.name)).name


def scores(attempt: Attempt, fitting: list[NodeState]) -> dict[str, float]:
    """The weighted sum of all plugins by the name of the node."""
    pod = attempt.pod
    weighted = (
        (3, _reversed({s.name: float(_soft_taints(pod, s.node)) for s in fitting})),
        (2, _normalized({s.name: float(_node_wishes(pod, s.node)) for s in fitting})),
        (2, _spread(scheduler_spread.scores(pod, fitting, attempt.is_eligible))),
        (2, _stretched(scheduler_affinity.scores(pod, fitting, attempt.namespaces))),
        (1, {s.name: _free(s) for s in fitting}),
        (1, {s.name: _balance(s) for s in fitting}),
    )
    return {s.name: sum(weight * part[s.name] for weight, part in weighted) for s in fitting}


def _soft_taints(pod: Object, node: Object) -> int:
    tolerations = pod["spec"].get("tolerations") or ()
    taints = (node.get("spec") or {}).get("taints") or ()
    return sum(t.get("effect") == "PreferNoSchedule" and not scheduler_fit.tolerates(tolerations, t) for t in taints)


def _node_wishes(pod: Object, node: Object) -> int:
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    wishes = affinity.get(scheduler_affinity.PREFERRED) or ()
    return sum(int(w.get("weight") or 0) for w in wishes if scheduler_fit.matches_term(w.get("preference") or {}, node))


def _normalized(raw: dict[str, float]) -> dict[str, float]:
    most = max(raw.values())
    return {name: value * _MOST / most if most else 0.0 for name, value in raw.items()}


def _reversed(raw: dict[str, float]) -> dict[str, float]:
    return {name: _MOST - value for name, value in _normalized(raw).items()}


def _spread(raw: dict[str, float]) -> dict[str, float]:
    most, least = max(raw.values()), min(raw.values())
    return {name: _MOST * (most + least - value) / most if most else _MOST for name, value in raw.items()}


def _stretched(raw: dict[str, float]) -> dict[str, float]:
    most, least = max(raw.values()), min(raw.values())
    return {name: _MOST * (value - least) / (most - least) if most > least else 0.0 for name, value in raw.items()}


def _shares(state: NodeState) -> list[float]:
    """How much of each resource would be taken, between 0 and 1 (the new Pod counts alike everywhere)."""
    out = []
    for resource in _RESOURCES:
        total = state.allocatable(resource)
        if total:
            out.append(min(1.0, max(0.0, state.scored[resource] / total)))
    return out


def _free(state: NodeState) -> float:
    """NodeResourcesFit with LeastAllocated."""
    shares = _shares(state)
    return _MOST * (1 - sum(shares) / len(shares)) if shares else 0.0


def _balance(state: NodeState) -> float:
    """NodeResourcesBalancedAllocation: the nearer the shares of CPU and memory, the better."""
    shares = _shares(state)
    return _MOST * (1 - abs(shares[0] - shares[1]) / 2) if len(shares) == 2 else _MOST


def priority(pod: Object) -> int:
    """``spec.priority``, 0 where it is absent."""
    return int(pod["spec"].get("priority") or 0)


def started(pod: Object) -> str:
    """When the Pod was started, or made."""
    return str((pod.get("status") or {}).get("startTime") or pod["metadata"].get("creationTimestamp") or "")
