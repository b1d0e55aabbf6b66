"""Protobuf request bodies (filled in by the vendored field table)."""

from __future__ import annotations

from podwalk.api.errors import ApiError
from podwalk.api.meta import Object


def decode_envelope(raw: bytes) -> Object:
    """Decode a body."""
    raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
