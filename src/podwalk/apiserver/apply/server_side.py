"""Server-side apply.

Upstream: structured-merge-diff's merge.Updater.Apply and k8s.io/apimachinery/pkg/util/managedfields.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from podwalk.api import meta
from podwalk.api.errors import ApiError, bad_request
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.apply import fieldset, managed
from podwalk.apiserver.apply.fieldset import FieldSet, Path
from podwalk.apiserver.apply.managed import Entry
from podwalk.apiserver.schema import shapes
from podwalk.apiserver.schema.shapes import Shape

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def apply(
    resource: Resource, live: Object, config: Object, manager: str, *, force: bool, subresource: str = ""
) -> Object:
    """The live object (empty where there is none yet) with the applied configuration merged in.

    Its managedFields tell the new owners. Raises ApiError (409) with one cause for each field that another manager
    owns and that would change, unless ``force``.
    """
    if (config.get("metadata") or {}).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    shape = shapes.of(resource)
    part = managed.owned_part(resource, config, subresource)
    wanted = fieldset.field_set(part, shape)
    wanted = frozenset(p for p in wanted if p not in (("f:metadata",), ("f:spec",), ("f:status",)))
    merged: Object = _merge(live, {**config, **_identity(live, config)}, shape) if live else config
    entries = managed.read(live)
    identity = (manager, "Apply", resource.api_version, subresource)
    mine = next((e for e in entries if e.identity == identity), None)
    others = [e for e in entries if e.identity != identity]
    if live:
        before = managed.owned_part(resource, live, subresource)
        changed = fieldset.compare(before, managed.owned_part(resource, merged, subresource), shape).changed
        others = _settle(others, changed & wanted, manager, live, shape, force=force)
    if mine is not None:
        _prune(merged, shape, mine.fields - wanted, others, wanted)
    unchanged = mine is not None and mine.fields == wanted
    time = mine.time if mine is not None and unchanged else meta.now()
    managed.write(merged, [*others, Entry(manager, "Apply", resource.api_version, time, wanted, subresource)])
    return merged


def _identity(live: Object, config: Object) -> Object:
    metadata = dict(config.get("metadata") or {})
    # An applied object without a resourceVersion takes the live one; uid, times and the like are never applied.
    for name in ("creationTimestamp", "uid", "generation", "managedFields", "selfLink"):
        if name not in ("uid",) or not metadata.get("uid"):
            metadata.pop(name, None)
    return {"metadata": metadata}


def _merge(live: Any, config: Any, shape: Shape) -> Any:
    if fieldset.is_leaf(config, shape) or type(live) is not type(config):
        return config
    if isinstance(config, dict):
        out = dict(live)
        for name, value in config.items():
            out[name] = _merge(live[name], value, shape.child(name)) if name in live else value
        return out
    element_shape = shape.element or shapes.LEAF
    applied = {fieldset.item_element(item, shape): item for item in config}
    present = {fieldset.item_element(item, shape): item for item in live}
    merged = {
        element: _merge(present[element], item, element_shape) if element in present else item
        for element, item in applied.items()
    }
    return _in_order(present, applied, merged)


def _in_order(present: dict[Any, Any], applied: dict[Any, Any], merged: dict[Any, Any]) -> list[Any]:
    """The applied items in their own order; the others stay where they stood relative to them."""
    out: list[Any] = []
    waiting = list(applied)
    for element, item in present.items():
        if element not in applied:
            out.append(item)
            continue
        if element in waiting:
            upto = waiting.index(element) + 1
            out += [merged[e] for e in waiting[:upto]]
            waiting = waiting[upto:]
    return out + [merged[e] for e in waiting]


def _settle(
    others: list[Entry], changed: set[Path] | FieldSet, manager: str, live: Object, shape: Shape, *, force: bool
) -> list[Entry]:
    conflicts = [(entry, sorted(entry.fields & changed)) for entry in others]
    conflicts = [(entry, paths) for entry, paths in conflicts if paths]
    if conflicts and not force:
        last = _last_applied(live, shape) if manager == "kubectl" else fieldset.EMPTY
        # kubectl's own client-side apply before this: what it owned through its annotation is taken over in silence.
        left = [(entry, [p for p in paths if p not in last]) for entry, paths in conflicts]
        left = [(entry, paths) for entry, paths in left if paths]
        if left:
            raise _conflict(left)
    return [replace(entry, fields=entry.fields - frozenset(changed)) for entry in others]


def _last_applied(live: Object, shape: Shape) -> FieldSet:
    text = meta.annotations(live).get(_LAST_APPLIED)
    if not text:
        return fieldset.EMPTY
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return fieldset.EMPTY
    return fieldset.field_set(found, shape) if isinstance(found, dict) else fieldset.EMPTY


def _print_manager(entry: Entry) -> str:
    who = f'"{entry.manager}"'
    if entry.subresource:
        who += f' with subresource "{entry.subresource}"'
    if entry.operation == "Update":
        who += f" using {entry.api_version} at {entry.time}"
    return who


def _conflict(conflicts: list[tuple[Entry, list[Path]]]) -> ApiError:
    causes, lines = [], []
    for entry, paths in conflicts:
        who = _print_manager(entry)
        lines.append(f"conflicts with {who}:")
        for path in paths:
            shown = fieldset.show(path)
            lines.append(f"- {shown}")
            causes.append({"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": shown})
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", message, {"causes": causes})


def _prune(merged: Object, shape: Shape, given_up: FieldSet, others: list[Entry], wanted: FieldSet) -> None:
    """Remove what this manager no longer applies and nobody else owns."""
    owned = {path for entry in others for path in entry.fields} | wanted
    needed = {path[:depth] for path in owned for depth in range(1, len(path) + 1)}
    gone: set[Path] = set()
    # Outermost first: an item of a list is found by its keys, so it goes before they do.
    for path in sorted(given_up, key=len):
        if path not in needed and not any(path[:depth] in gone for depth in range(1, len(path))):
            fieldset.remove_path(merged, shape, path)
            gone.add(path)
