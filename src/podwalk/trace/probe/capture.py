"""All frames on all devices of a network namespace, as `tcpdump -i any` with Ethernet headers would see them.

Within one namespace the order of reading is the order of passing. The time stamps, of one clock for all namespaces,
order the namespaces among each other.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from typing import Any

from podwalk.trace.probe import packets

_ALL = 3  # ETH_P_ALL
_SOL_PACKET, _STATISTICS = 263, 6
_TIMESTAMPNS = 35
_ATTACH_FILTER = 26
# Ethernet, IP, UDP, VXLAN, Ethernet, IP and TCP with options; or an ICMP error in a tunnel.
_SNAP = 192
_ETHERNET_KINDS = (1, 772)  # ARPHRD_ETHER, ARPHRD_LOOPBACK
_WAYS = {0: "in", 1: "in", 2: "in", 3: "other", 4: "out"}
_MOST = 2000


class Capture:
    """Capturing in the current network namespace. Raises OSError."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        # As far as the machine allows (net.core.rmem_max); the filter keeps the beginning of each frame only.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        self._keep_beginnings()
        self.socket.setblocking(False)
        self.frames: list[dict[str, Any]] = []
        self.skipped = 0

    def start(self) -> None:
        """From here on nothing is missed."""
        # Python's own bind() wants the name of one device.
        anywhere = struct.pack("=H", socket.AF_PACKET) + struct.pack(">H", _ALL) + struct.pack("=iHBB8x", 0, 0, 0, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.bind(self.socket.fileno(), anywhere, len(anywhere)):
            raise OSError(ctypes.get_errno(), "cannot capture")

    def fileno(self) -> int:
        """The descriptor that is readable when there is something to `read`."""
        return self.socket.fileno()

    def read(self, protocol: int, ports: list[int]) -> None:
        """Take what has come and keep what can be of the walk."""
        while True:
            try:
                data, control, _, where = self.socket.recvmsg(_SNAP, 64)
            except BlockingIOError:
                return
            except OSError:
                continue  # a device went down (ENETDOWN): the others go on
            ethernet = where[3] in _ETHERNET_KINDS
            found = packets.frame(data, ethernet)
            if found is None or not (isinstance(found, packets.Arp) or _wanted(found, protocol, ports)):
                continue
            if len(self.frames) >= _MOST:
                self.skipped += 1
                continue
            self.frames.append({
                "time": _stamp(control), "device": where[0], "way": _WAYS.get(where[2], ""), "ethernet": ethernet,
                "data": data.hex(),
            })  # fmt: skip

    def lost(self) -> int:
        """How many frames found no room, or were too many to keep."""
        with contextlib.suppress(OSError):
            _, dropped = struct.unpack("=II", self.socket.getsockopt(_SOL_PACKET, _STATISTICS, 8))
            return int(dropped) + self.skipped
        return self.skipped

    def close(self) -> None:
        """End it."""
        self.socket.close()

    def _keep_beginnings(self) -> None:
        program = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, _SNAP), 8)  # BPF_RET | BPF_K
        self.socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(program)))


def _stamp(control: list[tuple[int, int, bytes]]) -> int:
    """Nanoseconds since the epoch."""
    for _, kind, value in control:
        if kind == _TIMESTAMPNS and len(value) >= 16:
            seconds, nanoseconds = struct.unpack_from("@qq", value)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return 0


def _wanted(packet: packets.Packet, protocol: int, ports: list[int]) -> bool:
    if packet.protocol == packets.ICMP:
        return protocol == packets.ICMP or packet.inner is not None
    if packet.tunnel:
        return packet.inner is not None and _wanted(packet.inner, protocol, ports)
    if packet.protocol != protocol:
        return False
    return packet.sport in ports or packet.dport in ports or bool(packet.flags & (packets.SYN | packets.RST))
