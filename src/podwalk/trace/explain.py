"""One plain sentence for every hop."""

from __future__ import annotations

from collections.abc import Mapping

from podwalk.trace import hops, rules
from podwalk.trace.events import ERROR, REPLY
from podwalk.trace.hops import Station
from podwalk.trace.model import Hop, Rule

_ENDS = ("accept", "drop")


def explain(stations: list[Station], owners: Mapping[str, str]) -> None:
    """Write the sentences."""
    for station in stations:
        hop = station.hop
        words = {"hook": _hook, "route": _route, "in": _arrives, "out": _leaves}[hop.kind](station, owners)
        hop.sentence = words


def _owned(address: str, owners: Mapping[str, str]) -> str:
    return f"{address} ({owners[address]})" if address in owners else address


def _subject(hop: Hop) -> str:
    return {REPLY: "The answer", ERROR: "The error message"}.get(hop.direction, "The packet")


def _leaves(station: Station, owners: Mapping[str, str]) -> str:
    hop, where = station.hop, station.event.where
    kind = where.links.get(hop.device, {}).get("kind", "")
    if hop.encapsulation is not None:
        outer = hop.encapsulation.outer
        if hop.place == "outside":
            return f"The network between the nodes passes it on towards {_owned(outer.dst, owners)}."
        return (
            f"It leaves by {hop.device} inside a packet from node to node, {outer}: "
            f"whoever looks only at the outside sees no Pod in it."
        )
    if kind == "vxlan":
        to = hops.tunnel_entry(where, hop.device, hop.macs[1])
        where_to = f"the forwarding table has {hop.macs[1]} behind {_owned(to, owners)}" if to else (
            f"the forwarding table does not know {hop.macs[1]}"
        )  # fmt: skip
        return f"{hop.device} wraps it: {where_to}."
    if kind == "tun":
        return f"{hop.device} hands it to the program that owns this device, which wraps it."
    if hop.namespace:
        return f"{_subject(hop)} leaves {hop.namespace} by {hop.device}{_next(hop)}."
    if kind == "bridge":
        return f"{_subject(hop)} is put onto bridge {hop.device}{_next(hop)}."
    if where.master(hop.device):
        return f"Bridge {where.master(hop.device)} knows behind which port that is: {hop.device}."
    return f"{_subject(hop)} leaves by {hop.device}{_next(hop)}."


def _next(hop: Hop) -> str:
    return f" for {hop.neighbour}" if hop.neighbour else ""


def _arrives(station: Station, owners: Mapping[str, str]) -> str:
    hop, where = station.hop, station.event.where
    link = where.links.get(hop.device, {})
    if hop.encapsulation is not None:
        if hop.place == "outside":
            return f"The network between the nodes takes it from {_owned(hop.encapsulation.outer.src, owners)}."
        return f"The wrapped packet arrives on {hop.device}."
    if station.event.way == "other" and where.is_tunnel(hop.device):
        return f"{hop.device} unwraps it and finds a frame for {hop.macs[1]}, which is not its own address."
    if where.is_tunnel(hop.device):
        return f"{hop.device} unwraps it: from here on it is the Pods' own packet again."
    if link.get("kind") == "tun":
        return f"The program that owns {hop.device} has unwrapped it: from here on it is the Pods' own packet again."
    if hop.namespace:
        return f"{_subject(hop)} arrives in {hop.namespace}."
    if link.get("kind") == "bridge":
        return f"Bridge {hop.device} hands it up to the node, which is the gateway of its Pods."
    if where.master(hop.device):
        other = "the Pod's cable" if hop.place != "outside" else "a node's cable"
        return f"This is the other end of {other}: a port of bridge {where.master(hop.device)}."
    if link.get("kind") == "veth" and hop.device != "eth0" and hop.place != "outside":
        return f"This is the other end of the Pod's cable, {hop.device}: the node routes from here."
    if hop.device == "lo":
        return f"{_subject(hop)} stays on this machine."
    return f"{_subject(hop)} arrives on {hop.device}."


def _route(station: Station, owners: Mapping[str, str]) -> str:
    hop, found = station.hop, station.hop.route
    assert found is not None
    to = _owned(found.to, owners)
    if found.error == "EXDEV":
        return f"The reverse path filter refuses it: an answer would not leave by {hop.incoming}, where it came in."
    if found.error == "EHOSTUNREACH" and station.event.where.report["sysctls"].get("ip_forward") == "0":
        return f"{to} is somebody else, and forwarding is off here (net.ipv4.ip_forward = 0)."
    if found.error:
        return f"Where to? The kernel has no route to {to}: {hops.ERRORS.get(found.error, found.error)}."
    if found.kind == "local":
        return f"{to} is an address of this very machine."
    if found.kind != "unicast":
        return f"The route to {to} is a wall: {found.kind} {found.prefix}."
    via = f", next to {found.via}" if found.via else ", a neighbour"
    return f"Where to? Route {found.prefix} leads to {to}: by {found.device}{via}."


def _hook(station: Station, owners: Mapping[str, str]) -> str:
    hop = station.hop
    hook = hop.hook.upper()
    what = "the wrapped packet" if hop.encapsulation else "it"
    deciding = next((r for r in reversed(hop.rules) if r.verdict in _ENDS), None)
    if hop.dropped and deciding is not None:
        end = "refuses" if rules.rejects(deciding) else "drops"
        return f"In {hook} a rule of table {deciding.table} {end} {what}: {_named(deciding)}."
    if hop.rewrite is not None:
        return _rewrite(hop, hook, owners)
    if deciding is not None:
        return f"{hook} lets {what} through: {_named(deciding)}."
    return f"{hook}: {_count(hop.rules)} matched, and none stops or changes {what}."


def _rewrite(hop: Hop, hook: str, owners: Mapping[str, str]) -> str:
    change = hop.rewrite
    assert change is not None
    address = change.after.partition(":")[0]
    if change.back:
        what = "source" if change.kind == "DNAT" else "destination"
        return (
            f"{hook}: conntrack remembers the connection and turns the {what} back, {change.before} → {change.after}."
        )
    chosen = next((r for r in reversed(hop.rules) if r.verdict in _ENDS or rules.dnat_of(r)), None)
    by = f", by {_named(chosen)}" if chosen else ""
    if change.kind == "DNAT":
        whose = f", which is {owners[address]}" if address in owners else ""
        return f"{hook}: the destination becomes {change.after}{whose}{by}."
    whose = f", the address of {owners[address]}" if address in owners else ""
    return f"{hook}: the source becomes {change.after}{whose}, so that the answer comes back here{by}."


def _named(rule: Rule) -> str:
    comment = f" “{rule.comment}”" if rule.comment else ""
    return f"chain {rule.chain}{comment}"


def _count(found: list[Rule]) -> str:
    return "1 rule" if len(found) == 1 else f"{len(found)} rules"
