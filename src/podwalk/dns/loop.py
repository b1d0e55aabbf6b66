"""A small event loop over selectors: sockets and timers.

asyncio would do, but importing it costs more than everything else that this server starts.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import time
from collections.abc import Callable

Callback = Callable[[], None]


class Timer:
    """A callback to come; ``cancel`` takes it back."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callback) -> None:
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Never call it."""
        self.callback = None


class Loop:
    """One thread's sockets and timers."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = itertools.count()
        self._stopped = False

    def add(self, sock: socket.socket, on_readable: Callback, on_writable: Callback | None = None) -> None:
        """Call back when the socket can be read and, if asked, written. Replaces an earlier call for the socket."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if on_writable else 0)
        if sock in self._selector.get_map():
            self._selector.modify(sock, events, (on_readable, on_writable))
        else:
            self._selector.register(sock, events, (on_readable, on_writable))

    def close(self, sock: socket.socket) -> None:
        """Stop watching the socket and close it."""
        if sock.fileno() >= 0:
            if sock in self._selector.get_map():
                self._selector.unregister(sock)
            sock.close()

    def call_later(self, seconds: float, callback: Callback) -> Timer:
        """Call back once, later."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._count), timer))
        return timer

    def stop(self) -> None:
        """Let :meth:`run` return after the present round."""
        self._stopped = True

    def run(self) -> None:
        """Run until :meth:`stop`."""
        while not self._stopped:
            self._run_timers()
            if self._stopped:
                return
            wait = max(self._timers[0][0] - time.monotonic(), 0) if self._timers else None
            for key, events in self._selector.select(wait):
                on_readable, on_writable = key.data
                if events & selectors.EVENT_WRITE and on_writable is not None:
                    on_writable()
                if events & selectors.EVENT_READ and key.fileobj.fileno() >= 0:  # type: ignore[union-attr]
                    on_readable()

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            callback = heapq.heappop(self._timers)[2].callback
            if callback is not None:
                callback()

    def close_all(self) -> None:
        """Close every socket and the selector."""
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
