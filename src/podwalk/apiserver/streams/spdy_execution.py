"""``pods/exec`` and ``pods/attach`` over SPDY/3.1, which kubectl used before 1.31 and other clients still use.

Upstream: k8s.io/kubelet/pkg/cri/streaming/remotecommand/httpstream.go. Each stream of the client becomes a channel of
the WebSocket to the kubelet.
"""

from __future__ import annotations

import asyncio
import json

import aiohttp
from aiohttp import WSMsgType, web

from podwalk.apiserver.streams import spdy
from podwalk.apiserver.streams.endpoint import Query
from podwalk.apiserver.streams.upgrade import Upgraded, negotiate

PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
_CHANNELS = {"stdin": 0, "stdout": 1, "stderr": 2, "error": 3, "resize": 4}
_CLOSE = 255
_STREAMS_SECONDS = 30.0  # in which the client must have opened its streams


class SpdyExecution:
    """The client's streams on one side, the kubelet's channels on the other."""

    def __init__(self, client: Upgraded, kubelet: aiohttp.ClientWebSocketResponse, wanted: set[str], v4: bool) -> None:
        self._client = client
        self._kubelet = kubelet
        self._wanted = wanted
        self._v4 = v4
        self._reader, self._writer = spdy.FrameReader(), spdy.FrameWriter()
        self._streams: dict[str, int] = {}
        self._kinds: dict[int, str] = {}
        self.complete = asyncio.Event()

    async def from_client(self) -> None:
        """Serve the client's frames until it ends. Raises spdy.SpdyError on garbage."""
        async for data in self._client.messages():
            for frame in self._reader.feed(data):
                await self._handle(frame)

    async def _handle(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.SynStream(stream, headers, fin):
                kind = headers.get("streamtype", "")
                if kind not in _CHANNELS or kind in self._streams:
                    await self._client.send(self._writer.reset(stream))
                    return
                self._streams[kind], self._kinds[stream] = stream, kind
                await self._client.send(self._writer.syn_reply(stream))
                if fin and kind == "stdin":
                    await self._kubelet.send_bytes(bytes([_CLOSE, _CHANNELS["stdin"]]))
                if self._wanted <= self._streams.keys():
                    self.complete.set()
            case spdy.Data(stream, data, fin):
                kind = self._kinds.get(stream, "")
                if data and kind in ("stdin", "resize"):
                    await self._kubelet.send_bytes(bytes([_CHANNELS[kind]]) + data)
                if fin and kind == "stdin":
                    await self._kubelet.send_bytes(bytes([_CLOSE, _CHANNELS["stdin"]]))
            case spdy.Reset(stream):
                if self._kinds.get(stream) == "stdin":
                    await self._kubelet.send_bytes(bytes([_CLOSE, _CHANNELS["stdin"]]))
            case spdy.Ping(number):
                await self._client.send(self._writer.ping(number))

    async def to_client(self) -> None:
        """Pass the kubelet's frames on until its last word. Raises TimeoutError where streams are missing."""
        async with asyncio.timeout(_STREAMS_SECONDS):
            await self.complete.wait()
        kinds = {number: kind for kind, number in _CHANNELS.items()}
        status = b""
        async for message in self._kubelet:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            kind = kinds.get(message.data[0], "")
            if kind == "error":
                status = message.data[1:]
            elif kind in ("stdout", "stderr") and kind in self._streams:
                await self._client.send(self._writer.data(self._streams[kind], message.data[1:]))
        for kind in ("stdout", "stderr"):
            if kind in self._streams:
                await self._client.send(self._writer.data(self._streams[kind], b"", fin=True))
        if status and "error" in self._streams:
            await self._client.send(self._writer.data(self._streams["error"], self._last_word(status), fin=True))

    def _last_word(self, status: bytes) -> bytes:
        """The error stream's content: since v4 the Status, before it the text of a failure."""
        if self._v4:
            return status
        said = json.loads(status)
        return b"" if said.get("status") == "Success" else str(said.get("message", "")).encode()


def wanted_streams(query: Query, protocol: str) -> set[str]:
    """The streams that a client of ``protocol`` will open for this query."""
    asked = {name for name, _ in query}
    wanted = {"error"} | (asked & {"stdin", "stdout", "stderr"})
    return wanted | {"resize"} if "tty" in asked and protocol in PROTOCOLS[:2] else wanted


async def open_client(request: web.Request) -> tuple[Upgraded, str]:
    """Agree on a protocol. Raises ApiError (403)."""
    return Upgraded(request), negotiate(request, PROTOCOLS)
