"""Which speakers live: each says so twice a second to the others, and who is silent for two seconds is dead.

The API server learns of a node's death only after 40 seconds; an address that nobody answers for must not wait as
long. MetalLB runs a gossip protocol for this (hashicorp/memberlist, port 7946); twelve nodes can all talk to all.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable

PORT = 7946
INTERVAL = 0.5
SILENCE = 2.0


class Members:
    """Sends and hears signs of life. ``on_change`` is called when a speaker appears or is given up."""

    def __init__(
        self, name: str, address: str, on_change: Callable[[], None], *, port: int = PORT, interval: float = INTERVAL
    ) -> None:
        self._name, self._on_change = name, on_change
        self._port, self._interval = port, interval
        self._peers: set[str] = set()
        self._heard: dict[str, float] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        try:
            self._socket.bind((address, port))
        except OSError:
            self._socket.close()
            raise

    def alive(self) -> set[str]:
        """The names of the speakers that live, this one among them."""
        return {self._name, *self._heard}

    def set_peers(self, addresses: Iterable[str]) -> None:
        """Whom to tell; the new ones are told at once."""
        peers = set(addresses)
        fresh, self._peers = peers - self._peers, peers
        self._tell(fresh)

    async def run(self) -> None:
        """Tell and hear, for ever. Cancel to stop."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket.fileno(), self._read)
        try:
            while True:
                self._tell(self._peers)
                await asyncio.sleep(self._interval)
                self._give_up(loop.time() - SILENCE / INTERVAL * self._interval)
        finally:
            loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _tell(self, peers: Iterable[str]) -> None:
        for peer in peers:
            try:
                self._socket.sendto(self._name.encode(), (peer, self._port))
            except OSError:
                continue  # a node that is gone; the others need to hear all the same

    def _read(self) -> None:
        fresh = False
        for _ in range(64):
            try:
                data, (address, _) = self._socket.recvfrom(300)
            except BlockingIOError:
                break
            except OSError:
                continue  # the ICMP answer of a node whose speaker does not listen yet
            name = data.decode(errors="replace")
            if address not in self._peers or name == self._name:
                continue
            fresh = fresh or name not in self._heard
            self._heard[name] = asyncio.get_running_loop().time()
        if fresh:
            self._tell(self._peers)
            self._on_change()

    def _give_up(self, before: float) -> None:
        silent = [name for name, heard in self._heard.items() if heard < before]
        for name in silent:
            del self._heard[name]
        if silent:
            self._on_change()
