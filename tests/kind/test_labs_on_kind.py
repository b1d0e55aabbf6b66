"""Labs end to end through `--backend kind`: on the stand-in everywhere, on a real kind cluster where there is one.

A few labs here, one a layer, with one wrong answer each. PODWALK_KIND_LABS=each (`make kind-labs`) takes every lab that
says it runs on kind, PODWALK_KIND_LABS=all every wrong answer too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import kind_standin
from podwalk.backends import kind_engine
from podwalk.backends.base import BackendError, home
from podwalk.backends.kind import KindBackend, KindCluster
from podwalk.checks import control
from podwalk.checks.render import plain
from podwalk.checks.report import Verdict
from podwalk.course import catalogue
from podwalk.course.catalogue import LAB_LABEL, LabSpec
from podwalk.course.engine import Course
from podwalk.course.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
BY_COMMAND = "menu-refuses-everyone"
FEW = ("apples-pile-up-in-the-lane", "lighthouse-is-dark-from-one-side")
ASKED = os.environ.get("PODWALK_KIND_LABS", "")
LABS = [lab for lab in catalogue.all_labs(ROOT) if "kind" in lab.backends and (ASKED or lab.id in FEW)]
# What a lab of the node layer changes on a node.
_LOOK = "ip rule; cat /proc/sys/net/ipv4/conf/eth0/forwarding /proc/sys/net/ipv4/ip_forward"

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Place:
    """A kind cluster with the course on it, and the folder of the stand-ins' state; None where kind is real."""

    cluster: KindCluster
    course: Course
    state: Path | None


def why_not_real() -> str:
    """Why there is no real kind here; empty where there is."""
    if shutil.which("kind") is None:
        return "kind is not installed"
    try:
        kind_engine.working_engine()
    except BackendError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module", params=["stand-in", "real"])
def place(request: pytest.FixtureRequest, podwalk_home: Path) -> Iterator[Place]:
    pytest.importorskip("pytest_kind", reason="the extra podwalk[kind] is not installed")
    if shutil.which("kubectl") is None:
        pytest.fail("kubectl is missing; scripts/get-kubectl installs one")
    state = podwalk_home / "kind-stand-in" if request.param == "stand-in" else None
    if state is None and (why := why_not_real()):
        pytest.skip(why)
    stand_ins = kind_standin.embedded(state) if state else contextlib.nullcontext()
    with stand_ins, pytest.MonkeyPatch.context() as quick:
        podwalk("up", "--backend", "kind")
        if state:
            # What follows the API here is the embedded cluster's kube-proxy, and as quick.
            quick.setattr("podwalk.checks.lab._GRACE_ELSEWHERE", 0.4)
        cluster = KindBackend().find("labs")
        assert cluster is not None
        try:
            with Progress(home() / "progress.sqlite") as progress:
                yield Place(cluster, Course(cluster, progress), state)
        finally:
            podwalk("down")
        assert KindBackend().find("labs") is None


def podwalk(*arguments: str, code: int = 0) -> str:
    """Run the command on the cluster ``labs`` as a learner would; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", "from podwalk.cli.main import main; main()", *arguments],
        env={**os.environ, "PODWALK_CLUSTER": "labs"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def course(place: Place) -> Iterator[Course]:
    """The course, without any lab before and after."""
    yield place.course
    for name in place.course.running():
        place.course.stop(catalogue.find(ROOT, name))


def test_a_lab_by_the_command_line(place: Place, course: Course) -> None:
    spec = catalogue.find(ROOT, BY_COMMAND)
    assert f"services/{BY_COMMAND}" in podwalk("lab", "start", BY_COMMAND)
    podwalk("lab", "check", code=1)
    wrong(course, spec, first_wrong(spec))
    podwalk("lab", "reset")
    podwalk("lab", "solve")
    podwalk("lab", "check")
    assert "✔ answered" in podwalk("trace", "canteen/till", "http://menu/")
    assert "packets and policies agree" in podwalk("policy", "matrix")
    podwalk("lab", "stop")
    nothing_is_left(place.cluster)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.id)
def test_a_lab_from_ticket_to_stop(place: Place, course: Course, lab: LabSpec) -> None:
    before = looks(place.cluster)
    course.start(lab)
    report = course.check(lab)
    assert report.verdict is Verdict.NOT_YET, plain(report)
    assert not [s.title for s in report.steps if s.verdict is Verdict.COULD_NOT_TELL], plain(report)

    for answer in answers(lab) if ASKED == "all" else [first_wrong(lab)]:
        wrong(course, lab, answer)
        course.reset(lab)

    course.solve(lab)
    report = course.check(lab)
    assert report.passed, plain(report)
    assert report.points == lab.possible

    # What a wrong answer made elsewhere stays, and is told.
    course.stop(lab)
    nothing_is_left(place.cluster)
    assert looks(place.cluster) == before


def answers(lab: LabSpec) -> list[Path]:
    """The lab's wrong answers."""
    return sorted((lab.solution / "wrong").glob("*.*"))


def first_wrong(lab: LabSpec) -> Path:
    """One of them."""
    return answers(lab)[0]


def wrong(course: Course, lab: LabSpec, answer: Path) -> None:
    """See a wrong answer fail at the step that its first line names."""
    course.answer(lab, answer)
    report = course.check(lab)
    title = answer.read_text(encoding="utf-8").splitlines()[0].removeprefix("# fails: ")
    assert report.step(title).verdict is Verdict.NOT_YET, f"{answer.name}: {plain(report)}"
    assert not report.passed


def nothing_is_left(cluster: KindCluster) -> None:
    """See that no lab has left a namespace, nor podwalk its own."""
    with cluster.client() as client:
        assert not client.list("Namespace", label_selector=LAB_LABEL)
        assert client.find("Namespace", control.NAMESPACE) is None


def looks(cluster: KindCluster) -> dict[str, str]:
    """What a lab may change on the nodes."""
    return {node.name: cluster.node(node.name, ["sh", "-c", _LOOK]).stdout for node in cluster.status().nodes}


def test_few_labs_are_one_a_layer() -> None:
    assert {lab.layer for lab in LABS} | {catalogue.find(ROOT, BY_COMMAND).layer} == {
        lab.layer for lab in catalogue.all_labs(ROOT) if "kind" in lab.backends
    }
