"""Bundles of CustomResourceDefinitions that a cluster gets on demand: Gateway API, ClusterNetworkPolicy and others.

The definitions stand in ``manifests/crds`` in a short form, because written out they would fill megabytes of repeated
schemas. In it, a type is

* a word: a basic type (``string``, ``int``, ``bool``, ``date``, …), or one of the file's ``types``;
* ``[word]`` or ``{word}``: a list or a map of it;
* a mapping with ``of`` (a word), and what is said of it beyond that;
* a mapping with ``fields``: an object; ``name!`` is a field that must be there; ``open`` keeps unknown fields.

``doc`` becomes the description.
"""

from __future__ import annotations

import asyncio
from copy import deepcopy
from functools import cache
from importlib import resources
from typing import Any

import yaml

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.resources import by_kind
from podwalk.client.rest import Client

BUNDLES = {
    "gateway-api": "gateway-api.yaml",
    "cluster-network-policy": "cluster-network-policy.yaml",
    "egress-gateway": "egress-gateway.yaml",
    "cert-manager": "cert-manager.yaml",
    "multus": "multus.yaml",
}
"""The bundles by name, and the files that hold them."""

_BASIC: dict[str, Object] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "date": {"type": "string", "format": "date-time"},
}
_FIELD_MANAGER = "podwalk"
_CRD = by_kind("CustomResourceDefinition")
_ESTABLISHED_SECONDS = 20.0


def definitions(bundle: str) -> list[Object]:
    """The CustomResourceDefinitions of a bundle. Raises KeyError for a name that is not in BUNDLES."""
    return deepcopy(_definitions(BUNDLES[bundle]))


async def install(client: Client, bundle: str) -> list[str]:
    """Apply a bundle and wait until its kinds are served; the names of its definitions.

    Raises KeyError for an unknown bundle, ApiError, and TimeoutError where a definition is not established.
    """
    found = definitions(bundle)
    for crd in found:
        await client.patch(_CRD, meta.name(crd), crd, type="apply", field_manager=_FIELD_MANAGER, force=True)
    async with asyncio.timeout(_ESTABLISHED_SECONDS):
        for crd in found:
            while not meta.condition_is_true(await client.get(_CRD, meta.name(crd)), "Established"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    return [meta.name(crd) for crd in found]


@cache
def _definitions(file: str) -> list[Object]:
    text = resources.files("podwalk.cluster").joinpath("manifests", "crds", file).read_text(encoding="utf-8")
    document: Object = yaml.load(text, Loader=yaml.CSafeLoader)
    return [_definition(document, kind) for kind in document["kinds"]]


def _definition(document: Object, short: Object) -> Object:
    kind, group = short["kind"], short.get("group") or document["group"]
    plural = short.get("plural") or f"{kind.lower()}s"
    names: Object = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    if short.get("short"):
        names["shortNames"] = short["short"]
    if document.get("categories"):
        names["categories"] = document["categories"]
    schema = _schema(document["types"], short)
    storage = short.get("storage") or short["versions"][0]
    versions = []
    for name in short["versions"]:
        version: Object = {"name": name, "served": True, "storage": name == storage}
        version["schema"] = {"openAPIV3Schema": schema}
        if short.get("subresources", True):
            version["subresources"] = {"status": {}}
        if short.get("columns"):
            version["additionalPrinterColumns"] = short["columns"]
        versions.append(version)
    metadata: Object = {"name": f"{plural}.{group}"}
    for field, given in (("annotations", document.get("annotations")), ("labels", short.get("labels"))):
        if given:
            metadata[field] = given
    spec = {"group": group, "names": names, "scope": short.get("scope") or "Namespaced", "versions": versions}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": spec,
    }


def _schema(types: Object, short: Object) -> Object:
    properties: Object = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    for part in ("spec", "status"):
        if part in short:
            properties[part] = expand(types, short[part])
    required = short.get("required") or ["spec"]
    return {"type": "object", "description": short["doc"], "required": required, "properties": properties}


def expand(types: Object, node: Any) -> Object:
    """A type in the short form as a structural schema. Raises KeyError for a word that means nothing."""
    if isinstance(node, str):
        return _word(types, node)
    rest = {k: v for k, v in node.items() if k not in ("of", "fields", "open", "doc")}
    out = _word(types, node["of"]) if "of" in node else _object(types, node)
    if "doc" in node:
        rest["description"] = node["doc"]
    return {**out, **rest}


def _word(types: Object, word: str) -> Object:
    if word.startswith("["):
        return {"type": "array", "x-kubernetes-list-type": "atomic", "items": _word(types, word[1:-1])}
    if word.startswith("{"):
        return {"type": "object", "additionalProperties": _word(types, word[1:-1])}
    return dict(_BASIC[word]) if word in _BASIC else expand(types, types[word])


def _object(types: Object, node: Object) -> Object:
    out: Object = {"type": "object"}
    fields: Object = node.get("fields") or {}
    if fields:
        out["properties"] = {name.rstrip("!"): expand(types, below) for name, below in fields.items()}
    required = [name.rstrip("!") for name in fields if name.endswith("!")]
    if required:
        out["required"] = required
    if node.get("open"):
        out["x-kubernetes-preserve-unknown-fields"] = True
    return out
