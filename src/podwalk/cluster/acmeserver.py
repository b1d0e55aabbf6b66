"""The certificate authority of the world outside: Debian's pebble behind https://acme.outside.test/dir.

pebble is the ACME server (RFC 8555) that Let's Encrypt tests clients with. It is started by the first connection, so
that a cluster without certificates pays nothing for it, and listens on loopback; this program relays to it. Its files
are memory. It asks the outside's name server for the names that it validates, and fetches challenges on port 80.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import ssl
import subprocess
import urllib.request
from functools import partial

from podwalk.cluster import pki
from podwalk.cluster.spec import GATEWAY
from podwalk.dns.loop import Loop
from podwalk.netns import syscalls

log = logging.getLogger(__name__)

NAME = "acme.outside.test"
ADDRESS = "172.18.1.40"
PACKAGE = "pebble"
ROOTS_PATH = "/roots.pem"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ACME_PORT, _MANAGEMENT_PORT = 14000, 15000
_VALID_SECONDS = 90 * 86400
_CONNECTIONS = 64
_TRIES, _TRY_SECONDS = 200, 0.05
_CHUNK, _PENDING = 65536, 1 << 20
# No waits before a validation, no refused nonces, and no validation that counts for a second order: a course wants to
# see each step each time.
_ENVIRONMENT = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}


def program() -> str | None:
    """Where pebble is, or None."""
    return shutil.which("pebble", path=_PATH)


class AcmeServer:
    """The server: one pebble, and the connections to it."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._process: subprocess.Popen[bytes] | None = None
        self._open = 0
        self._own: pki.Pki | None = None

    def listen(self, port: int = 443) -> None:
        """Serve on the server's own address. Raises OSError."""
        listener = socket.create_server((ADDRESS, port), backlog=64)
        listener.setblocking(False)
        self._loop.add(listener, partial(self._accept, listener))

    def roots(self) -> bytes:
        """What clients have to trust, PEM: who signed this server's own certificate, and pebble's root if it runs."""
        found = self._identity().ca_cert
        if self._process is None or self._process.poll() is not None:
            return found
        context = ssl._create_unverified_context()  # our own child on our own loopback
        try:
            url = f"https://127.0.0.1:{_MANAGEMENT_PORT}/roots/0"
            with urllib.request.urlopen(url, timeout=1, context=context) as answer:
                return found + bytes(answer.read())
        except OSError as error:
            log.warning("pebble's root: %s", error)
            return found

    def _identity(self) -> pki.Pki:
        if self._own is None:
            self._own = pki.make([NAME], [ADDRESS], authority="The world outside: root", subject_name=NAME)
        return self._own

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError as error:
            log.debug("accept: %s", error)
            return
        if self._open >= _CONNECTIONS or not self._start():
            sock.close()
            return
        sock.setblocking(False)
        self._open += 1
        self._connect(sock, _TRIES)

    def _start(self) -> bool:
        """Start pebble where it does not run; False where it is not installed."""
        if self._process is not None and self._process.poll() is None:
            return True
        found = program()
        if found is None:
            log.error("%s: pebble is not installed; sudo apt-get install -y %s", NAME, PACKAGE)
            return False
        own = self._identity()
        descriptors = [_memory("certificate", own.server_cert), _memory("key", own.server_key)]
        certificate, key = (f"/proc/self/fd/{fd}" for fd in descriptors)
        settings = {
            "listenAddress": f"127.0.0.1:{_ACME_PORT}",
            "managementListenAddress": f"127.0.0.1:{_MANAGEMENT_PORT}",
            "certificate": certificate,
            "privateKey": key,
            "httpPort": 80,
            "tlsPort": 443,
            "certificateValidityPeriod": _VALID_SECONDS,
        }
        descriptors.append(_memory("config", json.dumps({"pebble": settings}).encode()))
        self._process = subprocess.Popen(
            [found, "-config", f"/proc/self/fd/{descriptors[-1]}", "-dnsserver", f"{GATEWAY}:53"],
            env={**_ENVIRONMENT, "PATH": _PATH},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=descriptors,
            preexec_fn=syscalls.die_with_parent,
        )
        for fd in descriptors:
            os.close(fd)
        return True

    def _connect(self, client: socket.socket, tries: int) -> None:
        """Connect to pebble, which needs a moment to make its keys, and relay."""
        try:
            upstream = socket.create_connection(("127.0.0.1", _ACME_PORT), timeout=1)
        except OSError:
            ended = self._process is None or self._process.poll() is not None
            if tries == 0 or ended:
                log.error("%s: pebble does not answer", NAME)
                client.close()
                self._open -= 1
            else:
                self._loop.call_later(_TRY_SECONDS, partial(self._connect, client, tries - 1))
            return
        upstream.setblocking(False)
        _Relay(self._loop, client, upstream, self._closed)

    def _closed(self) -> None:
        self._open -= 1


class _Relay:
    """Two sockets, each of which gets what the other one sends."""

    def __init__(self, loop: Loop, one: socket.socket, other: socket.socket, closed: partial[None] | object) -> None:
        self._loop, self._closed = loop, closed
        self._pending = {one: bytearray(), other: bytearray()}
        self._peer = {one: other, other: one}
        for sock in self._peer:
            self._watch(sock)

    def _watch(self, sock: socket.socket) -> None:
        writable = partial(self._flush, sock) if self._pending[sock] else None
        self._loop.add(sock, partial(self._read, sock), writable)

    def _read(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        peer = self._peer[sock]
        if not data or len(self._pending[peer]) > _PENDING:
            self._flush(peer)
            self._close()
            return
        self._pending[peer] += data
        self._flush(peer)

    def _flush(self, sock: socket.socket) -> None:
        pending = self._pending[sock]
        try:
            while pending:
                del pending[: sock.send(pending)]
        except BlockingIOError:
            pass
        except OSError:
            self._close()
            return
        self._watch(sock)

    def _close(self) -> None:
        if any(sock.fileno() >= 0 for sock in self._peer):
            for sock in self._peer:
                self._loop.close(sock)
            if callable(self._closed):
                self._closed()


def _memory(name: str, content: bytes) -> int:
    """A file that is memory, ready to be read."""
    descriptor = os.memfd_create(name)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
