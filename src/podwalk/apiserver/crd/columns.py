"""Tables of custom resources (k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor)."""

from __future__ import annotations

from typing import Any

import orjson

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.apiserver.crd import jsonpath
from podwalk.apiserver.tables.columns import column_definitions
from podwalk.apiserver.tables.durations import since

_AGE: Object = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
_AGE["description"] = next(d["description"] for d in column_definitions("Service") if d["name"] == "Age")


def definitions(columns: list[Object]) -> list[Object]:
    """The column definitions: the name, then what the definition asks for."""
    out = [dict(column_definitions("CustomResourceDefinition")[0])]
    for column in columns or [_AGE]:
        text = f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
        out.append(
            {
                "name": column["name"],
                "type": column["type"],
                "format": column.get("format") or "",
                "description": column.get("description") or text,
                "priority": column.get("priority") or 0,
            }
        )
    return out


def cells(columns: list[Object], obj: Object) -> list[Any]:
    """The cells of one object."""
    return [obj["metadata"]["name"], *(_cell(column, obj) for column in columns or [_AGE])]


def _cell(column: Object, obj: Object) -> Any:
    try:
        found = jsonpath.find(column["jsonPath"], obj)
    except jsonpath.BadPath:
        return None
    if not found:
        return None
    value = found[0]
    match column["type"]:
        case "integer":
            return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "number":
            return value if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _age(value)
    return _text(value)


def _age(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        meta.parse_time(value)
    except ValueError:
        return "<invalid>"
    return since(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    return orjson.dumps(value).decode()
