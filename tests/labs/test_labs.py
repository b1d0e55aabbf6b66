"""Every lab proves itself: untouched it fails, its solution passes, each wrong answer fails at the step it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from podwalk.api import meta, resources
from podwalk.backends.base import Cluster, home
from podwalk.checks import control
from podwalk.checks.report import Report, Verdict
from podwalk.course import catalogue
from podwalk.course.catalogue import LAB_LABEL, LabSpec
from podwalk.course.engine import Course, apply_answer
from podwalk.course.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
LABS = catalogue.all_labs(ROOT)

pytestmark = pytest.mark.cluster


def answers(kind: str) -> list[object]:
    """(lab, file) for every answer in ``also/`` or ``wrong/``."""
    return [
        pytest.param(lab, path, id=f"{lab.id}-{path.stem}")
        for lab in LABS
        for path in sorted((lab.solution / kind).glob("*.*"))
    ]


@pytest.fixture(scope="module")
def course(cluster: Cluster) -> Iterator[Course]:
    with Progress(home() / "progress.sqlite") as progress:
        yield Course(cluster, progress)


@pytest.fixture
def fresh(course: Course, request: pytest.FixtureRequest) -> Iterator[Course]:
    """The course, with nothing of the lab of this test in the cluster before and after."""
    yield course
    lab = request.node.callspec.params["lab"]
    if lab.name in course.running():
        course.stop(lab)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.id)
def test_an_untouched_lab_fails_and_the_cluster_is_not_to_blame(fresh: Course, lab: LabSpec) -> None:
    fresh.start(lab)
    report = fresh.check(lab)
    assert report.verdict is Verdict.NOT_YET, explain(report)
    assert report.points < report.possible
    assert not [s.title for s in report.steps if s.verdict is Verdict.COULD_NOT_TELL], explain(report)
    assert {s.title: s.possible for s in report.steps if s.kind == "step"} == lab.points
    assert all(s.nudge.endswith("?") for s in report.steps if s.kind != "control")


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.id)
def test_the_solution_passes_with_full_points(fresh: Course, lab: LabSpec) -> None:
    fresh.start(lab)
    assert fresh.solve(lab)
    report = fresh.check(lab)
    assert report.passed, explain(report)
    assert report.points == report.possible == lab.possible


@pytest.mark.parametrize(("lab", "answer"), answers("also"))
def test_another_good_answer_passes(fresh: Course, lab: LabSpec, answer: Path) -> None:
    fresh.start(lab)
    apply_answer(fresh.cluster, answer)
    report = fresh.check(lab)
    assert report.passed, explain(report)


@pytest.mark.parametrize(("lab", "answer"), answers("wrong"))
def test_a_wrong_answer_fails_at_the_step_it_names(fresh: Course, lab: LabSpec, answer: Path) -> None:
    fresh.start(lab)
    apply_answer(fresh.cluster, answer)
    report = fresh.check(lab)
    step = report.step(named_step(answer))
    assert step.verdict is Verdict.NOT_YET, explain(report)
    assert not report.passed


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.id)
def test_checking_changes_nothing(fresh: Course, lab: LabSpec) -> None:
    fresh.start(lab)
    before = versions(fresh.cluster, lab)
    fresh.check(lab)
    assert versions(fresh.cluster, lab) == before


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.id)
def test_reset_brings_the_fault_back_and_stop_leaves_nothing(fresh: Course, lab: LabSpec) -> None:
    fresh.start(lab)
    fresh.solve(lab)
    fresh.reset(lab)
    assert fresh.check(lab).verdict is Verdict.NOT_YET
    fresh.stop(lab)
    with fresh.cluster.client() as client:
        assert not [n for n in (*lab.namespaces, control.NAMESPACE) if client.find("Namespace", n)]
        assert not marked(fresh.cluster, lab)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.id)
def test_every_object_carries_the_label_of_its_lab(fresh: Course, lab: LabSpec) -> None:
    fresh.start(lab)
    wanted = {(o["kind"], meta.key(o)) for o in lab.objects()}
    assert wanted
    assert marked(fresh.cluster, lab) >= wanted


def named_step(answer: Path) -> str:
    """The step that the first line of a wrong answer names."""
    first = answer.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# fails: "), f"{answer}: the first line must be '# fails: <title of the step>'"
    return first.removeprefix("# fails: ")


def versions(cluster: Cluster, lab: LabSpec) -> dict[str, str]:
    """resourceVersions by kind and key of all that is in the lab's namespaces; Events come and go by themselves."""
    found = {}
    with cluster.client() as client:
        for resource in resources.RESOURCES:
            if resource.namespaced and resource.kind not in ("Event", "Lease"):
                for namespace in lab.namespaces:
                    for obj in client.list(resource, namespace):
                        found[f"{resource.kind} {meta.key(obj)}"] = obj["metadata"]["resourceVersion"]
    return found


def marked(cluster: Cluster, lab: LabSpec) -> set[tuple[str, str]]:
    """Kind and key of every object with the lab's label, anywhere."""
    selector = f"{LAB_LABEL}={lab.label}"
    with cluster.client() as client:
        return {
            (resource.kind, meta.key(obj))
            for resource in resources.RESOURCES
            for obj in client.list(resource, label_selector=selector)
        }


def explain(report: Report) -> str:
    """The report as the learner would see it, for the message of a failed assertion."""
    from podwalk.checks.render import plain

    return f"\n{plain(report)}"
