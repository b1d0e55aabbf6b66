"""PodDisruptionBudgets, PriorityClasses, and RBAC's roles and bindings.

Upstream: pkg/apis/policy/validation, pkg/apis/scheduling/validation, pkg/apis/rbac/validation.
"""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import (
    immutable,
    items,
    mapping,
    objects,
    validate_metadata,
    validate_selector,
)
from podwalk.apiserver.strategy.validation.workloads import int_or_percent, over_hundred_percent

_RBAC = "rbac.authorization.k8s.io"
HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_EVICTION = ("AlwaysAllow", "IfHealthyBudget")


def validate_poddisruptionbudget(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a PodDisruptionBudget."""
    del old
    spec = mapping(obj.get("spec"))
    if subresource:
        status = mapping(obj.get("status"))
        names = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
        return [
            fields.invalid(f"status.{n}", status[n], fields.NON_NEGATIVE)
            for n in names
            if isinstance(status.get(n), int) and status[n] < 0
        ]
    causes: list[Cause] = []
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if least is not None and most is not None:
        shown = {
            "MinAvailable": least,
            "Selector": spec.get("selector"),
            "MaxUnavailable": most,
            "UnhealthyPodEvictionPolicy": policy,
        }
        causes.append(fields.invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for name, value in (("minAvailable", least), ("maxUnavailable", most)):
        if value is not None:
            causes += int_or_percent(value, f"spec.{name}") + over_hundred_percent(value, f"spec.{name}")
    causes += validate_selector(spec.get("selector"), "spec.selector")
    if policy is not None and policy not in _EVICTION:
        causes.append(fields.not_supported("spec.unhealthyPodEvictionPolicy", policy, _EVICTION))
    return causes or validate_metadata(obj, fields.path_segment)


def _system_class(obj: Object) -> str:
    """What is wrong with a class whose name begins with ``system-``; empty where it is one of the system's own."""
    name = meta.name(obj)
    if name not in SYSTEM_CLASSES:
        return f"{name} is not a known system priority class"
    if obj.get("value") != SYSTEM_CLASSES[name]:
        return f"value of {name} PriorityClass must be {SYSTEM_CLASSES[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if obj.get("globalDefault") else ""


def validate_priorityclass(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a PriorityClass."""
    del subresource
    causes = validate_metadata(obj, fields.dns_subdomain)
    if old is not None:
        if obj.get("value") != old.get("value"):
            causes.append(fields.forbidden("value", "may not be changed in an update."))
        return causes + immutable("preemptionPolicy", obj.get("preemptionPolicy"), old.get("preemptionPolicy"))
    if meta.name(obj).startswith("system-"):
        if why := _system_class(obj):
            text = f"priority class names with 'system-' prefix are reserved for system use only. error: {why}"
            causes.append(fields.forbidden("metadata.name", text))
    elif (obj.get("value") or 0) > HIGHEST_USER_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        causes.append(fields.forbidden("value", text))
    policies = ("Never", "PreemptLowerPriority")
    return causes + fields.one_of("preemptionPolicy", obj.get("preemptionPolicy"), policies)


def _rule(rule: Object, at: str, *, namespaced: bool) -> list[Cause]:
    causes: list[Cause] = []
    if not items(rule.get("verbs")):
        causes.append(fields.required(f"{at}.verbs", "verbs must contain at least one value"))
    if urls := items(rule.get("nonResourceURLs")):
        field = f"{at}.nonResourceURLs"
        if namespaced:
            causes.append(fields.invalid(field, urls, "namespaced rules cannot apply to non-resource URLs"))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            causes.append(fields.invalid(field, urls, text))
        return causes
    if not items(rule.get("apiGroups")):
        causes.append(fields.required(f"{at}.apiGroups", "resource rules must supply at least one api group"))
    if not items(rule.get("resources")):
        causes.append(fields.required(f"{at}.resources", "resource rules must supply at least one resource"))
    return causes


def validate_role(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a Role or a ClusterRole."""
    del old, subresource
    causes = validate_metadata(obj, fields.path_segment)
    namespaced = obj.get("kind") == "Role"
    for index, rule in enumerate(objects(obj.get("rules"))):
        causes += _rule(rule, f"rules[{index}]", namespaced=namespaced)
    selectors = mapping(obj.get("aggregationRule")).get("clusterRoleSelectors")
    if obj.get("aggregationRule") is not None and not namespaced:
        field = "aggregationRule.clusterRoleSelectors"
        if not objects(selectors):
            causes.append(
                fields.required(field, "at least one clusterRoleSelector required if aggregationRule is non-nil")
            )
        for index, selector in enumerate(objects(selectors)):
            causes += validate_selector(selector, f"{field}[{index}]")
    return causes


def _subject(subject: Object, at: str, *, namespaced: bool) -> list[Cause]:
    kind, name, group = subject.get("kind"), str(subject.get("name") or ""), subject.get("apiGroup") or ""
    causes = [] if name else [fields.required(f"{at}.name")]
    if kind == "ServiceAccount":
        if name:
            causes += fields.each(f"{at}.name", name, fields.dns_subdomain(name))
        if group:
            causes.append(fields.not_supported(f"{at}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            causes.append(fields.required(f"{at}.namespace"))
    elif kind in ("User", "Group"):
        if group != _RBAC:
            causes.append(fields.not_supported(f"{at}.apiGroup", group, (_RBAC,)))
    else:
        causes.append(fields.not_supported(f"{at}.kind", kind or "", ("Group", "ServiceAccount", "User")))
    return causes


def validate_rolebinding(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a RoleBinding or a ClusterRoleBinding: its role never changes."""
    del subresource
    namespaced = obj.get("kind") == "RoleBinding"
    role = mapping(obj.get("roleRef"))
    causes = validate_metadata(obj, fields.path_segment)
    if role.get("apiGroup") != _RBAC:
        causes.append(fields.not_supported("roleRef.apiGroup", role.get("apiGroup") or "", (_RBAC,)))
    kinds = ("ClusterRole", "Role") if namespaced else ("ClusterRole",)
    if role.get("kind") not in kinds:
        causes.append(fields.not_supported("roleRef.kind", role.get("kind") or "", kinds))
    name = str(role.get("name") or "")
    causes += (
        fields.each("roleRef.name", name, fields.path_segment(name)) if name else [fields.required("roleRef.name")]
    )
    for index, subject in enumerate(objects(obj.get("subjects"))):
        causes += _subject(subject, f"subjects[{index}]", namespaced=namespaced)
    if old is not None and role != mapping(old.get("roleRef")):
        shown = {"APIGroup": role.get("apiGroup"), "Kind": role.get("kind"), "Name": role.get("name")}
        causes.append(fields.invalid("roleRef", shown, "cannot change roleRef"))
    return causes
