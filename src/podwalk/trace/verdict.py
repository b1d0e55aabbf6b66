"""How a walk ended, and who is to blame: from the last sighting of the packet and what the kernel says about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from podwalk.trace import data, hops, rules
from podwalk.trace.events import ERROR, REPLY, REQUEST, Event, Namespace
from podwalk.trace.hops import Station
from podwalk.trace.model import Rule, Verdict
from podwalk.trace.probe.packets import RST, Packet

_NO_ROUTE = ("ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL")
_EMSGSIZE = "The packet is larger than the MTU where it begins, or than what the kernel there has learnt of the way."


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a verdict is made from."""

    recording: dict[str, Any]
    spaces: list[Namespace]
    events: list[Event]
    stations: list[Station]
    pods: dict[str, str]
    owners: dict[str, str]

    def of(self, direction: str) -> list[Event]:
        """The events of one direction."""
        return [e for e in self.events if e.direction == direction]

    def hop(self, event: Event) -> int:
        """The number of the last hop at or before an event."""
        at = self.events.index(event)
        earlier = [s.hop.number for s in self.stations if self.events.index(s.event) <= at]
        return max(earlier, default=0)

    def owner(self, address: str) -> str:
        """An address with whose it is."""
        return f"{address} ({self.owners[address]})" if address in self.owners else address

    def see(self, where: Namespace, command: str) -> str:
        """The command that shows it there."""
        name = self.recording.get("cluster", "podwalk")
        option = "" if name == "podwalk" else f" --name {name}"
        if where.pod:
            namespace, _, pod = self.pods.get(where.pod, where.pod).partition("/")
            return f"kubectl -n {namespace} exec {pod} -- {command}"
        return f"podwalk outside{option} -- {command}" if where.place == "outside" else (
            f"podwalk node{option} {where.place} -- {command}"
        )  # fmt: skip

    def place(self, where: Namespace) -> str:
        """A namespace in words."""
        if where.pod:
            return f"in {self.pods.get(where.pod, where.pod)}"
        return "outside" if where.place == "outside" else f"on node {where.place}"


def judge(case: Case) -> Verdict:
    """The verdict."""
    sent = case.recording.get("sent")
    if sent is None:
        return _unresolved(case)
    if "error" not in sent:
        return _answered(case)
    found = _by_rule(case) or _by_message(case, sent) or _by_reply(case, sent) or _by_loss(case, sent)
    if case.recording["target"].get("question"):
        host = case.recording["target"]["host"]
        return replace(found, sentence=f"Nobody answers what {host} is; followed is the question. {found.sentence}")
    return found


def _unresolved(case: Case) -> Verdict:
    found = case.recording["names"]
    name, attempts = case.recording["target"]["host"], found["attempts"]
    if not found.get("servers"):
        return Verdict("unresolved", f"{name} is a name, and there is no name server to ask.", "no-name-server")
    if all(a["answer"] in ("NOERROR", "NXDOMAIN") for a in attempts):
        tried = ", ".join(dict.fromkeys(a["name"] for a in attempts))
        return Verdict(
            "unresolved", f"Nobody knows the name {name}: the name server was asked for {tried}.", "no-such-name"
        )
    last = attempts[-1]
    return Verdict(
        "unresolved",
        f"The name server {last['server']} gave no address for {last['name']} ({last['answer']}). "
        f"No packet was sent to {name}.",
        "name-server-silent",
    )


def _answered(case: Case) -> Verdict:
    if case.recording["target"].get("question"):
        server = case.owner(case.recording["target"]["address"])
        return Verdict(
            "unresolved", f"The name server {server} was silent, and answers now: try again.", "name-server-silent"
        )
    reply = case.of(REPLY)
    by = case.owner(reply[0].packet.src) if reply else "the other side"
    took = (reply[-1].time - case.events[0].time) / 1e6 if reply else case.recording["sent"]["micros"] / 1e3
    return Verdict("answered", f"Answered by {by}: there and back in {took:.2g} ms.", direction=REPLY)


def _by_rule(case: Case) -> Verdict | None:
    event = next((e for e in case.events if e.dropped), None)
    if event is None:
        return None
    rule = next((r for r in reversed(event.rules) if r.verdict == "drop"), None)
    words = rule or Rule("", "", "a rule that could not be read", "drop")
    what = "The answer" if event.direction == REPLY else "The packet"
    where = f"{case.place(event.where)}, hook {event.hook.upper()}"
    if rules.rejects(words):
        outcome, did = "rejected", "is refused by a rule"
    else:
        outcome, did = "dropped", "is dropped by a rule"
    cause = "no-endpoints" if any(rules.is_no_endpoints(r) for r in event.rules[-2:]) else "rule"
    named = words.text if words.text.startswith("-A") else f"table {words.table}, chain {words.chain}: {words.text}"
    sentence = f"{what} {did} {where}: {named}"
    if cause == "no-endpoints":
        sentence = f"{case.owner(event.packet.dst)} has no endpoints, so {what[0].lower()}{sentence[1:]}"
    elif words.comment:
        sentence += f" (it says of itself: {words.comment})"
    show = f"iptables -t {words.table} -S {words.chain}"
    if not words.text.startswith("-A"):
        show = f"nft list chain ip {words.table} {words.chain}"
    return Verdict(
        outcome, sentence, cause, event.direction, event.where.place, case.pods.get(event.where.pod, event.where.pod),
        event.oif or event.device, event.hook, rule, case.hop(event), case.see(event.where, show),
    )  # fmt: skip


def _by_message(case: Case, sent: dict[str, Any]) -> Verdict | None:
    """An ICMP error, or the local kernel's own, says it."""
    errors = case.of(ERROR)
    if sent["error"] == "EMSGSIZE":
        where = next(s for s in case.spaces if (s.place, s.pod) == (case.recording["place"], case.recording["pod"]))
        return _at(case, where, "lost", "mtu", _EMSGSIZE, show=f"ip route get {case.recording['target']['address']}")
    if not errors:
        return None
    first = errors[0]
    kind, teller = first.packet.icmp, case.owner(first.packet.src)
    if kind == (3, 4):
        size = first.packet.mtu
        return _at(
            case, first.where, "lost", "mtu",
            f"The packet is too large for the way and may not be cut: {teller} says that at most {size} bytes fit.",
            event=first, show="ip link",
        )  # fmt: skip
    if kind == (3, 3):
        return _at(
            case, first.where, "refused", "no-listener",
            f"Nobody listens: {teller} got the packet and answers “port unreachable”.", event=first, show="ss -lntu",
        )  # fmt: skip
    if kind in ((3, 0), (3, 1)):
        return _at(
            case, first.where, "lost", "no-route", f"{teller} knows no way on, and says so (ICMP 3/{kind[1]}).",
            event=first, show="ip route",
        )  # fmt: skip
    return _at(case, first.where, "lost", "unknown", f"{teller} answers with ICMP {kind[0]}/{kind[1]}.", event=first)


def _by_reply(case: Case, sent: dict[str, Any]) -> Verdict | None:
    reply = case.of(REPLY)
    if not reply:
        return None
    first, last = reply[0], reply[-1]
    home = (case.recording["place"], case.recording["pod"])
    if (last.where.place, last.where.pod) != home:
        return _lost(case, reply, "The answer")
    if first.packet.flags & RST:
        by = case.owner(first.packet.src)
        return _at(
            case, first.where, "refused", "no-listener",
            f"Nobody listens on port {first.packet.sport}: the packet came to {by}, whose kernel answers with a reset.",
            event=first, show="ss -lnt",
        )  # fmt: skip
    return _open_but_silent(case, sent, first) if "connected" in sent else None


def _open_but_silent(case: Case, sent: dict[str, Any], first: Event) -> Verdict:
    """The handshake went through, and what came after it did not."""
    found = data.stuck(case.events, case.spaces)
    took = f"within {sent['micros'] / 1e6:.1f} s ({sent['error']})"
    if found is None:
        return _at(
            case, first.where, "lost", "silent",
            f"The connection stands, all that was sent arrived, and nothing came back {took}: ask the program.",
            event=first, show="ss -nt",
        )  # fmt: skip
    where, size = found.event.where, found.event.packet.length
    words = (
        f"The connection stands, but a packet of {size} bytes was last seen {case.place(where)} on {found.event.device}"
    )
    if found.too_large:
        words += f": the next device, {found.next_device}, takes {found.mtu} bytes at most"
    cause = "mtu" if found.too_large else "data-lost"
    return _at(case, where, "lost", cause, f"{words}.", device=found.event.device, show="ip link")


def _by_loss(case: Case, sent: dict[str, Any]) -> Verdict:
    request = case.of(REQUEST)
    if request:
        return _lost(case, request, "The packet")
    where = next((s for s in case.spaces if (s.place, s.pod) == (case.recording["place"], case.recording["pod"])), None)
    to = case.recording["target"]["address"]
    if where is None:
        return Verdict("lost", "Nobody saw the packet, because nobody could look.", "unknown")
    if sent["error"] in _NO_ROUTE:
        found = hops.route(where, to)
        told = f" ({found})" if found and not found.error else f" ({sent['error']})"
        return _at(
            case, where, "lost", "no-route",
            f"No packet left: the kernel {case.place(where)} knows no route to {case.owner(to)}{told}.",
            show="ip route",
        )  # fmt: skip
    return _at(
        case, where, "lost", "unknown", f"No packet to {case.owner(to)} was seen; the client got {sent['error']}."
    )


def _lost(case: Case, events: list[Event], what: str) -> Verdict:
    """The packet was seen, and then not any more."""
    last = events[-1]
    if last.outer is not None and last.way == "hook" and last.hook in ("prerouting", "input"):
        return _not_unwrapped(case, last, last.outer)
    if last.outer is not None and last.outer.dst not in case.recording["nodes"].values():
        return _wrong_node(case, events, last, what)
    if last.way == "hook":
        if last.hook in ("prerouting", "output") and (found := _no_way_on(case, last, what)):
            return found
        if last.hook == "input" or (last.where.pod and last.hook == "prerouting"):
            return _delivered(case, last, what)
        if last.oif and (found := _no_neighbour(case, last, last.oif, what)):
            return found
    elif last.way == "out":
        found = _after_leaving(case, events, last, what)
        if found:
            return found
    elif found := _after_arriving(case, events, last, what):
        return found
    seen = f"in hook {last.hook.upper()}" if last.way == "hook" else f"on {last.device}"
    return _at(
        case, last.where, "lost", "unknown",
        f"{what} was last seen {case.place(last.where)} {seen}; no rule, route or neighbour explains where it went.",
        event=last,
    )  # fmt: skip


def _no_way_on(case: Case, last: Event, what: str) -> Verdict | None:
    where, packet = last.where, last.packet
    target = next((t for r in last.rules if (t := rules.dnat_of(r))), None)
    to = target[0] if target else packet.dst
    found = hops.route(where, to, packet.src, last.device)
    if found is None or not (found.error or found.kind not in ("unicast", "local")):
        return _no_way_out(case, last, found.device, what) if found and found.device else None
    if found.error == "EXDEV":
        return _at(
            case, where, "lost", "rp-filter",
            f"The reverse path filter {case.place(where)} throws it away: it came in by {last.device}, and an answer "
            f"to {case.owner(packet.src)} would not go out there.", event=last, show=f"ip route get {packet.src}",
        )  # fmt: skip
    if leak := _leaked(case, last, to, what):
        return leak
    if found.error == "EHOSTUNREACH" and where.report["sysctls"].get("ip_forward") == "0":
        return _at(
            case, where, "lost", "not-forwarding",
            f"{what} is for somebody else, and {case.place(where)} the kernel does not forward: "
            "net.ipv4.ip_forward is 0.", event=last, show="sysctl net.ipv4.ip_forward",
        )  # fmt: skip
    why = hops.ERRORS.get(found.error, found.error) or f"its route is {found.kind}"
    return _at(
        case, where, "lost", "no-route",
        f"{what} ends {case.place(where)}: the kernel has no route to {case.owner(to)} ({why}).",
        event=last, show=f"ip route get {to}",
    )  # fmt: skip


def _no_way_out(case: Case, last: Event, device: str, what: str) -> Verdict | None:
    """There is a route, and the packet did not come out of its device."""
    mtu, size = last.where.links.get(device, {}).get("mtu", 0), last.packet.length
    if not 0 < mtu < size:
        return _no_neighbour(case, last, device, what)
    return _at(
        case, last.where, "lost", "mtu",
        f"{what} has {size} bytes and may not be cut; {case.place(last.where)} it should leave by {device}, which "
        f"takes {mtu} at most, and the sender was not told.",
        event=last, device=device, show=f"ip link show dev {device}",
    )  # fmt: skip


def _leaked(case: Case, last: Event, to: str, what: str) -> Verdict | None:
    """A packet of the cluster's inside stands outside: a node had nothing better for it than its default route."""
    events = case.of(last.direction)
    sender = next((e for e in reversed(events) if e.where.place != last.where.place and not e.where.pod), None)
    whose = case.owners.get(to, "")
    if last.where.place != "outside" or sender is None or not whose.startswith(("pod", "service")):
        return None
    show, cause = f"ip route get {to}", "no-route"
    why = "has no route of its own for it"
    if whose.startswith("service"):
        why, cause = "has no rule that knows this Service", "no-rule"
        show = "iptables-save -t nat"
    return _at(
        case, sender.where, "lost", cause,
        f"{what} for {case.owner(to)} left the cluster: {case.place(sender.where)} the kernel {why}, the default route "
        f"took it out by {sender.device}, and out there nobody knows it.", event=sender, show=show,
    )  # fmt: skip


def _no_neighbour(case: Case, last: Event, device: str, what: str) -> Verdict | None:
    """The kernel asks who has the next address, and nobody answers."""
    answered = {a.sender for _, way, a in last.where.arps if way != "out" and not a.asks}
    asked = [a.target for d, way, a in last.where.arps if a.asks and way == "out" and d == device]
    silent = next((t for t in asked if t not in answered), None)
    if silent is None:
        return None
    return _at(
        case, last.where, "lost", "no-neighbour",
        f"{what} ends {case.place(last.where)}: nobody on {device} answers the question who has {case.owner(silent)}.",
        event=last, device=device, show=f"ip neigh show dev {device}",
    )  # fmt: skip


def _delivered(case: Case, last: Event, what: str) -> Verdict:
    if last.direction == REPLY:
        return _at(
            case, last.where, "lost", "unknown", f"{what} reached the client too late or was not for it.", event=last
        )
    return _at(
        case, last.where, "lost", "silent",
        f"{what} was delivered {case.place(last.where)}, and nothing came back: the program has not answered in time.",
        event=last, show="ss -lntu",
    )  # fmt: skip


def _after_leaving(case: Case, events: list[Event], last: Event, what: str) -> Verdict | None:
    where, device = last.where, last.device
    if where.is_tunnel(device) and last.outer is None:
        mac = last.macs[1]
        to = hops.tunnel_entry(where, device, mac)
        if not to:
            return _at(
                case, where, "lost", "no-tunnel-entry",
                f"{what} ends in {device} {case.place(where)}: its forwarding table (FDB) does not say behind which "
                f"node {mac} is.", event=last, show=f"bridge fdb show dev {device}",
            )  # fmt: skip
        uplink = hops.route(where, to)
        return _no_neighbour(case, last, uplink.device, what) if uplink else None
    dead = [n for n in case.recording["dead"] if case.recording["nodes"].get(n) == last.carrier.dst]
    if dead:
        return _at(case, where, "lost", "dead-node", f"{what} left for node {dead[0]}, which is dead.", event=last)
    return None


def _wrong_node(case: Case, events: list[Event], last: Event, what: str) -> Verdict:
    outer = last.outer
    assert outer is not None
    sender = next((e for e in events if e.outer is None and e.way == "out" and e.where.is_tunnel(e.device)), last)
    return _at(
        case, sender.where, "lost", "wrong-vtep",
        f"{what} leaves the tunnel's end {case.place(sender.where)} for {outer.dst}, which is no node: the forwarding "
        f"table (FDB) of {sender.device} is wrong.", event=last, device=sender.device,
        show=f"bridge fdb show dev {sender.device}",
    )  # fmt: skip


def _after_arriving(case: Case, events: list[Event], last: Event, what: str) -> Verdict | None:
    where = last.where
    if where.is_tunnel(last.device) and last.outer is None and last.way == "other":
        return _wrong_vtep(case, events, last, what)
    if last.outer is not None and where.place != "outside":
        return _not_unwrapped(case, last, last.outer)
    if where.pod:
        return _delivered(case, last, what)
    return _no_way_on(case, last, what)


def _not_unwrapped(case: Case, last: Event, outer: Packet) -> Verdict:
    where = last.where
    kind = outer.tunnel or "vxlan"
    ends = [f"{n} is {'up' if link['up'] else 'down'}" for n, link in where.links.items() if link["kind"] == kind]
    has = ", ".join(ends) or f"there is no {kind} device"
    show = f"ip -d link show type {kind}"
    if kind == "udp":
        has, show = "the program that should does not", "ss -lnup"
    return _at(
        case, where, "lost", "no-tunnel-end",
        f"The wrapped packet ({outer.src} → {outer.dst}, port {outer.dport}) arrives {case.place(where)}, and nothing "
        f"unwraps it: {has}.", event=last, show=show,
    )  # fmt: skip


def _wrong_vtep(case: Case, events: list[Event], last: Event, what: str) -> Verdict:
    mac = last.macs[1]
    owner = next((s for s in case.spaces for link in s.links.values() if link["mac"] == mac and not s.pod), None)
    sender = next((e for e in events if e.outer is None and e.way == "out" and e.where.is_tunnel(e.device)), last)
    whose = f"that of {last.device} {case.place(owner)}" if owner else "nobody's"
    outer = next((e.outer for e in events if e.outer is not None), None)
    target = f" to {case.owner(outer.dst)}" if outer else ""
    return _at(
        case, sender.where, "lost", "wrong-vtep",
        f"{what} came out of the tunnel {case.place(last.where)}, addressed to {mac}, which is {whose}: "
        f"{case.place(sender.where)} the forwarding table (FDB) of {sender.device} sends it{target}.",
        event=last, device=sender.device, show=f"bridge fdb show dev {sender.device}",
    )  # fmt: skip


def _at(
    case: Case,
    where: Namespace,
    outcome: str,
    cause: str,
    sentence: str,
    *,
    event: Event | None = None,
    device: str = "",
    show: str = "",
) -> Verdict:
    return Verdict(
        outcome,
        sentence,
        cause,
        event.direction if event else REQUEST,
        where.place,
        case.pods.get(where.pod, where.pod),
        device or (event.device if event else ""),
        event.hook if event else "",
        None,
        case.hop(event) if event else 0,
        case.see(where, show) if show else "",
    )
