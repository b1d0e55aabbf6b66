"""Deletes what its owners left behind. Stands in for pkg/controller/garbagecollector.

The graph of owners and dependents is kept by UID from the informers of all kinds. Before anything is deleted, an owner
that the graph does not know is asked for at the API server: caches of different kinds are not equally fresh.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import RESOURCES, Resource
from podwalk.client.informer import Handler
from podwalk.controllers.context import Context, Controller

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Item:
    """A node of the graph."""

    resource: Resource
    obj: Object

    @property
    def uid(self) -> str:
        """Its UID."""
        return meta.uid(self.obj)

    @property
    def owners(self) -> list[Object]:
        """Its ownerReferences."""
        return list(self.obj["metadata"].get("ownerReferences") or ())

    def has_finalizer(self, name: str) -> bool:
        """Whether this finalizer holds it."""
        return name in (self.obj["metadata"].get("finalizers") or ())

    def waits_for_dependents(self) -> bool:
        """Whether it is being deleted in the foreground."""
        return meta.is_deleting(self.obj) and self.has_finalizer(FOREGROUND)

    def blocks(self, owner_uid: str) -> bool:
        """Whether its owner's foreground deletion waits for it."""
        return any(r.get("uid") == owner_uid and r.get("blockOwnerDeletion") for r in self.owners)


@dataclass
class Verdict:
    """An object's owners: those that hold it, those that are gone, those that wait for it to go."""

    solid: list[Object] = field(default_factory=list)
    dangling: list[Object] = field(default_factory=list)
    waiting: list[Object] = field(default_factory=list)


class Graph:
    """Who owns whom, by UID."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self._dependents: dict[str, set[str]] = defaultdict(set)
        self._absent: OrderedDict[str, None] = OrderedDict()

    def put(self, item: Item) -> None:
        """Add or replace an object."""
        old = self.items.get(item.uid)
        before = {r["uid"] for r in old.owners} if old is not None else set()
        after = {r["uid"] for r in item.owners}
        self.items[item.uid] = item
        for gone in before - after:
            self._unlink(gone, item.uid)
        for new in after - before:
            self._dependents[new].add(item.uid)

    def remove(self, item: Item) -> None:
        """Take an object out; its UID is known to be absent from now on."""
        self.items.pop(item.uid, None)
        for ref in item.owners:
            self._unlink(ref["uid"], item.uid)
        self.remember_absent(item.uid)

    def _unlink(self, owner: str, dependent: str) -> None:
        self._dependents[owner].discard(dependent)
        if not self._dependents[owner]:
            del self._dependents[owner]

    def dependents(self, uid: str) -> list[Item]:
        """The objects that name this UID as an owner."""
        return [self.items[d] for d in self._dependents.get(uid, ()) if d in self.items]

    def remember_absent(self, uid: str) -> None:
        """Note that no object has this UID (UIDs never come back)."""
        self._absent[uid] = None
        while len(self._absent) > _REMEMBERED:
            self._absent.popitem(last=False)

    def is_absent(self, uid: str) -> bool:
        """Whether the UID is known to be gone."""
        return uid in self._absent


class GarbageCollector(Controller):
    """Keys are UIDs."""

    name = "garbage-collector-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.graph = Graph()
        for resource in RESOURCES:
            if resource.kind != "Event":
                self.informer(resource.kind).on_change(self._handler(resource))
        context.custom.on_change(self._kind_changed)

    def _kind_changed(self, resource: Resource, served: bool) -> None:
        if served:
            self.context.informers.informer(resource).on_change(self._handler(resource))

    def _handler(self, resource: Resource) -> Handler:
        def changed(old: Object | None, new: Object | None) -> None:
            # A name that was deleted and made again while nobody watched is two objects.
            if old is not None and (new is None or meta.uid(new) != meta.uid(old)):
                self._removed(Item(resource, old))
            if new is not None:
                self._stored(Item(resource, new))

        return changed

    def _removed(self, item: Item) -> None:
        dependents = self.graph.dependents(item.uid)
        self.graph.remove(item)
        for dependent in dependents:
            self.enqueue(dependent.uid)
        for ref in item.owners:
            owner = self.graph.items.get(ref["uid"])
            if owner is not None and owner.waits_for_dependents():
                self.enqueue(owner.uid)

    def _stored(self, item: Item) -> None:
        old = self.graph.items.get(item.uid)
        self.graph.put(item)
        if meta.is_deleting(item.obj):
            if item.has_finalizer(ORPHAN) or item.has_finalizer(FOREGROUND):
                self.enqueue(item.uid)
        elif old is None or old.owners != item.owners:
            for ref in item.owners:
                owner = self.graph.items.get(ref["uid"])
                if owner is None or owner.waits_for_dependents():
                    self.enqueue(item.uid)
        if old is not None and old.owners != item.owners:
            for ref in old.owners:
                owner = self.graph.items.get(ref["uid"])
                if owner is not None and owner.waits_for_dependents():
                    self.enqueue(owner.uid)

    async def reconcile(self, key: str) -> None:
        """Decide about one object. Raises ApiError (then retried)."""
        item = self.graph.items.get(key)
        if item is None:
            return
        if meta.is_deleting(item.obj):
            if item.has_finalizer(ORPHAN):
                await self._orphan_dependents(item)
            elif item.has_finalizer(FOREGROUND):
                await self._delete_dependents_first(item)
            return
        if not item.owners:
            return
        verdict = await self._judge(item)
        gone = verdict.dangling + verdict.waiting
        if verdict.solid:
            if gone:
                await self._drop_owners(item, {r["uid"] for r in gone})
        elif verdict.waiting and self.graph.dependents(item.uid):
            await self._delete(item, "Foreground")
        elif gone:
            await self._delete(item, "Background")

    async def _judge(self, item: Item) -> Verdict:
        verdict = Verdict()
        for ref in item.owners:
            owner = self.graph.items.get(ref["uid"])
            if owner is not None and self._could_own(owner.resource, owner.obj, item):
                (verdict.waiting if owner.waits_for_dependents() else verdict.solid).append(ref)
            elif self.graph.is_absent(ref["uid"]):
                verdict.dangling.append(ref)
            else:
                await self._ask(ref, item, verdict)
        return verdict

    @staticmethod
    def _could_own(resource: Resource, owner: Object, item: Item) -> bool:
        return not resource.namespaced or meta.namespace(owner) == meta.namespace(item.obj)

    async def _ask(self, ref: Object, item: Item, verdict: Verdict) -> None:
        try:
            resource = self.context.custom.find(str(ref.get("apiVersion")), str(ref.get("kind")))
        except KeyError:
            verdict.solid.append(ref)  # of a kind that is not served here: nobody can say that it is gone
            return
        namespace = meta.namespace(item.obj) if resource.namespaced else None
        try:
            found = await self.client.get(resource, ref["name"], namespace)
        except ApiError as error:
            if error.reason != "NotFound":
                raise
            found = None
        if found is None or meta.uid(found) != ref["uid"]:
            if namespace or not resource.namespaced:
                self.graph.remember_absent(ref["uid"])
            verdict.dangling.append(ref)
        else:
            owner = Item(resource, found)
            (verdict.waiting if owner.waits_for_dependents() else verdict.solid).append(ref)

    async def _delete_dependents_first(self, item: Item) -> None:
        dependents = self.graph.dependents(item.uid)
        for dependent in dependents:
            if not meta.is_deleting(dependent.obj):
                self.enqueue(dependent.uid)
        if not any(d.blocks(item.uid) for d in dependents):
            await self._remove_finalizer(item, FOREGROUND)

    async def _orphan_dependents(self, item: Item) -> None:
        for dependent in self.graph.dependents(item.uid):
            await self._drop_owners(dependent, {item.uid})
        await self._remove_finalizer(item, ORPHAN)

    async def _drop_owners(self, item: Item, uids: Iterable[str]) -> None:
        refs = [r for r in item.owners if r["uid"] not in uids]
        await self._patch_metadata(item, {"ownerReferences": refs or None})

    async def _remove_finalizer(self, item: Item, name: str) -> None:
        kept = [f for f in item.obj["metadata"].get("finalizers") or () if f != name]
        await self._patch_metadata(item, {"finalizers": kept or None})

    async def _patch_metadata(self, item: Item, fields: Object) -> None:
        """Patch what the graph showed; a Conflict is retried when the graph has the newer object."""
        version = item.obj["metadata"].get("resourceVersion")
        patch = {"metadata": {"uid": item.uid, "resourceVersion": version, **fields}}
        try:
            await self.client.patch(item.resource, meta.name(item.obj), patch, meta.namespace(item.obj) or None)
        except ApiError as error:
            if error.reason != "NotFound":
                raise

    async def _delete(self, item: Item, propagation: str) -> None:
        if item.has_finalizer(ORPHAN):
            propagation = "Orphan"
        try:
            await self.client.delete(
                item.resource,
                meta.name(item.obj),
                meta.namespace(item.obj) or None,
                propagation=propagation,
                uid=item.uid,
            )
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise
