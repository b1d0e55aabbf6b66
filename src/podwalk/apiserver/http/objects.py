"""Reading an object out of a request: the body, its kind and version, and its fields against the schema."""

from __future__ import annotations

from aiohttp import web

from podwalk.api.errors import bad_request
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.crd import definition
from podwalk.apiserver.crd.kinds import custom_of
from podwalk.apiserver.http import bodies
from podwalk.apiserver.schema import checking


def _refuse(kind: str, api_version: str, wanted: str, why: str) -> Exception:
    version = api_version.rpartition("/")[2]
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {wanted}: {why}')


def check_kind(obj: Object, kind: str, api_version: str) -> None:
    """Refuse an object of another kind or version; an object without them is taken as the wanted one."""
    sent_kind, sent_version = obj.get("kind") or kind, obj.get("apiVersion") or api_version
    if not isinstance(sent_kind, str) or not isinstance(sent_version, str):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind")
    if sent_version != api_version:
        scheme = "pkg/api/legacyscheme/scheme.go:30"
        version = sent_version.rpartition("/")[2]
        why = f'no kind "{sent_kind}" is registered for version "{sent_version}" in scheme "{scheme}"'
        raise bad_request(f'{sent_kind} in version "{version}" cannot be handled as a {kind}: {why}')
    if sent_kind != kind:
        version = sent_version.rpartition("/")[2]
        why = f"converting ({version}.{sent_kind}) to (core.{kind}): unknown conversion"
        raise _refuse(sent_kind, sent_version, kind, why)
    obj["kind"], obj["apiVersion"] = kind, api_version


async def read_object(
    request: web.Request, kind: str, api_version: str, field_validation: str = "Ignore"
) -> tuple[Object, list[str]]:
    """The body as an object of this kind, and warnings about it. Raises ApiError."""
    raw = await bodies.read(request)
    obj = bodies.decode(raw, bodies.media_type(request), kind)
    return checked(obj, kind, api_version, field_validation)


def checked(obj: Object, kind: str, api_version: str, field_validation: str) -> tuple[Object, list[str]]:
    """An object whose kind, types and fields are right; unknown fields are dropped. Raises ApiError (400)."""
    bodies.check_depth(obj)
    check_kind(obj, kind, api_version)
    return obj, checking.check(obj, field_validation)


def checked_for(resource: Resource, obj: Object, field_validation: str) -> tuple[Object, list[str]]:
    """An object of a resource, as :func:`checked` gives it. Raises ApiError (400)."""
    custom = custom_of(resource)
    if custom is None:
        obj, warnings = checked(obj, resource.kind, resource.api_version, field_validation)
        if resource.kind == "CustomResourceDefinition":
            warnings += definition.decode_schemas(obj, field_validation)
        return obj, warnings
    bodies.check_depth(obj)
    return obj, custom.check(obj, field_validation)


async def read_for(request: web.Request, resource: Resource, field_validation: str) -> tuple[Object, list[str]]:
    """The body as an object of a resource."""
    raw = await bodies.read(request)
    obj = bodies.decode(raw, bodies.media_type(request), resource.kind)
    twice = [] if field_validation == "Ignore" else bodies.duplicate_fields(raw, bodies.media_type(request))
    if not twice:
        return checked_for(resource, obj, field_validation)
    obj, warnings = checked_for(resource, obj, "Warn")
    if field_validation == "Strict":
        why = f"strict decoding error: {', '.join([*twice, *warnings])}"
        raise _refuse(resource.kind, resource.api_version, resource.kind, why)
    # A warning is a header: what cannot stand in one, as YAML's complaint of several lines, is not told.
    return obj, [*(t for t in twice if "\n" not in t), *warnings]
