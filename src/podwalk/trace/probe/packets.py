"""The headers that a walk needs of a frame; used on the nodes to choose frames and at home to read them."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

TCP, UDP, ICMP, IPIP = 6, 17, 1, 4
SYN, RST, ACK, FIN = 2, 4, 16, 1
VXLAN_PORTS = (8472, 4789)
FLANNEL_UDP = 8285  # flannel's udp backend: a program wraps whole IP packets
_IP, _ARP = 0x0800, 0x0806


@dataclass(slots=True)
class Packet:
    """One IP packet; ``inner`` is what a tunnel carries, or what an ICMP error quotes."""

    src: str
    dst: str
    protocol: int
    ident: int
    ttl: int
    length: int
    sport: int = 0
    dport: int = 0
    seq: int = 0
    ack: int = 0
    flags: int = 0
    icmp: tuple[int, int] = (-1, -1)
    mtu: int = 0
    payload: bytes = b""
    tunnel: str = ""
    vni: int = 0
    inner: Packet | None = None
    inner_macs: tuple[str, str] = ("", "")

    @property
    def tuple(self) -> tuple[str, int, str, int]:
        """Source and destination."""
        return self.src, self.sport, self.dst, self.dport


@dataclass(slots=True)
class Arp:
    """An ARP question (or answer): who has ``target``?"""

    asks: bool
    sender: str
    target: str


def frame(data: bytes, ethernet: bool = True) -> Packet | Arp | None:
    """What a captured frame holds; None for what a walk does not look at."""
    if not ethernet:
        return packet(data)
    kind = int.from_bytes(data[12:14], "big")
    if kind == _IP:
        return packet(data[14:])
    if kind == _ARP and len(data) >= 42:
        sender, target = socket.inet_ntoa(data[28:32]), socket.inet_ntoa(data[38:42])
        return Arp(data[21] == 1, sender, target)
    return None


def macs(data: bytes) -> tuple[str, str]:
    """Source and destination of an Ethernet frame."""
    dst, src = data[:6], data[6:12]
    return ":".join(f"{b:02x}" for b in src), ":".join(f"{b:02x}" for b in dst)


def packet(data: bytes, depth: int = 0) -> Packet | None:
    """An IPv4 packet, as far as it is there; None for anything else."""
    if len(data) < 20 or data[0] >> 4 != 4:
        return None
    size = (data[0] & 15) * 4
    found = Packet(
        socket.inet_ntoa(data[12:16]),
        socket.inet_ntoa(data[16:20]),
        data[9],
        int.from_bytes(data[4:6], "big"),
        data[8],
        int.from_bytes(data[2:4], "big"),
    )
    if not int.from_bytes(data[6:8], "big") & 0x1FFF:
        transport(found, data[size:], depth)
    return found


def transport(found: Packet, data: bytes, depth: int = 0) -> None:
    """Read the transport header into a packet."""
    if found.protocol in (TCP, UDP) and len(data) >= 8:
        found.sport, found.dport = struct.unpack_from(">HH", data)
    if found.protocol == TCP and len(data) >= 14:
        found.seq, found.ack, offset, found.flags = struct.unpack_from(">IIBB", data, 4)
        found.payload = data[(offset >> 4) * 4 :]
    elif found.protocol == UDP:
        found.payload = data[8:]
        if found.dport in VXLAN_PORTS and len(data) >= 30:
            found.tunnel, found.vni = "vxlan", int.from_bytes(data[12:15], "big")
            found.inner_macs = macs(data[16:30])
            found.inner = packet(data[30:], depth + 1) if data[28:30] == b"\x08\x00" and depth < 2 else None
        elif found.dport == FLANNEL_UDP and depth < 2:
            found.inner = packet(data[8:], depth + 1)
            found.tunnel = "udp" if found.inner else ""
    elif found.protocol == ICMP and len(data) >= 8:
        found.icmp = (data[0], data[1])
        if data[0] in (0, 8):
            found.sport = found.dport = int.from_bytes(data[4:6], "big")
            found.seq = int.from_bytes(data[6:8], "big")
            found.payload = data[8:]
        elif data[0] in (3, 11, 12) and depth < 2:
            found.mtu = int.from_bytes(data[6:8], "big") if found.icmp == (3, 4) else 0
            found.inner = packet(data[8:], depth + 1)
    elif found.protocol == IPIP and depth < 2:
        found.tunnel, found.inner = "ipip", packet(data, depth + 1)
