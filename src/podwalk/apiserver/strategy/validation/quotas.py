"""ResourceQuotas and LimitRanges.

Upstream: ValidateResourceQuota and ValidateLimitRange in pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from podwalk.api import quantity
from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import items, mapping, objects, validate_metadata

_COUNTED = ("pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
            "persistentvolumeclaims", "services.nodeports", "services.loadbalancers")  # fmt: skip
_MEASURED = ("cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
             "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage")  # fmt: skip
_SCOPES = ("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating",
           "VolumeAttributesClass")  # fmt: skip
_LIMITED = ("cpu", "memory", "ephemeral-storage", "storage")


def _known(name: str) -> bool:
    return name in _COUNTED or name in _MEASURED or name.startswith(("count/", "requests.hugepages-", "hugepages-"))


def _value(text: Any) -> Decimal:
    try:
        return quantity.value(text)
    except ValueError:
        return Decimal(0)


def _hard(amounts: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for name in sorted(amounts):
        field = f"{at}[{name}]"
        wrong = fields.qualified_name(name)
        causes += fields.each(field, name, wrong)
        if not wrong and "/" not in name and not _known(name):
            causes.append(fields.invalid(field, name, "must be a standard resource for quota"))
        amount = _value(amounts[name])
        if amount < 0:
            causes.append(fields.invalid(field, str(amounts[name]), fields.NON_NEGATIVE))
        if (name in _COUNTED or name.startswith("count/")) and amount != int(amount):
            causes.append(fields.invalid(field, str(amounts[name]), "must be an integer"))
    return causes


def validate_resourcequota(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a ResourceQuota; its scopes never change."""
    spec = mapping(obj.get("spec"))
    if subresource:
        status = mapping(obj.get("status"))
        return _hard(mapping(status.get("hard")), "status.hard") + _hard(mapping(status.get("used")), "status.used")
    causes = validate_metadata(obj, fields.dns_subdomain) + _hard(mapping(spec.get("hard")), "spec.hard")
    scopes = [str(s) for s in items(spec.get("scopes"))]
    for scope in scopes:
        if scope not in _SCOPES:
            causes.append(fields.invalid("spec.scopes", scopes, "unsupported scope"))
    for one, other in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if one in scopes and other in scopes:
            causes.append(fields.invalid("spec.scopes", scopes, "conflicting scopes"))
    if old is not None and sorted(scopes) != sorted(map(str, items(mapping(old.get("spec")).get("scopes")))):
        causes.append(fields.invalid("spec.scopes", scopes or None, fields.IMMUTABLE))
    return causes


def _compared(item: Object, at: str) -> list[Cause]:
    """The amounts of one limit must be in order: min, default request, default, max."""
    causes: list[Cause] = []
    rules = (
        ("min", "max", "min", "min", "min value {} is greater than max value {}"),
        ("min", "defaultRequest", "defaultRequest", "defaultRequest",
         "min value {} is greater than default request value {}"),
        ("defaultRequest", "max", "defaultRequest", "defaultRequest",
         "default request value {} is greater than max value {}"),
        ("defaultRequest", "default", "defaultRequest", "defaultRequest",
         "default request value {} is greater than default limit value {}"),
        ("min", "default", "default", "min", "min value {} is greater than default value {}"),
        ("default", "max", "default", "max", "default value {} is greater than max value {}"),
    )  # fmt: skip
    amounts = {name: mapping(item.get(name)) for name in ("min", "max", "default", "defaultRequest")}
    for key in sorted(set().union(*amounts.values())):
        for low, high, where, shown, text in rules:
            if key in amounts[low] and key in amounts[high]:
                small, big = amounts[low][key], amounts[high][key]
                if _value(small) > _value(big):
                    value = str(amounts[shown][key])
                    causes.append(fields.invalid(f"{at}.{where}[{key}]", value, text.format(small, big)))
    for key, ratio in mapping(item.get("maxLimitRequestRatio")).items():
        if _value(ratio) < 1:
            field = f"{at}.maxLimitRequestRatio[{key}]"
            causes.append(fields.invalid(field, str(ratio), f"ratio {ratio} is less than 1"))
    return causes


def validate_limitrange(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a LimitRange."""
    del old, subresource
    causes = validate_metadata(obj, fields.dns_subdomain)
    seen: set[str] = set()
    for index, item in enumerate(objects(mapping(obj.get("spec")).get("limits"))):
        at, kind = f"spec.limits[{index}]", str(item.get("type") or "")
        wrong = fields.qualified_name(kind)
        causes += fields.each(f"{at}.type", kind, wrong)
        if not wrong and "/" not in kind and kind not in ("Container", "PersistentVolumeClaim", "Pod"):
            text = "must be a standard limit type or fully qualified"
            causes.append(fields.invalid(f"{at}.type", kind, text))
        if kind in seen:
            causes.append(fields.duplicate(f"{at}.type", kind))
        seen.add(kind)
        for name in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            amounts = mapping(item.get(name))
            if kind == "Pod" and name in ("default", "defaultRequest") and amounts:
                causes.append(fields.forbidden(f"{at}.{name}", "may not be specified when `type` is 'Pod'"))
            for key in amounts:
                standard = key in _LIMITED or str(key).startswith("hugepages-") or "/" in str(key)
                if not standard:
                    text = "must be a standard resource type or fully qualified"
                    causes.append(fields.invalid(f"{at}.{name}[{key}]", key, text))
        causes += _compared(item, at)
    return causes
