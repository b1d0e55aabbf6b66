"""Which node a Pod fits on, and the words for why it does not. Pure.

Upstream: pkg/scheduler/framework/plugins (NodeUnschedulable, NodeName, TaintToleration, NodeAffinity, NodePorts,
NodeResourcesFit). Scoring is reduced to spreading: few Pods of the same owner first, then few Pods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from podwalk.api import meta, quantity
from podwalk.api.meta import Object
from podwalk.api.selectors import match_labels
from podwalk.controllers import pods as podutil

UNSCHEDULABLE_TAINT = "node.kubernetes.io/unschedulable"
DEFAULT_MAX_PODS = 110


@dataclass(slots=True)
class NodeState:
    """A node and what already runs on it (or was just assigned to it)."""

    node: Object
    pods: list[Object] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The node's name."""
        return meta.name(self.node)

    def allocatable(self, resource: str) -> float | None:
        """How much of a resource the node has for Pods, or None where it does not say."""
        status = self.node.get("status") or {}
        value = (status.get("allocatable") or status.get("capacity") or {}).get(resource)
        return None if value is None else float(quantity.value(value))


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a node is out; ``resolvable`` where removing other Pods could change that."""

    reason: str
    resolvable: bool = False


def misfits(pod: Object, state: NodeState) -> list[Misfit]:
    """The reasons of the first plugin that refuses the node; empty where the Pod fits."""
    node = state.node
    named = _named_nodes(pod)
    if named is not None and state.name not in named:
        return [Misfit("node(s) didn't satisfy plugin(s) [NodeAffinity]")]
    tolerations = pod["spec"].get("tolerations") or ()
    cordon = {"key": UNSCHEDULABLE_TAINT, "effect": "NoSchedule"}
    if (node.get("spec") or {}).get("unschedulable") and not tolerates(tolerations, cordon):
        return [Misfit("node(s) were unschedulable")]
    if untolerated_taint(node, tolerations, ("NoSchedule", "NoExecute")) is not None:
        return [Misfit("node(s) had untolerated taint(s)")]
    if not matches_node(pod, node):
        return [Misfit("node(s) didn't match Pod's node affinity/selector")]
    if _port_conflict(pod, state.pods):
        return [Misfit("node(s) didn't have free ports for the requested pod ports", resolvable=True)]
    return _resource_misfits(pod, state)


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
    return any(_matches_term(term, node) for term in required.get("nodeSelectorTerms") or ())


def _matches_term(term: Object, node: Object) -> bool:
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


def host_ports(pod: Object) -> set[tuple[str, str, int]]:
    """The (host IP, protocol, port) that a Pod takes from its node."""
    out = set()
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                out.add((port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", int(port["hostPort"])))
    return out


def _port_conflict(pod: Object, others: Iterable[Object]) -> bool:
    wanted = host_ports(pod)
    if not wanted:
        return False
    taken = [p for other in others for p in host_ports(other)]
    for ip, protocol, port in wanted:
        for other_ip, other_protocol, other_port in taken:
            same_ip = ip == other_ip or "0.0.0.0" in (ip, other_ip)
            if same_ip and (protocol, port) == (other_protocol, other_port):
                return True
    return False


def requests(pod: Object) -> Counter[str]:
    """What the Pod's containers request, summed."""
    total: Counter[str] = Counter()
    for container in pod["spec"].get("containers") or ():
        for resource, value in ((container.get("resources") or {}).get("requests") or {}).items():
            total[resource] += float(quantity.value(value))  # type: ignore[assignment]
    return total


def _resource_misfits(pod: Object, state: NodeState) -> list[Misfit]:
    found = []
    limit = state.allocatable("pods")
    if len(state.pods) + 1 > (DEFAULT_MAX_PODS if limit is None else limit):
        found.append(Misfit("Too many pods", resolvable=True))
    wanted = {r: v for r, v in requests(pod).items() if v > 0}
    if not wanted:
        return found
    used: Counter[str] = Counter()
    for other in state.pods:
        used.update(requests(other))
    for resource, amount in sorted(wanted.items()):
        total = state.allocatable(resource) or 0.0
        if amount > total - used[resource]:
            found.append(Misfit(f"Insufficient {resource}", resolvable=amount <= total))
    return found


def choose(pod: Object, states: list[NodeState]) -> str | None:
    """The name of the best node among those that fit, or None where none does."""
    fitting = [s for s in states if not misfits(pod, s)]
    if not fitting:
        return None
    owner = (meta.controller_of(pod) or {}).get("uid")

    def score(state: NodeState) -> tuple[int, int, int, str]:
        soft = len(_soft_taints(state.node, pod))
        siblings = sum(1 for p in state.pods if owner and (meta.controller_of(p) or {}).get("uid") == owner)
        return (soft, siblings, len(state.pods), state.name)

    return min(fitting, key=score).name


def _soft_taints(node: Object, pod: Object) -> list[Object]:
    tolerations = pod["spec"].get("tolerations") or ()
    taints = (node.get("spec") or {}).get("taints") or ()
    return [t for t in taints if t.get("effect") == "PreferNoSchedule" and not tolerates(tolerations, t)]


def explain(pod: Object, states: list[NodeState]) -> str:
    """The message of FailedScheduling for a Pod that fits on none of the nodes."""
    if not states:
        return "no nodes available to schedule pods"
    reasons: Counter[str] = Counter()
    preemption: Counter[str] = Counter()
    for state in states:
        found = misfits(pod, state)
        reasons.update(m.reason for m in found)
        helpless = any(not m.resolvable for m in found)
        preemption[
            "Preemption is not helpful for scheduling" if helpless else "No preemption victims found for incoming pod"
        ] += 1
    head = f"0/{len(states)} nodes are available:"
    return f"{head} {_histogram(reasons)}. no new claims to deallocate, preemption: {head} {_histogram(preemption)}."


def _histogram(counts: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))


def counted(pod: Object) -> bool:
    """Whether a Pod on a node takes up room there."""
    return bool(podutil.node_name(pod)) and not podutil.is_terminal(pod)
