"""Answers ARP for addresses that no interface of the node has, and tells everybody when it begins to.

Upstream: go.universe.tf/metallb internal/layer2 (arp.go, announcer.go); frames by RFC 826.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import struct

log = logging.getLogger(__name__)

_ETH_P_ARP = 0x0806
_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_REQUEST, _REPLY = 1, 2
_BROADCAST = b"\xff" * 6
# Repeated, for a switch or a neighbour may have missed the first.
_GRATUITOUS_REPEATS = 3
_GRATUITOUS_INTERVAL = 1.1


def frame(operation: int, sender: tuple[bytes, bytes], target: tuple[bytes, bytes], *, to: bytes) -> bytes:
    """An Ethernet frame with an ARP message; sender and target are (MAC, IPv4 address)."""
    return _ETHERNET.pack(to, sender[0], _ETH_P_ARP) + _ARP.pack(1, 0x0800, 6, 4, operation, *sender, *target)


def gratuitous(mac: bytes, address: str) -> list[bytes]:
    """What makes neighbours forget who had the address before: one as a request, one as a reply."""
    ip = ipaddress.IPv4Address(address).packed
    return [
        frame(_REQUEST, (mac, ip), (_BROADCAST, ip), to=_BROADCAST),
        frame(_REPLY, (mac, ip), (_BROADCAST, ip), to=_BROADCAST),
    ]


def answer(received: bytes, mac: bytes, addresses: set[str]) -> bytes | None:
    """The reply to a frame, if it asks for one of these addresses."""
    if len(received) < _ETHERNET.size + _ARP.size:
        return None
    _, _, ethertype = _ETHERNET.unpack_from(received)
    if ethertype != _ETH_P_ARP:
        return None
    hardware, protocol, _, _, operation, asker, asker_ip, _, wanted = _ARP.unpack_from(received, _ETHERNET.size)
    address = str(ipaddress.IPv4Address(wanted))
    if (hardware, protocol, operation) != (1, 0x0800, _REQUEST) or address not in addresses or asker == mac:
        return None
    return frame(_REPLY, (mac, wanted), (asker, asker_ip), to=asker)


class Responder:
    """Announces addresses on one interface of the network namespace that it is made in."""

    def __init__(self, interface: str, mac: str) -> None:
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._addresses: set[str] = set()
        self._repeats: dict[str, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.setblocking(False)
        self._socket.bind((interface, _ETH_P_ARP))
        self._loop.add_reader(self._socket.fileno(), self._read)

    @property
    def addresses(self) -> frozenset[str]:
        """What it announces."""
        return frozenset(self._addresses)

    def announce(self, addresses: set[str]) -> None:
        """Answer for exactly these from now on; the new ones are told to everybody at once."""
        for gone in self._addresses - addresses:
            self._quiet(gone)
        fresh = addresses - self._addresses
        self._addresses = set(addresses)
        for address in sorted(fresh):
            self._tell(address, _GRATUITOUS_REPEATS)

    def close(self) -> None:
        """Stop answering."""
        for address in list(self._repeats):
            self._quiet(address)
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _tell(self, address: str, times: int) -> None:
        for data in gratuitous(self._mac, address):
            self._send(data)
        self._repeats.pop(address, None)
        if times > 1:
            again = self._loop.call_later(_GRATUITOUS_INTERVAL, self._tell, address, times - 1)
            self._repeats[address] = again

    def _quiet(self, address: str) -> None:
        timer = self._repeats.pop(address, None)
        if timer is not None:
            timer.cancel()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):  # then the loop's other work has its turn
                reply = answer(self._socket.recv(256), self._mac, self._addresses)
                if reply is not None:
                    self._send(reply)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            log.warning("ARP could not be sent: %s", error)
