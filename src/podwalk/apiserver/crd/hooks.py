"""What the generic registry asks of definitions and of their objects, in one place."""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.crd import definition
from podwalk.apiserver.crd.kinds import custom_of
from podwalk.apiserver.registry.traits import CRD_FINALIZER
from podwalk.apiserver.strategy.validation.fields import Cause

_CRD = "CustomResourceDefinition"


def default(resource: Resource, obj: Object) -> bool:
    """Fill in the defaults of a definition or of a custom resource; False for anything else."""
    custom = custom_of(resource)
    if custom is not None:
        custom.default(obj)
    elif resource.kind == _CRD:
        definition.default(obj)
    else:
        return False
    return True


def validate(resource: Resource, obj: Object, old: Object | None, subresource: str) -> list[Cause] | None:
    """What is wrong with a definition or a custom resource; None for anything else."""
    custom = custom_of(resource)
    if custom is not None:
        return custom.validate(obj, old, subresource)
    return definition.validate(obj, old, subresource) if resource.kind == _CRD else None


def before_create(resource: Resource, obj: Object, *, applied: bool) -> None:
    """Give a new definition its first status; refuse objects of a kind on its way out. Raises ApiError (403, 405)."""
    custom = custom_of(resource)
    if custom is not None:
        custom.refuse_new(meta.name(obj), applied=applied)
    elif resource.kind == _CRD and isinstance(obj.get("spec"), dict):
        obj["status"] = definition.initial_status(obj)


def spec_changed(resource: Resource, old: Object, new: Object) -> bool | None:
    """Whether an update changes what metadata.generation counts; None where the usual rule holds."""
    custom = custom_of(resource)
    return None if custom is None else custom.generation_of(old, new)


def before_delete(resource: Resource, obj: Object) -> bool:
    """Make a definition wait for its objects; whether it changed. ``obj`` is about to be deleted."""
    if resource.kind != _CRD or resource.custom is not None or meta.is_deleting(obj):
        return False
    finalizers = obj["metadata"].setdefault("finalizers", [])
    if CRD_FINALIZER not in finalizers:
        finalizers.append(CRD_FINALIZER)
    status = obj.setdefault("status", {})
    status["conditions"] = status.get("conditions") or []
    text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    meta.set_condition(status["conditions"], "Terminating", "True", "InstanceDeletionPending", text)
    return True
