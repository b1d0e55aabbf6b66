"""IPAddresses and ServiceCIDRs.

Upstream: pkg/apis/networking/validation/validation.go.
"""

from __future__ import annotations

import ipaddress

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import immutable, items, mapping, validate_metadata

_TWO_FAMILIES = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"


def _address_name(name: str) -> list[str]:
    if wrong := fields.ip(name):
        return wrong
    canonical = str(ipaddress.ip_address(name))
    return [] if name == canonical else [f'must be in canonical form ("{canonical}")']


def _parent(parent: object) -> list[Cause]:
    field = "spec.parentRef"
    if parent is None:
        return [fields.required(field)]
    reference = mapping(parent)
    causes: list[Cause] = []
    if group := str(reference.get("group") or ""):
        causes += fields.each(f"{field}.group", group, fields.dns_subdomain(group))
    for name in ("resource", "name", "namespace"):
        value = str(reference.get(name) or "")
        if value:
            causes += fields.each(f"{field}.{name}", value, fields.path_segment(value))
        elif name != "namespace":
            causes.append(fields.required(f"{field}.{name}"))
    return causes


def validate_ipaddress(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about an IPAddress: its name is the address, its parent never changes."""
    del subresource
    parent = mapping(obj.get("spec")).get("parentRef")
    causes = validate_metadata(obj, _address_name) + _parent(parent)
    if old is not None:
        causes += immutable("spec.parentRef", parent, mapping(old.get("spec")).get("parentRef"))
    return causes


def _family(cidr: object) -> int:
    try:
        return ipaddress.ip_network(str(cidr), strict=False).version
    except ValueError:
        return 0


def _cidrs(cidrs: list[object]) -> list[Cause]:
    field = "spec.cidrs"
    if not cidrs:
        return [fields.required(field, "at least one CIDR required")]
    shown = {"CIDRs": cidrs}
    if len(cidrs) > 2:
        return [fields.invalid(field, shown, "may only hold up to 2 values")]
    if len(cidrs) == 2 and {_family(c) for c in cidrs} != {4, 6}:
        return [fields.invalid(field, shown, _TWO_FAMILIES)]
    causes: list[Cause] = []
    for index, cidr in enumerate(cidrs):
        causes += fields.each(f"{field}[{index}]", cidr, fields.cidr(cidr))
    return causes


def _cidr_update(cidrs: list[object], before: list[object]) -> list[Cause]:
    """Ranges stay; a second one, of the other family, may be added once."""
    if len(cidrs) == len(before) or (len(before) == 1 and len(cidrs) == 2):
        changed = [(i, new) for i, (new, was) in enumerate(zip(cidrs, before, strict=False)) if new != was]
        causes = [fields.invalid(f"spec.cidrs[{i}]", new, fields.IMMUTABLE) for i, new in changed]
        return causes + (_cidrs(cidrs) if len(cidrs) != len(before) else [])
    return [fields.invalid("spec.cidrs", cidrs, fields.IMMUTABLE)]


def validate_servicecidr(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a ServiceCIDR."""
    if subresource:
        return []
    cidrs = items(mapping(obj.get("spec")).get("cidrs"))
    causes = validate_metadata(obj, fields.dns_subdomain)
    if old is not None:
        return causes + _cidr_update(cidrs, items(mapping(old.get("spec")).get("cidrs")))
    return causes + _cidrs(cidrs)
