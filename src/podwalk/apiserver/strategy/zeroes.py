"""The fields that Go writes although nobody set them: everything without omitempty.

A typed client and kubectl's printers rely on them: ``status: {}``, ``replicas: 0``, ``rules: null``.
Upstream: the struct tags of k8s.io/api, by way of the schema table.
"""

from __future__ import annotations

from functools import cache

from podwalk.api.meta import Object
from podwalk.apiserver.schema import definitions
from podwalk.apiserver.schema.definitions import Field

_ZERO: dict[str, object] = {"s": "", "i": 0, "d": 0, "t": False}


def _is_struct(field: Field) -> bool:
    return field.wire == "m" and field.message not in definitions.SCALARS


@cache
def _plan(definition: str) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """The fields that are always written, and those below which there may be such fields."""
    every = tuple(definitions.fields(definition).values())
    always = tuple(
        f
        for f in every
        if not f.pointer
        and not (f.omitempty and (not _is_struct(f) or f.repeated or f.is_map))
        and not f.omitzero
        and f.message not in definitions.SCALARS
        and f.name not in ("kind", "apiVersion", "metadata")
    )
    below = tuple(f for f in every if _is_struct(f) and f.name != "metadata" and _reaches(f.message, frozenset()))
    return always, below


def _reaches(definition: str, seen: frozenset[str]) -> bool:
    """Whether anything at or below a definition is always written."""
    if definition in seen:
        return False
    for field in definitions.fields(definition).values():
        plain = not field.pointer and not field.omitzero and field.message not in definitions.SCALARS
        if plain and not (field.omitempty and not (_is_struct(field) and not field.repeated and not field.is_map)):
            return True
        if _is_struct(field) and _reaches(field.message, seen | {definition}):
            return True
    return False


def _write(obj: Object, definition: str) -> None:
    always, below = _plan(definition)
    for field in always:
        if field.name not in obj:
            if field.repeated or field.is_map:
                obj[field.name] = None
            elif _is_struct(field):
                obj[field.name] = {}
            else:
                obj[field.name] = _ZERO.get(field.wire)
    for field in below:
        value = obj.get(field.name)
        if isinstance(value, dict):
            children = value.values() if field.is_map else (value,)
        else:
            children = value if isinstance(value, list) else ()  # type: ignore[assignment]
        for child in children:
            if isinstance(child, dict):
                _write(child, field.message)


def write_zeroes(obj: Object) -> None:
    """Add, in place, the empty fields that an object of this kind always shows; unknown kinds are left alone."""
    definition = definitions.definition_of(str(obj.get("apiVersion")), str(obj.get("kind")))
    if definition is not None:
        _write(obj, definition)
