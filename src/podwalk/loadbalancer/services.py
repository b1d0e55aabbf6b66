"""What a Service asks of a load balancer. Pure; shared by the controller and the speakers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object

# The spec.loadBalancerClass that we serve besides none.
CLASS = "metallb"
ADDRESS_ANNOTATIONS = ("metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs")
POOL_ANNOTATION = "metallb.io/ip-allocated-from-pool"
_SERVICE_NAME = "kubernetes.io/service-name"


def is_ours(service: Object) -> bool:
    """Whether the Service wants an address and leaves the choice of the load balancer to us."""
    spec = service.get("spec") or {}
    return spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass") in (None, "", CLASS)


def addresses(service: Object) -> list[str]:
    """The IPv4 addresses in its status."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [i["ip"] for i in ingress if i.get("ip")]


def asked_for(service: Object) -> str:
    """The address that the Service names, by annotation or by spec.loadBalancerIP.

    Raises ValueError where it names several; the message is what MetalLB says.
    """
    by_annotation = next((v for a in ADDRESS_ANNOTATIONS if (v := meta.annotations(service).get(a))), "")
    by_field = str((service.get("spec") or {}).get("loadBalancerIP") or "")
    if by_annotation and by_field:
        raise ValueError(f"service can not have both {ADDRESS_ANNOTATIONS[0]} and svc.Spec.LoadBalancerIP")
    if "," in by_annotation:
        raise ValueError(f"invalid {ADDRESS_ANNOTATIONS[0]}: {by_annotation}: one IPv4 address is served here")
    return by_annotation.strip() or by_field


def serving_nodes(slices: Iterable[Object]) -> set[str]:
    """The nodes with an endpoint that traffic may be sent to; "" stands for endpoints on no node."""
    nodes = set()
    for endpoint_slice in slices:
        for endpoint in endpoint_slice.get("endpoints") or ():
            if _serves(endpoint.get("conditions") or {}):
                nodes.add(endpoint.get("nodeName") or "")
    return nodes


def _serves(conditions: dict[str, Any]) -> bool:
    """MetalLB's IsConditionServing: serving where it is told, else ready; unknown is yes."""
    serving = conditions.get("serving")
    return serving is not False if serving is not None else conditions.get("ready") is not False


def slices_by_service(slices: Iterable[Object]) -> dict[str, list[Object]]:
    """``namespace/name`` of a Service -> its EndpointSlices."""
    found: dict[str, list[Object]] = {}
    for endpoint_slice in slices:
        owner = meta.labels(endpoint_slice).get(_SERVICE_NAME)
        if owner and endpoint_slice.get("addressType") == "IPv4":
            found.setdefault(f"{meta.namespace(endpoint_slice)}/{owner}", []).append(endpoint_slice)
    return found
