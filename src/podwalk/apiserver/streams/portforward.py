"""``pods/portforward``: SPDY, plain or in WebSocket, for kubectl, the older channel protocol for the Python client.

Upstream: k8s.io/apiserver/pkg/util/proxy (tunneling) and k8s.io/kubelet/pkg/cri/streaming/portforward. Each forwarded
connection is one WebSocket to the kubelet, which dials the port in the Pod's network namespace.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import WSMsgType, web

from podwalk.api import errors, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.apiserver.streams import spdy
from podwalk.apiserver.streams.endpoint import KubeletEndpoint, require_node, session
from podwalk.apiserver.streams.execution import connect, either, is_websocket
from podwalk.apiserver.streams.upgrade import Upgraded, is_spdy, negotiate

PORT_FORWARD = "portforward.k8s.io"
SPDY_TUNNEL = f"SPDY/3.1+{PORT_FORWARD}"
CHANNELS = "v4.channel.k8s.io"
_CANNOT_CONNECT = 4000
_QUEUED = 256  # messages of one connection that may wait for its Pod to read

Send = Callable[[bytes], Awaitable[None]]


class Forwarder:
    """Opens connections to one Pod's ports through its kubelet."""

    def __init__(self, client: aiohttp.ClientSession, pod: Object, kubelet: KubeletEndpoint) -> None:
        self._client = client
        self._pod = pod
        self._kubelet = kubelet

    async def forward(self, port: int, incoming: asyncio.Queue[bytes], outgoing: Send) -> str:
        """Carry one connection until either side ends it; an empty message in ``incoming`` is the client's end.

        Returns the error for the client's error stream, or an empty string.
        """
        path = f"/portForward/{meta.namespace(self._pod)}/{meta.name(self._pod)}"
        try:
            upstream = await connect(self._client, self._kubelet, path, [("port", str(port))], None)
        except ApiError as error:
            return self._failed(port, error.message)
        async with upstream:
            pump = asyncio.create_task(_pump(incoming, upstream))
            reason = ""
            try:
                while (message := await upstream.receive()).type in (WSMsgType.BINARY, WSMsgType.TEXT):
                    if message.type is WSMsgType.TEXT:  # the whole of what the close frame's reason begins
                        reason = str(message.data)
                    elif message.data:
                        await outgoing(message.data)
            finally:
                pump.cancel()
                await asyncio.gather(pump, return_exceptions=True)
        if message.type is WSMsgType.CLOSE and message.data == _CANNOT_CONNECT:
            return reason or self._failed(port, str(message.extra))
        return ""

    def _failed(self, port: int, reason: str) -> str:
        return f"error forwarding port {port} to pod {meta.name(self._pod)}, uid {meta.uid(self._pod)}: {reason}"


async def _pump(incoming: asyncio.Queue[bytes], upstream: aiohttp.ClientWebSocketResponse) -> None:
    """Pass the client's bytes on, and then its end of input, as an empty frame."""
    while data := await incoming.get():
        await upstream.send_bytes(data)
    await upstream.send_bytes(b"")


@dataclass
class _Connection:
    """One forwarded connection: a data stream and an error stream with the same request id."""

    data: int = 0
    error: int = 0
    port: int = 0
    incoming: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(_QUEUED))
    task: asyncio.Task[None] | None = None


class SpdyForwarding:
    """The server's side of one SPDY connection that carries forwarded ports."""

    def __init__(self, forwarder: Forwarder, send: Send) -> None:
        self._forwarder = forwarder
        self._send = send
        self._reader, self._writer = spdy.FrameReader(), spdy.FrameWriter()
        self._requests: dict[str, _Connection] = {}
        self._streams: dict[int, _Connection] = {}

    async def run(self, messages: AsyncIterator[bytes]) -> None:
        """Serve until the messages end. Raises spdy.SpdyError on garbage."""
        try:
            async for message in messages:
                for frame in self._reader.feed(message):
                    await self._handle(frame)
        finally:
            tasks = [c.task for c in self._requests.values() if c.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _handle(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.SynStream():
                await self._open(frame)
            case spdy.Data(stream, data, fin):
                if (found := self._streams.get(stream)) is not None and stream == found.data:
                    if data:
                        await found.incoming.put(data)
                    if fin:
                        await found.incoming.put(b"")
            case spdy.Reset(stream):
                if (found := self._streams.pop(stream, None)) is not None and stream == found.data and found.task:
                    found.task.cancel()
            case spdy.Ping(number):
                await self._send(self._writer.ping(number))

    async def _open(self, frame: spdy.SynStream) -> None:
        kind, request = frame.headers.get("streamtype"), frame.headers.get("requestid", "")
        port = frame.headers.get("port", "")
        if kind not in ("data", "error") or not port.isdigit() or not 1 <= int(port) <= 65535:
            await self._send(self._writer.reset(frame.stream))
            return
        connection = self._requests.setdefault(request, _Connection())
        setattr(connection, kind, frame.stream)
        connection.port = int(port)
        self._streams[frame.stream] = connection
        await self._send(self._writer.syn_reply(frame.stream))
        if connection.data and connection.error and connection.task is None:
            connection.task = asyncio.create_task(self._carry(request, connection))

    async def _carry(self, request: str, connection: _Connection) -> None:
        async def outgoing(data: bytes) -> None:
            await self._send(self._writer.data(connection.data, data))

        problem = ""
        try:
            with suppress(ConnectionError, aiohttp.ClientError):
                problem = await self._forwarder.forward(connection.port, connection.incoming, outgoing)
            with suppress(ConnectionError):
                await self._send(self._writer.data(connection.error, problem.encode(), fin=True))
                await self._send(self._writer.data(connection.data, b"", fin=True))
        finally:
            self._requests.pop(request, None)
            self._streams.pop(connection.data, None)
            self._streams.pop(connection.error, None)


async def _binary(downstream: web.WebSocketResponse) -> AsyncIterator[bytes]:
    async for message in downstream:
        if message.type is WSMsgType.BINARY:
            yield message.data
        elif message.type is WSMsgType.TEXT:
            yield str(message.data).encode()


def _ports(request: web.Request) -> list[int]:
    given = [p for text in request.query.getall("ports", []) for p in text.split(",")]
    if not given:
        raise errors.bad_request('query parameter "ports" is required')
    for text in given:
        if not text.isdigit() or not 1 <= int(text) <= 65535:
            raise errors.bad_request(f'query parameter "ports" cannot be parsed: "{text}"')
    return [int(text) for text in given]


async def _serve_channels(downstream: web.WebSocketResponse, ports: list[int], forwarder: Forwarder) -> None:
    """The channel protocol: two channels for each port, data and error, each opened by the port's two bytes."""
    queues: list[asyncio.Queue[bytes]] = [asyncio.Queue(_QUEUED) for _ in ports]
    for index, port in enumerate(ports):
        for channel in (2 * index, 2 * index + 1):
            await downstream.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))

    async def carry(index: int) -> None:
        async def outgoing(data: bytes) -> None:
            await downstream.send_bytes(bytes([2 * index]) + data)

        with suppress(ConnectionError, aiohttp.ClientError):
            if problem := await forwarder.forward(ports[index], queues[index], outgoing):
                await downstream.send_bytes(bytes([2 * index + 1]) + problem.encode())

    async def receive() -> None:
        async for data in _binary(downstream):
            if len(data) > 1 and data[0] % 2 == 0 and data[0] // 2 < len(queues):
                await queues[data[0] // 2].put(data[1:])

    async def carry_all() -> None:
        await asyncio.gather(*(carry(index) for index in range(len(ports))))

    await either(asyncio.create_task(receive()), asyncio.create_task(carry_all()))


async def _serve_spdy(request: web.Request, pod: Object, kubelet: KubeletEndpoint) -> web.StreamResponse:
    protocol = negotiate(request, (PORT_FORWARD,))
    downstream = Upgraded(request)
    await downstream.begin(protocol)
    async with session() as client:
        with suppress(ConnectionError, spdy.SpdyError):
            await SpdyForwarding(Forwarder(client, pod, kubelet), downstream.send).run(downstream.messages())
    return downstream


async def serve_port_forward(request: web.Request, pod: Object, kubelet: KubeletEndpoint) -> web.StreamResponse:
    """Forward connections to a Pod's ports.

    Raises ApiError (400) before the upgrade where the Pod has no node or the client does not ask for WebSocket.
    """
    require_node(pod)
    if is_spdy(request):
        return await _serve_spdy(request, pod, kubelet)
    if not is_websocket(request):
        raise errors.bad_request("unable to upgrade: missing upgrade headers in request")
    offered = {p.strip() for p in request.headers.get("Sec-WebSocket-Protocol", "").split(",")}
    ports = [] if SPDY_TUNNEL in offered else _ports(request)
    downstream = web.WebSocketResponse(protocols=(SPDY_TUNNEL, CHANNELS), max_msg_size=0)
    await downstream.prepare(request)
    async with session() as client:
        forwarder = Forwarder(client, pod, kubelet)
        with suppress(ConnectionError, spdy.SpdyError):
            if ports:
                await _serve_channels(downstream, ports, forwarder)
            else:
                await SpdyForwarding(forwarder, downstream.send_bytes).run(_binary(downstream))
    with suppress(ConnectionError):
        await downstream.close()
    return downstream
