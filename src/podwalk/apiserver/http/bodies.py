"""Request bodies: JSON, YAML and protobuf to parsed objects.

Upstream: the codec factory of k8s.io/apimachinery/pkg/runtime/serializer. A body that cannot be read is a 4xx.
"""

from __future__ import annotations

from typing import Any

import orjson
import yaml
from aiohttp import web

from podwalk.api.errors import ApiError, bad_request
from podwalk.api.meta import Object
from podwalk.apiserver.http import duplicates
from podwalk.apiserver.schema import protobuf

LIMIT = 3 * 1024 * 1024
MAX_DEPTH = 200
_MAX_VALUES = 1_000_000

_JSON, _YAML, _PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
_ACCEPTED = f"{_JSON}, {_YAML}, {_PROTOBUF}"


async def read(request: web.Request) -> bytes:
    """The body. Raises ApiError (413) past the limit."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        message = f"Request entity too large: limit is {LIMIT}"
        raise ApiError(413, "RequestEntityTooLarge", message) from None


def media_type(request: web.Request) -> str:
    """The Content-Type without its parameters; JSON where there is none."""
    return request.headers.get("Content-Type", _JSON).split(";")[0].strip().lower() or _JSON


def decode(raw: bytes, content_type: str, kind: str) -> Object:
    """A body as an object; ``kind`` is what the endpoint expects, as errors name it. Raises ApiError (400, 415)."""
    if content_type == _PROTOBUF:
        return protobuf.decode_envelope(raw)
    if content_type in (_YAML, "text/yaml", "application/x-yaml"):
        found = parse_yaml(raw, kind)
    elif content_type in (_JSON, "*/*", "application/octet-stream"):
        found = parse_json(raw, kind)
    else:
        message = f"the body of the request was in an unknown format - accepted media types include: {_ACCEPTED}"
        raise ApiError(415, "UnsupportedMediaType", message, {})
    if found is None:
        return {}
    if not isinstance(found, dict):
        what = {list: "array", str: "string", bool: "bool"}.get(type(found), "number")
        shape = (
            'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
        why = f"json parse error: json: cannot unmarshal {what} into Go value of type {shape} ({raw[:64].hex()})"
        raise bad_request(_unrecognized(kind, why))
    return found


def duplicate_fields(raw: bytes, content_type: str) -> list[str]:
    """What strict decoding says of keys that a JSON or YAML body writes twice."""
    if content_type in (_YAML, "text/yaml", "application/x-yaml"):
        return duplicates.in_yaml(raw)
    return [] if content_type == _PROTOBUF else duplicates.in_json(raw)


def _unrecognized(kind: str, why: str) -> str:
    return f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; {why}"


def parse_json(raw: bytes, kind: str) -> Any:
    """JSON, with Go's complaint where it is none. Raises ApiError (400)."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        why = f"json parse error: {_go_json_error(raw, error)} ({raw[:64].decode('utf-8', 'replace')})"
        raise bad_request(_unrecognized(kind, why)) from None


def _go_json_error(raw: bytes, error: orjson.JSONDecodeError) -> str:
    text = raw.decode("utf-8", "replace")
    at = error.pos
    if at >= len(text.rstrip()):
        return "unexpected end of JSON input"
    before = text[:at].rstrip()
    where = "looking for beginning of value"
    if before.endswith("{"):
        where = "looking for beginning of object key string"
    elif before.endswith('"'):
        where = "after object key"
    return f"invalid character '{text[at]}' {where}"


def parse_yaml(raw: bytes, kind: str) -> Any:
    """One YAML document. Raises ApiError (400)."""
    try:
        _check_yaml_depth(raw)
        found = yaml.load(raw, Loader=_Loader)
        _expanded(found, {})
        # A key that is a number or a boolean becomes text, as in Go's conversion to JSON.
        return orjson.loads(orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        lines = str(error).splitlines()
        why = f"error converting YAML to JSON: yaml: {lines[0] if lines else 'unreadable'}"
        raise bad_request(_unrecognized(kind, why)) from None


class _Loader(yaml.CSafeLoader):
    """The safe loader, with times left as text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _check_yaml_depth(raw: bytes) -> None:
    """Raise ValueError where a document is nested so deep that building it would exhaust the C stack."""
    depth = 0
    for event in yaml.parse(raw, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError("document contains excessive nesting")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _expanded(value: Any, sizes: dict[int, int], depth: int = 0) -> int:
    """How many values a YAML document holds once its aliases are written out. Raises ValueError past the limits."""
    if depth > MAX_DEPTH:
        raise ValueError("document contains excessive nesting")
    if not isinstance(value, dict | list):
        return 1
    known = sizes.get(id(value))
    if known is None:
        below = value.values() if isinstance(value, dict) else value
        known = sizes[id(value)] = 1 + sum(_expanded(item, sizes, depth + 1) for item in below)
    if known > _MAX_VALUES:
        raise ValueError("document contains excessive aliasing")
    return known


def check_depth(value: Any, limit: int = MAX_DEPTH) -> None:
    """Refuse a document nested so deep that walking it would exhaust the stack. Raises ApiError (400)."""
    level, todo = 0, [value]
    while todo:
        level += 1
        if level > limit:
            raise bad_request("exceeded max depth")
        following: list[Any] = []
        for item in todo:
            if isinstance(item, dict):
                following.extend(item.values())
            elif isinstance(item, list):
                following.extend(item)
        todo = following
