"""managedFields: which manager owns which field, after an update.

Upstream: k8s.io/apimachinery/pkg/util/managedfields (and structured-merge-diff's merge.Updater.Update).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.apply import fieldset
from podwalk.apiserver.apply.fieldset import FieldSet, Path
from podwalk.apiserver.schema import shapes
from podwalk.apiserver.schema.definitions import definition_of

_STRIPPED_META = (
    "name", "namespace", "creationTimestamp", "selfLink", "uid", "resourceVersion", "generation", "managedFields",
    "deletionTimestamp", "deletionGracePeriodSeconds", "generateName",
)  # fmt: skip

# Fields that admission and allocation fill in after the owners have been noted: nobody owns them unless he sent them.
_ADMITTED: dict[str, tuple[Path, ...]] = {
    "Service": tuple(
        ("f:spec", f"f:{name}")
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort")
    ),
    "Pod": tuple(
        ("f:spec", f"f:{name}")
        for name in ("serviceAccount", "serviceAccountName", "tolerations", "volumes", "priority", "preemptionPolicy")
    ),
    "Namespace": (("f:spec",),),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One manager's entry. ``operation`` is "Apply" or "Update"."""

    manager: str
    operation: str
    api_version: str
    time: str
    fields: FieldSet
    subresource: str = ""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What tells entries apart."""
        return self.manager, self.operation, self.api_version, self.subresource


def read(obj: Object | None) -> list[Entry]:
    """The entries of an object; none where they cannot be read."""
    out = []
    for raw in ((obj or {}).get("metadata") or {}).get("managedFields") or ():
        if not isinstance(raw, dict) or not raw.get("operation"):
            continue
        fields = raw.get("fieldsV1")
        out.append(
            Entry(
                raw.get("manager") or "",
                raw["operation"],
                raw.get("apiVersion") or "",
                raw.get("time") or meta.now(),
                fieldset.decode(fields) if isinstance(fields, dict) else fieldset.EMPTY,
                raw.get("subresource") or "",
            )
        )
    return out


def write(obj: Object, entries: list[Entry]) -> None:
    """Put the entries into an object, in their order: by operation, time and manager."""
    shown = []
    for entry in sorted((e for e in entries if e.fields), key=lambda e: (e.operation, e.time, e.manager)):
        raw: dict[str, Any] = {
            "manager": entry.manager,
            "operation": entry.operation,
            "apiVersion": entry.api_version,
            "time": entry.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldset.encode(entry.fields),
        }
        if entry.subresource:
            raw["subresource"] = entry.subresource
        shown.append(raw)
    if shown:
        obj["metadata"]["managedFields"] = shown
    else:
        obj["metadata"].pop("managedFields", None)


def owned_part(resource: Resource, obj: Object, subresource: str = "") -> Object:
    """The part of an object whose fields have owners, as written through the object or one of its parts."""
    out = {k: v for k, v in obj.items() if k not in ("kind", "apiVersion", "metadata")}
    if subresource == "status":
        out = {k: v for k, v in out.items() if k == "status"}
    elif "status" in resource.subresources and resource.kind != "Node":
        out.pop("status", None)
    metadata = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in _STRIPPED_META}
    out["metadata"] = metadata
    return out


def _base(resource: Resource, new: Object, old: Object | None) -> list[Entry]:
    sent = new["metadata"].get("managedFields")
    if sent is None or sent == []:
        return read(old)
    return read(new)


def _admitted(resource: Resource, sent: Object | None, changed: set[Path]) -> set[Path]:
    prefixes = _ADMITTED.get(resource.kind, ())
    if not prefixes or sent is None:
        return set()
    shape = shapes.of(resource)
    named = fieldset.field_set(sent, shape)
    given = {path[: len(prefix)] for path in named for prefix in prefixes}
    dropped = {p for p in changed for prefix in prefixes if p[: len(prefix)] == prefix and prefix not in given}
    if resource.kind == "Pod":
        mounts = {p for p in changed if "f:volumeMounts" in p}
        above = {path[:end] for path in named for end in range(1, len(path) + 1)} if mounts else set()
        dropped |= mounts - above
    if resource.kind == "Service":
        dropped |= {p for p in changed if p[-1] == "f:nodePort" and p not in named}
    return dropped


def track(
    resource: Resource, old: Object | None, new: Object, manager: str, subresource: str = "", sent: Object | None = None
) -> None:
    """Note in ``new`` that ``manager`` owns what it changed, and that what it took away is nobody's.

    ``sent`` is the object as its writer sent it, on creation: the defaults are his too, what admission adds is not.
    """
    shape = shapes.of(resource)
    if old is None:
        definition = definition_of(resource.api_version, resource.kind)
        before: Object = fieldset.zero(definition) if definition else {}
        before = owned_part(resource, before, subresource)
    else:
        before = owned_part(resource, old, subresource)
    found = fieldset.compare(before, owned_part(resource, new, subresource), shape)
    changed = {p for p in found.changed if len(p) > 1 or p[0] != "f:metadata"}
    changed -= _admitted(resource, sent, changed)
    entries = _base(resource, new, old)
    if not changed and not found.removed:
        write(new, entries)
        return
    identity = (manager, "Update", resource.api_version, subresource)
    kept, own = [], fieldset.EMPTY
    for entry in entries:
        fields = fieldset.without(entry.fields, found.removed)
        if entry.identity == identity:
            own = fields
        else:
            kept.append(replace(entry, fields=fields - changed))
    mine = own | frozenset(changed)
    was = next((e for e in entries if e.identity == identity), None)
    time = was.time if was is not None and was.fields == mine else meta.now()
    write(new, [*kept, Entry(manager, "Update", resource.api_version, time, mine, subresource)])
