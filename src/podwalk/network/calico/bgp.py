"""Who talks BGP to whom: from the Nodes and the BGP resources to the sessions of one node. Pure.

Stands in for what confd's templates decide (confd/etc/calico/confd/templates/bird.cfg.template and
confd/pkg/backends/calico/bgp_processor.go of Calico).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.network.calico.selector import Labels, SelectorError, parse
from podwalk.network.profile import internal_ip

AS_NUMBER = 64512
RESTART_SECONDS = 120
_AS_ANNOTATION = "projectcalico.org/ASNumber"
_CLUSTER_ANNOTATION = "projectcalico.org/RouteReflectorClusterID"


class BgpError(ValueError):
    """The BGP resources are wrong; the message names resource, field and reason."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A node as a BGP speaker; ``as_number`` None means the cluster's."""

    name: str
    ip: str
    as_number: int | None = None
    cluster_id: str = ""
    labels: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BgpConfiguration:
    """The fields of the BGPConfiguration `default` that matter here."""

    as_number: int = AS_NUMBER
    mesh: bool = True
    restart_seconds: int = RESTART_SECONDS


@dataclass(frozen=True, slots=True)
class BgpPeer:
    """A BGPPeer: which nodes (``node``, ``node_selector``), and whom (``peer_ip``, or nodes by ``peer_selector``)."""

    name: str
    node: str = ""
    node_selector: str = ""
    peer_ip: str = ""
    as_number: int | None = None
    peer_selector: str = ""
    restart_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One BGP session of a node: its name in BIRD, the other end, and how."""

    name: str
    neighbour: str
    as_number: int
    passive: bool = False
    client_of: str = ""
    restart_seconds: int = RESTART_SECONDS


def speaker(node: Object) -> Speaker | None:
    """What a Node says, or None while it has no address. A wrong AS number counts as none."""
    ip = internal_ip(node)
    if ip is None:
        return None
    annotations = meta.annotations(node)
    try:
        number = as_number(annotations[_AS_ANNOTATION]) if _AS_ANNOTATION in annotations else None
    except BgpError:
        number = None
    return Speaker(meta.name(node), ip, number, annotations.get(_CLUSTER_ANNOTATION, ""), meta.labels(node))


def as_number(value: Any) -> int:
    """An AS number, plain or as `1.10`. Raises BgpError."""
    try:
        high, dot, low = str(value).rpartition(".")
        number = (int(high) << 16) + int(low) if dot else int(low)
    except ValueError:
        number = 0
    if not 0 < number < 1 << 32:
        raise BgpError(f"asNumber: {value!r} is not an AS number (1 to 4294967295)")
    return number


def configuration(text: str) -> BgpConfiguration:
    """A BGPConfiguration as calicoctl takes it. Raises BgpError."""
    documents = _documents("BGPConfiguration", text)
    if not documents:
        return BgpConfiguration()
    spec = documents[-1].get("spec") or {}
    _refuse_unknown("BGPConfiguration", spec, ("asNumber", "nodeToNodeMeshEnabled", "nodeMeshMaxRestartTime"))
    return BgpConfiguration(
        as_number(spec.get("asNumber", AS_NUMBER)),
        bool(spec.get("nodeToNodeMeshEnabled", True)),
        _seconds(spec.get("nodeMeshMaxRestartTime")) or RESTART_SECONDS,
    )


def peers(text: str) -> list[BgpPeer]:
    """BGPPeers as calicoctl takes them, in YAML documents. Raises BgpError."""
    known = ("node", "nodeSelector", "peerIP", "asNumber", "peerSelector", "maxRestartTime")
    found = []
    for document in _documents("BGPPeer", text):
        name = meta.name(document)
        spec = document.get("spec") or {}
        _refuse_unknown(f"BGPPeer {name}", spec, known)
        peer = BgpPeer(
            name,
            str(spec.get("node") or ""),
            str(spec.get("nodeSelector") or ""),
            _peer_ip(name, spec.get("peerIP")),
            as_number(spec["asNumber"]) if spec.get("asNumber") else None,
            str(spec.get("peerSelector") or ""),
            _seconds(spec.get("maxRestartTime")),
        )
        if bool(peer.peer_ip) == bool(peer.peer_selector):
            raise BgpError(f"BGPPeer {name}: give either peerIP (with asNumber) or peerSelector")
        if peer.peer_ip and peer.as_number is None:
            raise BgpError(f"BGPPeer {name}: peerIP needs asNumber")
        for selector in (peer.node_selector, peer.peer_selector):
            try:
                parse(selector)
            except SelectorError as error:
                raise BgpError(f"BGPPeer {name}: {error}") from None
        found.append(peer)
    return found


def _peer_ip(name: str, value: Any) -> str:
    try:
        return str(ipaddress.IPv4Address(value)) if value else ""
    except ValueError as error:
        raise BgpError(f"BGPPeer {name}: peerIP: {error}") from None


def _documents(kind: str, text: str) -> list[Object]:
    try:
        documents = [d for d in yaml.load_all(text, Loader=yaml.CSafeLoader) if d]
    except yaml.YAMLError as error:
        raise BgpError(f"{kind}: not YAML: {' '.join(str(error).split())}") from None
    for document in documents:
        if (
            not isinstance(document, dict)
            or document.get("kind") != kind
            or not isinstance((document.get("metadata") or {}).get("name"), str)
        ):
            raise BgpError(f"{kind}: a document is not a {kind} with a metadata.name")
    return documents


def _refuse_unknown(what: str, spec: Any, known: tuple[str, ...]) -> None:
    if not isinstance(spec, dict):
        raise BgpError(f"{what}: spec is not a mapping")
    for name in spec:
        if name not in known:
            raise BgpError(f"{what}: spec.{name} is not served here (known: {', '.join(known)})")


def _seconds(value: Any) -> int | None:
    """A duration in whole seconds, as `120s` or `2m`."""
    if value is None:
        return None
    text = str(value)
    factor = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    if not factor or not text[:-1].isdigit():
        raise BgpError(f"{value!r} is not a duration such as 120s")
    return int(text[:-1]) * factor


def sessions(
    own: Speaker, others: Iterable[Speaker], config: BgpConfiguration, bgp_peers: Iterable[BgpPeer]
) -> list[Session]:
    """The sessions of node ``own``, by name; of two to one address the mesh's wins."""
    others = [other for other in others if other.name != own.name]
    found: dict[str, Session] = {}
    if config.mesh and not own.cluster_id:
        for other in others:
            if not other.cluster_id:
                session = _session("Mesh", own, other, config, config.restart_seconds)
                found[session.neighbour] = session
    for peer in bgp_peers:
        for session in _of_peer(peer, own, others, config):
            found.setdefault(session.neighbour, session)
    return sorted(found.values(), key=lambda session: session.name)


def _session(prefix: str, own: Speaker, other: Speaker, config: BgpConfiguration, restart: int) -> Session:
    number, own_number = other.as_number or config.as_number, own.as_number or config.as_number
    reflects = bool(own.cluster_id) and number == own_number and other.cluster_id != own.cluster_id
    return Session(
        f"{prefix}_{other.ip.replace('.', '_')}",
        other.ip,
        number,
        # One end only opens the connection.
        passive=other.ip > own.ip,
        client_of=own.cluster_id if reflects else "",
        restart_seconds=restart,
    )


def _of_peer(peer: BgpPeer, own: Speaker, others: list[Speaker], config: BgpConfiguration) -> list[Session]:
    prefix = "Node" if peer.node or peer.node_selector else "Global"
    restart = peer.restart_seconds or RESTART_SECONDS
    near = _selects(peer, own)
    if peer.peer_ip:
        if not near or peer.peer_ip == own.ip:
            return []
        assert peer.as_number is not None
        known = next((other for other in others if other.ip == peer.peer_ip), None)
        other = known or Speaker(peer.peer_ip, peer.peer_ip)
        session = _session(
            prefix, own, Speaker(other.name, other.ip, peer.as_number, other.cluster_id), config, restart
        )
        # Nobody configures the other end for us, so that both may have to open.
        return [Session(session.name, session.neighbour, session.as_number, False, session.client_of, restart)]
    far = parse(peer.peer_selector)
    # The nodes that a peerSelector finds talk back by themselves.
    return [
        _session(prefix, own, other, config, restart)
        for other in others
        if (near and far(other.labels)) or (far(own.labels) and _selects(peer, other))
    ]


def _selects(peer: BgpPeer, node: Speaker) -> bool:
    if peer.node:
        return peer.node == node.name
    return parse(peer.node_selector)(node.labels)
