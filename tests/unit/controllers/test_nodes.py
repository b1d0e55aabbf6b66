from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from objects import node, pod, running

from podwalk.api import meta
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
    assert [cidrs.allocate("any") for _ in range(4)] == ["10.244.0.0/24", "10.244.2.0/24", "10.244.3.0/24", None]
    cidrs.release("10.244.2.0/24")
    assert cidrs.allocate("any") == "10.244.2.0/24"


def daemonset(**spec: object) -> Object:
    template = {"metadata": {"labels": {"app": "ds"}}, "spec": {"containers": [{"name": "c"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "ds", "namespace": "default", "uid": "uid-ds"},
        "spec": {"selector": {"matchLabels": {"app": "ds"}}, "template": template, **spec},
    }


def daemon(ds: Object, host: str, name: str, ready: bool = True) -> Object:
    one = daemonset_plan.pod_for(ds, host, daemonset_plan.template_hash(ds))
    one["metadata"].update(name=name, uid=name)
    one["spec"]["nodeName"] = host
    return running(one, "10.244.0.5", ready)


def daemon_plan(ds: Object, nodes: list[Object], pods: list[Object]) -> daemonset_plan.Actions:
    return daemonset_plan.plan(ds, nodes, pods, daemonset_plan.template_hash(ds))


def test_nodes_that_start_together_have_their_ranges_in_the_clusters_order() -> None:
    cidrs = CidrSet("10.244.0.0/22", 24, ["one", "two"])
    assert cidrs.allocate("two") == "10.244.1.0/24"
    assert cidrs.allocate("later") == "10.244.2.0/24"
    assert cidrs.allocate("one") == "10.244.0.0/24"
    cidrs.release("10.244.1.0/24")
    # Who comes back is like any other: what was returned is given out last.
    assert [cidrs.allocate("two"), cidrs.allocate("two"), cidrs.allocate("x")] == [
        "10.244.3.0/24",
        "10.244.1.0/24",
        None,
    ]


def test_a_daemon_on_every_node_that_it_tolerates() -> None:
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    nodes = [
        node("a"),
        node("cordoned", unschedulable=True, taints=[cordon]),
        node("control-plane", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]),
        node("lost", taints=[NO_EXECUTE]),
    ]
    assert daemon_plan(daemonset(), nodes, []).create == ["a", "cordoned", "lost"]


def test_daemons_too_many_ended_or_misplaced_go() -> None:
    ds, other = daemonset(), daemonset()
    other["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    ended = {**daemon(ds, "b", "ended"), "status": {"phase": "Failed"}}
    pods = [daemon(ds, "a", "first"), daemon(ds, "a", "second"), ended]
    actions = daemon_plan(ds, [node("a"), node("b")], pods)
    assert sorted(p["metadata"]["name"] for p in actions.delete) == ["ended", "second"]
    actions = daemon_plan(other, [node("a")], [daemon(ds, "a", "first")])
    assert [p["metadata"]["name"] for p in actions.delete] == ["first"]
    assert actions.misscheduled == 1


def test_a_rolling_update_takes_one_at_a_time() -> None:
    old, new = daemonset(), daemonset()
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "new"
    pods = [daemon(old, "a", "p1"), daemon(old, "b", "p2")]
    hosts = [node("a"), node("b")]
    assert len(daemon_plan(new, hosts, pods).delete) == 1
    # One is down already; taking the other too would be two.
    pods = [daemon(new, "a", "p1", ready=False), daemon(old, "b", "p2")]
    assert daemon_plan(new, hosts, pods).delete == []
    new["spec"]["updateStrategy"] = {"type": "OnDelete"}
    assert daemon_plan(new, hosts, [daemon(old, "a", "p1"), daemon(old, "b", "p2")]).delete == []


def test_a_surge_starts_the_new_one_first_and_takes_the_old_one_once_it_is_available() -> None:
    old = daemonset()
    new = daemonset(updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "new"
    hosts, pods = [node("a"), node("b")], [daemon(old, "a", "p1"), daemon(old, "b", "p2")]
    actions = daemon_plan(new, hosts, pods)
    assert (len(actions.create), actions.delete) == (1, [])
    started = daemon(new, "a", "p3", ready=False)
    actions = daemon_plan(new, hosts, [*pods, started])
    assert (actions.create, actions.delete) == ([], [])
    actions = daemon_plan(new, hosts, [*pods, daemon(new, "a", "p3")])
    assert (actions.create, [meta.name(p) for p in actions.delete]) == ([], ["p1"])
    # Old ones that do not work are no reason to wait, however many they are.
    broken = [daemon(old, "a", "p1", ready=False), daemon(old, "b", "p2", ready=False)]
    assert daemon_plan(new, hosts, broken).create == ["a", "b"]
    actions = daemon_plan(new, hosts, [daemon(old, "a", "p1", ready=False), daemon(old, "b", "p2")])
    assert actions.create == ["a"]


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
