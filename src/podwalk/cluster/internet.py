"""A piece of the world outside: a name server on the fabric's gateway, and a few hosts with web servers.

Nothing leaves the sandbox, so a public-looking name has to be answered here: the nodes' /etc/resolv.conf names the
gateway, as Docker's does for kind's nodes. Runs beside the nodes as a child of the sandbox's init.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial

from podwalk.cluster import acmeserver
from podwalk.cluster.spec import BRIDGE, FABRIC_PREFIX, GATEWAY
from podwalk.dns import corefile
from podwalk.dns.loop import Loop
from podwalk.dns.server import Server
from podwalk.dns.store import Store
from podwalk.netns import syscalls
from podwalk.netns.netlink import Netlink

log = logging.getLogger(__name__)

# Names in the zone that nobody else has (RFC 6761), and three that everybody tries.
HOSTS = {
    "172.18.1.10": ("www.outside.test", "outside.test"),
    "172.18.1.11": ("api.outside.test",),
    "172.18.1.12": ("registry.outside.test",),
    "172.18.1.20": ("example.com", "www.example.com"),
    "172.18.1.21": ("example.org", "www.example.org"),
    "172.18.1.31": ("cdn.outside.test",),
    "172.18.1.32": ("cdn.outside.test",),
    "172.18.1.33": ("cdn.outside.test",),
    acmeserver.ADDRESS: (acmeserver.NAME,),
}
# The pages of a web server that are more than its one line, by path.
Pages = Mapping[bytes, Callable[[], bytes]]
WEB_PORT = 80
_REQUEST_LIMIT = 8192
_IDLE_SECONDS = 10.0
# What is added to /etc/hosts of the outside is a public name at once (podwalk.course.outside does so for labs).
_COREFILE = """
{zones} {{
    hosts /dev/null {{
        {lines}
        ttl 300
    }}
}}
. {{
    hosts /etc/hosts {{
        ttl 30
        reload 100ms
    }}
}}
"""


def start(*close: socket.socket) -> int:
    """Start it as a child of the sandbox's init, with whom it dies; its pid. ``close``: sockets it has no use for."""
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.die_with_parent()
            syscalls.set_process_name("internet")
            for sock in close:
                sock.close()
            logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s internet: %(message)s")
            _run()
        except Exception:
            log.exception("the world outside ends")
        finally:
            os._exit(1)
    return pid


def names() -> str:
    """The name server's Corefile."""
    hosts = {GATEWAY: ("gateway.outside.test", "ns.outside.test"), **HOSTS}
    lines = [" ".join((address, *known)) for address, known in hosts.items()]
    zones = sorted({".".join(name.split(".")[-2:]) for known in hosts.values() for name in known})
    reverse = "1.18.172.in-addr.arpa"
    return _COREFILE.format(zones=" ".join([*zones, reverse]), lines="\n        ".join(lines))


def _run() -> None:
    loop = Loop()
    server = Server(loop, Store(), address=GATEWAY)
    server.configure(corefile.parse(names()))
    with Netlink() as netlink:
        for address in HOSTS:
            netlink.add_address(BRIDGE, f"{address}/{FABRIC_PREFIX}")
    authority = acmeserver.AcmeServer(loop)
    authority.listen()
    pages: dict[str, Pages] = {acmeserver.ADDRESS: {acmeserver.ROOTS_PATH.encode(): authority.roots}}
    for address, hosts in HOSTS.items():
        listener = socket.create_server((address, WEB_PORT), backlog=64)
        serve_web(loop, listener, hosts[0], pages.get(address, {}))
    loop.run()


def serve_web(loop: Loop, listener: socket.socket, host: str, pages: Pages) -> None:
    """Answer every GET that comes to a listening socket: with one line, or with a page of its own."""
    listener.setblocking(False)
    loop.add(listener, lambda: _accept(loop, listener, host, pages))


def _accept(loop: Loop, listener: socket.socket, host: str, pages: Pages) -> None:
    try:
        sock, peer = listener.accept()
    except OSError as error:
        log.debug("accept: %s", error)
        return
    sock.setblocking(False)
    request = bytearray()
    idle = loop.call_later(_IDLE_SECONDS, partial(loop.close, sock))

    def readable() -> None:
        try:
            data = sock.recv(4096)
        except OSError:
            data = b""
        request.extend(data)
        if data and b"\r\n\r\n" not in request and len(request) < _REQUEST_LIMIT:
            return
        idle.cancel()
        if data:
            path = (bytes(request).split(b" ", 2) + [b""])[1]
            page = pages.get(path.partition(b"?")[0])
            _send(sock, page() if page else f"{host} sees you as {peer[0]}\n".encode())
        loop.close(sock)

    loop.add(sock, readable)


def _send(sock: socket.socket, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}"
    try:
        sock.send(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)
    except OSError as error:
        log.debug("web: %s", error)  # whoever asked is gone
