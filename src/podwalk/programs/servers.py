"""The smaller servers of agnhost: serve-hostname, porter, liveness, test-webserver, net.

Behaviour: test/images/agnhost/{serve-hostname,porter,liveness,test-webserver,net} of kubernetes/kubernetes.
"""

from __future__ import annotations

import _thread
import os
import socket
import time

from podwalk.programs import goclient, gohttp, gotext
from podwalk.programs.gohttp import Request, Response, text
from podwalk.programs.netexec import tls_context

TYPE_CHECKING = False  # typing and collections.abc are slow to import, and only the type checker needs them
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def serve_hostname(_arguments: list[str], flags: dict[str, str]) -> None:
    """Serve the hostname over HTTP, TCP or UDP; SIGTERM is answered only after a minute, as in the original."""
    http, tcp, udp = (flags[name] == "true" for name in ("http", "tcp", "udp"))
    if http and (tcp or udp):
        gotext.fatal("Can't server TCP/UDP mode and HTTP mode at the same time")
    port, hostname = int(flags["port"]), socket.gethostname()
    if tcp:
        _thread.start_new_thread(_raw_tcp, (gohttp.listen_or_exit(port), hostname.encode()))
    if udp:
        _start_udp(port, hostname.encode(), "UDP request from")
    if http:
        close = flags["close"] == "true"

        def answer(request: Request) -> Response:
            gotext.log(f"HTTP request from {request.remote_addr}")
            return Response(hostname.encode(), close=close)

        gohttp.serve(gohttp.listen_or_exit(port), answer)

    def linger() -> None:
        gotext.log("Shutting down after receiving signal: terminated.")
        gotext.log("Awaiting pod deletion.")
        time.sleep(60)
        os._exit(0)

    gotext.handle_signals(linger)
    gotext.log(f"Serving on port {port}.")
    gotext.wait_for_ever()


def _raw_tcp(listener: socket.socket, answer: bytes) -> None:
    while True:
        connection, client = listener.accept()
        gotext.log(f"TCP request from {goclient.text(client)}")
        with connection:
            try:
                connection.sendall(answer)
            except OSError as problem:
                gotext.log(f"write: {gotext.system_error(problem)}")


def _start_udp(port: int, answer: bytes, message: str) -> None:
    try:
        server = gohttp.listen(port, "", socket.SOCK_DGRAM)
    except OSError as problem:
        gotext.fatal(f"UDP: failed to listen on port {port}: {gotext.system_error(problem)}")
        return
    _thread.start_new_thread(_raw_udp, (server, answer, message))


def _raw_udp(server: socket.socket, answer: bytes, message: str) -> None:
    while True:
        try:
            _, client = server.recvfrom(16)
            if message:
                gotext.log(f"{message} {goclient.text(client)}")
            server.sendto(answer, client)
        except OSError as problem:
            gotext.log(f"UDP: error from ReadFrom(): {gotext.system_error(problem)}")


def porter(_arguments: list[str], flags: dict[str, str]) -> None:
    """Serve the value of every variable SERVE_PORT_n, SERVE_TCP_PORT_n, SERVE_UDP_PORT_n, SERVE_TLS_PORT_n."""
    gotext.handle_signals()
    as_json = flags["json-response"] == "true"
    # TLS first: its certificate takes time to load, and who is answered on one port takes the others for open.
    for key, value in sorted(os.environ.items(), key=lambda item: not item[0].startswith("SERVE_TLS_PORT_")):
        prefix, _, port = key.rpartition("_")
        if prefix in ("SERVE_PORT", "SERVE_TCP_PORT"):
            _start_porter(port, value, as_json, None)
        elif prefix == "SERVE_TLS_PORT":
            _start_porter_with_tls(port, value, as_json)
        elif prefix == "SERVE_UDP_PORT":
            _start_udp(int(port), value.encode(), "")
            gotext.log(f"Started UDP server on port {port}")
    gotext.wait_for_ever()


def _start_porter_with_tls(port: str, value: str, as_json: bool) -> None:
    certificate, key = (
        os.environ.get(name) or default
        for name, default in (("CERT_FILE", "localhost.crt"), ("KEY_FILE", "localhost.key"))
    )
    try:
        tls = tls_context(certificate, key)
    except OSError as problem:
        files = f"certFile={gotext.quote(certificate)}, keyFile={gotext.quote(key)}"
        gotext.log(f"tls server on port {gotext.quote(port)} with {files} failed: {problem.strerror}")
        return
    _start_porter(port, value, as_json, tls)


def _start_porter(port: str, value: str, as_json: bool, tls: object) -> None:
    def answer(request: Request) -> Response:
        if not as_json:
            return text(value)
        body = f'{{"Method":{gotext.json_text(request.method)},"Body":{gotext.json_text(value)}}}'
        return Response(body.encode(), content_type="application/json")

    try:
        gohttp.serve(gohttp.listen(int(port), "0.0.0.0"), answer, tls=tls)
    except (OSError, ValueError, OverflowError) as problem:
        reason = gotext.system_error(problem) if isinstance(problem, OSError) else "invalid port"
        failed = f"listen tcp 0.0.0.0:{port}: bind: {reason}"
        gotext.log(f"server on port {gotext.quote(port)} failed: {failed}")


def liveness(_arguments: list[str], _flags: dict[str, str]) -> None:
    """Serve ``/healthz`` on port 8080: 200 for ten seconds, 500 ever after; and answers that misbehave on request."""
    gotext.handle_signals()
    started = time.monotonic()

    def healthz(_request: Request) -> Response:
        seconds = time.monotonic() - started
        return text(f"error: {seconds:.9f}", 500) if seconds > 10 else text("ok")

    routes: dict[str, gohttp.Handler] = {
        "/started": lambda _request: text(gotext.format_duration(time.monotonic() - started)),
        "/healthz": healthz,
        "/redirect": lambda request: gohttp.redirect(request, request.query_value("loc"), 302),
        "/sleep-headers": _with_parameters(_sleep_headers),
        "/sleep-body": _with_parameters(_sleep_body),
        "/slow-response": _with_parameters(lambda p: Response(_filler(p["size"], p["interval"]), p["code"])),
        "/disconnect-headers": lambda _request: Response(hijack=True),
        "/disconnect-body": _with_parameters(_disconnect_body),
    }
    gohttp.serve(gohttp.listen_or_exit(8080), gohttp.mux(routes))
    gotext.wait_for_ever()


def _with_parameters(handler: Callable[[dict[str, int]], Response]) -> gohttp.Handler:
    def parse(request: Request) -> Response:
        parameters = {"code": 500, "time": 0, "size": 0, "interval": 0}
        for name in parameters:
            if wanted := request.query_value(name):
                try:
                    parameters[name] = gotext.atoi(wanted)
                except ValueError as problem:
                    return gohttp.error(f"parameter '{name}' is invalid: {problem}", 400)
        return handler(parameters)

    return parse


def _filler(kilobytes: int, interval: int) -> Iterator[bytes]:
    for _ in range(kilobytes):
        time.sleep(max(interval, 0))
        yield os.urandom(512).hex().encode()


def _sleep_headers(parameters: dict[str, int]) -> Response:
    time.sleep(max(parameters["time"], 0))
    slept = f"Slept for {parameters['time']} secs\n".encode()
    return Response(slept + b"".join(_filler(parameters["size"], 0)), parameters["code"])


def _sleep_body(parameters: dict[str, int]) -> Response:
    def body() -> Iterator[bytes]:
        yield from _filler(parameters["size"], parameters["interval"])
        yield f"Sleeping for {parameters['time']} secs\n".encode()
        time.sleep(max(parameters["time"], 0))
        yield f"Slept for {parameters['time']} secs\n".encode()

    return Response(body(), parameters["code"])


def _disconnect_body(parameters: dict[str, int]) -> Response:
    body = b"".join(_filler(parameters["size"], 0)) + b"Disconnecting\n"
    return Response(iter((body,)), parameters["code"], hijack=True)


_CORS = (
    ("Access-Control-Allow-Credentials", "true"),
    (
        "Access-Control-Allow-Headers",
        "DNT,X-Mx-ReqToken,Keep-Alive,User-Agent,X-Requested-With,Cache-Control,Content-Type",
    ),
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Allow-Origin", "*"),
    ("Cache-Control", "private"),
)  # fmt: skip


def webserver(_arguments: list[str], flags: dict[str, str]) -> None:
    """Serve the container's files below ``/``, as Go's file server."""
    gotext.handle_signals()
    port = int(flags["port"])

    def answer(request: Request) -> Response:
        response = _file(request)
        response.headers += _CORS
        return response

    gohttp.serve(gohttp.listen_or_exit(port), gohttp.mux({"/": answer}))
    gotext.wait_for_ever()


def _file(request: Request) -> Response:
    path = request.path
    if path.endswith("/index.html"):
        return Response(status=301, headers=(("Location", "./"),))
    try:
        if os.path.isdir(path):
            if not path.endswith("/"):
                return Response(status=301, headers=(("Location", path.rsplit("/", 1)[1] + "/"),))
            if not os.path.exists(path + "index.html"):
                return _listing(path)
            path += "index.html"
        with open(path, "rb") as file:
            content = file.read()
    except PermissionError:
        return gohttp.error("403 Forbidden", 403)
    except OSError:
        return gohttp.not_found()
    kinds = {"html": "text/html; charset=utf-8", "json": "application/json", "css": "text/css; charset=utf-8"}
    kind = kinds.get(path.rsplit(".", 1)[-1])
    return Response(content, 200, (("Accept-Ranges", "bytes"),), kind)


def _listing(path: str) -> Response:
    lines = []
    for entry in sorted(os.scandir(path), key=lambda e: e.name):
        name = entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
        escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        lines.append(f'<a href="{escaped}">{escaped}</a>\n')
    page = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n' + "".join(lines) + "</pre>\n"
    return Response(page.encode("utf-8", "surrogateescape"), 200, (), "text/html; charset=utf-8")
