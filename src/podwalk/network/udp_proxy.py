"""Copies packets between a TUN device and a UDP socket: the tunnel of flannel's udp backend.

Stands in for pkg/backend/udp/proxy_amd64.c of flannel. A process of its own, as every packet passes through it twice
(kernel, here, kernel), which is what makes this backend slow. Standard library only: it is started bare.
"""

import json
import os
import select
import socket
import struct
import sys
from typing import NoReturn

_LARGEST = 65535
_BURST = 64
_HEADER = 20
_ICMP = 1


class Routes:
    """Which node's address carries which Pod network; the longest prefix wins."""

    def __init__(self) -> None:
        self._table: dict[tuple[int, int], str] = {}
        self._lengths: list[int] = []

    def replace(self, routes: dict[str, str]) -> None:
        """Take over a table of CIDR to node address."""
        self._table = {}
        for cidr, gateway in routes.items():
            address, _, length = cidr.partition("/")
            number = int.from_bytes(socket.inet_aton(address), "big")
            self._table[int(length), number >> (32 - int(length))] = gateway
        self._lengths = sorted({length for length, _ in self._table}, reverse=True)

    def find(self, address: bytes | bytearray) -> str | None:
        """The next hop of a destination."""
        number = int.from_bytes(address, "big")
        for length in self._lengths:
            found = self._table.get((length, number >> (32 - length)))
            if found is not None:
                return found
        return None


def decrement_ttl(packet: bytearray) -> bool:
    """Take one off the TTL and mend the checksum (RFC 1624); False where the packet has to die."""
    packet[8] -= 1 if packet[8] else 0
    if packet[8] == 0:
        return False
    total = (packet[10] << 8 | packet[11]) + 0x100
    total = (total & 0xFFFF) + (total >> 16)
    packet[10], packet[11] = total >> 8, total & 0xFF
    return True


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def net_unreachable(offender: bytes, own_address: bytes) -> bytes | None:
    """The ICMP error for a packet that no node takes, or None where RFC 792 forbids one."""
    length = (offender[0] & 0xF) * 4
    fragment = (offender[6] << 8 | offender[7]) & 0x1FFF
    if offender[9] == _ICMP or fragment or length < _HEADER:
        return None
    body = offender[: length + 8]
    icmp = struct.pack("!BBHI", 3, 0, checksum(struct.pack("!BBHI", 3, 0, 0, 0) + body), 0) + body
    fields = (0x45, 0, _HEADER + len(icmp), 0, 0, 8, _ICMP)
    header = struct.pack("!BBHHHBBH4s4s", *fields, 0, own_address, offender[12:16])
    header = struct.pack("!BBHHHBBH4s4s", *fields, checksum(header), own_address, offender[12:16])
    return header + icmp


class Proxy:
    """The loop."""

    def __init__(
        self, tun: int, udp: socket.socket, control: socket.socket, own_address: str, port: int, header: bytes = b""
    ) -> None:
        """``header`` stands before every packet of ``tun``: nothing, or an Ethernet header."""
        self._tun, self._udp, self._control, self._header = tun, udp, control, header
        self._own = socket.inet_aton(own_address)
        self._port = port
        self._routes = Routes()
        os.set_blocking(tun, False)
        udp.setblocking(False)

    def run(self) -> None:
        """Copy until the control socket is closed."""
        poller = select.poll()
        for fd in (self._tun, self._udp.fileno(), self._control.fileno()):
            poller.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll()}
            if self._control.fileno() in ready:
                message = self._control.recv(1 << 20)
                if not message:
                    return
                self._routes.replace(json.loads(message))
            for _ in range(_BURST):
                if not (self._from_tun() | self._from_udp()):
                    break

    def _from_tun(self) -> bool:
        try:
            packet = bytearray(os.read(self._tun, _LARGEST))[len(self._header) :]
        except BlockingIOError:
            return False
        if len(packet) < _HEADER or packet[0] >> 4 != 4:
            return True
        gateway = self._routes.find(packet[16:20])
        if gateway is None:
            answer = net_unreachable(bytes(packet), self._own)
            if answer is not None:
                os.write(self._tun, self._header + answer)
        elif decrement_ttl(packet):
            try:
                self._udp.sendto(packet, (gateway, self._port))
            except OSError as error:  # a full queue or an unreachable node loses the packet, as a wire does
                if not isinstance(error, BlockingIOError):
                    print(f"flannel udp: {gateway}: {error.strerror}", file=sys.stderr)
        return True

    def _from_udp(self) -> bool:
        try:
            packet = bytearray(self._udp.recv(_LARGEST))
        except BlockingIOError:
            return False
        except OSError:  # an ICMP error for something sent before
            return True
        if len(packet) >= _HEADER and decrement_ttl(packet):
            try:
                os.write(self._tun, self._header + packet)
            except OSError as error:  # not IP, or the device is down
                print(f"flannel udp: {error.strerror}", file=sys.stderr)
        return True


def main() -> NoReturn:
    """Run with the descriptors and addresses of the command line."""
    tun, udp, control = (int(word) for word in sys.argv[1:4])
    own_address, port, header = sys.argv[4], int(sys.argv[5]), bytes.fromhex(sys.argv[6])
    proxy = Proxy(tun, socket.socket(fileno=udp), socket.socket(fileno=control), own_address, port, header)
    proxy.run()
    sys.exit(0)
