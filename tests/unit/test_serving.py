"""What every controller in a Pod does around its work."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading

import aiohttp
import pytest

from podwalk.client import serving


async def test_work_is_cancelled_and_awaited_when_the_pod_is_told_to_end() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            ended.set()

    await asyncio.wait_for(serving.until_told(work()), 10)
    assert ended.is_set()


async def test_a_signal_that_came_too_early_is_not_lost() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        # To this thread: of a test's process others may run, which would take it in and end.
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        await asyncio.wait_for(serving.until_told(asyncio.Event().wait()), 10)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> None:
        raise RuntimeError("no proxy")

    with pytest.raises(RuntimeError, match="no proxy"):
        await serving.until_told(work())


async def test_health_is_bad_until_the_caches_are_full() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ready = asyncio.Event()
    async with serving.healthy_when(ready, port, "/livez"), aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/livez") as answer:
            assert answer.status == 500
        ready.set()
        async with session.get(f"http://127.0.0.1:{port}/livez") as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
