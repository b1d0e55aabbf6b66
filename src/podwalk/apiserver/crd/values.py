"""Validation of custom resources against their schema.

Upstream: k8s.io/kube-openapi/pkg/validation (whose messages these are), apiextensions' pkg/apiserver/validation and
pkg/apiserver/schema/listtype.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from podwalk.api.errors import cause
from podwalk.api.meta import Object
from podwalk.apiserver.crd import formats
from podwalk.apiserver.crd.regexp import Regexp, UnsupportedError
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause

_TYPE_META = {"apiVersion", "kind", "metadata"}
_ABSENT = object()
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_INT_OR_STRING = "integer,string"


@lru_cache(maxsize=1024)
def pattern(text: str) -> Regexp | None:
    """A pattern of a schema, compiled; None where Python cannot read Go's (RE2) syntax, and nothing is checked."""
    try:
        return Regexp(text)
    except UnsupportedError:
        return None


def validate(value: Any, schema: Object, path: str = "") -> list[Cause]:
    """What is wrong with a value; empty where nothing is."""
    causes = _validate(value, schema, path)
    return causes + _list_types(value, schema, path)


def json_type(value: Any) -> str:
    """The JSON type of a value, as the messages name it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _invalid(path: str, value: Any, text: str) -> Cause:
    return fields.invalid(path, value, f"{path} in body {text}")


def _type_error(path: str, wanted: str, found: str) -> Cause:
    message = f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
    return cause("FieldValueTypeInvalid", message, path)


def _fits(kind: str, wanted: str) -> bool:
    return kind == wanted or (wanted == "number" and kind == "integer")


def _validate(value: Any, schema: Object, path: str) -> list[Cause]:
    if value is None and schema.get("nullable"):
        return []
    wanted, kind = str(schema.get("type") or ""), json_type(value)
    if schema.get("x-kubernetes-int-or-string"):
        if kind not in ("integer", "string"):
            return [_type_error(path, _INT_OR_STRING, kind)]
    elif wanted and not _fits(kind, wanted):
        return [_type_error(path, wanted, kind)]
    causes = _combined(value, schema, path)
    if isinstance(value, str):
        causes += _string(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        causes += _number(value, schema, path)
    elif isinstance(value, list):
        causes += _array(value, schema, path)
    if "enum" in schema and value not in schema["enum"]:
        supported = [item if isinstance(item, str) else fields.shown(item) for item in schema["enum"]]
        causes.append(fields.not_supported(path, value, supported))
    if isinstance(value, dict):
        causes += _object(value, schema, path)
    return causes


def _string(value: str, schema: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        causes.append(fields.too_long(path, longest))
    if shortest is not None and len(value) < shortest:
        causes.append(_invalid(path, value, f"should be at least {shortest} chars long"))
    if schema.get("pattern"):
        wanted = pattern(schema["pattern"])
        if wanted is not None and not wanted.search(value):
            causes.append(_invalid(path, value, f"should match '{schema['pattern']}'"))
    name = schema.get("format") or ""
    if name and not formats.is_valid(name, value):
        shown = fields.shown(value)
        message = f"Invalid value: {shown}: {path} in body must be of type {name}: {shown}"
        causes.append(cause("FieldValueTypeInvalid", message, path))
    return causes


def _number(value: float, schema: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    top, bottom, step = schema.get("maximum"), schema.get("minimum"), schema.get("multipleOf")
    if top is not None:
        if schema.get("exclusiveMaximum") and value >= top:
            causes.append(_invalid(path, value, f"should be less than {_plain(top)}"))
        elif value > top:
            causes.append(_invalid(path, value, f"should be less than or equal to {_plain(top)}"))
    if bottom is not None:
        if schema.get("exclusiveMinimum") and value <= bottom:
            causes.append(_invalid(path, value, f"should be greater than {_plain(bottom)}"))
        elif value < bottom:
            causes.append(_invalid(path, value, f"should be greater than or equal to {_plain(bottom)}"))
    if step and value % step:
        causes.append(_invalid(path, value, f"should be a multiple of {_plain(step)}"))
    bits = {"int32": 31, "int64": 63}.get(str(schema.get("format")))
    if bits and not -(1 << bits) <= value < 1 << bits:
        message = f"Invalid value: {fields.shown(value)}: {path} in body must be of type {schema['format']}: "
        causes.append(cause("FieldValueTypeInvalid", message + f'"{json_type(value)}"', path))
    return causes


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _array(value: list[Any], schema: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    items = schema.get("items")
    if isinstance(items, dict):
        for index, item in enumerate(value):
            causes += _validate(item, items, f"{path}[{index}]")
    most, least = schema.get("maxItems"), schema.get("minItems")
    if least is not None and len(value) < least:
        causes.append(_invalid(path, len(value), f"should have at least {least} items"))
    if most is not None and len(value) > most:
        causes.append(fields.too_many(path, len(value), most))
    return causes


def _object(value: Object, schema: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if least is not None and len(value) < least:
        causes.append(_invalid(path, len(value), f"should have at least {least} properties"))
    if most is not None and len(value) > most:
        causes.append(fields.too_many(path, len(value), most))
    for name in schema.get("required") or ():
        if name not in value:
            causes.append(fields.required(_join(path, name)))
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    for name in sorted(value):
        if name in properties:
            causes += _validate(value[name], properties[name], _join(path, name))
        elif isinstance(more, dict) and not (path == "" and name in _TYPE_META):
            causes += _validate(value[name], more, _join(path, name))
    if schema.get("x-kubernetes-embedded-resource"):
        causes += _embedded(value, path)
    return causes


def _embedded(value: Object, path: str) -> list[Cause]:
    causes = []
    for name in ("apiVersion", "kind"):
        if not isinstance(value.get(name), str) or not value[name]:
            causes.append(fields.required(_join(path, name), "must not be empty"))
    return causes


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _combined(value: Any, schema: Object, path: str) -> list[Cause]:
    """allOf, anyOf, oneOf and not; like upstream, whose errors of these kinds stand at no field."""

    def at_none(text: str) -> Cause:
        return fields.invalid("<nil>", "", f'"{path}" {text}')

    causes: list[Cause] = []
    for option in schema.get("allOf") or ():
        causes += _validate(value, option, path)
    for key, text in (("anyOf", "must validate at least one schema (anyOf)"), ("oneOf", "")):
        options = schema.get(key)
        if not options:
            continue
        found = [_validate(value, option, path) for option in options]
        passed = sum(not wrong for wrong in found)
        if passed == 0:
            message = text or "must validate one and only one schema (oneOf). Found none valid"
            causes += [at_none(message), *min(found, key=len)]
        elif key == "oneOf" and passed > 1:
            causes.append(at_none(f"must validate one and only one schema (oneOf). Found {passed} valid alternatives"))
    forbidden = schema.get("not")
    if isinstance(forbidden, dict) and not _validate(value, forbidden, path):
        causes.append(at_none("must not validate the schema (not)"))
    return causes


def unchanged(old: Object, new: Object, path: str) -> bool:
    """Whether the value at a path of a cause is the same in both objects; False where it cannot be found."""
    before, after = _value_at(old, path), _value_at(new, path)
    return before is not _ABSENT and before == after


def _value_at(obj: Any, path: str) -> Any:
    for name, index in _STEP.findall(path):
        if index:
            if not isinstance(obj, list) or int(index) >= len(obj):
                return _ABSENT
            obj = obj[int(index)]
        elif not isinstance(obj, dict) or name not in obj:
            return _ABSENT
        else:
            obj = obj[name]
    return obj


def _list_types(value: Any, schema: Object, path: str) -> list[Cause]:
    """Repeated items of lists that are sets or maps."""
    causes: list[Cause] = []
    if isinstance(value, list):
        causes += _repeated(value, schema, path)
        items = schema.get("items")
        if isinstance(items, dict):
            for index, item in enumerate(value):
                causes += _list_types(item, items, f"{path}[{index}]")
    elif isinstance(value, dict):
        properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, item in value.items():
            below = properties.get(name, more)
            if isinstance(below, dict):
                causes += _list_types(item, below, _join(path, name))
    return causes


def _repeated(value: list[Any], schema: Object, path: str) -> list[Cause]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return []
    properties = (schema.get("items") or {}).get("properties") or {}
    names = schema.get("x-kubernetes-list-map-keys") or ()
    causes, seen = [], set()
    for index, item in enumerate(value):
        shown_value = item
        if kind == "map":
            if not isinstance(item, dict):
                continue
            shown_value = {n: item.get(n, (properties.get(n) or {}).get("default")) for n in names}
            shown_value = {n: v for n, v in sorted(shown_value.items()) if v is not None}
        text = fields.shown(shown_value)
        if text in seen:
            causes.append(fields.duplicate(f"{path}[{index}]", shown_value))
        seen.add(text)
    return causes
