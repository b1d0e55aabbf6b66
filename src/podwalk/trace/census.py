"""What the API says about addresses: whose they are, and which Pods stand behind a Service's."""

from __future__ import annotations

from typing import Any

from podwalk.api.meta import Object
from podwalk.client.sync import SyncClient


def take(client: SyncClient) -> dict[str, Any]:
    """Pods and Services with their addresses, as plain data. Raises ApiError, OSError."""
    pods = [_pod(p) for p in client.list("Pod")]
    endpoints: dict[str, list[dict[str, Any]]] = {}
    for found in client.list("EndpointSlice"):
        service = found["metadata"].get("labels", {}).get("kubernetes.io/service-name")
        if service:
            endpoints.setdefault(f"{found['metadata']['namespace']}/{service}", []).append(_slice(found))
    services = [_service(s, endpoints) for s in client.list("Service")]
    return {"pods": pods, "services": services}


def behind(known: dict[str, Any], address: str, port: int) -> list[tuple[str, int]]:
    """(address, port) of the endpoints that a packet to this address and port may be sent to."""
    found = service_at(known, address, port)
    if found is None:
        return []
    return [(a, p) for s in found["endpoints"] for a in s["addresses"] for p in s["ports"] or [0]]


def service_at(known: dict[str, Any], address: str, port: int) -> dict[str, Any] | None:
    """The Service that owns this address, or this node port of any node."""
    for service in known["services"]:
        if address in service["addresses"]:
            return dict(service)
    pods = {p["address"] for p in known["pods"] if not p["hostNetwork"]}
    for service in known["services"]:
        if port in service["nodePorts"] and address not in pods:
            return dict(service)
    return None


def _pod(pod: Object) -> dict[str, Any]:
    status, spec = pod.get("status", {}), pod["spec"]
    running = status.get("phase") not in ("Succeeded", "Failed")
    return {
        "name": f"{pod['metadata']['namespace']}/{pod['metadata']['name']}",
        "node": spec.get("nodeName", ""),
        "address": status.get("podIP", "") if running else "",
        "hostNetwork": bool(spec.get("hostNetwork")),
    }


def _slice(found: Object) -> dict[str, Any]:
    addresses = [a for e in found.get("endpoints") or [] for a in e.get("addresses", [])]
    return {"addresses": addresses, "ports": [p["port"] for p in found.get("ports") or [] if p.get("port")]}


def _service(service: Object, endpoints: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    spec = service["spec"]
    name = f"{service['metadata']['namespace']}/{service['metadata']['name']}"
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    addresses = [a for a in spec.get("clusterIPs") or [spec.get("clusterIP", "")] if a and a != "None"]
    addresses += [*(spec.get("externalIPs") or []), *(i["ip"] for i in ingress if i.get("ip"))]
    return {
        "name": name,
        "addresses": addresses,
        "nodePorts": [p["nodePort"] for p in spec.get("ports") or [] if p.get("nodePort")],
        "endpoints": endpoints.get(name, []),
    }
