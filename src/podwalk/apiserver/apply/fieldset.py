"""Sets of field paths, as managedFields writes them (FieldsV1), and comparisons of objects that give such sets.

Upstream: sigs.k8s.io/structured-merge-diff (fieldpath, typed). A path is a tuple of elements in their written form:
``f:name`` for a field or a map's entry, ``k:{...}`` for an item of a list by its keys, ``v:...`` for one of a set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from podwalk.api.meta import Object
from podwalk.apiserver.schema import definitions
from podwalk.apiserver.schema.shapes import Shape

Path = tuple[str, ...]
FieldSet = frozenset[Path]

EMPTY: FieldSet = frozenset()

# Keys of list items that the schema gives a default; an applied item may leave them out.
_KEY_DEFAULTS = {"protocol": "TCP"}
_ABSENT = object()


def decode(fields: Object) -> FieldSet:
    """FieldsV1 as a set of paths."""
    found: set[Path] = set()
    _decode(fields, (), found)
    return frozenset(found)


def _decode(node: Object, path: Path, found: set[Path]) -> None:
    for element, below in node.items():
        if element == ".":
            found.add(path)
        elif isinstance(below, dict) and below:
            _decode(below, (*path, element), found)
        else:
            found.add((*path, element))


def encode(paths: FieldSet) -> Object:
    """A set of paths as FieldsV1."""
    tree: Object = {}
    for path in sorted(paths):
        at = tree
        for element in path:
            at = at.setdefault(element, {})
        at["."] = {}
    return _tidy(tree)


def _tidy(tree: Object) -> Object:
    if list(tree) == ["."]:
        return {}
    return {element: _tidy(below) for element, below in sorted(tree.items())}


def item_element(item: Any, shape: Shape) -> str | None:
    """The path element of a list's item; None where it cannot be told apart from others."""
    if shape.list_type == "set":
        return "v:" + orjson.dumps(item).decode()
    if not isinstance(item, dict):
        return None
    keys = {}
    for key in shape.keys:
        value = item.get(key, _KEY_DEFAULTS.get(key))
        if value is not None:
            keys[key] = value
    return "k:" + orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode() if keys else None


def is_leaf(value: Any, shape: Shape) -> bool:
    """Whether a value is owned as a whole."""
    if shape.atomic or shape.kind == "leaf":
        return True
    if isinstance(value, dict):
        return shape.kind not in ("struct", "map")
    if isinstance(value, list):
        return shape.kind != "list" or shape.list_type not in ("map", "set")
    return True


def children(value: Any, shape: Shape) -> Iterator[tuple[str, Any, Shape]]:
    """(element, value, shape) of everything directly below a value that is no leaf."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield f"f:{name}", child, shape.child(name)
    elif isinstance(value, list) and shape.element is not None:
        for item in value:
            element = item_element(item, shape)
            if element is not None:
                yield element, item, shape.element


def field_set(value: Any, shape: Shape) -> FieldSet:
    """The fields that an applied object names."""
    found: set[Path] = set()
    _collect(value, shape, (), found)
    return frozenset(found)


def _collect(value: Any, shape: Shape, path: Path, found: set[Path]) -> None:
    if is_leaf(value, shape) or not value:
        if path:
            found.add(path)
        return
    if path and path[-1][0] == "k":
        found.add(path)
    for element, child, child_shape in children(value, shape):
        _collect(child, child_shape, (*path, element), found)


@dataclass(slots=True)
class Comparison:
    """What differs between two objects: paths that were added or changed, and paths that went away."""

    changed: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compare(old: Any, new: Any, shape: Shape) -> Comparison:
    """Compare two objects of a shape."""
    found = Comparison()
    _compare(old, new, shape, (), found)
    return found


def _compare(old: Any, new: Any, shape: Shape, path: Path, found: Comparison) -> None:
    if new is _ABSENT or new is None:
        if old is not _ABSENT and old is not None and path:
            found.removed.add(path)
        return
    if is_leaf(new, shape):
        if old is _ABSENT or old != new:
            found.changed.add(path)
        return
    if old is _ABSENT and path:
        found.changed.add(path)
    before = {} if old is _ABSENT or old is None else {e: c for e, c, _ in children(old, shape)}
    seen = set()
    for element, child, child_shape in children(new, shape):
        seen.add(element)
        _compare(before.get(element, _ABSENT), child, child_shape, (*path, element), found)
    for element, child in before.items():
        if element not in seen and child is not None:
            found.removed.add((*path, element))


def without(paths: FieldSet, gone: set[Path]) -> FieldSet:
    """The paths that are not ``gone`` and not below one that is."""
    if not gone:
        return paths
    return frozenset(p for p in paths if not any(p[:depth] in gone for depth in range(1, len(p) + 1)))


def zero(definition: str) -> Object:
    """The zero value of a Go struct as JSON: what a new object is compared with on creation."""
    out: Object = {}
    for name, declared in definitions.fields(definition).items():
        if declared.pointer:
            continue
        collection = declared.repeated or declared.is_map
        if declared.wire == "m" and not collection:
            if declared.message not in definitions.SCALARS:
                out[name] = zero(declared.message)
        elif not declared.omitempty:
            out[name] = None if collection else {"s": "", "i": 0, "t": False}.get(declared.wire)
    return out


def value_at(obj: Any, shape: Shape, path: Path) -> Any:
    """The value at a path, or None where there is none."""
    for wanted in path:
        for element, child, child_shape in children(obj, shape):
            if element == wanted:
                obj, shape = child, child_shape
                break
        else:
            return None
    return obj


def remove_path(obj: Any, shape: Shape, path: Path) -> None:
    """Remove the value at a path, in place."""
    parent, at = obj, shape
    for wanted in path[:-1]:
        for element, child, child_shape in children(parent, at):
            if element == wanted:
                parent, at = child, child_shape
                break
        else:
            return
    if isinstance(parent, dict):
        parent.pop(path[-1][2:], None)
    elif isinstance(parent, list):
        parent[:] = [item for item in parent if item_element(item, at) != path[-1]]


def show(path: Path) -> str:
    """A path as conflicts print it: ``.spec.ports[port=80,protocol="TCP"].targetPort``."""
    out = ""
    for element in path:
        kind, told = element[0], element[2:]
        if kind == "f":
            out += f".{told}"
        elif kind == "k":
            keys = orjson.loads(told)
            out += "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in keys.items()) + "]"
        else:
            out += f"[={told}]"
    return out
