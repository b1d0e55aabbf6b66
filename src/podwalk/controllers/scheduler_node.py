"""A node as the scheduler sees it: what it has, and what the Pods on it take. Upstream: framework.NodeInfo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from podwalk.api import meta, quantity
from podwalk.api.meta import Object
from podwalk.controllers import pods as podutil

# (host IP, protocol, port)
HostPort = tuple[str, str, int]

# What a Pod without requests counts for in scores, never in filters (GetNonzeroRequests).
_LEAST = {"cpu": 0.1, "memory": 200.0 * 2**20}


@dataclass(slots=True)
class Facts:
    """What one Pod takes, worked out once."""

    demand: dict[str, float] = field(default_factory=dict)
    ports: frozenset[HostPort] = frozenset()
    owner: str = ""


def facts(pod: Object) -> Facts:
    """The facts of a Pod."""
    demand = {name: float(amount) for name, amount in podutil.demand(pod).items() if amount > 0}
    return Facts(demand, frozenset(host_ports(pod)), str((meta.controller_of(pod) or {}).get("uid") or ""))


def host_ports(pod: Object) -> set[HostPort]:
    """The (host IP, protocol, port) that a Pod takes from its node."""
    spec, out = pod["spec"], set()
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or ()), *sidecars]:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                out.add((port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", int(port["hostPort"])))
    return out


def affinity_of(pod: Object, kind: str) -> Object:
    """``spec.affinity.podAffinity`` or another kind of affinity; empty where there is none."""
    return (pod["spec"].get("affinity") or {}).get(kind) or {}


class NodeState:
    """A node and what already runs on it (or was just assigned to it), with sums that are kept up to date."""

    def __init__(self, node: Object, pods: Iterable[Object] = ()) -> None:
        self.node = node
        self.pods: dict[str, Object] = {}
        self.requested: Counter[str] = Counter()
        self.scored: Counter[str] = Counter()
        self.ports: Counter[HostPort] = Counter()
        self.owners: Counter[str] = Counter()
        # Pods with wishes about the Pods beside them: only these have to be asked about a new one.
        self.opinionated: dict[str, Object] = {}
        self._facts: dict[str, Facts] = {}
        for pod in pods:
            self.add(pod)

    @property
    def name(self) -> str:
        """The node's name."""
        return meta.name(self.node)

    def label(self, key: str) -> str | None:
        """The value of one of the node's labels."""
        return meta.labels(self.node).get(key)

    def add(self, pod: Object) -> None:
        """Count a Pod; one that is counted already is replaced."""
        key = meta.key(pod)
        self.remove(key)
        found = facts(pod)
        self.pods[key], self._facts[key] = pod, found
        self._count(found, 1)
        if affinity_of(pod, "podAffinity") or affinity_of(pod, "podAntiAffinity"):
            self.opinionated[key] = pod

    def remove(self, key: str) -> None:
        """Stop counting a Pod."""
        if self.pods.pop(key, None) is not None:
            self._count(self._facts.pop(key), -1)
            self.opinionated.pop(key, None)

    def _count(self, found: Facts, sign: int) -> None:
        for name, amount in found.demand.items():
            self.requested[name] += sign * amount  # type: ignore[assignment]
        for name, least in _LEAST.items():
            self.scored[name] += sign * found.demand.get(name, least)  # type: ignore[assignment]
        for port in found.ports:
            self.ports[port] += sign
        self.owners[found.owner] += sign

    def allocatable(self, resource: str) -> float | None:
        """How much of a resource the node has for Pods, or None where it does not say."""
        status = self.node.get("status") or {}
        value = (status.get("allocatable") or status.get("capacity") or {}).get(resource)
        return None if value is None else float(quantity.value(value))

    def without(self, keys: Iterable[str]) -> NodeState:
        """The same node if these Pods were gone."""
        gone = set(keys)
        return NodeState(self.node, [p for k, p in self.pods.items() if k not in gone])
