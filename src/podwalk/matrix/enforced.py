"""What each node's policy agent has seen and written, and waiting until that is what the API says now."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from podwalk.api import meta
from podwalk.backends.base import BackendError, Cluster
from podwalk.matrix.facts import cluster_policies
from podwalk.policy.status import SOCKET

_PROGRAM = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
s.sendall(b"status\\n")
print(s.makefile().readline())
"""
_FIRST_PAUSE, _LAST_PAUSE = 0.01, 0.2


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node's agent. ``error`` is what keeps it from writing, or why it could not be asked."""

    node: str
    in_sync: bool = False
    rules: int = 0
    synced_at: float = 0.0
    sync_seconds: float = 0.0
    error: str = ""
    seen: dict[str, dict[str, str]] | None = None


def statuses(cluster: Cluster) -> list[NodeStatus]:
    """Every living node's status, in the order of their names."""
    names = sorted(n.name for n in cluster.status().nodes if n.alive)
    with ThreadPoolExecutor(max(len(names), 1)) as pool:
        return list(pool.map(lambda name: _status(cluster, name), names))


def _status(cluster: Cluster, node: str) -> NodeStatus:
    done = cluster.node(node, [sys.executable, "-I", "-S", "-c", _PROGRAM, SOCKET], timeout=15)
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return NodeStatus(node, error="no policy agent answers (was the cluster started with --no-network-policy?)")
    return NodeStatus(
        node,
        bool(said["inSync"]),
        int(said["rules"]),
        float(said["syncedAt"]),
        float(said["syncSeconds"]),
        str(said["error"]),
        said["seen"],
    )


def wait(cluster: Cluster, seconds: float = 10.0) -> list[NodeStatus]:
    """Return when every node has written rules from all policies, Pods and namespaces as the API has them now.

    Now is asked anew at each look: what has gone meanwhile is waited for by nobody. Raises BackendError with the node
    that lags when the time is over.
    """
    end, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while True:
        wanted, found = _present(cluster), statuses(cluster)
        lagging = [s for s in found if s.error or not s.in_sync or not _is_seen(wanted, s.seen or {})]
        if not lagging:
            return found
        if time.monotonic() > end:
            why = lagging[0].error or "it has not caught up with the API server"
            raise BackendError(f"node {lagging[0].node} does not enforce the policies yet: {why}; see podwalk status")
        time.sleep(pause)
        pause = min(pause * 2, _LAST_PAUSE)


def _present(cluster: Cluster) -> dict[str, dict[str, int]]:
    """Keys and versions of what rules are made from; Pods and namespaces matter only while there is a policy."""
    with cluster.client() as client:
        policies = client.list("NetworkPolicy")
        kinds = {"networkpolicies": policies, "clusternetworkpolicies": cluster_policies(client)}
        if any(kinds.values()):
            kinds |= {"pods": client.list("Pod"), "namespaces": client.list("Namespace")}
    return {kind: {meta.key(o): meta.resource_version(o) for o in objects} for kind, objects in kinds.items()}


def _is_seen(wanted: dict[str, dict[str, int]], seen: dict[str, dict[str, str]]) -> bool:
    """All that was there has been seen, in that version or a later one; and no policy that had gone."""
    for kind, objects in wanted.items():
        known = seen.get(kind, {})
        if any(int(known.get(key, 0)) < version for key, version in objects.items()):
            return False
        if kind.endswith("policies") and set(known) - set(objects):
            return False
    return True
