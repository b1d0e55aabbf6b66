"""Starting, checking, resetting and stopping a lab, on a cluster of dictionaries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_cluster import FakeCluster, answered

from podwalk.backends.base import BackendError
from podwalk.checks import control
from podwalk.checks.report import Report, Verdict
from podwalk.course.catalogue import LabSpec
from podwalk.course.engine import Course, CourseError, NotRunningError, apply_answer
from podwalk.course.progress import Progress, exclusive


def uid(fake: FakeCluster, kind: str = "Pod", key: str = "shop/client") -> str:
    return str(fake.objects[kind, key]["metadata"]["uid"])


def test_start_applies_the_lab_and_the_control(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    started = course.start(lab)
    assert (started.already, started.others) == (False, ())
    assert fake.objects["Pod", "shop/client"]["metadata"]["labels"] == {"podwalk.dev/lab": "services.shut"}
    assert ("Pod", f"{control.NAMESPACE}/{control.CALLER}") in fake.objects
    assert course.running() == ["services/shut"]
    assert course.current() == "services/shut"


def test_starting_again_changes_nothing_and_says_so(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    course.start(lab)
    before = uid(fake)
    assert course.start(lab).already
    assert uid(fake) == before


def test_starting_again_puts_missing_control_pods_back(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    course.start(lab)
    fake.remove("Pod", f"{control.NAMESPACE}/{control.CALLER}")
    course.start(lab)
    assert ("Pod", f"{control.NAMESPACE}/{control.CALLER}") in fake.objects


def test_a_start_that_died_half_way_is_made_anew(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    labels = {"podwalk.dev/lab": "services.shut"}
    fake.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
    with pytest.raises(CourseError, match="does not know how it began"):
        course.check(lab)
    assert not course.start(lab).already
    assert course.check(lab).passed


def test_a_namespace_of_somebody_else_is_not_touched(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    fake.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    before = uid(fake, "Namespace", "shop")
    with pytest.raises(CourseError, match="namespace/shop: exists and is not of services/shut; delete it"):
        course.start(lab)
    assert uid(fake, "Namespace", "shop") == before


def test_a_lab_for_another_backend_is_refused(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    fake.backend = "kind"
    with pytest.raises(CourseError, match="does not run on kind; it runs on embedded"):
        course.start(lab)
    assert ("Pod", "shop/client") not in fake.objects


def test_a_check_is_recorded_and_a_replaced_client_is_noticed(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    course.start(lab)
    assert course.check(lab).passed
    assert course.progress.standing(lab.name).points == 5
    fake.objects["Pod", "shop/client"]["metadata"]["uid"] = "another"
    report = course.check(lab)
    assert report.step("the client is the same Pod").verdict is Verdict.NOT_YET
    assert report.points == 0


def test_reset_makes_the_lab_anew(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    course.start(lab)
    before = uid(fake)
    fake.objects["Pod", "shop/client"]["metadata"]["labels"]["by"] = "learner"
    course.reset(lab)
    assert uid(fake) != before
    assert "by" not in fake.objects["Pod", "shop/client"]["metadata"]["labels"]
    assert course.check(lab).passed


def test_a_check_waits_for_a_reset_that_is_half_done(course: Course, lab: LabSpec) -> None:
    course.start(lab)
    with ThreadPoolExecutor(1) as pool:
        with exclusive(course.progress.path.with_name("lab.lock")):
            waiting = pool.submit(_check_elsewhere, course, lab)
            with pytest.raises(TimeoutError):
                waiting.result(0.1)
        assert waiting.result(10).passed


def _check_elsewhere(course: Course, lab: LabSpec) -> Report:
    with Progress(course.progress.path) as progress:
        return Course(course.cluster, progress).check(lab)


def test_stop_takes_everything_out(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    course.start(lab)
    course.stop(lab)
    assert {key for kind, key in fake.objects if kind == "Namespace"} == {"kube-system"}
    assert course.current() is None
    for action in (course.stop, course.reset, course.check, course.solve):
        with pytest.raises(NotRunningError, match="is not running; start it: podwalk lab start shut"):
            action(lab)


def test_solve_applies_the_fix_and_does_not_count(course: Course, lab: LabSpec) -> None:
    course.start(lab)
    assert course.solve(lab) == ["fix.sh"]
    assert course.check(lab).passed
    standing = course.progress.standing(lab.name)
    assert (standing.done, standing.shown) == (False, True)
    course.reset(lab)
    course.check(lab)
    assert course.progress.standing(lab.name).done


def test_an_answer_that_fails_says_which_and_why(course: Course, lab: LabSpec) -> None:
    with pytest.raises(CourseError, match=r"wrong\.sh: no; see it"):
        apply_answer(course.cluster, lab.solution / "wrong" / "wrong.sh")


def test_hints_come_one_by_one_and_again_for_nothing(course: Course, lab: LabSpec) -> None:
    first, second, again = course.hint(lab), course.hint(lab), course.hint(lab)
    assert (first.hint.text, first.number, first.fresh) == ("Is it?", 1, True)
    assert (second.hint.cost, second.number, second.fresh) == (2, 2, True)
    assert (again.number, again.fresh) == (2, False)
    assert course.hint(lab, 1).hint.text == "Is it?"
    with pytest.raises(CourseError, match="has 2 hints"):
        course.hint(lab, 3)


def test_a_hint_ahead_of_those_read_is_not_given(course: Course, lab: LabSpec) -> None:
    with pytest.raises(CourseError, match="you have read 0"):
        course.hint(lab, 2)


def test_a_dead_cluster_is_one_line_with_a_cure(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    course.start(lab)
    fake.down_with = ConnectionRefusedError("refused")
    with pytest.raises(BackendError, match=r"the API server does not answer .*; start it: podwalk up"):
        course.check(lab)


def test_an_exec_that_is_refused_is_the_symptom(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    course.start(lab)
    fake.exec = lambda *_: answered(0, exit_code=7)
    report = course.check(lab)
    assert (report.verdict, report.next) == (Verdict.NOT_YET, "does it?")
    assert not course.progress.standing(lab.name).done
