"""What the kubelet says about a Pod."""

import pytest

from podwalk.kubelet import status
from podwalk.kubelet.status import PodView

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
WAITING = {"waiting": {"reason": "ContainerCreating"}}
CRASHED = {"waiting": {"reason": "CrashLoopBackOff"}}


def ended(code):
    return {"terminated": {"exitCode": code}}


def pod(containers=("a",), inits=(), policy="Always", **spec):
    return {
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "generation": 3},
        "spec": {
            "restartPolicy": policy,
            "containers": [{"name": c, "image": "i"} for c in containers],
            "initContainers": [dict(i) if isinstance(i, dict) else {"name": i, "image": "i"} for i in inits],
            **spec,
        },
    }


def view(made, *states, terminal=False, ready=(), ips=("10.244.1.2",)):
    records = status.records_of(made)
    for record, state in zip(records, states, strict=True):
        if isinstance(state, tuple):
            record.state, record.last_state = state
        else:
            record.state = state
        record.ready = record.name in ready
        record.started = record.running
    return PodView(made, records, "172.18.0.3", list(ips), True, "2026-01-01T00:00:00Z", terminal)


@pytest.mark.parametrize(
    ("policy", "states", "phase"),
    [
        ("Always", [WAITING], "Pending"),
        ("Always", [RUNNING], "Running"),
        ("Always", [(CRASHED, ended(1))], "Running"),
        ("Always", [ended(0)], "Running"),
        ("OnFailure", [ended(0)], "Succeeded"),
        ("OnFailure", [ended(1)], "Running"),
        ("Never", [ended(0)], "Succeeded"),
        ("Never", [ended(1)], "Failed"),
    ],
)
def test_phase_of_one_container(policy, states, phase):
    assert status.phase(view(pod(policy=policy), *states)) == phase


@pytest.mark.parametrize(
    ("states", "phase"),
    [
        ([RUNNING, WAITING], "Pending"),
        ([RUNNING, ended(0)], "Running"),
        ([ended(0), ended(0)], "Succeeded"),
        ([ended(0), ended(3)], "Failed"),
    ],
)
def test_phase_of_two_containers_that_never_restart(states, phase):
    assert status.phase(view(pod(("a", "b"), policy="Never"), *states)) == phase


@pytest.mark.parametrize(
    ("policy", "init", "phase"),
    [
        ("Always", RUNNING, "Pending"),
        ("Always", (CRASHED, ended(1)), "Pending"),
        ("Never", ended(1), "Failed"),
        ("Always", ended(0), "Pending"),
    ],
)
def test_phase_while_initializing(policy, init, phase):
    assert status.phase(view(pod(inits=("i",), policy=policy), init, WAITING)) == phase


@pytest.mark.parametrize(
    ("states", "phase"),
    [
        ([RUNNING, ended(0)], "Running"),
        ([RUNNING, ended(1)], "Running"),
        ([ended(143), ended(0)], "Succeeded"),
        ([ended(143), ended(1)], "Failed"),
    ],
)
def test_a_pod_is_not_over_while_its_sidecar_runs(states, phase):
    sidecar = {"name": "side", "image": "i", "restartPolicy": "Always"}
    assert status.phase(view(pod(inits=(sidecar,), policy="Never"), *states)) == phase


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (137, "Failed")])
def test_a_stopped_pod_is_over_whatever_its_restart_policy(code, phase):
    assert status.phase(view(pod(), ended(code), terminal=True)) == phase


def conditions(made_view):
    rendered = status.render(made_view)
    return {c["type"]: (c["status"], c.get("reason"), c.get("message")) for c in rendered["conditions"]}


def test_conditions_of_a_ready_pod():
    assert conditions(view(pod(), RUNNING, ready="a")) == {
        "PodReadyToStartContainers": ("True", None, None),
        "Initialized": ("True", None, None),
        "Ready": ("True", None, None),
        "ContainersReady": ("True", None, None),
        "PodScheduled": ("True", None, None),
    }


def test_unready_containers_are_named():
    found = conditions(view(pod(("a", "b")), RUNNING, RUNNING))
    expected = ("False", "ContainersNotReady", "containers with unready status: [a b]")
    assert found["Ready"] == found["ContainersReady"] == expected


def test_incomplete_init_containers_are_named():
    found = conditions(view(pod(inits=("one", "two")), ended(0), RUNNING, WAITING))
    message = "containers with incomplete status: [two]"
    assert found["Initialized"] == ("False", "ContainersNotInitialized", message)


def test_a_sidecar_counts_when_it_has_started():
    sidecar = {"name": "s", "image": "i", "restartPolicy": "Always"}
    waiting = view(pod(inits=(sidecar,)), WAITING, WAITING)
    assert conditions(waiting)["Initialized"][0] == "False"
    started = view(pod(inits=(sidecar,)), RUNNING, RUNNING, ready=("a",))
    assert conditions(started)["Initialized"][0] == "True"
    assert conditions(started)["Ready"][2] == "containers with unready status: [s]"


def test_a_completed_pod():
    found = conditions(view(pod(policy="Never"), ended(0)))
    assert found["Initialized"] == ("True", "PodCompleted", None)
    assert found["Ready"] == ("False", "PodCompleted", None)


def test_readiness_gates_hold_a_pod_back():
    made = pod(readinessGates=[{"conditionType": "lb"}])
    found = conditions(view(made, RUNNING, ready="a"))
    assert found["Ready"][1] == "ReadinessGatesNotReady"
    assert found["ContainersReady"][0] == "True"
    made["status"] = {"conditions": [{"type": "lb", "status": "True"}]}
    found = conditions(view(made, RUNNING, ready="a"))
    assert found["Ready"][0] == "True"
    assert found["lb"][0] == "True", "a condition of somebody else is kept"


def test_a_condition_that_stays_keeps_its_time():
    made = pod()
    made["status"] = {
        "conditions": [{"type": "Initialized", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}]
    }
    times = {c["type"]: c["lastTransitionTime"] for c in status.render(view(made, RUNNING))["conditions"]}
    assert times["Initialized"] == "2020-01-01T00:00:00Z"
    assert times["Ready"] > "2026"


def test_addresses_generation_and_quality_of_service():
    rendered = status.render(view(pod(), RUNNING))
    assert rendered["podIPs"] == [{"ip": "10.244.1.2"}]
    assert rendered["hostIPs"] == [{"ip": "172.18.0.3"}]
    assert rendered["observedGeneration"] == 3
    assert rendered["qosClass"] == "BestEffort"
    assert "initContainerStatuses" not in rendered


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
        ({"limits": {"cpu": "1000m", "memory": "1Gi"}, "requests": {"cpu": "1"}}, "Guaranteed"),
    ],
)
def test_quality_of_service(resources, expected):
    made = pod()
    made["spec"]["containers"][0]["resources"] = resources
    assert status.qos_class(made) == expected
