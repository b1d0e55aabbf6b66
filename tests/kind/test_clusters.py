"""A whole cluster behind the kind backend: the embedded one behind stand-ins, and a real one where kind can run.

Both are asked the same questions, so the stand-in cannot drift away from the real thing unnoticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwalk.api import clusterconfig
from podwalk.backends.base import Fact
from podwalk.backends.kind import KindBackend, KindCluster

STANDIN = Path(__file__).parent / "standin"


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
    assert texts[1:] == ["the API server answers", "2 nodes Ready", "the cluster DNS is Ready"]
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


def up(name: str) -> tuple[KindCluster, list[Fact]]:
    facts: list[Fact] = []
    config = clusterconfig.parse({"nodes": [{"role": "control-plane"}, {"role": "worker"}]}, name=name)
    return KindBackend().up(config, progress=facts.append), facts


@pytest.fixture
def standin(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    state = home / "standin"
    state.mkdir()
    monkeypatch.setenv("KIND_STANDIN", str(state))
    monkeypatch.setenv("KIND_STANDIN_EMBEDDED", "1")
    monkeypatch.setenv("PATH", f"{STANDIN}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    yield state
    subprocess.run(
        [sys.executable, "-c", "from podwalk.cli.main import main; main()", "down", "--all"],
        env={**os.environ, "PODWALK_HOME": str(state / "home")},
        capture_output=True,
        check=False,
    )


@pytest.mark.cluster
@pytest.mark.usefixtures("standin")
def test_the_embedded_cluster_behind_stand_ins() -> None:
    cluster, facts = up("behind")
    ask(cluster, facts)
    cluster.down()
    assert KindBackend().find("behind") is None


@pytest.mark.usefixtures("home")
@pytest.mark.timeout(600)
def test_a_real_kind_cluster() -> None:
    if shutil.which("kind") is None:
        pytest.skip("kind is not installed")
    engine = next((each for each in ("docker", "podman") if shutil.which(each)), None)
    if engine is None or subprocess.run([engine, "info"], capture_output=True, check=False).returncode:
        pytest.skip("no container engine answers")
    cluster, facts = up("podwalk-test")
    try:
        ask(cluster, facts)
    finally:
        cluster.down()
    assert KindBackend().find("podwalk-test") is None
