"""Recording Events: what `kubectl describe` and `kubectl events` show (client-go's EventRecorder)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict

import aiohttp

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.rest import Client

log = logging.getLogger(__name__)

_REMEMBERED = 2048


class EventRecorder:
    """Writes Events of one component; a repeated event raises the count of the first instead of adding one."""

    def __init__(self, client: Client, component: str, host: str = "") -> None:
        self._client = client
        self._component = component
        self._host = host
        self._seen: OrderedDict[tuple[str, ...], tuple[str, str, int]] = OrderedDict()
        self._queue: asyncio.Queue[tuple[Object, str, str, str]] | None = None
        self._task: asyncio.Task[None] | None = None

    def event(self, obj: Object, kind: str, reason: str, message: str) -> None:
        """Record an event ("Normal" or "Warning") about ``obj``, which carries apiVersion and kind. Never blocks."""
        if self._queue is None:
            self._queue = asyncio.Queue(maxsize=1000)
            self._task = asyncio.create_task(self._write_all(self._queue), name=f"events {self._component}")
        try:
            self._queue.put_nowait((obj, kind, reason, message))
        except asyncio.QueueFull:
            log.warning("%s: too many events, dropped %s", self._component, reason)

    async def close(self) -> None:
        """Stop writing; events that wait are dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = self._queue = None

    async def _write_all(self, queue: asyncio.Queue[tuple[Object, str, str, str]]) -> None:
        while True:
            obj, kind, reason, message = await queue.get()
            try:
                await self._write(obj, kind, reason, message)
            except ApiError as error:
                # A namespace that is being deleted takes no new objects; its events are nobody's loss.
                log.debug("event %s: %s", reason, error.message)
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                log.debug("event %s: %s", reason, error)

    async def _write(self, obj: Object, kind: str, reason: str, message: str) -> None:
        ns = meta.namespace(obj) or "default"
        about = (meta.uid(obj), obj.get("kind", ""), meta.name(obj), ns, obj.get("fieldPath", ""))
        fingerprint = (*about, kind, reason, message)
        seen = self._seen.get(fingerprint)
        if seen is not None:
            name, first, count = seen
            patch = {"count": count + 1, "lastTimestamp": meta.now()}
            try:
                await self._client.patch("Event", name, patch, ns)
                self._remember(fingerprint, name, first, count + 1)
                return
            except ApiError as error:
                if error.reason != "NotFound":
                    raise
        # As client-go names them: the order of names is the order in time, also within one second.
        name = f"{meta.name(obj)}.{time.time_ns():x}"
        now = meta.now()
        await self._client.create(self._event(obj, ns, name, kind, reason, message, now))
        self._remember(fingerprint, name, now, 1)

    def _event(self, obj: Object, ns: str, name: str, kind: str, reason: str, message: str, now: str) -> Object:
        involved = {
            "apiVersion": obj.get("apiVersion"),
            "kind": obj.get("kind"),
            "name": meta.name(obj),
            "uid": meta.uid(obj),
        }
        if meta.namespace(obj):
            involved["namespace"] = meta.namespace(obj)
        if obj["metadata"].get("resourceVersion"):
            involved["resourceVersion"] = obj["metadata"]["resourceVersion"]
        if obj.get("fieldPath"):
            involved["fieldPath"] = obj["fieldPath"]
        source = {"component": self._component}
        if self._host:
            source["host"] = self._host
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": ns},
            "involvedObject": involved,
            "type": kind,
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }

    def _remember(self, fingerprint: tuple[str, ...], name: str, first: str, count: int) -> None:
        self._seen[fingerprint] = (name, first, count)
        self._seen.move_to_end(fingerprint)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
