"""What the evaluator is asked and what it answers: the objects of a moment, one connection, one verdict. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from podwalk.api import meta
from podwalk.api.meta import Object

Direction = Literal["Ingress", "Egress"]
Tier = Literal["Admin", "NetworkPolicy", "Baseline", "Default", "Exempt"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection: an IPv4 address and, where one has it, the Pod or the node behind it.

    ``node`` is the node that a Pod runs on, or the node whose own address this is.
    """

    ip: str
    pod: Object | None = field(default=None, compare=False)
    node: str = ""
    namespace_labels: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def is_node(self) -> bool:
        """Whether the address is a node's own (a host-network Pod has no other)."""
        return self.pod is None and bool(self.node)

    @property
    def name(self) -> str:
        """``namespace/pod``, ``node/NAME`` or the address."""
        if self.pod is not None:
            return meta.key(self.pod)
        return f"node/{self.node}" if self.node else self.ip


@dataclass(frozen=True, slots=True)
class Connection:
    """A new connection as the destination's node sees it: after a Service has been translated to an endpoint."""

    source: Endpoint
    destination: Endpoint
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one direction says, and who says it.

    ``policies`` are the deciding policies: the one whose ``rule`` matched (counted from 0), or all that isolate.
    """

    allowed: bool
    direction: Direction
    tier: Tier
    policies: tuple[str, ...] = ()
    rule: int | None = None
    rule_name: str = ""

    def __str__(self) -> str:
        word = "allowed" if self.allowed else "denied"
        way = self.direction.lower()
        if self.tier == "Exempt":
            return f"{way} allowed: {self.rule_name}"
        if self.tier == "Default":
            return f"{way} allowed: no policy selects {'the destination' if way == 'ingress' else 'the source'}"
        names = ", ".join(self.policies)
        if self.rule is None:
            return f"{way} denied: isolated by {names}, no rule of which matches"
        named = f' "{self.rule_name}"' if self.rule_name else ""
        return f"{way} {word} by {names} {way}[{self.rule}]{named}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Both directions; a connection needs both."""

    egress: Decision
    ingress: Decision

    @property
    def allowed(self) -> bool:
        """Whether the connection is let through."""
        return self.egress.allowed and self.ingress.allowed

    @property
    def deciding(self) -> Decision:
        """The direction that denies, egress first as the packet meets it; else the one that a policy allows."""
        if not self.egress.allowed:
            return self.egress
        if not self.ingress.allowed or self.ingress.policies:
            return self.ingress
        return self.egress

    def __str__(self) -> str:
        """The deciding direction in words; where no policy has a say in either, that."""
        if self.egress.tier == self.ingress.tier == "Default":
            return "allowed: no policy selects either end"
        return str(self.deciding)


class World:
    """The objects of one moment, and who is behind an address. Objects are only read."""

    def __init__(
        self,
        pods: Iterable[Object] = (),
        namespaces: Iterable[Object] = (),
        nodes: Iterable[Object] = (),
        policies: Iterable[Object] = (),
        cluster_policies: Iterable[Object] = (),
    ) -> None:
        self.pods = {meta.key(p): p for p in pods}
        self.namespaces = {meta.name(n): meta.labels(n) for n in namespaces}
        self.nodes = {meta.name(n): n for n in nodes}
        self.policies = sorted(policies, key=meta.key)
        self.cluster_policies = list(cluster_policies)
        self._node_of = {ip: name for name, node in self.nodes.items() for ip in _node_addresses(node)}
        self._pod_of = {ip: p for p in self.pods.values() if _has_network(p) for ip in pod_ips(p)}

    def at(self, ip: str) -> Endpoint:
        """Who is behind an address: a Pod, a node, or nobody that the cluster knows. Raises ValueError."""
        ip = str(ipaddress.IPv4Address(ip))
        pod = self._pod_of.get(ip)
        if pod is not None:
            return Endpoint(
                ip, pod, str(pod["spec"].get("nodeName") or ""), self.namespaces.get(meta.namespace(pod), {})
            )
        return Endpoint(ip, None, self._node_of.get(ip, ""))

    def pod(self, key: str) -> Endpoint:
        """The Pod ``namespace/name``; a host-network Pod is its node. Raises KeyError without Pod or address."""
        pod = self.pods[key]
        ips = pod_ips(pod)
        if not ips:
            raise KeyError(f"pod/{meta.name(pod)} has no address yet")
        if pod["spec"].get("hostNetwork"):
            return Endpoint(ips[0], None, str(pod["spec"].get("nodeName") or ""))
        return self.at(ips[0]) if self._pod_of.get(ips[0]) is pod else _ended(key)


def _ended(key: str) -> Endpoint:
    raise KeyError(f"pod {key} has ended: it has no network any more")


def pod_ips(pod: Object) -> list[str]:
    """The IPv4 addresses in a Pod's status."""
    status: dict[str, Any] = pod.get("status") or {}
    listed = [str(entry["ip"]) for entry in status.get("podIPs") or () if entry.get("ip")]
    return [ip for ip in listed or [str(status.get("podIP") or "")] if ip and ":" not in ip]


def _has_network(pod: Object) -> bool:
    return not pod["spec"].get("hostNetwork") and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def _node_addresses(node: Object) -> list[str]:
    """InternalIP and ExternalIP; and the first two of its Pod range, which its tunnel and its bridge carry."""
    listed = [
        str(a["address"])
        for a in (node.get("status") or {}).get("addresses") or ()
        if a.get("type") in ("InternalIP", "ExternalIP") and ":" not in str(a.get("address"))
    ]
    cidr = (node.get("spec") or {}).get("podCIDR")
    if cidr and ":" not in cidr:
        first = ipaddress.ip_network(cidr).network_address
        listed += [str(first), str(first + 1)]
    return listed
