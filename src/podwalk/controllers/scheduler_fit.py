"""Which node a Pod fits on, and the words for why it does not. Pure.

Upstream: pkg/scheduler/framework/plugins (NodeUnschedulable, NodeName, TaintToleration, NodeAffinity, NodePorts,
NodeResourcesFit, PodTopologySpread, InterPodAffinity), in the order in which kube-scheduler asks them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.selectors import match_labels
from podwalk.controllers import pods as podutil
from podwalk.controllers import scheduler_affinity, scheduler_spread
from podwalk.controllers.scheduler_affinity import AffinityFilter, Namespaces
from podwalk.controllers.scheduler_node import HostPort, NodeState, facts

UNSCHEDULABLE_TAINT = "node.kubernetes.io/unschedulable"
DEFAULT_MAX_PODS = 110
_EPSILON = 1e-9
_UNHELPFUL = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a node is out; ``resolvable`` where removing other Pods could change that."""

    reason: str
    resolvable: bool = False


class Attempt:
    """One Pod and all nodes: where it fits, and why it does not.

    What the Pods that run already mean for affinity and spreading is worked out once for all nodes.
    """

    def __init__(self, pod: Object, states: list[NodeState], namespaces: Namespaces | None = None) -> None:
        self.pod = pod
        self.states = states
        self.namespaces: Namespaces = namespaces or {}
        self.tolerations = list(pod["spec"].get("tolerations") or ())
        self._named = _named_nodes(pod)
        self._facts = facts(pod)
        self._spread = scheduler_spread.constraints(pod, "DoNotSchedule")
        scheduler_spread.count(self._spread, pod, states, self.is_eligible)
        self._affinity = AffinityFilter(pod, states, self.namespaces)

    def is_eligible(self, state: NodeState, affinity: bool, taints: bool) -> bool:
        """Whether a node counts for spreading."""
        if affinity and not matches_node(self.pod, state.node):
            return False
        effects = ("NoSchedule", "NoExecute")
        return not taints or untolerated_taint(state.node, self.tolerations, effects) is None

    def misfits(self, state: NodeState) -> list[Misfit]:
        """The reasons of the first plugin that refuses the node; empty where the Pod fits."""
        node = state.node
        if self._named is not None and state.name not in self._named:
            return [Misfit("node(s) didn't satisfy plugin(s) [NodeAffinity]")]
        cordon = {"key": UNSCHEDULABLE_TAINT, "effect": "NoSchedule"}
        if (node.get("spec") or {}).get("unschedulable") and not tolerates(self.tolerations, cordon):
            return [Misfit("node(s) were unschedulable")]
        if untolerated_taint(node, self.tolerations, ("NoSchedule", "NoExecute")) is not None:
            return [Misfit("node(s) had untolerated taint(s)")]
        if not matches_node(self.pod, node):
            return [Misfit("node(s) didn't match Pod's node affinity/selector")]
        if any(_clashes(port, taken) for port in self._facts.ports for taken, n in state.ports.items() if n > 0):
            return [Misfit("node(s) didn't have free ports for the requested pod ports", resolvable=True)]
        found = _resource_misfits(self._facts.demand, state)
        if found:
            return found
        uneven = scheduler_spread.misfit(self._spread, self.pod, state)
        if uneven is not None:
            return [Misfit(uneven, resolvable=uneven != scheduler_spread.MISSING_LABEL)]
        refused = self._affinity.misfit(state)
        if refused is not None:
            return [Misfit(refused, resolvable=refused != scheduler_affinity.AFFINITY)]
        return []

    def fitting(self) -> list[NodeState]:
        """The nodes that the Pod fits on."""
        return [s for s in self.states if not self.misfits(s)]

    def explain(self, preemption: str | None = "") -> str:
        """The message of FailedScheduling for a Pod that fits on none of the nodes.

        ``preemption`` says why nobody was preempted for it; empty works it out, None leaves it out.
        """
        if not self.states:
            return "no nodes available to schedule pods"
        reasons: Counter[str] = Counter()
        outcomes: Counter[str] = Counter()
        for state in self.states:
            found = self.misfits(state)
            reasons.update(m.reason for m in found)
            helpless = any(not m.resolvable for m in found)
            outcomes[_UNHELPFUL if helpless else _NO_VICTIMS] += 1
        head = f"0/{len(self.states)} nodes are available:"
        if preemption is None:
            return f"{head} {_histogram(reasons)}."
        why = preemption or f"{head} {_histogram(outcomes)}."
        return f"{head} {_histogram(reasons)}. no new claims to deallocate, preemption: {why}"


def _named_nodes(pod: Object) -> set[str] | None:
    """The only nodes that are looked at, where every term of the affinity names some (a daemon's Pod does)."""
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
    out: set[str] = set()
    for term in terms:
        fields = [f for f in term.get("matchFields") or () if f["key"] == "metadata.name" and f["operator"] == "In"]
        if not fields:
            return None
        out |= set.intersection(*(set(f["values"]) for f in fields))
    return out if terms else None


def untolerated_taint(node: Object, tolerations: Iterable[Object], effects: tuple[str, ...]) -> Object | None:
    """The first taint with one of these effects that the tolerations do not cover."""
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") in effects and not tolerates(tolerations, taint):
            return dict(taint)
    return None


def tolerates(tolerations: Iterable[Object], taint: Mapping[str, Any]) -> bool:
    """Whether one of the tolerations covers the taint."""
    return any(_tolerates(t, taint) for t in tolerations)


def _tolerates(toleration: Object, taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def matches_node(pod: Object, node: Object) -> bool:
    """nodeSelector and required node affinity."""
    spec = pod["spec"]
    if not match_labels(spec.get("nodeSelector") or {}, meta.labels(node)):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(matches_term(term, node) for term in required.get("nodeSelectorTerms") or ())


def matches_term(term: Object, node: Object) -> bool:
    """Whether a node meets a NodeSelectorTerm."""
    expressions = term.get("matchExpressions") or ()
    fields = term.get("matchFields") or ()
    if not expressions and not fields:
        return False  # an empty term matches nothing
    labels = meta.labels(node)
    return all(_matches(e, labels) for e in expressions) and all(
        _matches(f, {"metadata.name": meta.name(node)}) for f in fields
    )


def _matches(requirement: Object, values: Mapping[str, str]) -> bool:
    key, wanted = requirement["key"], list(requirement.get("values") or ())
    here = values.get(key)
    match requirement["operator"]:
        case "In":
            return here is not None and here in wanted
        case "NotIn":
            return here is None or here not in wanted
        case "Exists":
            return here is not None
        case "DoesNotExist":
            return here is None
        case "Gt" | "Lt":
            try:
                left, right = int(here or ""), int(wanted[0])
            except ValueError:
                return False
            return left > right if requirement["operator"] == "Gt" else left < right
    return False


def _clashes(wanted: HostPort, taken: HostPort) -> bool:
    """Whether two Pods cannot have their ports on one node: the same one, on the same address or on every."""
    return wanted[1:] == taken[1:] and (wanted[0] == taken[0] or "0.0.0.0" in (wanted[0], taken[0]))


def _resource_misfits(demand: Mapping[str, float], state: NodeState) -> list[Misfit]:
    found = []
    limit = state.allocatable("pods")
    if len(state.pods) + 1 > (DEFAULT_MAX_PODS if limit is None else limit):
        found.append(Misfit("Too many pods", resolvable=True))
    for resource, amount in sorted(demand.items()):
        total = state.allocatable(resource) or 0.0
        # Sums of fractions of a CPU are not exact.
        if amount > total - state.requested[resource] + _EPSILON:
            found.append(Misfit(f"Insufficient {resource}", resolvable=amount <= total))
    return found


def _histogram(counts: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))


def counted(pod: Object) -> bool:
    """Whether a Pod on a node takes up room there."""
    return bool(podutil.node_name(pod)) and not podutil.is_terminal(pod)
