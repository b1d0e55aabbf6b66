"""The client of gRPC's health service: one question on a fresh connection.

Stands in for google.golang.org/grpc/health, as pkg/probe/grpc uses it. No TLS, no retries.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import unquote

from podwalk.programs import http2

UNIMPLEMENTED = 12
_CODES = (
    "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
    "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented",
    "Internal", "Unavailable", "DataLoss", "Unauthenticated",
)  # fmt: skip
_CHUNK = 16384
_LARGEST_BODY = 64 * 1024


def code_name(code: int) -> str:
    """A gRPC status code as Go prints it."""
    return _CODES[code] if 0 <= code < len(_CODES) else f"Code({code})"


@dataclass(slots=True)
class Answer:
    """What the service said: a gRPC status, and with code 0 the health status."""

    code: int = 0
    message: str = ""
    status: str = "UNKNOWN"


@dataclass(slots=True)
class _Exchange:
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    reader: http2.Reader = field(default_factory=http2.Reader)


async def check(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str, service: str) -> Answer:
    """Call ``grpc.health.v1.Health/Check``. Raises OSError, EOFError, and ValueError for what is no HTTP/2."""
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("user-agent", "kube-probe/1.36 grpc-go"),
        ("te", "trailers"),
    ]
    writer.write(http2.PREFACE + http2.frame(http2.SETTINGS, 0, 0))
    writer.write(http2.headers_frame(1, headers))
    writer.write(http2.frame(http2.DATA, http2.END_STREAM, 1, http2.health_request(service)))
    await writer.drain()
    exchange = _Exchange()
    while data := await reader.read(_CHUNK):
        for event in exchange.reader.feed(data):
            if _take(exchange, event, writer):
                return _answer(exchange)
    raise EOFError("error reading server preface: EOF")


def _take(exchange: _Exchange, event: http2.Event, writer: asyncio.StreamWriter) -> bool:
    """Take one event; whether the answer is complete."""
    if event.kind in (http2.SETTINGS, http2.PING) and not event.ack:
        writer.write(http2.frame(event.kind, http2.ACK, 0, event.data if event.kind == http2.PING else b""))
    if event.kind == http2.GOAWAY:
        raise EOFError("connection closed by the server (GOAWAY)")
    if event.stream != 1:
        return False
    if event.kind == http2.RESET:
        raise EOFError("stream terminated by RST_STREAM")
    exchange.headers.update(event.headers)
    if event.kind == http2.DATA:
        exchange.body += event.data
        if len(exchange.body) > _LARGEST_BODY:
            raise ValueError("answer too large")
    return event.end


def _answer(exchange: _Exchange) -> Answer:
    headers = exchange.headers
    if headers.get(":status") != "200":
        text = f"unexpected HTTP status code received from server: {headers.get(':status')}"
        return Answer(UNIMPLEMENTED if headers.get(":status") == "404" else 2, text)
    code = headers.get("grpc-status", "2")
    if code != "0":
        return Answer(int(code) if code.isdigit() else 2, unquote(headers.get("grpc-message", "")))
    return Answer(status=http2.health_status(bytes(exchange.body)))
