"""Stored objects as documents: single objects, lists, Tables, PartialObjectMetadata."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver import events, tables
from podwalk.apiserver.crd.kinds import at_version
from podwalk.apiserver.http.negotiate import Form
from podwalk.apiserver.registry.core import Page
from podwalk.apiserver.store import Stored

_META = "meta.k8s.io"


def single(resource: Resource, stored: Stored, form: Form, include: str = "Metadata") -> bytes:
    """One object in the wanted shape."""
    stored = at_version(resource, stored)
    if form.shape == "table":
        metadata = {"resourceVersion": stored.obj["metadata"].get("resourceVersion", "")}
        return _table(resource, [stored], form, include, metadata)
    if form.shape == "partial":
        return orjson.dumps(_partial(stored.obj, form))
    return events.shown_as(resource, stored).json


def page(resource: Resource, found: Page, form: Form, include: str = "Metadata") -> bytes:
    """A list in the wanted shape."""
    metadata: Object = {"resourceVersion": str(found.rv)}
    if found.token:
        metadata["continue"] = found.token
        if found.remaining is not None:
            metadata["remainingItemCount"] = found.remaining
    if form.shape == "table":
        return _table(resource, found.items, form, include, metadata)
    if form.shape == "partial":
        kind, api_version = "PartialObjectMetadataList", f"{_META}/{form.version}"
        items = [orjson.dumps(_partial(stored.obj, form)) for stored in found.items]
    else:
        kind, api_version = f"{resource.kind}List", resource.api_version
        if resource.custom is not None:
            kind = resource.custom.names.get("listKind") or kind
        # Lists of custom resources are lists of whole objects.
        whole = resource.custom is not None
        items = [at_version(resource, s).json if whole else events.shown_as(resource, s).item_json for s in found.items]
    head = orjson.dumps({"kind": kind, "apiVersion": api_version, "metadata": metadata})
    return head[:-1] + b',"items":[' + b",".join(items) + b"]}"


def _partial(obj: Object, form: Form) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"{_META}/{form.version}",
        "metadata": obj["metadata"],
    }


def _table(resource: Resource, items: Sequence[Stored], form: Form, include: str, metadata: Object) -> bytes:
    objects = [stored.obj for stored in items]
    table = tables.render_table(resource, objects, include_object=include, metadata=metadata)
    table["apiVersion"] = f"{_META}/{form.version}"
    for row in table["rows"]:
        if (row["object"] or {}).get("kind") == "PartialObjectMetadata":
            row["object"]["apiVersion"] = f"{_META}/{form.version}"
    return orjson.dumps(table)


def event_object(resource: Resource, stored: Stored, form: Form, include: str, first: bool) -> bytes:
    """The object of a watch event; only the first Table carries the column definitions."""
    if form.shape == "table":
        table = orjson.loads(single(resource, stored, form, include))
        if not first:
            table["columnDefinitions"] = None
        return orjson.dumps(table)
    return single(resource, stored, form, include)
