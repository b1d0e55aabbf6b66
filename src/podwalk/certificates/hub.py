"""What all controllers of the program share: caches, writes that are read back, Events, issuers.

Upstream: pkg/controller/context.go and pkg/issuer/helper.go of cert-manager.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

from podwalk.api import added, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.certificates import kinds
from podwalk.client.events import EventRecorder
from podwalk.client.informer import Informer
from podwalk.client.rest import Client

_REMEMBERED = 512


class Hub:
    """The program's view of the cluster. ``namespace`` is its own: where the Secrets of ClusterIssuers are."""

    def __init__(self, client: Client, namespace: str, pod: str = "") -> None:
        self.client, self.namespace, self._pod = client, namespace, pod
        self.informers: dict[str, Informer] = {r.kind: Informer(client, r) for r in kinds.CUSTOM}
        self.informers |= {kind: Informer(client, kind) for kind in kinds.CORE}
        self._recorders: dict[str, EventRecorder] = {}
        self._written: dict[tuple[str, str], Object] = {}
        for kind, informer in self.informers.items():
            informer.on_change(partial(self._seen, kind))

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Fill the caches and keep them true."""
        for informer in self.informers.values():
            group.create_task(informer.run())
        for informer in self.informers.values():
            await informer.synced.wait()

    # --- reading

    def get(self, kind: str, key: str) -> Object | None:
        """The newest state that is known: the cache's, or what was written a moment ago and is not there yet."""
        return self._written.get((kind, key)) or self.informers[kind].get(key)

    def _seen(self, kind: str, old: Object | None, new: Object | None) -> None:
        """The cache has caught up with a write, or what was written is gone."""
        key = kind, meta.key(new or old or {})
        written = self._written.get(key)
        if written is None:
            return
        if new is not None:
            caught_up = meta.resource_version(new) >= meta.resource_version(written)
        else:
            caught_up = meta.uid(old or {}) == meta.uid(written)
        if caught_up:
            del self._written[key]

    def _remember(self, written: Object) -> Object:
        key = str(written["kind"]), meta.key(written)
        cached = self.informers[key[0]].get(key[1])
        if cached is None or meta.resource_version(cached) < meta.resource_version(written):
            if len(self._written) >= _REMEMBERED:
                self._written.clear()
            self._written[key] = written
        return written

    def owned(self, kind: str, owner: Object) -> list[Object]:
        """The objects of a kind that an object controls, by name."""
        found = {meta.key(o): o for o in self.informers[kind].in_namespace(meta.namespace(owner))}
        found |= {key: o for (its_kind, key), o in self._written.items() if its_kind == kind}
        mine = (o for o in found.values() if (meta.controller_of(o) or {}).get("uid") == meta.uid(owner))
        return sorted(mine, key=meta.name)

    def issuer(self, ref: Object, namespace: str) -> Object | None:
        """The Issuer or ClusterIssuer that a reference names."""
        if (ref.get("kind") or "Issuer") == "ClusterIssuer":
            return self.get("ClusterIssuer", str(ref.get("name")))
        return self.get("Issuer", meta.make_key(namespace, str(ref.get("name"))))

    def secrets_of(self, issuer: Object) -> str:
        """The namespace in which an issuer's Secrets are."""
        return meta.namespace(issuer) or self.namespace

    async def secret(self, namespace: str, name: str) -> Object | None:
        """A Secret, from the server where the cache has none (it may be behind)."""
        found = self.get("Secret", meta.make_key(namespace, name))
        if found is not None:
            return found
        try:
            return await self.client.get("Secret", name, namespace)
        except ApiError as error:
            if error.reason != "NotFound":
                raise
            return None

    # --- writing

    async def create(self, obj: Object) -> Object:
        """Create an object. Raises ApiError."""
        resource = added.of(obj)
        made = await self.client.request("POST", resource.path(meta.namespace(obj) or None), body=obj)
        return self._remember(made)

    async def update(self, obj: Object, *, status: bool = True) -> Object:
        """Replace an object's status, or the object without it. Raises ApiError (Conflict where it is behind)."""
        resource = added.of(obj)
        path = resource.path(meta.namespace(obj) or None, meta.name(obj), "status" if status else None)
        return self._remember(await self.client.request("PUT", path, body=obj))

    async def apply(self, obj: Object, manager: str) -> Object:
        """Apply an object server-side, whoever has its fields. Raises ApiError."""
        written = await self.client.patch(
            added.of(obj),
            meta.name(obj),
            obj,
            meta.namespace(obj) or None,
            type="apply",
            field_manager=manager,
            force=True,
        )
        return self._remember(written)

    async def delete(self, kind: str | Resource, objects: Iterable[Object]) -> None:
        """Delete objects; what is gone already is fine. Raises ApiError."""
        for obj in objects:
            try:
                await self.client.delete(
                    kind, meta.name(obj), meta.namespace(obj) or None, propagation="Background", uid=meta.uid(obj)
                )
            except ApiError as error:
                if error.reason not in ("NotFound", "Conflict"):
                    raise

    def event(self, component: str, obj: Object, kind: str, reason: str, message: str) -> None:
        """Record an Event as one of upstream's controllers: ``certificates-trigger``, ``orders``, …"""
        name = f"cert-manager-{component}"
        if name not in self._recorders:
            self._recorders[name] = EventRecorder(self.client, name, self._pod)
        self._recorders[name].event(obj, kind, reason, message)


def set_condition(obj: Object, kind: str, status: str, reason: str, message: str) -> bool:
    """Set a condition of an object's status, with the generation that it speaks of; whether anything changed."""
    conditions = obj.setdefault("status", {}).setdefault("conditions", [])
    changed = meta.set_condition(conditions, kind, status, reason, message)
    generation = int(obj["metadata"].get("generation") or 0)
    entry: Object = next(c for c in conditions if c.get("type") == kind)
    if generation and entry.get("observedGeneration") != generation:
        entry["observedGeneration"] = generation
        changed = True
    return changed
