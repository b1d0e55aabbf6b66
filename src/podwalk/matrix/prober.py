"""Runs on a node: asks from the networks of that node's Pods whom they reach, all at once, and prints what came of it.

A program of the standard library alone, for it is handed over as text to a bare interpreter inside the node. A socket
stays in the network namespace in which it was made, so one process with one loop asks for all Pods of the node.

Its argument is JSON: ``pods`` {name: address} of this node; ``targets`` [[address, port, protocol]]; ``ask``
{source: [indexes of targets]}, where a source that is no Pod is the node (or the outside) itself; ``answer`` [[pod,
port, protocol]], datagrams that it answers itself where nobody listens; ``seconds`` to wait at most; ``until``, the
time to which it keeps answering; ``discover`` [pod], whose listening ports are wanted. It prints ``results`` {source:
[outcome]} and ``ports`` {pod: [[protocol, port]]}. Outcomes: connected (somebody who listens answered), refused
(somebody who does not), dropped (silence), no-route, "error: ...".
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import json
import os
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

_NEWNET = 0x40000000
_AGAIN = 0.06  # an unanswered datagram is sent again after so many seconds
_LISTEN = "0A"
_SCTP = 132
_IP_PKTINFO = 8
_NETNS = "/run/netns"
# A question that every DNS server answers, if only with a refusal: the name servers of the root.
_DNS_QUERY = b"pw\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"
# ENOPROTOOPT is the ICMP error of a kernel that does not speak the protocol: the packet was delivered.
_REFUSED = {errno.ECONNREFUSED, errno.ECONNRESET, errno.ENOPROTOOPT}
_NO_ROUTE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EINVAL}


def _setns(fd: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(fd, _NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Networks:
    """The network namespaces of this node's Pods, found by their addresses."""

    def __init__(self, wanted: dict[str, str]) -> None:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._fds: dict[str, int] = {}
        self._wanted = frozenset(wanted)
        names = {ip: name for name, ip in wanted.items()}
        for entry in sorted(os.listdir(_NETNS)) if wanted and os.path.isdir(_NETNS) else []:
            fd = os.open(os.path.join(_NETNS, entry), os.O_RDONLY)
            try:
                with self._in(fd):
                    found = [names[ip] for ip in _addresses() if ip in names]
            except OSError:
                found = []
            if found:
                self._fds[found[0]] = fd
            else:
                os.close(fd)

    @contextlib.contextmanager
    def _in(self, fd: int) -> Iterator[None]:
        _setns(fd)
        try:
            yield
        finally:
            _setns(self._home)

    @contextlib.contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Be in a Pod's network; whoever is no Pod is in the node's own. Raises KeyError where a Pod is not here."""
        if name not in self._wanted:
            yield
            return
        with self._in(self._fds[name]):
            yield

    def __contains__(self, name: str) -> bool:
        return name not in self._wanted or name in self._fds


def _addresses() -> list[str]:
    """The local addresses of the present network, from its routing table of local addresses."""
    with open("/proc/thread-self/net/fib_trie", encoding="ascii") as file:
        lines = file.read().splitlines()
    return [a.split()[-1] for a, b in itertools.pairwise(lines) if "|--" in a and "/32 host LOCAL" in b]


def listening() -> list[tuple[str, int]]:
    """Where somebody listens in the present network, on more than loopback."""
    found = set()
    for protocol in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/thread-self/net/{protocol}", encoding="ascii") as file:
            for line in file.read().splitlines()[1:]:
                local, state = line.split()[1], line.split()[3]
                address, _, port = local.partition(":")
                loopback = address.endswith("7F") or address == "0" * 24 + "01000000"
                if state == _LISTEN and not loopback:
                    found.add(("TCP", int(port, 16)))
    return sorted(found)


class Probe:
    """One question. ``outcome`` is set when it is settled."""

    def __init__(self, ip: str, port: int, protocol: str) -> None:
        self.ip, self.port, self.protocol = ip, port, protocol
        self.outcome = ""
        self.socket: socket.socket | None = None
        self.last_sent = 0.0
        self.bind_to = ""

    def start(self) -> None:
        """Make the socket (bound to ``bind_to`` where that is set) and send the first packet."""
        try:
            if self.protocol == "SCTP":
                self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, _SCTP)
                self._own_port = 20000 + os.urandom(2)[0] * 100 + os.urandom(1)[0] % 100
            else:
                kind = socket.SOCK_DGRAM if self.protocol == "UDP" else socket.SOCK_STREAM
                self.socket = socket.socket(socket.AF_INET, kind)
            self.socket.setblocking(False)
            if self.bind_to:
                self.socket.bind((self.bind_to, 0))
            if self.protocol == "TCP":
                # Nothing is said on the connection: a reset instead of a farewell leaves no half-open rest behind.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            code = self.socket.connect_ex((self.ip, 0 if self.protocol == "SCTP" else self.port))
            if code not in (0, errno.EINPROGRESS):
                self.fail(code)
            elif self.protocol != "TCP":
                self.send()
        except OSError as error:
            self.fail(error.errno or 0)

    def send(self) -> None:
        """Send a datagram (again)."""
        self.last_sent = time.monotonic()
        if self.socket is None:
            return
        try:
            if self.protocol == "SCTP":
                self.socket.send(sctp_init(self._own_port, self.port))
            else:
                self.socket.send(_DNS_QUERY if self.port == 53 else b"podwalk\n")
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(error.errno or 0)

    def ready(self) -> None:
        """Something came."""
        assert self.socket is not None
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.fail(code)
        elif self.protocol == "TCP":
            self.settle("connected")
        else:
            self._read()

    def _read(self) -> None:
        assert self.socket is not None
        try:
            data = self.socket.recv(2048)
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(error.errno or 0)
            return
        if self.protocol == "UDP" or sctp_ports(data) == (self.port, self._own_port):
            self.settle("connected")

    def fail(self, code: int) -> None:
        """Settle by an errno."""
        if code in _REFUSED:
            self.settle("refused")
        elif code in _NO_ROUTE:
            self.settle("no-route")
        else:
            self.settle(f"error: {os.strerror(code)}")

    def settle(self, outcome: str) -> None:
        """Note the outcome and let go of the socket."""
        self.outcome = outcome
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class Answerer:
    """Answers datagrams on a port where nobody listens, so that silence means that they were dropped."""

    def __init__(self, port: int, protocol: str) -> None:
        self.port, self.protocol = port, protocol
        if protocol == "SCTP":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, _SCTP)
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("0.0.0.0", port))
        # A node has many addresses, and an answer from another one than was asked is nobody's.
        self.socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self.socket.setblocking(False)

    def ready(self) -> None:
        """Answer what came."""
        with contextlib.suppress(OSError):
            data, ancillary, _, sender = self.socket.recvmsg(2048, 64)
            if self.protocol == "UDP":
                self._send(data, ancillary, sender)
            elif (ports := sctp_ports(data)) is not None and ports[1] == self.port and sctp_is_init(data):
                self._send(sctp_init(self.port, ports[0], answer_to=data), ancillary, (sender[0], 0))

    def _send(self, data: bytes, ancillary: list[tuple[int, int, bytes]], to: tuple[str, int]) -> None:
        asked = next((d[8:12] for level, kind, d in ancillary if (level, kind) == (0, _IP_PKTINFO)), bytes(4))
        self.socket.sendmsg([data], [(socket.IPPROTO_IP, _IP_PKTINFO, bytes(4) + asked + bytes(4))], 0, to)


# --- SCTP by hand: the kernels that learners have rarely speak it, but they forward and track it.


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sctp_init(source: int, destination: int, answer_to: bytes | None = None) -> bytes:
    """An INIT chunk (RFC 9260, 3.3.2), or the INIT ACK that answers one, with a right checksum."""
    tag = struct.unpack("!I", answer_to[36:40])[0] if answer_to else 0
    body = struct.pack("!IIHHI", 0x0A0B0C0D, 65535, 1, 1, 1)
    if answer_to:
        body += struct.pack("!HH", 7, 8) + b"walk"
    chunk = struct.pack("!BBH", 2 if answer_to else 1, 0, 4 + len(body)) + body
    head = struct.pack("!HHI", source, destination, tag)
    checksum = struct.pack("<I", _crc32c(head + b"\0\0\0\0" + chunk))
    return head + checksum + chunk


def sctp_ports(packet: bytes) -> tuple[int, int] | None:
    """(source, destination) of a raw IPv4 packet without options that carries SCTP."""
    return (packet[20] << 8 | packet[21], packet[22] << 8 | packet[23]) if len(packet) >= 40 else None


def sctp_is_init(packet: bytes) -> bool:
    """Whether its first chunk is an INIT."""
    return packet[32] == 1


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Ask everything and wait for the answers."""
    networks = Networks(order.get("pods") or {})
    loop = selectors.DefaultSelector()
    for pod, port, protocol in order.get("answer") or ():
        if pod in networks:
            with networks.inside(pod), contextlib.suppress(OSError):
                answerer = Answerer(port, protocol)
                loop.register(answerer.socket, selectors.EVENT_READ, answerer)
    asked = {source: [Probe(*order["targets"][i]) for i in indexes] for source, indexes in order["ask"].items()}
    for source, probes in asked.items():
        _start(networks, source, probes, loop)
    pending = [p for probes in asked.values() for p in probes]
    wait(loop, pending, float(order.get("seconds") or 0), float(order.get("until") or 0))
    ports = {}
    for pod in order.get("discover") or ():
        if pod in networks:
            with networks.inside(pod):
                ports[pod] = listening()
    return {"results": {s: [p.outcome or "dropped" for p in probes] for s, probes in asked.items()}, "ports": ports}


def _start(networks: Networks, source: str, probes: list[Probe], loop: selectors.BaseSelector) -> None:
    if source not in networks:
        for probe in probes:
            probe.settle("error: no such network on this node")
        return
    with networks.inside(source):
        for probe in probes:
            probe.start()
    for probe in probes:
        if probe.socket is not None:
            event = selectors.EVENT_WRITE if probe.protocol == "TCP" else selectors.EVENT_READ
            loop.register(probe.socket, event, probe)


def wait(loop: selectors.BaseSelector, probes: list[Probe], seconds: float, until: float) -> None:
    """Until all is settled or ``seconds`` have passed; whoever answers others stays ``until`` the time agreed upon."""
    end = time.monotonic() + seconds
    pending = {p for p in probes if not p.outcome}
    while (pending and time.monotonic() < end) or time.time() < until:
        now = time.monotonic()
        for probe in pending:
            if probe.protocol != "TCP" and now - probe.last_sent > _AGAIN:
                probe.send()
        for key, _ in loop.select(_AGAIN / 2):
            asked = key.data
            own = key.fileobj
            asked.ready()
            if isinstance(asked, Probe) and asked.outcome:
                loop.unregister(own)
        pending = {p for p in pending if not p.outcome}


if __name__ == "__main__":
    json.dump(run(json.loads(sys.argv[1])), sys.stdout)
