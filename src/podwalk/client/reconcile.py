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
    """Reconciles keys (``namespace/name``), each by one worker at a time; failures are retried with back-off.

    Its own attributes are private to this class (two underscores), so that no subclass can take one by accident.
    """

    name = "reconciler"
    workers = 4

    def __init__(self) -> None:
        self.__queue: asyncio.Queue[str] = asyncio.Queue()
        self.__waiting: set[str] = set()
        self.__running: set[str] = set()
        self.__again: set[str] = set()
        self.__failures: dict[str, int] = {}
        self.__timers: dict[str, asyncio.TimerHandle] = {}

    @abstractmethod
    async def reconcile(self, key: str) -> None:
        """Bring the world one step towards what the object asks for. May raise; then it is called again."""

    def enqueue(self, key: str) -> None:
        """Ask for a reconcile of this key; asking twice before it runs is once."""
        if key in self.__running:
            self.__again.add(key)
        elif key not in self.__waiting:
            self.__waiting.add(key)
            self.__queue.put_nowait(key)

    def enqueue_after(self, key: str, seconds: float) -> None:
        """Ask for a reconcile later; the earliest of several requests counts."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        old = self.__timers.get(key)
        if old is not None and not old.cancelled() and old.when() <= at and old.when() > loop.time():
            return
        if old is not None:
            old.cancel()

        def fire() -> None:
            self.__timers.pop(key, None)
            self.enqueue(key)

        self.__timers[key] = loop.call_at(at, fire)

    async def run(self) -> None:
        """Run the workers for ever. Cancel to stop."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.workers):
                group.create_task(self.__worker(), name=self.name)

    async def __worker(self) -> None:
        while True:
            key = await self.__queue.get()
            self.__waiting.discard(key)
            self.__running.add(key)
            try:
                await self.reconcile(key)
                self.__failures.pop(key, None)
            except (TimeoutError, ApiError, aiohttp.ClientError, OSError) as error:
                quiet = isinstance(error, ApiError) and error.reason in ("Conflict", "NotFound", "AlreadyExists")
                log.log(logging.DEBUG if quiet else logging.WARNING, "%s %s: %s", self.name, key, error)
                self.__retry(key)
            except Exception:
                log.exception("%s %s failed", self.name, key)
                self.__retry(key)
            finally:
                self.__running.discard(key)
                if key in self.__again:
                    self.__again.discard(key)
                    self.enqueue(key)

    def __retry(self, key: str) -> None:
        count = self.__failures.get(key, 0)
        self.__failures[key] = count + 1
        self.enqueue_after(key, min(_FIRST_RETRY * 2 ** min(count, 20), _LAST_RETRY))
