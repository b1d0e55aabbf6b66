"""A connection that leaves HTTP for SPDY: the 101, then raw bytes in both directions.

Upstream: k8s.io/apimachinery/pkg/util/httpstream/spdy/upgrade.go and httpstream.Handshake, whose texts it keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_request import BaseRequest

from podwalk.api.errors import ApiError

SPDY = "SPDY/3.1"
_PROTOCOL_HEADER = "X-Stream-Protocol-Version"
_HIGH_WATER = 1 << 20  # bytes that may wait to be read before the client is made to wait


def is_spdy(request: web.Request) -> bool:
    """Whether the client asks to speak SPDY/3.1."""
    wanted = request.headers.get("Upgrade", "").lower() == SPDY.lower()
    return wanted and "upgrade" in request.headers.get("Connection", "").lower()


def negotiate(request: web.Request, ours: Sequence[str]) -> str:
    """The first protocol of the client that we speak. Raises ApiError (403) where there is none."""
    offered = [p.strip() for header in request.headers.getall(_PROTOCOL_HEADER, []) for p in header.split(",")]
    for protocol in offered:
        if protocol in ours:
            return protocol
    lists = f"client supports [{' '.join(offered)}], server accepts [{' '.join(ours)}]"
    raise ApiError(403, "Forbidden", f"unable to upgrade: unable to negotiate protocol: {lists}")


class _Inbox:
    """What aiohttp calls with the bytes after the request, as it does for WebSocket."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._waiting = 0
        self._paused = False

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._queue.put_nowait(bytes(data))
        self._waiting += len(data)
        if self._waiting > _HIGH_WATER and not self._paused:
            self._paused = True
            self._protocol.transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        self._queue.put_nowait(b"")

    async def get(self) -> bytes:
        data = await self._queue.get()
        self._waiting -= len(data)
        if self._paused and self._waiting < _HIGH_WATER // 2:
            self._paused = False
            if self._protocol.transport is not None:
                self._protocol.transport.resume_reading()
        return data


class Upgraded(web.StreamResponse):
    """The answer of a handler that has taken its connection over: everything has been sent already."""

    def __init__(self, request: web.Request) -> None:
        super().__init__(status=101)
        self.force_close()
        self._protocol = request.protocol
        self._transport = request.transport
        self._inbox = _Inbox(request.protocol)
        self._sending = asyncio.Lock()

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Nothing to prepare."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing to end."""

    async def begin(self, protocol: str) -> None:
        """Send the 101; from here on the bytes are ours. Raises ConnectionError where the client has gone."""
        head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {SPDY}\r\n"
        self._protocol.set_parser(cast("Any", self._inbox))
        await self.send(f"{head}{_PROTOCOL_HEADER}: {protocol}\r\n\r\n".encode())

    async def send(self, data: bytes) -> None:
        """Send bytes and wait while the client does not read. Raises ConnectionError."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the client went away")
        async with self._sending:
            self._transport.write(data)
            await self._protocol._drain_helper()

    async def messages(self) -> AsyncIterator[bytes]:
        """What the client sends, until it ends."""
        while data := await self._inbox.get():
            yield data
