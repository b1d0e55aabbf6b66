"""What the scheduler makes of other Pods: affinity, spreading, wishes and preemption."""

from __future__ import annotations

from typing import Any

import pytest
from controllers_fake import FakeClient, make_nodes
from objects import node, pod

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import scheduler_preempt, scheduler_score
from podwalk.controllers.scheduler_fit import Attempt
from podwalk.controllers.scheduler_node import NodeState

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def host(name: str, zone: str = "z1", **spec: Any) -> Object:
    one = node(name, **spec)
    one["metadata"]["labels"][ZONE] = zone
    return one


def term(app: str, topology: str = HOST, **more: Any) -> Object:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": topology, **more}


def near(*terms: Object) -> Object:
    return {"podAffinity": {REQUIRED: list(terms)}}


def apart(*terms: Object) -> Object:
    return {"podAntiAffinity": {REQUIRED: list(terms)}}


def app(name: str, of: str = "", **spec: Any) -> Object:
    return pod(name, {"app": of or name}, **spec)


def reasons(one: Object, states: list[NodeState], namespaces: dict[str, dict[str, str]] | None = None) -> list[str]:
    attempt = Attempt(one, states, namespaces)
    return ["".join(m.reason for m in attempt.misfits(s)) for s in states]


NEAR, APART = "node(s) didn't match pod affinity rules", "node(s) didn't match pod anti-affinity rules"
EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules"
UNEVEN = "node(s) didn't match pod topology spread constraints"


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (app("web", affinity=near(term("db"))), ["", NEAR, NEAR]),
        (app("web", affinity=near(term("db", ZONE))), ["", "", NEAR]),
        (app("web", affinity=near(term("db"), term("web"))), [NEAR, NEAR, NEAR]),
        (app("web", affinity=near(term("db", "rack"))), [NEAR, NEAR, NEAR]),
        # The first of its kind may go anywhere.
        (app("web", affinity=near(term("web"))), ["", "", ""]),
        (app("web", affinity=apart(term("db"))), [APART, "", ""]),
        (app("web", affinity=apart(term("db", ZONE))), [APART, APART, ""]),
        (app("web", affinity=apart(term("db", namespaces=["other"]))), ["", "", ""]),
        (app("web", affinity=apart(term("db", namespaceSelector={}))), [APART, "", ""]),
        (app("shy"), [EXISTING, "", ""]),
    ],
)
def test_beside_whom(one: Object, expected: list[str]) -> None:
    there = app("db", affinity=apart(term("shy")))
    states = [NodeState(host("a"), [there]), NodeState(host("b")), NodeState(host("c", "z2"))]
    assert reasons(one, states, {"default": {}, "other": {}}) == expected


def spread(skew: int = 1, topology: str = HOST, **more: Any) -> list[Object]:
    selector = {"matchLabels": {"app": "web"}}
    base = {"maxSkew": skew, "topologyKey": topology, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
    return [{**base, **more}]


@pytest.mark.parametrize(
    ("constraints", "expected"),
    [
        (spread(), [UNEVEN, "", ""]),
        (spread(2), ["", "", ""]),
        (spread(topology=ZONE), [UNEVEN, UNEVEN, ""]),
        (spread(topology="rack"), [f"{UNEVEN} (missing required label)"] * 3),
        # With too few domains the emptiest counts as empty.
        (spread(minDomains=5), [UNEVEN, "", ""]),
        (spread(topology=ZONE, minDomains=3), [UNEVEN, UNEVEN, ""]),
        (spread(labelSelector={"matchLabels": {"app": "other"}}), ["", "", ""]),
    ],
)
def test_how_evenly(constraints: list[Object], expected: list[str]) -> None:
    states = [NodeState(host("a"), [app("x", "web")]), NodeState(host("b")), NodeState(host("c", "z2"))]
    assert reasons(app("new", "web", topologySpreadConstraints=constraints), states) == expected


def test_too_few_domains_count_as_an_empty_one() -> None:
    states = [NodeState(host(name), [app(f"on-{name}", "web")]) for name in "abc"]
    for least, expected in ((3, ""), (4, UNEVEN)):
        one = app("new", "web", topologySpreadConstraints=spread(minDomains=least))
        assert reasons(one, states) == [expected] * 3


def test_which_nodes_count_for_spreading() -> None:
    taints = [{"key": "k", "effect": "NoSchedule"}]
    states = [NodeState(host("a"), [app("x", "web")]), NodeState(host("b", taints=taints))]
    one = app("new", "web", topologySpreadConstraints=spread())
    assert reasons(one, states)[0] == UNEVEN
    honoring = app("new", "web", topologySpreadConstraints=spread(nodeTaintsPolicy="Honor"))
    assert reasons(honoring, states)[0] == ""
    selecting = app("new", "web", nodeSelector={HOST: "a"}, topologySpreadConstraints=spread())
    assert reasons(selecting, states)[0] == ""
    ignoring = app(
        "new", "web", nodeSelector={HOST: "a"}, topologySpreadConstraints=spread(nodeAffinityPolicy="Ignore")
    )
    assert reasons(ignoring, states)[0] == UNEVEN


def choose(one: Object, states: list[NodeState]) -> str | None:
    return scheduler_score.choose(Attempt(one, states))


def test_what_would_be_nicer() -> None:
    def states() -> list[NodeState]:
        return [NodeState(host("a")), NodeState(host("b"), [app("db"), app("dc")]), NodeState(host("c", "z2"))]

    assert choose(app("new"), states()) == "a"
    wish = {"weight": 10, "podAffinityTerm": term("db")}
    assert choose(app("new", affinity={"podAffinity": {PREFERRED: [wish]}}), states()) == "b"
    away = {"weight": 10, "podAffinityTerm": term("db", ZONE)}
    assert choose(app("new", affinity={"podAntiAffinity": {PREFERRED: [away]}}), states()) == "c"
    expression = {"key": HOST, "operator": "In", "values": ["c"]}
    wanted = {"weight": 1, "preference": {"matchExpressions": [expression]}}
    assert choose(app("new", affinity={"nodeAffinity": {PREFERRED: [wanted]}}), states()) == "c"
    anyway = spread(topology=ZONE, whenUnsatisfiable="ScheduleAnyway", labelSelector={"matchLabels": {"app": "db"}})
    assert choose(app("new", topologySpreadConstraints=anyway), states()) == "c"
    soft = [{"key": "k", "effect": "PreferNoSchedule"}]
    assert choose(app("new"), [NodeState(host("a", taints=soft)), NodeState(host("b"), [app("db")])]) == "b"
    # One who runs already may wish for the new one too.
    inviting = app("dd", affinity={"podAffinity": {PREFERRED: [{"weight": 50, "podAffinityTerm": term("new")}]}})
    assert choose(app("new"), [NodeState(host("a")), NodeState(host("b"), [inviting])]) == "b"


def cpu(name: str, amount: str, priority: int = 0, **spec: Any) -> Object:
    containers = [{"name": "c", "resources": {"requests": {"cpu": amount}}}]
    return app(name, containers=containers, priority=priority, **spec)


def victims(one: Object, states: list[NodeState], budgets: list[Object] | None = None) -> tuple[str, list[str]] | None:
    found = scheduler_preempt.best(Attempt(one, states), budgets or [])
    return None if found is None else (found.node, [meta.name(p) for p in found.victims])


def test_whom_a_more_important_pod_pushes_out() -> None:
    states = [
        NodeState(host("a"), [cpu("a1", "2", 5), cpu("a2", "1", 1), cpu("a3", "1", 1)]),
        NodeState(host("b"), [cpu("b1", "4", 9)]),
    ]
    # Only as many as needed, the least important ones.
    assert victims(cpu("new", "1", 10), states) == ("a", ["a2"]) or victims(cpu("new", "1", 10), states) == (
        "a",
        ["a3"],
    )
    assert victims(cpu("new", "3", 10), states)[0] == "a"  # type: ignore[index]
    assert victims(cpu("new", "4", 6), [states[1]]) is None
    assert victims(cpu("new", "5", 10), states) is None
    # A budget with nothing left makes the other node cheaper, although its victim matters more.
    budget = {"metadata": {"name": "x", "namespace": "default"}, "spec": {"selector": {"matchLabels": {"app": "a1"}}}}
    assert victims(cpu("new", "4", 10), states, [budget]) == ("b", ["b1"])


def test_who_may_push_nobody_out() -> None:
    going = cpu("going", "4")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    states = [NodeState(host("a"), [going])]
    assert scheduler_preempt.refusal(cpu("new", "1", 5, preemptionPolicy="Never"), states) == (
        "not eligible due to preemptionPolicy=Never."
    )
    waiting = {**cpu("new", "1", 5), "status": {"nominatedNodeName": "a"}}
    assert scheduler_preempt.refusal(waiting, states) == "not eligible due to terminating pod on the nominated node."
    assert scheduler_preempt.refusal(cpu("new", "1", 5), states) is None


async def test_preemption_makes_room_and_keeps_it(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(cpu("low", "3"))
    await fake.until(lambda: fake.find("Pod", "default/low")["spec"].get("nodeName"))
    await fake.create(cpu("high", "2", 1000))
    await fake.until(lambda: meta.is_deleting(fake.find("Pod", "default/low")))
    high = await fake.until(lambda: (fake.find("Pod", "default/high") or {}).get("status", {}).get("conditions"))
    assert high[0]["message"] == "0/1 nodes are available: 1 Insufficient cpu."
    assert fake.find("Pod", "default/high")["status"]["nominatedNodeName"] == "a"
    found = meta.condition(fake.find("Pod", "default/low"), "DisruptionTarget")
    assert (found["reason"], found["message"]) == (
        "PreemptionByScheduler",
        "default-scheduler: preempting to accommodate a higher priority pod",
    )
    # What becomes free is not given to somebody who matters less.
    await fake.create(cpu("greedy", "3"))
    await fake.until(lambda: meta.condition(fake.find("Pod", "default/greedy"), "PodScheduled"))
    await fake.pod_is_gone(fake.find("Pod", "default/low"))
    await fake.until(lambda: fake.find("Pod", "default/high")["spec"].get("nodeName") == "a")
    await fake.quiet()
    assert not fake.find("Pod", "default/greedy")["spec"].get("nodeName")


async def test_a_pod_that_waits_for_company_is_placed_when_it_comes(fake: FakeClient) -> None:
    await make_nodes(fake, "a", "b")
    await fake.create(app("web", affinity=near(term("db"))))
    await fake.until(lambda: meta.condition(fake.find("Pod", "default/web"), "PodScheduled"))
    text = meta.condition(fake.find("Pod", "default/web"), "PodScheduled")["message"]
    assert text == (
        "0/2 nodes are available: 2 node(s) didn't match pod affinity rules. no new claims to deallocate, "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    await fake.create(app("db", nodeSelector={HOST: "b"}))
    await fake.until(lambda: fake.find("Pod", "default/web")["spec"].get("nodeName") == "b")
