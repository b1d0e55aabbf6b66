"""What a step makes of whatever happens in it."""

from __future__ import annotations

import pytest
from fake_cluster import FakeClock, FakeCluster, answered, node, pod, service, slice_of

from podwalk.backends.base import Completed
from podwalk.checks import Lab
from podwalk.checks.lab import LabFacts
from podwalk.checks.report import Report, Verdict
from podwalk.checks.run import Checker, run_check

FACTS = LabFacts("services/x", "X", ("shop",), {"it answers": 3, "and again": 2})


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster([pod("shop/client"), service("shop/web", {"app": "web"})])


def check(cluster: FakeCluster, checker: Checker, at_start: list[object] | None = None) -> Report:
    return run_check(FACTS, checker, cluster, at_start or [], clock=FakeClock())  # type: ignore[arg-type]


def asks(lab: Lab) -> None:
    with lab.step("it answers", nudge="why?") as first:
        lab.http("shop/client", "http://web/").expect(status=200)
    with lab.step("and again", nudge="why not twice?", needs=first):
        lab.http("shop/client", "http://web/").expect(status=200)


def test_a_pass_earns_all_points(cluster: FakeCluster) -> None:
    report = check(cluster, asks)
    assert [s.verdict for s in report.steps] == [Verdict.PASS] * 3
    assert (report.verdict, report.points, report.possible, report.next) == (Verdict.PASS, 5, 5, "")


def test_a_refusal_is_not_yet_and_what_needs_it_is_not_tried(cluster: FakeCluster) -> None:
    cluster.exec = lambda *_: answered(0, exit_code=7)
    report = check(cluster, asks)
    _, first, second = report.steps
    assert (first.verdict, second.verdict) == (Verdict.NOT_YET, Verdict.NOT_TRIED)
    assert second.reason == "needs “it answers”"
    assert first.finding
    assert first.finding.expected == "HTTP 200 within 2 s"
    assert first.finding.observed == "connection refused"
    assert first.finding.see_it == "kubectl -n shop exec client -- curl -sSm2 http://web/"
    assert first.finding.died == "on the client's own node one: the packet never left it"
    assert (report.verdict, report.points, report.next) == (Verdict.NOT_YET, 0, "why?")


def test_a_refusal_with_endpoints_died_in_a_pod(cluster: FakeCluster) -> None:
    cluster.add(slice_of("shop/web", "10.244.1.5"))
    cluster.exec = lambda *_: answered(0, exit_code=7)
    finding = check(cluster, asks).steps[1].finding
    assert finding
    assert finding.died == "in a Pod: the SYN was delivered, and the Pod's kernel sent a reset"


def test_a_timeout_names_the_addresses_that_no_pod_has(cluster: FakeCluster) -> None:
    cluster.add(pod("shop/web-1", "10.244.1.5"))
    cluster.add(slice_of("shop/web", "10.244.1.5", "10.244.2.98"))
    cluster.exec = lambda *_: answered(0, exit_code=28)
    finding = check(cluster, asks).steps[1].finding
    assert finding
    assert finding.died == "on the way to 10.244.2.98: no Pod of the namespace has that address"


def test_kubectl_that_cannot_reach_the_pod_says_nothing_about_the_learner(cluster: FakeCluster) -> None:
    cluster.exec = lambda *_: Completed(1, "", "error: unable to upgrade connection: i/o timeout\n")
    report = check(cluster, asks)
    assert report.steps[1].verdict is Verdict.COULD_NOT_TELL
    assert "i/o timeout" in report.steps[1].reason
    assert report.verdict is Verdict.COULD_NOT_TELL


def test_a_pod_that_is_gone_is_the_learners_to_mend(cluster: FakeCluster) -> None:
    cluster.exec = lambda *_: Completed(1, "", 'Error from server (NotFound): pods "client" not found\n')
    report = check(cluster, asks)
    assert report.steps[1].verdict is Verdict.NOT_YET
    assert report.steps[1].finding
    assert report.steps[1].finding.expected == "the Pod shop/client runs"


def test_an_ill_node_voids_the_check(cluster: FakeCluster) -> None:
    cluster.add(node("two", "Unknown"))
    cluster.exec = lambda *_: answered(0, exit_code=7)
    report = check(cluster, asks)
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert report.steps[0].finding
    assert report.steps[0].finding.observed == "not Ready: two"
    assert {s.verdict for s in report.steps[1:]} == {Verdict.NOT_TRIED}
    assert report.points == 0


def test_a_dead_api_server_is_could_not_tell_and_never_an_exception(cluster: FakeCluster) -> None:
    cluster.down_with = ConnectionRefusedError("connection refused")
    report = check(cluster, asks)
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert report.steps[0].finding
    assert "connection refused" in report.steps[0].finding.observed


def test_a_checker_that_stumbles_says_so(cluster: FakeCluster) -> None:
    def stumbles(lab: Lab) -> None:
        with lab.step("it answers"):
            raise ZeroDivisionError("oh")

    report = check(cluster, stumbles)
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert report.steps[1].reason == "the checker stumbled (a bug of the lab): ZeroDivisionError: oh"


def test_a_checker_that_stumbles_outside_its_steps_says_so(cluster: FakeCluster) -> None:
    def stumbles(lab: Lab) -> None:
        asks(lab)
        lab.http("shop/client", "http://web/")

    report = check(cluster, stumbles)
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert "a probe belongs into" in report.steps[-1].reason


@pytest.mark.parametrize("title", ["it answers", "and again"])
def test_a_step_that_expects_nothing_cannot_pass(cluster: FakeCluster, title: str) -> None:
    def lazy(lab: Lab) -> None:
        with lab.step(title):
            lab.http("shop/client", "http://web/")
            lab.ready_ips("shop", app="web")

    report = check(cluster, lazy)
    assert report.steps[1].verdict is Verdict.COULD_NOT_TELL


def test_a_checker_without_steps_cannot_pass(cluster: FakeCluster) -> None:
    assert check(cluster, lambda lab: None).verdict is Verdict.COULD_NOT_TELL


def test_a_broken_guard_holds_back_all_points(cluster: FakeCluster) -> None:
    at_start = [pod("shop/client") | {"metadata": {"name": "client", "namespace": "shop", "uid": "another"}}]

    def guarded(lab: Lab) -> None:
        asks(lab)
        with lab.guard("the client is the same Pod", nudge="who was replaced?"):
            lab.same_pod("shop/client")

    report = check(cluster, guarded, list(at_start))
    assert report.steps[-1].verdict is Verdict.NOT_YET
    assert report.steps[-1].finding
    assert report.steps[-1].finding.expected == "metadata.uid: another"
    assert (report.points, report.possible, report.verdict) == (0, 5, Verdict.NOT_YET)


def test_keyboard_interrupt_is_not_swallowed(cluster: FakeCluster) -> None:
    def interrupted(lab: Lab) -> None:
        with lab.step("it answers"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(cluster, interrupted)


def test_a_report_survives_json(cluster: FakeCluster) -> None:
    cluster.exec = lambda *_: answered(0, exit_code=7)
    report = check(cluster, asks)
    assert Report.from_dict(report.to_dict()).to_dict() == report.to_dict()
