"""The DNS server: sockets for DNS over UDP and TCP and for the health plugins, and the chains behind them.

Stands in for core/dnsserver of CoreDNS. One thread; the only other ones watch the API server (store.py).
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial

from podwalk.dns import message
from podwalk.dns.corefile import CorefileError, ServerBlock
from podwalk.dns.handler import Chain, Fatal, Reply, Request, Response
from podwalk.dns.loop import Loop
from podwalk.dns.records import within
from podwalk.dns.store import Store

log = logging.getLogger("server")

_TCP_IDLE_SECONDS = 10.0
_DATAGRAMS_A_ROUND = 64
_HTTP_LIMIT = 8192
# How long /ready holds its answer back while it would be no: the first lists take milliseconds, and the kubelet, whose
# probe gives up after a second, asks again only after ten.
_READY_PATIENCE = 0.8
_READY_STEP = 0.005

# An address and a port to listen on.
Where = tuple[str, int]


class Server:
    """Serves a list of server blocks; :meth:`configure` may be called again with others."""

    def __init__(self, loop: Loop, store: Store, *, address: str = "0.0.0.0", port: int | None = None) -> None:
        self._loop, self._store = loop, store
        self._address, self._port = address, port
        self._chains: dict[Where, list[Chain]] = {}
        self._sockets: dict[tuple[str, Where], socket.socket] = {}
        self.fatal: Fatal = lambda text: log.critical("%s", text)

    def configure(self, blocks: list[ServerBlock]) -> None:
        """Serve these blocks instead of those before. Raises CorefileError or OSError and then changes nothing."""
        own_ip = own_address()
        chains: dict[Where, list[Chain]] = {}
        wanted: dict[tuple[str, Where], Callable[[Where], socket.socket]] = {}
        for block in blocks:
            port = self._port if self._port is not None else block.port
            places = [(address, port) for address in _bound_addresses(block) or (self._address,)]

            def resolve(request: Request, reply: Reply, where: Where = places[0]) -> None:
                self.dispatch(where, request, reply)

            chain = Chain(block, self._loop, self._store, resolve, self._fatal, own_ip)
            for where in places:
                chains.setdefault(where, []).append(chain)
                wanted["udp", where] = self._listen_udp
                wanted["tcp", where] = self._listen_tcp
            for name, default, check in (("health", 8080, _always), ("ready", 8181, self.is_ready)):
                directive = block.plugin(name)
                if directive is not None:
                    host, _, number = (directive.args[0] if directive.args else f":{default}").rpartition(":")
                    wanted["http", (host or self._address, int(number))] = self._http_listener(name, check)
        opened: dict[tuple[str, Where], socket.socket] = {}
        try:
            for key in set(wanted) - set(self._sockets):
                opened[key] = wanted[key](key[1])
        except OSError:
            for sock in opened.values():
                self._loop.close(sock)
            raise
        for key in set(self._sockets) - set(wanted):
            self._loop.close(self._sockets.pop(key))
        self._sockets.update(opened)
        for chain in {id(c): c for group in self._chains.values() for c in group}.values():
            chain.close()
        self._chains = chains
        zones = [chain.zone for group in chains.values() for chain in group if chain.zone]
        if any(zone.pods == "verified" for zone in zones):
            self._store.watch_pods()
        if zones:
            self._store.start()
        for chain in (c for group in chains.values() for c in group):
            chain.start_loop_probe()

    def _fatal(self, text: str) -> None:
        self.fatal(text)

    def is_ready(self) -> bool:
        """Whether every plugin can answer: the kubernetes plugin once it has listed everything."""
        needs_store = any(chain.zone for group in self._chains.values() for chain in group)
        return self._store.synced or not needs_store

    def bound_port(self, kind: str) -> int:
        """The port that a socket of this kind (udp, tcp, http) got; for tests that bind port 0."""
        return int(next(s for (k, _), s in self._sockets.items() if k == kind).getsockname()[1])

    def close(self) -> None:
        """Close every listening socket."""
        for sock in self._sockets.values():
            self._loop.close(sock)
        self._sockets.clear()

    def dispatch(self, where: Where, request: Request, reply: Reply) -> None:
        """Give a request to the block with the longest zone that holds its name; REFUSED where there is none."""
        name = request.question.name
        best: tuple[int, Chain] | None = None
        for chain in self._chains.get(where, ()):
            for zone in chain.block.zones:
                if within(name, zone) and (best is None or len(zone) > best[0]):
                    best = (len(zone), chain)
        if best is None or request.question.cls not in (message.IN, 255):
            reply(Response(request.message.reply(message.REFUSED)))
        else:
            best[1].serve(request, reply)

    def handle(
        self, where: Where, raw: bytes, client: tuple[str, int], *, tcp: bool, send: Callable[[bytes], None]
    ) -> None:
        """Answer the bytes of one query; what is no query gets no answer."""
        try:
            query = message.parse(raw)
        except message.FormatError:
            if len(raw) >= 12 and not raw[2] & 0x80:
                bare = message.Message(int.from_bytes(raw[:2], "big"), 0, None)
                send(message.pack(bare.reply(message.FORMERR)))
            return
        if query.flags & message.QR:
            return
        if query.opcode != 0 or query.question is None:
            send(message.pack(query.reply(message.NOTIMP if query.opcode else message.FORMERR)))
            return
        request = Request(query, query.question, client, len(raw), tcp)
        self.dispatch(where, request, lambda response: send(response.encode(request.limit)))

    def _listen_udp(self, where: Where) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(sock, where)

        def readable() -> None:
            for _ in range(_DATAGRAMS_A_ROUND):
                try:
                    raw, client = sock.recvfrom(65535)
                except BlockingIOError:
                    return
                except OSError as error:
                    log.debug("udp: %s", error)
                    return
                self.handle(where, raw, client, tcp=False, send=partial(_send_to, sock, client))

        self._loop.add(sock, readable)
        return sock

    def _listen_tcp(self, where: Where) -> socket.socket:
        def handle(connection: _Connection) -> None:
            while len(connection.received) >= 2:
                length = int.from_bytes(connection.received[:2], "big")
                if len(connection.received) < 2 + length:
                    return
                raw = bytes(connection.received[2 : 2 + length])
                del connection.received[: 2 + length]
                self.handle(where, raw, connection.peer, tcp=True, send=connection.send_framed)

        return self._accept(where, handle)

    def _http_listener(self, path: str, check: Callable[[], bool]) -> Callable[[Where], socket.socket]:
        def handle(connection: _Connection) -> None:
            if b"\r\n\r\n" not in connection.received:
                if len(connection.received) > _HTTP_LIMIT:
                    connection.close()
                return
            words = bytes(connection.received).split(None, 2)
            if len(words) < 2 or words[1] != b"/" + path.encode():
                connection.send_http("404 Not Found", "404 page not found\n")
            else:
                answer(connection, int(_READY_PATIENCE / _READY_STEP))

        def answer(connection: _Connection, tries: int) -> None:
            if check():
                connection.send_http("200 OK", "OK")
            elif tries:
                self._loop.call_later(_READY_STEP, lambda: answer(connection, tries - 1))
            else:
                connection.send_http("503 Service Unavailable", "kubernetes")

        return lambda where: self._accept(where, handle)

    def _accept(self, where: Where, handle: Callable[[_Connection], None]) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(listener, where)
        listener.listen(128)

        def readable() -> None:
            try:
                sock, peer = listener.accept()
            except OSError as error:
                log.debug("accept: %s", error)
                return
            _Connection(self._loop, sock, peer, handle)

        self._loop.add(listener, readable)
        return listener


class _Connection:
    """One TCP connection: collects what arrives, sends what is given, ends when idle."""

    def __init__(
        self, loop: Loop, sock: socket.socket, peer: tuple[str, int], handle: Callable[[_Connection], None]
    ) -> None:
        self._loop, self._sock, self.peer, self._handle = loop, sock, peer, handle
        self.received = bytearray()
        self._pending = bytearray()
        self._closing = False
        sock.setblocking(False)
        self._idle = loop.call_later(_TCP_IDLE_SECONDS, self.close)
        loop.add(sock, self._readable)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(65535)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._idle.cancel()
        self._idle = self._loop.call_later(_TCP_IDLE_SECONDS, self.close)
        self.received += data
        self._handle(self)

    def send_framed(self, data: bytes) -> None:
        """Send a DNS message."""
        self.send(len(data).to_bytes(2, "big") + data)

    def send_http(self, status: str, body: str) -> None:
        """Send an HTTP answer and end the connection."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}"
        self.send(f"{head}\r\nConnection: close\r\n\r\n{body}".encode(), close=True)

    def send(self, data: bytes, *, close: bool = False) -> None:
        """Send bytes, and then perhaps end the connection."""
        self._pending += data
        self._closing |= close
        self._writable()

    def _writable(self) -> None:
        if self._sock.fileno() < 0:
            return
        try:
            sent = self._sock.send(self._pending)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        del self._pending[:sent]
        if self._pending:
            self._loop.add(self._sock, self._readable, self._writable)
        elif self._closing:
            self.close()
        else:
            self._loop.add(self._sock, self._readable)

    def close(self) -> None:
        """End the connection."""
        self._idle.cancel()
        self._loop.close(self._sock)


def own_address() -> str:
    """The address this host would send from; empty where it has no route. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 53))
        except OSError:
            return ""
        return str(sock.getsockname()[0])


def _always() -> bool:
    return True


def _bound_addresses(block: ServerBlock) -> tuple[str, ...]:
    """The bind plugin's addresses; none where the block listens everywhere. Raises CorefileError."""
    addresses = tuple(word for directive in block.plugins("bind") for word in directive.args)
    for word in addresses:
        try:
            socket.inet_aton(word)
        except OSError:
            raise CorefileError(f"plugin/bind: not a valid IP address or interface name: {word!r}") from None
    return addresses


def _bind(sock: socket.socket, where: Where) -> None:
    try:
        sock.bind(where)
    except OSError:
        sock.close()
        raise


def _send_to(sock: socket.socket, to: tuple[str, int], data: bytes) -> None:
    try:
        sock.sendto(data, to)
    except OSError as error:
        # A client that is gone or a full buffer: as on any network, the datagram is lost.
        log.debug("udp to %s: %s", to[0], error)
