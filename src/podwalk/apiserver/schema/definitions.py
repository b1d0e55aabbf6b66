"""The vendored tables: OpenAPI definitions, and how Go declares each field (see tools/generate_schema.py)."""

from __future__ import annotations

import gzip
import importlib.resources
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
OBJECT_META = f"{META}.ObjectMeta"
TIME, MICRO_TIME, DURATION = f"{META}.Time", f"{META}.MicroTime", f"{META}.Duration"
FIELDS_V1 = f"{META}.FieldsV1"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
RAW_EXTENSION = "io.k8s.apimachinery.pkg.runtime.RawExtension"

SCALARS = frozenset({TIME, MICRO_TIME, DURATION, FIELDS_V1, QUANTITY, INT_OR_STRING, RAW_EXTENSION})
"""Messages that JSON writes as something other than a map of their fields."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a Go struct.

    ``wire`` is s (string), y (bytes), i (integer), t (bool), d (double) or m (message, of definition ``message``);
    ``owner`` is the struct that declares it, ``go_type`` its type as Go's error messages print it.
    """

    name: str
    number: int
    wire: str
    message: str
    pointer: bool
    repeated: bool
    is_map: bool
    omitempty: bool
    omitzero: bool
    embedded: bool
    owner: str
    go_type: str


@cache
def _document() -> dict[str, Any]:
    packed = importlib.resources.files("podwalk.apiserver") / "data" / "schema.json.gz"
    found: dict[str, Any] = orjson.loads(gzip.decompress(packed.read_bytes()))
    return found


@cache
def definitions() -> dict[str, Any]:
    """The OpenAPI v3 definitions by name; not to be changed."""
    found: dict[str, Any] = _document()["definitions"]
    return found


@cache
def _by_kind() -> dict[tuple[str, str], str]:
    out: dict[tuple[str, str], str] = {}
    for name, definition in definitions().items():
        for gvk in definition.get("x-kubernetes-group-version-kind") or ():
            group, version = gvk["group"], gvk["version"]
            out[f"{group}/{version}" if group else version, gvk["kind"]] = name
    return out


def definition_of(api_version: str, kind: str) -> str | None:
    """The definition of a kind, e.g. ``("apps/v1", "Deployment")``; None where there is none."""
    if kind == "DeleteOptions":
        return f"{META}.DeleteOptions"
    return _by_kind().get((api_version, kind))


@cache
def declared(definition: str) -> tuple[Field, ...]:
    """The fields as Go declares them: embedded structs are one field."""
    owner = definition.rpartition(".")[2]
    rows = _document()["fields"].get(definition) or {}
    return tuple(
        Field(
            name.lstrip(","),
            number,
            wire,
            message,
            "p" in flags,
            "r" in flags,
            "k" in flags,
            "o" in flags,
            "z" in flags,
            "e" in flags,
            owner,
            kind,
        )
        for name, (number, wire, message, flags, kind) in rows.items()
    )


@cache
def always_written(definition: str) -> tuple[str, ...]:
    """The times that Go writes as null where they are not set: omitempty does not omit a struct."""
    return tuple(
        field.name
        for field in fields(definition).values()
        if field.message in (TIME, MICRO_TIME) and not (field.pointer or field.repeated or field.omitzero)
    )


@cache
def fields(definition: str) -> dict[str, Field]:
    """The fields as JSON shows them: those of embedded structs stand beside the others."""
    out: dict[str, Field] = {}
    for field in declared(definition):
        if field.embedded:
            out.update(fields(field.message))
        else:
            out[field.name] = field
    return out
