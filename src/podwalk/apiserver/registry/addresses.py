"""The addresses of Services as objects: ServiceCIDRs to choose from, one IPAddress for each that is taken.

Upstream: pkg/registry/core/service/ipallocator (MetaAllocator, cidrallocator.go) and
pkg/controlplane/controller/defaultservicecidr.
"""

from __future__ import annotations

from podwalk.api import meta, resources
from podwalk.api.meta import Object
from podwalk.apiserver.apply import managed
from podwalk.apiserver.store import Store

_CIDR, _ADDRESS = resources.by_kind("ServiceCIDR"), resources.by_kind("IPAddress")
_DEFAULT = "kubernetes"
_SERVER = "kube-apiserver"
_LABELS = {
    "ipaddress.kubernetes.io/ip-family": "IPv4",
    "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
}


def _new(resource: resources.Resource, name: str, **more: object) -> Object:
    metadata = {"name": name, "uid": meta.new_uid(), "creationTimestamp": meta.now()}
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata, **more}


def add_default_range(store: Store, cidr: str) -> None:
    """Store the ServiceCIDR ``kubernetes``, Ready, where it is missing."""
    if store.get(_CIDR, "", _DEFAULT) is not None:
        return
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": meta.now(), "reason": ""}
    ready["message"] = "Kubernetes Service CIDR is ready"
    obj = _new(_CIDR, _DEFAULT, spec={"cidrs": [cidr]}, status={"conditions": [ready]})
    managed.track(_CIDR, None, obj, _SERVER)
    store.put(_CIDR, obj)


def service_ranges(store: Store) -> list[str]:
    """The ranges that ClusterIPs may come from: the default one first; those on their way out do not count."""
    found = [stored.obj for _, stored in store.scan(_CIDR) if not meta.is_deleting(stored.obj)]
    found.sort(key=lambda obj: meta.name(obj) != _DEFAULT)
    return [str(cidr) for obj in found for cidr in (obj.get("spec") or {}).get("cidrs") or () if ":" not in str(cidr)]


def is_taken(store: Store, ip: str) -> bool:
    """Whether there is an IPAddress for an address."""
    return store.get(_ADDRESS, "", ip) is not None


def _held(service: Object | None) -> str:
    spec = (service or {}).get("spec") or {}
    ip = str(spec.get("clusterIP") or "")
    return "" if spec.get("type") == "ExternalName" or ip == "None" else ip


def sync_address(store: Store, service: Object | None, old: Object | None) -> None:
    """Make the IPAddress of what ``service`` holds, and remove that of what only ``old`` held."""
    ip, before = _held(service), _held(old)
    if before and before != ip and (stored := store.get(_ADDRESS, "", before)) is not None:
        store.remove(_ADDRESS, stored)
    if ip and service is not None and not is_taken(store, ip):
        parent = {"resource": "services", "namespace": meta.namespace(service), "name": meta.name(service)}
        obj = _new(_ADDRESS, ip, spec={"parentRef": parent})
        obj["metadata"]["labels"] = dict(_LABELS)
        managed.track(_ADDRESS, None, obj, _SERVER)
        store.put(_ADDRESS, obj)
