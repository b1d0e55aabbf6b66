"""Work queues and reconcilers: the level-triggered loop of every controller (client-go's workqueue)."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

import aiohttp

from podwalk.api.errors import ApiError

log = logging.getLogger(__name__)

_FIRST_RETRY = 0.005
_LAST_RETRY = 30.0


class Reconciler(ABC):
    """Reconciles keys (``namespace/name``), each by one worker at a time; failures are retried with back-off."""

    name = "reconciler"
    workers = 4

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @abstractmethod
    async def reconcile(self, key: str) -> None:
        """Bring the world one step towards what the object asks for. May raise; then it is called again."""

    def enqueue(self, key: str) -> None:
        """Ask for a reconcile of this key; asking twice before it runs is once."""
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._queue.put_nowait(key)

    def enqueue_after(self, key: str, seconds: float) -> None:
        """Ask for a reconcile later; the earliest of several requests counts."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        old = self._timers.get(key)
        if old is not None and not old.cancelled() and old.when() <= at and old.when() > loop.time():
            return
        if old is not None:
            old.cancel()

        def fire() -> None:
            self._timers.pop(key, None)
            self.enqueue(key)

        self._timers[key] = loop.call_at(at, fire)

    async def run(self) -> None:
        """Run the workers for ever. Cancel to stop."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.workers):
                group.create_task(self._worker(), name=self.name)

    async def _worker(self) -> None:
        while True:
            key = await self._queue.get()
            self._waiting.discard(key)
            self._running.add(key)
            try:
                await self.reconcile(key)
                self._failures.pop(key, None)
            except (TimeoutError, ApiError, aiohttp.ClientError, OSError) as error:
                quiet = isinstance(error, ApiError) and error.reason in ("Conflict", "NotFound", "AlreadyExists")
                log.log(logging.DEBUG if quiet else logging.WARNING, "%s %s: %s", self.name, key, error)
                self._retry(key)
            except Exception:
                log.exception("%s %s failed", self.name, key)
                self._retry(key)
            finally:
                self._running.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.enqueue(key)

    def _retry(self, key: str) -> None:
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        self.enqueue_after(key, min(_FIRST_RETRY * 2 ** min(count, 20), _LAST_RETRY))
