"""OpenAPI v3: /openapi/v3 and one document per group and version.

kubectl reads it for explain, for edit and apply, and to learn that PATCH knows fieldValidation and dryRun.
Upstream: k8s.io/kube-openapi/pkg/handler3.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.crd import schemas
from podwalk.apiserver.crd.kinds import Catalog
from podwalk.apiserver.http.discovery import groups
from podwalk.apiserver.schema.definitions import definition_of, definitions

_REFERENCE = "#/components/schemas/"
_MEDIA = "application/json"
_PATCH_MEDIA = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


class Documents:
    """The documents of one server, built when they are asked for and kept until its custom resources change."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._version = -1
        self._bodies: dict[str, bytes | None] = {}
        self._index = b""
        self._with_custom: set[str] = set()

    def _refresh(self) -> None:
        if self._version != self._catalog.version:
            self._version = self._catalog.version
            custom = {_path(r.group, r.version) for r in self._catalog.resources} | self._with_custom
            self._bodies = {path: body for path, body in self._bodies.items() if path not in custom}
            self._with_custom = custom
            self._index = b""

    def index(self) -> bytes:
        """/openapi/v3: where the documents are, with a hash that changes with their content."""
        self._refresh()
        if not self._index:
            paths = {}
            for group, versions in groups(self._catalog.resources).items():
                for version in versions:
                    path = _path(group, version)
                    paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={self.etag(path)}"}
            self._index = orjson.dumps({"paths": paths})
        return self._index

    def etag(self, path: str) -> str:
        """The hash of a document."""
        body = self.document(path)
        assert body is not None
        return hashlib.sha512(body).hexdigest().upper()

    def document(self, path: str) -> bytes | None:
        """The document of ``api/v1`` or ``apis/GROUP/VERSION``; None where it is not served."""
        self._refresh()
        if path not in self._bodies:
            for group, versions in groups(self._catalog.resources).items():
                for version, found in versions.items():
                    if _path(group, version) == path:
                        # groups() compares names; the catalogue has the resources with their present schemas.
                        fresh = [self._catalog.by_path(group, version, r.plural) or r for r in found]
                        self._bodies[path] = orjson.dumps(_document(f"/{path}", fresh))
        return self._bodies.get(path)


def _document(prefix: str, found: list[Resource]) -> Object:
    paths: Object = {}
    names: set[str] = set()
    custom: Object = {}
    for resource in found:
        if resource.custom is not None:
            named = schemas.name(resource)
            custom |= schemas.definitions(resource)
            paths.update(_paths(prefix, resource, named))
            continue
        definition = definition_of(resource.api_version, resource.kind)
        if definition is None:
            continue
        names.add(definition)
        paths.update(_paths(prefix, resource, definition))
    for schema in custom.values():
        names.update(_references(schema))
    components = {**_with_references(names), **custom}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": components},
    }


def _with_references(names: set[str]) -> Object:
    out: Object = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in out or name not in definitions():
            continue
        out[name] = definitions()[name]
        todo.extend(_references(out[name]))
    return out


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _references(item)]
    if not isinstance(node, dict):
        return []
    found = [name for value in node.values() for name in _references(value)]
    if isinstance(node.get("$ref"), str):
        found.append(node["$ref"].removeprefix(_REFERENCE))
    return found


def _parameter(name: str, kind: str = "string", where: str = "query") -> Object:
    out: Object = {"name": name, "in": where, "schema": {"type": kind, "uniqueItems": True}}
    if where == "path":
        out["required"] = True
    return out


_WRITE = [_parameter("dryRun"), _parameter("fieldManager"), _parameter("fieldValidation")]


def _operation(resource: Resource, definition: str, action: str) -> Object:
    content = {_MEDIA: {"schema": {"$ref": _REFERENCE + definition}}}
    out: Object = {
        "operationId": f"{action}{resource.version.capitalize()}{resource.kind}",
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {
            "group": resource.group,
            "kind": resource.kind,
            "version": resource.version,
        },
    }
    if action in ("post", "put"):
        out["requestBody"] = {"content": {"*/*": {"schema": {"$ref": _REFERENCE + definition}}}, "required": True}
        out["parameters"] = _WRITE
    elif action == "patch":
        media = [m for m in _PATCH_MEDIA if resource.custom is None or "strategic" not in m]
        out["requestBody"] = {"content": {m: {"schema": {"type": "object"}} for m in media}}
        out["parameters"] = [*_WRITE, _parameter("force", "boolean")]
    elif action in ("list", "watch"):
        out["parameters"] = [_parameter(n) for n in ("labelSelector", "fieldSelector", "limit", "continue")]
    elif action == "delete":
        out["parameters"] = [_parameter("dryRun"), _parameter("propagationPolicy")]
    return out


def _paths(prefix: str, resource: Resource, definition: str) -> Object:
    where = "/namespaces/{namespace}" if resource.namespaced else ""
    base = f"{prefix}{where}/{resource.plural}"
    parameters = [_parameter("namespace", where="path")] if resource.namespaced else []
    if resource.verbs == ("create",):
        return {base: {"post": _operation(resource, definition, "post"), "parameters": parameters}}
    out: Object = {
        base: {
            "get": _operation(resource, definition, "list"),
            "post": _operation(resource, definition, "post"),
            "delete": _operation(resource, definition, "deletecollection"),
            "parameters": parameters,
        }
    }
    if resource.namespaced:
        out[f"{prefix}/{resource.plural}"] = {"get": _operation(resource, definition, "list")}
    named = [*parameters, _parameter("name", where="path")]
    single = {verb: _operation(resource, definition, verb) for verb in ("get", "put", "patch", "delete")}
    out[f"{base}/{{name}}"] = {**single, "parameters": named}
    if "status" in resource.subresources:
        part = {verb: _operation(resource, definition, verb) for verb in ("get", "put", "patch")}
        out[f"{base}/{{name}}/status"] = {**part, "parameters": named}
    return out
