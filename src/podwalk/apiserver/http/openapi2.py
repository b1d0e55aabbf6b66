"""A minimal OpenAPI v2 document in protobuf.

kubectl asks /openapi/v2 about a kind that no v3 document knows: it wants to learn from the PATCH operation of
Namespaces that the server validates fields, before it says that there is no such kind. So that is all there is.
Messages: github.com/google/gnostic-models/openapiv2.
"""

from __future__ import annotations

from functools import cache

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

_GVK = 'group: ""\nkind: Namespace\nversion: v1\n'


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, content: str | bytes) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _query_parameter(name: str) -> bytes:
    subschema = _field(2, "query") + _field(4, name) + _field(6, "string")
    return _field(8, _field(1, _field(2, _field(3, subschema))))


@cache
def document() -> bytes:
    """The document."""
    parameters = b"".join(_query_parameter(name) for name in ("dryRun", "fieldManager", "fieldValidation"))
    extension = _field(13, _field(1, "x-kubernetes-group-version-kind") + _field(2, _field(2, _GVK)))
    path = _field(1, "/api/v1/namespaces/{name}") + _field(2, _field(8, parameters + extension))
    info = _field(1, "Kubernetes") + _field(2, "unversioned")
    return _field(1, "2.0") + _field(2, info) + _field(8, _field(2, path))
