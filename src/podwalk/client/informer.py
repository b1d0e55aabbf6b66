"""Informers: a local copy of a resource, kept true by list and watch (client-go's SharedInformer)."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable

import aiohttp

from podwalk.api import meta, resources
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.rest import Client

log = logging.getLogger(__name__)

# handler(old, new): (None, obj) added, (old, new) changed, (old, None) deleted.
Handler = Callable[[Object | None, Object | None], None]

_FIRST_RETRY = 0.02
_LAST_RETRY = 2.0


class Informer:
    """The cache of one kind. Objects in it are shared: never write to them, copy first."""

    def __init__(
        self,
        client: Client,
        kind: str,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> None:
        self.client = client
        self.resource = resources.by_kind(kind)
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._objects: dict[str, Object] = {}
        self._by_namespace: dict[str, dict[str, Object]] = defaultdict(dict)
        self._handlers: list[Handler] = []
        self.synced = asyncio.Event()

    def on_change(self, handler: Handler) -> None:
        """Call ``handler(old, new)`` on every change, and at once for what is already known."""
        self._handlers.append(handler)
        for obj in list(self._objects.values()):
            handler(None, obj)

    def get(self, key: str) -> Object | None:
        """The object with this key, if the cache has it."""
        return self._objects.get(key)

    def all(self) -> Iterable[Object]:
        """Every object."""
        return list(self._objects.values())

    def in_namespace(self, namespace: str) -> Iterable[Object]:
        """Every object of a namespace."""
        return list(self._by_namespace.get(namespace, {}).values())

    async def run(self) -> None:
        """List, then watch, for ever; errors are retried with back-off. Cancel to stop."""
        retry = _FIRST_RETRY
        while True:
            try:
                version = await self._relist()
                retry = _FIRST_RETRY
                while True:
                    version = await self._watch(version)
            except ApiError as error:
                if error.code != 410:
                    log.warning("%s: %s", self.resource.plural, error.message)
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                log.debug("%s: %s", self.resource.plural, error)
            await asyncio.sleep(retry)
            retry = min(retry * 2, _LAST_RETRY)

    async def _relist(self) -> str:
        listed = await self.client.list(
            self.resource, self._namespace, label_selector=self._label_selector, field_selector=self._field_selector
        )
        fresh = {meta.key(obj): obj for obj in listed["items"]}
        for key in set(self._objects) - set(fresh):
            self._store(key, None)
        for key, obj in fresh.items():
            self._store(key, obj)
        self.synced.set()
        return str(listed["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> str:
        stream = self.client.watch(
            self.resource,
            self._namespace,
            resource_version=version,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        async for kind, obj in stream:
            version = str(obj["metadata"]["resourceVersion"])
            if kind != "BOOKMARK":
                self._store(meta.key(obj), None if kind == "DELETED" else obj)
        return version

    def _store(self, key: str, obj: Object | None) -> None:
        old = self._objects.get(key)
        if obj is None:
            if old is None:
                return
            del self._objects[key]
            self._by_namespace[meta.namespace(old)].pop(key, None)
        else:
            if old is not None and old["metadata"].get("resourceVersion") == obj["metadata"].get("resourceVersion"):
                return
            self._objects[key] = obj
            self._by_namespace[meta.namespace(obj)][key] = obj
        for handler in self._handlers:
            try:
                handler(old, obj)
            except Exception:
                log.exception("a handler of %s failed on %s", self.resource.plural, key)


class InformerFactory:
    """One informer a kind, shared by everybody who asks."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._informers: dict[str, Informer] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def informer(self, kind: str) -> Informer:
        """The shared informer of a kind; ask before :meth:`start` or after, both work."""
        found = self._informers.get(kind)
        if found is None:
            found = self._informers[kind] = Informer(self._client, kind)
            if self._tasks:
                self._tasks.append(asyncio.create_task(found.run(), name=f"informer {kind}"))
        return found

    async def start(self) -> None:
        """Start all informers and return when each has its first list."""
        for kind, informer in self._informers.items():
            self._tasks.append(asyncio.create_task(informer.run(), name=f"informer {kind}"))
        await asyncio.gather(*(i.synced.wait() for i in list(self._informers.values())))

    async def stop(self) -> None:
        """Cancel all informers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
