"""The same packet, caught on several devices: what is in front of it on each, byte for byte.

tcpdump catches the frames on the node; they are read here (pcap, RFC 791, 793, 768, 792, 7348), without its words, so
that a drawing knows where each header begins and ends.
"""

from __future__ import annotations

import contextlib
import ipaddress
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from podwalk.backends.base import Cluster
from podwalk.views.listening import await_ready, chunks, listening

_SECONDS = 3.0
_PCAP_HEADER, _RECORD_HEADER = 24, 16
_ETHERNET, _IPV4, _UDP, _VXLAN, _ICMP = 14, 20, 8, 8, 8
_VXLAN_PORT, _FLANNEL_UDP_PORT = 8472, 8285
_KINDS = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6"}


@dataclass(frozen=True, slots=True)
class Layer:
    """One header, or the payload: its name, how many bytes, and what is worth saying about it."""

    name: str
    length: int
    words: tuple[str, ...] = ()
    outer: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as a device had it. ``place`` says whose device it is."""

    place: str
    device: str
    layers: tuple[Layer, ...]

    @property
    def length(self) -> int:
        """All bytes of the frame."""
        return sum(layer.length for layer in self.layers)

    @property
    def overhead(self) -> int:
        """The bytes in front of what a Pod sent."""
        return sum(layer.length for layer in self.layers if layer.outer)


@dataclass(frozen=True, slots=True)
class Tap:
    """Where to listen: a device of a node, or (``netns``) one inside a named network namespace of it."""

    place: str
    node: str
    device: str
    netns: str = ""

    def argv(self, expression: str) -> list[str]:
        """The command that writes the frames to its output, until the first has come."""
        tcpdump = ["tcpdump", "-i", self.device, "-c", "1", "--immediate-mode", "-U", "-n", "-s", "0", "-w", "-"]
        enter = ["nsenter", f"--net=/run/netns/{self.netns}"] if self.netns else []
        return [*enter, *tcpdump, expression]


def first_frames(cluster: Cluster, taps: Sequence[Tap], expression: str, send: Callable[[], object]) -> list[Frame]:
    """Listen on every tap, call ``send``, and return the first frame of each that saw one that the filter means.

    Raises BackendError where tcpdump does not start.
    """
    with contextlib.ExitStack() as stack:
        running = [(tap, stack.enter_context(listening(cluster, tap.node, tap.argv(expression)))) for tap in taps]
        for tap, process in running:
            await_ready(process, f"node/{tap.node}: tcpdump on {tap.device}")
        send()
        deadline = time.monotonic() + _SECONDS
        caught = [(tap, _first(process, deadline)) for tap, process in running]
    return [Frame(tap.place, tap.device, layers) for tap, layers in caught if layers]


def _first(process: subprocess.Popen[bytes], deadline: float) -> tuple[Layer, ...]:
    data = b""
    for chunk in chunks(process.stdout, deadline):
        data += chunk
        found = first_record(data)
        if found:
            return dissect(found)
    return ()


def first_record(data: bytes) -> bytes:
    """The first whole frame of a pcap stream, or nothing yet."""
    if len(data) < _PCAP_HEADER + _RECORD_HEADER:
        return b""
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    kept: int = struct.unpack_from(f"{order}I", data, _PCAP_HEADER + 8)[0]
    begin = _PCAP_HEADER + _RECORD_HEADER
    # A device without Ethernet (a tun) hands over bare IP packets; the link type says so.
    link = struct.unpack_from(f"{order}I", data, 20)[0]
    frame = data[begin : begin + kept]
    return (b"" if link == 1 else b"\0" * 12 + b"\x08\x00") + frame if len(frame) == kept else b""


def dissect(frame: bytes) -> tuple[Layer, ...]:
    """The headers of an Ethernet frame, outermost first. What is cut short or unknown is payload."""
    layers = list(_ethernet(frame))
    inner = max((i for i, layer in enumerate(layers) if layer.name in ("VXLAN", "tunnel")), default=-1)
    kept = [layer for layer in layers if layer.name != "tunnel"]
    gone = len(layers) - len(kept)
    return tuple(
        Layer(layer.name, layer.length, layer.words, outer=i <= inner - gone)
        for i, layer in enumerate(kept)
        if layer.length
    )


def _ethernet(data: bytes) -> Iterator[Layer]:
    if len(data) < _ETHERNET:
        yield Layer("payload", len(data))
        return
    kind = struct.unpack_from("!H", data, 12)[0]
    if any(data[:12]):
        yield Layer("Ethernet", _ETHERNET, (_mac(data[6:12]), _mac(data[0:6])))
    rest = data[_ETHERNET:]
    if kind == 0x0800:
        yield from _ipv4(rest)
    else:
        yield Layer(_KINDS.get(kind, "payload"), len(rest))


def _ipv4(data: bytes) -> Iterator[Layer]:
    header = (data[0] & 15) * 4 if data else 0
    if len(data) < _IPV4 or header < _IPV4 or len(data) < header:
        yield Layer("payload", len(data))
        return
    # Ethernet pads short frames; what the header does not count belongs to nobody.
    data = data[: max(struct.unpack_from("!H", data, 2)[0], header)]
    source, target = (str(ipaddress.IPv4Address(data[i : i + 4])) for i in (12, 16))
    yield Layer("IPv4", header, (source, target))
    parser = {1: _icmp, 6: _tcp, 17: _udp}.get(data[9])
    rest = data[header:]
    yield from parser(rest) if parser else iter((Layer("payload", len(rest)),))


def _udp(data: bytes) -> Iterator[Layer]:
    if len(data) < _UDP:
        yield Layer("payload", len(data))
        return
    source, target = struct.unpack_from("!HH", data)
    yield Layer("UDP", _UDP, (f"to {target}",))
    rest = data[_UDP:]
    if target == _VXLAN_PORT and len(rest) >= _VXLAN:
        yield Layer("VXLAN", _VXLAN, (f"VNI {int.from_bytes(rest[4:7])}",))
        yield from _ethernet(rest[_VXLAN:])
    elif _FLANNEL_UDP_PORT in (source, target) and rest[:1] and rest[0] >> 4 == 4:
        yield Layer("tunnel", 0)
        yield from _ipv4(rest)
    else:
        yield Layer("payload", len(rest))


def _tcp(data: bytes) -> Iterator[Layer]:
    header = (data[12] >> 4) * 4 if len(data) > 12 else 0
    if header < 20 or len(data) < header:
        yield Layer("payload", len(data))
        return
    yield Layer("TCP", header, (f"to {struct.unpack_from('!H', data, 2)[0]}",))
    yield Layer("payload", len(data) - header)


def _icmp(data: bytes) -> Iterator[Layer]:
    if len(data) < _ICMP:
        yield Layer("payload", len(data))
        return
    kind = {0: "echo reply", 8: "echo"}.get(data[0], f"type {data[0]}")
    yield Layer("ICMP", _ICMP, (kind,))
    yield Layer("payload", len(data) - _ICMP)


def _mac(data: bytes) -> str:
    return data.hex(":")
