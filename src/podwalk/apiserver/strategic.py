"""Strategic merge patch.

Upstream: k8s.io/apimachinery/pkg/util/strategicpatch; what merges how comes from the OpenAPI extensions.
"""

from __future__ import annotations

from typing import Any

import orjson

from podwalk.api.errors import ApiError, bad_request
from podwalk.api.meta import Object
from podwalk.apiserver.schema import shapes
from podwalk.apiserver.schema.shapes import Shape

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"


def strategic_merge(obj: Object, patch: Object, api_version: str, kind: str) -> Object:
    """Apply a strategic merge patch to a copy of an object that may be changed. Raises ApiError."""
    return _merge_map(obj, patch, shapes.root(api_version, kind))


def _merge_map(original: Object, patch: Object, shape: Shape) -> Object:
    patch = dict(patch)
    match patch.pop(_DIRECTIVE, "merge"):
        case "replace":
            kept: Object = _without_directives(patch)
            return kept
        case "delete":
            return {}
        case "merge":
            pass
        case unknown:
            raise bad_request(f"Unknown patch type: {unknown} found in map")
    out = dict(original)
    if (retained := patch.pop(_RETAIN, None)) is not None:
        out = _retain(out, patch, retained)
    for field, value in patch.items():
        if field.startswith((_ORDER, _DELETE_PRIMITIVES)):
            continue
        if value is None:
            out.pop(field, None)
        else:
            out[field] = _merge_field(out.get(field), value, shape.child(field), patch.get(_ORDER + field))
    _apply_list_directives(out, patch, shape)
    return out


def _retain(out: Object, patch: Object, retained: Any) -> Object:
    if not isinstance(retained, list):
        raise bad_request("invalid patch format of retainKeys list")
    for field in patch:
        plain = field.removeprefix(_ORDER).removeprefix(_DELETE_PRIMITIVES)
        if patch[field] is not None and plain not in retained:
            raise bad_request("retainKeys list must contain all the keys in the patch")
    return {k: v for k, v in out.items() if k in retained}


def _apply_list_directives(out: Object, patch: Object, shape: Shape) -> None:
    for field, value in patch.items():
        if field.startswith(_DELETE_PRIMITIVES):
            name = field.removeprefix(_DELETE_PRIMITIVES)
            if not isinstance(value, list):
                raise bad_request("invalid patch format of $deleteFromPrimitiveList")
            if isinstance(out.get(name), list):
                out[name] = [item for item in out[name] if item not in value]
        elif field.startswith(_ORDER):
            name = field.removeprefix(_ORDER)
            if not isinstance(value, list):
                raise bad_request("invalid patch format of $setElementOrder list")
            if name not in patch and isinstance(out.get(name), list):
                child = shape.child(name)
                if "merge" in child.patch_strategies:
                    out[name] = _in_order(out[name], out[name], value, child)


def _merge_field(original: Any, value: Any, shape: Shape, order: Any) -> Any:
    if isinstance(value, dict):
        if "replace" in shape.patch_strategies or not isinstance(original, dict):
            original = {}
        return _merge_map(original, value, shape)
    if isinstance(value, list):
        if "merge" in shape.patch_strategies:
            return _merge_list(original if isinstance(original, list) else [], value, shape, order)
        return [_without_directives(item) for item in value]
    return value


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        directives = (_DIRECTIVE, _RETAIN)
        return {
            k: _without_directives(v)
            for k, v in value.items()
            if k not in directives and not k.startswith((_ORDER, _DELETE_PRIMITIVES)) and v is not None
        }
    if isinstance(value, list):
        return [
            _without_directives(item)
            for item in value
            if not (isinstance(item, dict) and item.get(_DIRECTIVE) in ("delete", "replace"))
        ]
    return value


def _merge_list(original: list[Any], patch: list[Any], shape: Shape, order: Any) -> list[Any]:
    if not any(isinstance(item, dict) for item in (*original, *patch)):
        merged = list(original)
        merged += [item for i, item in enumerate(patch) if item not in merged and item not in patch[:i]]
        return _in_order(merged, original, order if isinstance(order, list) else patch, shape)
    key = shape.patch_key
    if not key:
        raise bad_request("cannot merge a list of maps that has no merge key")
    if any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch):
        return _without_directives(patch)  # type: ignore[no-any-return]
    merged, listed = list(original), []
    element = shape.element or shapes.LEAF
    for item in patch:
        if not isinstance(item, dict):
            raise bad_request("expected a map in a list that merges by key")
        if key not in item:
            shown = orjson.dumps(item).decode()
            raise ApiError(500, "InternalError", f"map: {shown} does not contain declared merge key: {key}")
        if item.get(_DIRECTIVE) == "delete":
            merged = [m for m in merged if not _same_key(m, item, key)]
            continue
        listed.append(item)
        for index, found in enumerate(merged):
            if _same_key(found, item, key):
                merged[index] = _merge_map(found, item, element)
                break
        else:
            merged.append(_merge_map({}, item, element))
    return _in_order(merged, original, order if isinstance(order, list) else listed, shape)


def _same_key(left: Any, right: Any, key: str) -> bool:
    return isinstance(left, dict) and isinstance(right, dict) and left.get(key) == right.get(key)


def _in_order(merged: list[Any], server: list[Any], order: list[Any], shape: Shape) -> list[Any]:
    """Items that ``order`` names come in its order; the others keep their places relative to the server's list."""
    key = shape.patch_key

    def identity(item: Any) -> str:
        told = item.get(key) if isinstance(item, dict) else item
        return orjson.dumps(told).decode()

    wanted = {identity(item): i for i, item in reversed(list(enumerate(order)))}
    known = {identity(item): i for i, item in reversed(list(enumerate(server)))}
    named = sorted((m for m in merged if identity(m) in wanted), key=lambda m: wanted[identity(m)])
    rest = [m for m in merged if identity(m) not in wanted]
    out = []
    while named and rest:
        left, right = known.get(identity(rest[0])), known.get(identity(named[0]))
        before = left is not None and right is not None and left < right
        out.append((rest if before else named).pop(0))
    return out + rest + named
