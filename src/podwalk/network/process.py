"""A program beside the agent that shall run as long as the node: started again where it ends (runit's role)."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from podwalk.netns import guard
from podwalk.netns.reaper import Reaper

log = logging.getLogger(__name__)

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RESTART_SECONDS = 1.0


class Supervised:
    """One program, in the node's namespaces; its death by the kernel follows from the death of the node.

    ``again`` is the command with which it is started again after it has ended by itself; else it is ``argv``.
    """

    def __init__(
        self, reaper: Reaper, argv: Sequence[str], *, again: Sequence[str] = (), pass_fds: Sequence[int] = ()
    ) -> None:
        self._reaper = reaper
        self._argv = list(argv)
        self._again = list(again or argv)
        self._pass_fds = tuple(pass_fds)
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The running process's number."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start it, and keep it running. Raises FileNotFoundError where there is no such program."""
        if self._keeper is None:
            exited = self._spawn(self._argv)
            self._keeper = asyncio.create_task(self._keep(exited), name=self._argv[0])

    def _spawn(self, argv: list[str]) -> asyncio.Future[int]:
        guard.refuse_host()
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            pass_fds=self._pass_fds,
            start_new_session=True,
            env={"PATH": _PATH},
            cwd="/",
        )
        return self._reaper.watch(self._process.pid)

    async def _keep(self, exited: asyncio.Future[int]) -> None:
        while True:
            code = await asyncio.shield(exited)
            assert self._process is not None
            self._process.returncode = code
            log.warning("%s ended with status %s; starting it again", self._argv[0], code)
            await asyncio.sleep(_RESTART_SECONDS)
            exited = self._spawn(self._again)

    async def stop(self) -> None:
        """End it."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError, ChildProcessError):
                exited = self._reaper.watch(process.pid)
                process.send_signal(signal.SIGKILL)
                process.returncode = await exited
