"""Empties a namespace that is being deleted, then lets it go. Stands in for pkg/controller/namespace."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import RESOURCES, Resource
from podwalk.controllers.context import Context, Controller

FINALIZER = "kubernetes"
_CONTENT = tuple(r for r in RESOURCES if r.namespaced)
# A deletion that the watch does not show; everything else comes as an event.
_LOOK_AGAIN_SECONDS = 5.0
_FINE = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


def conditions(
    current: Iterable[Object], remaining: dict[Resource, list[Object]], errors: Iterable[str] = ()
) -> list[Object]:
    """The conditions of a terminating namespace in which these objects remain. Pure."""
    found: dict[str, tuple[str, str, str]] = {k: ("False", *texts) for k, texts in _FINE.items()}
    failed = sorted(errors)
    if failed:
        text = f"Failed to delete all resource types, {len(failed)} remaining: {', '.join(failed)}"
        found["NamespaceDeletionContentFailure"] = ("True", "ContentDeletionFailed", text)
    counts = sorted(f"{r.plural}.{r.group} has {len(objs)} resource instances" for r, objs in remaining.items() if objs)
    if counts:
        text = f"Some resources are remaining: {', '.join(counts)}"
        found["NamespaceContentRemaining"] = ("True", "SomeResourcesRemain", text)
    finalizers = Counter(f for objs in remaining.values() for o in objs for f in o["metadata"].get("finalizers") or ())
    if finalizers:
        listed = ", ".join(sorted(f"{name} in {count} resource instances" for name, count in finalizers.items()))
        text = f"Some content in the namespace has finalizers remaining: {listed}"
        found["NamespaceFinalizersRemaining"] = ("True", "SomeFinalizersRemain", text)
    out = copy.deepcopy(list(current))
    for kind, (value, reason, message) in found.items():
        meta.set_condition(out, kind, value, reason, message)
    return out


class NamespaceController(Controller):
    """Keys are namespaces."""

    name = "namespace-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = self.informer("Namespace")
        self._namespaces.on_change(self._namespace_changed)
        for resource in _CONTENT:
            if resource.kind != "Event":  # deleting Events makes no work for anybody
                self.informer(resource.kind).on_change(self._content_changed)
        context.custom.on_change(self._kind_changed)

    def _kind_changed(self, resource: Resource, served: bool) -> None:
        if served and resource.namespaced:
            self.context.informers.informer(resource).on_change(self._content_changed)

    def _namespace_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and meta.is_deleting(new):
            self.enqueue(meta.name(new))

    def _content_changed(self, old: Object | None, new: Object | None) -> None:
        namespace = self._namespaces.get(meta.namespace(new or old or {}))
        if namespace is not None and meta.is_deleting(namespace) and (new is None or old is None):
            self.enqueue(meta.name(namespace))

    async def reconcile(self, key: str) -> None:
        """Delete what is in a terminating namespace; finalize it once it is empty. Raises ApiError (then retried)."""
        cached = self._namespaces.get(key)
        if cached is None or not meta.is_deleting(cached):
            return
        # The cache may still show a namespace whose name belongs to a new one already: empty that, and the new one's
        # objects are gone.
        namespace = await self._still(cached)
        if namespace is None:
            return
        if FINALIZER not in (namespace["spec"].get("finalizers") or ()):
            return
        errors: list[str] = []
        # Pods first: they must not outlive the policies and the accounts that they run under.
        remaining = await self._delete_all(key, [r for r in _CONTENT if r.kind == "Pod"], errors)
        if not remaining and not errors:
            others = [r for r in _CONTENT if r.kind != "Pod"]
            others += [r for r in self.context.custom.all() if r.namespaced]
            remaining = await self._delete_all(key, others, errors)
        if remaining or errors:
            await self._write_conditions(key, namespace, conditions(_conditions(namespace), remaining, errors))
            self.enqueue_after(key, _LOOK_AGAIN_SECONDS)
        else:
            await self._finalize(namespace)

    async def _delete_all(
        self, namespace: str, resources: Iterable[Resource], errors: list[str]
    ) -> dict[Resource, list[Object]]:
        remaining = {}
        for resource in resources:
            try:
                items = (await self.client.list(resource, namespace))["items"]
            except ApiError as error:
                if error.reason != "NotFound":
                    raise
                continue  # a custom kind that has just gone
            if any(not meta.is_deleting(item) for item in items):
                try:
                    await self.client.request("DELETE", resource.path(namespace))
                except ApiError as error:
                    errors.append(error.message)
                items = (await self.client.list(resource, namespace))["items"]
            if items:
                remaining[resource] = items
        return remaining

    async def _write_conditions(self, key: str, namespace: Object, wanted: list[Object]) -> None:
        if wanted == _conditions(namespace):
            return
        patch = {"status": {"phase": "Terminating", "conditions": wanted}}
        await self.client.patch("Namespace", key, patch, subresource="status")

    async def _still(self, namespace: Object) -> Object | None:
        """The namespace as it is now, or None where it is gone, or where a new one has its name."""
        try:
            fresh = await self.client.get("Namespace", meta.name(namespace))
        except ApiError as error:
            if error.reason == "NotFound":
                return None
            raise
        same = meta.uid(fresh) == meta.uid(namespace) and meta.is_deleting(fresh)
        return {**fresh, "apiVersion": "v1", "kind": "Namespace"} if same else None

    async def _finalize(self, namespace: Object) -> None:
        done = copy.deepcopy(namespace)
        done.update(apiVersion="v1", kind="Namespace")
        done["spec"]["finalizers"] = [f for f in done["spec"]["finalizers"] if f != FINALIZER]
        try:
            await self.client.update(done, subresource="finalize")
        except ApiError as error:
            if error.reason == "Conflict":
                # Our own conditions may have been written meanwhile.
                fresh = await self._still(namespace)
                if fresh is not None:
                    fresh["spec"]["finalizers"] = done["spec"]["finalizers"]
                    await self.client.update(fresh, subresource="finalize")
            elif error.reason != "NotFound":
                raise


def _conditions(namespace: Object) -> list[Object]:
    return list((namespace.get("status") or {}).get("conditions") or ())
