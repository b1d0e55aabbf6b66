"""Which listeners a Gateway has, which routes attach to them, and what the statuses say; pure.

Upstream: apis/v1/{gateway,httproute}_types.go and shared_types.go of kubernetes-sigs/gateway-api: the conditions, their
reasons, and the rules about namespaces, kinds and host names. The messages of routes are those of Envoy Gateway
(internal/gatewayapi/{contexts,route}.go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from podwalk.api import meta, selectors
from podwalk.api.meta import Object
from podwalk.gateway import filters
from podwalk.gateway.kinds import GROUP
from podwalk.gateway.status import condition, generation
from podwalk.gateway.world import World, intersect

CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
_ROUTE_KINDS = {"HTTP": ("HTTPRoute", "GRPCRoute"), "HTTPS": ("HTTPRoute", "GRPCRoute"), "TLS": ("TLSRoute",)}


@dataclass(frozen=True, slots=True)
class Attached:
    """A route on a listener, with the host names that both have (empty: any)."""

    route: Object
    hostnames: tuple[str, ...]


@dataclass(slots=True)
class Listener:
    """One listener of a Gateway: its certificates (certificate, key; PEM), its routes, and the reasons of its state."""

    name: str
    port: int
    protocol: str
    hostname: str
    spec: Object
    certificates: list[tuple[str, str]] = field(default_factory=list)
    routes: list[Attached] = field(default_factory=list)
    accepted: tuple[bool, str, str] = (True, "Accepted", "")
    resolved: tuple[bool, str, str] = (True, "ResolvedRefs", "")

    @property
    def passes(self) -> bool:
        """Whether TLS sessions pass through it to the backends."""
        return self.protocol == "TLS" and (self.spec.get("tls") or {}).get("mode") == "Passthrough"

    @property
    def programmed(self) -> bool:
        """Whether Envoy can serve it."""
        return self.accepted[0] and self.resolved[0]


@dataclass(slots=True)
class Gateway:
    """A Gateway of ours with its listeners."""

    obj: Object
    listeners: list[Listener]

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return meta.key(self.obj)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that follows from one look: Gateways to serve, and the parents' part of each route's status.

    ``parents``: (kind, ``ns/name``) -> the entries of status.parents that are ours, without their times.
    """

    gateways: tuple[Gateway, ...]
    parents: Mapping[tuple[str, str], list[Object]]


def plan(world: World) -> Plan:
    """Decide everything."""
    ours = {meta.name(c) for c in world.classes if (c.get("spec") or {}).get("controllerName") == CONTROLLER}
    gateways = [
        Gateway(g, [_listener(world, g, spec) for spec in g["spec"].get("listeners") or ()])
        for g in world.gateways
        if g["spec"].get("gatewayClassName") in ours and not meta.is_deleting(g)
    ]
    for gateway in gateways:
        _conflicts(gateway)
    by_key = {g.key: g for g in gateways}
    parents = {}
    for kind, routes in _routes(world):
        for route in sorted(routes, key=lambda r: (str(r["metadata"].get("creationTimestamp")), meta.key(r))):
            parents[kind, meta.key(route)] = _attach(world, by_key, kind, route)
    return Plan(tuple(gateways), parents)


def _routes(world: World) -> tuple[tuple[str, Sequence[Object]], ...]:
    return ("HTTPRoute", world.http_routes), ("GRPCRoute", world.grpc_routes), ("TLSRoute", world.tls_routes)


# Listeners


def _listener(world: World, gateway: Object, spec: Object) -> Listener:
    made = Listener(spec["name"], int(spec["port"]), spec.get("protocol") or "", spec.get("hostname") or "", spec)
    if made.protocol not in _ROUTE_KINDS:
        said = f"Protocol {made.protocol} is unsupported, must be HTTP, HTTPS or TLS."
        made.accepted = (False, "UnsupportedProtocol", said)
        return made
    kinds = [k.get("kind") for k in (spec.get("allowedRoutes") or {}).get("kinds") or ()]
    if any(k not in _ROUTE_KINDS[made.protocol] for k in kinds):
        said = f"a listener of {made.protocol} takes {' and '.join(_ROUTE_KINDS[made.protocol])}"
        made.resolved = (False, "InvalidRouteKinds", said)
    if made.protocol != "HTTP" and not made.passes:
        _certificates(world, gateway, made)
    return made


def _certificates(world: World, gateway: Object, listener: Listener) -> None:
    tls = listener.spec.get("tls") or {}
    if tls.get("mode", "Terminate") != "Terminate":
        listener.accepted = (False, "UnsupportedProtocol", "protocol HTTPS needs tls.mode Terminate")
        return
    namespace = meta.namespace(gateway)
    if not tls.get("certificateRefs"):
        listener.resolved = (False, "InvalidCertificateRef", "tls.certificateRefs names no certificate")
    for ref in tls.get("certificateRefs") or ():
        there, name = ref.get("namespace") or namespace, ref.get("name") or ""
        if (ref.get("group") or "") != "" or ref.get("kind", "Secret") != "Secret":
            listener.resolved = (False, "InvalidCertificateRef", f"{ref.get('kind')} {name} is not a Secret")
        elif not world.permits("Gateway", namespace, "Secret", there, name):
            said = f"Certificate ref to secret {there}/{name} not permitted by any ReferenceGrant."
            listener.resolved = (False, "RefNotPermitted", said)
        elif isinstance(found := world.certificate(there, name), str):
            listener.resolved = (False, "InvalidCertificateRef", f"secret {there}/{name} cannot be used: {found}")
        else:
            listener.certificates.append(found)


def _conflicts(gateway: Gateway) -> None:
    """Of listeners that claim the same port for two protocols, or the same host, the first one stands."""
    protocols: dict[int, str] = {}
    seen: set[tuple[int, str]] = set()
    for listener in gateway.listeners:
        if not listener.accepted[0]:
            continue
        # HTTPS and TLS may share a port: the name that the client asks for tells them apart.
        family = "TLS" if listener.protocol == "HTTPS" else listener.protocol
        if protocols.setdefault(listener.port, family) != family:
            listener.accepted = (False, "ProtocolConflict", f"port {listener.port} already has another protocol")
        elif (listener.port, listener.hostname) in seen:
            listener.accepted = (False, "HostnameConflict", f"port {listener.port} already has this hostname")
        seen.add((listener.port, listener.hostname))


def gateway_status(gateway: Gateway, addresses: list[str]) -> Object:
    """The status of a Gateway, conditions without their times."""
    at = generation(gateway.obj)
    good = [x for x in gateway.listeners if x.programmed]
    reason = "Accepted" if len(good) == len(gateway.listeners) else "ListenersNotValid"
    message = (
        "The Gateway has been scheduled by Envoy Gateway" if reason == "Accepted" else "some listeners are not valid"
    )
    conditions = [condition("Accepted", bool(good), reason, message, at)]
    if not addresses:
        said = "No addresses have been assigned to the Gateway"
        conditions.append(condition("Programmed", False, "AddressNotAssigned", said, at))
    else:
        said = "Address assigned to the Gateway"
        conditions.append(condition("Programmed", bool(good), "Programmed" if good else "Invalid", said, at))
    return {
        "addresses": [{"type": "IPAddress", "value": a} for a in addresses],
        "conditions": conditions,
        "listeners": [_listener_status(listener, at) for listener in gateway.listeners],
    }


def _listener_status(listener: Listener, at: int) -> Object:
    ok, reason, message = listener.accepted
    conflict = reason in ("ProtocolConflict", "HostnameConflict")
    programmed = listener.programmed
    conditions = [
        condition("Accepted", ok, "Accepted" if ok else reason, message or "Listener has been accepted", at),
        condition("Conflicted", conflict, reason if conflict else "NoConflicts", "", at),
        condition("Programmed", programmed, "Programmed" if programmed else "Invalid", "", at),
        condition("ResolvedRefs", *listener.resolved, at),
    ]
    allowed = [k.get("kind") for k in (listener.spec.get("allowedRoutes") or {}).get("kinds") or ()]
    able = _ROUTE_KINDS.get(listener.protocol, ())
    kinds = [k for k in (allowed or able) if k in able]
    return {
        "name": listener.name,
        "supportedKinds": [{"group": GROUP, "kind": k} for k in kinds],
        "attachedRoutes": len(listener.routes),
        "conditions": conditions,
    }


# Routes


def _attach(world: World, gateways: Mapping[str, Gateway], kind: str, route: Object) -> list[Object]:
    out = []
    for ref in (route.get("spec") or {}).get("parentRefs") or ():
        if (ref.get("group") or GROUP) != GROUP or ref.get("kind", "Gateway") != "Gateway":
            continue
        gateway = gateways.get(meta.make_key(ref.get("namespace") or meta.namespace(route), ref.get("name") or ""))
        if gateway is None:
            continue
        accepted = _try(world, gateway, kind, route, ref)
        at = generation(route)
        conditions = [
            condition("Accepted", *accepted, at),
            condition("ResolvedRefs", *references(world, kind, route), at),
        ]
        out.append({"parentRef": ref, "controllerName": CONTROLLER, "conditions": conditions})
    return out


def _try(world: World, gateway: Gateway, kind: str, route: Object, ref: Object) -> tuple[bool, str, str]:
    """Attach the route to the listeners that the reference means; (accepted, reason, message)."""
    meant = [
        x
        for x in gateway.listeners
        if ref.get("sectionName") in (None, "", x.name) and ref.get("port") in (None, x.port)
    ]
    if not meant:
        return False, "NoMatchingParent", "No listeners match this parent ref"
    strange = filters.unsupported(route)
    if strange is not None:
        return False, "UnsupportedValue", f"filters of type {strange} are not served"
    allowed = [x for x in meant if x.accepted[0] and _allows(world, gateway, x, kind, route)]
    if not allowed:
        return False, "NotAllowedByListeners", "No listeners included by this parent ref allowed this attachment."
    own = (route.get("spec") or {}).get("hostnames") or [""]
    attached = False
    for listener in allowed:
        common = [h for h in (intersect(name, listener.hostname) for name in own) if h is not None]
        if common:
            listener.routes.append(Attached(route, tuple(h for h in common if h)))
            attached = True
    if not attached:
        said = f"There were no hostname intersections between the {kind} and this parent ref's Listener(s)."
        return False, "NoMatchingListenerHostname", said
    return True, "Accepted", "Route is accepted"


def _allows(world: World, gateway: Gateway, listener: Listener, kind: str, route: Object) -> bool:
    allowed = listener.spec.get("allowedRoutes") or {}
    kinds = [k.get("kind") for k in allowed.get("kinds") or ()] or _ROUTE_KINDS[listener.protocol]
    if kind not in kinds:
        return False
    namespaces = allowed.get("namespaces") or {}
    match namespaces.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            there = world.namespaces.get(meta.namespace(route)) or {"metadata": {}}
            selector = selectors.label_selector(namespaces.get("selector"))
            return bool(selector(meta.labels(there)))
        case _:
            return meta.namespace(route) == meta.namespace(gateway.obj)


def references(world: World, kind: str, route: Object) -> tuple[bool, str, str]:
    """Whether all backends of a route can be resolved: (resolved, reason, message)."""
    for number, rule in enumerate((route.get("spec") or {}).get("rules") or ()):
        mirrors = [m["backendRef"] for m in filters.mirrored(rule)]
        for place, ref in enumerate([*(rule.get("backendRefs") or ()), *mirrors]):
            problem = broken(world, kind, route, ref)
            if problem is not None:
                said = f"Failed to process route rule {number} backendRef {place}: {problem[1]}."
                return False, problem[0], said
    return True, "ResolvedRefs", "Resolved all the Object references for the Route"


def broken(world: World, kind: str, route: Object, ref: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why a backendRef cannot be used, as (reason, message); None where it can."""
    namespace, name = ref.get("namespace") or meta.namespace(route), str(ref.get("name"))
    if (ref.get("group") or "") != "" or ref.get("kind", "Service") != "Service":
        return "InvalidKind", f"unsupported backend kind {ref.get('kind')} of {name}, must be Service"
    if not world.permits(kind, meta.namespace(route), "Service", namespace, name):
        return "RefNotPermitted", f"backend ref to Service {namespace}/{name} not permitted by any ReferenceGrant"
    service = world.services.get(meta.make_key(namespace, name))
    if service is None:
        return "BackendNotFound", f"service {namespace}/{name} not found"
    if not any(p.get("port") == ref.get("port") for p in service["spec"].get("ports") or ()):
        return "BackendNotFound", f"TCP Port {ref.get('port')} not found on Service {namespace}/{name}"
    return None
