"""The forward plugin: asks other servers.

Stands in for plugin/forward of CoreDNS: each server is tried once, in the order of the policy, by the protocol that the
client used; the question is answered with SERVFAIL when none has replied. Many questions are under way at a time.
"""

from __future__ import annotations

import itertools
import random
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from podwalk.dns import message
from podwalk.dns.corefile import CorefileError, Directive, seconds, zone_name
from podwalk.dns.loop import Loop, Timer
from podwalk.dns.records import within

READ_TIMEOUT = 2.0
DEADLINE = 5.0
_RESOLV_CONF_LIMIT = 15
_MAX_FAILS = 2
_HEALTH_SECONDS = 0.5
_PROBE_TIMEOUT = 1.0
# Accepted; those that are not read below concern connections that are kept, or TLS.
_OPTIONS = (
    "except",
    "expire",
    "failfast_all_unhealthy_upstreams",
    "force_tcp",
    "health_check",
    "max_concurrent",
    "max_fails",
    "max_idle_conns",
    "policy",
    "prefer_udp",
)

# done(reply, None), or done(None, why not)
Done = Callable[[bytes | None, str | None], None]
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ForwardConfig:
    """One ``forward FROM TO… { … }``."""

    zone: str
    servers: tuple[Address, ...]
    excepted: tuple[str, ...] = ()
    policy: str = "random"
    force_tcp: bool = False
    prefer_udp: bool = False
    max_fails: int = _MAX_FAILS
    health_interval: float = _HEALTH_SECONDS
    health_domain: str = "."
    health_recursion: bool = True
    timeout: float = READ_TIMEOUT

    def matches(self, name: str) -> bool:
        """Whether a name is one to forward."""
        return within(name, self.zone) and not any(within(name, zone) for zone in self.excepted)


def configure(directive: Directive) -> ForwardConfig:
    """Read the plugin's line; TO is an address, ``address:port`` or a resolv.conf file. Raises CorefileError."""
    if len(directive.args) < 2:
        raise CorefileError("plugin/forward: Wrong argument count or unexpected line ending after 'forward'")
    zone, *targets = directive.args
    servers = [address for target in targets for address in _servers(target)]
    if not servers:
        raise CorefileError(f"plugin/forward: not an IP address or file: {targets[0]!r}")
    excepted = tuple(zone_name(word) for word in directive.option("except") or ())
    policy = (directive.option("policy") or ("random",))[0]
    if policy not in ("random", "round_robin", "sequential"):
        raise CorefileError(f"plugin/forward: unknown policy '{policy}'")
    for words in directive.options:
        if words[0] not in _OPTIONS:
            raise CorefileError(f"plugin/forward: unknown property '{words[0]}'")
    fails = (directive.option("max_fails") or (str(_MAX_FAILS),))[0]
    if not fails.isdigit():
        raise CorefileError(f"plugin/forward: max_fails: {fails!r} is not a number")
    interval, domain, recursion = _health_check(directive.option("health_check") or ())
    return ForwardConfig(
        zone_name(zone),
        tuple(servers),
        excepted,
        policy,
        force_tcp=directive.option("force_tcp") is not None,
        prefer_udp=directive.option("prefer_udp") is not None,
        max_fails=int(fails),
        health_interval=interval,
        health_domain=domain,
        health_recursion=recursion,
    )


def _health_check(words: tuple[str, ...]) -> tuple[float, str, bool]:
    """``health_check DURATION [no_rec] [domain FQDN]`` as interval, domain, and whether recursion is asked for."""
    interval, domain, recursion = _HEALTH_SECONDS, ".", True
    rest = list(words)
    try:
        if rest:
            interval = seconds(rest.pop(0))
        while rest:
            option = rest.pop(0)
            if option == "no_rec":
                recursion = False
            elif option == "domain" and rest:
                domain = zone_name(rest.pop(0))
            else:
                raise CorefileError(f"plugin/forward: health_check: unknown option {option}")
    except ValueError as error:
        raise CorefileError(str(error)) from None
    if interval <= 0:
        raise CorefileError(f"plugin/forward: health_check can't be negative: {interval:g}")
    return interval, domain, recursion


def _servers(target: str) -> list[Address]:
    if target.startswith("/"):
        try:
            lines = [line.split() for line in Path(target).read_text().splitlines()]
        except OSError as error:
            raise CorefileError(f"plugin/forward: {error}") from error
        found = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
        return [(ip, 53) for ip in found if ":" not in ip][:_RESOLV_CONF_LIMIT]
    ip, _, port = target.removeprefix("dns://").partition(":")
    try:
        socket.inet_aton(ip)
        return [(ip, int(port or 53))]
    except (OSError, ValueError):
        raise CorefileError(f"plugin/forward: not an IP address or file: {target!r}") from None


class Forwarder:
    """Sends questions to the servers of one configuration.

    A server that fails is probed until it answers; after more failed probes than ``max_fails`` it is left out, unless
    all are: then any may be asked.
    """

    def __init__(self, loop: Loop, config: ForwardConfig) -> None:
        self._loop = loop
        self.config = config
        self._turn = itertools.count()
        # The servers that are being probed, with the probes that failed.
        self._fails: dict[Address, int] = {}
        self._closed = False

    def ask(self, query: bytes, *, tcp: bool, done: Done) -> None:
        """Send the query's bytes on; ``done`` is called once, with a reply that has the query's id, or the reason."""
        over_tcp = self.config.force_tcp or (tcp and not self.config.prefer_udp)
        _Exchange(self._loop, self.config, self._healthy(), query, over_tcp, done, self._suspect).start()

    def close(self) -> None:
        """Probe no more: another configuration took this one's place."""
        self._closed = True

    def _healthy(self) -> list[Address]:
        order = self._order()
        return [s for s in order if not self._is_down(s)] or order

    def _is_down(self, server: Address) -> bool:
        return self.config.max_fails > 0 and self._fails.get(server, 0) > self.config.max_fails

    def _suspect(self, server: Address) -> None:
        if self.config.max_fails and server not in self._fails:
            self._fails[server] = 0
            self._probe(server)

    def _probe(self, server: Address) -> None:
        if self._closed:
            return
        flags = message.RD if self.config.health_recursion else 0
        question = message.Question(self.config.health_domain, message.NS)
        query = message.pack(message.Message(0, flags, question))

        def done(reply: bytes | None, why: str | None) -> None:
            if reply is not None:
                del self._fails[server]
                return
            # More says nothing new; the count stays small however long the server is away.
            self._fails[server] = min(self._fails[server] + 1, self.config.max_fails + 1)
            self._loop.call_later(self.config.health_interval, lambda: self._probe(server))

        config = replace(self.config, timeout=_PROBE_TIMEOUT)
        _Exchange(self._loop, config, [server], query, self.config.force_tcp, done).start()

    def _order(self) -> list[Address]:
        servers = list(self.config.servers)
        if self.config.policy == "random":
            random.shuffle(servers)
        elif self.config.policy == "round_robin":
            turn = next(self._turn) % len(servers)
            servers = servers[turn:] + servers[:turn]
        return servers


class _Exchange:
    """One question on its way through the servers."""

    def __init__(
        self,
        loop: Loop,
        config: ForwardConfig,
        servers: list[Address],
        query: bytes,
        tcp: bool,
        done: Done,
        on_failure: Callable[[Address], None] = lambda server: None,
    ) -> None:
        self._on_failure = on_failure
        self._server: Address | None = None
        self._loop, self._config, self._servers = loop, config, servers
        self._tcp, self._done = tcp, done
        self._client_id = query[:2]
        # An id of our own, so that nobody who only knows the client's can answer in the server's place.
        self._id = struct.pack("!H", random.getrandbits(16))
        self._query = self._id + query[2:]
        self._sock: socket.socket | None = None
        self._received = bytearray()
        self._timer: Timer | None = None
        self._deadline = loop.call_later(DEADLINE, self._out_of_time)
        self._error = "no upstream"

    def start(self) -> None:
        if not self._servers:
            self._finish(None)
            return
        server = self._server = self._servers.pop(0)
        kind = socket.SOCK_STREAM if self._tcp else socket.SOCK_DGRAM
        self._sock = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
        self._received.clear()
        self._timer = self._loop.call_later(self._config.timeout, lambda: self._failed("i/o timeout"))
        try:
            if self._sock.connect_ex(server) not in (0, 115):  # EINPROGRESS
                raise ConnectionError("connect: network is unreachable")
            self._where = self._describe(server)
            if self._tcp:
                self._loop.add(self._sock, self._read, self._write)
            else:
                self._sock.send(self._query)
                self._loop.add(self._sock, self._read)
        except OSError as error:
            self._where = f"dial {'tcp' if self._tcp else 'udp'} {server[0]}:{server[1]}"
            self._failed(error.strerror or str(error))

    def _describe(self, server: Address) -> str:
        assert self._sock is not None
        ip, port = self._sock.getsockname()
        return f"read {'tcp' if self._tcp else 'udp'} {ip}:{port}->{server[0]}:{server[1]}"

    def _write(self) -> None:
        assert self._sock is not None
        self._loop.add(self._sock, self._read)
        try:
            self._sock.sendall(struct.pack("!H", len(self._query)) + self._query)
        except OSError as error:
            self._failed(_reason(error))

    def _read(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(65535)
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(_reason(error))
            return
        if self._tcp:
            self._received += data
            if not data:
                self._failed("EOF")
            elif len(self._received) >= 2:
                length = int.from_bytes(self._received[:2], "big")
                if len(self._received) >= 2 + length:
                    self._finish(bytes(self._received[2 : 2 + length]))
        elif data[:2] == self._id:
            self._finish(data)

    def _failed(self, why: str) -> None:
        self._error = f"{self._where}: {why}"
        self._drop()
        if self._server is not None:
            self._on_failure(self._server)
        self.start()

    def _out_of_time(self) -> None:
        self._servers.clear()
        if self._sock is not None:
            self._failed("i/o timeout")

    def _drop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sock is not None:
            self._loop.close(self._sock)
            self._sock = None

    def _finish(self, reply: bytes | None) -> None:
        self._deadline.cancel()
        self._drop()
        if reply is None or len(reply) < 12:
            self._done(None, self._error)
        else:
            self._done(self._client_id + reply[2:], None)


def _reason(error: OSError) -> str:
    return f"read: {(error.strerror or str(error)).lower()}"
