from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from objects import deployment

from podwalk.api.meta import Object
from podwalk.controllers import deployment_plan as plan
from podwalk.controllers import deployment_status as status


def rolling(replicas: int, surge: int | str = "25%", unavailable: int | str = "25%") -> Object:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return deployment(replicas=replicas, strategy=strategy)


def rs(name: str, replicas: int, available: int | None = None, age: int = 0, **annotations: str) -> Object:
    annotations = {"deployment.kubernetes.io/" + k.replace("_", "-"): v for k, v in annotations.items()}
    count = replicas if available is None else available
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "annotations": annotations,
            "creationTimestamp": f"2026-01-01T00:00:{59 - age:02}Z",
            "generation": 1,
        },
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": name}}, "spec": {}}},
        "status": {
            "replicas": replicas, "readyReplicas": count, "availableReplicas": count, "observedGeneration": 1,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (3, "25%", "25%", (1, 0)),
        (10, "25%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (4, 0, 1, (0, 1)),
        (4, 0, 0, (0, 1)),
        (3, 0, "10%", (0, 1)),
        (100, "7%", "7%", (7, 7)),
        (0, "25%", "25%", (0, 1)),
    ],
)
def test_surge_rounds_up_and_unavailable_down(
    replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    assert plan.fenceposts(rolling(replicas, surge, unavailable)) == expected


@pytest.mark.parametrize(
    ("wanted", "old", "new", "expected"),
    [
        (rolling(3), 3, 0, 1),  # one above
        (rolling(3), 0, 0, 3),
        (rolling(10), 10, 0, 3),
        (rolling(10), 8, 5, 5),  # the ceiling is reached
        (rolling(10), 12, 5, 5),  # and does not push down what is above it
        (rolling(10), 6, 5, 7),
        (deployment(replicas=3, strategy={"type": "Recreate"}), 3, 0, 3),
    ],
)
def test_how_far_the_new_one_may_grow(wanted: Object, old: int, new: int, expected: int) -> None:
    sets = [rs("old", old), rs("new", new)]
    assert plan.new_replicas(wanted, sets, sets[1]) == expected


@pytest.mark.parametrize(
    ("wanted", "old", "new", "expected"),
    [
        (rolling(3), [rs("o", 3)], rs("n", 1, 0), {}),
        (rolling(3), [rs("o", 3)], rs("n", 1, 1), {"o": 2}),
        (rolling(10), [rs("o", 10)], rs("n", 3, 0), {"o": 8}),
        (rolling(10), [rs("o", 8, 5)], rs("n", 5, 5), {"o": 3}),  # unhealthy replicas go first
        (rolling(3), [rs("o1", 1, age=9), rs("o2", 2)], rs("n", 3, 3), {"o1": 0, "o2": 0}),
        (rolling(4, 0, 1), [rs("o", 4)], rs("n", 0), {"o": 3}),
        (rolling(3), [rs("o", 0)], rs("n", 3), {}),
    ],
)
def test_how_far_old_ones_shrink(wanted: Object, old: list[Object], new: Object, expected: dict[str, int]) -> None:
    assert plan.scale_down_old(wanted, old, new) == expected


def test_scaling_in_the_middle_of_a_rollout_is_proportional() -> None:
    sets = [rs("o", 8, max_replicas="13", desired_replicas="10"), rs("n", 5, max_replicas="13", desired_replicas="10")]
    assert plan.is_scaling(rolling(20, 3, 2), sets)
    sizes = plan.scale_proportionally(rolling(20, 3, 2), sets)
    assert sizes == {"o": 14, "n": 9}
    assert sum(sizes.values()) == 23
    assert plan.scale_proportionally(rolling(0), sets) == {"o": 0, "n": 0}


def test_finding_the_set_of_a_template() -> None:
    wanted = deployment()
    made = plan.new_set(_identified(wanted), 1)
    assert plan.find_new(wanted, [rs("other", 3), made]) is made
    hashed = made["metadata"]["labels"]["pod-template-hash"]
    assert made["metadata"]["name"] == f"web-{hashed}"
    assert made["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": hashed}
    assert made["spec"]["template"]["metadata"]["labels"] == {"app": "web", "pod-template-hash": hashed}
    assert made["metadata"]["annotations"] == {
        "deployment.kubernetes.io/revision": "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    assert plan.find_new(deployment(image="nginx:2"), [made]) is None


def _identified(obj: Object) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "uid": "uid-web"}}


def test_annotations_follow_the_deployment_and_remember_revisions() -> None:
    wanted = deployment()
    wanted["metadata"]["annotations"] = {
        "kubernetes.io/change-cause": "second try",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "deployment.kubernetes.io/revision": "2",
    }
    have = {"deployment.kubernetes.io/revision": "1", "deployment.kubernetes.io/revision-history": "0"}
    assert plan.set_annotations(wanted, have, 3, exists=True) == {
        "kubernetes.io/change-cause": "second try",
        "deployment.kubernetes.io/revision": "3",
        "deployment.kubernetes.io/revision-history": "0,1",
    }


def test_history_is_kept_up_to_its_limit() -> None:
    old = [rs("r3", 0, revision="3"), rs("r1", 0, revision="1"), rs("r2", 2, revision="2")]
    names = [r["metadata"]["name"] for r in plan.outdated(deployment(revisionHistoryLimit=1), old)]
    assert names == ["r1"], "the oldest two are beyond the limit; the second still runs Pods"
    assert plan.outdated(deployment(revisionHistoryLimit=3), old) == []


OLD = "2026-01-01T00:00:00Z"


def progressing(reason: str, value: str = "True") -> Object:
    condition = {"type": "Progressing", "status": value, "reason": reason, "message": "m"}
    return {**condition, "lastUpdateTime": OLD, "lastTransitionTime": OLD}


@pytest.mark.parametrize(
    ("before", "new", "seconds", "expected"),
    [
        ([], rs("n", 3), 0, ("True", "NewReplicaSetAvailable", 'ReplicaSet "n" has successfully progressed.')),
        ([], rs("n", 3, 1), 0, ("True", "ReplicaSetUpdated", 'ReplicaSet "n" is progressing.')),
        (
            [progressing("ReplicaSetUpdated")],
            rs("n", 3, 0),
            601,
            ("False", "ProgressDeadlineExceeded", 'ReplicaSet "n" has timed out progressing.'),
        ),
        ([progressing("ReplicaSetUpdated")], rs("n", 3, 0), 599, ("True", "ReplicaSetUpdated", "m")),
        ([progressing("NewReplicaSetAvailable")], rs("n", 3, 0), 9999, ("True", "NewReplicaSetAvailable", "m")),
    ],
)
def test_progress(before: list[Object], new: Object, seconds: int, expected: tuple[str, str, str]) -> None:
    now = datetime.fromtimestamp(datetime(2026, 1, 1, tzinfo=UTC).timestamp() + seconds, UTC)
    counts = {"replicas": 3, "updatedReplicas": 3}
    current = {**deployment(), "status": {**counts, "conditions": before}}
    draft: dict[str, Any] = status.calculate(current, [new], new, current["status"])
    status.estimate_progress(current, draft, new, now)
    found = status.condition(draft, "Progressing")
    assert found is not None
    assert (found["status"], found["reason"], found["message"]) == expected


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        (3, ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")),
        (2, ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")),
    ],
)
def test_available(available: int, expected: tuple[str, str, str]) -> None:
    draft = status.calculate(deployment(), [rs("n", 3, available)], rs("n", 3, available), {})
    found = status.condition(draft, "Available")
    assert found is not None
    assert (found["status"], found["reason"], found["message"]) == expected
    assert draft.get("unavailableReplicas", 0) == 3 - available


def test_a_pause_is_no_lack_of_progress() -> None:
    draft: Object = {"conditions": [progressing("ReplicaSetUpdated")]}
    status.check_paused(deployment(paused=True), draft)
    assert (draft["conditions"][0]["status"], draft["conditions"][0]["reason"]) == ("Unknown", "DeploymentPaused")
    status.check_paused(deployment(), draft)
    assert draft["conditions"][0]["message"] == "Deployment is resumed"


def test_the_failure_of_a_set_shows_on_its_deployment() -> None:
    failing = rs("n", 3, 0)
    why = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
    failing["status"]["conditions"] = [why]
    draft: Object = {}
    status.copy_failure(draft, [failing], failing)
    assert draft["conditions"][0]["message"] == "quota"
    status.copy_failure(draft, [rs("n", 3)], rs("n", 3))
    assert draft["conditions"] == []
