"""podFailurePolicy and successPolicy of Jobs.

Upstream: validatePodFailurePolicy and validateSuccessPolicy in pkg/apis/batch/validation.
"""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.indexes import count_indexes
from podwalk.apiserver.strategy.validation.metadata import items, mapping, objects

_MAX_RULES, _MAX_PATTERNS, _MAX_CODES, _MAX_INDEXES = 20, 20, 255, 64 * 1024
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_STATUSES = ("False", "True", "Unknown")
_OPERATORS = ("In", "NotIn")


def _listed(values: tuple[str, ...]) -> str:
    return "valid values: [" + " ".join(f'"{v}"' for v in values) + "]"


def _chosen(value: object, field: str, allowed: tuple[str, ...]) -> list[Cause]:
    if not value:
        return [fields.required(field, _listed(allowed))]
    return [] if value in allowed else [fields.not_supported(field, value, allowed)]


def _exit_codes(requirement: Object, at: str, names: set[str]) -> list[Cause]:
    causes = _chosen(requirement.get("operator"), f"{at}.operator", _OPERATORS)
    container = requirement.get("containerName")
    if container is not None and container not in names:
        text = "must be one of the container or initContainer names in the pod template"
        causes.append(fields.invalid(f"{at}.containerName", container, text))
    values = items(requirement.get("values"))
    if not values:
        causes.append(fields.invalid(f"{at}.values", values or None, "at least one value is required"))
    elif len(values) > _MAX_CODES:
        causes.append(fields.too_many(f"{at}.values", len(values), _MAX_CODES))
    seen: set[object] = set()
    for index, value in enumerate(values):
        if requirement.get("operator") == "In" and value == 0:
            causes.append(fields.invalid(f"{at}.values[{index}]", value, "must not be 0 for the In operator"))
        if value in seen:
            causes.append(fields.duplicate(f"{at}.values[{index}]", value))
        seen.add(value)
    if values != sorted(values):
        causes.append(fields.invalid(f"{at}.values", values, "must be ordered"))
    return causes


def _conditions(patterns: list[Object], at: str) -> list[Cause]:
    causes: list[Cause] = []
    if len(patterns) > _MAX_PATTERNS:
        causes.append(fields.too_many(at, len(patterns), _MAX_PATTERNS))
    for index, pattern in enumerate(patterns):
        kind = str(pattern.get("type") or "")
        causes += fields.each(f"{at}[{index}].type", kind, fields.qualified_name(kind))
        causes += _chosen(pattern.get("status"), f"{at}[{index}].status", _STATUSES)
    return causes


def _failure_rule(spec: Object, rule: Object, at: str, names: set[str]) -> list[Cause]:
    action = rule.get("action")
    causes: list[Cause] = []
    if action == "FailIndex":
        if spec.get("backoffLimitPerIndex") is None:
            causes.append(fields.invalid(f"{at}.action", action, "requires the backoffLimitPerIndex to be set"))
    else:
        causes += _chosen(action, f"{at}.action", _ACTIONS)
    codes, patterns = rule.get("onExitCodes"), objects(rule.get("onPodConditions"))
    if codes is not None:
        causes += _exit_codes(mapping(codes), f"{at}.onExitCodes", names)
    causes += _conditions(patterns, f"{at}.onPodConditions")
    if codes is not None and patterns:
        causes.append(fields.invalid_only(at, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not patterns:
        causes.append(fields.invalid_only(at, "specifying one of OnExitCodes and OnPodConditions is required"))
    return causes


def validate_failure_policy(spec: Object, field: str) -> list[Cause]:
    """The complaints about a Job's podFailurePolicy."""
    if spec.get("podFailurePolicy") is None:
        return []
    rules = objects(mapping(spec["podFailurePolicy"]).get("rules"))
    pod = mapping(mapping(spec.get("template")).get("spec"))
    names = {str(c.get("name")) for kind in ("containers", "initContainers") for c in objects(pod.get(kind))}
    causes: list[Cause] = []
    if len(rules) > _MAX_RULES:
        causes.append(fields.too_many(f"{field}.rules", len(rules), _MAX_RULES))
    for index, rule in enumerate(rules):
        causes += _failure_rule(spec, rule, f"{field}.rules[{index}]", names)
    return causes


def _success_rule(spec: Object, rule: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    count, indexes, completions = rule.get("succeededCount"), rule.get("succeededIndexes"), spec.get("completions") or 0
    if count is None and indexes is None:
        text = "at least one of succeededCount or succeededIndexes must be specified"
        causes.append(fields.required(at, text))
    total = 0
    if indexes is not None:
        field = f"{at}.succeededIndexes"
        if len(str(indexes)) > _MAX_INDEXES:
            causes.append(fields.too_long(field, _MAX_INDEXES))
        try:
            total = count_indexes(str(indexes), completions)
        except ValueError as error:
            causes.append(fields.invalid(field, indexes, f"error parsing succeededIndexes: {error}"))
    if count is not None:
        field = f"{at}.succeededCount"
        if count < 0:
            causes.append(fields.invalid(field, count, fields.NON_NEGATIVE))
        limits = [(completions, "the number of specified completions")]
        if indexes is not None:
            limits.append((total, "the number of indexes in the specified succeededIndexes field"))
        for limit, what in limits:
            if count > limit:
                causes.append(fields.invalid(field, count, f"must be less than or equal to {limit} ({what})"))
    return causes


def validate_success_policy(spec: Object, field: str) -> list[Cause]:
    """The complaints about a Job's successPolicy."""
    policy = spec.get("successPolicy")
    if policy is None:
        return []
    if spec.get("completionMode") != "Indexed":
        return [fields.invalid(field, policy, "requires indexed completion mode")]
    rules = objects(mapping(policy).get("rules"))
    causes: list[Cause] = []
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        causes.append(fields.required(f"{field}.rules", text))
    if len(rules) > _MAX_RULES:
        causes.append(fields.too_many(f"{field}.rules", len(rules), _MAX_RULES))
    for index, rule in enumerate(rules):
        causes += _success_rule(spec, rule, f"{field}.rules[{index}]")
    return causes
