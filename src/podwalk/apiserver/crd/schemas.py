"""OpenAPI v3 of custom resources (k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder)."""

from __future__ import annotations

from typing import Any

from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.schema.definitions import OBJECT_META

_META = {"$ref": f"#/components/schemas/{OBJECT_META}"}
_METADATA = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"


def name(resource: Resource) -> str:
    """The definition's name: the group backwards, the version and the kind."""
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])


def definitions(resource: Resource) -> Object:
    """The definitions of a custom resource and of its list."""
    own = _published(resource.custom.schema)
    properties = dict(own.get("properties") or {})
    properties.setdefault("apiVersion", {"type": "string"})
    properties.setdefault("kind", {"type": "string"})
    properties["metadata"] = {"allOf": [_META], "description": _METADATA}
    own |= {"type": "object", "properties": properties}
    gvk = {"group": resource.group, "version": resource.version}
    own["x-kubernetes-group-version-kind"] = [{**gvk, "kind": resource.kind}]
    listed = {
        "type": "object",
        "description": f"{resource.kind}List is a list of {resource.kind}",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{name(resource)}"}},
        },
        "x-kubernetes-group-version-kind": [{**gvk, "kind": resource.custom.names.get("listKind")}],
    }
    return {name(resource): own, f"{name(resource)}List": listed}


def _published(node: Any) -> Any:
    """A schema as clients get it: an int-or-string has no type of its own."""
    if isinstance(node, list):
        return [_published(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _published(value) for key, value in node.items()}
