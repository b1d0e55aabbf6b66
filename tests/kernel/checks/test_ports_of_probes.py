"""A probe is not dragged to where an earlier connection died, as a call from the same source port is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwalk.backends.base import Cluster
from podwalk.checks import connect, http
from podwalk.checks.shell import Shell
from podwalk.checks.state import Live, State
from podwalk.views.callers import run_at

sys.path.insert(0, str(Path(__file__).parents[1] / "cluster"))

from cluster_cli import await_true

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

_PORTS = "/proc/sys/net/ipv4/ip_local_port_range"
# curl calls it refused where the node has given up looking for the address.
_LOST = (["timeout"], ["connection refused"])
_SERVICE = """
apiVersion: v1
kind: Namespace
metadata: {name: ports-of-probes}
---
apiVersion: v1
kind: Pod
metadata: {name: server, namespace: ports-of-probes}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: server
    image: registry.k8s.io/e2e-test-images/agnhost:2.53
    args: [netexec, --http-port=8080]
    readinessProbe: {tcpSocket: {port: 8080}}
---
apiVersion: v1
kind: Service
metadata: {name: door, namespace: ports-of-probes}
spec:
  type: NodePort
  ports: [{port: 80}]
"""
_SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: door, namespace: ports-of-probes, labels: {kubernetes.io/service-name: door}}
addressType: IPv4
ports: [{name: "", port: 8080}]
endpoints: [{addresses: [%s]}]
"""


def _apply(cluster: Cluster, manifest: str) -> None:
    done = cluster.kubectl("apply", "-f", "-", input=manifest)
    assert done.ok, done.stderr


def _get(cluster: Cluster, kind: str, name: str, path: str) -> str:
    return cluster.kubectl("-n", "ports-of-probes", "get", kind, name, "-o", f"jsonpath={path}").stdout


@pytest.fixture
def mended(cluster: Cluster) -> Iterator[str]:
    """``address:port`` of a Service that leads to its server, and led to nobody when two calls were lost.

    One of them was a probe, the other came from port 50000: both from outside, where the kernel's choice of source
    ports can be narrowed to that one.
    """
    whole = " ".join(cluster.outside(["cat", _PORTS]).stdout.split())
    _apply(cluster, _SERVICE)
    try:
        ready = ["pod/server", "--for=condition=Ready", "--timeout=60s"]
        assert cluster.kubectl("-n", "ports-of-probes", "wait", *ready, timeout=90).ok
        server, nobody = _addresses(cluster)
        _apply(cluster, _SLICE % nobody)
        host = _get(cluster, "pod", "server", "{.spec.nodeName}")
        node = next(n for n in cluster.status().nodes if n.name == host)
        door = f"{node.address}:{_get(cluster, 'service', 'door', '{.spec.ports[0].nodePort}')}"
        cluster.outside(["sh", "-c", f"echo 50000 50000 >{_PORTS}"])

        def leads_to(address: str) -> bool:
            return f"--to-destination {address}:8080" in cluster.node(node.name, ["iptables-save", "-t", "nat"]).stdout

        await_true(lambda: leads_to(nobody), "the Service leads to nobody")
        assert _as_anybody(cluster, door) in _LOST
        assert _as_a_probe(cluster, door) in _LOST
        _apply(cluster, _SLICE % server)
        await_true(lambda: leads_to(server), "the Service leads to its server")
        yield door
    finally:
        cluster.kubectl("delete", "namespace", "ports-of-probes", timeout=60)
        cluster.outside(["sh", "-c", f"echo {whole} >{_PORTS}"])
        assert cluster.outside(["cat", _PORTS]).stdout.split() == whole.split()


def _addresses(cluster: Cluster) -> tuple[str, str]:
    """The server's, and one beside it that no Pod has."""
    server = _get(cluster, "pod", "server", "{.status.podIP}")
    taken = cluster.kubectl("get", "pods", "-A", "-o", "jsonpath={.items[*].status.podIP}").stdout.split()
    net = server.rpartition(".")[0]
    return server, next(a for a in (f"{net}.{n}" for n in range(250, 2, -1)) if a not in taken)


def _as_anybody(cluster: Cluster, door: str) -> list[str]:
    return _ask(cluster, http.script(f"http://{door}/hostname", 1, 1, http.Asked(source_port=0)))


def _as_a_probe(cluster: Cluster, door: str, count: int = 1) -> list[str]:
    return _ask(cluster, http.script(f"http://{door}/hostname", count, 1))


def _ask(cluster: Cluster, script: str) -> list[str]:
    return [a.outcome for a in http.parse(run_at(cluster, "outside", script).stdout)]


def test_a_probe_does_not_follow_a_connection_that_died(cluster: Cluster, mended: str) -> None:
    assert _as_anybody(cluster, mended) in _LOST  # conntrack still sends that port to nobody
    assert _as_a_probe(cluster, mended, 40) == ["HTTP 200"] * 40
    with cluster.client() as client:
        shell = Shell(cluster, State(Live(client)))
        assert connect.fates(shell, "outside", [mended, mended], 1) == [connect.OPEN, connect.OPEN]
