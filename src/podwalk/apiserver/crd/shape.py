"""Shapes of custom resources, for server-side apply: lists are atomic unless the schema says otherwise.

Upstream: k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder and structured-merge-diff's deduced types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from podwalk.api.meta import Object
from podwalk.apiserver.schema.definitions import OBJECT_META
from podwalk.apiserver.schema.shapes import LEAF, Shape


@dataclass(frozen=True, slots=True)
class CustomStruct(Shape):
    """A struct whose fields a CustomResourceDefinition declares; what it does not declare is ``unknown``."""

    properties: Mapping[str, Shape] = field(default_factory=dict, compare=False)
    unknown: Shape = LEAF

    def child(self, name: str) -> Shape:
        """The shape of a field."""
        return self.properties.get(name, self.unknown)


@dataclass(frozen=True, slots=True)
class Anything(Shape):
    """A place without a schema: maps are owned field by field, lists as a whole."""

    def child(self, name: str) -> Shape:
        """Below anything is anything."""
        return self


ANYTHING = Anything("map")


def of_schema(schema: Object, *, resource: bool = False) -> Shape:
    """The shape of a structural schema; ``resource`` where apiVersion, kind and metadata stand beside it."""
    kind = schema.get("type")
    resource = resource or bool(schema.get("x-kubernetes-embedded-resource"))
    atomic = schema.get("x-kubernetes-map-type") == "atomic"
    if schema.get("x-kubernetes-int-or-string"):
        return LEAF
    if kind == "array":
        items = schema.get("items")
        element = of_schema(items) if isinstance(items, dict) else LEAF
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        return Shape("list", element=element, list_type=schema.get("x-kubernetes-list-type") or "atomic", keys=keys)
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if kind == "object" or resource:
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and not schema.get("properties"):
            return Shape("map", element=of_schema(more), atomic=atomic)
        properties = {name: of_schema(below) for name, below in (schema.get("properties") or {}).items()}
        if resource:
            properties |= {"apiVersion": LEAF, "kind": LEAF, "metadata": Shape("struct", OBJECT_META)}
        unknown = of_schema(more) if isinstance(more, dict) else ANYTHING if keeps or more is True else LEAF
        return CustomStruct("struct", atomic=atomic, properties=properties, unknown=unknown)
    return ANYTHING if keeps else LEAF
