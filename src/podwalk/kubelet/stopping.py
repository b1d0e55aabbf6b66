"""Ending a container: preStop, SIGTERM, and SIGKILL when the grace period is over.

Stands in for ``killContainer`` of pkg/kubelet/kuberuntime/kuberuntime_container.go.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from podwalk.api.meta import Object
from podwalk.kubelet.runs import Run
from podwalk.netns import containers as runtime

# What is left after a preStop hook that has used the whole grace period, as upstream.
_AFTER_HOOK_SECONDS = 2.0


class Stopper:
    """Ends the runs of one container. ``hook(handler, seconds)`` runs a lifecycle handler, returns what went wrong."""

    def __init__(self, hook: Callable[[Object, float], Awaitable[str]], event: Callable[[str, str, str], None]) -> None:
        self._hook = hook
        self._event = event
        self._deadline: float | None = None
        self._moved = asyncio.Event()

    def shorten(self, grace: float) -> None:
        """The grace period of a stop under way ends in ``grace`` seconds, where it would have ended later."""
        at = asyncio.get_running_loop().time() + grace
        if self._deadline is not None and at < self._deadline:
            self._deadline = at
            self._moved.set()

    async def stop(self, run: Run, spec: Object, grace: float) -> None:
        """Return when the process has ended."""
        self._deadline = asyncio.get_running_loop().time() + max(grace, 0.0)
        handler = (spec.get("lifecycle") or {}).get("preStop")
        if handler and grace > 0:
            await self._pre_stop(handler, run, grace)
        if grace > 0 and not run.exited.done():
            runtime.signal(run.process, _stop_signal(spec))
            await self._until_deadline(run, _AFTER_HOOK_SECONDS if handler else 0.0)
        if not run.exited.done():
            runtime.signal(run.process, signal.SIGKILL)
            await asyncio.wait([run.exited])

    async def _until_deadline(self, run: Run, least: float) -> None:
        """Wait for the end, at most until the deadline, which may move."""
        loop = asyncio.get_running_loop()
        while not run.exited.done():
            left = max((self._deadline or 0.0) - loop.time(), least)
            if left <= 0:
                return
            self._moved.clear()
            moved = asyncio.create_task(self._moved.wait())
            either: list[asyncio.Future[Any]] = [run.exited, moved]
            done, _ = await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            moved.cancel()
            if not done:
                return

    async def _pre_stop(self, handler: Object, run: Run, grace: float) -> None:
        work = asyncio.ensure_future(self._hook(handler, grace))
        either: list[asyncio.Future[Any]] = [work, run.exited]
        await asyncio.wait(either, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            return
        problem = str(work.exception() or "") or work.result()
        if problem:
            self._event("Warning", "FailedPreStopHook", "PreStopHook failed")


def _stop_signal(container: Object) -> int:
    name = (container.get("lifecycle") or {}).get("stopSignal")
    return int(getattr(signal, name, signal.SIGTERM)) if name else int(signal.SIGTERM)
