"""What a change of type does to the rest of a Service.

Upstream: dropTypeDependentFields and patchAllocatedValues (pkg/registry/core/service).
"""

from __future__ import annotations

from podwalk.api.meta import Object

WITH_IP = ("ClusterIP", "NodePort", "LoadBalancer")


def wants_node_ports(spec: Object) -> bool:
    """Whether every port needs a node port. A LoadBalancer may do without: allocateLoadBalancerNodePorts: false."""
    if spec.get("type") == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return spec.get("type") == "NodePort"


def wants_health_check(spec: Object) -> bool:
    """Whether the Service gets a healthCheckNodePort."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _same_ports(spec: Object, old_spec: Object) -> bool:
    def numbers(s: Object) -> list[int]:
        return [int(p.get("nodePort") or 0) for p in s.get("ports") or ()]

    return sorted(numbers(spec)) == sorted(numbers(old_spec))


def drop_with_type(spec: Object, old_spec: Object) -> None:
    """Drop what the old type had and the new one may not (dropTypeDependentFields), unless it was just written."""
    kind, old_kind = spec.get("type"), old_spec.get("type")
    if kind == "ExternalName" and old_kind in WITH_IP:
        if spec.get("clusterIP") == old_spec.get("clusterIP") and spec.get("clusterIPs") == old_spec.get("clusterIPs"):
            for field in ("clusterIP", "clusterIPs"):
                spec.pop(field, None)
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if spec.get(field) == old_spec.get(field):
                spec.pop(field, None)
    had_ports, needs_ports = old_kind in ("NodePort", "LoadBalancer"), kind in ("NodePort", "LoadBalancer")
    if had_ports and not needs_ports and _same_ports(spec, old_spec):
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
    had_check = wants_health_check(old_spec)
    if (
        had_check
        and not wants_health_check(spec)
        and spec.get("healthCheckNodePort") == old_spec.get("healthCheckNodePort")
    ):
        spec.pop("healthCheckNodePort", None)
    if old_kind == "LoadBalancer" and kind != "LoadBalancer":
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(field) == old_spec.get(field):
                spec.pop(field, None)
    published = needs_ports or (kind == "ClusterIP" and spec.get("externalIPs"))
    if not published and spec.get("externalTrafficPolicy") == old_spec.get("externalTrafficPolicy"):
        spec.pop("externalTrafficPolicy", None)
    if kind == "ExternalName" and spec.get("internalTrafficPolicy") == old_spec.get("internalTrafficPolicy"):
        spec.pop("internalTrafficPolicy", None)


def carry_over(spec: Object, old_spec: Object) -> None:
    """Keep the ClusterIP and the node ports that an update leaves out (patchAllocatedValues)."""
    kind, old_kind = spec.get("type"), old_spec.get("type")
    if kind != "ExternalName" and old_kind in WITH_IP and not spec.get("clusterIP"):
        if old_spec.get("clusterIP"):
            spec["clusterIP"] = old_spec["clusterIP"]
        if not spec.get("clusterIPs") and old_spec.get("clusterIPs"):
            spec["clusterIPs"] = list(old_spec["clusterIPs"])
    if wants_node_ports(spec) and wants_node_ports(old_spec):
        known = {(p.get("port"), p.get("protocol")): p.get("nodePort") for p in old_spec.get("ports") or ()}
        written = {p.get("nodePort") for p in spec.get("ports") or ()}
        for port in spec.get("ports") or ():
            number = known.get((port.get("port"), port.get("protocol")))
            if not port.get("nodePort") and number and number not in written:
                port["nodePort"] = number
    if wants_health_check(spec) and wants_health_check(old_spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = old_spec.get("healthCheckNodePort")
