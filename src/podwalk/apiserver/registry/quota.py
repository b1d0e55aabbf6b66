"""ResourceQuotas: what a namespace uses, and the refusal of what would go beyond.

Upstream: the admission plugin ResourceQuota and the evaluators of pkg/quota/v1/evaluator/core. Differs: usage is
counted from the stored objects at each write and not from the quota's status, so that it is never behind.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from podwalk.api import errors, meta, quantity, resources
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.store import Store
from podwalk.apiserver.strategy.pod_defaults import qos_class

_QUOTA = resources.by_kind("ResourceQuota")
_POD, _SERVICE = resources.by_kind("Pod"), resources.by_kind("Service")
_COUNTED = frozenset(
    ("Pod", "Service", "ReplicationController", "ResourceQuota", "Secret", "ConfigMap", "PersistentVolumeClaim")
)
_MEASURED = ("cpu", "memory", "ephemeral-storage")

Usage = dict[str, Decimal]


def _pod_amounts(spec: Object, field: str) -> Usage:
    """What a Pod asks for: the sum of its containers, or its largest init container where that is more."""
    total: Usage = {}
    for container in spec.get("containers") or ():
        for name, amount in ((container.get("resources") or {}).get(field) or {}).items():
            total[name] = total.get(name, Decimal(0)) + quantity.value(amount)
    beside: Usage = {}
    for container in spec.get("initContainers") or ():
        for name, amount in ((container.get("resources") or {}).get(field) or {}).items():
            value = quantity.value(amount)
            if container.get("restartPolicy") == "Always":
                beside[name] = beside.get(name, Decimal(0)) + value
                total[name] = total.get(name, Decimal(0)) + value
            else:
                total[name] = max(total.get(name, Decimal(0)), beside.get(name, Decimal(0)) + value)
    return total


def _pod_usage(pod: Object) -> Usage:
    usage: Usage = {"count/pods": Decimal(1)}
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return usage
    usage["pods"] = Decimal(1)
    for name, amount in _pod_amounts(pod["spec"], "requests").items():
        usage[f"requests.{name}"] = amount
        if name in _MEASURED:
            usage[name] = amount
    for name, amount in _pod_amounts(pod["spec"], "limits").items():
        usage[f"limits.{name}"] = amount
    return usage


def _service_usage(service: Object) -> Usage:
    spec = service.get("spec") or {}
    usage: Usage = {"services": Decimal(1), "count/services": Decimal(1)}
    ports = Decimal(len(spec.get("ports") or ()))
    if spec.get("type") == "NodePort":
        usage["services.nodeports"] = ports
    elif spec.get("type") == "LoadBalancer":
        usage["services.loadbalancers"] = Decimal(1)
        if spec.get("allocateLoadBalancerNodePorts") is not False:
            usage["services.nodeports"] = ports
    return usage


def usage_of(resource: Resource, obj: Object) -> Usage:
    """What one object counts for, by the names that quotas use."""
    if resource.kind == "Pod":
        return _pod_usage(obj)
    if resource.kind == "Service":
        return _service_usage(obj)
    usage = {f"count/{resource.qualified}": Decimal(1)}
    if resource.kind in _COUNTED and not resource.group:
        usage[resource.plural] = Decimal(1)
    return usage


def _best_effort(pod: Object) -> bool:
    return qos_class(pod["spec"]) == "BestEffort"


def _terminating(pod: Object) -> bool:
    return pod["spec"].get("activeDeadlineSeconds") is not None


_SCOPES: dict[str, Callable[[Object], bool]] = {
    "BestEffort": _best_effort,
    "NotBestEffort": lambda pod: not _best_effort(pod),
    "Terminating": _terminating,
    "NotTerminating": lambda pod: not _terminating(pod),
}


def _in_scope(quota: Object, resource: Resource, obj: Object) -> bool:
    spec = quota.get("spec") or {}
    expressions = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    names = [*(spec.get("scopes") or ()), *(e.get("scopeName") for e in expressions if e.get("scopeName") in _SCOPES)]
    if names and resource.kind != "Pod":
        return False
    for expression in expressions:
        if expression.get("scopeName") != "PriorityClass":
            continue
        if resource.kind != "Pod":
            return False
        name, values = obj["spec"].get("priorityClassName") or "", expression.get("values") or ()
        held = {"In": name in values, "NotIn": name not in values, "Exists": bool(name), "DoesNotExist": not name}
        if not held.get(str(expression.get("operator")), True):
            return False
    return all(_SCOPES[name](obj) for name in names if name in _SCOPES)


def _hard(quota: Object) -> Usage:
    return {name: quantity.value(v) for name, v in ((quota.get("spec") or {}).get("hard") or {}).items()}


def _counted(store: Store, quota: Object, names: set[str]) -> Usage:
    """What the namespace uses of these names."""
    used: Usage = dict.fromkeys(names, Decimal(0))
    for resource, stored in store.in_namespace(meta.namespace(quota)):
        if _in_scope(quota, resource, stored.obj):
            for name, amount in usage_of(resource, stored.obj).items():
                if name in used:
                    used[name] += amount
    return used


def _shown(usage: Usage) -> str:
    return ",".join(f"{name}={quantity.canonical(f'{usage[name]:f}')}" for name in sorted(usage))


def _unstated(quota: Object, pod: Object) -> str:
    """The compute amounts that a quota limits and that a container leaves open."""
    limited = {name for name in _hard(quota) if name.removeprefix("requests.").removeprefix("limits.") in _MEASURED}
    missing: dict[str, set[str]] = {}
    for field in ("containers", "initContainers"):
        for container in pod["spec"].get(field) or ():
            given = container.get("resources") or {}
            stated = {f"{kind}.{name}" for kind in ("requests", "limits") for name in given.get(kind) or ()}
            stated |= set(given.get("requests") or ())
            for name in limited - stated:
                missing.setdefault(name, set()).add(str(container.get("name", "")))
    told = [f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing)]
    return f"must specify {'; '.join(told)}" if told else ""


def check_quotas(store: Store, resource: Resource, obj: Object, old: Object | None = None) -> None:
    """Refuse a write that would exceed a quota of its namespace. Raises ApiError (403).

    ``old`` is what the write replaces: only the increase counts.
    """
    if not resource.namespaced or resource.kind in ("Event", "ResourceQuota" if old else "Event"):
        return
    found = [stored.obj for _, stored in store.scan(_QUOTA, meta.namespace(obj))]
    if not found:
        return
    before = usage_of(resource, old) if old is not None else {}
    asked = {n: v - before.get(n, Decimal(0)) for n, v in usage_of(resource, obj).items()}
    asked = {name: amount for name, amount in asked.items() if amount > 0}
    for quota in found:
        if not _in_scope(quota, resource, obj):
            continue
        if resource.kind == "Pod" and old is None and (why := _unstated(quota, obj)):
            raise _refusal(resource, obj, f"failed quota: {meta.name(quota)}: {why}")
        hard = _hard(quota)
        wanted = {name: amount for name, amount in asked.items() if name in hard}
        if not wanted:
            continue
        used = _counted(store, quota, set(wanted))
        over = [name for name in wanted if used[name] + wanted[name] > hard[name]]
        if over:
            parts = (_shown({name: part[name] for name in over}) for part in (wanted, used, hard))
            text = "exceeded quota: {}, requested: {}, used: {}, limited: {}".format(meta.name(quota), *parts)
            raise _refusal(resource, obj, text)


def _refusal(resource: Resource, obj: Object, why: str) -> errors.ApiError:
    return errors.forbidden(resource.plural, meta.name(obj), why, resource.group)
