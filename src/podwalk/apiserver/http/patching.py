"""PATCH: the four kinds of patch, on objects and on scales.

Upstream: k8s.io/apiserver/pkg/endpoints/handlers/patch.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from podwalk.api.errors import ApiError, bad_request, cause, invalid
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver import patches
from podwalk.apiserver.apply import server_side
from podwalk.apiserver.http import bodies, objects
from podwalk.apiserver.http.routes import Target
from podwalk.apiserver.options import WriteOptions
from podwalk.apiserver.registry import subresources
from podwalk.apiserver.registry.core import Registry
from podwalk.apiserver.store import Stored
from podwalk.apiserver.strategic import strategic_merge

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(slots=True)
class Patched:
    """What a patch did."""

    stored: Stored
    created: bool = False
    warnings: list[str] = field(default_factory=list)


def _parse(raw: bytes, kind: str) -> Any:
    found = bodies.parse_json(raw, kind)
    bodies.check_depth(found)
    return found


def _apply_to(kind: str, api_version: str, obj: Object, patch: Any, content_type: str) -> Object:
    if content_type == JSON:
        return patches.json_patch(obj, patch)
    if not isinstance(patch, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    if content_type == MERGE:
        merged: Object = patches.merge_patch(obj, patch)
        return merged
    return strategic_merge(obj, patch, api_version, kind)


def _option_error(reason: str, message: str, field_name: str) -> ApiError:
    return invalid("PatchOptions", "", [cause(reason, message, field_name)], "meta.k8s.io")


def _go_print(value: Any) -> str:
    """A value as Go's %+v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{_go_print(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go_print(item) for item in value) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _invalid_patch(error: ApiError, patch: Any, patched: Object, content_type: str) -> ApiError:
    """What upstream makes of a patch whose result cannot be decoded: the patch is at fault, not the object."""
    if "cannot be handled as a" not in error.message:
        return error
    why = error.message.partition(": ")[2]
    shown = _go_print(patch) if content_type == STRATEGIC else orjson.dumps(patched).decode()
    told = f"Invalid value: {orjson.dumps(shown).decode()}: {why}"
    return invalid("", "", [cause("FieldValueInvalid", told, "patch")])


def _apply(registry: Registry, target: Target, raw: bytes, options: WriteOptions, *, named_manager: bool) -> Patched:
    if not named_manager:
        raise _option_error("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
    resource = target.resource
    config = bodies.parse_yaml(raw, resource.kind)
    if not isinstance(config, dict):
        raise bad_request("error decoding YAML: the applied configuration is not an object")
    if not config.get("apiVersion") or not config.get("kind"):
        raise bad_request("invalid object type: Object 'Kind' is missing in the applied configuration")
    strict = "Strict" if options.field_validation != "Ignore" else "Ignore"
    config, warnings = objects.checked_for(resource, config, strict)
    done = Patched(Stored({}, 0), warnings=warnings)

    def transform(live: Object) -> Object:
        applied: Object = orjson.loads(orjson.dumps(config))
        return server_side.apply(
            resource, live, applied, options.manager, force=options.force, subresource=target.subresource
        )

    done.stored, done.created = registry.apply(
        resource, target.namespace, target.name, transform, options, subresource=target.subresource
    )
    return done


def patch_object(
    registry: Registry, target: Target, raw: bytes, content_type: str, options: WriteOptions, *, named_manager: bool
) -> Patched:
    """Patch an object or a part of it. Raises ApiError."""
    resource: Resource = target.resource
    if content_type == APPLY:
        return _apply(registry, target, raw, options, named_manager=named_manager)
    if options.force:
        raise _option_error("FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force")
    if content_type == STRATEGIC and resource.custom is not None:
        told = "the body of the request was in an unknown format - accepted media types include: "
        raise ApiError(415, "UnsupportedMediaType", told + ", ".join((JSON, MERGE, APPLY)), {})
    if content_type not in (JSON, MERGE, STRATEGIC):
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    patch = _parse(raw, resource.kind)
    done = Patched(Stored({}, 0))

    def transform(obj: Object) -> Object:
        patched = _apply_to(resource.kind, resource.api_version, obj, patch, content_type)
        try:
            patched, done.warnings = objects.checked_for(resource, patched, options.field_validation)
        except ApiError as error:
            raise _invalid_patch(error, patch, patched, content_type) from None
        return patched

    done.stored, _ = registry.update(
        resource, target.namespace, target.name, transform, options, subresource=target.subresource
    )
    return done


def patch_scale(registry: Registry, target: Target, raw: bytes, content_type: str, options: WriteOptions) -> Object:
    """Patch a Scale; the new one. Raises ApiError."""
    if content_type not in (JSON, MERGE, STRATEGIC):
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    stored = registry.get(target.resource, target.namespace, target.name)
    patch = _parse(raw, "Scale")
    scale = subresources.scale_of(stored, target.resource)
    scale = _apply_to("Scale", "autoscaling/v1", scale, patch, content_type)
    scale, _ = objects.checked(scale, "Scale", "autoscaling/v1", options.field_validation)
    return subresources.update_scale(registry, target.resource, target.namespace, target.name, scale, options)
