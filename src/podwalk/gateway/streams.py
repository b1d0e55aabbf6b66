"""TLS listeners: connections that are handed on as they are, by the name in the client's first message (SNI); pure.

Upstream: apis/v1/tlsroute_types.go of kubernetes-sigs/gateway-api; envoy.extensions.filters.network.tcp_proxy.v3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from podwalk.api.meta import Object
from podwalk.gateway.attach import Attached, Listener

_TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"

# From a route and its rule to (name of a cluster, weight) pairs.
Weighted = Callable[[Object, Object], list[tuple[str, int]]]


def chains(listener: Listener, taken: set[str], secure: Object | None, weighted: Weighted, log: Object) -> list[Object]:
    """Envoy's filter chains for a listener of the protocol TLS, one a route.

    ``taken`` holds the names (SNI) that chains of the same port have already; Envoy wants each once, so the older
    route keeps a name that two ask for. ``secure`` is the transport socket where TLS ends here, None where it passes.
    """
    made = []
    for attached in sorted(listener.routes, key=_age):
        names = [n for n in attached.hostnames or (listener.hostname,) if n not in taken]
        if not names:
            continue
        taken.update(names)
        rule = attached.route["spec"]["rules"][0]
        chain: Object = {"filters": [_proxy(names[0] or "any", weighted(attached.route, rule), log)]}
        if names != [""]:
            chain["filter_chain_match"] = {"server_names": [n for n in names if n]}
        if secure is not None:
            chain["transport_socket"] = secure
        made.append(chain)
    return made


def _age(attached: Attached) -> tuple[Any, ...]:
    metadata = attached.route["metadata"]
    return str(metadata.get("creationTimestamp")), metadata.get("namespace"), metadata["name"]


def _proxy(name: str, weighted: list[tuple[str, int]], log: Object) -> Object:
    target: Object = {"cluster": weighted[0][0]}
    if len(weighted) > 1:
        target = {"weighted_clusters": {"clusters": [{"name": n, "weight": w} for n, w in weighted]}}
    return {
        "name": "tcp",
        "typed_config": {"@type": _TCP_PROXY, "stat_prefix": name, "access_log": [log], **target},
    }
