"""``agnhost port-forward-tester``, ``tcp-reset`` and ``inclusterclient``: single connections that tests look at.

Behaviour: test/images/agnhost/{port-forward-tester,tcp-reset,inclusterclient} of kubernetes/kubernetes.
"""

from __future__ import annotations

import os
import socket
import struct
import time

from podwalk.programs import gohttp, gotext

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_RST_AVOIDANCE_SECONDS = 0.5


def _say(line: str) -> None:
    gotext.write(1, line + "\n")


def _end(line: str, code: int) -> None:
    _say(line)
    os._exit(code)


def _number(name: str) -> int:
    value = os.environ.get(name, "")
    try:
        return gotext.atoi(value)
    except ValueError as problem:
        _end(f"Error parsing {name} {gotext.quote(value)}: {problem}", 1)
        raise


def port_forward_tester(_arguments: list[str], _flags: dict[str, str]) -> None:
    """Take one connection, compare what comes with EXPECTED_CLIENT_DATA, answer CHUNKS of CHUNK_SIZE, and end."""
    gotext.handle_signals()
    address, port = os.environ.get("BIND_ADDRESS") or "localhost", os.environ.get("BIND_PORT", "")
    try:
        listener = gohttp.listen(int(port or 0), "127.0.0.1" if address == "localhost" else address)
    except (OSError, ValueError) as problem:
        reason = gotext.system_error(problem) if isinstance(problem, OSError) else "invalid port"
        _end(f"Error listening: listen tcp {address}:{port}: bind: {reason}", 1)
        return
    connection, _ = listener.accept()
    _say("Accepted client connection")
    _expect(connection, os.environ.get("EXPECTED_CLIENT_DATA", "").encode())
    chunks, size, interval = (_number(name) for name in ("CHUNKS", "CHUNK_SIZE", "CHUNK_INTERVAL"))
    for index in range(chunks):
        try:
            connection.sendall(b"x" * size)
        except OSError as problem:
            error = gotext.system_error(problem)
            _end(f"Expected to write {size} bytes from client, but wrote 0 instead. err={error}", 4)
        if index + 1 < chunks:
            time.sleep(interval / 1000)
    _say("Shutting down connection")
    try:
        connection.shutdown(socket.SHUT_WR)
    except OSError:  # the client was faster
        _say("Done")
        return
    time.sleep(_RST_AVOIDANCE_SECONDS)
    connection.close()
    _say("Done")


def _expect(connection: socket.socket, expected: bytes) -> None:
    if not expected:
        return
    found = connection.recv(len(expected))
    if len(found) != len(expected):
        error = "EOF" if not found else "<nil>"
        text = f"Expected to read {len(expected)} bytes from client, but got {len(found)} instead. err={error}"
        _end(text, 2)
    if found != expected:
        quoted = [gotext.quote(each.decode("utf-8", "replace")) for each in (expected, found)]
        _end(f"Expect to read {quoted[0]}, but got {quoted[1]}. err=<nil>", 3)
    _say("Received expected client data")


def tcp_reset(_arguments: list[str], flags: dict[str, str]) -> None:
    """Accept connections on ``--port`` and reset each after its first bytes."""
    gotext.handle_signals()
    listener = gohttp.listen_or_exit(int(flags["port"]))
    gotext.log(f"Listening on port {flags['port']}")
    while True:
        connection, client = listener.accept()
        gotext.log(f"Accepted connection from {client[0]}:{client[1]}")
        with connection:
            try:
                connection.recv(1024)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError as problem:
                gotext.log(f"read: {gotext.system_error(problem)}")


def inclusterclient(_arguments: list[str], flags: dict[str, str]) -> None:
    """Ask the API server's /healthz every ``--poll-interval`` seconds, with the Pod's own token."""
    gotext.handle_signals()
    interval = int(flags["poll-interval"])
    _klog("I", "started")
    while True:
        time.sleep(interval)
        _klog("I", "calling /healthz")
        try:
            _ask()
        except OSError as problem:
            _klog("E", "status=failed")
            _klog("E", f"error checking /healthz: {problem}")


def _ask() -> None:
    import base64
    import hashlib
    import ssl
    import urllib.request

    with open(f"{_ACCOUNT}/token", encoding="ascii") as file:
        header = f"Bearer {file.read().strip()}"
    digest = base64.urlsafe_b64encode(hashlib.sha256(f"salt|{header}".encode()).digest()).decode().rstrip("=")
    _klog("I", f"authz_header={digest}")
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    context = ssl.create_default_context(cafile=f"{_ACCOUNT}/ca.crt")
    request = urllib.request.Request(f"https://{host}:{port}/healthz", headers={"Authorization": header})
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        answer.read()


def _klog(severity: str, message: str) -> None:
    micro = time.time_ns() // 1000 % 1_000_000
    stamp = time.strftime("%m%d %H:%M:%S", time.gmtime())
    gotext.write(2, f"{severity}{stamp}.{micro:06d} {os.getpid():7d} main.go:75] {message}\n")


def no_new_privileges(_arguments: list[str], _flags: dict[str, str]) -> None:
    """Print the effective user, which a set-uid bit may have changed."""
    gotext.write(1, f"Effective uid: {os.geteuid()}\n")
