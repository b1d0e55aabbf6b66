"""What a step makes of whatever happens in it."""

from __future__ import annotations

import pytest
from fake_cluster import FakeClock, FakeCluster, answered, node, pod, service, slice_of

from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Completed
from podwalk.checks import Lab, run
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


def test_a_name_that_is_not_known_died_in_its_lookup(cluster: FakeCluster) -> None:
    cluster.exec = lambda *_: answered(0, exit_code=6)
    finding = check(cluster, asks).steps[1].finding
    assert finding
    assert (finding.observed, finding.died) == (
        "name not known",
        "in the lookup of web: without an address there was nothing to connect to",
    )


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


@pytest.mark.parametrize(("going", "verdict"), [(True, Verdict.PASS), (False, Verdict.COULD_NOT_TELL)])
def test_a_probe_that_a_rollout_kills_is_made_again_in_the_new_pod(
    cluster: FakeCluster, going: bool, verdict: Verdict
) -> None:
    cluster.add(pod("shop/client", "10.244.1.4"))
    clock = FakeClock()

    def exec_(namespace: str, name: str, script: str) -> Completed:
        if clock.time > 2 and going:
            return answered(body=name)
        # Longer than the grace: when the probe comes back, the rollout is over and nothing moves.
        clock.time += 2
        if going:
            cluster.remove("Pod", "shop/client")
        return Completed(137, "", "command terminated with exit code 137\n")

    cluster.exec = exec_
    report = run_check(FACTS, asks, cluster, [], clock=clock)  # type: ignore[arg-type]
    assert report.steps[1].verdict is verdict


def test_a_deployments_pod_that_left_before_the_probe_came_is_looked_for_anew(cluster: FakeCluster) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "rs", "controller": True}
    rolled_out = {"updatedReplicas": 1, "replicas": 1, "readyReplicas": 1}
    for kind, name, uid in (("Deployment", "web", "d"), ("ReplicaSet", "web-1", "rs")):
        metadata = {"name": name, "namespace": "shop"}
        made = cluster.add({"kind": kind, "metadata": metadata, "spec": {}, "status": rolled_out})
        made["metadata"]["uid"] = uid
    replica_set = cluster.objects["ReplicaSet", "shop/web-1"]
    replica_set["metadata"]["ownerReferences"] = [{**owner, "kind": "Deployment", "name": "web", "uid": "d"}]
    clock = FakeClock()

    def owned(name: str) -> None:
        one = pod(f"shop/{name}", "10.244.1.7")
        one["metadata"]["ownerReferences"] = [owner]
        cluster.add(one)

    def exec_(namespace: str, name: str, script: str) -> Completed:
        if name == "web-new":
            return answered(body=name)
        clock.time += 2
        cluster.remove("Pod", "shop/web-old")
        owned("web-new")
        return Completed(1, "", 'error: unable to upgrade connection: container not found ("web")\n')

    def asks_it(lab: Lab) -> None:
        with lab.step("it answers"):
            lab.http("shop/deploy/web", "http://web/").expect(status=200)

    owned("web-old")
    cluster.exec = exec_
    report = run_check(FACTS, asks_it, cluster, [], clock=clock)  # type: ignore[arg-type]
    assert report.steps[1].verdict is Verdict.PASS, report.steps[1]


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


def policy() -> Object:
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    metadata = {"name": "nobody", "namespace": "shop"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("now", "at_start", "enforcing", "waits"),
    [(True, False, True, 1), (False, True, True, 1), (False, False, True, 0), (True, True, False, 0)],
)
def test_rules_of_policies_are_waited_for_before_the_first_probe(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, now: bool, at_start: bool, enforcing: bool, waits: int
) -> None:
    asked: list[int] = []

    def wait(_: object, seconds: float) -> None:
        asked.append(len(cluster.execs))
        raise BackendError("node one does not enforce the policies yet: its agent is broken")

    monkeypatch.setattr(run.enforced, "wait", wait)
    cluster.options["networkPolicy"] = enforcing
    if now:
        cluster.add(policy())
    report = run_check(FACTS, asks, cluster, [policy()] if at_start else [], clock=FakeClock())  # type: ignore[arg-type]
    assert len(asked) == waits
    assert report.passed, "an agent that does not answer is no reason not to look"
