"""What the ClusterNetworkPolicies of one tier say about a connection. Pure; a part of the evaluator.

policy.networking.k8s.io/v1beta1 (kubernetes-sigs/network-policy-api, apis/v1beta1): rules in order of priority, the
first that matches decides, Pass leaves the tier. Peers that we do not know fail closed, as the API asks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Literal

from podwalk.api import meta, selectors
from podwalk.api.meta import Object
from podwalk.policy.model import Connection, Decision, Direction, Endpoint, World


def decide(
    world: World, connection: Connection, direction: Direction, tier: Literal["Admin", "Baseline"]
) -> Decision | None:
    """The tier's final decision, or None where nothing matched or a rule passed on."""
    subject, peer = connection.source, connection.destination
    if direction == "Ingress":
        subject, peer = peer, subject
    for policy, index, rule in _rules(world, tier, direction):
        if not is_subject(policy["spec"].get("subject") or {}, subject):
            continue
        peers = rule.get("from" if direction == "Ingress" else "to") or ()
        action = str(rule.get("action"))
        if _fails_closed(peers):
            if action == "Accept":
                peers = [p for p in peers if _known(p)]
            else:
                action, peers = "Deny", None
        if peers is not None and not (_any_peer(world, peers, peer) and _protocols_match(rule, connection)):
            continue
        if action == "Pass":
            return None
        return Decision(action == "Accept", direction, tier, (meta.name(policy),), index, str(rule.get("name") or ""))
    return None


def _rules(world: World, tier: str, direction: Direction) -> Iterator[tuple[Object, int, Object]]:
    policies = [p for p in world.cluster_policies if p["spec"].get("tier") == tier]
    for policy in sorted(policies, key=lambda p: (int(p["spec"].get("priority") or 0), meta.name(p))):
        for index, rule in enumerate(policy["spec"].get(direction.lower()) or ()):
            yield policy, index, rule


def is_subject(subject: Object, who: Endpoint) -> bool:
    """Whether the ``subject`` of a ClusterNetworkPolicy means this Pod."""
    return _selects(subject.get("namespaces"), subject.get("pods"), who)


def _selects(namespaces: Object | None, pods: Object | None, who: Endpoint) -> bool:
    if who.pod is None:
        return False
    if namespaces is not None:
        return selectors.label_selector(namespaces)(who.namespace_labels)
    if pods is not None:
        in_namespace = selectors.label_selector(pods.get("namespaceSelector") or {})(who.namespace_labels)
        return in_namespace and selectors.label_selector(pods.get("podSelector") or {})(meta.labels(who.pod))
    return False


def _known(peer: Object) -> bool:
    return any(peer.get(k) is not None for k in ("namespaces", "pods", "nodes", "networks"))


def _fails_closed(peers: Sequence[Object]) -> bool:
    return any(not _known(p) for p in peers)


def _any_peer(world: World, peers: Sequence[Object], who: Endpoint) -> bool:
    return any(_peer_matches(world, p, who) for p in peers)


def _peer_matches(world: World, peer: Object, who: Endpoint) -> bool:
    if peer.get("networks") is not None:
        address = ipaddress.ip_address(who.ip)
        return any(address in ipaddress.ip_network(n, strict=False) for n in peer["networks"])
    if peer.get("nodes") is not None:
        return (
            who.is_node
            and _is_reported(world, who)
            and selectors.label_selector(peer["nodes"])(meta.labels(world.nodes[who.node]))
        )
    return _selects(peer.get("namespaces"), peer.get("pods"), who)


def _is_reported(world: World, who: Endpoint) -> bool:
    """Only the addresses in a Node's status count as the node."""
    listed = (world.nodes[who.node].get("status") or {}).get("addresses") or ()
    return any(a.get("address") == who.ip for a in listed)


def _protocols_match(rule: Object, connection: Connection) -> bool:
    protocols = rule.get("protocols")
    return not protocols or any(_protocol_matches(p, connection) for p in protocols)


def _protocol_matches(entry: Object, connection: Connection) -> bool:
    name = entry.get("destinationNamedPort")
    if name:
        return _has_named_port(connection, name)
    for protocol in ("TCP", "UDP", "SCTP"):
        match = entry.get(protocol.lower())
        if match is not None:
            return protocol == connection.protocol and _port_matches(match.get("destinationPort"), connection.port)
    return False


def _port_matches(wanted: Object | None, port: int) -> bool:
    if not wanted:
        return True
    if wanted.get("range"):
        return int(wanted["range"]["start"]) <= port <= int(wanted["range"]["end"])
    return port == int(wanted.get("number") or 0)


def _has_named_port(connection: Connection, name: str) -> bool:
    pod = connection.destination.pod
    if pod is None:
        return False
    sidecars = [c for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return any(
        port.get("name") == name
        and int(port["containerPort"]) == connection.port
        and (port.get("protocol") or "TCP") == connection.protocol
        for container in [*(pod["spec"].get("containers") or ()), *sidecars]
        for port in container.get("ports") or ()
    )
