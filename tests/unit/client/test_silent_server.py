"""A server that forgets a connection without a word: whoever watches must notice and come again."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import socket
import sys
import termios
from collections.abc import AsyncIterator

import aiohttp
import pytest

from podwalk.api import meta
from podwalk.client import wire
from podwalk.client.informer import Informer
from podwalk.client.rest import Client, ClientConfig

# linux/tcp.h; a socket in repair mode is closed without telling the other end (CRIU's way).
TCP_REPAIR = 19


async def vanish(connection: socket.socket) -> None:
    """Forget the connection once all that was sent has arrived. Skips where this user may not."""
    async with asyncio.timeout(10):
        # The kernel tells nobody when.
        while int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        pytest.skip("TCP_REPAIR needs CAP_NET_ADMIN")
    connection.close()


class Forgetful:
    """An API server with one Node, that forgets its first watch after an event."""

    def __init__(self) -> None:
        self.lists = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        with self._listener:
            async with asyncio.TaskGroup() as group:
                while True:
                    connection, _ = await loop.sock_accept(self._listener)
                    group.create_task(self._answer(connection))

    async def _answer(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        # Whoever goes away while they are answered is no failure of the server's.
        with connection, contextlib.suppress(ConnectionError):
            while head := await loop.sock_recv(connection, 65536):
                if b"watch=true" not in head.split(b"\r\n", 1)[0]:
                    self.lists += 1
                    version = str(self.lists)
                    node = {"metadata": {"name": "one", "resourceVersion": version}}
                    body = json.dumps({"metadata": {"resourceVersion": version}, "items": [node]}).encode()
                    await loop.sock_sendall(connection, _head(f"Content-Length: {len(body)}") + body)
                    continue
                await loop.sock_sendall(connection, _head("Transfer-Encoding: chunked"))
                if self.lists == 1:
                    await vanish(connection)
                    return


def _head(last: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{last}\r\n\r\n".encode()


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Forgetful]:
    monkeypatch.setattr(wire, "_KEEPALIVE", dict.fromkeys(wire._KEEPALIVE, 1))
    made = Forgetful()
    task = asyncio.create_task(made.serve())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_watch_that_the_server_forgot_ends(server: Forgetful) -> None:
    async with Client(ClientConfig(server.url, "token", b"")) as client:
        await client.list("Node")
        watch = client.watch("Node", resource_version="1")
        with pytest.raises(aiohttp.ClientError):
            await asyncio.wait_for(anext(watch), 30)


async def test_an_informer_lists_again(server: Forgetful) -> None:
    async with Client(ClientConfig(server.url, "token", b"")) as client:
        informer = Informer(client, "Node")
        seen = asyncio.Event()
        informer.on_change(lambda _old, new: seen.set() if new and meta.resource_version(new) == 2 else None)
        task = asyncio.create_task(informer.run())
        async with asyncio.timeout(30):
            await seen.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
