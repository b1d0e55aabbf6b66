"""The storage: objects in memory, one global resourceVersion, a bounded history that watches start from.

It plays the part of etcd and of the watch cache (k8s.io/apiserver/pkg/storage/cacher). It knows nothing of the rules
of the resources; the registry above it does. A stored object is never changed in place: a writer hands in a new one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from podwalk.api.meta import Object
from podwalk.api.resources import Resource

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
Key = tuple[str, str]

HISTORY = 2000
"""Events kept per resource; a watch from before them gets 410 Gone."""

FRESH_SECONDS = 300.0
"""How old an event may become where new ones follow: kube-apiserver has etcd compacted every five minutes."""

_BACKLOG = 20_000
"""Events that may wait for one slow watcher before its stream is ended."""


@dataclass(slots=True, eq=False)
class Stored:
    """One version of an object, with its JSON once somebody has asked for it."""

    obj: Object
    rv: int
    written: float = field(default_factory=time.monotonic)
    _json: bytes | None = None

    @property
    def json(self) -> bytes:
        """The object as JSON, kind and apiVersion first."""
        if self._json is None:
            self._json = orjson.dumps(self.obj)
        return self._json

    @property
    def item_json(self) -> bytes:
        """The object as JSON without kind and apiVersion, as typed lists carry it."""
        head = len(b'{"kind":"","apiVersion":"",') + len(self.obj["kind"]) + len(self.obj["apiVersion"])
        return b"{" + self.json[head:]

    def copy(self) -> Object:
        """A deep copy to write to."""
        copied: Object = orjson.loads(self.json)
        return copied


@dataclass(slots=True, eq=False)
class Event:
    """One change. ``previous`` is what it replaced; ``encoded`` keeps each wire form for all the watchers."""

    type: EventType
    current: Stored
    previous: Stored | None
    encoded: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Watcher:
    """One open watch. The store appends to ``pending`` and sets ``wake``; ``overflowed`` ends the stream."""

    namespace: str
    pending: deque[Event] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    overflowed: bool = False

    def offer(self, event: Event) -> None:
        """Hand over an event, unless its namespace is not watched."""
        if self.namespace and event.current.obj["metadata"].get("namespace") != self.namespace:
            return
        if len(self.pending) >= _BACKLOG:
            self.overflowed = True
        else:
            self.pending.append(event)
        self.wake.set()


class _Shelf:
    """The objects, the history and the watchers of one resource."""

    def __init__(self, resource: Resource, compacted: int) -> None:
        self.resource = resource
        self.by_namespace: dict[str, dict[str, Stored]] = {}
        self.history: deque[Event] = deque()
        self.compacted = compacted
        self.watchers: set[Watcher] = set()

    def publish(self, event: Event) -> None:
        stale = event.current.written - FRESH_SECONDS
        while self.history and (len(self.history) >= HISTORY or self.history[0].current.written < stale):
            self.compacted = self.history.popleft().current.rv
        self.history.append(event)
        for watcher in tuple(self.watchers):
            watcher.offer(event)


class Expired(Exception):
    """The history no longer reaches back to a resourceVersion."""


class Store:
    """All the objects of the cluster. Only the API server's event loop may use it."""

    def __init__(self) -> None:
        self.rv = 1
        self._shelves: dict[tuple[str, str], _Shelf] = {}
        # Since when a resource that was dropped has no history.
        self._forgotten: dict[tuple[str, str], int] = {}

    def _shelf(self, resource: Resource) -> _Shelf:
        # All versions of a resource share a shelf.
        key = (resource.group, resource.plural)
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = _Shelf(resource, self._forgotten.get(key, 0))
        return shelf

    def next_rv(self) -> int:
        """Take the next resourceVersion."""
        self.rv += 1
        return self.rv

    def get(self, resource: Resource, namespace: str, name: str) -> Stored | None:
        """One object, or None."""
        return self._shelf(resource).by_namespace.get(namespace, {}).get(name)

    def scan(self, resource: Resource, namespace: str = "") -> list[tuple[Key, Stored]]:
        """Everything of a resource (in one namespace, or in all for an empty name), ordered by namespace and name."""
        shelves = self._shelf(resource).by_namespace
        names = [namespace] if namespace else sorted(shelves)
        return [((ns, name), stored) for ns in names for name, stored in sorted(shelves.get(ns, {}).items())]

    def in_namespace(self, namespace: str) -> Iterator[tuple[Resource, Stored]]:
        """Everything that lives in a namespace."""
        for shelf in self._shelves.values():
            if shelf.resource.namespaced:
                for stored in list(shelf.by_namespace.get(namespace, {}).values()):
                    yield shelf.resource, stored

    def put(self, resource: Resource, obj: Object) -> Stored:
        """Store a new version of an object under the next resourceVersion; the object now belongs to the store."""
        metadata: dict[str, Any] = obj["metadata"]
        shelf = self._shelf(resource)
        names = shelf.by_namespace.setdefault(metadata.get("namespace") or "", {})
        rv = self.next_rv()
        metadata["resourceVersion"] = str(rv)
        stored = Stored(obj, rv)
        previous = names.get(metadata["name"])
        names[metadata["name"]] = stored
        shelf.publish(Event("MODIFIED" if previous else "ADDED", stored, previous))
        return stored

    def remove(self, resource: Resource, stored: Stored) -> Stored:
        """Remove an object. The answer is its last state under the resourceVersion of the removal."""
        metadata = stored.obj["metadata"]
        shelf = self._shelf(resource)
        names = shelf.by_namespace[metadata.get("namespace") or ""]
        rv = self.next_rv()
        last = Stored({**stored.obj, "metadata": {**metadata, "resourceVersion": str(rv)}}, rv)
        del names[metadata["name"]]
        shelf.publish(Event("DELETED", last, stored))
        return last

    def watch(self, resource: Resource, namespace: str, since: int | None) -> Watcher:
        """Open a watch: the events after ``since``, then all that follow. Close it with :meth:`unwatch`.

        Raises Expired where the history does not reach back that far.
        """
        shelf = self._shelf(resource)
        watcher = Watcher(namespace)
        if since is not None:
            if since < shelf.compacted:
                raise Expired
            for event in shelf.history:
                if event.current.rv > since:
                    watcher.offer(event)
        shelf.watchers.add(watcher)
        return watcher

    def unwatch(self, resource: Resource, watcher: Watcher) -> None:
        """Close a watch."""
        self._shelf(resource).watchers.discard(watcher)

    def forget(self, resource: Resource) -> None:
        """Drop a resource that is served no longer; its watches end.

        Where it comes back, nobody can go on from before: who missed the removals must list anew.
        """
        self._forgotten[resource.group, resource.plural] = self.rv
        shelf = self._shelves.pop((resource.group, resource.plural), None)
        for watcher in tuple(shelf.watchers) if shelf else ():
            watcher.overflowed = True
            watcher.wake.set()

    def expire(self, resource: Resource, age: float) -> int:
        """Remove the objects not written for ``age`` seconds (etcd's lease on Events); how many there were."""
        deadline = time.monotonic() - age
        old = [stored for _, stored in self.scan(resource) if stored.written < deadline]
        for stored in old:
            self.remove(resource, stored)
        return len(old)
