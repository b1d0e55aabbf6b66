"""The kinds that CustomResourceDefinitions bring: loops that care for every kind must care for them too.

Upstream: the discovery client that the garbage collector and the namespace controller ask again and again. Here the
definitions themselves are watched.
"""

from __future__ import annotations

from collections.abc import Callable

from podwalk.api import meta, resources
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.client.informer import InformerFactory

# listener(resource, served): a kind begins or ceases to be served.
Listener = Callable[[Resource, bool], None]


def resource_of(definition: Object) -> Resource | None:
    """The resource that a definition serves (its first served version), or None where it serves none yet. Pure."""
    if not meta.condition_is_true(definition, "Established"):
        return None
    spec = definition["spec"]
    version = next((v["name"] for v in spec.get("versions") or () if v.get("served")), None)
    if version is None:
        return None
    names = (definition.get("status") or {}).get("acceptedNames") or spec["names"]
    kind, plural = str(names["kind"]), str(names["plural"])
    singular = str(names.get("singular") or kind.lower())
    return Resource(spec["group"], version, kind, plural, singular, spec.get("scope") == "Namespaced")


class CustomKinds:
    """Which custom kinds are served now."""

    def __init__(self, informers: InformerFactory) -> None:
        self._informers = informers
        self._served: dict[str, Resource] = {}
        self._listeners: list[Listener] = []
        informers.informer("CustomResourceDefinition").on_change(self._changed)

    def on_change(self, listener: Listener) -> None:
        """Call ``listener`` for every kind that comes or goes, and at once for those that are there."""
        self._listeners.append(listener)
        for resource in list(self._served.values()):
            listener(resource, True)

    def all(self) -> list[Resource]:
        """The custom resources that are served."""
        return list(self._served.values())

    def find(self, api_version: str, kind: str) -> Resource:
        """The resource of an ownerReference, built in or custom. Raises KeyError where none is served."""
        try:
            return resources.of({"apiVersion": api_version, "kind": kind})
        except KeyError:
            group = api_version.rpartition("/")[0]
            found = next((r for r in self._served.values() if (r.group, r.kind) == (group, kind)), None)
            if found is None:
                raise
            return found

    def _changed(self, old: Object | None, new: Object | None) -> None:
        name = meta.name(new or old or {})
        before = self._served.get(name)
        after = resource_of(new) if new is not None else None
        if before == after:
            return
        if before is not None:
            del self._served[name]
            for listener in self._listeners:
                listener(before, False)
            self._informers.drop(before)
        if after is not None:
            self._served[name] = after
            for listener in self._listeners:
                listener(after, True)
