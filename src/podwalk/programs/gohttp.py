"""A small HTTP/1.1 server that answers byte for byte as Go's net/http: headers, their order, chunks, error bodies.

One thread a connection, begun with ``_thread``: a probe or a learner's curl, not a load test. Handlers take a
:class:`Request` and return a :class:`Response`; an iterable body is sent chunk by chunk as it comes.
"""

from __future__ import annotations

import _thread
import os
import socket
import time

from podwalk.programs import gotext

TYPE_CHECKING = False  # typing and collections.abc are slow to import, and only the type checker needs them
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, BinaryIO

    Handler = Callable[["Request"], "Response"]
    Writer = Callable[["Request", "Response", bool], Iterable[bytes]]

_REASONS = {
    100: "Continue", 101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
    206: "Partial Content", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
    307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
    412: "Precondition Failed", 413: "Request Entity Too Large", 416: "Requested Range Not Satisfiable",
    417: "Expectation Failed", 418: "I'm a teapot", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout",
}  # fmt: skip
_BUFFER = 2048  # net/http sends Content-Length for what fits its buffer, chunks for the rest
_HEADER_LIMIT = 1 << 20


class Request:
    """One request: the raw target, its path and query, the canonical headers, the body, who asked and whom."""

    def __init__(
        self,
        method: str,
        target: str,
        version: str,
        headers: dict[str, list[str]],
        body: bytes = b"",
        remote: tuple[str, int] = ("", 0),
        local: tuple[str, int] = ("", 0),
    ) -> None:
        """Take the request line apart; ``Host`` is taken out of ``headers``. Raises BadRequest."""
        self.method, self.target, self.version = method, target, version
        self.host = headers.pop("Host", [""])[0]
        self.headers, self.body, self.remote, self.local = headers, body, remote, local
        whole = "://" in target.split("?")[0]
        path, _, self.query = ("/" + target.split("://", 1)[1].partition("/")[2] if whole else target).partition("?")
        try:
            self.path = unescape(path)
        except ValueError:
            raise BadRequest("") from None

    @property
    def remote_addr(self) -> str:
        """The client as ``ADDRESS:PORT``."""
        return f"{self.remote[0]}:{self.remote[1]}"

    def header(self, name: str) -> str:
        """Return the first value of a header, or an empty text."""
        return self.headers.get(canonical(name), [""])[0]

    def query_value(self, name: str) -> str:
        """Return the first value of a query parameter, or an empty text."""
        return parse_query(self.query).get(name, [""])[0]

    def form_value(self, name: str) -> str:
        """Return a value of the form in the body or else of the query, as ``http.Request.FormValue``."""
        if self.method in ("POST", "PUT", "PATCH"):
            kind = self.header("Content-Type").split(";")[0].strip().lower()
            if kind == "application/x-www-form-urlencoded":
                form = parse_query(self.body.decode("utf-8", "replace"))
                if name in form:
                    return form[name][0]
        return self.query_value(name)


class Response:
    """An answer. ``content_type`` None lets the body decide; ``hijack`` drops the connection after the body."""

    def __init__(
        self,
        body: bytes | Iterable[bytes] = b"",
        status: int = 200,
        headers: tuple[tuple[str, str], ...] = (),
        content_type: str | None = None,
        close: bool = False,
        hijack: bool = False,
    ) -> None:
        self.body, self.status, self.headers = body, status, headers
        self.content_type, self.close, self.hijack = content_type, close, hijack


class BadRequest(Exception):
    """The request cannot be read; the text is what the client is told after ``400 Bad Request``."""


def text(body: str, status: int = 200) -> Response:
    """Return an answer whose body is ``body``."""
    return Response(body.encode("utf-8", "surrogateescape"), status)


def error(message: str, status: int) -> Response:
    """Return what ``http.Error`` writes."""
    headers = (("X-Content-Type-Options", "nosniff"),)
    return Response(f"{message}\n".encode(), status, headers, "text/plain; charset=utf-8")


def not_found() -> Response:
    """Return what ``http.NotFound`` writes."""
    return error("404 page not found", 404)


def redirect(request: Request, location: str, status: int) -> Response:
    """Return what ``http.Redirect`` writes: relative locations are made absolute on the request's path."""
    if "://" not in location.split("?")[0] and not location.startswith("//"):
        path, mark, query = location.partition("?")
        if not path.startswith("/"):
            path = request.path.rsplit("/", 1)[0] + "/" + path
        location = clean_path(path) + mark + query
    escaped = location.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = escaped.replace('"', "&#34;").replace("'", "&#39;")
    encoded = "".join(c if c.isascii() else "".join(f"%{b:02X}" for b in c.encode()) for c in location)
    headers = (("Location", encoded),)
    if request.method not in ("GET", "HEAD"):
        return Response(b"", status, headers)
    body = f'<a href="{escaped}">{_REASONS.get(status, "")}</a>.\n\n' if request.method == "GET" else ""
    return Response(body.encode(), status, headers, "text/html; charset=utf-8")


def mux(routes: dict[str, Handler]) -> Handler:
    """Return a handler that picks by path as ``http.ServeMux``: exact paths, then prefixes that end in ``/``."""
    prefixes = sorted((p for p in routes if p.endswith("/")), key=len, reverse=True)

    def route(request: Request) -> Response:
        cleaned = clean_path(request.path)
        if cleaned != request.path and request.method != "CONNECT":
            return redirect(request, cleaned + ("?" + request.query if request.query else ""), 301)
        handler = routes.get(request.path)
        if handler is None:
            handler = next((routes[p] for p in prefixes if request.path.startswith(p)), None)
        return handler(request) if handler else not_found()

    return route


def canonical(name: str) -> str:
    """Return a header's name as Go keeps it: ``x-forwarded-for`` becomes ``X-Forwarded-For``."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def clean_path(path: str) -> str:
    """Return ``path`` without ``.``, ``..`` and doubled slashes, a trailing slash kept."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    tail = "/" if parts and path.endswith("/") else ""
    return "/" + "/".join(parts) + tail


def unescape(value: str, plus: bool = False) -> str:
    """Decode ``%XX`` (and ``+`` in a query). Raises ValueError with Go's message where an escape is broken."""
    if plus:
        value = value.replace("+", " ")
    if "%" not in value:
        return value
    head, *rest = value.encode("utf-8", "surrogateescape").split(b"%")
    out = bytearray(head)
    for piece in rest:
        try:
            out += bytes.fromhex(piece[:2].decode("ascii"))
        except (ValueError, UnicodeDecodeError):
            raise ValueError(f"invalid URL escape {gotext.quote('%' + piece[:2].decode('latin-1'))}") from None
        if len(piece) < 2:
            raise ValueError(f"invalid URL escape {gotext.quote('%' + piece.decode('latin-1'))}")
        out += piece[2:]
    return out.decode("utf-8", "surrogateescape")


def parse_query(query: str) -> dict[str, list[str]]:
    """Return the parameters of a query or a form; a pair that cannot be decoded, or has ``;``, is left out."""
    values: dict[str, list[str]] = {}
    for pair in query.split("&"):
        if not pair or ";" in pair:
            continue
        key, _, value = pair.partition("=")
        try:
            name, decoded = unescape(key, plus=True), unescape(value, plus=True)
        except ValueError:
            continue
        values.setdefault(name, []).append(decoded)
    return values


def sniff(body: bytes) -> str:
    """Return the content type that ``http.DetectContentType`` finds for the bodies served here."""
    start = body[:512].lstrip(b"\t\n\x0c\r ").upper()
    for tag in (b"<!DOCTYPE HTML", b"<HTML", b"<HEAD", b"<SCRIPT", b"<BODY", b"<BR", b"<P", b"<DIV", b"<A", b"<!--"):
        if start.startswith(tag) and (tag == b"<!--" or start[len(tag) : len(tag) + 1] in (b" ", b">")):
            return "text/html; charset=utf-8"
    if start.startswith(b"<?XML"):
        return "text/xml; charset=utf-8"
    for magic, kind in ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"), (b"\xff\xd8\xff", "image/jpeg")):
        if body.startswith(magic):
            return kind
    binary = any(b <= 8 or b == 11 or 14 <= b <= 26 or 28 <= b <= 31 for b in body[:512])
    return "application/octet-stream" if binary else "text/plain; charset=utf-8"


def go_writer(request: Request, response: Response, close: bool) -> Iterable[bytes]:
    """Yield the bytes of an answer as net/http sends them."""
    bodiless = response.status in (204, 304) or response.status < 200
    chunks = iter(()) if bodiless else _pieces(response.body)
    first = next(chunks, b"")
    whole = bodiless or (isinstance(response.body, bytes) and len(first) <= _BUFFER)
    silent = bodiless or request.method == "HEAD"
    chunked = not whole and not silent and request.version != "HTTP/1.0"
    length = f"{len(first)}" if whole and not bodiless and (first or not silent) else ""
    head = _go_head(request, response, close, length, first, chunked)
    yield head + (first if whole and not silent else b"")
    if silent or whole:
        return
    piece: bytes | None = first
    while piece is not None:
        if piece:
            yield b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
        piece = next(chunks, None)
    if chunked and not response.hijack:
        yield b"0\r\n\r\n"


def _go_head(request: Request, response: Response, close: bool, length: str, first: bytes, chunked: bool) -> bytes:
    """Return status line and headers: what the handler set, sorted; then what net/http adds, in its order."""
    modern = request.version != "HTTP/1.0"
    set_by_handler = list(response.headers)
    if response.content_type:
        set_by_handler.append(("Content-Type", response.content_type))
    if response.close:
        set_by_handler.append(("Connection", "close"))
    added = [("Date", gotext.http_date())]
    if length:
        added.append(("Content-Length", length))
    if first and not response.content_type:
        added.append(("Content-Type", sniff(first)))
    if close and not response.close and modern:
        added.append(("Connection", "close"))
    elif not close and not modern:
        added.append(("Connection", "keep-alive"))
    if chunked:
        added.append(("Transfer-Encoding", "chunked"))
    reason = _REASONS.get(response.status, f"status code {response.status}")
    lines = [f"HTTP/1.{int(modern)} {response.status:03d} {reason}"]
    lines += [f"{name}: {value}" for name, value in sorted(set_by_handler) + added]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _pieces(body: bytes | Iterable[bytes]) -> Any:
    return iter((body,)) if isinstance(body, bytes) else iter(body)


def read_request(stream: BinaryIO, connection: socket.socket) -> Request | None:
    """Read one request; None at the end of the connection. Raises BadRequest, and OSError of the socket."""
    line = stream.readline(_HEADER_LIMIT)
    if line in (b"\r\n", b"\n"):
        line = stream.readline(_HEADER_LIMIT)
    if not line:
        return None
    words = line.decode("latin-1").rstrip("\r\n").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[0]:
        raise BadRequest("")
    method, target, version = words
    headers: dict[str, list[str]] = {}
    while (line := stream.readline(_HEADER_LIMIT)) not in (b"\r\n", b"\n"):
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest("")
        headers.setdefault(canonical(name), []).append(value.strip())
    hosts = headers.get("Host", [])
    if version == "HTTP/1.1" and len(hosts) != 1:
        raise BadRequest(": missing required Host header" if not hosts else ": too many Host headers")
    if headers.get("Expect", [""])[0].lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = _read_body(stream, headers)
    ends = connection.getpeername()[:2], connection.getsockname()[:2]
    return Request(method, target, version, headers, body, *ends)


def _read_body(stream: BinaryIO, headers: dict[str, list[str]]) -> bytes:
    if "chunked" in headers.get("Transfer-Encoding", [""])[0].lower():
        body = b""
        while True:
            try:
                size = int(stream.readline(_HEADER_LIMIT).split(b";")[0], 16)
            except ValueError:
                raise BadRequest("") from None
            body += stream.read(size)
            stream.readline(_HEADER_LIMIT)
            if not size:
                return body
    length = headers.get("Content-Length", ["0"])[0]
    if not length.isdigit():
        raise BadRequest(": invalid Content-Length")
    return stream.read(int(length))


def listen(port: int, address: str = "", kind: int = socket.SOCK_STREAM) -> socket.socket:
    """Return a bound (and for TCP listening) IPv4 socket. Raises OSError."""
    listener = socket.socket(socket.AF_INET, kind)
    if kind == socket.SOCK_STREAM:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    if kind == socket.SOCK_STREAM:
        listener.listen(4096)
    return listener


def listen_or_exit(port: int, address: str = "") -> socket.socket:
    """Return a listening socket, or log as Go's ``http.ListenAndServe`` fails and end the process with status 1."""
    try:
        return listen(port, address)
    except OSError as problem:
        gotext.fatal(f"listen tcp {address}:{port}: bind: {gotext.system_error(problem)}")
        raise


def serve(listener: socket.socket, handler: Handler, writer: Writer = go_writer, tls: Any = None) -> None:
    """Serve ``handler`` on ``listener`` in threads of its own and return at once.

    ``tls`` is an ``ssl.SSLContext`` for HTTPS; ``writer`` turns answers into bytes for a server that is not Go's.
    """
    _thread.stack_size(256 * 1024)
    _thread.start_new_thread(_accept, (listener, handler, writer, tls))


def _accept(listener: socket.socket, handler: Handler, writer: Writer, tls: Any) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError as problem:
            if listener.fileno() < 0:
                return  # closed by a graceful shutdown
            gotext.log(f"http: Accept error: {gotext.system_error(problem)}; retrying in 100ms")
            time.sleep(0.1)
            continue
        _thread.start_new_thread(_converse, (connection, handler, writer, tls))


def _converse(connection: socket.socket, handler: Handler, writer: Writer, tls: Any) -> None:
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
        with connection, connection.makefile("rb") as stream:
            while _answer(stream, connection, handler, writer):
                pass
    except (OSError, ConnectionError) as problem:
        if tls is not None and not isinstance(problem, ConnectionError):
            gotext.log(f"http: TLS handshake error: {problem}")
    finally:
        connection.close()


def _answer(stream: BinaryIO, connection: socket.socket, handler: Handler, writer: Writer) -> bool:
    """Answer one request; return whether the connection stays open."""
    try:
        request = read_request(stream, connection)
    except BadRequest as problem:
        reply = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
        connection.sendall(f"{reply}400 Bad Request{problem}".encode())
        return False
    if request is None:
        return False
    response = handler(request)
    if not 100 <= response.status <= 999:
        gotext.log(f"http: panic serving {request.remote_addr}: invalid WriteHeader code {response.status}")
        return False
    wish = request.header("Connection").lower()
    close = response.close or wish == "close" or (request.version == "HTTP/1.0" and wish != "keep-alive")
    if request.version == "HTTP/1.0" and not isinstance(response.body, bytes):
        close = True
    if not (response.hijack and response.body == b""):
        for piece in writer(request, response, close):
            connection.sendall(piece)
    return not close and not response.hijack


def graceful_exit(listener: socket.socket, timeout: float, code: int) -> None:
    """Stop accepting and end the process with ``code``; never returns. Open requests are given ``timeout`` to end."""
    listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
    listener.close()
    time.sleep(min(timeout, 0.5))
    gotext.log("Graceful shutdown completed with: <nil>")
    os._exit(code)
