"""From the reports of the nodes to the packets of one connection: which frames and hooks are ours, and in what order.

A packet keeps something through every rewriting and every tunnel: TCP its sequence number, the others their IP id and
payload. Trace ids are no help: they are hashes that are used again, and bridge netfilter makes new ones half-way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from podwalk.trace.model import Rule
from podwalk.trace.probe import packets
from podwalk.trace.probe.nft import TABLE
from podwalk.trace.probe.packets import ACK, ICMP, RST, SYN, TCP, Arp, Packet
from podwalk.trace.rules import Rules

REQUEST, REPLY, ERROR = "request", "reply", "error"
_KEY_BYTES = 12
_DATA_BYTES = 1 << 24


@dataclass(slots=True)
class Event:
    """A frame on a device (``way`` in, out, other), or a passage through a netfilter hook (``way`` hook)."""

    where: Namespace
    way: str
    packet: Packet
    direction: str = ""
    time: int = 0
    device: str = ""
    oif: str = ""
    outer: Packet | None = None
    hook: str = ""
    mark: int = 0
    rules: list[Rule] = field(default_factory=list)
    dropped: bool = False
    macs: tuple[str, str] = ("", "")

    @property
    def carrier(self) -> Packet:
        """What the device or the hook itself sees."""
        return self.outer or self.packet


class Namespace:
    """One namespace's report, with devices by name."""

    def __init__(self, place: str, report: dict[str, Any]) -> None:
        self.place, self.report = place, report
        self.pod: str = report["pod"]
        self.links = {link["name"]: link for link in report["links"].values()}
        self.names = {int(number): link["name"] for number, link in report["links"].items()}
        self.rules = Rules(report["rules"])
        self.arps: list[tuple[str, str, Arp]] = []
        self.frames: list[Event] = []
        self.runs: list[Event] = []
        for entry in report["frames"]:
            self._frame(entry)
        self._hooks(report["traces"])

    def master(self, device: str) -> str:
        """The bridge that a device is a port of."""
        return str(self.names.get(self.links.get(device, {}).get("master", 0), ""))

    def is_tunnel(self, device: str) -> bool:
        """Whether what leaves by a device is wrapped."""
        return self.links.get(device, {}).get("kind") in ("vxlan", "ipip")

    def _frame(self, entry: dict[str, Any]) -> None:
        data = bytes.fromhex(entry["data"])
        found = packets.frame(data, entry["ethernet"])
        if isinstance(found, Arp):
            self.arps.append((entry["device"], entry["way"], found))
        if not isinstance(found, Packet):
            return
        outer = found if found.tunnel and found.inner else None
        macs = packets.macs(data) if entry["ethernet"] else ("", "")
        inner = outer.inner if outer and outer.inner else found
        self.frames.append(Event(self, entry["way"], inner, "", entry["time"], entry["device"], outer=outer, macs=macs))

    def _hooks(self, traces: Iterable[dict[str, Any]]) -> None:
        """Group what the kernel said: a base chain begins with the packet's headers, its rules follow by trace id."""
        current: dict[int, Event] = {}
        for said in traces:
            if "network" in said:
                found = packets.packet(bytes.fromhex(said["network"] + said["transport"]))
                if found is None:
                    continue
                hook = said["chain"] if said["table"] == TABLE else self.rules.hook(said["table"], said["chain"])
                names = self.names
                event = Event(
                    self, "hook", found, device=names.get(said.get("iif", 0), ""),
                    oif=names.get(said.get("oif", 0), ""),
                    hook=hook, mark=said.get("mark", 0),
                )  # fmt: skip
                if found.protocol == packets.IPIP or (
                    found.dport in packets.VXLAN_PORTS and found.protocol == packets.UDP
                ):
                    event.outer = found  # what it carries is cut off in a trace
                self.runs.append(event)
                current[said["id"]] = event
            run = current.get(said["id"])
            if run is None or said["table"] == TABLE:
                continue
            run.mark = said.get("mark", run.mark)
            if said["type"] == "rule" and "handle" in said:
                verdict = said.get("verdict", "")
                run.rules.append(
                    self.rules.rule(said["table"], said["chain"], said["handle"], verdict, said.get("to", ""))
                )
                run.dropped |= verdict == "drop"
            elif said["type"] == "policy" and said.get("policy") == "drop":
                policy = f"the policy of chain {said['chain']} is drop"
                run.rules.append(Rule(said["table"], said["chain"], policy, "drop"))
                run.dropped = True


def namespaces(recording: dict[str, Any]) -> list[Namespace]:
    """The namespaces that were watched."""
    return [Namespace(place, r) for place, found in recording.get("reports", {}).items() for r in found["places"]]


def ours(recording: dict[str, Any], spaces: list[Namespace]) -> list[Event]:
    """The events of the connection, in the order in which they happened."""
    keys = _keys(recording, spaces)
    if keys is None:
        return []
    for direction, is_ours in keys.items():
        frames = [e for s in spaces for e in s.frames if is_ours(e.packet)]
        outers = {_identity(e.outer) for e in frames if e.outer is not None}
        for event in frames:
            event.direction = direction
        for event in (e for s in spaces for e in s.runs):
            if _identity(event.outer) in outers if event.outer is not None else is_ours(event.packet):
                event.direction = direction
    _never_sent(spaces)
    streams = []
    for space in spaces:
        stream: list[Event] = []
        for direction in keys:
            frames = [e for e in space.frames if e.direction == direction]
            runs = [e for e in space.runs if e.direction == direction]
            stream += _interleave(space, frames, runs, stream)
        streams.append(_steady(stream))
    return _group(list(heapq.merge(*streams, key=lambda e: e.time)))


def _identity(outer: Packet) -> tuple[str, str, int]:
    return outer.src, outer.dst, outer.ident


def _never_sent(spaces: list[Namespace]) -> None:
    """Find the tunnel packets that a rule dropped before a device saw them: nobody can look into those.

    Only packets that carry our protocol and ports are traced, so one that no frame explains is taken for ours where
    something of ours went into the tunnel and did not come out.
    """
    seen = {_identity(e.outer) for s in spaces for e in s.frames if e.outer is not None}
    for space in spaces:
        entered = [e for e in space.frames if e.direction and e.way == "out" and space.is_tunnel(e.device)]
        left = {e.direction for e in space.frames if e.outer is not None and e.way == "out"}
        waiting = [e.direction for e in entered if e.direction not in left]
        for event in space.runs:
            if event.outer is not None and not event.direction and waiting and _identity(event.outer) not in seen:
                event.direction = waiting[0]


def _keys(recording: dict[str, Any], spaces: list[Namespace]) -> dict[str, Callable[[Packet], bool]] | None:
    """What tells each direction's packet from all others; None where the request never was a packet."""
    protocol = {"tcp": TCP, "udp": packets.UDP}.get(recording["target"]["protocol"], ICMP)
    here = next((s for s in spaces if s.place == recording["place"] and s.pod == recording["pod"]), None)
    if here is None:
        return None
    port = recording["sent_order"]["port"] if protocol == ICMP else recording["sent"].get("local", ["", 0])[1]
    to = recording["target"]["address"]
    first = next(
        (
            e.packet
            for e in [*here.runs, *here.frames]
            if e.packet.protocol == protocol and e.packet.sport == port and to in (e.packet.dst, e.packet.src)
            and (protocol != TCP or e.packet.flags & (SYN | ACK) == SYN)
        ),
        None,
    )  # fmt: skip
    if first is None:
        return None
    seq, ident, payload = first.seq, first.ident, first.payload[:_KEY_BYTES]

    def request(p: Packet) -> bool:
        if p.protocol != protocol or p.ident != ident:
            return False
        return p.seq == seq if protocol == TCP else p.payload[:_KEY_BYTES] == payload

    def error(p: Packet) -> bool:
        inner = p.inner
        if p.protocol != ICMP or inner is None or inner.protocol != protocol:
            return False
        # About any packet of ours: the handshake is small, and what follows it may not fit.
        return (inner.seq - seq) % (1 << 32) < _DATA_BYTES if protocol == TCP else inner.ident == ident

    if protocol == TCP:

        def reply(p: Packet) -> bool:
            return (
                p.protocol == TCP
                and bool(p.flags & ACK)
                and p.ack == seq + 1 & 0xFFFFFFFF
                and bool(p.flags & (SYN | RST))
            )

    elif protocol == ICMP:

        def reply(p: Packet) -> bool:
            return p.icmp == (0, 0) and p.payload[:_KEY_BYTES] == payload and p.seq == first.seq

    else:
        asked = {e.packet.tuple for s in spaces for e in s.frames if request(e.packet)}

        def reply(p: Packet) -> bool:
            return p.protocol == protocol and (p.dst, p.dport, p.src, p.sport) in asked

    return {REQUEST: request, REPLY: reply, ERROR: error}


def _interleave(space: Namespace, frames: list[Event], runs: list[Event], before: list[Event]) -> list[Event]:
    """Put the hooks, which have no clock, between the frames, by the way a packet takes through the kernel."""
    filtered = space.report["sysctls"].get("bridge-nf-call-iptables") != "0"
    frames, runs, result = frames[:], runs[:], []
    entered: set[tuple[str, Any]] = set()
    clock = before[-1].time if before else 0
    while frames or runs:
        if runs and (not frames or _hook_first(runs[0], frames[0], entered)):
            event = runs.pop(0)
            event.time = clock or (frames[0].time if frames else 0)
        else:
            event = frames.pop(0)
            clock = event.time
            if event.way != "out":
                doors = (event.device, space.master(event.device)) if filtered else (event.device,)
                entered |= {(door, what) for door in doors for what in ("", event.carrier.tuple)}
        result.append(event)
    return result


def _hook_first(run: Event, frame: Event, entered: set[tuple[str, Any]]) -> bool:
    arrives = frame.way != "out"
    if run.hook == "prerouting":
        return (run.device, run.carrier.tuple) in entered
    if run.hook in ("input", "forward"):
        return (run.device, "") in entered and not (arrives and frame.device == run.device)
    # A tunnel's outer packet is made after the inner one has left by the tunnel's device.
    return run.outer is None or frame.outer is not None


def _steady(stream: list[Event]) -> list[Event]:
    """A namespace's order is certain: a clock that says otherwise (none at all, at the beginning) is corrected."""
    latest = 0
    for event in reversed(stream):
        if not event.time:
            event.time = latest
        latest = event.time
    latest = 0
    for event in stream:
        event.time = latest = max(event.time, latest)
    return stream


def _group(events: list[Event]) -> list[Event]:
    """Make one of the base chains of a hook that a packet passes one after the other."""
    result: list[Event] = []
    for event in events:
        last = result[-1] if result else None
        if (
            last is not None and event.way == last.way == "hook" and event.hook == last.hook
            and event.where is last.where and event.direction == last.direction and not last.dropped
            and (event.outer is None) == (last.outer is None)
        ):  # fmt: skip
            last.rules += event.rules
            last.dropped |= event.dropped
            last.mark = event.mark or last.mark
        else:
            result.append(event)
    return result
