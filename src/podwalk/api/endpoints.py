"""Who is behind a Service's port, read from EndpointSlices; pure.

Upstream: k8s.io/api/discovery/v1 types.go: a condition that is not set counts as true, and a slice belongs to the
Service whose name its label carries.
"""

from __future__ import annotations

from collections.abc import Iterable

from podwalk.api import meta
from podwalk.api.meta import Object

SERVICE_NAME = "kubernetes.io/service-name"


def service_of(part: Object) -> str:
    """The key ``namespace/name`` of the Service that an EndpointSlice belongs to."""
    return meta.make_key(meta.namespace(part), meta.labels(part).get(SERVICE_NAME, ""))


def ready(parts: Iterable[Object], port: Object) -> tuple[str, ...]:
    """The ready addresses (``ip:port``, IPv4) that slices of one Service have for one of its ports, in order."""
    found: set[str] = set()
    for part in parts:
        if part.get("addressType") != "IPv4":
            continue
        targets = [p["port"] for p in part.get("ports") or () if (p.get("name") or "") == (port.get("name") or "")]
        for endpoint in part.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                found.update(f"{address}:{target}" for address in endpoint.get("addresses") or () for target in targets)
    return tuple(sorted(found))
