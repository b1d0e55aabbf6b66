"""HTTP/2 frames (RFC 9113) and gRPC's messages in them, as far as one small question and its answer need."""

from __future__ import annotations

from podwalk.programs.hpack import Decoder, encode

TYPE_CHECKING = False  # typing and collections.abc are slow to import, and only the type checker needs them
if TYPE_CHECKING:
    from collections.abc import Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 0x20
_HEAD_BYTES = 9
_LARGEST = 16384  # what a peer may send that we have told nothing else

_STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


class Http2Error(ValueError):
    """Bytes that are no HTTP/2."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def headers_frame(stream: int, headers: list[tuple[str, str]], *, end: bool = False) -> bytes:
    """The headers of a stream in one frame."""
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, encode(headers))


def message(body: bytes) -> bytes:
    """One gRPC message, not compressed."""
    return b"\0" + len(body).to_bytes(4, "big") + body


def health_request(service: str) -> bytes:
    """A HealthCheckRequest."""
    name = service.encode()
    if not name:
        return message(b"")
    if len(name) > 127:
        raise Http2Error("service name too long")
    return message(bytes([0x0A, len(name)]) + name)


def health_response(status: str) -> bytes:
    """A HealthCheckResponse."""
    number = _STATUSES.index(status)
    return message(bytes([0x08, number]) if number else b"")


def health_service(body: bytes) -> str:
    """The service in a HealthCheckRequest."""
    return body[7:].decode("utf-8", "replace") if body[5:6] == b"\x0a" else ""


def health_status(body: bytes) -> str:
    """The status in a HealthCheckResponse."""
    number = body[6] if len(body) > 6 and body[5] == 0x08 else 0
    return _STATUSES[number] if number < len(_STATUSES) else str(number)


class Event:
    """Something that the peer said: ``kind`` of its frame, with headers or data."""

    def __init__(
        self, kind: int, stream: int, end: bool, headers: list[tuple[str, str]], data: bytes, ack: bool = False
    ) -> None:
        self.kind, self.stream, self.end, self.headers, self.data, self.ack = kind, stream, end, headers, data, ack


class Reader:
    """Turns the bytes of one peer, cut anywhere, into events."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._decoder = Decoder()
        self._open: tuple[int, bool, bytes] | None = None  # a header block that goes on in the next frame

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that are complete with ``data``. Raises Http2Error, HpackError."""
        self._buffer += data
        while len(self._buffer) >= _HEAD_BYTES:
            length = int.from_bytes(self._buffer[:3], "big")
            if length > _LARGEST:
                raise Http2Error("frame too large")
            if len(self._buffer) < _HEAD_BYTES + length:
                return
            kind, flags = self._buffer[3], self._buffer[4]
            stream = int.from_bytes(self._buffer[5:9], "big") & 0x7FFFFFFF
            payload = bytes(self._buffer[_HEAD_BYTES : _HEAD_BYTES + length])
            del self._buffer[: _HEAD_BYTES + length]
            event = self._event(kind, flags, stream, payload)
            if event is not None:
                yield event

    def _event(self, kind: int, flags: int, stream: int, payload: bytes) -> Event | None:
        if kind in (DATA, HEADERS) and flags & PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        if kind == HEADERS:
            block = payload[5:] if flags & PRIORITY else payload
            self._open = (stream, bool(flags & END_STREAM), block)
        elif kind == CONTINUATION and self._open is not None:
            self._open = (*self._open[:2], self._open[2] + payload)
            if len(self._open[2]) > 4 * _LARGEST:
                raise Http2Error("headers too large")
        else:
            end = kind == DATA and bool(flags & END_STREAM)
            return Event(kind, stream, end, [], payload, bool(flags & ACK))
        if not flags & END_HEADERS:
            return None
        stream, end, block = self._open
        self._open = None
        return Event(HEADERS, stream, end, self._decoder.decode(block), b"")
