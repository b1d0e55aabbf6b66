"""Raw netlink for one network namespace: links, addresses, neighbours, routes and conntrack, as plain data.

A node has no pyroute2, and starting `ip`, `nft` and `conntrack` costs ten milliseconds each; a socket costs none.
Message layouts: the kernel's include/uapi/linux/{netlink,rtnetlink,if_link,neighbour}.h and
netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_NEWLINK, _GETLINK, _NEWADDR, _GETADDR, _NEWROUTE, _GETROUTE, _NEWNEIGH, _GETNEIGH = 16, 18, 20, 22, 24, 26, 28, 30
_FIB_MATCH = 0x2000
_ROUTE_TYPES = {1: "unicast", 2: "local", 3: "broadcast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_NEIGHBOUR_STATES = {
    0x01: "INCOMPLETE", 0x02: "REACHABLE", 0x04: "STALE", 0x08: "DELAY", 0x10: "PROBE", 0x20: "FAILED",
    0x40: "NOARP", 0x80: "PERMANENT",
}  # fmt: skip
_TCP_STATES = (
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",
    "SYN_SENT2",
)  # fmt: skip


class Netlink:
    """A netlink socket that belongs to the network namespace in which it is made. Raises OSError."""

    def __init__(self, protocol: int = NETLINK_ROUTE) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self.socket.bind((0, 0))
        self._sequence = 0

    def fileno(self) -> int:
        """The descriptor, for selectors."""
        return self.socket.fileno()

    def close(self) -> None:
        """Close the socket; what the kernel tied to it (a table with an owner) goes with it."""
        self.socket.close()

    def ask(self, kind: int, flags: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        """Send one request and yield (type, payload) of what comes back. Raises OSError with the kernel's errno."""
        self._sequence += 1
        self.socket.send(message(kind, REQUEST | flags, self._sequence, body))
        while True:
            for reply, sequence, payload in messages(self.socket.recv(1 << 18)):
                if sequence != self._sequence:
                    continue
                if reply == _DONE:
                    return
                if reply == _ERROR:
                    code = -struct.unpack_from("=i", payload)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return
                yield reply, payload
                if not flags & (DUMP | ACK):
                    return


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """One netlink message, padded."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body + b"\0" * (-len(body) % 4)


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, sequence, payload) of each message in a datagram."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind, _, sequence, _ = struct.unpack_from("=IHHII", data, offset)
        if length < 16:
            return
        yield kind, sequence, data[offset + 16 : offset + length]
        offset += (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nested(kind: int, *values: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | 0x8000, b"".join(values))


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in a payload, by number; of several alike the last."""
    found, offset = {}, 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def text(value: bytes) -> str:
    """A NUL-terminated string."""
    return value.rstrip(b"\0").decode(errors="replace")


def mac(value: bytes) -> str:
    """A hardware address as `ip` prints it."""
    return ":".join(f"{b:02x}" for b in value)


def links(netlink: Netlink) -> dict[int, dict[str, Any]]:
    """The devices by number: name, mac, mtu, kind, up, and (where they have one) master, peer, vni, local, port."""
    found = {}
    for _, payload in netlink.ask(_GETLINK, DUMP, struct.pack("=BxHiII", 0, 0, 0, 0, 0)):
        index, flags = struct.unpack_from("=4xiI", payload)
        parts = attributes(payload[16:])
        info = attributes(parts.get(18, b""))
        link: dict[str, Any] = {
            "name": text(parts.get(3, b"")),
            "mac": mac(parts.get(1, b"")),
            "mtu": int.from_bytes(parts.get(4, b"\0"), "little"),
            "kind": text(info.get(1, b"")),
            "up": bool(flags & 1),
        }
        if 10 in parts:
            link["master"] = struct.unpack("=I", parts[10])[0]
        if 5 in parts and 37 in parts:
            link["peer"] = struct.unpack("=I", parts[5])[0]
        if link["kind"] == "vxlan":
            data = attributes(info.get(2, b""))
            link["vni"] = int.from_bytes(data.get(1, b""), "little")
            link["local"] = socket.inet_ntoa(data[4]) if 4 in data else ""
            link["port"] = int.from_bytes(data.get(15, b""), "big")
        found[index] = link
    return found


def addresses(netlink: Netlink) -> dict[str, int]:
    """The IPv4 addresses of this namespace, each with the number of its device."""
    found = {}
    for _, payload in netlink.ask(_GETADDR, DUMP, struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0)):
        parts = attributes(payload[8:])
        local = parts.get(2) or parts.get(1)
        if local:
            found[socket.inet_ntoa(local)] = struct.unpack_from("=4xI", payload)[0]
    return found


def neighbours(netlink: Netlink) -> list[dict[str, Any]]:
    """The ARP entries and the bridge forwarding entries (``fdb``) of this namespace."""
    found = []
    for family in (socket.AF_INET, socket.AF_BRIDGE):
        for _, payload in netlink.ask(_GETNEIGH, DUMP, struct.pack("=BxxxiHBB", family, 0, 0, 0, 0)):
            index, state = struct.unpack_from("=4xiH", payload)
            parts = attributes(payload[12:])
            if family == socket.AF_BRIDGE and 1 not in parts:
                continue  # a port's own address, not where a tunnel leads
            found.append({
                "fdb": family == socket.AF_BRIDGE,
                "device": index,
                "address": socket.inet_ntoa(parts[1]) if len(parts.get(1, b"")) == 4 else "",
                "mac": mac(parts.get(2, b"")),
                "state": _NEIGHBOUR_STATES.get(state, ""),
            })  # fmt: skip
    return found


def route(netlink: Netlink, destination: str, source: str = "", incoming: int = 0, mark: int = 0) -> dict[str, Any]:
    """What the kernel would do with such a packet, and the FIB entry it chose; ``error`` names its refusal.

    With ``incoming`` the kernel does what it does for a packet from that device, reverse path filter included:
    EXDEV says that the filter refuses the source (net/ipv4/fib_frontend.c, __fib_validate_source).
    """
    asked: dict[str, Any] = {"to": destination, "from": source, "incoming": incoming, "mark": mark}
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 32 if source else 0, 0, 0, 0, 0, 0, _FIB_MATCH)
    body += attribute(1, socket.inet_aton(destination))
    if source:
        body += attribute(2, socket.inet_aton(source))
    if incoming:
        body += attribute(3, struct.pack("=I", incoming))
    if mark:
        body += attribute(16, struct.pack("=I", mark))
    try:
        payload = next(netlink.ask(_GETROUTE, 0, body))[1]
    except (OSError, StopIteration) as error:
        code = error.errno if isinstance(error, OSError) else None
        return {**asked, "error": errno.errorcode.get(code or 0, "EIO")}
    length, table, kind = payload[1], payload[4], payload[7]
    parts = attributes(payload[12:])
    prefix = socket.inet_ntoa(parts[1]) if 1 in parts else "0.0.0.0"
    table = struct.unpack("=I", parts[15])[0] if 15 in parts else table
    return {
        **asked,
        "type": _ROUTE_TYPES.get(kind, str(kind)),
        "prefix": "default" if not length else f"{prefix}/{length}",
        "via": socket.inet_ntoa(parts[5]) if len(parts.get(5, b"")) == 4 else "",
        "device": struct.unpack("=I", parts[4])[0] if 4 in parts else 0,
        "table": {254: "main", 255: "local"}.get(table, str(table)),
    }


def conntrack(netlink: Netlink) -> Iterator[dict[str, Any]]:
    """The connections that this namespace remembers (of nf_conntrack), both tuples of each."""
    for _, payload in netlink.ask(1 << 8 | 1, DUMP, struct.pack("=BBH", socket.AF_INET, 0, 0)):
        parts = attributes(payload[4:])
        if 1 not in parts or 2 not in parts:
            continue
        status = int.from_bytes(parts.get(3, b""), "big")
        state = attributes(attributes(parts.get(4, b"")).get(1, b"")).get(1)
        yield {
            "original": _tuple(parts[1]),
            "reply": _tuple(parts[2]),
            "replied": bool(status & 2),
            "assured": bool(status & 4),
            "snat": bool(status & 16),
            "dnat": bool(status & 32),
            "state": _TCP_STATES[state[0]] if state and state[0] < len(_TCP_STATES) else "",
            "mark": int.from_bytes(parts.get(8, b""), "big"),
        }


def _tuple(data: bytes) -> dict[str, Any]:
    parts = attributes(data)
    address, proto = attributes(parts.get(1, b"")), attributes(parts.get(2, b""))
    return {
        "src": socket.inet_ntoa(address[1]) if len(address.get(1, b"")) == 4 else "",
        "dst": socket.inet_ntoa(address[2]) if len(address.get(2, b"")) == 4 else "",
        "protocol": proto.get(1, b"\0")[0],
        "sport": int.from_bytes(proto.get(2, proto.get(4, b"")), "big"),
        "dport": int.from_bytes(proto.get(3, b""), "big"),
    }
