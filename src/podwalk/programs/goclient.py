"""The client's half: resolve, dial, ask over HTTP or UDP, with the errors in the words of Go's net package."""

from __future__ import annotations

import socket
import sys
import time

from podwalk.programs import gotext

Address = tuple[str, int]


class NetError(Exception):
    """A failure of the network, its text the one Go prints; ``kind`` is TIMEOUT, DNS, REFUSED, UNKNOWN or OTHER."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def split_host_port(destination: str) -> tuple[str, str]:
    """Return host and port of ``HOST:PORT`` or ``[HOST]:PORT``. Raises NetError UNKNOWN as ``net.SplitHostPort``."""
    host, colon, port = destination.rpartition(":")
    if not colon:
        raise NetError("UNKNOWN", f"address {destination}: missing port in address")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], port
    if ":" in host:
        raise NetError("UNKNOWN", f"address {destination}: too many colons in address")
    return host, port


def resolve(host: str, port: str, network: str = "tcp") -> Address:
    """Return the IPv4 address and port that ``net.ResolveTCPAddr`` finds. Raises NetError DNS."""
    return _lookup(host), _port(port, network)


def _port(port: str, network: str) -> int:
    if port == "":
        return 0
    if port.isascii() and port.isdigit():
        if int(port) > 65535:
            raise NetError("DNS", f"address {port}: invalid port")
        return int(port)
    try:
        return socket.getservbyname(port, network)
    except OSError:
        raise NetError("DNS", f"lookup {network}/{port}: unknown port") from None


def _lookup(host: str) -> str:
    if host == "":
        return "127.0.0.1"
    began = time.monotonic()
    try:
        # As bytes: a text would load the codec for international names, which is slow and large.
        found = socket.getaddrinfo(host.encode("ascii"), None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        raise NetError("DNS", _lookup_error(host, problem, time.monotonic() - began)) from None
    return str(found[0][4][0])


def _lookup_error(host: str, problem: Exception, seconds: float) -> str:
    server = _nameserver()
    place = f"lookup {host} on {server}:53" if server else f"lookup {host}"
    if getattr(problem, "errno", None) != socket.EAI_AGAIN:
        return f"{place}: no such host"
    if seconds < 4:
        return f"{place}: server misbehaving"
    return f"{place}: read udp {_source(server)}->{server}:53: i/o timeout"


def _nameserver() -> str:
    try:
        with open("/etc/resolv.conf", encoding="utf-8") as lines:
            for line in lines:
                words = line.split()
                if len(words) > 1 and words[0] == "nameserver":
                    return words[1]
    except OSError:
        return ""
    return ""


def _source(server: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((server, 53))
        except OSError:
            return "0.0.0.0:0"
        return text(probe.getsockname())


def text(address: Address) -> str:
    """Return ``ADDRESS:PORT``."""
    return f"{address[0]}:{address[1]}"


def dial_tcp(address: Address, timeout: float) -> socket.socket:
    """Return a connected socket; ``timeout`` 0 leaves it to the kernel. Raises NetError."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.settimeout(timeout or None)
    try:
        connection.connect(address)
    except OSError as problem:
        connection.close()
        reason = gotext.system_error(problem)
        if isinstance(problem, TimeoutError):
            plain = "i/o timeout" if problem.errno is None else f"connect: {reason}"
            raise NetError("TIMEOUT", f"dial tcp {text(address)}: {plain}") from None
        kind = "REFUSED" if isinstance(problem, ConnectionRefusedError) else "OTHER"
        raise NetError(kind, f"dial tcp {text(address)}: connect: {reason}") from None
    return connection


def ask_udp(address: Address, payload: bytes, timeout: float) -> bytes:
    """Send a datagram and return the answer. Raises NetError; silence without a ``timeout`` waits for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        try:
            connection.connect(address)
        except OSError as problem:
            reason = f"dial udp {text(address)}: connect: {gotext.system_error(problem)}"
            raise NetError("OTHER", reason) from None
        connection.settimeout(timeout or None)
        path = f"udp {text(connection.getsockname())}->{text(address)}"
        verb = "write"
        try:
            connection.send(payload)
            verb = "read"
            return connection.recv(2048)
        except TimeoutError:
            raise NetError("TIMEOUT", f"{verb} {path}: i/o timeout") from None
        except OSError as problem:
            kind = "REFUSED" if isinstance(problem, ConnectionRefusedError) else "UNKNOWN"
            raise NetError(kind, f"{verb} {path}: {verb}: {gotext.system_error(problem)}") from None


def get(address: Address, target: str, timeout: float) -> bytes:
    """Return the body of ``GET http://ADDRESS/TARGET``, redirects followed, as a Go client with ``timeout``.

    Raises NetError whose text begins ``Get "URL": …``.
    """
    deadline = time.monotonic() + timeout
    host, path = text(address), target
    for _ in range(10):
        url = f"http://{host}{path}"
        try:
            location, body = _get_once(address, host, path or "/", deadline)
        except NetError as problem:
            reason = str(problem)
            if problem.kind == "TIMEOUT":
                reason = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            raise NetError(problem.kind, f"Get {gotext.quote(url)}: {reason}") from None
        if location is None:
            return body
        if "://" in location:
            host, slash, rest = location.split("://", 1)[1].partition("/")
            name, colon, port = host.partition(":")
            address, path = resolve(name, port if colon else "80"), slash + rest
        else:
            path = location
    raise NetError("OTHER", f'Get "{path}": stopped after 10 redirects')


def _get_once(address: Address, host: str, path: str, deadline: float) -> tuple[str | None, bytes]:
    with dial_tcp(address, max(deadline - time.monotonic(), 0.001)) as connection:
        asked = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\nConnection: close\r\n\r\n"
        received = b""
        try:
            connection.sendall(asked.encode("utf-8", "surrogateescape"))
            while True:
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                piece = connection.recv(65536)
                if not piece:
                    break
                received += piece
        except TimeoutError:
            raise NetError("TIMEOUT", "i/o timeout") from None
        except OSError as problem:
            path_text = f"{text(connection.getsockname())}->{text(address)}"
            raise NetError("OTHER", f"read tcp {path_text}: read: {gotext.system_error(problem)}") from None
    if not received:
        raise NetError("OTHER", "EOF")
    return _parse_answer(received)


def _parse_answer(received: bytes) -> tuple[str | None, bytes]:
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        raise NetError(
            "OTHER", f"net/http: HTTP/1.x transport connection broken: malformed HTTP response {gotext.quote(lines[0])}"
        )
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = _unchunk(body)
    elif headers.get("content-length", "").isdigit() and len(body) < int(headers["content-length"]):
        raise NetError("OTHER", "unexpected EOF")
    moved = words[1] in ("301", "302", "303", "307", "308") and "location" in headers
    return (headers["location"] if moved else None), body


def _unchunk(raw: bytes) -> bytes:
    body = b""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        if not length:
            break
        body, raw = body + raw[:length], raw[length + 2 :]
    return body


def connect(arguments: list[str], flags: dict[str, str]) -> None:
    """Run ``agnhost connect HOST:PORT``: status 0 when it works, else 1 and one line on standard error."""
    timeout = gotext.parse_duration(flags["timeout"])
    protocol = flags["protocol"]
    try:
        if protocol in ("", "tcp"):
            host, port = split_host_port(arguments[0])
            dial_tcp(resolve(host, port), timeout).close()
        elif protocol == "udp":
            _connect_udp(arguments[0], timeout, flags["udp-data"])
        elif protocol == "sctp":
            sys.exit(_fail("OTHER: protocol not supported"))
        else:
            sys.exit(_fail(f"Unsupported protocol\n{protocol}"))
    except NetError as problem:
        bare = problem.kind in ("TIMEOUT", "REFUSED") and protocol != "udp"
        sys.exit(_fail(problem.kind if bare else f"{problem.kind}: {problem}"))


def _connect_udp(destination: str, timeout: float, data: str) -> None:
    try:
        host, port = split_host_port(destination)
    except NetError as problem:
        raise NetError("DNS", str(problem)) from None
    if not ask_udp(resolve(host, port, "udp"), f"{data}\n".encode(), timeout):
        text = "No data received from the server. Cannot guarantee the server received the request."
        raise NetError("OTHER", text)


def _fail(message: str) -> int:
    gotext.write(2, message + "\n")
    return 1
