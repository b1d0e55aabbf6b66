"""The kernel's own account of the rules a packet meets: nftables tracing over raw netlink.

One table of ours sets `nftrace` on the packets worth following, in every hook, because bridge netfilter loses the flag
between its hooks; the kernel then reports every rule that matches, of all tables, iptables-nft's too. The table has
an owner (Linux 5.12): it disappears with the socket that made it, however this process ends.
Layouts: include/uapi/linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

from podwalk.trace.probe.netlink import (
    ACK,
    NETLINK_NETFILTER,
    REQUEST,
    Netlink,
    attribute,
    attributes,
    message,
    messages,
    nested,
    text,
)

TABLE = "podwalk_trace"
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
TCP, UDP, ICMP, IPIP = 6, 17, 1, 4
VXLAN_PORTS = (8472, 4789)
# A walk is a handful of packets. More than this a second is somebody else's traffic, and would drown the walk.
_PACKETS_PER_SECOND = 200
# Before raw (-300), so that its rules are seen too.
_PRIORITY = -350
_SUBSYSTEM = 10 << 8
_NEWTABLE, _DELTABLE, _NEWCHAIN, _NEWRULE, _TRACE = 0, 2, 3, 6, 17
_CREATE = 0x400
_OWNER_FLAG = 2
_TRACE_GROUP = 9
_NETWORK, _TRANSPORT = 1, 2  # NFT_PAYLOAD_*_HEADER
_ADD_MEMBERSHIP, _SOL_NETLINK = 1, 270
_VERDICTS = {0: "drop", 1: "accept", 2: "stolen", 3: "queue", -1: "continue", -3: "jump", -4: "goto", -5: "return"}


class Tracer:
    """Tracing in the current network namespace, from its making until `close`. Raises OSError where it cannot be."""

    def __init__(self, protocol: int, ports: list[int]) -> None:
        self._owner = Netlink(NETLINK_NETFILTER)
        self._listener = Netlink(NETLINK_NETFILTER)
        self._owned = True
        try:
            # As far as the machine allows (net.core.rmem_max).
            self._listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self._listener.socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _TRACE_GROUP)
            self._listener.socket.setblocking(False)
            try:
                self._install(protocol, ports, _OWNER_FLAG)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
                self._install(protocol, ports, 0)
                self._owned = False
        except OSError:
            self.close()
            raise
        self.overrun = False

    def fileno(self) -> int:
        """The descriptor that is readable when there is something to `read`."""
        return self._listener.fileno()

    def read(self) -> list[dict[str, Any]]:
        """What the kernel has reported since: one dict a rule that matched (see `parse`)."""
        found: list[dict[str, Any]] = []
        while True:
            try:
                data = self._listener.socket.recv(1 << 18)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overrun = True
                continue
            found += [parse(payload) for kind, _, payload in messages(data) if kind == _SUBSYSTEM | _TRACE]

    def close(self) -> None:
        """Remove the table."""
        if not self._owned:
            self._batch(_message(_DELTABLE, 0, attribute(1, _string(TABLE))))
        self._owner.close()
        self._listener.close()

    def _install(self, protocol: int, ports: list[int], flags: int) -> None:
        parts = [_message(_NEWTABLE, _CREATE, attribute(1, _string(TABLE)) + attribute(2, _be32(flags)))]
        for number, hook in enumerate(HOOKS):
            place = nested(4, attribute(1, _be32(number)), attribute(2, struct.pack(">i", _PRIORITY)))
            body = attribute(1, _string(TABLE)) + attribute(3, _string(hook)) + place
            parts.append(_message(_NEWCHAIN, _CREATE, body + attribute(7, _string("filter"))))
            for conditions in _worth_following(protocol, ports):
                expressions = b"".join([*conditions, _limit(), *_set_trace()])
                body = attribute(1, _string(TABLE)) + attribute(2, _string(hook)) + nested(4, expressions)
                parts.append(_message(_NEWRULE, _CREATE | 0x800, body))
        self._batch(*parts)

    def _batch(self, *parts: bytes) -> None:
        edge = struct.pack(">BBH", 0, 0, 10)
        data = message(0x10, REQUEST, 0, edge) + b"".join(parts) + message(0x11, REQUEST, 0, edge)
        self._owner.socket.send(data)
        errors = []
        for _ in parts:
            for kind, _, payload in messages(self._owner.socket.recv(1 << 16)):
                code = -struct.unpack_from("=i", payload)[0] if kind == 2 else 0
                if code:
                    errors.append(code)
            if errors:
                break
        if errors:
            raise OSError(errors[0], f"{errno.errorcode.get(errors[0], errors[0])}: the kernel refuses to trace")


def parse(payload: bytes) -> dict[str, Any]:
    """One NFT_MSG_TRACE as plain data; ``network`` and ``transport`` (hex) only where a base chain begins."""
    parts = attributes(payload[4:])
    verdict = attributes(parts.get(5, b""))
    code = struct.unpack(">i", verdict[1])[0] if 1 in verdict else None
    found: dict[str, Any] = {
        "id": int.from_bytes(parts.get(6, b""), "big"),
        "family": payload[0],
        "table": text(parts.get(1, b"")),
        "chain": text(parts.get(2, b"")),
        "type": {1: "policy", 2: "return", 3: "rule"}.get(int.from_bytes(parts.get(4, b""), "big"), ""),
    }
    if 3 in parts:
        found["handle"] = int.from_bytes(parts[3], "big")
    if code is not None:
        found["verdict"] = _VERDICTS.get(code if code < 0 else code & 0xFF, str(code))
    if 2 in verdict:
        found["to"] = text(verdict[2])
    if 16 in parts:
        found["policy"] = _VERDICTS.get(int.from_bytes(parts[16], "big"), "")
    for number, name in ((10, "iif"), (12, "oif"), (14, "mark")):
        if number in parts:
            found[name] = int.from_bytes(parts[number], "big")
    if 8 in parts:
        found["network"] = parts[8].hex()
        found["transport"] = parts.get(9, b"").hex()
    return found


def _worth_following(protocol: int, ports: list[int]) -> list[list[bytes]]:
    """Conditions of the rules: the packets that can be of our connection, on the wire or inside a tunnel."""
    port_pairs = [(offset, port) for port in ports for offset in (0, 2)]
    vxlan = [[_protocol(UDP), _payload(2, 2), _equal(struct.pack(">H", p))] for p in VXLAN_PORTS]
    found = [[_protocol(ICMP)]]
    if protocol == TCP:
        # The handshake and the refusals. Data would be many packets that all take the same way.
        opening = [_payload(13, 1), _mask(b"\x06"), _differs(b"\0")]
        found.append([_protocol(TCP), *opening])
        inner = [_mask(b"\x06"), _differs(b"\0")]
        found += [[*v, _payload(39, 1), _equal(b"\x06"), _payload(63, 1), *inner] for v in vxlan]
        found.append([*_ipip(b"\x06"), _payload(53, 1, _NETWORK), *inner])
        return found
    if protocol == ICMP:
        found += [[*v, _payload(39, 1), _equal(b"\x01")] for v in vxlan]
        return [*found, _ipip(b"\x01")]
    for offset, port in port_pairs:
        wanted = _equal(struct.pack(">H", port))
        found.append([_protocol(UDP), _payload(offset, 2), wanted])
        found += [[*v, _payload(39, 1), _equal(b"\x11"), _payload(50 + offset, 2), wanted] for v in vxlan]
        found.append([*_ipip(b"\x11"), _payload(40 + offset, 2, _NETWORK), wanted])
    return found


def _string(value: str) -> bytes:
    return value.encode() + b"\0"


def _be32(value: int) -> bytes:
    return struct.pack(">I", value)


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return message(_SUBSYSTEM | kind, REQUEST | ACK | flags, 1, struct.pack(">BBH", socket.AF_INET, 0, 0) + body)


def _expression(name: str, *data: bytes) -> bytes:
    return nested(1, attribute(1, _string(name)), nested(2, *data))


def _protocol(number: int) -> bytes:
    return _expression("meta", attribute(1, _be32(1)), attribute(2, _be32(16))) + _equal(bytes([number]))


def _ipip(inner: bytes) -> list[bytes]:
    """An IP packet in an IP packet, read as plain bytes of the outer one.

    `meta l4proto ipip` would make nft 1.0 take the inner header for a transport header, and end with a failed assertion
    whenever somebody lists the ruleset.
    """
    outer = [_payload(8, 2, _NETWORK), _mask(b"\x00\xff"), _equal(bytes([0, IPIP]))]
    return [*outer, _payload(29, 1, _NETWORK), _equal(inner)]


def _payload(offset: int, length: int, base: int = _TRANSPORT) -> bytes:
    """Load bytes of a header, or of what follows it."""
    parts = ((1, 1), (2, base), (3, offset), (4, length))
    return _expression("payload", *(attribute(n, _be32(v)) for n, v in parts))


def _equal(value: bytes) -> bytes:
    return _expression("cmp", attribute(1, _be32(1)), attribute(2, _be32(0)), nested(3, attribute(1, value)))


def _differs(value: bytes) -> bytes:
    return _expression("cmp", attribute(1, _be32(1)), attribute(2, _be32(1)), nested(3, attribute(1, value)))


def _mask(value: bytes) -> bytes:
    zero = bytes(len(value))
    return _expression(
        "bitwise", attribute(1, _be32(1)), attribute(2, _be32(1)), attribute(3, _be32(len(value))),
        nested(4, attribute(1, value)), nested(5, attribute(1, zero)),
    )  # fmt: skip


def _limit() -> bytes:
    rate, second = struct.pack(">Q", _PACKETS_PER_SECOND), struct.pack(">Q", 1)
    return _expression("limit", attribute(1, rate), attribute(2, second), attribute(3, _be32(_PACKETS_PER_SECOND)))


def _set_trace() -> tuple[bytes, bytes]:
    one = _expression("immediate", attribute(1, _be32(1)), nested(2, attribute(1, b"\x01")))
    return one, _expression("meta", attribute(2, _be32(12)), attribute(3, _be32(1)))
