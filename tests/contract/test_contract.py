"""What every backend promises to the labs and the CLI, asked of each of them alike."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

import kind_standin
from podwalk import backends
from podwalk.api import clusterconfig, meta
from podwalk.backends.base import AlreadyRunningError, Backend, BackendError, Cluster, home
from podwalk.backends.context import ContextBackend
from podwalk.backends.embedded import EmbeddedBackend
from podwalk.backends.kind import KindBackend
from podwalk.checks import control
from podwalk.checks.render import plain
from podwalk.checks.report import Verdict
from podwalk.course import catalogue
from podwalk.course.catalogue import LAB_LABEL, LabSpec
from podwalk.course.engine import Course
from podwalk.course.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
CONFIG = clusterconfig.default("contract")
# One with three namespaces that call each other by name, one whose policy selects namespaces.
LABS = [catalogue.find(ROOT, name) for name in ("branch-cannot-find-the-ledger", "apples-pile-up-in-the-lane")]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Place:
    """A backend with a cluster of it that runs."""

    backend: Backend
    cluster: Cluster

    def node_names(self) -> list[str]:
        return [node.name for node in self.cluster.status().nodes]

    @property
    def has_nodes(self) -> bool:
        """Whether the cluster's nodes are the learner's as well."""
        return self.backend.name != "context"


def joining(owner: Cluster, learner: str) -> ContextBackend:
    spaces = {name for lab in LABS for name in lab.namespaces} | {control.NAMESPACE}
    return ContextBackend(owner.kubeconfig_path, owner.context, learner, spaces)


@pytest.fixture(scope="module", params=backends.NAMES)
def place(request: pytest.FixtureRequest, cluster: Cluster, podwalk_home: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        if request.param == "kind":
            pytest.importorskip("pytest_kind", reason="the extra podwalk[kind] is not installed")
            stack.enter_context(kind_standin.embedded(podwalk_home / "contract-kind"))
        ways: dict[str, Backend] = {"embedded": EmbeddedBackend(), "kind": KindBackend()}
        backend = ways.get(request.param) or joining(cluster, "ada")
        facts: list[str] = []
        running = backend.up(CONFIG, progress=lambda fact: facts.append(fact.text))
        assert facts
        yield Place(backend, running)
        running.down()
        assert backend.find(CONFIG.name) is None
        assert not [c for c in backend.clusters() if c.name == CONFIG.name]
        assert not list((home() / request.param).glob(CONFIG.name))


def test_the_name_leads_to_it(place: Place) -> None:
    found = place.backend.find(CONFIG.name)
    assert found is not None
    assert (found.name, found.backend) == (CONFIG.name, place.backend.name)
    assert CONFIG.name in [c.name for c in place.backend.clusters()]
    assert backends.find(CONFIG.name) is not None
    assert place.backend.find("another") is None


def test_its_status_names_the_nodes(place: Place) -> None:
    status = place.cluster.status()
    assert status.running
    assert [node.role for node in status.nodes].count("worker") == 2
    assert all(node.address.count(".") == 3 and node.alive for node in status.nodes)
    with place.cluster.client() as client:
        assert sorted(meta.name(n) for n in client.list("Node")) == sorted(place.node_names())


def test_the_kubeconfig_is_its_owners_only(place: Place) -> None:
    path = place.cluster.kubeconfig_path
    assert path.stat().st_mode & 0o077 == 0
    assert path.stat().st_uid == os.getuid()


def test_kubectl_answers_as_kubectl_does(place: Place) -> None:
    done = place.cluster.kubectl("get", "nodes", "-o", "name")
    assert sorted(done.stdout.split()) == [f"node/{name}" for name in sorted(place.node_names())]
    refused = place.cluster.kubectl("get", "nodes", "nobody")
    assert (refused.returncode, refused.ok) == (1, False)
    assert '"nobody" not found' in refused.stderr
    assert place.cluster.kubectl("get", "nodes", "--watch", timeout=0.5).returncode == 124


def test_a_node_runs_a_command_or_says_why_not(place: Place) -> None:
    name = place.node_names()[-1]
    if not place.has_nodes:
        with pytest.raises(BackendError, match=rf"node/{name}: .* podwalk up"):
            place.cluster.node(name, ["hostname"])
        with pytest.raises(BackendError, match="podwalk up"):
            place.cluster.start(name, ["cat"])
        return
    assert place.cluster.node(name, ["hostname"]).stdout.strip() == name
    assert place.cluster.node(name, ["sh", "-c", "exit 7"]).returncode == 7
    with pytest.raises(BackendError, match=rf"node/nobody: not found .*{name}"):
        place.cluster.node("nobody", ["hostname"])
    with place.cluster.start(name, ["cat"]) as process:
        assert process.communicate(b"through")[0] == b"through"


def test_the_outside_reaches_a_node_or_says_why_not(place: Place) -> None:
    address = place.cluster.status().nodes[0].address
    script = ["sh", "-c", f"ip route get {address} | head -n 1"]
    if not place.has_nodes:
        with pytest.raises(BackendError, match=r"the outside: .* podwalk up"):
            place.cluster.outside(script)
        return
    assert place.cluster.outside(script).stdout.startswith(address)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.id)
def test_a_lab_goes_from_its_ticket_to_full_marks(place: Place, lab: LabSpec, tmp_path: Path) -> None:
    with Progress(tmp_path / "progress.sqlite") as progress, ExitStack() as stop:
        course = Course(place.cluster, progress)
        course.start(lab)
        stop.callback(lambda: lab.name in course.running() and course.stop(lab))
        untouched = course.check(lab)
        assert untouched.verdict is Verdict.NOT_YET, plain(untouched)
        for wrong in sorted((lab.solution / "wrong").glob("*.*"))[:2]:
            course.answer(lab, wrong)
            report = course.check(lab)
            title = wrong.read_text().splitlines()[0].removeprefix("# fails: ")
            assert report.step(title).verdict is Verdict.NOT_YET, plain(report)
            course.reset(lab)
        course.solve(lab)
        report = course.check(lab)
        assert report.passed, plain(report)
        assert course.stop(lab) == []
        assert course.running() == []
    with place.cluster.client() as client:
        assert not client.list("Namespace", label_selector=LAB_LABEL)
        assert not [p for p in client.list("Pod") if meta.namespace(p).endswith((*lab.namespaces, control.NAMESPACE))]


def test_a_second_one_of_the_same_name_is_refused_or_is_the_same(place: Place) -> None:
    with place.cluster.client() as client:
        before = meta.uid(client.get("Namespace", "kube-system"))
    again = place.cluster
    with contextlib.suppress(AlreadyRunningError):
        again = place.backend.up(CONFIG, progress=lambda fact: None)
    with again.client() as client:
        assert meta.uid(client.get("Namespace", "kube-system")) == before


def test_what_a_lab_says_is_what_the_learner_types(place: Place) -> None:
    real = place.cluster.for_labs().shown("kubectl -n accounts get pod; accounts/clerk; curl http://ledger.accounts/")
    learner = "ada-" if place.backend.name == "context" else ""
    assert (
        real == f"kubectl -n {learner}accounts get pod; {learner}accounts/clerk; curl http://ledger.{learner}accounts/"
    )
