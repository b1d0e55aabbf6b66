"""Facts about Pods that several loops need, and which Pods a ReplicaSet deletes first. Pure.

Upstream: pkg/api/v1/pod, pkg/controller/controller_utils.go (ActivePodsWithRanks).
"""

from __future__ import annotations

import copy
import functools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from podwalk.api import meta, quantity
from podwalk.api.meta import Object
from podwalk.controllers import template_hash as go_hash

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}
_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def is_ready(pod: Object) -> bool:
    """Whether the Ready condition is True."""
    return meta.condition_is_true(pod, "Ready")


def is_terminal(pod: Object) -> bool:
    """Whether the Pod has run to its end."""
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    """Whether the Pod counts as a replica: neither ended nor being deleted."""
    return not is_terminal(pod) and not meta.is_deleting(pod)


def phase(pod: Object) -> str:
    """``status.phase``; a Pod without one is Pending."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def node_name(pod: Object) -> str:
    """``spec.nodeName`` or an empty string."""
    return str(pod["spec"].get("nodeName") or "")


def ready_since(pod: Object) -> datetime | None:
    """When the Ready condition became True, or None."""
    found = meta.condition(pod, "Ready")
    if found is None or found.get("status") != "True" or not found.get("lastTransitionTime"):
        return None
    return meta.parse_time(found["lastTransitionTime"])


def available_in(pod: Object, min_ready_seconds: int, now: datetime) -> float | None:
    """Seconds until the Pod is available: 0 or less is available now, None is not ready."""
    if not is_ready(pod):
        return None
    if min_ready_seconds <= 0:
        return 0.0
    since = ready_since(pod)
    if since is None:
        return None
    return min_ready_seconds - (now - since).total_seconds()


def is_available(pod: Object, min_ready_seconds: int, now: datetime | None = None) -> bool:
    """Whether the Pod has been ready for at least ``min_ready_seconds``."""
    left = available_in(pod, min_ready_seconds, now or datetime.now(UTC))
    return left is not None and left <= 0


def scaled_up(value: int | str, total: int) -> int:
    """An IntOrString as a number: a percentage of ``total`` is rounded up, in integers (0.07 * 100 is more than 7)."""
    if isinstance(value, str) and value.endswith("%"):
        return -(-int(value[:-1]) * total // 100)
    return int(value)


def restarts(pod: Object) -> int:
    """The largest restart count among its containers."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((int(s.get("restartCount") or 0) for s in statuses), default=0)


def demand(pod: Object, kind: str = "requests") -> Counter[str]:
    """What the Pod asks for (``requests`` or ``limits``): its containers and sidecars together, or what one init
    container needs more, and the overhead (k8s.io/component-helpers/resource, PodRequests and PodLimits).
    """
    spec, total = pod["spec"], Counter[str]()
    for container in spec.get("containers") or ():
        _add(total, (container.get("resources") or {}).get(kind))
    sidecars, most = Counter[str](), Counter[str]()
    for container in spec.get("initContainers") or ():
        amounts: Counter[str] = Counter()
        _add(amounts, (container.get("resources") or {}).get(kind))
        if container.get("restartPolicy") == "Always":
            sidecars.update(amounts)
            total.update(amounts)
            amounts = Counter(sidecars)
        else:
            amounts.update(sidecars)
        most |= amounts
    total |= most
    _add(total, spec.get("overhead"))
    return total


def _add(total: Counter[str], amounts: Object | None) -> None:
    for resource, amount in (amounts or {}).items():
        total[resource] += quantity.value(amount)  # type: ignore[assignment]


def deletion_cost(pod: Object) -> int:
    """The annotation that asks to be spared (high) or to go first (low)."""
    try:
        return int(meta.annotations(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def to_delete(pods: Iterable[Object], count: int, doubled_up: Mapping[str, int], now: datetime) -> list[Object]:
    """The ``count`` Pods that are the smallest loss; ``doubled_up`` is the number of related Pods per node."""

    def compare(a: Object, b: Object) -> int:
        return _compare(a, b, doubled_up, now)

    return sorted(pods, key=functools.cmp_to_key(compare))[:count]


def _compare(a: Object, b: Object, doubled_up: Mapping[str, int], now: datetime) -> int:
    first = _sign(bool(node_name(a)), bool(node_name(b)))
    first = first or _sign(_PHASE_ORDER.get(phase(a), 2), _PHASE_ORDER.get(phase(b), 2))
    first = first or _sign(is_ready(a), is_ready(b))
    first = first or _sign(deletion_cost(a), deletion_cost(b))
    first = first or _sign(doubled_up.get(node_name(b), 0), doubled_up.get(node_name(a), 0))
    if first:
        return first
    if is_ready(a) and is_ready(b):
        by_age = _younger_first(ready_since(a), ready_since(b), a, b, now)
        if by_age:
            return by_age
    more_restarts = _sign(restarts(b), restarts(a))
    if more_restarts:
        return more_restarts
    return _younger_first(_created(a), _created(b), a, b, now)


def _younger_first(at_a: datetime | None, at_b: datetime | None, a: Object, b: Object, now: datetime) -> int:
    """Ages are compared on a logarithmic scale and ties go by UID, so that not always the newest goes."""
    if at_a == at_b:
        return 0
    if at_a is None or at_b is None:
        return -1 if at_a is None else 1
    by_rank = _sign(_log_age(at_a, now), _log_age(at_b, now))
    return by_rank or _sign(meta.uid(a), meta.uid(b))


def _log_age(at: datetime, now: datetime) -> int:
    nanoseconds = (now - at).total_seconds() * 1e9
    return int(math.log2(nanoseconds)) if nanoseconds >= 1 else -1


def _created(pod: Object) -> datetime | None:
    text = pod["metadata"].get("creationTimestamp")
    return meta.parse_time(text) if text else None


def _sign(a: Any, b: Any) -> int:
    return int(a > b) - int(a < b)


def template_hash(template: Object, collisions: int | None = None) -> str:
    """The value of ``pod-template-hash``, the same as that of Kubernetes v1.36."""
    return safe_encode(str(go_hash.number(template, collisions)))


def fnv32(data: bytes) -> int:
    """The 32-bit FNV-1 hash (New32 of Go's hash/fnv)."""
    value = 0x811C9DC5
    for byte in data:
        value = (value * 0x01000193 & 0xFFFFFFFF) ^ byte
    return value


def safe_encode(text: str) -> str:
    """The text in the alphabet of name suffixes (k8s.io/apimachinery/pkg/util/rand, SafeEncodeString)."""
    return "".join(_SAFE[ord(char) % len(_SAFE)] for char in text)


def from_template(template: Object, owner: Object) -> Object:
    """A Pod to create: the template, owned by ``owner`` and named after it."""
    wanted = template.get("metadata") or {}
    metadata: Object = {
        "generateName": f"{meta.name(owner)}-",
        "namespace": meta.namespace(owner),
        "ownerReferences": [meta.owner_reference(owner)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if wanted.get(field):
            metadata[field] = copy.deepcopy(wanted[field])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": copy.deepcopy(template["spec"])}


def is_owned_by(obj: Object, owner: Object) -> bool:
    """Whether ``owner`` is the controller of ``obj``."""
    ref = meta.controller_of(obj)
    return ref is not None and ref.get("uid") == meta.uid(owner)
