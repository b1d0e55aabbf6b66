"""Reading and writing ObjectMeta on plain dicts.

Every component handles Kubernetes objects as parsed JSON (camelCase keys, as on the wire).
These helpers are the one vocabulary for names, keys, owners, conditions and times.
"""

import random
import uuid
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]

# k8s.io/apimachinery/pkg/util/rand: no vowels and no look-alikes, so that no suffix spells a word.
_ALPHANUMS = "bcdfghjklmnpqrstvwxz2456789"


def name(obj: Object) -> str:
    """The object's name."""
    return str(obj["metadata"].get("name", ""))


def namespace(obj: Object) -> str:
    """The object's namespace, or an empty string for a cluster-scoped object."""
    return str(obj["metadata"].get("namespace") or "")


def key(obj: Object) -> str:
    """``namespace/name``, or ``name`` for a cluster-scoped object (client-go's MetaNamespaceKeyFunc)."""
    return make_key(namespace(obj), name(obj))


def make_key(ns: str | None, object_name: str) -> str:
    """Join a namespace (may be empty) and a name to a key."""
    return f"{ns}/{object_name}" if ns else object_name


def split_key(k: str) -> tuple[str, str]:
    """Split a key into (namespace or "", name)."""
    ns, _, object_name = k.rpartition("/")
    return ns, object_name


def uid(obj: Object) -> str:
    """The object's UID."""
    return str(obj["metadata"].get("uid", ""))


def labels(obj: Object) -> dict[str, str]:
    """The object's labels (empty where there are none); not a copy to write to."""
    return obj["metadata"].get("labels") or {}


def annotations(obj: Object) -> dict[str, str]:
    """The object's annotations (empty where there are none); not a copy to write to."""
    return obj["metadata"].get("annotations") or {}


def resource_version(obj: Object) -> int:
    """The object's resourceVersion as a number (0 where it has none)."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def is_deleting(obj: Object) -> bool:
    """Whether a deletionTimestamp is set."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def now() -> str:
    """The time as metav1.Time prints it: RFC 3339, UTC, whole seconds."""
    return format_time(datetime.now(UTC))


def now_micro() -> str:
    """The time as metav1.MicroTime prints it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def format_time(moment: datetime) -> str:
    """Print an aware datetime as metav1.Time does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Parse an RFC 3339 time. Raises ValueError where it is none."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def new_uid() -> str:
    """A fresh UID (RFC 4122, version 4)."""
    return str(uuid.uuid4())


def random_suffix(length: int = 5) -> str:
    """A random name suffix from Kubernetes' safe alphabet."""
    return "".join(random.choices(_ALPHANUMS, k=length))


def owner_reference(owner: Object, *, controller: bool = True) -> Object:
    """An ownerReference to ``owner``, which must carry apiVersion and kind."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name(owner),
        "uid": uid(owner),
        "controller": controller,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Object) -> Object | None:
    """The ownerReference with ``controller: true``, if there is one."""
    for ref in obj["metadata"].get("ownerReferences") or ():
        if ref.get("controller"):
            return dict(ref)
    return None


def condition(obj: Object, kind: str) -> Object | None:
    """The condition of this type in ``status.conditions``."""
    for c in (obj.get("status") or {}).get("conditions") or ():
        if c.get("type") == kind:
            return dict(c)
    return None


def condition_is_true(obj: Object, kind: str) -> bool:
    """Whether the condition of this type has status "True"."""
    found = condition(obj, kind)
    return found is not None and found.get("status") == "True"


def set_condition(
    conditions: list[Object], kind: str, status: str, reason: str | None = None, message: str | None = None
) -> bool:
    """Set a condition in place; lastTransitionTime moves only when the status changes.

    Returns whether anything changed.
    """
    fresh: Object = {"type": kind, "status": status}
    if reason:
        fresh["reason"] = reason
    if message:
        fresh["message"] = message
    for index, old in enumerate(conditions):
        if old.get("type") != kind:
            continue
        same_status = old.get("status") == status
        fresh["lastTransitionTime"] = old.get("lastTransitionTime") if same_status else now()
        merged = {**{k: v for k, v in old.items() if k not in ("reason", "message", "status")}, **fresh}
        conditions[index] = merged
        return merged != old
    conditions.append({**fresh, "lastTransitionTime": now()})
    return True
