"""``agnhost guestbook``: an application of three tiers (front end, primary, replicas) that talk over Services.

Behaviour: test/images/agnhost/guestbook of kubernetes/kubernetes.
"""

from __future__ import annotations

import _thread
import socket
import time

from podwalk.programs import goclient, gohttp, gotext
from podwalk.programs.gohttp import Request, Response, text

_REGISTER_SECONDS = 15.0


class _Book:
    """What one server knows: the entries, and the addresses of its replicas."""

    def __init__(self, backend_port: str) -> None:
        self.backend_port = backend_port
        self.entries: dict[str, str] = {}
        self.replicas: list[str] = []


def run(_arguments: list[str], flags: dict[str, str]) -> None:
    """Serve the book; with ``--replicaof`` as a copy of another one."""
    gotext.handle_signals()
    book = _Book(flags["backend-port"])
    if flags["replicaof"]:
        _thread.start_new_thread(_register, (book, flags["replicaof"]))
    routes: dict[str, gohttp.Handler] = {
        "/register": lambda request: _registered(book, request),
        "/get": lambda request: _get(book, request),
        "/set": lambda request: _set(book, request),
        "/guestbook": lambda request: _guestbook(book, request),
    }
    gohttp.serve(gohttp.listen_or_exit(int(flags["http-port"])), gohttp.mux(routes))
    gotext.wait_for_ever()


def _ask(host: str, port: str, target: str) -> str:
    return goclient.get(goclient.resolve(host, port), target, 5.0).decode("utf-8", "replace")


def _register(book: _Book, primary: str) -> None:
    """Tell the primary our address and take over its entries; the process ends where that fails for 15 seconds."""
    import json

    deadline = time.monotonic() + _REGISTER_SECONDS
    while time.monotonic() < deadline:
        try:
            mine = _own_address(primary, book.backend_port)
            gotext.log(f"Registering to primary: {primary}:{book.backend_port}/register?host={mine}")
            book.entries = dict(json.loads(_ask(primary, book.backend_port, f"/register?host={mine}"))["data"])
        except (goclient.NetError, OSError) as problem:
            gotext.log(f"encountered error while registering to primary: {problem}. Retrying in 1s.")
            time.sleep(1)
        except (ValueError, KeyError, TypeError) as problem:
            gotext.fatal(f"Error while unmarshaling primary's response: {problem}")
        else:
            gotext.log(f"Registered to node: {primary}")
            return
    gotext.fatal("Timed out while registering to primary.")


def _own_address(host: str, port: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(goclient.resolve(host, port, "udp"))
        return str(probe.getsockname()[0])


def _registered(book: _Book, request: Request) -> Response:
    replica = request.query_value("host")
    gotext.log(f"GET /register?host={replica}")
    book.replicas.append(replica)
    gotext.log(f"Node '{replica}' registered.")
    return text(gotext.json_text({"data": book.entries}))


def _get(book: _Book, request: Request) -> Response:
    key = request.query_value("key")
    gotext.log(f"GET /get?key={key}")
    return text(gotext.json_text({"data": book.entries.get(key, "") if key else book.entries}))


def _set(book: _Book, request: Request) -> Response:
    key, value = request.query_value("key"), request.query_value("value")
    gotext.log(f"GET /set?key={key}&value={value}")
    if not key:
        return gohttp.error("cannot set with empty key.", 400)
    book.entries[key] = value
    for replica in book.replicas:
        try:
            _ask(replica, book.backend_port, f"/set?key={key}&value={value}")
        except goclient.NetError as problem:
            return gohttp.error(f"encountered error while propagating to replica '{replica}': {problem}", 417)
    return text('{"message":"Updated"}')


def _guestbook(book: _Book, request: Request) -> Response:
    """Hand the request on: to the primary to write, to the replicas to read."""
    command, key, value = (request.query_value(name) for name in ("cmd", "key", "value"))
    command = command.lower()
    gotext.log(f"GET /guestbook?cmd={command}&key={key}&value={value}")
    if command not in ("get", "set"):
        return gohttp.error(f"unsupported cmd: '{command}'", 400)
    if command == "set" and not key:
        return gohttp.error("cannot set with empty key.", 400)
    host = "agnhost-replica" if command == "get" else "agnhost-primary"
    try:
        address = goclient.resolve(host, book.backend_port)
    except goclient.NetError as problem:
        return gohttp.error(f"host and/or port param are invalid. {problem}", 400)
    try:
        answer = goclient.get(address, f"/{command}?key={key}&value={value}", 5.0)
    except goclient.NetError as problem:
        return gohttp.error(f"encountered error: {problem}", 417)
    return text(answer.decode("utf-8", "replace"))
