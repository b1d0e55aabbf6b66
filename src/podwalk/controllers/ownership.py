"""Taking objects over and letting them go (controller_ref_manager.go), and asking for objects by their owner."""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.rest import Client


async def adopt(client: Client, kind: str, obj: Object, owner: Object) -> Object | None:
    """Add ``owner`` as the controller of ``obj``; None where somebody was faster or the object is gone."""
    refs = [*(obj["metadata"].get("ownerReferences") or ()), meta.owner_reference(owner)]
    return await _write_refs(client, kind, obj, refs)


async def release(client: Client, kind: str, obj: Object, owner: Object) -> Object | None:
    """Remove ``owner`` from the ownerReferences of ``obj``."""
    refs = [r for r in obj["metadata"].get("ownerReferences") or () if r.get("uid") != meta.uid(owner)]
    return await _write_refs(client, kind, obj, refs)


async def _write_refs(client: Client, kind: str, obj: Object, refs: list[Object]) -> Object | None:
    patch = {
        "metadata": {
            "uid": meta.uid(obj),
            "resourceVersion": obj["metadata"].get("resourceVersion"),
            "ownerReferences": refs or None,
        }
    }
    try:
        return await client.patch(kind, meta.name(obj), patch, meta.namespace(obj))
    except ApiError as error:
        if error.reason in ("NotFound", "Conflict", "Invalid"):
            return None
        raise


def is_namespace_terminating(error: ApiError) -> bool:
    """Whether a create failed because its namespace is on its way out (then there is nothing to retry)."""
    causes = (error.details or {}).get("causes") or ()
    return error.reason == "Forbidden" and (
        any(c.get("reason") == "NamespaceTerminating" for c in causes) or "is being terminated" in error.message
    )
