"""flannel's udp backend: every packet goes through a program. For comparison, as upstream says: for debugging only.

Stands in for pkg/backend/udp of flannel: device flannel0, UDP port 8285.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from pathlib import Path

from podwalk.netns import tun
from podwalk.netns.netlink import Netlink
from podwalk.network.flannel import Backend, Lease
from podwalk.network.process import Supervised
from podwalk.network.profile import NetworkConfig

log = logging.getLogger(__name__)

PORT = 8285
OVERHEAD = 28  # an IP and a UDP header
_BUFFER = 1 << 20


class Udp(Backend):
    """The TUN device, the socket, and the program between them."""

    type = "udp"

    def __init__(self, netlink: Netlink, config: NetworkConfig, mtu: int) -> None:
        self._netlink, self._config, self._mtu = netlink, config, mtu
        self._leases: dict[str, Lease] = {}
        self._proxy: Supervised | None = None
        self._control: socket.socket | None = None

    async def prepare(self, pod_cidr: str) -> None:
        """Make flannel0 with a route for all Pods, and start the program. Raises OSError."""
        if self._proxy is not None:
            return
        fd, device, header = self._open()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        address = pod_cidr.partition("/")[0]
        try:
            self._netlink.add_address(device, f"{address}/32")
            self._netlink.set_mtu(device, self._mtu)
            self._netlink.set_up(device)
            self._netlink.replace_route(self._config.cluster_cidr, dev=device)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            udp.bind((self._config.node_ip, PORT))
            fds = (fd, udp.fileno(), theirs.fileno())
            command = self._command(fds, address, header)
            self._proxy = Supervised(self._config.reaper, command, pass_fds=fds)
            self._proxy.start()
        except BaseException:
            ours.close()
            os.close(fd)
            udp.close()
            theirs.close()
            self._proxy = None
            raise
        # The descriptors stay open here too: a program that is started again gets the same ones.
        self._kept = (fd, udp, theirs)
        self._control = ours

    def _open(self) -> tuple[int, str, bytes]:
        """The device's descriptor, its name, and what stands before each packet."""
        if os.access(tun.DEVICE, os.R_OK | os.W_OK):
            return (*tun.open_tun("flannel%d"), b"")
        log.warning("there is no %s: flannel0 is a veth device with a packet socket at its end", tun.DEVICE)
        # What an attempt before left behind.
        self._netlink.delete_link("flannel0")
        fd, header = tun.open_cable("flannel0")
        return fd, "flannel0", header

    @staticmethod
    def _command(fds: tuple[int, ...], address: str, header: bytes) -> list[str]:
        source = str(Path(__file__).resolve().parents[2])
        code = f"import sys; sys.path.insert(0, {source!r}); from podwalk.network.udp_proxy import main; main()"
        return [sys.executable, "-I", "-S", "-c", code, *map(str, fds), address, str(PORT), header.hex()]

    def set_lease(self, name: str, lease: Lease | None) -> None:
        """Tell the program the new table."""
        known = self._leases.pop(name, None)
        if lease is not None:
            self._leases[name] = lease
        if lease != known:
            self.resync()

    def resync(self) -> None:
        """Tell the program the table again: it may have been started anew."""
        if self._control is not None:
            table = {lease.pod_cidr: lease.public_ip for lease in self._leases.values()}
            self._control.send(json.dumps(table).encode())

    async def stop(self) -> None:
        """End the program; flannel0 goes with its descriptor."""
        if self._proxy is None or self._control is None:
            return
        await self._proxy.stop()
        fd, udp, theirs = self._kept
        os.close(fd)
        for sock in (udp, theirs, self._control):
            sock.close()
        self._proxy = None
