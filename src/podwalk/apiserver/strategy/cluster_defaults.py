"""Defaults of quotas, priorities, budgets and RBAC objects.

Upstream: SetDefaults_LimitRangeItem (pkg/apis/core/v1), SetDefaults_PriorityClass (pkg/apis/scheduling/v1),
SetDefaults_ClusterRoleBinding and its like (pkg/apis/rbac/v1).
"""

from __future__ import annotations

from podwalk.api.meta import Object

_RBAC = "rbac.authorization.k8s.io"


def default_limitrange(obj: Object) -> None:
    """A container's default limit is its maximum, its default request the default limit, or the minimum."""
    for item in (obj.get("spec") or {}).get("limits") or ():
        if item.get("type") != "Container":
            continue
        limits = {**(item.get("max") or {}), **(item.get("default") or {})}
        requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
        for field, amounts in (("default", limits), ("defaultRequest", requests)):
            if amounts:
                item[field] = amounts


def default_priorityclass(obj: Object) -> None:
    """Preemption is allowed unless the class says otherwise."""
    obj["preemptionPolicy"] = obj.get("preemptionPolicy") or "PreemptLowerPriority"


def default_binding(obj: Object) -> None:
    """A role, users and groups belong to RBAC's group; ServiceAccounts to the core group."""
    role = obj.setdefault("roleRef", {})
    role["apiGroup"] = role.get("apiGroup") or _RBAC
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = subject.get("apiGroup") or _RBAC
