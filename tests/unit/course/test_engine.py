"""Starting, checking, resetting and stopping a lab, on a cluster of dictionaries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from fake_cluster import FakeCluster, answered

from podwalk.backends.base import BackendError
from podwalk.checks import control
from podwalk.checks.report import Report, Verdict
from podwalk.course.catalogue import LabSpec
from podwalk.course.engine import Course, CourseError, NotRunningError
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
    course.start(lab)
    with pytest.raises(CourseError, match=r"wrong\.sh: no; see it"):
        course.answer(lab, lab.solution / "wrong" / "wrong.sh")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_scripts_break_nodes_after_the_objects_and_mend_them_at_the_end(
    course: Course, fake: FakeCluster, lab: LabSpec, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    line = f'echo "$(basename "$0") $WORKER $LAB_PORT" >> {said}\n'
    for name in ("setup/20-break.sh", "teardown.sh"):
        write(lab.folder / name, line)
    varied = replace(lab, parameters={"port": ("8080", "9090")})
    course.start(varied)
    port = course.progress.attempt(lab.name, "uid-2").parameters["port"]
    assert port in ("8080", "9090")
    assert said.read_text() == f"20-break.sh one {port}\n"
    course.reset(varied)
    course.stop(varied)
    lines = ["20-break.sh", "teardown.sh", "20-break.sh", "teardown.sh"]
    assert said.read_text().splitlines() == [f"{name} one {port}" for name in lines]


def test_a_script_that_fails_is_a_lab_that_did_not_start(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    write(lab.folder / "setup/20-break.sh", "echo no such tool >&2; exit 1\n")
    with pytest.raises(CourseError, match=r"20-break\.sh: no such tool; podwalk doctor"):
        course.start(lab)
    with pytest.raises(CourseError, match="does not know how it began"):
        course.check(lab)


def test_a_teardown_knows_the_values_of_a_start_that_died_half_way(
    course: Course, fake: FakeCluster, lab: LabSpec, tmp_path: Path
) -> None:
    said, fails = tmp_path / "said", tmp_path / "fails"
    fails.touch()
    write(lab.folder / "setup/20-break.sh", f'echo "$LAB_PORT" >> {said}\ntest ! -e {fails}\n')
    write(lab.folder / "teardown.sh", f'echo "$LAB_PORT" >> {said}\n')
    varied = replace(lab, parameters={"port": tuple(str(n) for n in range(1000))})
    with pytest.raises(CourseError, match="20-break"):
        course.start(varied)
    fails.unlink()
    assert not course.start(varied).already
    assert len(set(said.read_text().split())) == 1
    assert len(said.read_text().split()) == 3


def test_places_in_setup_are_filled_with_the_values_of_the_attempt(
    course: Course, fake: FakeCluster, lab: LabSpec
) -> None:
    spec = "{nodeName: '${WORKER}', x: '${PWD}'}"
    pod = f"{{apiVersion: v1, kind: Pod, metadata: {{name: far, namespace: shop}}, spec: {spec}}}"
    write(lab.folder / "setup/20-far.yaml", pod)
    course.start(lab)
    assert fake.objects["Pod", "shop/far"]["spec"] == {"nodeName": "one", "x": "${PWD}"}


def test_objects_of_the_whole_cluster_go_with_their_lab(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    write(
        lab.folder / "setup/20-class.yaml",
        "{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: web}}",
    )
    fake.add({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "theirs"}})
    course.start(lab)
    assert ("IngressClass", "web") in fake.objects
    course.stop(lab)
    assert [key for kind, key in fake.objects if kind == "IngressClass"] == ["theirs"]


def test_a_cluster_of_another_kind_is_refused_with_the_cure(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    other = replace(lab, cluster={"cni": "calico"})
    with pytest.raises(CourseError, match=r"needs the network plugin calico, not flannel; .* lab start shut --boot"):
        course.start(other)
    fake.options["cni"] = "calico"
    assert not course.start(other).already
    with pytest.raises(CourseError, match="needs the network plugin flannel, not calico"):
        course.start(lab)


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
