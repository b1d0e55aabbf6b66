"""Server-side tables: what ``kubectl get`` prints is written here, not in kubectl.

Stands in for pkg/printers/internalversion of kube-apiserver and the Table conversion of k8s.io/apiserver.
"""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.tables.columns import column_definitions
from podwalk.apiserver.tables.durations import human_duration
from podwalk.apiserver.tables.pods import pod_row_conditions, pod_status
from podwalk.apiserver.tables.rows import cells

__all__ = ["human_duration", "pod_status", "render_table"]

_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_GROUP_VERSION = "meta.k8s.io/v1"


def _row_object(obj: Object, include_object: str) -> Object | None:
    match include_object:
        case "None":
            return None
        case "Object":
            return obj
    metadata = obj["metadata"]
    if _TEMPLATE_GENERATION in (metadata.get("annotations") or {}):
        # This annotation exists only in the version that clients see; the rows are made of the one inside.
        kept = {k: v for k, v in metadata["annotations"].items() if k != _TEMPLATE_GENERATION}
        metadata = {k: v for k, v in {**metadata, "annotations": kept}.items() if k != "annotations" or v}
    return {"kind": "PartialObjectMetadata", "apiVersion": _GROUP_VERSION, "metadata": metadata}


def render_table(
    resource: Resource,
    objects: list[Object],
    *,
    include_object: str = "Metadata",
    metadata: Object | None = None,
) -> Object:
    """A meta.k8s.io/v1 Table of ``objects``.

    ``include_object`` is the query parameter of that name (None, Metadata or Object): what each row carries beside its
    cells. ``metadata`` is the list's metadata; for a single object it defaults to that object's resourceVersion.
    """
    if metadata is None:
        version = objects[0]["metadata"].get("resourceVersion") if len(objects) == 1 else None
        metadata = {"resourceVersion": version} if version else {}
    rows: list[Object] = []
    custom = resource.custom
    found = cells(resource.kind, objects) if custom is None else [custom.cells(obj) for obj in objects]
    for obj, row_cells in zip(objects, found, strict=True):
        row: Object = {"cells": row_cells}
        if custom is None and resource.kind == "Pod" and (conditions := pod_row_conditions(obj)):
            row["conditions"] = conditions
        row["object"] = _row_object(obj, include_object)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": _GROUP_VERSION,
        "metadata": metadata,
        "columnDefinitions": column_definitions(resource.kind) if custom is None else custom.column_definitions(),
        "rows": rows,
    }
