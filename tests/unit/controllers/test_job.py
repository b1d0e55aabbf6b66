from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from controllers_fake import FakeClient, make_nodes
from objects import pod

from podwalk.api import errors, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import job_indexes, job_plan

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def job(name: str = "work", **spec: Any) -> Object:
    template = {
        "metadata": {"labels": {"job": name}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]},
    }
    spec = {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "selector": {"matchLabels": {"job": name}},
        "template": template,
        **spec,
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def ended(code: int, at: str = "2026-01-01T23:59:50Z", **status: Any) -> Object:
    terminated = {"exitCode": code, "finishedAt": at}
    phase = "Failed" if code else "Succeeded"
    containers = [{"name": "c", "state": {"terminated": terminated}}]
    return {**pod(), "status": {"phase": phase, "containerStatuses": containers, **status}}


@pytest.mark.parametrize(
    ("text", "indexes"),
    [("", set()), ("0", {0}), ("1,3-5,7", {1, 3, 4, 5, 7}), ("0,1", {0, 1}), ("0-2", {0, 1, 2})],
)
def test_lists_of_indexes(text: str, indexes: set[int]) -> None:
    assert job_indexes.parse(text, 10) == indexes
    assert job_indexes.render(indexes) == text


def test_indexes_out_of_range_do_not_count() -> None:
    assert job_indexes.parse("1,3-5,7", 4) == {1, 3}
    assert job_indexes.first_pending({0, 2}, 2, 5) == [1, 3]
    assert job_indexes.first_pending({0, 2}, 9, 4) == [1, 3]


def test_the_pod_of_an_index() -> None:
    made = job_plan.pod_for({**job(), "metadata": {"name": "work", "namespace": "default", "uid": "u"}}, 3)
    assert made["metadata"]["generateName"] == "work-3-"
    assert made["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    assert made["metadata"]["labels"][job_indexes.ANNOTATION] == "3"
    assert made["metadata"]["annotations"][job_indexes.ANNOTATION] == "3"
    assert made["spec"]["hostname"] == "work-3"
    field = made["spec"]["containers"][0]["env"][0]["valueFrom"]["fieldRef"]
    assert field["fieldPath"] == "metadata.labels['batch.kubernetes.io/job-completion-index']"


def test_waiting_doubles_with_every_failure_and_a_success_forgets() -> None:
    backoff = job_plan.Backoff()
    assert backoff.left(10, NOW) == 0
    backoff = backoff.after([], [ended(1)], NOW)
    assert backoff.left(10, NOW) == 0
    backoff = backoff.after([], [ended(1, "2026-01-01T23:59:55Z")], NOW)
    assert backoff.left(10, NOW) == 15
    for _ in range(30):
        backoff = backoff.after([], [ended(1, "2026-01-02T00:00:00Z")], NOW)
    assert backoff.left(10, NOW) == 600
    assert backoff.after([ended(0, "2026-01-02T00:00:01Z")], [], NOW).left(10, NOW) == 0


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
            ("FailJob", "Container c for pod default/p failed with exit code 42 matching FailJob rule at index 0"),
        ),
        ({"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [42]}}, ("Count", "")),
        ({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42], "containerName": "x"}}, ("Count", "")),
        (
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ("Ignore", "Pod default/p has condition DisruptionTarget matching Ignore rule at index 0"),
        ),
    ],
)
def test_the_policy_for_failures(rule: Object, expected: tuple[str, str]) -> None:
    disturbed = [{"type": "DisruptionTarget", "status": "True"}]
    one = job(podFailurePolicy={"rules": [rule]})
    assert job_plan.failure_action(one, ended(42, conditions=disturbed)) == expected


@pytest.mark.parametrize(
    ("rule", "met"),
    [
        ({"succeededIndexes": "0-2"}, False),
        ({"succeededIndexes": "0,2"}, True),
        ({"succeededCount": 2}, True),
        ({"succeededCount": 3}, False),
        ({"succeededIndexes": "0-2", "succeededCount": 2}, True),
    ],
)
def test_the_policy_for_success(rule: Object, met: bool) -> None:
    one = job(completions=5, completionMode="Indexed", successPolicy={"rules": [rule]})
    assert (job_plan.success_policy(one, {0, 2}) is not None) == met


async def play(fake: FakeClient, verdict: Callable[[Object], str | None], done: Callable[[], Any]) -> None:
    """Run every bound Pod; it ends as ``verdict`` says, or goes on where that says None."""
    while not done():
        for one in fake.all("Pod"):
            name, ns, phase = meta.name(one), meta.namespace(one), one["status"].get("phase")
            if meta.is_deleting(one) and one["metadata"].get("deletionGracePeriodSeconds"):
                status = copy.deepcopy(one["status"])
                await fake.patch("Pod", name, {"status": {**status, "phase": "Failed"}}, ns, subresource="status")
                await fake.pod_is_gone(one)
            elif one["spec"].get("nodeName") and phase in ("Pending", "Running"):
                wanted = verdict(one)
                if wanted or phase == "Pending":
                    code = 1 if wanted == "Failed" else 0
                    state = {"terminated": {"exitCode": code, "finishedAt": meta.now()}} if wanted else {"running": {}}
                    status = {"phase": wanted or "Running", "containerStatuses": [{"name": "c", "state": state}]}
                    await fake.patch("Pod", name, {"status": status}, ns, subresource="status")
        seen = fake.version
        if not done():
            await fake.until(lambda seen=seen: fake.version != seen or done())


def status(fake: FakeClient, name: str = "work") -> Object:
    return (fake.find("Job", f"default/{name}") or {}).get("status") or {}


def conditions(fake: FakeClient, name: str = "work") -> dict[str, str]:
    found = status(fake, name).get("conditions") or ()
    return {c["type"]: c.get("reason", "") for c in found if c["status"] == "True"}


async def test_a_job_comes_to_its_end(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(job(completions=3, parallelism=2))
    most = 0

    def in_pairs(one: Object) -> str | None:
        nonlocal most
        phases = [p["status"]["phase"] for p in fake.all("Pod")]
        running = sum(phase in ("Pending", "Running") for phase in phases)
        most = max(most, running)
        return "Succeeded" if running == 2 or phases.count("Succeeded") else None

    await play(fake, in_pairs, lambda: "Complete" in conditions(fake))
    assert conditions(fake) == {"SuccessCriteriaMet": "CompletionsReached", "Complete": "CompletionsReached"}
    found = status(fake)
    assert most == 2
    assert {k: found[k] for k in ("succeeded", "ready", "terminating", "uncountedTerminatedPods")} == {
        "succeeded": 3,
        "ready": 0,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }
    assert found["completionTime"]
    assert "active" not in found
    assert [p["metadata"].get("finalizers") for p in fake.all("Pod")] == [[]] * 3
    await fake.until(lambda: [e for e in fake.all("Event") if e["message"] == "Job completed"])


async def test_a_job_that_fails_too_often(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(job(backoffLimit=2))
    await play(fake, lambda one: "Failed", lambda: "Failed" in conditions(fake))
    assert conditions(fake) == {"FailureTarget": "BackoffLimitExceeded", "Failed": "BackoffLimitExceeded"}
    assert status(fake)["failed"] == 3
    text = "Job has reached the specified backoff limit"
    await fake.until(lambda: [e for e in fake.all("Event") if e["message"] == text])


async def test_a_failure_is_waited_after(fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_plan.Backoff, "left", lambda self, first, now: 3600.0 if self.failures else 0.0)
    await make_nodes(fake, "a")
    await fake.create(job())
    await play(fake, lambda one: "Failed", lambda: status(fake).get("failed") == 1)
    await fake.quiet()
    assert len(fake.all("Pod")) == 1


async def test_a_pod_counts_once_although_its_finalizer_stays_at_first(
    fake: FakeClient,
) -> None:
    await make_nodes(fake, "a")
    refused = 0

    def refuse(method: str, kind: str, key: str) -> ApiError | None:
        nonlocal refused
        stored = fake.find("Pod", key) if (method, kind) == ("patch", "Pod") else None
        if stored is None or stored["status"].get("phase") != "Succeeded" or refused == 2:
            return None
        refused += 1
        return errors.conflict("pods", meta.split_key(key)[1], "the object has been modified")

    fake.fail = refuse
    await fake.create(job(completions=2))
    await play(fake, lambda one: "Succeeded", lambda: "Complete" in conditions(fake))
    assert (refused, status(fake)["succeeded"], len(fake.all("Pod"))) == (2, 2, 2)
    assert status(fake)["uncountedTerminatedPods"] == {}


async def test_each_index_succeeds_once(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(job(completions=4, parallelism=4, completionMode="Indexed"))
    failed: set[int] = set()

    def verdict(one: Object) -> str:
        index = job_indexes.index_of(one)
        if index == 2 and index not in failed:
            failed.add(index)
            return "Failed"
        return "Succeeded"

    await play(fake, verdict, lambda: "Complete" in conditions(fake))
    found = status(fake)
    assert (found["completedIndexes"], found["succeeded"], found["failed"]) == ("0-3", 4, 1)


async def test_suspending_takes_the_pods_and_resuming_brings_them_back(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(job())
    await play(fake, lambda one: None, lambda: status(fake).get("active") == 1)
    await fake.patch("Job", "work", {"spec": {"suspend": True}}, "default")
    await play(fake, lambda one: None, lambda: "Suspended" in conditions(fake) and not fake.all("Pod"))
    assert status(fake).get("failed") is None
    await fake.patch("Job", "work", {"spec": {"suspend": False}}, "default")
    await play(fake, lambda one: "Succeeded", lambda: "Complete" in conditions(fake))
    assert "Suspended" not in conditions(fake)
    reasons = {e["reason"] for e in fake.all("Event")}
    assert {"Suspended", "Resumed"} <= reasons


async def test_a_deadline_ends_what_runs(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(job(activeDeadlineSeconds=1))
    await play(fake, lambda one: None, lambda: "Failed" in conditions(fake))
    assert conditions(fake)["Failed"] == "DeadlineExceeded"
    # The Job was not called Failed before its Pod had ended.
    phases: dict[str, str] = {}
    for _, event, kind, obj in fake.history:
        if kind == "Pod":
            phases[meta.name(obj)] = "gone" if event == "DELETED" else obj["status"].get("phase", "")
        elif kind == "Job" and job_plan.condition(obj.get("status") or {}, "Failed"):
            break
    assert set(phases.values()) <= {"Failed", "gone"}
    await play(fake, lambda one: None, lambda: not fake.all("Pod"))


async def test_a_finished_job_goes_after_its_time_to_live(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(job(ttlSecondsAfterFinished=0))
    await play(fake, lambda one: "Succeeded", lambda: status(fake).get("succeeded"))
    await play(fake, lambda one: "Succeeded", lambda: not fake.all("Job") and not fake.all("Pod"))


async def test_pods_of_a_job_that_was_deleted_are_not_held(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(job())
    await play(fake, lambda one: None, lambda: status(fake).get("active") == 1)
    await fake.delete("Job", "work", "default", propagation="Background")
    await play(fake, lambda one: None, lambda: not fake.all("Pod"))
