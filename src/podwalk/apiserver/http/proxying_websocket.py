"""WebSockets through the proxy subresource: the handshake is made anew, then frames pass as they are.

Upstream (apimachinery/pkg/util/proxy/upgradeaware.go) copies the bytes of any upgraded connection; here only
WebSockets are upgraded.
"""

from __future__ import annotations

import asyncio
import os

import aiohttp
from aiohttp import WSMsgType, web
from yarl import URL

from podwalk.api.errors import ApiError, bad_request, internal
from podwalk.client.dialing import connector

_CONNECT_SECONDS = 30.0
_OWN = frozenset(
    {"connection", "upgrade", "host", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions",
     "sec-websocket-protocol", "content-length"}
)  # fmt: skip


def is_upgrade(request: web.Request) -> bool:
    """Whether a request asks for another protocol."""
    return "upgrade" in request.headers.get("Connection", "").lower()


async def serve(request: web.Request, url: URL, headers: dict[str, str]) -> web.StreamResponse:
    """Join the client's WebSocket with one to the backend until either ends. Raises ApiError (400, 500)."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise bad_request("only WebSocket connections can be upgraded through the proxy")
    offered = [p.strip() for p in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if p.strip()]
    sent = {k: v for k, v in headers.items() if k.lower() not in _OWN}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector()) as session,
            session.ws_connect(url, protocols=offered, headers=sent, autoping=False, max_msg_size=0) as backend,
        ):
            chosen = [backend.protocol] if backend.protocol else []
            client = web.WebSocketResponse(protocols=chosen, autoping=False, max_msg_size=0)
            await client.prepare(request)
            await _join(client, backend)
            return client
    except aiohttp.WSServerHandshakeError as error:
        if error.status < 400:
            raise internal(f"invalid upgrade response: status code {error.status}") from None
        raise ApiError(error.status, "", error.message or "the backend refused the upgrade") from None
    except aiohttp.ClientConnectorError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise internal(f"error dialing backend: dial tcp {url.host}:{url.port}: connect: {why}") from None


async def _join(client: web.WebSocketResponse, backend: aiohttp.ClientWebSocketResponse) -> None:
    tasks = [asyncio.create_task(_copy(client, backend)), asyncio.create_task(_copy(backend, client))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        code = backend.close_code if backend.closed else client.close_code
        usable = code if code and code not in (1005, 1006, 1015) else 1000
        await backend.close(code=usable)
        await client.close(code=usable)


async def _copy(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    target: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    async for message in source:
        match message.type:
            case WSMsgType.TEXT:
                await target.send_str(message.data)
            case WSMsgType.BINARY:
                await target.send_bytes(message.data)
            case WSMsgType.PING:
                await target.ping(message.data)
            case WSMsgType.PONG:
                await target.pong(message.data)
