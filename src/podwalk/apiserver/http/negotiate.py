"""Which form an answer takes: JSON, YAML, Table or PartialObjectMetadata.

Upstream: k8s.io/apiserver/pkg/endpoints/handlers/negotiation and responsewriters. Protobuf is never answered: a client
that asks for it first lists JSON as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import orjson
import yaml
from aiohttp import web

from podwalk.api.errors import ApiError

Shape = Literal["object", "table", "partial"]

_JSON, _YAML = "application/json", "application/yaml"
_AVAILABLE = (
    "application/json, application/yaml, application/vnd.kubernetes.protobuf, "
    "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WARNING_LENGTH, _WARNINGS_LENGTH = 256, 4096


@dataclass(frozen=True, slots=True)
class Form:
    """How to write an answer."""

    shape: Shape = "object"
    media_type: str = _JSON
    version: str = "v1"


def _clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    out = []
    for clause in accept.split(","):
        media_type, *parameters = (part.strip() for part in clause.split(";"))
        pairs = dict(p.split("=", 1) for p in parameters if "=" in p)
        if media_type:
            out.append((media_type.lower(), pairs))
    return out


def parse_accept(accept: str | None) -> Form:
    """The form that an Accept header asks for. Raises ApiError (406) where there is none we write."""
    clauses = _clauses(accept or "")
    if not clauses:
        return Form()
    for media_type, parameters in clauses:
        if media_type in ("*/*", "application/*"):
            media_type = _JSON
        if media_type not in (_JSON, _YAML):
            continue
        kind = parameters.get("as")
        if kind is None:
            return Form("object", media_type)
        version = parameters.get("v", "v1")
        if parameters.get("g") != "meta.k8s.io" or version not in ("v1", "v1beta1"):
            continue
        if kind == "Table":
            return Form("table", media_type, version)
        if kind in ("PartialObjectMetadata", "PartialObjectMetadataList"):
            return Form("partial", media_type, version)
    message = f"406: Not Acceptable\n\nAvailable representations: {_AVAILABLE}"
    raise ApiError(406, "NotAcceptable", message, {})


def to_yaml(document: bytes) -> bytes:
    """JSON as YAML."""
    text = yaml.dump(orjson.loads(document), Dumper=yaml.CSafeDumper, sort_keys=True, default_flow_style=False)
    return text.encode()


def answer(document: bytes, form: Form, status: int = 200, warnings: list[str] | None = None) -> web.Response:
    """A response of one JSON document in the wanted media type; ``warnings`` become Warning headers."""
    body = to_yaml(document) if form.media_type == _YAML else document + b"\n"
    response = web.Response(body=body, status=status)
    response.headers["Content-Type"] = form.media_type
    response.headers["Cache-Control"] = "no-cache, private"
    for warning in _sayable(warnings or []):
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def _sayable(warnings: list[str]) -> list[str]:
    """The warnings that a header can hold: each once, none with control characters, not too much of them.

    Upstream: NewWarningHeader (apimachinery/pkg/util/net) and the recorder of endpoints/filters/warning.go.
    """
    said = list(dict.fromkeys(w for w in warnings if w and not _CONTROL.search(w)))
    if sum(map(len, said)) <= _WARNINGS_LENGTH:
        return said
    fitting = _WARNINGS_LENGTH // _WARNING_LENGTH
    return [w[:_WARNING_LENGTH] for w in said[:fitting]]
