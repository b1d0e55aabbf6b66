"""Decoding Kubernetes' protobuf request bodies, which kubectl sends for typed requests since 1.32.

A generic decoder over the vendored field table. Upstream: k8s.io/apimachinery/pkg/runtime/serializer/protobuf. The
answers are JSON.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from podwalk.api.errors import bad_request
from podwalk.api.meta import Object
from podwalk.apiserver.schema import definitions
from podwalk.apiserver.schema.definitions import Field

_MAGIC = b"k8s\x00"
_MAX_NESTING = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Malformed(ValueError):
    """The bytes are not the message that they should be."""


def decode_envelope(raw: bytes) -> Object:
    """A body with the "k8s" prefix as an object with kind and apiVersion. Raises ApiError (400)."""
    try:
        if not raw.startswith(_MAGIC):
            raise _Malformed("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
        return _envelope(raw[len(_MAGIC) :])
    except (_Malformed, UnicodeDecodeError, struct.error, OverflowError, orjson.JSONDecodeError) as error:
        raise bad_request(f"unable to decode the protobuf body: {error}") from None


def _envelope(raw: bytes) -> Object:
    parts = {number: value for number, wire, value in _fields(raw) if wire == 2}
    type_meta = {number: bytes(value).decode() for number, wire, value in _fields(parts.get(1, b"")) if wire == 2}
    api_version, kind = type_meta.get(1, ""), type_meta.get(2, "")
    definition = definitions.definition_of(api_version, kind)
    if definition is None:
        raise _Malformed(f'no kind "{kind}" is registered for version "{api_version}"')
    return {"kind": kind, "apiVersion": api_version, **decode(definition, parts.get(2, b""))}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise _Malformed("unexpected EOF")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """(number, wire type, value) of each field; the value is an int or bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise _Malformed(f"illegal tag {number}")
        if wire == 0:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise _Malformed(f"illegal wireType {wire}")
        if at + size > len(data):
            raise _Malformed("unexpected EOF")
        yield number, wire, data[at : at + size]
        at += size


@cache
def _numbers(definition: str) -> dict[int, Field]:
    return {field.number: field for field in definitions.declared(definition)}


def decode(definition: str, data: bytes, depth: int = 0) -> Object:
    """A message as the object that JSON would show. Zero values are kept: the schema check drops what Go would."""
    if depth > _MAX_NESTING:
        raise _Malformed("exceeded max depth")
    numbers = _numbers(definition)
    out: Object = {}
    for number, wire, raw in _fields(data):
        field = numbers.get(number)
        if field is None:
            continue
        if field.is_map:
            key, value = _entry(field, raw, depth)
            out.setdefault(field.name, {})[key] = value
        elif field.embedded:
            out.update(decode(field.message, _expect(raw), depth + 1))
        elif field.repeated:
            out.setdefault(field.name, []).append(_value(field, wire, raw, depth))
        else:
            out[field.name] = _value(field, wire, raw, depth)
    return out


def _expect(raw: Any) -> bytes:
    if not isinstance(raw, bytes):
        raise _Malformed("wrong wireType for a message")
    return raw


def _entry(field: Field, raw: Any, depth: int) -> tuple[str, Any]:
    key: str = ""
    value: Any = None
    for number, wire, part in _fields(_expect(raw)):
        if number == 1:
            key = _expect(part).decode()
        elif number == 2:
            value = _value(field, wire, part, depth)
    if value is None:
        value = {"s": "", "y": "", "i": 0, "t": False}.get(field.wire)
    return key, value


def _value(field: Field, wire: int, raw: Any, depth: int) -> Any:
    match field.wire:
        case "s":
            return _expect(raw).decode()
        case "y":
            return base64.b64encode(_expect(raw)).decode()
        case "m":
            return _message(field.message, _expect(raw), depth + 1)
        case "d":
            return struct.unpack("<d", _expect(raw))[0]
    if wire != 0:
        raise _Malformed(f"wrong wireType = {wire} for field {field.name}")
    if field.wire == "t":
        return bool(raw)
    return _signed(raw)


def _signed(value: Any) -> int:
    if not isinstance(value, int):
        raise _Malformed("wrong wireType for a number")
    return value - (1 << 64) if value >= 1 << 63 else value


def _message(definition: str, data: bytes, depth: int) -> Any:
    if definition not in definitions.SCALARS:
        return decode(definition, data, depth)
    parts = {number: value for number, _, value in _fields(data)}
    match definition:
        case definitions.TIME | definitions.MICRO_TIME:
            return _time(parts, micro=definition == definitions.MICRO_TIME)
        case definitions.QUANTITY:
            return _expect(parts.get(1, b"")).decode()
        case definitions.INT_OR_STRING:
            return _expect(parts.get(3, b"")).decode() if parts.get(1) == 1 else _signed(parts.get(2, 0))
        case definitions.DURATION:
            return f"{_signed(parts.get(1, 0)) / 1e9:g}s"
    raw = _expect(parts.get(1, b""))
    return orjson.loads(raw) if raw else None


def _time(parts: dict[int, Any], *, micro: bool) -> str | None:
    if not parts:
        return None
    moment = _EPOCH + timedelta(seconds=_signed(parts.get(1, 0)), microseconds=_signed(parts.get(2, 0)) // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")
