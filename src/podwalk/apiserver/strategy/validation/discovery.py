"""EndpointSlices and Endpoints.

Upstream: pkg/apis/discovery/validation/validation.go, ValidateEndpoints in pkg/apis/core/validation.
"""

from __future__ import annotations

import ipaddress

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import immutable, items, mapping, objects, validate_metadata

_TYPES = ("FQDN", "IPv4", "IPv6")
_MAX_HINTS = 8
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MAX_ENDPOINTS, _MAX_ADDRESSES, _MAX_PORTS = 1000, 100, 20000


def _address(address: str, at: str, kind: str) -> list[Cause]:
    if kind == "FQDN":
        return fields.each(at, address, fields.dns_subdomain(address))
    if wrong := fields.ip(address):
        return fields.each(at, address, wrong)
    if f"IPv{ipaddress.ip_address(address).version}" != kind:
        return [fields.invalid(at, address, f"must be an {kind} address")]
    return fields.each(at, address, fields.ordinary_ip(address))


def _endpoint(endpoint: Object, at: str, kind: str) -> list[Cause]:
    causes: list[Cause] = []
    addresses = items(endpoint.get("addresses"))
    if not addresses:
        causes.append(fields.required(f"{at}.addresses", "must contain at least 1 address"))
    if len(addresses) > _MAX_ADDRESSES:
        causes.append(fields.too_many(f"{at}.addresses", len(addresses), _MAX_ADDRESSES))
    if kind in _TYPES:
        for index, address in enumerate(addresses):
            causes += _address(str(address), f"{at}.addresses[{index}]", kind)
    if node := endpoint.get("nodeName"):
        causes += fields.each(f"{at}.nodeName", node, fields.dns_subdomain(str(node)))
    if host := endpoint.get("hostname"):
        causes += fields.each(f"{at}.hostname", host, fields.dns_label(str(host)))
    hints = mapping(endpoint.get("hints"))
    return causes + _hints(hints, f"{at}.hints", "forZones") + _hints(hints, f"{at}.hints", "forNodes")


def _hints(hints: Object, at: str, kind: str) -> list[Cause]:
    found = objects(hints.get(kind))
    if len(found) > _MAX_HINTS:
        return [fields.too_many(f"{at}.{kind}", len(found), _MAX_HINTS)]
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, hint in enumerate(found):
        field, name = f"{at}.{kind}[{index}].name", str(hint.get("name") or "")
        if name in seen:
            causes.append(fields.duplicate(field, name))
        seen.add(name)
        rule = fields.label_value if kind == "forZones" else fields.dns_subdomain
        causes += fields.each(field, name, rule(name))
    return causes


def _slice_ports(ports: list[Object]) -> list[Cause]:
    if len(ports) > _MAX_PORTS:
        return [fields.too_many("ports", len(ports), _MAX_PORTS)]
    causes: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        at, name = f"ports[{index}]", str(port.get("name") or "")
        if name:
            causes += fields.each(f"{at}.name", name, fields.dns_label(name))
        if name in names:
            causes.append(fields.duplicate(f"{at}.name", name))
        names.add(name)
        causes += fields.one_of(f"{at}.protocol", port.get("protocol"), _PROTOCOLS)
        if application := port.get("appProtocol"):
            causes += fields.each(f"{at}.appProtocol", application, fields.qualified_name(str(application)))
    return causes


def validate_endpointslice(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about an EndpointSlice."""
    del subresource
    causes = validate_metadata(obj, fields.dns_subdomain)
    kind = str(obj.get("addressType") or "")
    causes += fields.one_of("addressType", kind, _TYPES)
    endpoints = objects(obj.get("endpoints"))
    if len(endpoints) > _MAX_ENDPOINTS:
        causes.append(fields.too_many("endpoints", len(endpoints), _MAX_ENDPOINTS))
        endpoints = []
    for index, endpoint in enumerate(endpoints):
        causes += _endpoint(endpoint, f"endpoints[{index}]", kind)
    causes += _slice_ports(objects(obj.get("ports")))
    return causes + ([] if old is None else immutable("addressType", kind, old.get("addressType")))


def validate_endpoints(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about an Endpoints object."""
    del old, subresource
    causes = validate_metadata(obj, fields.dns_subdomain)
    for index, subset in enumerate(objects(obj.get("subsets"))):
        at = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            causes.append(fields.required(at, "must specify `addresses` or `notReadyAddresses`"))
        for name in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(objects(subset.get(name))):
                ip = str(address.get("ip") or "")
                where = f"{at}.{name}[{number}]"
                causes += fields.each(f"{where}.ip", ip, fields.ip(ip))
                if host := address.get("hostname"):
                    causes += fields.each(f"{where}.hostname", host, fields.dns_label(str(host)))
                if node := address.get("nodeName"):
                    causes += fields.each(f"{where}.nodeName", node, fields.dns_subdomain(str(node)))
                if not fields.ip(ip):
                    causes += fields.each(f"{where}.ip", ip, fields.ordinary_ip(ip))
        ports = objects(subset.get("ports"))
        for number, port in enumerate(ports):
            where, name = f"{at}.ports[{number}]", str(port.get("name") or "")
            if not name and len(ports) > 1:
                causes.append(fields.required(f"{where}.name"))
            elif name:
                causes += fields.each(f"{where}.name", name, fields.dns_label(name))
            value = port.get("port", 0)
            causes += fields.each(f"{where}.port", value, fields.port_number(value))
            causes += fields.one_of(f"{where}.protocol", port.get("protocol"), _PROTOCOLS)
            if application := port.get("appProtocol"):
                causes += fields.each(f"{where}.appProtocol", application, fields.qualified_name(str(application)))
    return causes


def validate_lease(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a Lease (pkg/apis/coordination/validation)."""
    del old, subresource
    causes = validate_metadata(obj, fields.dns_subdomain)
    spec = mapping(obj.get("spec"))
    if isinstance(seconds := spec.get("leaseDurationSeconds"), int) and seconds <= 0:
        causes.append(fields.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if isinstance(changes := spec.get("leaseTransitions"), int) and changes < 0:
        causes.append(fields.invalid("spec.leaseTransitions", changes, fields.NON_NEGATIVE))
    return causes
