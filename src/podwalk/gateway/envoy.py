"""Envoy's configuration for a plan: listeners, routes and clusters as files that Envoy watches; pure.

Upstream: envoy.config.{listener,route,cluster}.v3. The order of routes is that of the Gateway API's specification of
HTTPRouteRule: exact paths, then the longest prefix, then the method, the number of headers and of query parameters,
then the older route.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.gateway import filters, streams
from podwalk.gateway.attach import Attached, Gateway, Listener, Plan, broken
from podwalk.gateway.world import World

_TYPE = "type.googleapis.com/envoy"
_HCM = f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_TYPE}.extensions.filters.http.router.v3.Router"
_TLS = f"{_TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_INSPECTOR = f"{_TYPE}.extensions.filters.listener.tls_inspector.v3.TlsInspector"
_LOG = f"{_TYPE}.extensions.access_loggers.stream.v3.StdoutAccessLog"
# A cluster of this name exists nowhere: requests for it end with 500, as the API wants it of a broken backendRef.
BROKEN = "invalid-backend-ref"

Ports = Mapping[tuple[str, int], int]


def bootstrap(folder: str, admin: int) -> Object:
    """What Envoy is started with: it reads the rest from files in ``folder`` and reads them again when they move."""

    def source(name: str) -> Object:
        path = {"path": f"{folder}/{name}.json", "watched_directory": {"path": folder}}
        return {"path_config_source": path, "resource_api_version": "V3"}

    return {
        "node": {"id": "podwalk", "cluster": "podwalk"},
        "admin": {"address": _address("127.0.0.1", admin)},
        "dynamic_resources": {"lds_config": source("lds"), "cds_config": source("cds")},
    }


def resources(plan: Plan, world: World, ports: Ports, folder: str) -> dict[str, Object]:
    """The contents of Envoy's files by their names, in the order in which they may be handed over.

    Clusters come first, then a file for each table of routes (Envoy takes one a file), then the listeners that use
    them. ``ports`` says on which port of its Pod Envoy listens for (``ns/name`` of a Gateway, port of a listener).
    """
    clusters: dict[str, Object] = {}
    listeners: list[Object] = []
    configs: list[Object] = []
    for gateway in plan.gateways:
        by_port: dict[int, list[Listener]] = {}
        for listener in gateway.listeners:
            if listener.programmed:
                by_port.setdefault(listener.port, []).append(listener)
        for port, members in by_port.items():
            inside = ports.get((gateway.key, port))
            if inside is None:
                continue
            if members[0].protocol != "HTTP":
                chains = _tls_chains(gateway, members, world, clusters, folder)
                configs += [_routes(_name(gateway, m), [m], world, clusters) for m in members if m.protocol == "HTTPS"]
            else:
                chains = [{"filters": [_manager(_shared(gateway, members), folder)]}]
                # Without TLS only the request's host tells the listeners apart: one table holds the hosts of all.
                configs.append(_routes(_shared(gateway, members), members, world, clusters))
            if chains:
                listeners.append(_listener(gateway, inside, members[0], chains))
    return {
        "cds": _file("config.cluster.v3.Cluster", clusters.values()),
        **{_routes_file(c["name"]): _file("config.route.v3.RouteConfiguration", [c]) for c in configs},
        "lds": _file("config.listener.v3.Listener", listeners),
    }


def _routes_file(name: str) -> str:
    return f"rds-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _file(kind: str, found: Iterable[Object]) -> Object:
    return {"resources": [{"@type": f"{_TYPE}.{kind}", **item} for item in found]}


def _address(host: str, port: int) -> Object:
    return {"socket_address": {"address": host, "port_value": port}}


def _name(gateway: Gateway, listener: Listener) -> str:
    return f"{gateway.key}/{listener.name}"


def _shared(gateway: Gateway, members: list[Listener]) -> str:
    return f"{gateway.key}:{members[0].port}"


# Listeners


def _listener(gateway: Gateway, port: int, first: Listener, chains: list[Object]) -> Object:
    made: Object = {"name": f"{gateway.key}:{first.port}", "address": _address("0.0.0.0", port)}
    if first.protocol != "HTTP":
        made["listener_filters"] = [{"name": "tls", "typed_config": {"@type": _INSPECTOR}}]
    return {**made, "filter_chains": chains}


def _tls_chains(
    gateway: Gateway, members: list[Listener], world: World, clusters: dict[str, Object], folder: str
) -> list[Object]:
    """The filter chains of a port on which clients speak TLS, told apart by the name that they ask for."""

    def weighted(route: Object, rule: Object) -> list[tuple[str, int]]:
        return _weighted("TLSRoute", route, rule, world, clusters) or [(BROKEN, 1)]

    chains: list[Object] = []
    taken = {m.hostname for m in members if m.protocol == "HTTPS"}
    for listener in members:
        if listener.protocol == "TLS":
            secure = None if listener.passes else _session(listener, [])
            chains += streams.chains(listener, taken, secure, weighted, _access_log())
            continue
        chain: Object = {
            "filters": [_manager(_name(gateway, listener), folder)],
            "transport_socket": _session(listener, ["h2", "http/1.1"]),
        }
        if listener.hostname:
            chain["filter_chain_match"] = {"server_names": [listener.hostname]}
        chains.append(chain)
    return chains


def _session(listener: Listener, protocols: list[str]) -> Object:
    """The transport socket of a listener that ends TLS; ``protocols`` are offered by ALPN."""
    pairs = [
        {"certificate_chain": {"inline_string": cert}, "private_key": {"inline_string": key}}
        for cert, key in listener.certificates
    ]
    context = {"tls_certificates": pairs, "alpn_protocols": protocols}
    return {"name": "tls", "typed_config": {"@type": _TLS, "common_tls_context": context}}


def _access_log() -> Object:
    return {"name": "stdout", "typed_config": {"@type": _LOG}}


def _manager(name: str, folder: str) -> Object:
    source = {
        "path_config_source": {"path": f"{folder}/{_routes_file(name)}.json", "watched_directory": {"path": folder}}
    }
    return {
        "name": "http",
        "typed_config": {
            "@type": _HCM,
            "stat_prefix": name,
            "rds": {"route_config_name": name, "config_source": {**source, "resource_api_version": "V3"}},
            "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
            "use_remote_address": True,
            "normalize_path": True,
            "strip_any_host_port": True,
            "generate_request_id": True,
            "preserve_external_request_id": True,
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "access_log": [_access_log()],
        },
    }


# Routes


def _routes(name: str, members: list[Listener], world: World, clusters: dict[str, Object]) -> Object:
    hosts: dict[str, list[tuple[tuple[Any, ...], Object]]] = {}
    for listener in members:
        for attached in listener.routes:
            for host in attached.hostnames or (listener.hostname or "*",):
                hosts.setdefault(host, []).extend(_rules(attached, world, clusters))
    virtual = []
    for host in sorted(hosts):
        ranked = [route for _, route in sorted(hosts[host], key=lambda pair: pair[0])]
        virtual.append({"name": host, "domains": [host], "routes": ranked})
    return {"name": name, "virtual_hosts": virtual, "ignore_port_in_host_matching": True}


def _rules(attached: Attached, world: World, clusters: dict[str, Object]) -> list[tuple[tuple[Any, ...], Object]]:
    route, found = attached.route, []
    kind = route.get("kind") or "HTTPRoute"
    age = (str(route["metadata"].get("creationTimestamp")), meta.key(route))
    for number, rule in enumerate((route.get("spec") or {}).get("rules") or ()):
        action = _action(kind, route, rule, world, clusters)
        default = [{"path": {"type": "PathPrefix", "value": "/"}}] if kind == "HTTPRoute" else [{}]
        for match in rule.get("matches") or default:
            entry = {"match": _match(kind, match), **filters.applied(rule, match, action)}
            found.append(((*_rank(match), *age, number), entry))
    return found


def _rank(match: Object) -> tuple[int, ...]:
    path = match.get("path") or {}
    exact = path.get("type") == "Exact"
    length = len(path.get("value") or "/")
    return (
        0 if exact else 1,
        -length,
        0 if match.get("method") else 1,
        -len(match.get("headers") or ()),
        -len(match.get("queryParams") or ()),
    )


def _match(kind: str, match: Object) -> Object:
    out: Object = _grpc_path(match.get("method") or {}) if kind == "GRPCRoute" else _path(match.get("path") or {})
    headers = [_string("name", h, "string_match") for h in match.get("headers") or ()]
    if kind == "HTTPRoute" and match.get("method"):
        headers.append({"name": ":method", "string_match": {"exact": match["method"]}})
    if headers:
        out["headers"] = headers
    if match.get("queryParams"):
        out["query_parameters"] = [_string("name", q, "string_match") for q in match["queryParams"]]
    return out


def _path(path: Object) -> Object:
    value = path.get("value") or "/"
    match path.get("type", "PathPrefix"):
        case "Exact":
            return {"path": value}
        case "RegularExpression":
            return {"safe_regex": {"regex": value}}
        case _:
            stem = value.rstrip("/")
            return {"path_separated_prefix": stem} if stem else {"prefix": "/"}


def _grpc_path(method: Object) -> Object:
    service, name = method.get("service"), method.get("method")
    if service and name:
        return {"path": f"/{service}/{name}"}
    return {"prefix": f"/{service}/" if service else "/"}


def _string(key: str, entry: Object, into: str) -> Object:
    regex = entry.get("type") == "RegularExpression"
    matcher = {"safe_regex": {"regex": entry["value"]}} if regex else {"exact": entry["value"]}
    return {"name": entry[key], into: matcher}


def _weighted(
    kind: str, route: Object, rule: Object, world: World, clusters: dict[str, Object]
) -> list[tuple[str, int]]:
    """The clusters behind a rule's backendRefs with their weights; those of weight 0 are left out."""
    return [(name, weight) for name, weight, _ in _backends(kind, route, rule, world, clusters)]


def _backends(
    kind: str, route: Object, rule: Object, world: World, clusters: dict[str, Object]
) -> list[tuple[str, int, Object]]:
    found = []
    for ref in rule.get("backendRefs") or ():
        weight = int(ref.get("weight", 1))
        if weight > 0:
            lost = broken(world, kind, route, ref)
            name = BROKEN if lost else _cluster(kind, route, ref, world, clusters)
            found.append((name, weight, filters.of_backend(ref)))
    return found


def _action(kind: str, route: Object, rule: Object, world: World, clusters: dict[str, Object]) -> Object:
    """Where the rule's requests go: Envoy's ``route``, or a ``direct_response`` where there is nowhere."""
    found = _backends(kind, route, rule, world, clusters)
    if not found:
        return {"direct_response": {"status": 500}}
    target: Object = {"cluster": found[0][0]}
    if len(found) > 1 or found[0][2]:
        target = {"weighted_clusters": {"clusters": [{"name": n, "weight": w, **more} for n, w, more in found]}}
    target["cluster_not_found_response_code"] = "INTERNAL_SERVER_ERROR"
    copies = [
        filters.mirror(_cluster(kind, route, wanted["backendRef"], world, clusters), wanted)
        for wanted in filters.mirrored(rule)
        if not broken(world, kind, route, wanted["backendRef"])
    ]
    if copies:
        target["request_mirror_policies"] = copies
    timeouts = rule.get("timeouts") or {}
    spans = [filters.seconds(timeouts.get(name) or "") for name in ("request", "backendRequest")]
    # Zero is no limit, and so is no field: Envoy's own default of 15 s is none of the API's. Without retries a request
    # is one try, so that the shorter limit ends it.
    target["timeout"] = f"{min((s for s in spans if s), default=0):g}s"
    return {"route": target}


def _cluster(kind: str, route: Object, ref: Object, world: World, clusters: dict[str, Object]) -> str:
    namespace = ref.get("namespace") or meta.namespace(route)
    service = world.services[meta.make_key(namespace, ref["name"])]
    port = next(p for p in service["spec"]["ports"] if p["port"] == ref["port"])
    name = f"{namespace}/{ref['name']}:{ref['port']}"
    if kind == "GRPCRoute" or port.get("appProtocol") == "kubernetes.io/h2c":
        name += "/h2c"
    endpoints = []
    for endpoint in world.endpoints(namespace, ref["name"], port):
        host, _, number = endpoint.rpartition(":")
        endpoints.append({"endpoint": {"address": _address(host, int(number))}})
    made: Object = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    }
    if name.endswith("/h2c"):
        options = {
            "@type": f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
        made["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}
    clusters[name] = made
    return name
