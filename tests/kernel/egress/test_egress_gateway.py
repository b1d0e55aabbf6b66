"""Egress gateways on running clusters: with which address the outside sees a Pod."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podwalk.api import clusterconfig
from podwalk.backends.base import Cluster
from podwalk.backends.embedded import EmbeddedBackend
from podwalk.cluster import bundles
from podwalk.course import addons

sys.path.insert(0, str(Path(__file__).parents[1] / "cluster"))

from cluster_cli import await_true

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

Object = dict[str, Any]
EGRESS_IP = "172.18.0.100"
OUTSIDE = "http://172.18.1.10/"
IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"


def _pod(cluster: str, name: str, worker: str) -> Object:
    container = {
        "name": "c",
        "image": IMAGE,
        "args": ["netexec", "--http-port=8080"],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
    }
    spec = {"nodeName": f"{cluster}-{worker}", "terminationGracePeriodSeconds": 0, "containers": [container]}
    metadata = {"name": name, "namespace": "egress-shop", "labels": {"app": name.split("-")[0]}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _policy(node: str, **gateway: str) -> Object:
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumEgressGatewayPolicy",
        "metadata": {"name": "till"},
        "spec": {
            "selectors": [{"podSelector": {"matchLabels": {"app": "till"}}}],
            "destinationCIDRs": ["0.0.0.0/0"],
            "egressGateway": {"nodeSelector": {"matchLabels": {"kubernetes.io/hostname": node}}, **gateway},
        },
    }


class Shop:
    """Two tills on two nodes and a clock, and the policy that leads the tills out."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def worker(self, number: str = "") -> str:
        return f"{self.cluster.name}-worker{number}"

    def ask(self, pod: str, url: str = OUTSIDE) -> str:
        done = self.cluster.kubectl("exec", "-n", "egress-shop", pod, "--", "curl", "-sm1", url)
        return done.stdout.strip().removeprefix("www.outside.test sees you as ")

    def until(self, pod: str, wanted: str, url: str = OUTSIDE) -> None:
        """The agents learn of a change by themselves; each asking takes a moment or its whole second."""
        seen = [self.ask(pod, url).partition(":")[0]]
        while seen[-1] != wanted and len(seen) < 40:
            seen.append(self.ask(pod, url).partition(":")[0])
        assert seen[-1] == wanted, seen

    def apply(self, policy: Object) -> None:
        done = self.cluster.kubectl("apply", "-f", "-", input=json.dumps(policy))
        assert done.ok, done.stderr

    def gateways(self) -> set[str]:
        """The workers that have the egress address, as `worker` numbers them."""
        show = ["ip", "-4", "-br", "addr", "show", "eth0"]
        return {number for number in ("", "2") if EGRESS_IP in self.cluster.node(self.worker(number), show).stdout}

    def rules(self, worker: str = "") -> str:
        show = "nft list tables ip; ip -4 rule; ip -4 -br addr show eth0"
        return self.cluster.node(self.worker(worker), ["sh", "-c", show]).stdout


@pytest.fixture(scope="module", params=["flannel", "kindnet"])
def shop(request: pytest.FixtureRequest, podwalk_home: Path) -> Iterator[Shop]:
    name = f"egress-{request.param}"
    config = replace(clusterconfig.default(name), cni=request.param)
    running = EmbeddedBackend().up(config, progress=lambda fact: None)
    addons.install(running, "egress-gateway")
    with running.client() as client:
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "egress-shop"}})
        for pod, worker in (("till-1", "worker"), ("till-2", "worker2"), ("clock", "worker")):
            client.create(_pod(name, pod, worker))
    done = running.kubectl("wait", "-n", "egress-shop", "--for=condition=Ready", "pod", "--all", "--timeout=30s")
    assert done.ok, done.stderr
    yield Shop(running)
    running.down()


def test_the_outside_sees_one_address_wherever_the_pod_and_the_gateway_are(shop: Shop) -> None:
    before = shop.rules()
    shop.until("till-1", "172.18.0.3")
    for gateway in ("2", ""):
        shop.apply(_policy(shop.worker(gateway), egressIP=EGRESS_IP))
        # Before the switch the outside sees the address as well, from the other gateway.
        await_true(lambda node=gateway: shop.gateways() == {node}, f"worker{gateway} alone has the address")
        for till in ("till-1", "till-2"):
            shop.until(till, EGRESS_IP)
        shop.until("clock", "172.18.0.3")  # whom nobody chose
    own = shop.cluster.kubectl("get", "pod", "-n", "egress-shop", "till-1", "-o", "jsonpath={.status.podIP}").stdout
    other = shop.cluster.kubectl("get", "pod", "-n", "egress-shop", "till-2", "-o", "jsonpath={.status.podIP}").stdout
    shop.until("till-1", own, f"http://{other}:8080/clientip")  # inside nothing changes
    shop.cluster.kubectl("delete", "cegp", "till")
    shop.until("till-1", "172.18.0.3")
    shop.until("till-2", "172.18.0.4")
    # The agent's tables go before its rules and the address, and Pods are led as ever in between.
    await_true(lambda: shop.rules() == before, "the node is as it was")


def test_without_a_gateway_nothing_leaves_and_the_gateways_own_address_is_the_default(shop: Shop) -> None:
    shop.apply(_policy("nobody", egressIP=EGRESS_IP))
    shop.until("till-1", "")
    shop.until("clock", "172.18.0.3")
    shop.apply(_policy(shop.worker("2")))
    shop.until("till-1", "172.18.0.4")


def test_it_goes_with_its_definition(shop: Shop) -> None:
    shop.apply(_policy(shop.worker("2"), egressIP=EGRESS_IP))
    shop.until("till-1", EGRESS_IP)
    for crd in bundles.definitions("egress-gateway"):
        shop.cluster.kubectl("delete", "crd", crd["metadata"]["name"])
    shop.until("till-1", "172.18.0.3")
    addons.install(shop.cluster, "egress-gateway")
    shop.apply(_policy(shop.worker("2"), egressIP=EGRESS_IP))
    shop.until("till-1", EGRESS_IP)
