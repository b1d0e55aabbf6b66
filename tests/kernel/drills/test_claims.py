"""What questions claim about their YAML, asked of a running cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from podwalk.backends.base import Cluster
from podwalk.drills import bank
from podwalk.drills.model import Question

ROOT = Path(__file__).parents[3]
BANK = bank.load(ROOT)
SPACES = ("shop", "back", "data")
# Gateway API's kinds come with an add-on, and a Corefile or a plan of addresses is no object.
WRITTEN = [q for q in BANK if q.spot and q.spot.text.startswith("apiVersion") and "gateway." not in q.spot.text]


@pytest.fixture(scope="module")
def spaces(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, with the namespaces that the questions name."""
    for name in SPACES:
        cluster.kubectl("create", "namespace", name)
    yield cluster
    cluster.kubectl("delete", "namespace", *SPACES, "--grace-period=0", "--force")


@pytest.mark.cluster
@pytest.mark.parametrize("question", WRITTEN, ids=lambda q: q.id)
def test_the_api_accepts_the_error_and_the_repair(question: Question, spaces: Cluster) -> None:
    assert question.spot
    for text in (question.spot.text, question.spot.fix):
        done = spaces.kubectl("apply", "--dry-run=server", "-f", "-", input=text)
        assert done.ok, f"{question.id}: {done.stderr}"


def _soon(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["svc-003", "svc-042"])
def test_the_repair_makes_the_service_answer_and_the_error_does_not(name: str, spaces: Cluster) -> None:
    spot = BANK.get(name).spot
    assert spot
    service = next(o for o in yaml.safe_load_all(spot.text) if o["kind"] == "Service")
    where, port = service["metadata"].get("namespace", "default"), service["spec"]["ports"][0]["port"]

    def ask() -> str:
        address = spaces.kubectl("get", "svc", "web", "-n", where, "-o", "jsonpath={.spec.clusterIP}").stdout
        url = f"http://{address}:{port}/hostname"
        done = spaces.node(f"{spaces.name}-worker", ["curl", "-sS", "-m2", url])
        return f"{done.stdout}{done.stderr}"

    try:
        assert spaces.kubectl("apply", "-f", "-", input=spot.text).ok
        ready = ("wait", "pod", "-n", where, "-l", "app=web", "--for=condition=Ready", "--timeout=30s")
        _soon(lambda: spaces.kubectl(*ready).ok, "the Pods are Ready")
        _soon(lambda: "connect to server" in ask(), f"{name} claims that callers are refused: {ask()}")
        assert spaces.kubectl("apply", "-f", "-", input=spot.fix).ok
        _soon(lambda: ask().startswith("web"), f"{name} claims that the repair answers: {ask()}")
    finally:
        spaces.kubectl("delete", "-f", "-", "--grace-period=0", "--force", input=spot.text)


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("name", "manifest"),
    [
        ("svc-005", "{type: NodePort, ports: [{port: 80, nodePort: 40000}]}"),
        ("fix-023", "{type: NodePort, ports: [{port: 80, nodePort: 32768}]}"),
    ],
)
def test_a_node_port_outside_of_the_range_is_refused(name: str, manifest: str, spaces: Cluster) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "out", "namespace": "shop"}}
    text = yaml.safe_dump({**service, "spec": yaml.safe_load(manifest)})
    done = spaces.kubectl("apply", "--dry-run=server", "-f", "-", input=text)
    assert not done.ok
    assert "not in the valid range" in done.stderr, name
