"""How values merge: a typed view of the OpenAPI definitions for patches and for server-side apply.

Upstream: the x-kubernetes-* extensions of the OpenAPI document (k8s.io/kube-openapi/pkg/util/proto).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from podwalk.api.resources import Resource
from podwalk.apiserver.schema.definitions import OBJECT_META, definition_of, definitions

_SCALAR_DEFINITIONS = ("int-or-string", "date-time")


@dataclass(frozen=True, slots=True)
class Shape:
    """The type of one place in an object.

    ``kind``: a struct of ``definition``, a map of ``element``, a list of ``element``, or a leaf.
    ``atomic`` values have one owner as a whole. A list is also "map" (items told apart by ``keys``), "set" or "atomic".
    ``patch_strategies`` and ``patch_key`` are what strategic merge patches go by.
    """

    kind: Literal["struct", "map", "list", "leaf"]
    definition: str = ""
    element: Shape | None = None
    list_type: str = ""
    keys: tuple[str, ...] = ()
    atomic: bool = False
    patch_strategies: tuple[str, ...] = ()
    patch_key: str = ""

    def child(self, name: str) -> Shape:
        """The shape of a field of a struct or an entry of a map; a leaf where it is unknown."""
        if self.kind == "struct":
            return _properties(self.definition).get(name, LEAF)
        if self.kind == "map" and self.element is not None:
            return self.element
        return LEAF


LEAF = Shape("leaf")


@cache
def root(api_version: str, kind: str) -> Shape:
    """The shape of a kind; a leaf where it is unknown."""
    definition = definition_of(api_version, kind)
    return Shape("struct", definition) if definition else LEAF


def of(resource: Resource) -> Shape:
    """The shape of a resource's objects."""
    if resource.custom is not None:
        found: Shape = resource.custom.shape
        return found
    return root(resource.api_version, resource.kind)


@cache
def _properties(definition: str) -> dict[str, Shape]:
    properties = definitions().get(definition, {}).get("properties") or {}
    out = {name: _shape(node) for name, node in properties.items()}
    if definition == OBJECT_META and "finalizers" in out:
        # Upstream's schema names it a set through its Go type alone.
        out["finalizers"] = Shape("list", element=LEAF, list_type="set", patch_strategies=("merge",))
    return out


def _reference(node: dict[str, Any]) -> str:
    for option in (node, *(node.get("allOf") or ())):
        if "$ref" in option:
            return str(option["$ref"]).rsplit("/", 1)[1]
    return ""


def _shape(node: dict[str, Any]) -> Shape:
    strategy = tuple((node.get("x-kubernetes-patch-strategy") or "").split(",")) if node else ()
    strategies = tuple(s for s in strategy if s)
    patch_key = node.get("x-kubernetes-patch-merge-key") or ""
    reference = _reference(node)
    if reference:
        target = definitions().get(reference, {})
        atomic = "atomic" in (node.get("x-kubernetes-map-type"), target.get("x-kubernetes-map-type"))
        if not target.get("properties"):
            return LEAF
        return Shape("struct", reference, atomic=atomic, patch_strategies=strategies)
    if node.get("type") == "array":
        return Shape(
            "list",
            element=_shape(node.get("items") or {}),
            list_type=node.get("x-kubernetes-list-type") or "atomic",
            keys=tuple(node.get("x-kubernetes-list-map-keys") or ()),
            patch_strategies=strategies,
            patch_key=patch_key,
        )
    if isinstance(node.get("additionalProperties"), dict):
        atomic = node.get("x-kubernetes-map-type") == "atomic"
        return Shape("map", element=_shape(node["additionalProperties"]), atomic=atomic, patch_strategies=strategies)
    return LEAF
