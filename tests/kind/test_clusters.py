"""A whole cluster behind the kind backend: the embedded one behind stand-ins, and a real one where kind can run.

Both are asked the same questions, so the stand-in cannot drift away from the real thing unnoticed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import kind_standin
from kind_standin import calls
from podwalk.api import clusterconfig
from podwalk.backends import kind_networks
from podwalk.backends.base import BackendError, Fact
from podwalk.backends.kind import KindBackend, KindCluster
from podwalk.backends.kind_engine import working_engine

EVERY = bool(os.environ.get("PODWALK_KIND_LABS"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("pytest_kind", reason="the extra podwalk[kind] is not installed")
    if shutil.which("kubectl") is None:
        pytest.fail("kubectl is missing; scripts/get-kubectl installs one")
    monkeypatch.setenv("PODWALK_HOME", str(tmp_path / "home"))
    return tmp_path


def ask(cluster: KindCluster, facts: list[Fact]) -> None:
    """See that a cluster is what the backend says it is."""
    texts = [fact.text for fact in facts]
    assert texts[-3:] == ["the API server answers", "2 nodes Ready", "the cluster DNS is Ready"]
    assert cluster.kubectl("config", "current-context").stdout == f"kind-{cluster.name}\n"
    nodes = cluster.kubectl("get", "nodes", "--output=name").stdout.split()
    assert nodes == [f"node/{cluster.name}-control-plane", f"node/{cluster.name}-worker"]
    status = cluster.status()
    assert status.running
    with cluster.client() as client:
        known = {node["metadata"]["name"]: node for node in client.list("Node")}
    for node in status.nodes:
        addresses = [a["address"] for a in known[node.name]["status"]["addresses"] if a["type"] == "InternalIP"]
        assert node.address in addresses
    assert cluster.node(f"{cluster.name}-worker", ["hostname"]).stdout == f"{cluster.name}-worker\n"
    reached = cluster.outside(["ip", "-4", "route", "get", status.nodes[0].address]).stdout
    assert "via" not in reached, "the outside is on the nodes' own network"
    assert status.nodes[0].address in reached
    script = "import os; print(os.uname().nodename, len(os.listdir('/sys/class/net')) > 1)"
    assert cluster.node(f"{cluster.name}-worker", ["python3", "-c", script]).stdout.endswith(" True\n")


def ask_for_a_load_balancer(cluster: KindCluster) -> None:
    """See that a Service of type LoadBalancer gets an address."""
    assert cluster.kubectl("create", "service", "loadbalancer", "front", "--tcp=80").ok
    there = "--for=jsonpath={.status.loadBalancer.ingress[0].ip}"
    waited = cluster.kubectl("wait", there, "service/front", "--timeout=120s", timeout=130)
    assert waited.ok, waited.stderr


def up(name: str, **options: str | bool) -> tuple[KindCluster, list[Fact]]:
    facts: list[Fact] = []
    config = clusterconfig.parse({"nodes": [{"role": "control-plane"}, {"role": "worker"}]}, name=name)
    asked = config.with_options(options, kind_networks.PROFILES)
    return KindBackend().up(asked, progress=facts.append), facts


@pytest.fixture
def standin(home: Path) -> Iterator[Path]:
    with kind_standin.embedded(home / "standin"):
        yield home / "standin"


@pytest.mark.cluster
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("standin")
def test_the_embedded_cluster_behind_stand_ins() -> None:
    cluster, facts = up("behind", loadBalancer=True)
    ask(cluster, facts)
    ask_for_a_load_balancer(cluster)
    cluster.down()
    assert KindBackend().find("behind") is None


@pytest.mark.cluster
@pytest.mark.timeout(300)
@pytest.mark.parametrize("cni", ["flannel", "cilium"])
def test_a_network_plugin_of_its_own_makes_the_nodes_ready(standin: Path, cni: str) -> None:
    cluster, facts = up("behind", cni=cni, proxyMode="iptables")
    network = kind_networks.NETWORKS[cni]
    assert [fact.text for fact in facts][1:] == [
        f"{cni} {network.version} is applied",
        "the API server answers",
        "2 nodes Ready",
        "the cluster DNS is Ready",
    ]
    config = (standin / "behind" / "config.yaml").read_text()
    assert "disableDefaultCNI: true" in config
    assert f"--image={network.node_image}" in next(c for c in calls(standin) if c.startswith("kind create"))
    cluster.down()


@pytest.mark.usefixtures("home")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("cni", ["kindnet", "flannel", "calico", "cilium"] if EVERY else ["kindnet"])
def test_a_real_kind_cluster(cni: str) -> None:
    if shutil.which("kind") is None:
        pytest.skip("kind is not installed")
    try:
        working_engine()
    except BackendError as error:
        pytest.skip(str(error))
    balanced = {"loadBalancer": True} if cni == "kindnet" else {"cni": cni}
    cluster, facts = up("podwalk-test", **balanced)
    try:
        ask(cluster, facts)
        if cni == "kindnet":
            ask_for_a_load_balancer(cluster)
    finally:
        cluster.down()
    assert KindBackend().find("podwalk-test") is None
