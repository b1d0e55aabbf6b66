"""A cluster that several learners share: what each may do, what they see of each other, and what is left in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from podwalk.api import clusterconfig, meta
from podwalk.backends.base import BackendError, Cluster
from podwalk.backends.context import ContextBackend, ContextCluster
from podwalk.backends.tenant import GRANTED
from podwalk.checks import control
from podwalk.checks.report import Verdict
from podwalk.course import catalogue
from podwalk.course.engine import Course
from podwalk.course.progress import Progress
from podwalk.matrix import explain

ROOT = Path(__file__).resolve().parents[2]
LAB = catalogue.find(ROOT, "apples-pile-up-in-the-lane")
SPACES = {*LAB.namespaces, control.NAMESPACE}

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def join(owner: Cluster, learner: str, name: str = "") -> ContextCluster:
    backend = ContextBackend(owner.kubeconfig_path, owner.context, learner, SPACES)
    return backend.up(clusterconfig.default(name or learner), progress=lambda fact: None)


@pytest.fixture
def two(cluster: Cluster, podwalk_home: Path) -> Iterator[tuple[ContextCluster, ContextCluster]]:
    """Ada and Grace, who have joined the same cluster."""
    with ExitStack() as stack:
        found = []
        for learner in ("ada", "grace"):
            joined = join(cluster, learner)
            stack.callback(joined.down)
            found.append(joined)
        yield found[0], found[1]


def granted(owner: Cluster, learner: str) -> set[str]:
    """Everything without a namespace that carries the learner's mark."""
    done = owner.kubectl("get", "ns,clusterrole,clusterrolebinding", "-l", f"{GRANTED}={learner}", "-o", "name")
    return set(done.stdout.split())


def test_two_learners_do_the_same_lab_side_by_side(two: tuple[ContextCluster, ContextCluster], tmp_path: Path) -> None:
    reports = []
    for joined in two:
        with Progress(tmp_path / f"{joined.name}.sqlite") as progress:
            course = Course(joined, progress)
            course.start(LAB)
            if joined.name == "ada":
                course.solve(LAB)
    for joined in two:
        with Progress(tmp_path / f"{joined.name}.sqlite") as progress:
            reports.append(Course(joined, progress).check(LAB))
    assert [report.verdict for report in reports] == [Verdict.PASS, Verdict.NOT_YET]
    # What the report lets the learner see is called as the learner's kubectl calls it.
    seen = [step.finding.see_it for step in reports[1].steps if step.finding]
    assert seen
    assert all("grace-" in text and "ada-" not in text for text in seen)


def test_policies_are_explained_without_a_packet(two: tuple[ContextCluster, ContextCluster], tmp_path: Path) -> None:
    ada, _ = two
    with Progress(tmp_path / "ada.sqlite") as progress:
        Course(ada, progress).start(LAB)
    for name in ("picker", "press"):
        assert ada.kubectl("-n", "ada-orchard", "run", name, "--image=registry.k8s.io/pause:3.10").ok
    wait = ("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    assert ada.kubectl("-n", "ada-orchard", *wait).ok
    open_ = explain.explain(ada, "ada-orchard/picker", "ada-orchard/press:80")
    deny = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "nobody-presses", "namespace": "ada-orchard"},
        "spec": {"podSelector": {"matchLabels": {"run": "press"}}, "policyTypes": ["Ingress"]},
    }
    assert ada.kubectl("apply", "-f", "-", input=yaml.safe_dump(deny)).ok
    shut = explain.explain(ada, "ada-orchard/picker", "ada-orchard/press:80")
    assert [leg.verdict.allowed for leg in (*open_.legs, *shut.legs)] == [True, False]
    assert "nobody-presses" in str(shut.legs[0].verdict.ingress)
    assert {open_.outcome, shut.outcome} == {explain.NOT_SENT}
    assert (open_.agrees, shut.agrees, shut.moved) == (None, None, {})


def test_a_learner_has_no_rights_beside_their_own(two: tuple[ContextCluster, ContextCluster], cluster: Cluster) -> None:
    ada, grace = two
    assert ada.kubectl("-n", "ada-orchard", "run", "mine", "--image=registry.k8s.io/pause:3.10").ok
    for refused in (
        ("-n", "grace-orchard", "get", "pods"),
        ("-n", "kube-system", "get", "secrets"),
        ("create", "namespace", "ada-more"),
        ("delete", "namespace", "ada-orchard"),
        ("label", "namespace", "grace-orchard", "a=b"),
        ("get", "pods", "-A"),
        ("create", "clusterrolebinding", "up", "--clusterrole=cluster-admin", "--user=x"),
        ("-n", "ada-orchard", "create", "rolebinding", "up", "--clusterrole=cluster-admin", "--user=x"),
    ):
        done = ada.kubectl(*refused)
        assert not done.ok, refused
        assert "orbidden" in done.stderr, done.stderr
    with grace.client() as client:
        assert not [o for o in client.list("Namespace") if meta.name(o).startswith("ada-")]
    assert cluster.kubectl("-n", "ada-orchard", "get", "pod", "mine").ok


def test_a_lab_that_ends_leaves_neither_objects_nor_labels(
    two: tuple[ContextCluster, ContextCluster], cluster: Cluster, tmp_path: Path
) -> None:
    ada, _ = two
    with Progress(tmp_path / "progress.sqlite") as progress:
        course = Course(ada, progress)
        course.start(LAB)
        assert ada.kubectl("label", "namespace", "ada-orchard", "let-in=yes").ok
        assert ada.kubectl("-n", "ada-orchard", "create", "configmap", "notes", "--from-literal=a=b").ok
        course.stop(LAB)
    labels = json.loads(cluster.kubectl("get", "ns", "ada-orchard", "-o", "json").stdout)["metadata"]["labels"]
    assert labels == {"kubernetes.io/metadata.name": "ada-orchard", GRANTED: "ada"}
    left = cluster.kubectl("get", "pod,deploy,svc,netpol,cm,secret,sa", "-n", "ada-orchard", "-o", "name").stdout
    assert set(left.split()) == {"configmap/kube-root-ca.crt", "serviceaccount/default"}


def test_who_gave_takes_back_just_that(cluster: Cluster, podwalk_home: Path) -> None:
    before = cluster.kubectl("get", "ns,clusterrole,clusterrolebinding", "-o", "name").stdout
    joined = join(cluster, "ada")
    assert {f"namespace/ada-{name}" for name in SPACES} <= granted(cluster, "ada")
    joined.down()
    assert granted(cluster, "ada") == set()
    assert cluster.kubectl("get", "ns,clusterrole,clusterrolebinding", "-o", "name").stdout == before


def test_a_kubeconfig_handed_out_is_enough_to_join(cluster: Cluster, podwalk_home: Path, tmp_path: Path) -> None:
    given = join(cluster, "ada")
    try:
        handed = tmp_path / "ada.kubeconfig"
        handed.write_text(given.kubeconfig_path.read_text())
        elsewhere = ContextBackend(handed).up(clusterconfig.default("elsewhere"), progress=lambda fact: None)
        with Progress(tmp_path / "progress.sqlite") as progress:
            course = Course(elsewhere, progress)
            course.start(LAB)
            assert course.check(LAB).verdict is Verdict.NOT_YET
        elsewhere.down()
        # Who was given it has emptied it; the namespaces are the owner's to take.
        assert f"namespace/ada-{LAB.namespaces[0]}" in granted(cluster, "ada")
        assert not cluster.kubectl("get", "pods", "-n", f"ada-{LAB.namespaces[0]}", "-o", "name").stdout
    finally:
        given.down()


def test_who_may_not_give_is_told_whom_to_ask(cluster: Cluster, podwalk_home: Path, tmp_path: Path) -> None:
    given = join(cluster, "ada")
    try:
        config = yaml.safe_load(given.kubeconfig_path.read_text())
        del config["contexts"][0]["context"]["extensions"]
        (tmp_path / "plain").write_text(yaml.safe_dump(config))
        backend = ContextBackend(tmp_path / "plain", "", "eve", SPACES)
        with pytest.raises(BackendError, match=r"may not make namespaces .* ask the cluster's owner"):
            backend.up(clusterconfig.default("eve"), progress=lambda fact: None)
        assert backend.find("eve") is None
    finally:
        given.down()


def test_a_strangers_namespace_is_not_taken_over(cluster: Cluster, podwalk_home: Path) -> None:
    cluster.kubectl("create", "namespace", f"ada-{LAB.namespaces[0]}")
    try:
        with pytest.raises(BackendError, match=rf"namespace/ada-{LAB.namespaces[0]}: exists and is not of learner ada"):
            join(cluster, "ada")
        assert granted(cluster, "ada") == set()
    finally:
        cluster.kubectl("delete", "namespace", f"ada-{LAB.namespaces[0]}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no context"),
        ("a: [", "is no kubeconfig"),
        ("- a", "is no kubeconfig"),
        ("current-context: x\ncontexts: []", "has no context x; it has: none"),
    ],
)
def test_a_kubeconfig_that_is_none(podwalk_home: Path, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "broken").write_text(text)
    backend = ContextBackend(tmp_path / "broken", "", "ada", SPACES)
    with pytest.raises(BackendError, match="broken: .*" + said if text else "broken: is no kubeconfig"):
        backend.up(clusterconfig.default("broken"), progress=lambda fact: None)


@pytest.mark.parametrize("learner", ["Ada", "ada_", "-ada", "a" * 21, ""])
def test_a_learner_whose_name_begins_no_namespace(cluster: Cluster, podwalk_home: Path, learner: str) -> None:
    with pytest.raises(BackendError, match="cannot begin the name of a namespace"):
        join(cluster, learner, "nobody")


def test_a_cluster_that_does_not_answer(cluster: Cluster, podwalk_home: Path, tmp_path: Path) -> None:
    config = yaml.safe_load(cluster.kubeconfig_path.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "silent").write_text(yaml.safe_dump(config))
    with pytest.raises(BackendError, match=r"silent: .*refused"):
        ContextBackend(tmp_path / "silent", "", "ada", SPACES).up(
            clusterconfig.default("silent"), progress=lambda fact: None
        )
    assert ContextBackend().find("silent") is None
