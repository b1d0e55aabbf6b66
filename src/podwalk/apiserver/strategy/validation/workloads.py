"""Deployments, ReplicaSets, DaemonSets.

Upstream: pkg/apis/apps/validation/validation.go.
"""

from __future__ import annotations

from typing import Any

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import (
    immutable,
    mapping,
    selects,
    strings,
    validate_metadata,
    validate_selector,
)
from podwalk.apiserver.strategy.validation.pods import validate_template

_MISMATCH = "`selector` does not match template `labels`"
_TEMPLATE = "spec.template"


def non_negative(spec: Object, *names: str) -> list[Cause]:
    """Fields of a spec that may not be below zero."""
    return [
        fields.invalid(f"spec.{n}", spec[n], fields.NON_NEGATIVE)
        for n in names
        if isinstance(spec.get(n), int) and spec[n] < 0
    ]


def _selector(spec: Object, empty_text: str, *, needed: bool) -> list[Cause]:
    selector = spec.get("selector")
    if selector is None:
        return [fields.required("spec.selector")] if needed else []
    causes = validate_selector(selector, "spec.selector")
    if not mapping(selector).get("matchLabels") and not mapping(selector).get("matchExpressions"):
        causes.append(fields.invalid("spec.selector", {}, empty_text))
    return causes


def _template(spec: Object, kind: str) -> list[Cause]:
    template = mapping(spec.get("template"))
    labels = mapping(template.get("metadata")).get("labels")
    causes: list[Cause] = []
    selector = mapping(spec.get("selector"))
    empty = not selector.get("matchLabels") and not selector.get("matchExpressions")
    if not (empty and spec.get("selector") is not None) and not selects(spec.get("selector"), labels):
        causes.append(fields.invalid(f"{_TEMPLATE}.metadata.labels", strings(labels) or None, _MISMATCH))
    causes += validate_template(template, _TEMPLATE)
    policy = mapping(template.get("spec")).get("restartPolicy")
    if policy in ("OnFailure", "Never"):
        causes.append(fields.not_supported(f"{_TEMPLATE}.spec.restartPolicy", policy, ("Always",)))
    if mapping(template.get("spec")).get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        causes.append(fields.forbidden(f"{_TEMPLATE}.spec.activeDeadlineSeconds", text))
    return causes


def int_or_percent(value: Any, field: str) -> list[Cause]:
    """An IntOrString that may be a number or a percentage (ValidatePositiveIntOrPercent)."""
    if isinstance(value, int) and value < 0:
        return [fields.invalid(field, value, fields.NON_NEGATIVE)]
    if isinstance(value, str) and not (value.endswith("%") and value[:-1].isdigit()):
        text = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
        return [fields.invalid(field, value, f"{text}regex used for validation is '[0-9]+%')")]
    return []


def over_hundred_percent(value: Any, field: str) -> list[Cause]:
    """A percentage above 100 (IsNotMoreThan100Percent)."""
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit() and int(value[:-1]) > 100:
        return [fields.invalid(field, value, "must not be greater than 100%")]
    return []


def _rolling(strategy: Object, field: str) -> list[Cause]:
    rolling = mapping(strategy.get("rollingUpdate"))
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    causes = int_or_percent(unavailable, f"{field}.maxUnavailable") + int_or_percent(surge, f"{field}.maxSurge")
    if unavailable in (0, "0%") and surge in (0, "0%"):
        text = "may not be 0 when `maxSurge` is 0"
        causes.append(fields.invalid(f"{field}.maxUnavailable", unavailable, text))
    return causes


def _deployment_strategy(spec: Object) -> list[Cause]:
    strategy = mapping(spec.get("strategy"))
    kind = strategy.get("type") or "RollingUpdate"
    if kind == "Recreate":
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [fields.forbidden("spec.strategy.rollingUpdate", text)] if strategy.get("rollingUpdate") else []
    if kind != "RollingUpdate":
        return [fields.not_supported("spec.strategy.type", kind, ("Recreate", "RollingUpdate"))]
    return _rolling(strategy, "spec.strategy.rollingUpdate")


def _deadline(spec: Object) -> list[Cause]:
    deadline = spec.get("progressDeadlineSeconds")
    causes = non_negative(spec, "progressDeadlineSeconds")
    if isinstance(deadline, int) and deadline <= (spec.get("minReadySeconds") or 0):
        causes.append(fields.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return causes


def _kept_selector(obj: Object, old: Object | None) -> list[Cause]:
    if old is None:
        return []
    return immutable(
        "spec.selector", mapping(obj.get("spec")).get("selector"), mapping(old.get("spec")).get("selector")
    )


def validate_deployment(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a Deployment."""
    spec = mapping(obj.get("spec"))
    if subresource:
        return non_negative(spec, "replicas") if subresource == "scale" else []
    causes = validate_metadata(obj, fields.dns_subdomain) + non_negative(spec, "replicas")
    causes += _selector(spec, "empty selector is invalid for deployment", needed=True)
    causes += _template(spec, "ReplicaSet")
    causes += _deployment_strategy(spec)
    causes += non_negative(spec, "minReadySeconds", "revisionHistoryLimit")
    return causes + _deadline(spec) + _kept_selector(obj, old)


def validate_replicaset(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a ReplicaSet."""
    spec = mapping(obj.get("spec"))
    if subresource:
        return non_negative(spec, "replicas") if subresource == "scale" else []
    causes = validate_metadata(obj, fields.dns_subdomain) + non_negative(spec, "replicas", "minReadySeconds")
    causes += _selector(spec, "empty selector is invalid for deployment", needed=True)
    return causes + _template(spec, "ReplicaSet") + _kept_selector(obj, old)


def validate_daemonset(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a DaemonSet."""
    if subresource:
        return []
    spec = mapping(obj.get("spec"))
    causes = validate_metadata(obj, fields.dns_subdomain)
    causes += _selector(spec, "empty selector is invalid for daemonset", needed=False) + _template(spec, "DaemonSet")
    causes += non_negative(spec, "minReadySeconds", "revisionHistoryLimit")
    strategy = mapping(spec.get("updateStrategy"))
    kind = strategy.get("type") or "RollingUpdate"
    if kind not in ("OnDelete", "RollingUpdate"):
        causes.append(fields.not_supported("spec.updateStrategy.type", kind, ("RollingUpdate", "OnDelete")))
    elif kind == "RollingUpdate":
        causes += _rolling(strategy, "spec.updateStrategy.rollingUpdate")
    return causes + _kept_selector(obj, old)
