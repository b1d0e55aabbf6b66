"""Informers: a local copy of a resource, kept true by list and watch (client-go's SharedInformer)."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable

import aiohttp

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.client.rest import Client
from podwalk.client.wire import resource_of

log = logging.getLogger(__name__)

# handler(old, new): (None, obj) added, (old, new) changed, (old, None) deleted.
Handler = Callable[[Object | None, Object | None], None]
# The values under which an object is found again; none where the index does not hold it.
Indexer = Callable[[Object], Iterable[str]]

_FIRST_RETRY = 0.02
_LAST_RETRY = 2.0


class Informer:
    """The cache of one kind. Objects in it are shared: never write to them, copy first."""

    def __init__(
        self,
        client: Client,
        kind: str | Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> None:
        self.client = client
        self.resource = resource_of(kind)
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._objects: dict[str, Object] = {}
        self._by_namespace: dict[str, dict[str, Object]] = defaultdict(dict)
        self._indexers: dict[str, Indexer] = {}
        self._indices: dict[str, dict[str, dict[str, Object]]] = {}
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

    def add_index(self, name: str, indexer: Indexer) -> None:
        """Keep an index from now on; asking twice for the same name is once (client-go's Indexer)."""
        if name in self._indexers:
            return
        self._indexers[name], self._indices[name] = indexer, {}
        for key, obj in self._objects.items():
            self._index(name, key, None, obj)

    def indexed(self, name: str, value: str) -> list[Object]:
        """The objects that an index holds under a value. Raises KeyError where there is no such index."""
        return list(self._indices[name].get(value, {}).values())

    def count(self, name: str, value: str) -> int:
        """How many objects an index holds under a value. Raises KeyError where there is no such index."""
        return len(self._indices[name].get(value, ()))

    def _index(self, name: str, key: str, old: Object | None, new: Object | None) -> None:
        index, indexer = self._indices[name], self._indexers[name]
        before = set(indexer(old)) if old is not None else set()
        after = set(indexer(new)) if new is not None else set()
        for value in before - after:
            index[value].pop(key, None)
            if not index[value]:
                del index[value]
        if new is not None:
            for value in after:
                index.setdefault(value, {})[key] = new

    def clear(self) -> None:
        """Forget every object, as if all were deleted: the kind is no longer served."""
        for key in list(self._objects):
            self._store(key, None)

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
                if error.code == 404:  # a custom kind that is not served any more, or not yet
                    log.debug("%s: %s", self.resource.plural, error.message)
                elif error.code != 410:
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
        for name in self._indexers:
            self._index(name, key, old, obj)
        for handler in self._handlers:
            try:
                handler(old, obj)
            except Exception:
                log.exception("a handler of %s failed on %s", self.resource.plural, key)


class InformerFactory:
    """One informer a kind, shared by everybody who asks."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._informers: dict[Resource, Informer] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}
        self._started = False

    def informer(self, kind: str | Resource) -> Informer:
        """The shared informer of a kind; ask before :meth:`start` or after, both work.

        Raises KeyError where the cluster serves no such kind.
        """
        resource = resource_of(kind)
        found = self._informers.get(resource)
        if found is None:
            found = self._informers[resource] = Informer(self._client, resource)
            if self._started:
                self._run(resource, found)
        return found

    def drop(self, resource: Resource) -> None:
        """Stop the informer of a kind that is no longer served; its objects count as deleted."""
        task, informer = self._tasks.pop(resource, None), self._informers.pop(resource, None)
        if task is not None:
            task.cancel()
        if informer is not None:
            informer.clear()

    async def start(self) -> None:
        """Start all informers and return when each has its first list."""
        self._started = True
        waiting = list(self._informers.items())
        for resource, informer in waiting:
            self._run(resource, informer)
        await asyncio.gather(*(informer.synced.wait() for _, informer in waiting))

    async def stop(self) -> None:
        """Cancel all informers."""
        self._started = False
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, resource: Resource, informer: Informer) -> None:
        self._tasks[resource] = asyncio.create_task(informer.run(), name=f"informer {resource.plural}")
