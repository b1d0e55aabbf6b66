"""Creating and deleting Pods for an owner: what the loops of workloads share.

Upstream: RealPodControl and slowStartBatch of pkg/controller, and the ref managers of controller_ref_manager.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.events import EventRecorder
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.controllers import indexes, ownership
from podwalk.controllers import pods as podutil
from podwalk.controllers.writes import Writes

BURST = 500
# Requests in flight for one owner: more would only open more connections to the same process.
_IN_FLIGHT = 32


class PodControl:
    """Writes Pods for the owners of one loop, notes the writes and records the events that upstream records."""

    def __init__(self, client: Client, writes: Writes, events: EventRecorder) -> None:
        self.client = client
        self.writes = writes
        self.events = events

    async def create(self, key: str, owner: Object, pod: Object) -> ApiError | None:
        """Create one Pod; the error, if there was one, is the answer and an event."""
        try:
            made = await self.client.create(pod)
        except ApiError as error:
            if not ownership.is_namespace_terminating(error):
                self.events.event(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
            return error
        self.writes.note(key, made)
        self.events.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {meta.name(made)}")
        return None

    async def create_all(self, key: str, owner: Object, pods: list[Object]) -> tuple[int, ApiError | None]:
        """Create Pods in batches that double; how many were made, and the first error.

        Where a create cannot succeed, it fails once and not a hundred times.
        """
        rest, size, made = pods[:BURST], 1, 0
        while rest:
            batch, rest = rest[:size], rest[size:]
            errors = await asyncio.gather(*(self.create(key, owner, pod) for pod in batch))
            failed = [e for e in errors if e is not None]
            made += len(batch) - len(failed)
            if failed:
                return made, failed[0]
            size = min(size * 2, _IN_FLIGHT)
        return made, None

    async def delete(self, key: str, owner: Object, pod: Object) -> ApiError | None:
        """Delete one Pod; one that is gone already is fine."""
        self.writes.note_deleted(key, meta.key(pod))
        try:
            await self.client.delete("Pod", meta.name(pod), meta.namespace(pod), uid=meta.uid(pod))
        except ApiError as error:
            if error.reason == "NotFound":
                return None
            self.writes.forget(key)
            self.events.event(owner, "Warning", "FailedDelete", f"Error deleting: {error.message}")
            return error
        self.events.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")
        return None

    async def delete_all(self, key: str, owner: Object, pods: Iterable[Object]) -> ApiError | None:
        """Delete Pods, some at a time; the first error is the answer."""
        rest, found = list(pods), None
        while rest:
            batch, rest = rest[:_IN_FLIGHT], rest[_IN_FLIGHT:]
            errors = await asyncio.gather(*(self.delete(key, owner, pod) for pod in batch))
            found = found or next((e for e in errors if e is not None), None)
        return found


async def claim(
    writes: Writes,
    client: Client,
    informer: Informer,
    key: str,
    owner: Object,
    matches: Callable[[dict[str, str]], bool],
    *,
    may_adopt: Callable[[Object], bool] = podutil.is_active,
) -> list[Object]:
    """The objects of ``owner``: orphans that match are taken, its own that match no longer are let go.

    ``informer`` needs the owner indices. An owner that is being deleted keeps what it has and takes nothing.
    """
    kind, leaving, out = informer.resource.kind, meta.is_deleting(owner), []
    for obj in indexes.owned_by(informer, owner):
        if leaving or matches(meta.labels(obj)):
            out.append(obj)
        else:
            await ownership.release(client, kind, obj, owner)
    if leaving:
        return out
    for obj in indexes.orphans(informer, meta.namespace(owner)):
        if matches(meta.labels(obj)) and may_adopt(obj):
            taken = await ownership.adopt(client, kind, obj, owner)
            if taken is not None:
                writes.note(key, taken)
                out.append(taken)
    return out
