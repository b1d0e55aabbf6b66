#!/usr/bin/env python3
"""Measure the data plane: a thousand Services in both modes of kube-proxy, traces, and the profiles of the Pod network.

`scripts/bench.py` prints these rows with its own. Each cluster here is made for the measurement and ended after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

SERVICES, IN_FLIGHT = 1000, 8
PATIENCE = 180.0
MODES = ("iptables", "nftables")
PROFILES = ("flannel", "flannel-host-gw", "flannel-udp", "kindnet", "calico", "cloud", "ebpf")
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
SPACE = "bench-network"
# How many of our Services have their rules on a node: by their comments, or as elements of the map of ClusterIPs.
_COUNT = {
    "iptables": f"iptables -t nat -S KUBE-SERVICES | grep -c '{SPACE}/rules-'",
    "nftables": f"nft list map ip kube-proxy service-ips | grep -o '{SPACE}/rules-[0-9]*/' | sort -u | wc -l",
}


@dataclass
class Measured:
    """Seconds by mode, seconds a trace, and (profile, MTU, Gbit/s, round trip in ms)."""

    created: dict[str, float] = field(default_factory=dict)
    programmed: dict[str, float] = field(default_factory=dict)
    one_more: dict[str, float] = field(default_factory=dict)
    traces: list[float] = field(default_factory=list)
    profiles: list[tuple[str, int, float, float]] = field(default_factory=list)


def measure(runs: int) -> Measured:
    """Everything. Raises BackendError, ApiError or TimeoutError."""
    found = Measured()
    for mode in MODES:
        _in_mode(mode, runs, found)
    from podwalk.network import profiles
    from podwalk.views.profile_run import measure_all

    able = [p for p in PROFILES if profiles.missing(p) is None]
    for seen in measure_all(able, tell=lambda line: None):
        found.profiles.append((seen.profile, seen.mtu, seen.rate / 1e9, seen.trip * 1000))
    return found


def _in_mode(mode: str, runs: int, found: Measured) -> None:
    from podwalk import backends
    from podwalk.api import clusterconfig

    config = clusterconfig.default(f"bench-{mode}").with_options({"proxyMode": mode})
    cluster = backends.backend("embedded").up(config, progress=lambda fact: None)
    try:
        _workload(cluster)
        if mode == MODES[0]:
            found.traces += _traces(cluster, runs)
        begin = time.monotonic()
        _create(cluster, range(SERVICES))
        found.created[mode] = time.monotonic() - begin
        _await(lambda: _counts(cluster, mode), SERVICES)
        found.programmed[mode] = time.monotonic() - begin
        begin = time.monotonic()
        _create(cluster, [SERVICES])
        _await(lambda: _counts(cluster, mode), SERVICES + 1)
        found.one_more[mode] = time.monotonic() - begin
    finally:
        cluster.down()


def _workload(cluster: Any) -> None:
    """Two Pods on different nodes, and a Service of one of them."""
    nodes = [n.name for n in cluster.status().nodes if n.role == "worker"]
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": SPACE, "labels": {"app": name}},
            "spec": {
                "nodeName": node,
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "c", "image": AGNHOST, "args": ["netexec", "--http-port=8080"]}],
            },
        }
        for name, node in zip(("caller", "server"), nodes, strict=True)
    ]
    with cluster.client() as client:
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
        for pod in pods:
            client.create(pod)
        client.create(_service("server"))
        _await(lambda: [sum(_ready(p) for p in client.list("Pod", SPACE))], 2)


def _service(name: str) -> dict[str, Any]:
    spec = {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SPACE}, "spec": spec}


def _ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _create(cluster: Any, numbers: Any) -> None:
    def some(part: list[int]) -> None:
        with cluster.client() as client:
            for number in part:
                client.create(_service(f"rules-{number}"))

    listed = list(numbers)
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for done in [pool.submit(some, listed[n::IN_FLIGHT]) for n in range(IN_FLIGHT)]:
            done.result()


def _counts(cluster: Any, mode: str) -> list[int]:
    counts = [cluster.node(n.name, ["sh", "-c", _COUNT[mode]], timeout=30).stdout for n in cluster.status().nodes]
    return [int(text or 0) for text in counts]


def _await(look: Callable[[], list[int]], wanted: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while min(seen := look()) < wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seen} of {wanted} after {PATIENCE:g} s")
        time.sleep(0.02)


def _traces(cluster: Any, runs: int) -> list[float]:
    """Seconds of whole walks: collectors started on all nodes, one connection, everything merged."""
    from podwalk.trace.follow import trace

    took = []
    for _ in range(runs):
        begin = time.monotonic()
        walk = trace(cluster, f"{SPACE}/caller", f"http://server.{SPACE}/hostname")
        took.append(time.monotonic() - begin)
        if not walk.hops:
            raise TimeoutError("a trace saw nothing")
    return took


if __name__ == "__main__":
    print(measure(5))
