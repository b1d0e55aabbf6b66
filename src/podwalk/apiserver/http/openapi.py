"""OpenAPI v3: /openapi/v3 and one document per group and version.

kubectl reads it for explain, for edit and apply, and to learn that PATCH knows fieldValidation and dryRun.
Upstream: k8s.io/kube-openapi/pkg/handler3.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import orjson

from podwalk.api.meta import Object
from podwalk.api.resources import Resource
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


@cache
def index() -> bytes:
    """/openapi/v3: where the documents are, with a hash that changes with their content."""
    paths = {}
    for group, versions in groups().items():
        for version in versions:
            path = _path(group, version)
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={etag(path)}"}
    return orjson.dumps({"paths": paths})


@cache
def etag(path: str) -> str:
    """The hash of a document."""
    body = document(path)
    assert body is not None
    return hashlib.sha512(body).hexdigest().upper()


@cache
def document(path: str) -> bytes | None:
    """The document of ``api/v1`` or ``apis/GROUP/VERSION``; None where it is not served."""
    for group, versions in groups().items():
        for version, found in versions.items():
            if _path(group, version) == path:
                return orjson.dumps(_document(f"/{path}", found))
    return None


def _document(prefix: str, found: list[Resource]) -> Object:
    paths: Object = {}
    names: set[str] = set()
    for resource in found:
        definition = definition_of(resource.api_version, resource.kind)
        if definition is None:
            continue
        names.add(definition)
        paths.update(_paths(prefix, resource, definition))
    schemas = _with_references(names)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
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
        out["requestBody"] = {"content": {media: {"schema": {"type": "object"}} for media in _PATCH_MEDIA}}
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
