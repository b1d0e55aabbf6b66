"""Watch streams: initial events, changes, bookmarks, the end.

Upstream: k8s.io/apiserver/pkg/endpoints/handlers/watch.go and storage/cacher. An event is encoded once per form and
shared by all the watchers of that form.
"""

from __future__ import annotations

import asyncio
import random

import orjson
from aiohttp import ClientConnectionResetError, web

from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.events import stored_as
from podwalk.apiserver.http import views
from podwalk.apiserver.http.negotiate import Form
from podwalk.apiserver.options import ListOptions
from podwalk.apiserver.registry.core import Registry
from podwalk.apiserver.store import Event, Expired, Stored, Watcher
from podwalk.apiserver.strategy.zeroes import write_zeroes

_BOOKMARK_SECONDS = 60.0
_MINIMUM_TIMEOUT = 1800.0
_STALLED_SECONDS = 60.0
"""A client that has read nothing for so long is cut off."""

_CHUNK = 256


class _Writer:
    """Writes the events of one stream; knows the form that its client wants."""

    def __init__(self, resource: Resource, form: Form, include: str) -> None:
        self.resource, self.form, self.include = resource, form, include
        self._first = True
        self._key = f"{resource.group}/{resource.version}/{form.shape}/{form.version}/{include}"

    def encode(self, kind: str, stored: Stored, event: Event | None = None) -> bytes:
        """One line of the stream, from the event's cache where it has been written before."""
        key = f"{kind}/{self._key}"
        table = self.form.shape == "table"
        if event is not None and not (table and self._first) and (cached := event.encoded.get(key)):
            return cached
        body = views.event_object(self.resource, stored, self.form, self.include, self._first)
        line = b'{"type":"' + kind.encode() + b'","object":' + body + b"}\n"
        if event is not None and not (table and self._first):
            event.encoded[key] = line
        self._first = False
        return line

    def bookmark(self, rv: int, initial_end: bool = False) -> bytes:
        """A bookmark; ``initial_end`` marks the end of the initial events."""
        metadata: Object = {"resourceVersion": str(rv)}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        if self.form.shape == "table":
            obj: Object = {"kind": "Table", "apiVersion": f"meta.k8s.io/{self.form.version}"}
            obj |= {"metadata": {"resourceVersion": str(rv)}, "columnDefinitions": None, "rows": []}
            if initial_end:
                row = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
                obj["rows"] = [{"cells": [], "object": row}]
        elif self.form.shape == "partial":
            obj = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        else:
            obj = {"kind": self.resource.kind, "apiVersion": self.resource.api_version, "metadata": metadata}
            write_zeroes(obj)
        return orjson.dumps({"type": "BOOKMARK", "object": obj}) + b"\n"


def translate(event: Event, options: ListOptions) -> tuple[str, Stored] | None:
    """The event as a watcher with this selector sees it, or None where it sees nothing."""
    if not options.selective:
        return event.type, event.current
    before = event.previous is not None and options.matches(event.previous.obj)
    after = event.type != "DELETED" and options.matches(event.current.obj)
    if after:
        return ("MODIFIED" if before else "ADDED"), event.current
    if not before:
        return None
    if event.type == "DELETED" or event.previous is None:
        return "DELETED", event.current
    # It left the selection: the client is told with the last state that it could see, at the new version.
    metadata = {**event.previous.obj["metadata"], "resourceVersion": str(event.current.rv)}
    return "DELETED", Stored({**event.previous.obj, "metadata": metadata}, event.current.rv)


def _initial(registry: Registry, resource: Resource, namespace: str, options: ListOptions) -> list[Stored] | None:
    """The objects that the stream begins with, or None where it begins with changes."""
    if options.send_initial_events is True or (options.send_initial_events is None and not options.resource_version):
        found = registry.store.scan(stored_as(resource), namespace)
        return [stored for _, stored in found if options.matches(stored.obj)]
    return None


async def serve(
    request: web.Request, registry: Registry, resource: Resource, namespace: str, options: ListOptions,
    form: Form, include: str,
) -> web.StreamResponse:  # fmt: skip
    """Answer a watch until its timeout, the client's end or the server's.

    Raises ApiError only before the first byte; later failures are ERROR events.
    """
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"})
    response.enable_chunked_encoding()
    writer = _Writer(resource, form, include)
    try:
        initial = _initial(registry, resource, namespace, options)
        since = None if initial is not None or not options.resource_version else options.resource_version
        watcher = registry.store.watch(stored_as(resource), namespace, since)
    except Expired:
        await response.prepare(request)
        message = f"too old resource version: {options.resource_version} ({registry.store.rv})"
        await response.write(_error(ApiError(410, "Expired", message)))
        await response.write_eof()
        return response
    try:
        head = [writer.encode("ADDED", stored) for stored in initial or ()]
        if options.send_initial_events and options.bookmarks:
            head.append(writer.bookmark(registry.store.rv, initial_end=True))
        await response.prepare(request)
        for start in range(0, len(head), _CHUNK):
            await _write(response, b"".join(head[start : start + _CHUNK]))
        await _follow(response, registry, watcher, options, writer)
        await response.write_eof()
    except (ClientConnectionResetError, ConnectionResetError):
        pass
    except _Stalled:
        # What is buffered for it will never be read: the connection goes, and with it the buffer.
        if request.transport is not None:
            request.transport.abort()
    finally:
        registry.store.unwatch(stored_as(resource), watcher)
    return response


class _Stalled(Exception):
    """The client reads no more."""


async def _write(response: web.StreamResponse, data: bytes) -> None:
    try:
        async with asyncio.timeout(_STALLED_SECONDS):
            await response.write(data)
    except TimeoutError:
        raise _Stalled from None


def _error(error: ApiError) -> bytes:
    return orjson.dumps({"type": "ERROR", "object": error.status()}) + b"\n"


async def _follow(
    response: web.StreamResponse, registry: Registry, watcher: Watcher, options: ListOptions, writer: _Writer
) -> None:
    loop = asyncio.get_running_loop()
    seconds = options.timeout or _MINIMUM_TIMEOUT * (1 + random.random())
    end = loop.time() + seconds
    while True:
        if watcher.overflowed:
            return
        lines: list[bytes] = []
        while watcher.pending and len(lines) < _CHUNK:
            event = watcher.pending.popleft()
            seen = translate(event, options)
            if seen is not None:
                kind, stored = seen
                shared = event if stored is event.current else None
                lines.append(writer.encode(kind, stored, shared))
        if lines:
            await _write(response, b"".join(lines))
            continue
        watcher.wake.clear()
        if watcher.pending or watcher.overflowed:
            continue
        left = end - loop.time()
        if left <= 0:
            return
        try:
            async with asyncio.timeout(min(left, _BOOKMARK_SECONDS)):
                await watcher.wake.wait()
        except TimeoutError:
            if options.bookmarks and end - loop.time() > 0:
                await _write(response, writer.bookmark(registry.store.rv))
