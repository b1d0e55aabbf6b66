"""``agnhost grpc-health-checking``: a server of gRPC's health service, for probes.

Behaviour: test/images/agnhost/grpc-health-checking of kubernetes/kubernetes.
"""

from __future__ import annotations

import _thread
import socket
import time

from podwalk.programs import gohttp, gotext, http2
from podwalk.programs.hpack import HpackError

TYPE_CHECKING = False  # typing and collections.abc are slow to import, and only the type checker needs them
if TYPE_CHECKING:
    from podwalk.programs.gohttp import Request, Response

_NOT_FOUND, _UNIMPLEMENTED = 5, 12


class _State:
    """What a check answers; ``forced`` is what a request to the HTTP server said."""

    service = ""
    delay = -1
    started = 0.0
    forced: bool | None = None

    @classmethod
    def status(cls) -> str:
        late = cls.delay >= 0 and time.monotonic() - cls.started >= cls.delay
        return "NOT_SERVING" if cls.forced or late else "SERVING"


def run(_arguments: list[str], flags: dict[str, str]) -> None:
    """Serve health checks on ``--port``, and /make-serving and /make-not-serving on ``--http-port``."""
    gotext.handle_signals()
    _State.service, _State.delay = flags["service"], int(flags["delay-unhealthy-sec"])
    _State.started = time.monotonic()
    http_port, port = int(flags["http-port"]), int(flags["port"])
    gotext.log(f"Http server starting to listen on :{http_port}")
    routes: dict[str, gohttp.Handler] = {"/make-not-serving": _force(True), "/make-serving": _force(False)}
    gohttp.serve(gohttp.listen_or_exit(http_port), gohttp.mux(routes))
    try:
        listener = gohttp.listen(port)
    except OSError as problem:
        reason = f"listen tcp :{port}: bind: {gotext.system_error(problem)}"
        gotext.fatal(f"Error while starting the listening service {reason}")
        return
    gotext.log(f"gRPC server starting to listen on :{port}")
    _thread.start_new_thread(_accept, (listener,))
    gotext.wait_for_ever()


def _force(unhealthy: bool) -> gohttp.Handler:
    def handle(_request: Request) -> Response:
        gotext.log("Mark as unhealthy" if unhealthy else "Mark as healthy")
        _State.forced = unhealthy
        return gohttp.text(gotext.format_duration(time.monotonic() - _State.started))

    return handle


def _accept(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        _thread.start_new_thread(_converse, (connection,))


def _converse(connection: socket.socket) -> None:
    """Serve one connection until it ends; what is no HTTP/2 ends it."""
    with connection:
        try:
            connection.settimeout(60)
            greeting = b""
            while len(greeting) < len(http2.PREFACE):
                piece = connection.recv(len(http2.PREFACE) - len(greeting))
                if not piece:
                    return
                greeting += piece
            if greeting != http2.PREFACE:
                return
            connection.sendall(http2.frame(http2.SETTINGS, 0, 0))
            _serve(connection)
        except (OSError, http2.Http2Error, HpackError):
            return


def _serve(connection: socket.socket) -> None:
    reader = http2.Reader()
    paths: dict[int, str] = {}
    bodies: dict[int, bytes] = {}
    while data := connection.recv(65536):
        for event in reader.feed(data):
            if event.kind in (http2.SETTINGS, http2.PING) and not event.ack:
                echo = event.data if event.kind == http2.PING else b""
                connection.sendall(http2.frame(event.kind, http2.ACK, 0, echo))
            elif event.kind == http2.HEADERS:
                paths[event.stream] = dict(event.headers).get(":path", "")
            elif event.kind == http2.DATA:
                bodies[event.stream] = (bodies.get(event.stream, b"") + event.data)[:65536]
            elif event.kind == http2.RESET:
                paths.pop(event.stream, None)
            if event.end and event.stream in paths:
                path, body = paths.pop(event.stream), bodies.pop(event.stream, b"")
                connection.sendall(_answer(event.stream, path, body))


def _answer(stream: int, path: str, body: bytes) -> bytes:
    head = [(":status", "200"), ("content-type", "application/grpc")]
    if path != "/grpc.health.v1.Health/Check":
        service, _, method = path.strip("/").partition("/")
        what = f"unknown method {method} for service {service}" if "Health" in service else f"unknown service {service}"
        return http2.headers_frame(stream, [*head, *_status(_UNIMPLEMENTED, what)], end=True)
    gotext.log("Serving the Check request for health check")
    if http2.health_service(body) != _State.service:
        return http2.headers_frame(stream, [*head, *_status(_NOT_FOUND, "unknown service")], end=True)
    answer = http2.frame(http2.DATA, 0, stream, http2.health_response(_State.status()))
    return http2.headers_frame(stream, head) + answer + http2.headers_frame(stream, _status(0, ""), end=True)


def _status(code: int, message: str) -> list[tuple[str, str]]:
    return [("grpc-status", str(code)), ("grpc-message", message)]
