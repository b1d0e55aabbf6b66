"""NodeLocal DNSCache on a running cluster: who answers, past connection tracking, and what is left after it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwalk.api import clusterconfig
from podwalk.api.errors import ApiError
from podwalk.backends.base import Cluster
from podwalk.backends.embedded import EmbeddedBackend
from podwalk.client.sync import SyncClient

sys.path.insert(0, str(Path(__file__).parents[1] / "cluster"))

from cluster_cli import await_true

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

LOCAL, SERVICE = "169.254.20.10", "10.96.0.10"
NAME = "kubernetes.default.svc.cluster.local"
# Nobody asks for it before its test does: an answer lives 30 s in the cache.
FRESH = "kube-dns.kube-system.svc.cluster.local"


@pytest.fixture(scope="module")
def cached(podwalk_home: Path) -> Iterator[Cluster]:
    """A cluster with the caches, all of them listening."""
    nodes = {"nodes": [{"role": "control-plane"}, {"role": "worker"}]}
    config = clusterconfig.parse(nodes, name="cached").with_options({"nodeLocalDNS": True})
    running = EmbeddedBackend().up(config, progress=lambda fact: None)
    await_true(lambda: _dig(running, LOCAL) == "10.96.0.1", "the cache answers", 20)
    yield running
    running.down()


def _on_the_worker(cluster: Cluster, *argv: str) -> str:
    return cluster.node("cached-worker", list(argv), timeout=20).stdout.strip()


def _dig(cluster: Cluster, server: str, name: str = NAME) -> str:
    return _on_the_worker(cluster, "dig", "+short", "+timeout=1", "+tries=1", f"@{server}", name)


def test_both_addresses_answer_without_connection_tracking(cached: Cluster) -> None:
    _on_the_worker(cached, "conntrack", "-F")  # what was asked before the cache was there
    for server in (LOCAL, SERVICE):
        await_true(lambda asked=server: _dig(cached, asked) == "10.96.0.1", f"{server} answers")
    flows = _on_the_worker(cached, "conntrack", "-L", "-p", "udp")
    assert not [line for line in flows.splitlines() if f"dst={LOCAL}" in line or f"dst={SERVICE} " in line]


def test_a_cached_name_survives_the_cluster_dns_and_the_end_leaves_nothing(cached: Cluster) -> None:
    with cached.client() as client:
        await_true(lambda: _dig(cached, SERVICE, FRESH) == SERVICE, "the name is in the cache")
        client.patch("Deployment", "coredns", {"spec": {"replicas": 0}}, "kube-system")
        # Gone, and not just unready: one that ends still answers. It goes sooner than the answer in the cache.
        await_true(lambda: _end(client, "kube-dns"), "the cluster DNS is gone", 20)
        assert _dig(cached, SERVICE, FRESH) == SERVICE
        client.delete("DaemonSet", "node-local-dns", "kube-system")
        await_true(lambda: LOCAL not in _on_the_worker(cached, "ip", "address"), "the address is gone", 20)
        # The program takes its rules away after its addresses, or before: the order is its own.
        rules = ("iptables", "-t", "raw", "-S")
        await_true(lambda: "NOTRACK" not in _on_the_worker(cached, *rules), "the rules are gone", 20)


def _end(client: SyncClient, app: str) -> bool:
    """Cut short the grace of the Pods that are ending; whether all are gone."""
    pods = client.list("Pod", "kube-system", label_selector=f"k8s-app={app}")
    for pod in pods:
        if (pod["metadata"].get("deletionGracePeriodSeconds") or 0) > 1:
            with contextlib.suppress(ApiError):  # it has gone meanwhile
                client.delete("Pod", pod["metadata"]["name"], "kube-system", grace_period=1)
    return not pods
