"""The fields of a Service that hang together: clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy.

Upstream: ValidateServiceClusterIPsRelatedFields and validateUpgradeDowngradeClusterIPs (pkg/apis/core/validation). The
allocator asks too, before it hands anything out, as upstream's does.
"""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import items

_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_EXTERNAL = "may not be set for ExternalName services"
_IPS, _FAMILIES, _POLICY = "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy"


def mirror_cluster_ips(spec: Object, old_spec: Object) -> None:
    """Make clusterIP and clusterIPs[0] agree where a client wrote only one of them (normalizeClusterIPs)."""
    ip, ips = spec.get("clusterIP"), items(spec.get("clusterIPs"))
    changed_ip = (ip or "") != (old_spec.get("clusterIP") or "")
    changed_ips = ips != (old_spec.get("clusterIPs") or [])
    if changed_ip and not changed_ips:
        if ip:
            spec["clusterIPs"] = [ip]
        else:
            spec.pop("clusterIPs", None)
    elif changed_ips and not changed_ip:
        if ips:
            spec["clusterIP"] = ips[0]
        else:
            spec.pop("clusterIP", None)


def _external_name(spec: Object) -> list[Cause]:
    names = ((_IPS, "clusterIPs"), (_FAMILIES, "ipFamilies"), (_POLICY, "ipFamilyPolicy"))
    return [fields.forbidden(field, _EXTERNAL) for field, name in names if spec.get(name)]


def _families(spec: Object) -> list[Cause]:
    causes, seen = [], set()
    for index, family in enumerate(items(spec.get("ipFamilies"))):
        field = f"{_FAMILIES}[{index}]"
        if family not in ("IPv4", "IPv6"):
            causes.append(fields.not_supported(field, family, ("IPv4", "IPv6")))
        elif family in seen:
            causes.append(fields.duplicate(field, family))
        seen.add(family)
    return causes


def _addresses(spec: Object) -> list[Cause]:
    ips = items(spec.get("clusterIPs"))
    ip = spec.get("clusterIP") or ""
    if not ip and ips:
        return [fields.invalid(_IPS, ips, "must be empty when `clusterIP` is not specified")]
    if ip and ips and ip != ips[0]:
        return [fields.invalid(_IPS, ips, "first value must match `clusterIP`")]
    causes: list[Cause] = []
    for index, address in enumerate(ips):
        field = f"{_IPS}[{index}]"
        if address == "None":
            if len(ips) > 1:
                causes.append(fields.invalid(field, address, "'None' must be the first and only value"))
        else:
            causes += fields.each(field, address, fields.ip(address))
    if len(ips) > 2:
        causes.append(fields.invalid(_IPS, ips, "may only hold up to 2 values"))
    return causes


def _kept(spec: Object, old_spec: Object) -> list[Cause]:
    """The primary address never changes, except when the Service comes from or goes to ExternalName."""
    old_ips, ips = items(old_spec.get("clusterIPs")), items(spec.get("clusterIPs"))
    if "ExternalName" in (spec.get("type"), old_spec.get("type")) or not old_ips:
        return []
    if not ips:
        return [fields.invalid(f"{_IPS}[0]", ips, "primary clusterIP can not be unset")]
    if ips[0] != old_ips[0]:
        return [fields.invalid(f"{_IPS}[0]", ips, "may not change once set")]
    return []


def validate_cluster_ips(spec: Object, old_spec: Object | None) -> list[Cause]:
    """The complaints about a Service's addresses; ``old_spec`` is None on creation."""
    if spec.get("type") == "ExternalName":
        return _external_name(spec)
    causes: list[Cause] = []
    policy = spec.get("ipFamilyPolicy")
    if policy and policy not in _POLICIES:
        causes.append(fields.not_supported(_POLICY, policy, _POLICIES))
    causes += _families(spec)
    if policy == "SingleStack":
        for name in ("clusterIPs", "ipFamilies"):
            if len(items(spec.get(name))) > 1:
                detail = f"must be RequireDualStack or PreferDualStack when multiple {name} are specified"
                causes.append(fields.invalid(_POLICY, policy, detail))
    causes += _addresses(spec)
    if old_spec is not None and not causes:
        causes += _kept(spec, old_spec)
    return causes
