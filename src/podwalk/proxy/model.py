"""What a node's kube-proxy has to program: Service ports and, of each, the endpoints this node may use.

Pure: Services and EndpointSlices in, dataclasses out.
Upstream: pkg/proxy/serviceport.go, endpointslicecache.go and topology.go. IPv4 only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.proxy import names

LABEL_PROXY_NAME = "service.kubernetes.io/service-proxy-name"
LABEL_HEADLESS = "service.kubernetes.io/headless"
LABEL_SERVICE_NAME = "kubernetes.io/service-name"
LABEL_ZONE = "topology.kubernetes.io/zone"
_SOURCE_RANGES_ANNOTATION = "service.beta.kubernetes.io/load-balancer-source-ranges"
_DEFAULT_AFFINITY_SECONDS = 10800


@dataclass(frozen=True, slots=True)
class Node:
    """The node that the rules are for."""

    name: str
    ip: str
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address and port behind a Service port."""

    ip: str
    port: int
    local: bool = False
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone_hints: frozenset[str] = frozenset()
    node_hints: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}"

    @property
    def last_resort(self) -> bool:
        """Whether it may be used where no ready endpoint is left: it is leaving, but still answers."""
        return self.serving and self.terminating


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service that kube-proxy handles, with the endpoints sorted into what traffic may use."""

    namespace: str
    name: str
    port_name: str
    protocol: str
    cluster_ip: str
    port: int
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    internal_local: bool = False
    external_local: bool = False
    affinity_seconds: int | None = None
    health_check_node_port: int = 0
    endpoints: EndpointSets = field(default_factory=lambda: EndpointSets())

    @property
    def full_name(self) -> str:
        """``namespace/name`` or ``namespace/name:port``, as rules' comments print it."""
        suffix = f":{self.port_name}" if self.port_name else ""
        return f"{self.namespace}/{self.name}{suffix}"

    @property
    def hash(self) -> str:
        """The part of the chain names that belongs to this port."""
        return names.service_hash(self.full_name, self.protocol)

    @property
    def externally_accessible(self) -> bool:
        """Whether it has a node port, an external IP or a load balancer's IP."""
        return bool(self.node_port or self.external_ips or self.load_balancer_ips)

    @property
    def uses_cluster_endpoints(self) -> bool:
        """Whether some traffic may go to any node.

        External traffic under policy Local counts: Pods of the cluster that use an external address short-circuit it.
        """
        return not self.internal_local or self.externally_accessible

    @property
    def uses_local_endpoints(self) -> bool:
        """Whether some traffic must stay on this node."""
        return self.internal_local or (self.external_local and self.externally_accessible)


@dataclass(frozen=True, slots=True)
class EndpointSets:
    """The endpoints of one Service port: ``cluster`` and ``local`` are what the traffic policies of those names use.

    ``reachable`` are those of both, ``known`` counts all that the slices hold, usable or not; ``ready_here`` counts
    the ready addresses on this node, whatever the policies say.
    """

    cluster: tuple[Endpoint, ...] = ()
    local: tuple[Endpoint, ...] = ()
    reachable: tuple[Endpoint, ...] = ()
    any_usable: bool = False
    known: int = 0
    ready_here: int = 0


def is_proxied(service: Object) -> bool:
    """Whether kube-proxy handles a Service at all: not headless, not ExternalName, not left to another proxy."""
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") in (None, "", "None"):
        return False
    # kube-proxy's watches leave out what bears one of these labels, Services as well as EndpointSlices.
    return not {LABEL_PROXY_NAME, LABEL_HEADLESS} & meta.labels(service).keys()


class ServicePorts:
    """Every Service port of the cluster as a node sees it; remembers those whose objects are still the same ones.

    Objects of a cache are replaced and never written to, so that identity tells a change: with a thousand Services one
    change costs what one Service costs.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Object, list[Object], Node, list[ServicePort]]] = {}

    def of(self, services: Iterable[Object], slices: Iterable[Object], node: Node) -> list[ServicePort]:
        """The ports in the order of namespace, name and port name."""
        by_service: dict[str, list[Object]] = {}
        for endpoint_slice in slices:
            labels = meta.labels(endpoint_slice)
            owner = labels.get(LABEL_SERVICE_NAME)
            if owner and LABEL_HEADLESS not in labels and LABEL_PROXY_NAME not in labels:
                by_service.setdefault(f"{meta.namespace(endpoint_slice)}/{owner}", []).append(endpoint_slice)
        fresh = {}
        for service in services:
            if is_proxied(service):
                key = meta.key(service)
                mine = by_service.get(key, [])
                fresh[key] = (service, mine, node, self._ports(key, service, mine, node))
        self._known = fresh
        return [port for key in sorted(fresh) for port in fresh[key][3]]

    def _ports(self, key: str, service: Object, slices: list[Object], node: Node) -> list[ServicePort]:
        known = self._known.get(key)
        if known is not None:
            same = len(known[1]) == len(slices) and all(a is b for a, b in zip(known[1], slices, strict=True))
            if known[0] is service and same and known[2] == node:
                return known[3]
        return _ports(service, slices, node)


def service_ports(services: Iterable[Object], slices: Iterable[Object], node: Node) -> list[ServicePort]:
    """Every Service port of the cluster as this node sees it, in the order of namespace, name and port name."""
    return ServicePorts().of(services, slices, node)


def _ports(service: Object, slices: list[Object], node: Node) -> list[ServicePort]:
    spec = service["spec"]
    cluster_ip = _first_ipv4(spec.get("clusterIPs") or [spec["clusterIP"]])
    if cluster_ip is None:
        return []
    affinity = None
    if spec.get("sessionAffinity") == "ClientIP":
        config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        affinity = int(config.get("timeoutSeconds") or _DEFAULT_AFFINITY_SECONDS)
    ranges = spec.get("loadBalancerSourceRanges") or _annotated_ranges(service)
    out = []
    for port in spec.get("ports") or ():
        bare = ServicePort(
            namespace=meta.namespace(service),
            name=meta.name(service),
            port_name=port.get("name") or "",
            protocol=str(port.get("protocol") or "TCP").lower(),
            cluster_ip=cluster_ip,
            port=int(port["port"]),
            node_port=int(port.get("nodePort") or 0),
            external_ips=tuple(ip for ip in spec.get("externalIPs") or () if _is_ipv4(ip)),
            load_balancer_ips=_load_balancer_ips(service),
            source_ranges=tuple(r for r in (_ipv4_network(text) for text in ranges) if r),
            internal_local=spec.get("internalTrafficPolicy") == "Local",
            external_local=spec.get("externalTrafficPolicy") == "Local",
            affinity_seconds=affinity,
            health_check_node_port=int(spec.get("healthCheckNodePort") or 0),
        )
        candidates = endpoints_of(slices, bare.port_name, bare.protocol, node)
        out.append(_with_endpoints(bare, sort_endpoints(bare, candidates, node)))
    return sorted(out, key=lambda p: p.port_name)


def _with_endpoints(port: ServicePort, sets: EndpointSets) -> ServicePort:
    values = {name: getattr(port, name) for name in port.__dataclass_fields__}
    return ServicePort(**{**values, "endpoints": sets})


def endpoints_of(slices: Iterable[Object], port_name: str, protocol: str, node: Node) -> list[Endpoint]:
    """The endpoints that slices give for a port of this name, each address once, in the order of their text."""
    found: dict[str, Endpoint] = {}
    for endpoint_slice in sorted(slices, key=meta.name):
        if endpoint_slice.get("addressType") != "IPv4":
            continue
        for port in endpoint_slice.get("ports") or ():
            same = (port.get("name") or "") == port_name and str(port.get("protocol") or "TCP").lower() == protocol
            if not same or port.get("port") is None:
                continue
            for raw in endpoint_slice.get("endpoints") or ():
                endpoint = _endpoint(raw, int(port["port"]), node)
                if endpoint and (str(endpoint) not in found or endpoint.local):
                    found[str(endpoint)] = endpoint
    return [found[text] for text in sorted(found)]


def _endpoint(raw: dict[str, Any], port: int, node: Node) -> Endpoint | None:
    if not raw.get("addresses"):
        return None
    conditions, hints = raw.get("conditions") or {}, raw.get("hints") or {}
    return Endpoint(
        ip=raw["addresses"][0],
        port=port,
        local=raw.get("nodeName") == node.name,
        ready=conditions.get("ready") is not False,
        serving=conditions.get("serving") is not False,
        terminating=conditions.get("terminating") is True,
        zone_hints=frozenset(h["name"] for h in hints.get("forZones") or ()),
        node_hints=frozenset(h["name"] for h in hints.get("forNodes") or ()),
    )


def sort_endpoints(port: ServicePort, endpoints: list[Endpoint], node: Node) -> EndpointSets:
    """Which endpoints each traffic policy may use on this node (upstream: CategorizeEndpoints)."""
    ready = [e for e in endpoints if e.ready]
    leaving = [e for e in endpoints if not e.ready and e.last_resort]
    cluster: list[Endpoint] = []
    local: list[Endpoint] = []
    if port.uses_cluster_endpoints:
        # Hints do not count for endpoints on their way out: any answer is better than none.
        cluster = _near(ready, node) or [e for e in endpoints if e.last_resort]
    if port.uses_local_endpoints:
        local = [e for e in ready if e.local] or [e for e in leaving if e.local]
        any_usable = bool(ready or leaving)
    else:
        any_usable = bool(cluster)
    reachable = cluster + [e for e in local if e not in cluster]
    here = len({e.ip for e in ready if e.local})
    return EndpointSets(
        tuple(cluster), tuple(local), tuple(sorted(reachable, key=str)), any_usable, len(endpoints), here
    )


def _near(ready: list[Endpoint], node: Node) -> list[Endpoint]:
    """The ready endpoints that topology hints leave to this node; all of them where the hints cannot be followed.

    Hints are a preference: one endpoint without them, or none for this place, and they are ignored.
    """
    if all(e.node_hints for e in ready):
        chosen = [e for e in ready if node.name in e.node_hints]
        if chosen:
            return chosen
    if node.zone and all(e.zone_hints for e in ready):
        chosen = [e for e in ready if node.zone in e.zone_hints]
        if chosen:
            return chosen
    return ready


def _load_balancer_ips(service: Object) -> tuple[str, ...]:
    """The load balancer's addresses that this node may answer for: not those of ipMode Proxy."""
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    ingress = balancer.get("ingress") or ()
    return tuple(i["ip"] for i in ingress if _is_ipv4(i.get("ip")) and i.get("ipMode", "VIP") == "VIP")


def _annotated_ranges(service: Object) -> list[str]:
    text = meta.annotations(service).get(_SOURCE_RANGES_ANNOTATION, "")
    return [part for part in text.split(",") if part.strip()]


def _first_ipv4(addresses: Iterable[str]) -> str | None:
    return next((a for a in addresses if _is_ipv4(a)), None)


def _is_ipv4(text: str | None) -> bool:
    try:
        ipaddress.IPv4Address(text or "")
    except ValueError:
        return False
    return True


def _ipv4_network(text: str) -> str | None:
    try:
        return str(ipaddress.IPv4Network(text.strip(), strict=False))
    except ValueError:
        return None
