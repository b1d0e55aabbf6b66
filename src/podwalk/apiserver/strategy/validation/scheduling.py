"""Where a Pod may run: affinities, tolerations, spreading.

Upstream: validateAffinity, ValidateTolerations, validateTopologySpreadConstraints in pkg/apis/core/validation.
"""

from __future__ import annotations

from typing import Any

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import items, mapping, objects, validate_selector

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED, _PREFERRED = (f"{kind}DuringSchedulingIgnoredDuringExecution" for kind in ("required", "preferred"))
_NOT_AN_OPERATOR = "not a valid selector operator"


def validate_tolerations(tolerations: Any, field: str) -> list[Cause]:
    """The tolerations of a PodSpec."""
    causes: list[Cause] = []
    for index, toleration in enumerate(objects(tolerations)):
        at, key, operator = f"{field}[{index}]", toleration.get("key"), toleration.get("operator") or ""
        effect, value = toleration.get("effect") or "", str(toleration.get("value") or "")
        if key:
            causes += fields.each(f"{at}.key", key, fields.qualified_name(str(key)))
        elif operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            causes.append(fields.invalid(f"{at}.operator", operator, text))
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            causes.append(fields.invalid(f"{at}.effect", effect, text))
        if operator in ("", "Equal"):
            if wrong := fields.label_value(value):
                causes.append(fields.invalid(f"{at}.operator", value, ";".join(wrong)))
        elif operator == "Exists":
            if value:
                text = "value must be empty when `operator` is 'Exists'"
                causes.append(fields.invalid(f"{at}.operator", value, text))
        else:
            causes.append(fields.not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
        if effect and effect not in _EFFECTS:
            causes.append(fields.not_supported(f"{at}.effect", effect, _EFFECTS))
    return causes


def _node_rule(rule: Object, at: str) -> list[Cause]:
    operator, values = rule.get("operator") or "", items(rule.get("values"))
    causes: list[Cause] = []
    if operator in ("In", "NotIn"):
        if not values:
            causes.append(fields.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(fields.forbidden(f"{at}.values", text))
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            causes.append(fields.required(f"{at}.values", text))
    else:
        causes.append(fields.invalid(f"{at}.operator", operator, _NOT_AN_OPERATOR))
    key = str(rule.get("key") or "")
    causes += fields.each(f"{at}.key", key, fields.qualified_name(key))
    for index, value in enumerate(values):
        causes += fields.each(f"{at}.values[{index}]", value, fields.label_value(str(value)))
    return causes


def _field_rule(rule: Object, at: str) -> list[Cause]:
    operator, values, key = rule.get("operator") or "", items(rule.get("values")), rule.get("key") or ""
    causes: list[Cause] = []
    if operator not in ("In", "NotIn"):
        causes.append(fields.invalid(f"{at}.operator", operator, _NOT_AN_OPERATOR))
    elif len(values) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        causes.append(fields.required(f"{at}.values", text))
    if key != "metadata.name":
        return [*causes, fields.invalid(f"{at}.key", key, "not a valid field selector key")]
    for index, value in enumerate(values):
        causes += fields.each(f"{at}.values[{index}]", value, fields.dns_subdomain(str(value)))
    return causes


def _node_term(term: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, rule in enumerate(objects(term.get("matchExpressions"))):
        causes += _node_rule(rule, f"{at}.matchExpressions[{index}]")
    for index, rule in enumerate(objects(term.get("matchFields"))):
        causes += _field_rule(rule, f"{at}.matchFields[{index}]")
    return causes


def _weight(term: Object, at: str) -> list[Cause]:
    weight = term.get("weight") or 0
    return [] if 1 <= weight <= 100 else [fields.invalid(f"{at}.weight", weight, "must be in the range 1-100")]


def _node_affinity(affinity: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    if affinity.get(_REQUIRED) is not None:
        terms, field = objects(mapping(affinity[_REQUIRED]).get("nodeSelectorTerms")), f"{at}.{_REQUIRED}"
        if not terms:
            causes.append(fields.required(f"{field}.nodeSelectorTerms", "must have at least one node selector term"))
        for index, term in enumerate(terms):
            causes += _node_term(term, f"{field}.nodeSelectorTerms[{index}]")
    for index, preferred in enumerate(objects(affinity.get(_PREFERRED))):
        field = f"{at}.{_PREFERRED}[{index}]"
        causes += _weight(preferred, field)
        causes += _node_term(mapping(preferred.get("preference")), f"{field}.preference")
    return causes


def _pod_term(term: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("labelSelector", "namespaceSelector"):
        if term.get(name) is not None:
            causes += validate_selector(term[name], f"{at}.{name}")
    for name in items(term.get("namespaces")):
        causes += fields.each(f"{at}.namespace", name, fields.dns_label(str(name)))
    key = str(term.get("topologyKey") or "")
    if not key:
        return [*causes, fields.required(f"{at}.topologyKey", "can not be empty")]
    return causes + fields.each(f"{at}.topologyKey", key, fields.qualified_name(key))


def _pod_affinity(affinity: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, term in enumerate(objects(affinity.get(_REQUIRED))):
        causes += _pod_term(term, f"{at}.{_REQUIRED}[{index}]")
    for index, preferred in enumerate(objects(affinity.get(_PREFERRED))):
        field = f"{at}.{_PREFERRED}[{index}]"
        causes += _weight(preferred, field)
        causes += _pod_term(mapping(preferred.get("podAffinityTerm")), f"{field}.podAffinityTerm")
    return causes


def validate_affinity(affinity: Any, field: str) -> list[Cause]:
    """The affinity of a PodSpec."""
    given = mapping(affinity)
    causes: list[Cause] = []
    if given.get("nodeAffinity") is not None:
        causes += _node_affinity(mapping(given["nodeAffinity"]), f"{field}.nodeAffinity")
    for name in ("podAffinity", "podAntiAffinity"):
        if given.get(name) is not None:
            causes += _pod_affinity(mapping(given[name]), f"{field}.{name}")
    return causes


def validate_spread(constraints: Any, field: str) -> list[Cause]:
    """The topologySpreadConstraints of a PodSpec."""
    causes: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(objects(constraints)):
        at, skew = f"{field}[{index}]", constraint.get("maxSkew") or 0
        key, action = str(constraint.get("topologyKey") or ""), str(constraint.get("whenUnsatisfiable") or "")
        if skew <= 0:
            causes.append(fields.invalid(f"{at}.maxSkew", skew, "must be greater than zero"))
        if not key:
            causes.append(fields.required(f"{at}.topologyKey", "can not be empty"))
        else:
            causes += fields.each(f"{at}.topologyKey", key, fields.qualified_name(key))
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            supported = ("DoNotSchedule", "ScheduleAnyway")
            causes.append(fields.not_supported(f"{at}.whenUnsatisfiable", action, supported))
        if (key, action) in seen:
            where = f"{at}.{{topologyKey, whenUnsatisfiable}}"
            causes.append(fields.duplicate(where, f"{{{key}, {action}}}"))
        seen.add((key, action))
        least = constraint.get("minDomains")
        if isinstance(least, int):
            if least <= 0:
                causes.append(fields.invalid(f"{at}.minDomains", least, "must be greater than zero"))
            if action != "DoNotSchedule":
                text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                causes.append(fields.invalid(f"{at}.minDomains", least, text))
        if constraint.get("labelSelector") is not None:
            causes += validate_selector(constraint["labelSelector"], f"{at}.labelSelector")
    return causes
