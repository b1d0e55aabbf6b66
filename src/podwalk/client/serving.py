"""What a controller in a Pod does around its work: credentials, a health check, and ending when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from aiohttp import web

from podwalk.client.rest import Client, ClientConfig
from podwalk.client.sync import SyncConfig


def in_cluster(user_agent: str) -> Client:
    """A client with the Pod's own service account. Raises OSError outside a Pod."""
    own = SyncConfig.in_cluster(user_agent)
    return Client(ClientConfig(own.server, own.token or "", own.ca_cert or b"", user_agent))


async def until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGTERM or SIGINT; then cancel the work and wait for it. Raises what it raises before.

    As a container's first process we begin with both blocked (the kubelet's launch): what came too early comes here.
    """
    running = asyncio.create_task(work)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    waiting = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        waiting.cancel()


@contextlib.asynccontextmanager
async def healthy_when(ready: asyncio.Event, port: int, path: str = "/healthz") -> AsyncIterator[None]:
    """Answer GET ``path`` on all addresses: 200 once ``ready`` is set (the caches are full), 500 before."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok") if ready.is_set() else web.Response(status=500, text="not synced")

    app = web.Application()
    app.router.add_get(path, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


def log_to_stdout() -> None:
    """Where `kubectl logs` finds it."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname).1s %(asctime)s %(message)s")
