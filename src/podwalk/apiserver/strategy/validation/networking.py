"""Ingresses, IngressClasses, NetworkPolicies.

Upstream: pkg/apis/networking/validation/validation.go.
"""

from __future__ import annotations

import ipaddress
from typing import Any

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

_OLD_CLASS = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
_BAD_AT_END = ("/..", "/.")
_POLICY_PROTOCOLS = ("TCP", "UDP", "SCTP")
_SERVICE_NAME = fields.dns_label


def _host(host: str, at: str) -> list[Cause]:
    if not fields.ip(host):
        return [fields.invalid(at, host, "must be a DNS name, not an IP address")]
    rule = fields.wildcard_subdomain if "*" in host else fields.dns_subdomain
    return fields.each(at, host, rule(host))


def _resource_backend(resource: Object, at: str) -> list[Cause]:
    group = str(resource.get("apiGroup") or "")
    causes = fields.each(f"{at}.apiGroup", group, fields.dns_subdomain(group)) if group else []
    for name in ("kind", "name"):
        value = str(resource.get(name) or "")
        wrong = fields.each(f"{at}.{name}", value, fields.path_segment(value))
        causes += wrong if value else [fields.required(f"{at}.{name}")]
    return causes


def _backend(backend: Any, at: str) -> list[Cause]:
    backend = mapping(backend)
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [fields.invalid(at, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _resource_backend(mapping(resource), f"{at}.resource")
    if service is None:
        return [fields.invalid(at, "", "resource or service backend is required")]
    causes: list[Cause] = []
    name, port = str(mapping(service).get("name") or ""), mapping(mapping(service).get("port"))
    if not name:
        causes.append(fields.required(f"{at}.service.name"))
    else:
        causes += fields.each(f"{at}.service.name", name, _SERVICE_NAME(name))
    if port.get("name") and port.get("number"):
        causes.append(fields.invalid(at, "", "cannot set both port name & port number"))
    elif port.get("name"):
        causes += fields.each(f"{at}.service.port.name", port["name"], fields.port_name(str(port["name"])))
    elif port.get("number"):
        causes += fields.each(f"{at}.service.port.number", port["number"], fields.port_number(port["number"]))
    else:
        causes.append(fields.required(at, "port name or number is required"))
    return causes


def _path(path: Object, at: str) -> list[Cause]:
    kind, value = path.get("pathType"), str(path.get("path") or "")
    causes: list[Cause] = []
    if kind is None:
        causes.append(fields.required(f"{at}.pathType", "pathType must be specified"))
    elif kind not in _PATH_TYPES:
        causes.append(fields.not_supported(f"{at}.pathType", kind, _PATH_TYPES))
    elif kind == "ImplementationSpecific":
        if value and not value.startswith("/"):
            causes.append(fields.invalid(f"{at}.path", value, "must be an absolute path"))
    else:
        if not value.startswith("/"):
            causes.append(fields.invalid(f"{at}.path", value, "must be an absolute path"))
        if value:
            bad = [f"must not contain '{b}'" for b in _BAD_IN_PATH if b in value]
            bad += [f"cannot end with '{b}'" for b in _BAD_AT_END if value.endswith(b)]
            causes += fields.each(f"{at}.path", value, bad)
    return causes + _backend(path.get("backend"), f"{at}.backend")


def _rule(rule: Object, at: str) -> list[Cause]:
    causes = _host(str(rule["host"]), f"{at}.host") if rule.get("host") else []
    if rule.get("http") is None:
        return causes
    paths = objects(mapping(rule.get("http")).get("paths"))
    if not paths:
        causes.append(fields.required(f"{at}.http.paths"))
    for index, path in enumerate(paths):
        causes += _path(path, f"{at}.http.paths[{index}]")
    return causes


def _tls(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    for index, entry in enumerate(objects(spec.get("tls"))):
        at = f"spec.tls[{index}]"
        for number, host in enumerate(items(entry.get("hosts"))):
            rule = fields.wildcard_subdomain if "*" in str(host) else fields.dns_subdomain
            causes += fields.each(f"{at}.hosts[{number}]", host, rule(str(host)))
        if name := entry.get("secretName"):
            causes += fields.each(f"{at}.secretName", name, fields.dns_subdomain(str(name)))
    return causes


def validate_ingress(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about an Ingress."""
    if subresource:
        return _ingress_status(obj)
    spec = mapping(obj.get("spec"))
    causes = validate_metadata(obj, fields.dns_subdomain)
    rules = objects(spec.get("rules"))
    if not rules and spec.get("defaultBackend") is None:
        text = "either `defaultBackend` or `rules` must be specified"
        causes.append(fields.invalid("spec", None, text))
    if spec.get("defaultBackend") is not None:
        causes += _backend(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(rules):
        causes += _rule(rule, f"spec.rules[{index}]")
    causes += _tls(spec)
    name, annotated = spec.get("ingressClassName"), meta.annotations(obj).get(_OLD_CLASS)
    if name is not None:
        causes += fields.each("spec.ingressClassName", name, fields.dns_subdomain(str(name)))
    if old is None and name is not None and annotated is not None and annotated != name:
        text = "must match `ingressClassName` when both are specified"
        causes.append(fields.invalid(f"annotations.{_OLD_CLASS}", annotated, text))
    return causes


def _ingress_status(obj: Object) -> list[Cause]:
    causes: list[Cause] = []
    points = mapping(mapping(obj.get("status")).get("loadBalancer")).get("ingress")
    for index, point in enumerate(objects(points)):
        at = f"status.loadBalancer.ingress[{index}]"
        if point.get("ip"):
            causes += fields.each(f"{at}.ip", point["ip"], fields.ip(point["ip"]))
        if host := str(point.get("hostname") or ""):
            causes += fields.each(f"{at}.hostname", host, fields.dns_subdomain(host))
            if not fields.ip(host):
                causes.append(fields.invalid(f"{at}.hostname", host, "must be a DNS name, not an IP address"))
    return causes


def _class_parameters(parameters: Any) -> list[Cause]:
    if parameters is None:
        return []
    given, field = mapping(parameters), "spec.parameters"
    causes: list[Cause] = []
    if group := str(given.get("apiGroup") or ""):
        causes += fields.each(f"{field}.apiGroup", group, fields.dns_subdomain(group))
    for name in ("kind", "name"):
        value = str(given.get(name) or "")
        if value:
            causes += fields.each(f"{field}.{name}", value, fields.path_segment(value))
        else:
            causes.append(fields.required(f"{field}.{name}"))
    scope, namespace = given.get("scope"), given.get("namespace")
    if scope is None:
        causes.append(fields.required(f"{field}.scope"))
    elif scope not in ("Cluster", "Namespace"):
        causes.append(fields.not_supported(f"{field}.scope", scope, ("Cluster", "Namespace")))
    if scope == "Namespace" and not namespace:
        text = "`parameters.scope` is set to 'Namespace'"
        causes.append(fields.required(f"{field}.namespace", text))
    if scope == "Cluster" and namespace is not None:
        causes.append(fields.forbidden(f"{field}.namespace", "`parameters.scope` is set to 'Cluster'"))
    return causes


def validate_ingressclass(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about an IngressClass."""
    del subresource
    spec = mapping(obj.get("spec"))
    causes = validate_metadata(obj, fields.dns_subdomain)
    controller = str(spec.get("controller") or "")
    if len(controller) > 250:
        causes.append(fields.too_long("spec.controller", 250))
    causes += fields.domain_prefixed_path("spec.controller", controller)
    causes += _class_parameters(spec.get("parameters"))
    if old is not None:
        causes += immutable("spec.controller", spec.get("controller"), mapping(old.get("spec")).get("controller"))
    return causes


def _policy_port(port: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    if (protocol := port.get("protocol")) is not None and protocol not in _POLICY_PROTOCOLS:
        causes.append(fields.not_supported(f"{at}.protocol", protocol, _POLICY_PROTOCOLS))
    number, end = port.get("port"), port.get("endPort")
    if number is None:
        if end is not None:
            text = "may not be specified when `port` is not specified"
            causes.append(fields.invalid(f"{at}.endPort", end, text))
        return causes
    causes += fields.each(f"{at}.port", number, fields.port_number_or_name(number))
    if end is None:
        return causes
    if isinstance(number, str):
        causes.append(fields.invalid(f"{at}.endPort", end, "may not be specified when `port` is non-numeric"))
        return causes
    if end < number:  # upstream shows the port here, not the end
        causes.append(fields.invalid(f"{at}.endPort", number, "must be greater than or equal to `port`"))
    return causes + fields.each(f"{at}.endPort", end, fields.port_number(end))


def _strictly_inside(inner: str, outer: str) -> bool:
    small, big = ipaddress.ip_network(inner, strict=False), ipaddress.ip_network(outer, strict=False)
    if small.version != big.version:
        return False
    return small.prefixlen > big.prefixlen and small.network_address in big


def _ip_block(block: Object, at: str) -> list[Cause]:
    outer = block.get("cidr")
    if not outer:
        return [fields.required(f"{at}.cidr")]
    causes = fields.each(f"{at}.cidr", outer, fields.cidr(outer))
    for index, inner in enumerate(items(block.get("except"))):
        field, wrong = f"{at}.except[{index}]", fields.cidr(inner)
        causes += fields.each(field, inner, wrong)
        if not wrong and not fields.cidr(outer) and not _strictly_inside(inner, outer):
            causes.append(fields.invalid(field, inner, "must be a strict subset of `cidr`"))
    return causes


def _peer(peer: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("podSelector", "namespaceSelector"):
        if peer.get(name) is not None:
            causes += validate_selector(peer[name], f"{at}.{name}")
    if peer.get("ipBlock") is not None:
        causes += _ip_block(mapping(peer["ipBlock"]), f"{at}.ipBlock")
    kinds = [k for k in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(k) is not None]
    if not kinds:
        causes.append(fields.required(at, "must specify a peer"))
    elif len(kinds) > 1 and "ipBlock" in kinds:
        causes.append(fields.forbidden(at, "may not specify both ipBlock and another peer"))
    return causes


def _policy_types(types: list[Any]) -> list[Cause]:
    if len(types) > 2:
        return [fields.invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    supported = ("Ingress", "Egress")
    wrong = [(i, t) for i, t in enumerate(types) if t not in supported]
    return [fields.not_supported(f"spec.policyTypes[{i}]", t, supported) for i, t in wrong]


def validate_networkpolicy(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a NetworkPolicy."""
    del old, subresource
    spec = mapping(obj.get("spec"))
    causes = validate_metadata(obj, fields.dns_subdomain)
    causes += validate_selector(spec.get("podSelector"), "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(objects(spec.get(direction))):
            at = f"spec.{direction}[{index}]"
            for number, port in enumerate(objects(rule.get("ports"))):
                causes += _policy_port(port, f"{at}.ports[{number}]")
            for number, peer in enumerate(objects(rule.get(peers))):
                causes += _peer(peer, f"{at}.{peers}[{number}]")
    return causes + _policy_types(items(spec.get("policyTypes")))
