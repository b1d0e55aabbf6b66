"""What one node has to do for the egress gateway policies of the moment. Pure.

Upstream: cilium/cilium pkg/egressgateway (policy.go, manager.go): of several gateway nodes the first by name serves,
traffic inside the cluster is never taken, and what is selected but has no gateway is dropped.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.selectors import everything, label_selector

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The node through which traffic leaves; ``pod_cidr`` is the range of its own Pods."""

    name: str
    address: str
    pod_cidr: str


@dataclass(frozen=True, slots=True)
class Way:
    """What a policy means on one node.

    ``sources`` are Pod addresses: this node's own, and where this node is the gateway those of all nodes. Without a
    gateway, or without an address to leave with, their traffic is dropped.
    """

    policy: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    excluded: tuple[str, ...]
    gateway: Gateway | None
    egress_ip: str
    here: bool


@dataclass(slots=True)
class Plan:
    """Everything for one node: ways in the order in which they are tried, and addresses that its uplink has to have."""

    ways: list[Way] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)

    @property
    def gateways(self) -> list[Gateway]:
        """The other nodes that this one sends to, by name."""
        found = {w.gateway.name: w.gateway for w in self.ways if w.gateway and w.egress_ip and not w.here}
        return [found[name] for name in sorted(found)]


@dataclass(frozen=True, slots=True)
class Objects:
    """What the plan is made from; ``internal`` are the ranges of Pods and of Services."""

    policies: Sequence[Object]
    pods: Sequence[Object]
    namespaces: Sequence[Object]
    nodes: Sequence[Object]
    internal: tuple[str, ...]


def make(objects: Objects, node_name: str) -> Plan:
    """The plan of a node. A policy that makes no sense is logged and left out, as upstream does."""
    plan = Plan()
    inside = [*objects.internal, *(address for n in objects.nodes if (address := node_address(n)))]
    labels = {meta.name(n): meta.labels(n) for n in objects.namespaces}
    for policy in sorted(objects.policies, key=meta.name):
        try:
            way = _way(policy, objects, labels, inside, node_name)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("CiliumEgressGatewayPolicy %s: %s", meta.name(policy), error)
            continue
        if way.here and way.egress_ip:
            plan.addresses.add(way.egress_ip)
        if way.sources:
            plan.ways.append(way)
    return plan


def node_address(node: Object) -> str:
    """A node's InternalIP, or the empty text."""
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((str(a["address"]) for a in addresses if a.get("type") == "InternalIP"), "")


def _way(policy: Object, objects: Objects, labels: dict[str, Object], inside: Iterable[str], node_name: str) -> Way:
    spec = policy["spec"]
    wanted = spec["egressGateway"]
    gateway = _gateway(wanted.get("nodeSelector"), objects.nodes)
    here = gateway is not None and gateway.name == node_name
    sources = {
        str(p["status"]["podIP"])
        for p in objects.pods
        if _has_own_address(p)
        and (here or p["spec"].get("nodeName") == node_name)
        and any(_selects(rule, p, labels) for rule in spec["selectors"])
    }
    return Way(
        policy=meta.name(policy),
        sources=tuple(sorted(sources)),
        destinations=_networks(spec["destinationCIDRs"]),
        excluded=_networks([*(spec.get("excludedCIDRs") or ()), *inside]),
        gateway=gateway,
        egress_ip=_egress_ip(wanted, gateway, objects.nodes),
        here=here,
    )


def _gateway(selector: Object | None, nodes: Iterable[Object]) -> Gateway | None:
    matches = label_selector(selector)
    found = [n for n in nodes if matches(meta.labels(n)) and node_address(n) and (n.get("spec") or {}).get("podCIDR")]
    first = min(found, key=meta.name, default=None)
    return Gateway(meta.name(first), node_address(first), str(first["spec"]["podCIDR"])) if first else None


def _egress_ip(wanted: Object, gateway: Gateway | None, nodes: Iterable[Object]) -> str:
    """The address to leave with; empty where there is none. Another node's own address is none of the gateway's."""
    if gateway is None:
        return ""
    if wanted.get("interface") not in (None, "", "eth0"):
        return ""  # nodes have no other way out
    asked = str(wanted.get("egressIP") or "").strip()
    if not asked:
        return gateway.address
    address = str(ipaddress.IPv4Address(asked))
    others = {node_address(n) for n in nodes} - {gateway.address}
    return "" if address in others else address


def _has_own_address(pod: Object) -> bool:
    status = pod.get("status") or {}
    ended = status.get("phase") in ("Succeeded", "Failed")
    return bool(status.get("podIP")) and not pod["spec"].get("hostNetwork") and not ended


def _selects(rule: Object, pod: Object, labels: dict[str, Object]) -> bool:
    if rule.get("podSelector") is None and rule.get("namespaceSelector") is None:
        raise ValueError("cannot have both nil namespace selector and nil pod selector")
    namespaces = label_selector(rule["namespaceSelector"]) if rule.get("namespaceSelector") is not None else everything
    pods = label_selector(rule["podSelector"]) if rule.get("podSelector") is not None else everything
    return namespaces(labels.get(meta.namespace(pod), {})) and pods(meta.labels(pod))


def _networks(texts: Iterable[str]) -> tuple[str, ...]:
    """Ranges as nft reads them in one set: none inside another. Raises ValueError."""
    networks = [ipaddress.IPv4Network(text, strict=False) for text in texts]
    return tuple(str(n) for n in ipaddress.collapse_addresses(networks))
