"""What the policies say about a connection, decided rule by rule: the oracle that packets are compared with. Pure.

NetworkPolicy v1 as its API reference describes it (k8s.io/api/networking/v1/types.go). Written on its own, without a
line of the renderer, so that the two can disagree. Where Kubernetes leaves it open (host network, traffic of nodes,
addresses before or after translation) it says what podwalk's data plane does; docs/limits.md lists that.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from podwalk.api import meta, selectors
from podwalk.api.meta import Object
from podwalk.policy import tiers
from podwalk.policy.model import Connection, Decision, Direction, Endpoint, Verdict, World

NETWORK_POLICY: str = "NetworkPolicy"


def evaluate(world: World, connection: Connection) -> Verdict:
    """The verdict on a new connection, with the deciding policies and rule of both directions.

    Replies and what belongs to an accepted connection are not asked about: they pass with it.
    """
    return Verdict(decide(world, connection, "Egress"), decide(world, connection, "Ingress"))


def decide(world: World, connection: Connection, direction: Direction) -> Decision:
    """One direction alone."""
    exempt = _exempt(connection, direction)
    if exempt:
        return Decision(True, direction, "Exempt", rule_name=exempt)
    subject, peer = _ends(connection, direction)
    admin = tiers.decide(world, connection, direction, "Admin")
    if admin is not None:
        return admin
    selecting = [p for p in world.policies if selects(p, subject, direction)]
    if selecting:
        return _namespaced(selecting, connection, peer, direction)
    baseline = tiers.decide(world, connection, direction, "Baseline")
    return baseline or Decision(True, direction, "Default")


def _ends(connection: Connection, direction: Direction) -> tuple[Endpoint, Endpoint]:
    if direction == "Ingress":
        return connection.destination, connection.source
    return connection.source, connection.destination


def _exempt(connection: Connection, direction: Direction) -> str:
    """Why no policy applies to this end, or an empty string."""
    subject, peer = _ends(connection, direction)
    if subject.pod is None:
        who = "destination" if direction == "Ingress" else "source"
        return f"the {who} is a node" if subject.node else f"the {who} is no Pod of this cluster"
    if peer.ip == subject.ip:
        return "a Pod always reaches itself"
    if peer.is_node and peer.node == subject.node:
        return "a node and its own Pods always reach each other"
    return ""


def selects(policy: Object, subject: Endpoint, direction: Direction) -> bool:
    """Whether a NetworkPolicy isolates an end of a connection in this direction."""
    assert subject.pod is not None
    if meta.namespace(policy) != meta.namespace(subject.pod):
        return False
    spec = policy.get("spec") or {}
    if direction not in policy_types(spec):
        return False
    return selectors.label_selector(spec.get("podSelector") or {})(meta.labels(subject.pod))


def policy_types(spec: Object) -> Sequence[str]:
    """The directions that a policy isolates; left out means Ingress, and Egress where it has egress rules."""
    return list(spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]))


def _namespaced(selecting: Sequence[Object], connection: Connection, peer: Endpoint, direction: Direction) -> Decision:
    rules, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    for policy in selecting:
        for index, rule in enumerate((policy.get("spec") or {}).get(rules) or ()):
            if _rule_matches(rule, rule.get(peers), meta.namespace(policy), connection, peer):
                return Decision(True, direction, "NetworkPolicy", (meta.key(policy),), index)
    return Decision(False, direction, "NetworkPolicy", tuple(meta.key(p) for p in selecting))


def _rule_matches(
    rule: Object, peers: Sequence[Object] | None, namespace: str, connection: Connection, peer: Endpoint
) -> bool:
    ports = rule.get("ports")
    if ports and not any(_port_matches(p, connection) for p in ports):
        return False
    return not peers or any(_peer_matches(p, namespace, peer) for p in peers)


def _port_matches(port: Object, connection: Connection) -> bool:
    protocol = port.get("protocol") or "TCP"
    if protocol != connection.protocol:
        return False
    wanted = port.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return connection.port in named_ports(connection.destination, wanted, protocol)
    return int(wanted) <= connection.port <= int(port.get("endPort") or wanted)


def named_ports(destination: Endpoint, name: str, protocol: str) -> set[int]:
    """The numbers behind a port's name: only the destination Pod's own containers can say."""
    if destination.pod is None:
        return set()
    spec = destination.pod["spec"]
    containers = [*(spec.get("containers") or ())]
    containers += [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return {
        int(port["containerPort"])
        for container in containers
        for port in container.get("ports") or ()
        if port.get("name") == name and (port.get("protocol") or "TCP") == protocol
    }


def _peer_matches(peer: Object, namespace: str, who: Endpoint) -> bool:
    block = peer.get("ipBlock")
    if block is not None:
        address = ipaddress.ip_address(who.ip)
        inside = address in ipaddress.ip_network(block["cidr"], strict=False)
        spared = (ipaddress.ip_network(e, strict=False) for e in block.get("except") or ())
        return inside and not any(address in network for network in spared)
    if who.pod is None:
        return False
    by_namespace, by_pod = peer.get("namespaceSelector"), peer.get("podSelector")
    if by_namespace is None and by_pod is None:
        return False
    if by_namespace is None:
        if meta.namespace(who.pod) != namespace:
            return False
    elif not selectors.label_selector(by_namespace)(who.namespace_labels):
        return False
    return by_pod is None or selectors.label_selector(by_pod)(meta.labels(who.pod))
