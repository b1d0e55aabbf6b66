"""Checking the fields of an object against its schema."""

from __future__ import annotations

from podwalk.api.errors import bad_request
from podwalk.api.meta import Object


def check(obj: Object, field_validation: str) -> list[str]:
    """Check types, drop unknown fields; the warnings. Raises ApiError (400)."""
    metadata = obj.setdefault("metadata", {})
    if metadata is None:
        obj["metadata"] = {}
    elif not isinstance(metadata, dict):
        raise bad_request("metadata must be an object")
    return []
