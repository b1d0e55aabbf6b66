"""What decoding into Go structs does to an object: types are checked, unknown fields found, empty fields dropped.

Upstream: sigs.k8s.io/json (strict decoding), encoding/json (whose messages these are), and the omitempty of every
field's declaration. The object is changed in place.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

from podwalk.api import meta, quantity
from podwalk.api.errors import bad_request
from podwalk.api.meta import Object
from podwalk.apiserver.schema import definitions
from podwalk.apiserver.schema.definitions import Field

_QUANTITY = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")
_QUANTITY_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_INTEGERS = {"int32": 31, "int64": 63, "uint32": 32, "uint16": 16, "int": 63}


class _WrongType(Exception):
    """A value that Go cannot decode into its field."""


@dataclass(slots=True)
class _Walk:
    unknown: list[str] = field(default_factory=list)


def check(obj: Object, field_validation: str) -> list[str]:
    """Check an object with kind and apiVersion; the warnings, where ``field_validation`` is "Warn".

    Raises ApiError (400): a value of the wrong type always, an unknown field where it is "Strict".
    """
    kind, api_version = obj["kind"], obj["apiVersion"]
    definition = definitions.definition_of(api_version, kind)
    if definition is None:
        obj.setdefault("metadata", {})
        return []
    walk = _Walk()
    prefix = f'{kind} in version "{api_version.rpartition("/")[2]}" cannot be handled as a {kind}'
    try:
        _struct(obj, definition, "", "", walk, root=True)
    except _WrongType as error:
        raise bad_request(f"{prefix}: {error}") from None
    if "metadata" in definitions.fields(definition):
        obj.setdefault("metadata", {})
    errors = [f'unknown field "{path}"' for path in walk.unknown]
    if errors and field_validation == "Strict":
        raise bad_request(f"{prefix}: strict decoding error: {', '.join(errors)}")
    return errors if field_validation == "Warn" else []


def check_part(value: Any, definition: str, path: str, prefix: str) -> list[str]:
    """Check a part of an object that no definition leads to; the unknown fields in it, which are dropped.

    Raises ApiError (400), with ``prefix``, for a value of the wrong type.
    """
    walk = _Walk()
    try:
        if not isinstance(value, dict):
            what, wanted = _go_kind(value), definition.rpartition(".")[2]
            raise _WrongType(f"json: cannot unmarshal {what} into Go struct field .{path} of type v1.{wanted}")
        _struct(value, definition, f"{path}.", f"{path}.", walk)
    except _WrongType as error:
        raise bad_request(f"{prefix}: {error}") from None
    return walk.unknown


def _struct(obj: Object, definition: str, path: str, go_path: str, walk: _Walk, *, root: bool = False) -> None:
    known = definitions.fields(definition)
    for name in list(obj):
        declared = known.get(name)
        if declared is None:
            if not (root and name in ("kind", "apiVersion")):
                walk.unknown.append(f"{path}{name}")
                del obj[name]
            continue
        value = obj[name]
        if value is None:
            del obj[name]
            continue
        obj[name] = value = _field(declared, value, f"{path}{name}", f"{go_path}{name}", walk)
        if _is_dropped(declared, value):
            del obj[name]
    for name in definitions.always_written(definition):
        obj.setdefault(name, None)


def _is_dropped(declared: Field, value: Any) -> bool:
    if value is None:
        return True
    if not declared.omitempty or declared.pointer:
        return False
    if declared.is_map or declared.repeated:
        return not value
    if declared.wire == "m":
        return declared.message == definitions.FIELDS_V1 and not value
    return value in ("", 0, False)


def _field(declared: Field, value: Any, path: str, go_path: str, walk: _Walk) -> Any:
    def wrong(what: Any, wanted: str) -> _WrongType:
        where = f"{declared.owner}.{go_path}"
        return _WrongType(f"json: cannot unmarshal {_go_kind(what)} into Go struct field {where} of type {wanted}")

    if declared.is_map:
        if not isinstance(value, dict):
            raise wrong(value, declared.go_type)
        element = declared.go_type.removeprefix("map[string]") if "map[" in declared.go_type else "resource.Quantity"
        return {k: _single(declared, v, element, f"{path}.{k}", go_path, walk, wrong) for k, v in value.items()}
    if declared.repeated:
        if not isinstance(value, list):
            raise wrong(value, declared.go_type)
        element = declared.go_type.removeprefix("[]")
        return [
            _single(declared, item, element, f"{path}[{index}]", go_path, walk, wrong)
            for index, item in enumerate(value)
        ]
    return _single(declared, value, declared.go_type, path, go_path, walk, wrong)


def _single(declared: Field, value: Any, go_type: str, path: str, go_path: str, walk: _Walk, wrong: Any) -> Any:
    match declared.wire:
        case "m":
            return _message(declared, value, go_type, path, go_path, walk, wrong)
        case "s":
            if value is None:
                return ""
            if not isinstance(value, str):
                raise wrong(value, go_type)
            return value
        case "t":
            if value is not None and not isinstance(value, bool):
                raise wrong(value, go_type)
            return bool(value)
        case "i":
            return _integer(value, go_type, wrong)
        case "y":
            return _base64(value, wrong)
        case "d":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise wrong(value, go_type)
            return value
    raise AssertionError(declared.wire)


def _integer(value: Any, go_type: str, wrong: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(value, go_type)
    bits = _INTEGERS.get(go_type, 63)
    if not -(1 << bits) <= value < 1 << bits:
        raise wrong(value, go_type)
    return value


def _base64(value: Any, wrong: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong(value, "[]uint8")
    try:
        return base64.b64encode(base64.b64decode("".join(value.split()), validate=True)).decode()
    except (binascii.Error, ValueError):
        at = next((i for i, c in enumerate(value) if not (c.isascii() and (c.isalnum() or c in "+/"))), len(value))
        raise _WrongType(f"illegal base64 data at input byte {at}") from None


def _message(
    declared: Field, value: Any, go_type: str, path: str, go_path: str, walk: _Walk, wrong: Any
) -> Any:  # fmt: skip
    match declared.message:
        case definitions.TIME | definitions.MICRO_TIME:
            return _time(value, wrong, go_type, micro=declared.message == definitions.MICRO_TIME)
        case definitions.QUANTITY:
            return _quantity(value)
        case definitions.INT_OR_STRING:
            if isinstance(value, str):
                return value
            if isinstance(value, bool | dict | list):
                raise _WrongType(f"json: cannot unmarshal {_go_kind(value)} into Go value of type int32")
            return _integer(value, "int32", wrong)
        case definitions.FIELDS_V1 | definitions.RAW_EXTENSION | definitions.DURATION:
            return value
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(value, go_type)
    _struct(value, declared.message, f"{path}.", f"{go_path}.", walk)
    return value


def _time(value: Any, wrong: Any, go_type: str, *, micro: bool) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong(value, "string")
    try:
        moment = meta.parse_time(value)
        if moment.tzinfo is None:
            raise ValueError(value)
    except ValueError:
        layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
        why = f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"'
        raise _WrongType(why) from None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if micro else meta.format_time(moment)


def _quantity(value: Any) -> str:
    if value is None:
        return "0"
    text = value if isinstance(value, str) else str(value)
    if isinstance(value, bool | dict | list) or not _QUANTITY.match(text):
        raise _WrongType(_QUANTITY_WRONG)
    try:
        return quantity.canonical(text)
    except ValueError:
        raise _WrongType(_QUANTITY_WRONG) from None


def _go_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "number" if abs(value) < 1 << 31 else f"number {value}"
    if isinstance(value, float):
        return f"number {value:g}"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return "string" if isinstance(value, str) else "null"
