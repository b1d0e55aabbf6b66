"""The program that a walk starts on every node: it obeys JSON lines on stdin and answers with JSON lines on stdout.

``resolve`` asks for a name where the walk begins; ``arm`` starts collecting (captures, tracing) in the node's own
namespace and in those of the Pods with the given addresses; ``go`` opens the connection; ``report`` returns everything
that was collected. The end of stdin, SIGTERM and SIGKILL all end it, and nothing stays: what it put into the kernel
belongs to its sockets.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from podwalk.trace.probe import connection, names, namespaces, netlink, nft, packets
from podwalk.trace.probe.capture import Capture

_MOST_ROUTES, _MOST_CONNECTIONS = 96, 200
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}
_SYSCTLS = {
    "ip_forward": "net/ipv4/ip_forward",
    "bridge-nf-call-iptables": "net/bridge/bridge-nf-call-iptables",
    "rp_filter": "net/ipv4/conf/all/rp_filter",
}
_LISTING_SECONDS = 10.0


@dataclass(slots=True)
class Place:
    """One network namespace under watch; ``address`` is that of its Pod, empty for the node's own."""

    address: str
    path: str | None
    capture: Capture | None = None
    tracer: nft.Tracer | None = None
    links: dict[int, dict[str, Any]] = field(default_factory=dict)
    traces: list[dict[str, Any]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Stop collecting here."""
        for collector in (self.capture, self.tracer):
            if collector is not None:
                collector.close()


class Agent:
    """The state of one walk on one node."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.protocol = packets.TCP
        self.ports: list[int] = []
        self.addresses: list[str] = []
        self._selector = selectors.DefaultSelector()

    def resolve(self, order: dict[str, Any]) -> dict[str, Any]:
        """Resolve ``name`` where ``pod`` lives (the node itself without one)."""
        path = self._path(order["pod"])
        resolv_conf, hosts = namespaces.resolver_files(path)
        with namespaces.inside(path):
            return names.resolve(order["name"], resolv_conf, hosts)

    def arm(self, order: dict[str, Any]) -> dict[str, Any]:
        """Start collecting."""
        self.protocol, self.ports = _PROTOCOLS[order["protocol"]], order["ports"]
        self.addresses = order["addresses"]
        found = namespaces.of_pods(set(self.addresses))
        paths = {path: address for address, path in found.items()}
        for place in [Place("", None), *(Place(a, p) for p, a in paths.items())]:
            self.places.append(place)
            with namespaces.inside(place.path):
                self._watch(place)
        return {"pods": sorted(found)}

    def _watch(self, place: Place) -> None:
        link = netlink.Netlink()
        place.links = netlink.links(link)
        link.close()
        for name, make in (("capture", Capture), ("tracer", lambda: nft.Tracer(self.protocol, self.ports))):
            try:
                collector = make()
            except OSError as error:
                place.troubles.append(f"{name}: {error.strerror or error}")
                continue
            setattr(place, name, collector)
            self._selector.register(collector, selectors.EVENT_READ)
        if place.capture is not None:
            place.capture.start()

    def go(self, order: dict[str, Any]) -> dict[str, Any]:
        """Open the connection, and read what the collectors see meanwhile."""
        with namespaces.inside(self._path(order["pod"])):
            opened = connection.new_socket(order["protocol"])
        try:
            return connection.open_and_send(order, opened, self._wait)
        finally:
            opened.close()

    def _path(self, address: str) -> str | None:
        if not address:
            return None
        known = {p.address: p.path for p in self.places} or namespaces.of_pods({address})
        if address not in known:
            known = namespaces.of_pods({address})
        if address not in known:
            raise OSError(f"no network namespace under /run/netns has the address {address}")
        return known[address]

    def _wait(self, wanted: socket.socket, events: int, seconds: float) -> bool:
        self._selector.register(wanted, events)
        try:
            ready = self._selector.select(max(seconds, 0))
        finally:
            self._selector.unregister(wanted)
        self.read()
        return any(key.fileobj is wanted for key, _ in ready)

    def read(self) -> None:
        """Take everything that the kernel holds for us."""
        for place in self.places:
            if place.capture is not None:
                place.capture.read(self.protocol, self.ports)
            if place.tracer is not None:
                place.traces += place.tracer.read()

    def idle(self) -> bool:
        """Wait for orders while the collectors read; False at the end of stdin."""
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        try:
            while all(key.fileobj is not sys.stdin for key, _ in self._selector.select()):
                self.read()
        finally:
            self._selector.unregister(sys.stdin)
        return True

    def report(self, order: dict[str, Any]) -> dict[str, Any]:
        """Everything that was collected, and the tables that it must be read against."""
        self.read()
        places = []
        for place in self.places:
            with namespaces.inside(place.path):
                places.append(self._describe(place))
        return {"places": places}

    def _describe(self, place: Place) -> dict[str, Any]:
        if place.tracer is not None and place.tracer.overrun:
            place.troubles.append("tracer: the kernel had more to report than its buffer holds")
        if place.capture is not None and (lost := place.capture.lost()):
            place.troubles.append(f"capture: {lost} frames found no room")
        place.close()
        link = netlink.Netlink()
        tables = {(t["table"], t["family"]) for t in place.traces if t["table"] != nft.TABLE}
        found = {
            "pod": place.address,
            "links": place.links,
            "addresses": netlink.addresses(link),
            "neighbours": netlink.neighbours(link),
            "frames": place.capture.frames if place.capture else [],
            "traces": place.traces,
            "routes": self._routes(place, link),
            "conntrack": self._connections(),
            "sysctls": {name: _sysctl(path) for name, path in _SYSCTLS.items()}
            | {f"rp_filter {n['name']}": _sysctl(f"net/ipv4/conf/{n['name']}/rp_filter") for n in place.links.values()},
            "rules": _rules(place, tables),
            "legacy": _sysctl("../net/ip_tables_names").split(),
            "troubles": place.troubles,
        }
        link.close()
        return found

    def _routes(self, place: Place, link: netlink.Netlink) -> list[dict[str, Any]]:
        """What the kernel would do with every packet that was seen here, under each address that it may have got."""
        seen: dict[tuple[str, str, int], None] = {}
        for trace in place.traces:
            packet = packets.packet(bytes.fromhex(trace.get("network", "")))
            if packet is None:
                continue
            for to in dict.fromkeys((packet.dst, *self.addresses)):
                seen[(to, packet.src, trace.get("iif", 0))] = None
            seen[(packet.src, "", 0)] = seen[(packet.dst, "", 0)] = None
        numbers = {link["name"]: n for n, link in place.links.items()}
        for entry in place.capture.frames if place.capture else ():
            number = numbers.get(entry["device"], 0)
            found = packets.frame(bytes.fromhex(entry["data"]), entry["ethernet"])
            if entry["way"] == "in" and number and isinstance(found, packets.Packet):
                seen[(found.dst, found.src, place.links[number].get("master", number))] = None
        asked = list(seen)[:_MOST_ROUTES]
        # A destination alone too: where an answer would go, and what a client without a packet was told.
        asked += [(to, "", 0) for to in self.addresses if (to, "", 0) not in seen]
        return [netlink.route(link, *question) for question in asked]

    def _connections(self) -> list[dict[str, Any]]:
        try:
            link = netlink.Netlink(netlink.NETLINK_NETFILTER)
        except OSError:
            return []
        found = []
        try:
            for entry in netlink.conntrack(link):
                ours = entry["original"]["protocol"] == self.protocol
                ports = {entry["original"]["dport"], entry["reply"]["sport"]}
                if ours and (self.protocol == packets.ICMP or ports & set(self.ports)):
                    found.append(entry)
        except OSError:
            return found
        finally:
            link.close()
        return found[-_MOST_CONNECTIONS:]

    def close(self) -> None:
        """Stop collecting everywhere."""
        for place in self.places:
            place.close()


def _rules(place: Place, tables: set[tuple[str, int]]) -> dict[str, str]:
    """The tables that the packets met, as nft lists them with handles, and what iptables makes of them."""
    families = {2: "ip", 1: "inet", 10: "ip6", 7: "bridge"}
    found = {}
    for name, family in sorted(tables):
        kind = families.get(family, "ip")
        listed = _output(["nft", "-a", "list", "table", kind, name])
        if not listed and kind == "ip":
            listed = _output(["nft", "-a", "list", "table", "inet", name])
        found[f"nft {kind} {name}"] = listed
        if kind == "ip" and name in ("raw", "mangle", "nat", "filter", "security"):
            found[f"iptables {name}"] = _output(["iptables-save", "-t", name])
    if any(not listing for key, listing in found.items() if key.startswith("nft")):
        place.troubles.append(
            "rules: nft cannot list a table that a packet met; without the nft program rules stay numbers"
        )
    return found


def _output(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_LISTING_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _sysctl(path: str) -> str:
    try:
        with open(f"/proc/sys/{path}") as file:
            return file.read().strip()
    except OSError:
        return ""


def main() -> None:
    """Obey until the end of stdin."""
    agent = Agent()
    commands = {"resolve": agent.resolve, "arm": agent.arm, "go": agent.go, "report": agent.report}
    try:
        while agent.idle() and (line := sys.stdin.readline()):
            order = json.loads(line)
            try:
                answer = commands[order["do"]](order)
            except OSError as error:
                answer = {"failed": str(error)}
            print(json.dumps(answer), flush=True)
    finally:
        agent.close()
