"""``pods/exec`` and ``pods/attach`` over WebSocket or SPDY: frames between the client and the kubelet.

Upstream: pkg/registry/core/pod/rest/subresources.go and k8s.io/kubelet remotecommand. Both sides speak the same channel
protocol (0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize, 255 close), so that frames pass unchanged.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

from podwalk.api import errors, meta
from podwalk.api.meta import Object
from podwalk.apiserver.streams.containers import choose_container
from podwalk.apiserver.streams.endpoint import KubeletEndpoint, Query, backend_error, require_node, session
from podwalk.apiserver.streams.spdy import SpdyError
from podwalk.apiserver.streams.spdy_execution import PROTOCOLS as SPDY_PROTOCOLS
from podwalk.apiserver.streams.spdy_execution import SpdyExecution, open_client, wanted_streams
from podwalk.apiserver.streams.upgrade import is_spdy

V5 = "v5.channel.k8s.io"
_CLIENT_PROTOCOLS = (V5, "v4.channel.k8s.io")
_STREAMS = ("stdin", "stdout", "stderr", "tty")
_TRUE = ("true", "1")


def stream_query(request: web.Request, subresource: str) -> Query:
    """The query for the kubelet. Raises ApiError (400) where no stream or no command is asked for."""
    query: Query = [("command", c) for c in request.query.getall("command", [])]
    if subresource == "exec" and not query:
        raise errors.bad_request("you must specify at least 1 command for the container")
    chosen = [name for name in _STREAMS if request.query.get(name) in _TRUE]
    if not set(chosen) & {"stdin", "stdout", "stderr"}:
        raise errors.bad_request("you must specify at least one of stdin, stdout, stderr")
    if "tty" in chosen and "stderr" in chosen:
        chosen.remove("stderr")  # a terminal has one output
    return query + [(name, "true") for name in chosen]


def is_websocket(request: web.Request) -> bool:
    """Whether the client asks to speak WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def connect(
    client: aiohttp.ClientSession, kubelet: KubeletEndpoint, path: str, query: Query, protocol: str | None
) -> aiohttp.ClientWebSocketResponse:
    """Open a WebSocket to the kubelet. Raises ApiError (500) where that fails, with the kubelet's own words."""
    url = kubelet.url(path, query)
    protocols = (protocol,) if protocol else ()
    try:
        return await client.ws_connect(url, headers=kubelet.headers, protocols=protocols, max_msg_size=0)
    except aiohttp.WSServerHandshakeError as error:
        text = await _refusal(client, kubelet, url) or error.message
        raise errors.internal(f"unable to upgrade connection: {text}") from error
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        raise backend_error(kubelet, error) from error


async def _refusal(client: aiohttp.ClientSession, kubelet: KubeletEndpoint, url: str) -> str:
    """The text of a refused handshake, which aiohttp throws away: ask again without the handshake."""
    try:
        async with client.get(url, headers=kubelet.headers) as answer:
            return (await answer.text()).strip() if answer.status == 404 else ""
    except (OSError, aiohttp.ClientError, TimeoutError):
        return ""


async def _to_kubelet(source: web.WebSocketResponse, target: aiohttp.ClientWebSocketResponse) -> None:
    async for message in source:
        if message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is WSMsgType.TEXT:  # the official Python client writes text: chr(channel) + text
            await target.send_bytes(str(message.data).encode())


async def _to_client(source: aiohttp.ClientWebSocketResponse, target: web.WebSocketResponse) -> None:
    async for message in source:
        if message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)


async def either(*directions: asyncio.Task[None]) -> None:
    """Wait for the first of some tasks to end and end the others; a broken connection is an end like any other."""
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in directions:
            task.cancel()
        outcomes = await asyncio.gather(*directions, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, (ConnectionError, aiohttp.ClientError)):
            raise outcome


async def _serve_spdy(request: web.Request, kubelet: KubeletEndpoint, path: str, query: Query) -> web.StreamResponse:
    """Relay between a SPDY client and the kubelet. Raises ApiError before the upgrade."""
    downstream, protocol = await open_client(request)
    async with session() as client, await connect(client, kubelet, path, query, V5) as upstream:
        await downstream.begin(protocol)
        streams = wanted_streams(query, protocol)
        relay = SpdyExecution(downstream, upstream, streams, v4=protocol == SPDY_PROTOCOLS[0])
        with suppress(SpdyError, TimeoutError):
            await either(asyncio.ensure_future(relay.from_client()), asyncio.ensure_future(relay.to_client()))
    return downstream


async def serve_execution(
    request: web.Request, pod: Object, subresource: str, kubelet: KubeletEndpoint
) -> web.StreamResponse:
    """Relay exec or attach between the client's WebSocket or SPDY and the kubelet's WebSocket.

    Raises ApiError before the upgrade where the request is wrong or the kubelet refuses.
    """
    require_node(pod)
    container = choose_container(pod, request.query.get("container", ""))
    query = stream_query(request, subresource)
    path = f"/{subresource}/{meta.namespace(pod)}/{meta.name(pod)}/{container}"
    if is_spdy(request):
        return await _serve_spdy(request, kubelet, path, query)
    if not is_websocket(request):
        # kubectl comes again, with SPDY, after a refused WebSocket, and prints only the second answer: say why here.
        async with session() as client:
            text = await _refusal(client, kubelet, kubelet.url(path, query))
        if text:
            raise errors.internal(f"unable to upgrade connection: {text}")
        raise errors.bad_request("unable to upgrade: missing upgrade headers in request")
    async with session() as client, await connect(client, kubelet, path, query, V5) as upstream:
        downstream = web.WebSocketResponse(protocols=_CLIENT_PROTOCOLS, max_msg_size=0)
        await downstream.prepare(request)
        await either(
            asyncio.ensure_future(_to_kubelet(downstream, upstream)),
            asyncio.ensure_future(_to_client(upstream, downstream)),
        )
        # A node that dies leaves no close frame: the client must not take that for a good end.
        lost = upstream.close_code not in (None, WSCloseCode.OK)
        await downstream.close(
            code=WSCloseCode.INTERNAL_ERROR if lost else WSCloseCode.OK,
            message=b"lost the connection to the kubelet" if lost else b"",
        )
    return downstream
