from __future__ import annotations

import pytest
from objects import node, pod

from podwalk.api import quantity
from podwalk.api.meta import Object
from podwalk.controllers import scheduler_score
from podwalk.controllers.scheduler_fit import Attempt
from podwalk.controllers.scheduler_node import NodeState

TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}
AFFINITY = "requiredDuringSchedulingIgnoredDuringExecution"


def reasons(one: Object, host: Object, *others: Object) -> list[str]:
    state = NodeState(host, others)
    return [m.reason for m in Attempt(one, [state]).misfits(state)]


def choose(one: Object, states: list[NodeState]) -> str | None:
    return scheduler_score.choose(Attempt(one, states))


def affine(*expressions: Object, **term: object) -> Object:
    terms = [{"matchExpressions": list(expressions), **term}]
    return pod(affinity={"nodeAffinity": {AFFINITY: {"nodeSelectorTerms": terms}}})


@pytest.mark.parametrize(
    ("one", "host", "expected"),
    [
        (pod(), node("a"), []),
        (pod(), node("a", unschedulable=True), ["node(s) were unschedulable"]),
        (pod(tolerations=[{"operator": "Exists"}]), node("a", unschedulable=True), []),
        (pod(), node("a", taints=[TAINT]), ["node(s) had untolerated taint(s)"]),
        (pod(), node("a", taints=[{**TAINT, "effect": "PreferNoSchedule"}]), []),
        (pod(), node("a", taints=[{**TAINT, "effect": "NoExecute"}]), ["node(s) had untolerated taint(s)"]),
        (pod(tolerations=[{"key": "k", "value": "v"}]), node("a", taints=[TAINT]), []),
        (
            pod(tolerations=[{"key": "k", "value": "x"}]),
            node("a", taints=[TAINT]),
            ["node(s) had untolerated taint(s)"],
        ),
        (pod(tolerations=[{"key": "k", "operator": "Exists", "effect": "NoSchedule"}]), node("a", taints=[TAINT]), []),
        (pod(nodeSelector={"kubernetes.io/hostname": "a"}), node("a"), []),
        (pod(nodeSelector={"disk": "ssd"}), node("a"), ["node(s) didn't match Pod's node affinity/selector"]),
        (affine({"key": "kubernetes.io/hostname", "operator": "In", "values": ["a"]}), node("a"), []),
        (
            affine({"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["a"]}),
            node("a"),
            ["node(s) didn't match Pod's node affinity/selector"],
        ),
        (affine(), node("a"), ["node(s) didn't match Pod's node affinity/selector"]),
        (
            affine(matchFields=[{"key": "metadata.name", "operator": "In", "values": ["b"]}]),
            node("a"),
            ["node(s) didn't satisfy plugin(s) [NodeAffinity]"],
        ),
    ],
)
def test_filters(one: Object, host: Object, expected: list[str]) -> None:
    assert reasons(one, host) == expected


def test_numbers_compare_as_numbers() -> None:
    host = node("a")
    host["metadata"]["labels"]["cores"] = "10"
    assert reasons(affine({"key": "cores", "operator": "Gt", "values": ["9"]}), host) == []
    assert reasons(affine({"key": "cores", "operator": "Lt", "values": ["9"]}), host) != []


def requesting(cpu: str, **spec: object) -> Object:
    return pod(containers=[{"name": "c", "resources": {"requests": {"cpu": cpu}}}], **spec)


def test_resources_and_the_number_of_pods() -> None:
    host = node("a")
    assert reasons(requesting("2500m"), host, requesting("1500m")) == []
    assert reasons(requesting("2501m"), host, requesting("1500m")) == ["Insufficient cpu"]
    host["status"]["allocatable"]["pods"] = "1"
    assert reasons(pod(), host, pod("other")) == ["Too many pods"]


@pytest.mark.parametrize(
    ("wanted", "taken", "clash"),
    [
        ({"hostPort": 80}, {"hostPort": 80}, True),
        ({"hostPort": 80}, {"hostPort": 81}, False),
        ({"hostPort": 80}, {"hostPort": 80, "protocol": "UDP"}, False),
        ({"hostPort": 80, "hostIP": "127.0.0.1"}, {"hostPort": 80}, True),
        ({"hostPort": 80, "hostIP": "127.0.0.1"}, {"hostPort": 80, "hostIP": "127.0.0.2"}, False),
    ],
)
def test_host_ports(wanted: Object, taken: Object, clash: bool) -> None:
    def with_port(port: Object) -> Object:
        return pod(containers=[{"name": "c", "ports": [{"containerPort": 80, **port}]}])

    expected = ["node(s) didn't have free ports for the requested pod ports"] if clash else []
    assert reasons(with_port(wanted), node("a"), with_port(taken)) == expected


def test_the_words_of_failed_scheduling() -> None:
    tainted = NodeState(node("a", taints=[TAINT]))
    states = [tainted, NodeState(node("b")), NodeState(node("c"))]
    states[2].node["status"]["allocatable"]["cpu"] = "8"
    states[2].add(requesting("3"))
    assert choose(requesting("6"), states) is None
    assert Attempt(requesting("6"), states).explain() == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. no new claims to deallocate, "
        "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, "
        "2 Preemption is not helpful for scheduling."
    )
    assert Attempt(pod(), []).explain() == "no nodes available to schedule pods"


def test_siblings_are_spread_before_pods_are_levelled() -> None:
    def sibling(name: str) -> Object:
        one = pod(name)
        one["metadata"]["ownerReferences"] = [{"uid": "rs", "controller": True}]
        return one

    states = [NodeState(node("a"), [sibling("x")]), NodeState(node("b"), [pod("y"), pod("z")])]
    assert choose(sibling("new"), states) == "b"
    assert choose(pod("new"), states) == "a"
    assert choose(pod("new"), [NodeState(node("a", taints=[{**TAINT, "effect": "PreferNoSchedule"}])), *states[1:]])


@pytest.mark.parametrize(
    ("text", "number"),
    [("100m", 0.1), ("1", 1), ("1Ki", 1024), ("2Gi", 2 * 2**30), ("1e3", 1000), ("1k", 1000), (4, 4), ("1E", 1e18)],
)
def test_quantities(text: str, number: float) -> None:
    assert float(quantity.value(text)) == pytest.approx(number)


def test_what_is_no_quantity() -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        quantity.value("1Q")
