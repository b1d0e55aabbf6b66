"""JSON patch and merge patch (RFC 6902, RFC 7386), as k8s.io/apiserver/pkg/endpoints/handlers/patch.go applies them."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer
import orjson

from podwalk.api.errors import ApiError, bad_request
from podwalk.api.meta import Object

_MAX_OPERATIONS = 10_000
_MAX_COPIED = 3 * 1024 * 1024


def json_patch(obj: Object, operations: Any) -> Object:
    """Apply a JSON patch. Raises ApiError: 400 for no patch, 422 for one that does not fit the object."""
    if not isinstance(operations, list) or not all(isinstance(o, dict) for o in operations):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > _MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, got {len(operations)}"
        raise ApiError(413, "RequestEntityTooLarge", message)
    try:
        patched = _bounded(obj, operations)
    except (
        jsonpatch.JsonPatchException,
        jsonpointer.JsonPointerException,
        KeyError,
        TypeError,
        ValueError,
        IndexError,
    ):
        # kube-apiserver hands on only that it is unprocessable.
        message = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", message, {}) from None
    if not isinstance(patched, dict):
        raise bad_request("the patched document is not an object")
    return patched


def _bounded(obj: Object, operations: list[Any]) -> Any:
    """Apply operations of which each may copy what the ones before have copied. Raises ValueError past the limit.

    Upstream: AccumulatedCopySizeLimit of evanphx/json-patch, which kube-apiserver sets to the size of a request.
    """
    patch = jsonpatch.JsonPatch(operations)
    if not any(operation.get("op") == "copy" for operation in operations):
        return patch.apply(obj)
    done, copied = orjson.loads(orjson.dumps(obj)), 0
    for operation in operations:
        if operation.get("op") == "copy":
            copied += len(orjson.dumps(jsonpointer.resolve_pointer(done, operation["from"])))
            if copied > _MAX_COPIED:
                raise ValueError("the accumulated size of the copies is too large")
        done = jsonpatch.JsonPatch([operation]).apply(done, in_place=True)
    return done


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch; the patch is not changed."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for field, value in patch.items():
        if value is None:
            out.pop(field, None)
        else:
            out[field] = merge_patch(out.get(field), value)
    return out
