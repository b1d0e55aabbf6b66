"""From events to hops: what each station did to the packet, which route was taken, and who was next on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from podwalk.trace.events import REPLY, Event, Namespace
from podwalk.trace.model import Encapsulation, Header, Hop, Rewrite, Route
from podwalk.trace.probe.packets import ICMP, Packet
from podwalk.trace.rules import dnat_of

_DESTINATION_HOOKS, _SOURCE_HOOKS = ("prerouting", "output"), ("postrouting", "input")


# What the kernel means by refusing a route (net/ipv4/route.c, fib_semantics.c: fib_props).
ERRORS = {
    "ENETUNREACH": "there is none",
    "EHOSTUNREACH": "it is declared unreachable",
    "EACCES": "it is prohibited",
    "EINVAL": "a blackhole swallows it",
    "EXDEV": "the reverse path filter refuses the source",
}


@dataclass(frozen=True, slots=True)
class Station:
    """A hop together with what it was made from."""

    hop: Hop
    event: Event


def build(events: list[Event], pods: dict[str, str]) -> list[Station]:
    """The stations of a walk; ``pods`` names the Pod of an address. Hooks in which nothing happened are left out."""
    rewrites = _rewrites(events)
    stations: list[Station] = []
    began = events[0].time if events else 0
    for index, event in enumerate(events):
        rewrite = rewrites.get(index)
        routed = _route_of(events, index)
        base = _hop(event, began, pods)
        if routed is not None and event.hook in ("output", "forward"):
            stations.append(Station(_route_hop(base, routed), event))
        if event.way == "hook" and not (rewrite or event.dropped or (event.rules and event.outer is None)):
            continue
        base.rewrite = rewrite
        stations.append(Station(base, event))
        if routed is not None and event.hook == "prerouting":
            stations.append(Station(_route_hop(base, routed), event))
    for number, station in enumerate(stations, 1):
        station.hop.number = number
    return stations


def header(packet: Packet) -> Header:
    """Addresses and ports of a packet."""
    if packet.protocol == ICMP and packet.inner is not None:
        return Header(packet.src, 0, packet.dst, 0)
    return Header(packet.src, packet.sport, packet.dst, packet.dport)


def _hop(event: Event, began: int, pods: dict[str, str]) -> Hop:
    where = event.where
    hop = Hop(
        0,
        max(event.time - began, 0) // 1000,
        event.direction,
        where.place,
        pods.get(where.pod, where.pod),
        {"hook": "hook", "out": "out"}.get(event.way, "in"),
        header(event.carrier if event.way == "hook" else event.packet),
        device=(event.oif or event.device) if event.way == "hook" else event.device,
        incoming=event.device if event.way == "hook" else "",
        hook=event.hook,
        rules=event.rules,
        macs=event.macs,
        mark=event.mark,
        dropped=event.dropped,
    )
    if event.outer is not None:
        hop.encapsulation = Encapsulation(
            event.outer.tunnel or ("ipip" if event.outer.protocol == 4 else "vxlan"),
            header(event.outer),
            event.outer.vni,
        )
    if event.way == "out":
        hop.neighbour = neighbour_of(where, event.device, event.macs[1])
    return hop


def neighbour_of(where: Namespace, device: str, mac: str) -> str:
    """Whose hardware address that is, from the neighbour table."""
    number = next((n for n, name in where.names.items() if name == device), 0)
    for entry in where.report["neighbours"]:
        if not entry["fdb"] and entry["mac"] == mac and entry["device"] == number and mac:
            return f"{entry['address']}, whose MAC is {mac} ({entry['state']})"
    return ""


def tunnel_entry(where: Namespace, device: str, mac: str) -> str:
    """Where a VXLAN device sends frames for a hardware address; empty where it does not know."""
    number = next((n for n, name in where.names.items() if name == device), 0)
    for entry in where.report["neighbours"]:
        if entry["fdb"] and entry["device"] == number and entry["mac"] == mac and entry["address"]:
            return str(entry["address"])
    return ""


def _rewrites(events: list[Event]) -> dict[int, Rewrite]:
    """What changed between two sightings in a namespace, put down to the last hook that may change it."""
    found: dict[int, Rewrite] = {}
    latest: dict[tuple[int, str], Event] = {}
    hooks: dict[tuple[int, str, bool], int] = {}
    for index, event in enumerate(events):
        if event.packet.protocol == ICMP and event.packet.inner is not None:
            continue
        if event.way == "hook" and event.outer is not None:
            continue
        key = (id(event.where), event.direction)
        before = latest.get(key)
        back = event.direction == REPLY
        if before is not None and before.way == "out" and event.way != "out":
            # It left, and comes by again: what changed meanwhile was changed elsewhere.
            before = None
            hooks = {k: at for k, at in hooks.items() if k[:2] != key}
        if before is not None:
            was, now = before.packet, event.packet
            if (was.dst, was.dport) != (now.dst, now.dport) and (at := hooks.get((*key, True))) is not None:
                found[at] = Rewrite(
                    "SNAT" if back else "DNAT", _end(was.dst, was.dport), _end(now.dst, now.dport), back
                )
            if (was.src, was.sport) != (now.src, now.sport) and (at := hooks.get((*key, False))) is not None:
                found[at] = Rewrite(
                    "DNAT" if back else "SNAT", _end(was.src, was.sport), _end(now.src, now.sport), back
                )
        latest[key] = event
        if event.hook:
            hooks[(*key, event.hook in _DESTINATION_HOOKS)] = index
    for index, event in enumerate(events):
        if index not in found and not event.dropped and (target := _told(event)):
            found[index] = Rewrite("DNAT", _end(event.packet.dst, event.packet.dport), _end(*target))
    return found


def _told(event: Event) -> tuple[str, int] | None:
    """The destination that a DNAT rule says, where nobody saw the packet afterwards."""
    for rule in event.rules:
        target = dnat_of(rule)
        if target is not None:
            return target[0], target[1] or event.packet.dport
    return None


def _end(address: str, port: int) -> str:
    return f"{address}:{port}" if port else address


def _route_of(events: list[Event], index: int) -> Route | None:
    """The route that was looked up before (forward, output) or would be after (prerouting, where nothing followed)."""
    event = events[index]
    if event.way != "hook" or event.outer is not None:
        return None
    to = event.packet.dst
    if event.hook == "prerouting":
        if event.dropped or any(e.where is event.where and e.direction == event.direction for e in events[index + 1 :]):
            return None
        target = _told(event)
        to = target[0] if target else to
    elif event.hook not in ("forward", "output") or _bridged(events, index):
        return None
    return route(event.where, to, event.packet.src, event.device)


def _bridged(events: list[Event], index: int) -> bool:
    """Whether a packet only crosses a bridge, which asks no route: in and out by it, to where it always went."""
    event = events[index]
    if event.hook != "forward" or event.device != event.oif:
        return False
    entry = next((e for e in events[:index] if e.where is event.where and e.direction == event.direction), event)
    return entry.packet.dst == event.packet.dst


def route(where: Namespace, to: str, source: str = "", incoming: str = "") -> Route | None:
    """What the kernel of a namespace says about such a packet; None where nobody asked it."""
    number = next((n for n, name in where.names.items() if name == incoming), 0)
    entries: list[dict[str, Any]] = where.report["routes"]
    exact = [e for e in entries if e["to"] == to and e["incoming"] == number and e["from"] == source]
    loose = [e for e in entries if e["to"] == to and not e["incoming"]] if not number else []
    for entry in exact or loose:
        if "error" in entry:
            return Route(to, error=_refusal(where, entry["error"], to, source, incoming))
        device = where.names.get(entry["device"], "")
        return Route(to, entry["prefix"], entry["via"], device, entry["type"], entry["table"])
    return None


def _refusal(where: Namespace, error: str, to: str, source: str, incoming: str) -> str:
    """The errno that says it: since Linux 6.13 a refused source is EINVAL too, as a blackhole is."""
    if error != "EINVAL" or not incoming:
        return error
    onward, back = route(where, to), route(where, source)
    if onward is None or onward.error or onward.kind not in ("unicast", "local"):
        return error
    sysctls = where.report["sysctls"]
    strict = any(sysctls.get(name) == "1" for name in ("rp_filter", f"rp_filter {incoming}"))
    return "EXDEV" if strict and (back is None or back.device != incoming) else error


def _route_hop(base: Hop, found: Route) -> Hop:
    return Hop(
        0, base.micros, base.direction, base.place, base.namespace, "route", base.packet, device=found.device,
        incoming=base.incoming, route=found,
    )  # fmt: skip
