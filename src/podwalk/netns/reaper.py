"""The one owner of SIGCHLD in a process that is pid 1: collects every child and tells whoever waits for it.

Stands in for what an init (tini, containerd-shim) does. Nothing else in the process may wait for children through
asyncio or with waitpid(-1).
"""

import asyncio
import os
import signal
from collections import OrderedDict

_REMEMBERED = 1024


class Reaper:
    """Collect children on `loop`; make it in the main thread, before the first child that somebody watches."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._watched: dict[int, asyncio.Future[int]] = {}
        self._early: OrderedDict[int, int] = OrderedDict()
        loop.add_signal_handler(signal.SIGCHLD, self._collect)
        loop.call_soon(self._collect)

    def watch(self, pid: int) -> asyncio.Future[int]:
        """Return a future of the exit status of child `pid` (negative: killed by that signal).

        A child that ended before is no problem. Raises ChildProcessError when `pid` is no child of this process.
        """
        if pid in self._watched:
            return self._watched[pid]
        future: asyncio.Future[int] = self._loop.create_future()
        try:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            if pid not in self._early:
                raise
            future.set_result(self._early.pop(pid))
            return future
        # It is still there, alive or not yet collected: a remembered status belongs to an earlier process of this pid.
        self._early.pop(pid, None)
        self._watched[pid] = future
        self._loop.call_soon(self._collect)
        return future

    def close(self) -> None:
        """Stop collecting."""
        if not self._loop.is_closed():
            self._loop.remove_signal_handler(signal.SIGCHLD)

    def _collect(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        future = self._watched.pop(pid, None)
        if future is None:
            self._early[pid] = code
            if len(self._early) > _REMEMBERED:
                self._early.popitem(last=False)
        elif not future.done():
            future.set_result(code)
