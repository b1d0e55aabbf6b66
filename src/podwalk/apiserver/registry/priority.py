"""The priority of Pods, and the classes that every cluster has.

Upstream: the admission plugin Priority, and pkg/registry/scheduling (bootstrap of the system classes).
"""

from __future__ import annotations

from podwalk.api import errors, meta, resources
from podwalk.api.meta import Object
from podwalk.apiserver.store import Store
from podwalk.apiserver.strategy import default

_CLASS = resources.by_kind("PriorityClass")
SYSTEM_CLASSES: dict[str, tuple[int, str]] = {
    "system-cluster-critical": (
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    "system-node-critical": (
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
}


def add_system_classes(store: Store) -> None:
    """Store the two system classes, where they are missing."""
    for name, (value, description) in SYSTEM_CLASSES.items():
        if store.get(_CLASS, "", name) is None:
            metadata = {"name": name, "uid": meta.new_uid(), "creationTimestamp": meta.now(), "generation": 1}
            obj: Object = {"kind": _CLASS.kind, "apiVersion": _CLASS.api_version, "metadata": metadata}
            obj |= {"value": value, "description": description}
            default(obj)
            store.put(_CLASS, obj)


def default_class(store: Store) -> Object | None:
    """The class of Pods that name none: of those marked globalDefault the one with the lowest value."""
    marked = [stored.obj for _, stored in store.scan(_CLASS) if stored.obj.get("globalDefault")]
    return min(marked, key=lambda obj: int(obj.get("value") or 0)) if marked else None


def set_priority(store: Store, pod: Object) -> None:
    """Give a new Pod the priority of its class. Raises ApiError (403)."""
    spec, name = pod["spec"], pod["spec"].get("priorityClassName") or ""
    found: Object | None
    if name:
        stored = store.get(_CLASS, "", name)
        if stored is None:
            raise errors.forbidden("pods", meta.name(pod), f"no PriorityClass with name {name} was found")
        found = stored.obj
    else:
        found = default_class(store)
        if found is not None:
            spec["priorityClassName"] = meta.name(found)
    value = int((found or {}).get("value") or 0)
    policy = (found or {}).get("preemptionPolicy") or "PreemptLowerPriority"
    from_class = "priority admission controller computed {} from the given PriorityClass name"
    if spec.get("priority") is not None and spec["priority"] != value:
        why = f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
        raise errors.forbidden("pods", meta.name(pod), why + from_class.format(value))
    if spec.get("preemptionPolicy") and spec["preemptionPolicy"] != policy:
        why = f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
        raise errors.forbidden("pods", meta.name(pod), why + from_class.format(policy))
    spec["priority"], spec["preemptionPolicy"] = value, policy


def check_class(store: Store, obj: Object) -> None:
    """Refuse a second default class. Raises ApiError (403)."""
    if not obj.get("globalDefault"):
        return
    other = default_class(store)
    if other is not None and meta.name(other) != meta.name(obj):
        why = f"PriorityClass {meta.name(other)} is already marked as default. Only one default can exist"
        raise errors.forbidden(_CLASS.plural, meta.name(obj), why, _CLASS.group)
