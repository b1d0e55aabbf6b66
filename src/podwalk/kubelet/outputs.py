"""What a command writes, on its way to a client."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import Awaitable, Callable

_CHUNK = 32 * 1024

Send = Callable[[bytes], Awaitable[None]]


class Output:
    """Copies a descriptor (a pipe, or a terminal) to whoever takes it, until its end or until told that it is over."""

    def __init__(self, fd: int, send: Send) -> None:
        self._fd, self._send = fd, send
        self._left: int | None = None
        self._readable: asyncio.Future[None] | None = None
        os.set_blocking(fd, False)

    async def copy(self) -> None:
        """Copy. Raises what ``send`` raises."""
        while self._left is None or self._left > 0:
            try:
                data = os.read(self._fd, _CHUNK)
            except BlockingIOError:
                if self._left is not None:
                    return
                await self._more()
                continue
            except OSError:  # EIO: a terminal whose other side has gone
                return
            if not data:
                return
            if self._left is not None:
                self._left -= len(data)
            await self._send(data)

    def finish(self) -> None:
        """The command is over: what it has written is copied still, and what a child of it writes later is not.

        What is in the pipe now is all of it. A copy ends by that measure, and not by a time in which a busy machine
        may not have come to read.
        """
        waiting = fcntl.ioctl(self._fd, termios.FIONREAD, struct.pack("i", 0))
        self._left = int(struct.unpack("i", waiting)[0])
        self._wake()

    async def _more(self) -> None:
        loop = asyncio.get_running_loop()
        self._readable = loop.create_future()
        loop.add_reader(self._fd, self._wake)
        try:
            await self._readable
        finally:
            self._readable = None
            loop.remove_reader(self._fd)

    def _wake(self) -> None:
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)
