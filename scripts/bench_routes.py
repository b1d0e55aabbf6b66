#!/usr/bin/env python3
"""Measure how long a new route takes until its first correct answer: Ingress on nginx and HAProxy, HTTPRoute on Envoy.

`scripts/bench.py` prints these rows with its own. The cluster is made for the measurement and ended after it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

NAME, SPACE = "bench-routes", "bench-routes"
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
ADDONS = {"ingress-nginx": "nginx", "ingress-haproxy": "haproxy", "envoy-gateway": ""}
PATIENCE = 30
# Asks again and again; the moment of the first right answer is its only output. One connection a question.
_POLL = (
    "end=$(($(date +%s) + {seconds})); until curl -sfm1 -o /dev/null -H 'Host: {host}' http://{address}/hostname; do "
    "[ $(date +%s) -lt $end ] || exit 1; sleep 0.005; done; date +%s.%N"
)


@dataclass
class Measured:
    """Milliseconds by add-on, and the add-ons that could not be measured, with the reason."""

    routes: dict[str, list[float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def measure(runs: int) -> Measured:
    """Every add-on that this machine can run. Raises BackendError or ApiError."""
    from podwalk import backends
    from podwalk.api import clusterconfig
    from podwalk.course import addons

    found = Measured()
    cluster = backends.backend("embedded").up(clusterconfig.default(NAME), progress=lambda fact: None)
    try:
        with cluster.client() as client:
            _workload(client)
            for addon, ingress_class in ADDONS.items():
                try:
                    addons.install(cluster, addon)
                except addons.AddonError as error:
                    found.left_out[addon] = str(error)
                    continue
                address = _address(client, addon)
                found.routes[addon] = [_one(cluster, client, address, ingress_class, n) for n in range(runs)]
    finally:
        cluster.down()
    return found


def _workload(client: Any) -> None:
    from podwalk.course.objects import apply_all, wait_ready

    container = {"name": "web", "image": AGNHOST, "args": ["netexec", "--http-port=8080"]}
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    spec = {"containers": [{**container, "readinessProbe": probe}], "terminationGracePeriodSeconds": 1}
    where = {"name": "web", "namespace": SPACE}
    ports = [{"port": 80, "targetPort": 8080}]
    apply_all(
        client,
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {**where, "labels": {"app": "web"}}, "spec": spec},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": where,
                "spec": {"selector": {"app": "web"}, "ports": ports},
            },
        ],
    )
    wait_ready(client, [SPACE], (), 60)


def _address(client: Any, addon: str) -> str:
    """The address that answers for the add-on's routes; for Gateway API a Gateway is made."""
    from podwalk.checks.state import at_path
    from podwalk.cluster.workloads import WORKLOADS
    from podwalk.course.objects import wait_for

    kind, name, space = "Service", WORKLOADS[addon].name, WORKLOADS[addon].namespace
    path, value = "status.loadBalancer.ingress", "ip"
    if addon == "envoy-gateway":
        kind, name, space, path, value = "Gateway", "door", SPACE, "status.addresses", "value"
        spec = {"gatewayClassName": "envoy", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}
        meta = {"name": name, "namespace": space}
        client.create({"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": meta, "spec": spec})
    wait_for(lambda: "" if at_path(client.get(kind, name, space), path) else f"{kind} {name} has no address", PATIENCE)
    return str(at_path(client.get(kind, name, space), path)[0][value])


def _one(cluster: Any, client: Any, address: str, ingress_class: str, number: int) -> float:
    """Milliseconds from before the POST of a route until it is answered."""
    host = f"r{number}.bench.example"
    poll = cluster.start(None, ["sh", "-c", _POLL.format(host=host, address=address, seconds=PATIENCE)])
    begin = time.time()
    client.create(_ingress(host, ingress_class) if ingress_class else _http_route(host))
    said, _ = poll.communicate()
    if poll.returncode:
        raise TimeoutError(f"{host} at {address} was not answered in {PATIENCE} s")
    return (float(said) - begin) * 1000


def _ingress(host: str, ingress_class: str) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec = {"ingressClassName": ingress_class, "rules": [{"host": host, "http": {"paths": paths}}]}
    meta = {"name": f"{ingress_class}-{host}", "namespace": SPACE}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec}


def _http_route(host: str) -> dict[str, Any]:
    rules = [{"backendRefs": [{"name": "web", "port": 80}]}]
    spec = {"parentRefs": [{"name": "door"}], "hostnames": [host], "rules": rules}
    meta = {"name": host, "namespace": SPACE}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta, "spec": spec}
