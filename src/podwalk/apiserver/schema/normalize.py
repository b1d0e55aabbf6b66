"""Dropping what Go's omitempty drops."""

from __future__ import annotations

from typing import Any

from podwalk.api.meta import Object


def drop_empty(obj: Object) -> None:
    """Remove the fields that Go would not write: nulls, and empty maps and lists, in place."""
    for field in [k for k, v in obj.items() if v is None]:
        del obj[field]
    for value in obj.values():
        _walk(value)


def _walk(value: Any) -> None:
    if isinstance(value, dict):
        drop_empty(value)
    elif isinstance(value, list):
        for item in value:
            _walk(item)
