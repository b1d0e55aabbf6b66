from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from objects import node, pod, running

from podwalk.api.meta import Object
from podwalk.controllers import daemonset_plan, namespace, node_plan
from podwalk.controllers.node_ipam import CidrSet

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
ADDED = "2026-01-01T00:59:00Z"
NO_EXECUTE = {"key": node_plan.UNREACHABLE, "effect": "NoExecute", "timeAdded": ADDED}


def conditioned(kind: str, value: str, **spec: object) -> Object:
    one = node("a", **spec)
    one["status"]["conditions"] = [{"type": kind, "status": value, "lastTransitionTime": ADDED}]
    return one


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (conditioned("Ready", "True"), set()),
        (conditioned("Ready", "False"), {("node.kubernetes.io/not-ready", e) for e in ("NoSchedule", "NoExecute")}),
        (conditioned("Ready", "Unknown"), {("node.kubernetes.io/unreachable", e) for e in ("NoSchedule", "NoExecute")}),
        (conditioned("NetworkUnavailable", "True"), {("node.kubernetes.io/network-unavailable", "NoSchedule")}),
        (conditioned("Ready", "True", unschedulable=True), {("node.kubernetes.io/unschedulable", "NoSchedule")}),
        (conditioned("Ready", "True", taints=[NO_EXECUTE]), set()),
        (conditioned("Ready", "True", taints=[{"key": "mine", "effect": "NoExecute"}]), {("mine", "NoExecute")}),
    ],
)
def test_taints_follow_conditions(one: Object, expected: set[tuple[str, str]]) -> None:
    assert {(t["key"], t["effect"]) for t in node_plan.desired_taints(one)} == expected


def test_a_taint_keeps_the_time_it_was_added() -> None:
    one = conditioned("Ready", "Unknown", taints=[NO_EXECUTE])
    assert NO_EXECUTE in node_plan.desired_taints(one)


def test_unknown_conditions() -> None:
    found = {c["type"]: c for c in node_plan.unknown_conditions(node("a"))}
    assert (found["Ready"]["reason"], found["Ready"]["message"]) == (
        "NodeStatusUnknown",
        "Kubelet stopped posting node status.",
    )
    assert (found["DiskPressure"]["reason"], found["DiskPressure"]["message"]) == (
        "NodeStatusNeverUpdated",
        "Kubelet never posted node status.",
    )
    assert {c["status"] for c in found.values()} == {"Unknown"}


@pytest.mark.parametrize(
    ("tolerations", "expected"),
    [
        ([], NOW),
        ([{"operator": "Exists"}], None),
        (
            [{"key": node_plan.UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
            NOW + timedelta(seconds=240),
        ),
        ([{"key": "other", "operator": "Exists"}], NOW),
    ],
)
def test_when_a_taint_drives_a_pod_away(tolerations: list[Object], expected: datetime | None) -> None:
    assert node_plan.eviction_time(pod(tolerations=tolerations), node("a", taints=[NO_EXECUTE]), NOW) == expected
    assert node_plan.eviction_time(pod(tolerations=tolerations), node("a"), NOW) is None


def test_ranges_in_order_and_back() -> None:
    cidrs = CidrSet("10.244.0.0/22", 24)
    cidrs.occupy("10.244.1.0/24")
    assert [cidrs.allocate() for _ in range(4)] == ["10.244.0.0/24", "10.244.2.0/24", "10.244.3.0/24", None]
    cidrs.release("10.244.2.0/24")
    assert cidrs.allocate() == "10.244.2.0/24"


def daemonset(**spec: object) -> Object:
    template = {"metadata": {"labels": {"app": "ds"}}, "spec": {"containers": [{"name": "c"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "ds", "namespace": "default", "uid": "uid-ds"},
        "spec": {"selector": {"matchLabels": {"app": "ds"}}, "template": template, **spec},
    }


def daemon(ds: Object, host: str, name: str, ready: bool = True) -> Object:
    one = daemonset_plan.pod_for(ds, host)
    one["metadata"].update(name=name, uid=name)
    one["spec"]["nodeName"] = host
    return running(one, "10.244.0.5", ready)


def test_a_daemon_on_every_node_that_it_tolerates() -> None:
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    nodes = [
        node("a"),
        node("cordoned", unschedulable=True, taints=[cordon]),
        node("control-plane", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]),
        node("lost", taints=[NO_EXECUTE]),
    ]
    assert daemonset_plan.plan(daemonset(), nodes, []).create == ["a", "cordoned", "lost"]


def test_daemons_too_many_ended_or_misplaced_go() -> None:
    ds, other = daemonset(), daemonset()
    other["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    ended = {**daemon(ds, "b", "ended"), "status": {"phase": "Failed"}}
    pods = [daemon(ds, "a", "first"), daemon(ds, "a", "second"), ended]
    actions = daemonset_plan.plan(ds, [node("a"), node("b")], pods)
    assert sorted(p["metadata"]["name"] for p in actions.delete) == ["ended", "second"]
    actions = daemonset_plan.plan(other, [node("a")], [daemon(ds, "a", "first")])
    assert [p["metadata"]["name"] for p in actions.delete] == ["first"]
    assert actions.misscheduled == 1


def test_a_rolling_update_takes_one_at_a_time() -> None:
    old, new = daemonset(), daemonset()
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "new"
    pods = [daemon(old, "a", "p1"), daemon(old, "b", "p2")]
    hosts = [node("a"), node("b")]
    assert len(daemonset_plan.plan(new, hosts, pods).delete) == 1
    # One is down already; taking the other too would be two.
    pods = [daemon(new, "a", "p1", ready=False), daemon(old, "b", "p2")]
    assert daemonset_plan.plan(new, hosts, pods).delete == []
    new["spec"]["updateStrategy"] = {"type": "OnDelete"}
    assert daemonset_plan.plan(new, hosts, [daemon(old, "a", "p1"), daemon(old, "b", "p2")]).delete == []


def test_the_conditions_of_a_namespace_that_will_not_go() -> None:
    from podwalk.api import resources

    held = pod("p")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    found = {c["type"]: c for c in namespace.conditions([], {resources.by_kind("Pod"): [held]})}
    assert (
        found["NamespaceContentRemaining"]["message"] == "Some resources are remaining: pods. has 1 resource instances"
    )
    assert found["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    )
    assert found["NamespaceDeletionContentFailure"]["reason"] == "ContentDeleted"
    assert {c["status"] for c in namespace.conditions([], {})} == {"False"}
