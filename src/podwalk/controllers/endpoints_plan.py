"""From a Service and its Pods to endpoints and their ports: what both endpoint loops share. Pure.

Upstream: k8s.io/endpointslice (utils.go, util/controller_utils.go), pkg/api/v1/pod (FindPort).
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.selectors import match_labels
from podwalk.controllers import pods as podutil

HEADLESS_LABEL = "service.kubernetes.io/headless"


def has_service_ip(service: Object) -> bool:
    """Whether the Service has a virtual IP (is neither headless nor an ExternalName)."""
    spec = service["spec"]
    return spec.get("type") != "ExternalName" and spec.get("clusterIP") not in (None, "", "None")


def is_selected(service: Object, pod: Object) -> bool:
    """Whether the Service's selector matches the Pod. A Service without selector selects nothing."""
    selector = service["spec"].get("selector")
    return bool(selector) and match_labels(selector, meta.labels(pod))


def should_be_endpoint(pod: Object, include_terminating: bool) -> bool:
    """Whether a selected Pod belongs among the endpoints at all: it has an IP and has not run to its end."""
    status = pod.get("status") or {}
    if podutil.is_terminal(pod):
        return False
    if not status.get("podIP") and not status.get("podIPs"):
        return False
    return include_terminating or not meta.is_deleting(pod)


def should_set_hostname(service: Object, pod: Object) -> bool:
    """Whether DNS gives this Pod a name below the Service."""
    spec = pod["spec"]
    return bool(spec.get("hostname")) and spec.get("subdomain") == meta.name(service)


@functools.lru_cache(maxsize=8192)
def family(address: str) -> str:
    """``IPv4`` or ``IPv6``. Raises ValueError on what is no address."""
    return f"IPv{ipaddress.ip_address(address).version}"


@functools.lru_cache(maxsize=8192)
def in_order(address: str) -> bytes:
    """What addresses are sorted by: their value and not their text. Raises ValueError on what is no address."""
    return ipaddress.ip_address(address).packed


def pod_addresses(pod: Object, address_type: str) -> list[str]:
    """The Pod's IPs of one family."""
    status = pod.get("status") or {}
    listed = [p["ip"] for p in status.get("podIPs") or () if p.get("ip")] or [status.get("podIP")]
    return [ip for ip in listed if ip and family(ip) == address_type]


def find_port(pod: Object, service_port: Object) -> int | None:
    """The port of this Pod that ``targetPort`` means, or None where no container names it so."""
    target: Any = service_port.get("targetPort", service_port["port"])
    if isinstance(target, int):
        return target
    protocol = service_port.get("protocol") or "TCP"
    for container in _serving_containers(pod):
        for port in container.get("ports") or ():
            if port.get("name") == target and (port.get("protocol") or "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _serving_containers(pod: Object) -> Iterable[Object]:
    yield from pod["spec"].get("containers") or ()
    for container in pod["spec"].get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            yield container


def endpoint_ports(service: Object, pod: Object) -> list[Object]:
    """The EndpointPorts that this Pod offers for the Service; a port that the Pod does not name is left out."""
    out = []
    for service_port in service["spec"].get("ports") or ():
        number = find_port(pod, service_port)
        if number is None:
            continue
        port: Object = {
            "name": service_port.get("name") or "",
            "port": number,
            "protocol": service_port.get("protocol") or "TCP",
        }
        if service_port.get("appProtocol"):
            port["appProtocol"] = service_port["appProtocol"]
        out.append(port)
    return out


def pod_reference(pod: Object) -> Object:
    """The ``targetRef`` of an endpoint."""
    return {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod), "uid": meta.uid(pod)}


def endpoints_changed(old: Object | None, new: Object | None) -> bool:
    """Whether a Pod's change can change any endpoint; most changes (container restarts) cannot."""
    if old is None or new is None:
        return True
    return _relevant(old) != _relevant(new)


def _relevant(pod: Object) -> tuple[Any, ...]:
    status, spec = pod.get("status") or {}, pod["spec"]
    ready = meta.condition(pod, "Ready") or {}
    return (
        meta.labels(pod),
        status.get("podIP"),
        status.get("podIPs"),
        podutil.is_terminal(pod),
        ready.get("status"),
        meta.is_deleting(pod),
        spec.get("nodeName"),
        spec.get("hostname"),
        spec.get("subdomain"),
        meta.uid(pod),
    )
