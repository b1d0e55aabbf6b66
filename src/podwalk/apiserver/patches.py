"""JSON patch and merge patch (RFC 6902, RFC 7386), as k8s.io/apiserver/pkg/endpoints/handlers/patch.go applies them."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from podwalk.api.errors import ApiError, bad_request
from podwalk.api.meta import Object

_MAX_OPERATIONS = 10_000


def json_patch(obj: Object, operations: Any) -> Object:
    """Apply a JSON patch. Raises ApiError: 400 for no patch, 422 for one that does not fit the object."""
    if not isinstance(operations, list) or not all(isinstance(o, dict) for o in operations):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > _MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, got {len(operations)}"
        raise ApiError(413, "RequestEntityTooLarge", message)
    try:
        patched = jsonpatch.JsonPatch(operations).apply(obj)
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
