"""Structural schemas at work on a custom resource: unknown fields are dropped, missing ones get their defaults.

Upstream: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting}. A schema is an ``openAPIV3Schema``
as it stands in the CustomResourceDefinition; objects are changed in place.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from podwalk.api.meta import Object

_TYPE_META = ("apiVersion", "kind", "metadata")


def prune(value: Any, schema: Object, path: str = "", *, resource: bool = False) -> list[str]:
    """Drop what the schema does not name; the paths of what was dropped. ``resource``: a root or embedded object."""
    unknown: list[str] = []
    _prune(value, schema, path, resource, unknown)
    return unknown


def _prune(value: Any, schema: Object, path: str, resource: bool, unknown: list[str]) -> None:
    if isinstance(value, list):
        items = schema.get("items")
        for index, item in enumerate(value):
            if isinstance(items, dict):
                embedded = bool(items.get("x-kubernetes-embedded-resource"))
                _prune(item, items, f"{path}[{index}]", embedded, unknown)
        return
    if not isinstance(value, dict):
        return
    properties = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or more is True
    for name in list(value):
        at = f"{path}.{name}" if path else name
        if resource and name in _TYPE_META:
            continue
        if name in properties:
            below = properties[name]
            _prune(value[name], below, at, bool(below.get("x-kubernetes-embedded-resource")), unknown)
        elif isinstance(more, dict):
            _prune(value[name], more, at, bool(more.get("x-kubernetes-embedded-resource")), unknown)
        elif not keeps:
            del value[name]
            unknown.append(at)


def default(value: Any, schema: Object) -> None:
    """Give missing fields their defaults; a null where none may stand counts as missing, if there is a default."""
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for item in value:
                default(item, items)
        return
    if not isinstance(value, dict):
        return
    properties = schema.get("properties") or {}
    for name, below in properties.items():
        if "default" in below:
            absent = name not in value or (value[name] is None and not below.get("nullable"))
            if absent:
                value[name] = deepcopy(below["default"])
        if name in value:
            default(value[name], below)
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        for name, item in value.items():
            if name not in properties:
                default(item, more)
