"""Load balancer addresses on a running cluster: reached from outside, and taken over when a node dies."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from podwalk.api import clusterconfig
from podwalk.backends.base import Cluster
from podwalk.backends.embedded import EmbeddedBackend

sys.path.insert(0, str(Path(__file__).parents[1] / "cluster"))

from cluster_cli import Census, await_true

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

Object = dict[str, Any]
LABELS = {"app": "web"}
VIP = "172.18.255.222"


@pytest.fixture(scope="module")
def balanced(podwalk_home: Path) -> Iterator[Cluster]:
    """A cluster of its own, for one of its nodes will die; with one Pod on each worker and a Service before them."""
    running = EmbeddedBackend().up(clusterconfig.default("balanced"), progress=lambda fact: None)
    with running.client() as client:
        for worker in ("balanced-worker", "balanced-worker2"):
            client.create(_pod(worker))
        client.create(_service())
    yield running
    running.down()


def _pod(node: str) -> Object:
    container = {
        "name": "web",
        "image": "registry.k8s.io/e2e-test-images/agnhost:2.53",
        "args": ["netexec", "--http-port=8080"],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    }
    meta = {"name": f"on-{node}", "namespace": "default", "labels": LABELS}
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _service() -> Object:
    meta = {"name": "web", "namespace": "default", "annotations": {"metallb.io/loadBalancerIPs": VIP}}
    ports = [{"port": 80, "targetPort": 8080}]
    spec = {"type": "LoadBalancer", "selector": LABELS, "ports": ports, "allocateLoadBalancerNodePorts": False}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _ask(cluster: Cluster, path: str = "hostname") -> str:
    argv = ["curl", "-s", "--max-time", "1", f"http://{VIP}/{path}"]
    return cluster.outside(argv, timeout=10).stdout.strip()


def _holder(cluster: Cluster) -> str:
    """The node whose MAC the outside believes to have the address."""
    neighbour = cluster.outside(["ip", "neigh", "show", VIP], timeout=10).stdout
    number = int(neighbour.split("lladdr ")[1].split()[0].split(":")[-1], 16) if "lladdr" in neighbour else 0
    return {2: "balanced-control-plane", 3: "balanced-worker", 4: "balanced-worker2"}.get(number, "")


def _until(holds: Callable[[], Any], what: str) -> Any:
    return await_true(holds, what, 40)


def _events(cluster: Cluster, reason: str) -> list[str]:
    with cluster.client() as client:
        return [e["message"] for e in client.list("Event", "default") if e["reason"] == reason]


def test_the_address_that_was_asked_for_answers_outside(balanced: Cluster) -> None:
    answers: set[str] = set()
    _until(lambda: answers.add(_ask(balanced)) or len(answers - {""}) == 2, "both Pods answer")
    assert answers - {""} == {"on-balanced-worker", "on-balanced-worker2"}
    assert _until(lambda: _events(balanced, "IPAllocated"), "the event") == [f'Assigned IP ["{VIP}"]']
    # A speaker that has not heard of the other one yet may announce as well, and is overruled: the last event counts.
    said = f'announcing from node "{_holder(balanced)}" with protocol "layer2"'
    _until(lambda: _events(balanced, "nodeAssigned")[-1:] == [said], "the event")
    with balanced.client() as client:
        service = client.get("Service", "web", "default")
    assert service["status"]["loadBalancer"]["ingress"] == [{"ip": VIP, "ipMode": "VIP"}]
    assert "nodePort" not in service["spec"]["ports"][0]


def test_policy_local_moves_the_address_to_the_pod_and_keeps_the_client(balanced: Cluster) -> None:
    node = next(n for n in ("balanced-worker", "balanced-worker2") if n != _holder(balanced))
    other = "balanced-worker" if node == "balanced-worker2" else "balanced-worker2"
    with balanced.client() as client:
        client.patch("Service", "web", {"spec": {"externalTrafficPolicy": "Local"}}, "default")
        client.patch("Pod", f"on-{other}", {"metadata": {"labels": {"app": "idle"}}}, "default")
        _until(lambda: _holder(balanced) == node and _ask(balanced) == f"on-{node}", "the node with the Pod answers")
        assert _until(lambda: _ask(balanced, "clientip"), "an answer").startswith("172.18.0.1:")
        client.patch("Pod", f"on-{node}", {"metadata": {"labels": {"app": "idle"}}}, "default")
        balanced.outside(["ip", "neigh", "flush", "dev", "kind0"], timeout=10)
        _until(lambda: _ask(balanced) == "" and _holder(balanced) == "", "without a Pod nobody answers for it")
        for name in (node, other):
            client.patch("Pod", f"on-{name}", {"metadata": {"labels": LABELS}}, "default")
        client.patch("Service", "web", {"spec": {"externalTrafficPolicy": "Cluster"}}, "default")
    _until(lambda: _ask(balanced), "it answers again")


def test_a_dead_nodes_address_is_taken_over(balanced: Cluster, podwalk_home: Path) -> None:
    _until(lambda: _ask(balanced), "it answers")
    before = _holder(balanced)
    state = json.loads((podwalk_home / "clusters" / "balanced" / "state.json").read_text())
    os.kill(Census.of(state).agents[before], signal.SIGKILL)
    survivor = next(n for n in ("balanced-worker", "balanced-worker2") if n != before)
    # Asked all the while: a neighbour that nobody asks for may be forgotten, whoever announces it. The survivor's Pod
    # may have answered through the other node in its last moments, so that both are asked for at once.
    _until(
        lambda: _ask(balanced) == f"on-{survivor}" and _holder(balanced) == survivor,
        "the other worker answers for the address, by its own Pod",
    )
