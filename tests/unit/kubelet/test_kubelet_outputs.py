"""Nothing that a command has written is lost when it ends, however late somebody comes to read it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from podwalk.kubelet.outputs import Output


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


class Client:
    """Takes what is sent, each piece when it is allowed to."""

    def __init__(self, *, slow: bool = False) -> None:
        self.got = b""
        self.some, self.ready = asyncio.Event(), asyncio.Event()
        if not slow:
            self.ready.set()

    async def take(self, data: bytes) -> None:
        await self.ready.wait()
        self.got += data
        self.some.set()
        await asyncio.sleep(0)


async def test_what_is_in_the_pipe_at_the_end_is_copied_before_the_copy_has_begun(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.write(write, b"x" * 60_000)
    client = Client()
    output = Output(read, client.take)
    copying = asyncio.create_task(output.copy())
    # The loop has had no time to read: that is how it is after a stall.
    output.finish()
    async with asyncio.timeout(5):
        await copying
    assert len(client.got) == 60_000


async def test_a_slow_client_gets_all_of_it(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.write(write, b"x" * 60_000)
    client = Client(slow=True)
    output = Output(read, client.take)
    copying = asyncio.create_task(output.copy())
    await asyncio.sleep(0)
    output.finish()
    client.ready.set()
    async with asyncio.timeout(5):
        await copying
    assert len(client.got) == 60_000


async def test_a_child_that_holds_the_pipe_open_is_not_waited_for(pipe: tuple[int, int]) -> None:
    read, write = pipe
    client = Client()
    output = Output(read, client.take)
    copying = asyncio.create_task(output.copy())
    os.write(write, b"first")
    await client.some.wait()
    output.finish()
    os.write(write, b"a child, later")
    async with asyncio.timeout(5):
        await copying
    assert client.got in (b"first", b"firsta child, later")


async def test_a_child_that_never_stops_writing_is_cut_off(pipe: tuple[int, int]) -> None:
    read, write = pipe
    client = Client()

    async def take(data: bytes) -> None:
        await client.take(data)
        os.write(write, data)  # as much as was taken is there again

    os.write(write, b"y" * 4_000)
    output = Output(read, take)
    copying = asyncio.create_task(output.copy())
    await client.some.wait()
    output.finish()
    async with asyncio.timeout(5):
        await copying
