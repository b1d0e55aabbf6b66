"""Deleting objects: grace periods, finalizers, propagation.

Upstream: registry/rest/delete.go, registry/generic/registry/store.go and pkg/registry/core/{pod,namespace}.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from podwalk.api import errors, meta
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver import events
from podwalk.apiserver.crd import hooks
from podwalk.apiserver.options import DeleteOptions, ListOptions
from podwalk.apiserver.registry import priority, traits
from podwalk.apiserver.registry.core import Registry
from podwalk.apiserver.store import Stored

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"
_PROTECTED_NAMESPACES = ("default", "kube-system", "kube-public")
_DEFAULT_GRACE = 30
_LONGEST_GRACE = 100 * 365 * 24 * 3600  # beyond it lies the end of the calendar


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion did: the object as it now is or last was, and whether it is gone."""

    stored: Stored
    gone: bool


def delete(registry: Registry, resource: Resource, namespace: str, name: str, options: DeleteOptions) -> Deletion:
    """Delete one object, or begin to. Raises ApiError."""
    resource = events.stored_as(resource)
    old = registry.get(resource, namespace, name)
    _check(resource, old, options)
    grace = _grace(resource, old.obj, options)
    obj = old.copy()
    changed = _set_finalizers(obj, options.propagation)
    changed |= hooks.before_delete(resource, obj)
    if resource.kind == "Namespace":
        finalized = not obj.get("spec", {}).get("finalizers")
        waits = not finalized or bool(obj["metadata"].get("finalizers"))
    else:
        waits = bool(obj["metadata"].get("finalizers")) or grace > 0
    if not waits:
        return _finish(registry, resource, old, obj, changed, options)
    if _mark(resource, obj, grace, options) or changed:
        if options.dry_run:
            return Deletion(Stored(obj, old.rv), False)
        return Deletion(registry.store.put(resource, obj), False)
    return Deletion(old, False)


def delete_collection(
    registry: Registry, resource: Resource, namespace: str, selected: ListOptions, options: DeleteOptions
) -> list[Stored]:
    """Delete everything that matches; the objects as they were deleted."""
    deleted = []
    for stored in registry.select(resource, namespace, selected).items:
        metadata = stored.obj["metadata"]
        deleted.append(delete(registry, resource, metadata.get("namespace") or "", metadata["name"], options).stored)
    return deleted


def _check(resource: Resource, old: Stored, options: DeleteOptions) -> None:
    name, uid = meta.name(old.obj), meta.uid(old.obj)
    if options.uid and options.uid != uid:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
        raise errors.conflict(resource.kind, name, why, resource.group)
    if options.resource_version and options.resource_version != str(old.rv):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the ResourceVersion "
            f"in record ({old.rv}). The object might have been modified"
        )
        raise errors.conflict(resource.kind, name, why, resource.group)
    if resource.kind == "Namespace" and name in _PROTECTED_NAMESPACES:
        raise errors.forbidden("namespaces", name, "this namespace may not be deleted")
    if resource.kind == "PriorityClass" and name in priority.SYSTEM_CLASSES:
        why = "this is a system priority class and cannot be deleted"
        raise errors.forbidden(resource.plural, name, why, resource.group)


def _grace(resource: Resource, obj: Object, options: DeleteOptions) -> int:
    if resource.kind != "Pod":
        return 0
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    metadata = obj["metadata"]
    wanted = options.grace_period
    if wanted is None:
        if metadata.get("deletionTimestamp"):
            return int(metadata.get("deletionGracePeriodSeconds") or 0)
        wanted = spec.get("terminationGracePeriodSeconds")
    grace = _DEFAULT_GRACE if wanted is None else int(wanted)
    # A negative period kills at once, yet leaves the confirmation to the kubelet.
    return 1 if grace < 0 else min(grace, _LONGEST_GRACE)


def _set_finalizers(obj: Object, propagation: str) -> bool:
    metadata = obj["metadata"]
    before = list(metadata.get("finalizers") or ())
    if not propagation:
        return False
    finalizers = [f for f in before if f not in (_FOREGROUND, _ORPHAN)]
    if propagation == "Foreground":
        finalizers.append(_FOREGROUND)
    elif propagation == "Orphan":
        finalizers.append(_ORPHAN)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    return sorted(finalizers) != sorted(before)


def _mark(resource: Resource, obj: Object, grace: int, options: DeleteOptions) -> bool:
    """Set the deletionTimestamp, or bring it forward; whether anything changed."""
    metadata = obj["metadata"]
    if metadata.get("deletionTimestamp"):
        period = int(metadata.get("deletionGracePeriodSeconds") or 0)
        if grace >= period:
            return False
        metadata["deletionTimestamp"] = _after(meta.parse_time(metadata["deletionTimestamp"]), grace - period)
        metadata["deletionGracePeriodSeconds"] = grace
        return True
    metadata["deletionTimestamp"] = _after(datetime.now(UTC), grace)
    metadata["deletionGracePeriodSeconds"] = grace
    if traits.has_generation(resource):
        metadata["generation"] = int(metadata.get("generation") or 0) + 1
    if resource.kind == "Namespace":
        # The registry of namespaces has no grace period of its own: the field stays unset.
        metadata.pop("deletionGracePeriodSeconds")
        obj.setdefault("status", {})["phase"] = "Terminating"
    return True


def _after(moment: datetime, seconds: int) -> str:
    return meta.format_time(moment + timedelta(seconds=seconds))


def _finish(
    registry: Registry, resource: Resource, old: Stored, obj: Object, changed: bool, options: DeleteOptions
) -> Deletion:
    if resource.kind == "Pod":
        _mark(resource, obj, 0, options)
        changed = True
    if options.dry_run:
        return Deletion(Stored(obj, old.rv), True)
    # No MODIFIED event for the last step: the object goes as it is, with its deletionTimestamp in the final state.
    last = Stored(obj, old.rv) if changed else old
    return Deletion(registry.remove(resource, last), True)
