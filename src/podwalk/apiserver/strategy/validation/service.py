"""Services.

Upstream: ValidateService and ValidateServiceUpdate in pkg/apis/core/validation/validation.go. Whether an address or a
node port is free is the allocator's business.
"""

from __future__ import annotations

import copy

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.apiserver.strategy.service_types import carry_over, drop_with_type
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.cluster_ips import mirror_cluster_ips, validate_cluster_ips
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import items, mapping, objects, validate_labels, validate_metadata

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_POLICIES = ("Cluster", "Local")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_AFFINITY_MAX = 86400
_KUBELET_PORT = 10250
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"


def _port(port: Object, field: str, *, needs_name: bool, names: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    name = str(port.get("name") or "")
    if not name and needs_name:
        causes.append(fields.required(f"{field}.name"))
    elif name:
        causes += fields.each(f"{field}.name", name, fields.dns_label(name))
        if name in names:
            causes.append(fields.duplicate(f"{field}.name", name))
        names.add(name)
    number = port.get("port", 0)
    causes += fields.each(f"{field}.port", number, fields.port_number(number))
    causes += fields.one_of(f"{field}.protocol", port.get("protocol"), _PROTOCOLS)
    target = port.get("targetPort", number)
    causes += fields.each(f"{field}.targetPort", target, fields.port_number_or_name(target))
    if (application := port.get("appProtocol")) is not None:
        causes += fields.each(f"{field}.appProtocol", application, fields.qualified_name(str(application)))
    return causes


def _by_type(spec: Object) -> list[Cause]:
    kind, ports = spec.get("type"), objects(spec.get("ports"))
    headless = spec.get("clusterIP") == "None"
    causes: list[Cause] = []
    if not ports and not headless and kind != "ExternalName":
        causes.append(fields.required("spec.ports"))
    if kind == "LoadBalancer":
        for index, port in enumerate(ports):
            if port.get("port") == _KUBELET_PORT:
                text = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
                causes.append(fields.invalid(f"spec.ports[{index}]", _KUBELET_PORT, text))
    if kind in ("LoadBalancer", "NodePort") and headless:
        text = f"may not be set to 'None' for {kind} services"
        causes.append(fields.invalid("spec.clusterIPs[0]", "None", text))
    if kind == "ExternalName":
        name = str(spec.get("externalName") or "").removesuffix(".")
        wrong = fields.dns_subdomain(name) if name else []
        causes += fields.each("spec.externalName", name, wrong) if name else [fields.required("spec.externalName")]
    return causes


def _affinity(spec: Object) -> list[Cause]:
    affinity, config = spec.get("sessionAffinity"), spec.get("sessionAffinityConfig")
    field = "spec.sessionAffinityConfig"
    causes = fields.one_of("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity == "None" and config:
        causes.append(fields.forbidden(field, "must not be set when session affinity is None"))
    if affinity == "ClientIP":
        seconds = mapping(mapping(config).get("clientIP")).get("timeoutSeconds")
        if seconds is None:
            causes.append(fields.required(field, "when session affinity type is ClientIP"))
        elif not 0 < seconds <= _AFFINITY_MAX:
            text = f"must be greater than 0 and less than {_AFFINITY_MAX}"
            causes.append(fields.invalid(f"{field}.clientIP.timeoutSeconds", seconds, text))
    return causes


def _external_ips(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    for index, address in enumerate(items(spec.get("externalIPs"))):
        field = f"spec.externalIPs[{index}]"
        causes += fields.each(field, address, fields.ip(address) or fields.ordinary_ip(str(address)))
    return causes


def _port_clashes(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[object, object]] = set()
    for index, port in enumerate(objects(spec.get("ports"))):
        if spec.get("type") == "ClusterIP" and port.get("nodePort"):
            text = "may not be used when `type` is 'ClusterIP'"
            causes.append(fields.forbidden(f"spec.ports[{index}].nodePort", text))
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            # Upstream prints the internal struct that it used as the key.
            shown = {
                "Name": "", "Protocol": key[0], "AppProtocol": None, "Port": key[1], "TargetPort": 0, "NodePort": 0,
            }  # fmt: skip
            causes.append(fields.duplicate(f"spec.ports[{index}]", shown))
        seen.add(key)
    return causes


def _load_balancer_fields(spec: Object) -> list[Cause]:
    balanced = spec.get("type") == "LoadBalancer"
    causes: list[Cause] = []
    if ranges := items(spec.get("loadBalancerSourceRanges")):
        field = "spec.LoadBalancerSourceRanges"
        if not balanced:
            causes.append(fields.forbidden(field, _ONLY_LOAD_BALANCER))
        for index, value in enumerate(ranges):
            wrong = [w for w in fields.cidr(str(value).strip()) if "bits set" not in w]
            causes += fields.each(f"{field}[{index}]", value, wrong)
    if balanced and spec.get("allocateLoadBalancerNodePorts") is None:
        causes.append(fields.required("spec.allocateLoadBalancerNodePorts"))
    if not balanced and spec.get("allocateLoadBalancerNodePorts") is not None:
        causes.append(fields.forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_LOAD_BALANCER))
    return causes + _load_balancer_class(spec, None)


def _load_balancer_class(spec: Object, old_spec: Object | None) -> list[Cause]:
    field, name = "spec.loadBalancerClass", spec.get("loadBalancerClass")
    balanced = spec.get("type") == "LoadBalancer"
    causes: list[Cause] = []
    was_balanced = old_spec is not None and old_spec.get("type") == "LoadBalancer"
    if balanced and was_balanced and name != mapping(old_spec).get("loadBalancerClass"):
        causes.append(fields.invalid(field, name, "may not change once set"))
    if balanced and name is not None:
        causes += fields.each(field, name, fields.qualified_name(str(name)))
    elif name is not None:
        causes.append(fields.forbidden(field, _ONLY_LOAD_BALANCER))
    return causes


def _kept_family(spec: Object, old_spec: Object) -> list[Cause]:
    """The primary family never changes, except when the Service comes from or goes to ExternalName."""
    if "ExternalName" in (spec.get("type"), old_spec.get("type")):
        return []
    families, before = items(spec.get("ipFamilies")), items(old_spec.get("ipFamilies"))
    if not before or not families:
        return []  # what an update leaves out, the allocator puts back
    if families[0] != before[0]:
        return [fields.invalid("spec.ipFamilies[0]", families, "may not change once set")]
    return []


def _traffic(spec: Object) -> list[Cause]:
    kind, policy = spec.get("type"), spec.get("externalTrafficPolicy")
    published = kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    causes: list[Cause] = []
    if published:
        causes += fields.one_of("spec.externalTrafficPolicy", policy, _POLICIES)
    elif policy:
        text = "may only be set for externally-accessible services"
        causes.append(fields.invalid("spec.externalTrafficPolicy", policy, text))
    if (check := spec.get("healthCheckNodePort")) and not (kind == "LoadBalancer" and policy == "Local"):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        causes.append(fields.invalid("spec.healthCheckNodePort", check, text))
    if internal := spec.get("internalTrafficPolicy"):
        causes += fields.one_of("spec.internalTrafficPolicy", internal, _POLICIES)
    if (distribution := spec.get("trafficDistribution")) is not None and distribution not in _DISTRIBUTIONS:
        causes.append(fields.not_supported("spec.trafficDistribution", distribution, _DISTRIBUTIONS))
    return causes


def _status(obj: Object) -> list[Cause]:
    causes: list[Cause] = []
    points = mapping(mapping(obj.get("status")).get("loadBalancer")).get("ingress")
    for index, point in enumerate(objects(points)):
        field = f"status.loadBalancer.ingress[{index}]"
        if point.get("ip"):
            causes += fields.each(f"{field}.ip", point["ip"], fields.ip(point["ip"]))
        if name := point.get("hostname"):
            causes += fields.each(f"{field}.hostname", name, fields.dns_subdomain(str(name)))
        if (mode := point.get("ipMode")) and mode not in ("VIP", "Proxy"):
            causes.append(fields.not_supported(f"{field}.ipMode", mode, ("Proxy", "VIP")))
    return causes


def _settled(spec: Object, old_spec: Object | None) -> Object:
    """The spec as the allocator will complete it, so that an update is judged by what it means."""
    settled = copy.deepcopy(spec)
    if old_spec is not None:
        drop_with_type(settled, old_spec)
        carry_over(settled, old_spec)
    mirror_cluster_ips(settled, old_spec or {})
    return settled


def _topology(obj: Object) -> list[Cause]:
    hints, mode = (meta.annotations(obj).get(f"service.kubernetes.io/topology-{n}") for n in ("aware-hints", "mode"))
    if hints is None or mode is None or hints == mode:
        return []
    field = "metadata.annotations[service.kubernetes.io/topology-mode]"
    text = "must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified"
    return [fields.invalid(field, mode, text)]


def validate_service(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a Service."""
    if subresource:
        return _status(obj)
    old_spec = None if old is None else mapping(old.get("spec"))
    spec = _settled(mapping(obj.get("spec")), old_spec)
    causes: list[Cause] = []
    if old_spec is not None:
        causes += _kept_family(spec, old_spec) + _load_balancer_class(spec, old_spec)
    causes += validate_metadata(obj, fields.dns_label) + _topology(obj) + _by_type(spec)
    ports, names = objects(spec.get("ports")), set[str]()
    for index, port in enumerate(ports):
        causes += _port(port, f"spec.ports[{index}]", needs_name=len(ports) > 1, names=names)
    causes += validate_labels(spec.get("selector"), "spec.selector")
    causes += _affinity(spec)
    causes += validate_cluster_ips(spec, old_spec)
    causes += _external_ips(spec)
    causes += fields.one_of("spec.type", spec.get("type"), _TYPES)
    causes += _port_clashes(spec) + _load_balancer_fields(spec) + _traffic(spec)
    return causes
