"""SPDY/3.1 frames, as much as kubectl needs: no flow control, no priorities, no push.

kubectl port-forward speaks SPDY inside WebSocket messages; the frames are those of the SPDY/3 specification. This file
knows bytes only: it neither reads nor writes a connection.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_VERSION = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS = 1, 2, 3, 6, 7, 8
_FIN = 0x01
_HEADER_BYTES = 8
CANCEL = 5
_LARGEST_CONTROL = 64 * 1024
_LARGEST_DATA = 4 * 1024 * 1024

# Section 2.6.10.1 of the specification: header names and values that a compressor may refer to from the start.
_WORDS = """options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age
allow authorization cache-control connection content-base content-encoding content-language content-length
content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since
if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate
proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning
www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"""
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack("!I", len(w)) + w.replace("_", " ").encode() for w in _WORDS.split()) + _REST.encode()


class SpdyError(ValueError):
    """Bytes that are no SPDY/3 frame."""


@dataclass(frozen=True, slots=True)
class SynStream:
    """The other side opens a stream."""

    stream: int
    headers: dict[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream; ``fin``: its sender sends no more."""

    stream: int
    data: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """A stream is thrown away."""

    stream: int


@dataclass(frozen=True, slots=True)
class Ping:
    """To be sent back as it is."""

    number: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """The other side opens no more streams."""


Frame = SynStream | Data | Reset | Ping | GoAway


def _pack_headers(headers: Mapping[str, str]) -> bytes:
    out = [struct.pack("!I", len(headers))]
    for name, value in headers.items():
        for text in (name.lower().encode(), value.encode()):
            out += [struct.pack("!I", len(text)), text]
    return b"".join(out)


def _unpack_headers(block: bytes) -> dict[str, str]:
    position = 4
    texts: list[str] = []
    try:
        (count,) = struct.unpack_from("!I", block)
        for _ in range(2 * count):
            (length,) = struct.unpack_from("!I", block, position)
            texts.append(block[position + 4 : position + 4 + length].decode())
            position += 4 + length
    except (struct.error, UnicodeDecodeError) as error:
        raise SpdyError(f"broken header block: {error}") from error
    return dict(zip(texts[::2], texts[1::2], strict=True))


class FrameReader:
    """Turns bytes, cut anywhere, into frames. One zlib stream covers all header blocks of a connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with ``data``. Raises SpdyError; unknown frames are skipped."""
        self._buffer += data
        while len(self._buffer) >= _HEADER_BYTES:
            first, flags_and_length = struct.unpack_from("!II", self._buffer)
            length = flags_and_length & 0xFFFFFF
            if first >> 31 and first >> 16 & 0x7FFF != _VERSION:
                raise SpdyError(f"SPDY version {first >> 16 & 0x7FFF}")
            if length > (_LARGEST_CONTROL if first >> 31 else _LARGEST_DATA):
                raise SpdyError(f"frame of {length} bytes")
            if len(self._buffer) < _HEADER_BYTES + length:
                return
            payload = bytes(self._buffer[_HEADER_BYTES : _HEADER_BYTES + length])
            del self._buffer[: _HEADER_BYTES + length]
            fin = bool(flags_and_length >> 24 & _FIN)
            frame = self._control(first, payload, fin) if first >> 31 else Data(first, payload, fin)
            if frame is not None:
                yield frame

    def _control(self, first: int, payload: bytes, fin: bool) -> Frame | None:
        kind = first & 0xFFFF
        try:
            if kind == _GOAWAY:
                return GoAway()
            if kind not in (_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _HEADERS):
                return None
            number = struct.unpack_from("!I", payload)[0] & 0x7FFFFFFF
            if kind == _SYN_STREAM:
                return SynStream(number, self._headers(payload[10:]), fin)
            if kind in (_SYN_REPLY, _HEADERS):
                self._headers(payload[4:])  # read for the sake of the zlib stream
                return None
        except (struct.error, zlib.error) as error:
            raise SpdyError(f"broken frame of type {kind}: {error}") from error
        if kind == _PING:
            return Ping(struct.unpack_from("!I", payload)[0])
        return Reset(number)

    def _headers(self, block: bytes) -> dict[str, str]:
        text = self._inflate.decompress(block, _LARGEST_CONTROL)
        if self._inflate.unconsumed_tail:
            raise SpdyError("headers too large")
        return _unpack_headers(text)


class FrameWriter:
    """Turns frames into bytes; the order of the calls is the order on the wire (one zlib stream)."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def _control(self, kind: int, payload: bytes, fin: bool = False) -> bytes:
        first = 0x80000000 | _VERSION << 16 | kind
        return struct.pack("!II", first, (_FIN if fin else 0) << 24 | len(payload)) + payload

    def _headers(self, headers: Mapping[str, str]) -> bytes:
        return self._deflate.compress(_pack_headers(headers)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def syn_stream(self, stream: int, headers: Mapping[str, str], *, fin: bool = False) -> bytes:
        """Open a stream."""
        return self._control(_SYN_STREAM, struct.pack("!IIH", stream, 0, 0) + self._headers(headers), fin)

    def syn_reply(self, stream: int, headers: Mapping[str, str] | None = None) -> bytes:
        """Accept a stream."""
        return self._control(_SYN_REPLY, struct.pack("!I", stream) + self._headers(headers or {}))

    def data(self, stream: int, data: bytes, *, fin: bool = False) -> bytes:
        """Bytes of a stream."""
        return struct.pack("!II", stream, (_FIN if fin else 0) << 24 | len(data)) + data

    def reset(self, stream: int, status: int = CANCEL) -> bytes:
        """Throw a stream away."""
        return self._control(_RST_STREAM, struct.pack("!II", stream, status))

    def ping(self, number: int) -> bytes:
        """Answer a ping."""
        return self._control(_PING, struct.pack("!I", number))
