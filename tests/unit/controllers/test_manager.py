"""All loops together on an API server in memory."""

from __future__ import annotations

import pytest
from controllers_fake import FakeClient, active, make_nodes, play_kubelet
from objects import deployment, node, pod, service

from podwalk.api import errors, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers.node_lifecycle import NodeLifecycleController


def _status(fake: FakeClient, name: str = "web") -> Object:
    found = fake.find("Deployment", f"default/{name}")
    return (found or {}).get("status") or {}


def _reasons(fake: FakeClient) -> dict[str, str]:
    return {c["type"]: c["reason"] for c in _status(fake).get("conditions") or ()}


async def test_what_a_cluster_has_from_the_start(fake: FakeClient) -> None:
    assert [meta.name(n) for n in fake.all("Namespace")] == [
        "default",
        "kube-node-lease",
        "kube-public",
        "kube-system",
    ]
    assert fake.find("Service", "default/kubernetes")["spec"]["clusterIP"] == "10.96.0.1"
    found = fake.find("EndpointSlice", "default/kubernetes")
    assert found["endpoints"] == [{"addresses": ["172.18.0.2"], "conditions": {"ready": True}}]
    assert found["ports"] == [{"name": "https", "port": 6443, "protocol": "TCP"}]
    await fake.until(lambda: len([c for c in fake.all("ConfigMap") if c["data"] == {"ca.crt": "PEM"}]) == 4)


async def test_the_kubernetes_service_comes_back(fake: FakeClient) -> None:
    await fake.delete("Service", "kubernetes", "default")
    await fake.until(lambda: fake.find("Service", "default/kubernetes"))


async def test_nodes_get_their_ranges_in_the_order_they_join(fake: FakeClient) -> None:
    for name in ("worker2", "control-plane", "worker"):
        await fake.create(node(name))
    await fake.until(lambda: all(n["spec"].get("podCIDR") for n in fake.all("Node")))
    found = {meta.name(n): n["spec"]["podCIDR"] for n in fake.all("Node")}
    assert found == {"worker2": "10.244.0.0/24", "control-plane": "10.244.1.0/24", "worker": "10.244.2.0/24"}


async def test_a_range_that_a_node_brings_along_is_not_given_away(fake: FakeClient) -> None:
    await fake.create(node("first", podCIDR="10.244.0.0/24", podCIDRs=["10.244.0.0/24"]))
    await fake.create(node("second"))
    await fake.until(lambda: fake.find("Node", "second")["spec"].get("podCIDR") == "10.244.1.0/24")


async def test_a_deployment_becomes_bound_pods_and_endpoints(fake: FakeClient) -> None:
    await make_nodes(fake, "a", "b", "c")
    await fake.create(service())
    await fake.create(deployment())
    await fake.until(lambda: sum(bool(p["spec"].get("nodeName")) for p in fake.all("Pod")) == 3)
    assert sorted(p["spec"]["nodeName"] for p in fake.all("Pod")) == ["a", "b", "c"]
    await play_kubelet(fake, lambda: _reasons(fake).get("Progressing") == "NewReplicaSetAvailable")
    assert _reasons(fake) == {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}
    counts = {k: v for k, v in _status(fake).items() if k != "conditions"}
    assert counts == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "terminatingReplicas": 0,
    }

    def ready_addresses() -> int:
        return sum(
            e["conditions"]["ready"]
            for s in fake.all("EndpointSlice")
            if meta.labels(s)["kubernetes.io/service-name"] == "web"
            for e in s["endpoints"] or ()
        )

    await fake.until(lambda: ready_addresses() == 3)
    await fake.until(
        lambda: len((fake.find("Endpoints", "default/web").get("subsets") or [{}])[0].get("addresses", [])) == 3
    )


async def test_never_more_pods_than_asked_for(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(deployment(replicas=20))
    await fake.until(lambda: len(fake.all("Pod")) >= 20)
    await fake.quiet()
    assert len(fake.all("Pod")) == 20
    await fake.patch("Deployment", "web", {"spec": {"replicas": 7}}, "default")
    await fake.until(lambda: len(active(fake)) == 7)
    await fake.quiet()
    assert len(active(fake)) == 7
    events = [e["message"] for e in fake.all("Event") if e["reason"] == "ScalingReplicaSet"]
    assert any(m.endswith("from 0 to 20") and m.startswith("Scaled up replica set web-") for m in events)
    assert any(m.endswith("from 20 to 7") and m.startswith("Scaled down replica set web-") for m in events)


async def test_a_rollout_and_its_undo(fake: FakeClient) -> None:
    await make_nodes(fake, "a", "b")
    await fake.create(deployment())
    done = lambda: _reasons(fake).get("Progressing") == "NewReplicaSetAvailable"  # noqa: E731
    await play_kubelet(fake, done)
    await fake.quiet()
    first = fake.all("ReplicaSet")[0]
    image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:2"}]}}}}
    await fake.patch("Deployment", "web", image, "default")
    least = []

    def rolled() -> bool:
        least.append(_status(fake).get("availableReplicas", 0))
        status = _status(fake)
        return status.get("observedGeneration") == 2 and status.get("replicas") == status.get("updatedReplicas") == 3

    await play_kubelet(fake, rolled)
    assert min(least) >= 3, "maxUnavailable of 25% of 3 is 0"
    revisions = {meta.name(r): meta.annotations(r)["deployment.kubernetes.io/revision"] for r in fake.all("ReplicaSet")}
    assert revisions.pop(meta.name(first)) == "1"
    assert list(revisions.values()) == ["2"]
    # kubectl rollout undo writes the template of the old ReplicaSet back.
    await fake.patch("Deployment", "web", {"spec": {"template": deployment()["spec"]["template"]}}, "default")
    key = meta.key(first)
    await play_kubelet(fake, lambda: fake.find("ReplicaSet", key)["status"].get("availableReplicas") == 3)
    annotations = meta.annotations(fake.find("ReplicaSet", key))
    assert annotations["deployment.kubernetes.io/revision"] == "3"
    assert annotations["deployment.kubernetes.io/revision-history"] == "1"
    assert len(fake.all("ReplicaSet")) == 2
    await fake.until(
        lambda: meta.annotations(fake.find("Deployment", "default/web"))["deployment.kubernetes.io/revision"] == "3"
    )


async def test_recreate_waits_for_the_old_pods_to_go(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(deployment(replicas=2, strategy={"type": "Recreate"}))
    await play_kubelet(fake, lambda: _reasons(fake).get("Progressing") == "NewReplicaSetAvailable")
    image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:2"}]}}}}
    await fake.patch("Deployment", "web", image, "default")
    await fake.until(lambda: not active(fake))
    await fake.quiet()
    assert len(fake.all("Pod")) == 2, "nothing new while the old ones are terminating"
    for one in fake.all("Pod"):
        await fake.pod_is_gone(one)
    await fake.until(lambda: len(active(fake)) == 2)
    assert {p["spec"]["containers"][0]["image"] for p in active(fake)} == {"nginx:2"}


async def test_a_released_pod_is_replaced_and_an_orphan_adopted(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(deployment(replicas=1))
    await fake.until(lambda: len(fake.all("Pod")) == 1)
    pod = fake.all("Pod")[0]
    await fake.patch("Pod", meta.name(pod), {"metadata": {"labels": {"app": "other"}}}, "default")
    await fake.until(lambda: len(fake.all("Pod")) == 2)
    await fake.until(lambda: meta.controller_of(fake.find("Pod", meta.key(pod))) is None)
    await fake.quiet()
    await fake.patch("Pod", meta.name(pod), {"metadata": {"labels": {"app": "web"}}}, "default")
    await fake.until(lambda: len(active(fake)) == 1)


async def test_deleting_a_deployment_takes_everything_with_it(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(service())
    await fake.create(deployment())
    await fake.until(lambda: len(fake.all("Pod")) == 3)
    await fake.delete("Deployment", "web", "default", propagation="Background")
    await fake.until(lambda: not active(fake) and not fake.all("ReplicaSet"))
    await fake.delete("Service", "web", "default")
    await fake.until(lambda: [meta.name(s) for s in fake.all("EndpointSlice")] == ["kubernetes"])
    await fake.until(lambda: [meta.name(s) for s in fake.all("Endpoints")] == ["kubernetes"])


async def test_foreground_deletion_waits_for_the_pods(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(deployment(replicas=2))
    await fake.until(lambda: sum(bool(p["spec"].get("nodeName")) for p in fake.all("Pod")) == 2)
    await fake.delete("Deployment", "web", "default", propagation="Foreground")
    await fake.until(lambda: not active(fake))
    await fake.quiet()
    assert fake.find("Deployment", "default/web"), "its Pods are still terminating"
    for one in fake.all("Pod"):
        await fake.pod_is_gone(one)
    await fake.until(lambda: not fake.find("Deployment", "default/web") and not fake.all("ReplicaSet"))


async def test_orphaning_leaves_the_dependents(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(deployment(replicas=1))
    await fake.until(lambda: len(fake.all("Pod")) == 1)
    await fake.quiet()
    await fake.delete("Deployment", "web", "default", propagation="Orphan")
    await fake.until(lambda: not fake.find("Deployment", "default/web"))
    await fake.quiet()
    assert [meta.controller_of(r) for r in fake.all("ReplicaSet")] == [None]
    assert len(active(fake)) == 1


async def test_a_pod_that_fits_nowhere_is_explained_and_tried_again(fake: FakeClient) -> None:
    await make_nodes(fake, "a", "b")
    await fake.create(deployment(replicas=1, template=_template(nodeSelector={"disk": "ssd"})))
    await fake.until(lambda: any(e["reason"] == "FailedScheduling" for e in fake.all("Event")))
    message = (
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    event = next(e for e in fake.all("Event") if e["reason"] == "FailedScheduling")
    assert (event["type"], event["message"], event["source"]["component"]) == ("Warning", message, "default-scheduler")
    await fake.until(lambda: meta.condition(fake.all("Pod")[0], "PodScheduled"))
    condition = meta.condition(fake.all("Pod")[0], "PodScheduled")
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", "Unschedulable", message)
    await fake.patch("Node", "b", {"metadata": {"labels": {"disk": "ssd"}}})
    await fake.until(lambda: fake.all("Pod")[0]["spec"].get("nodeName") == "b")


def _template(**spec: object) -> Object:
    containers = [{"name": "c", "image": "nginx"}]
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers, **spec}}


async def test_a_daemonset_follows_themake_nodes(fake: FakeClient) -> None:
    await make_nodes(fake, "a", "b")
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": _template()}
    metadata = {"name": "ds", "namespace": "default"}
    await fake.create({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec})
    await fake.until(lambda: sorted(p["spec"].get("nodeName", "") for p in fake.all("Pod")) == ["a", "b"])
    await fake.create(node("c"))
    await fake.until(lambda: sorted(p["spec"].get("nodeName", "") for p in fake.all("Pod")) == ["a", "b", "c"])
    await play_kubelet(fake, lambda: fake.find("DaemonSet", "default/ds").get("status", {}).get("numberAvailable") == 3)


async def test_a_namespace_is_emptied_before_it_goes(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    await fake.until(lambda: fake.find("ServiceAccount", "shop/default"))
    web = deployment(replicas=1)
    web["metadata"]["namespace"] = "shop"
    await fake.create(web)
    await fake.until(lambda: [p for p in fake.all("Pod") if p["spec"].get("nodeName")])

    def terminating(method: str, kind: str, key: str) -> ApiError | None:
        namespace = fake.find("Namespace", key.partition("/")[0])
        if method != "create" or namespace is None or not meta.is_deleting(namespace):
            return None
        why = f"unable to create new content in namespace {meta.name(namespace)} because it is being terminated"
        return errors.forbidden(kind, key, why)

    fake.fail = terminating
    await fake.delete("Namespace", "shop")
    await fake.until(lambda: _ns_reasons(fake).get("NamespaceContentRemaining") == "SomeResourcesRemain")
    assert fake.find("Deployment", "shop/web"), "Pods go first"
    for one in fake.all("Pod", "shop"):
        await fake.pod_is_gone(one)
    await fake.until(lambda: not fake.find("Namespace", "shop"))
    assert [k for k in fake.objects if k[1].startswith("shop/")] == []


def _ns_reasons(fake: FakeClient) -> dict[str, str]:
    status = (fake.find("Namespace", "shop") or {}).get("status") or {}
    return {c["type"]: c["reason"] for c in status.get("conditions") or ()}


class Time:
    """The time by which nodes are found silent: it passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    async def passes(self, fake: FakeClient, seconds: float) -> None:
        """Let it pass, and have node a looked at."""
        self.now += seconds
        await fake.patch("Node", "a", {"metadata": {"labels": {"now": str(self.now)}}})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(NodeLifecycleController, "now", lambda self: made.now)
    return made


async def test_a_silent_node_is_marked_and_its_pods_leave_the_service(clock: Time, fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(service())
    await fake.create(deployment(replicas=1))
    await play_kubelet(fake, lambda: _status(fake).get("availableReplicas") == 1)
    await clock.passes(fake, 3601)
    await fake.until(lambda: meta.condition(fake.find("Node", "a"), "Ready")["status"] == "Unknown")
    ready = meta.condition(fake.find("Node", "a"), "Ready")
    assert (ready["reason"], ready["message"]) == ("NodeStatusUnknown", "Kubelet stopped posting node status.")

    def taints() -> set[tuple[str, str]]:
        return {(t["key"], t["effect"]) for t in fake.find("Node", "a")["spec"].get("taints") or ()}

    unreachable = "node.kubernetes.io/unreachable"
    await fake.until(lambda: taints() == {(unreachable, "NoSchedule"), (unreachable, "NoExecute")})
    # No toleration at all: evicted at once (the API server adds 300 s to Pods by default).
    await fake.until(lambda: meta.is_deleting(fake.all("Pod")[0]))
    assert any(e["message"].startswith("Marking for deletion Pod default/web-") for e in fake.all("Event"))


async def test_the_pods_of_a_silent_node_stop_being_endpoints(clock: Time, fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(service())
    stays = [{"operator": "Exists"}]
    one = await fake.create(pod("web", {"app": "web"}, nodeName="a", tolerations=stays))
    await fake.pod_is_ready(one, "10.244.0.5")

    def conditions() -> Object:
        found = [s for s in fake.all("EndpointSlice") if meta.name(s).startswith("web-")]
        return next((e["conditions"] for s in found for e in s["endpoints"] or ()), {})

    await fake.until(lambda: conditions().get("ready"))
    await clock.passes(fake, 3601)
    await fake.until(lambda: conditions() == {"ready": False, "serving": False, "terminating": False})
    assert not meta.is_deleting(fake.find("Pod", "default/web"))
    assert "Node a status is now: NodeNotReady" in [e["message"] for e in fake.all("Event")]


async def test_a_node_that_renews_its_lease_stays_ready(clock: Time, fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "a", "namespace": "kube-node-lease"},
        "spec": {"renewTime": "0"},
    }
    await fake.create(lease)
    for beat in range(1, 8):
        await clock.passes(fake, 1000)
        await fake.quiet()
        await fake.patch("Lease", "a", {"spec": {"renewTime": str(beat)}}, "kube-node-lease")
        await fake.quiet()
    assert meta.condition(fake.find("Node", "a"), "Ready")["status"] == "True"
    await clock.passes(fake, 3601)
    await fake.until(lambda: meta.condition(fake.find("Node", "a"), "Ready")["status"] == "Unknown")


async def test_a_create_that_is_refused_is_reported_and_tried_again(
    fake: FakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    await make_nodes(fake, "a")
    refused = errors.forbidden("pods", "", "exceeded quota: three")

    def refuse(method: str, kind: str, key: str) -> ApiError | None:
        return refused if (method, kind) == ("create", "Pod") else None

    fake.fail = refuse
    await fake.create(deployment(replicas=7))
    await fake.until(lambda: _reasons(fake).get("ReplicaFailure") == "FailedCreate")
    event = await fake.until(lambda: next((e for e in fake.all("Event") if e["reason"] == "FailedCreate"), None))
    assert (event["type"], event["message"]) == ("Warning", "Error creating: pods is forbidden: exceeded quota: three")
    fake.fail = lambda method, kind, key: None
    await fake.until(lambda: len(fake.all("Pod")) == 7)
    await fake.until(lambda: "ReplicaFailure" not in _reasons(fake))
    caplog.clear()  # the refusals were logged as warnings


async def test_refusals_that_read_differently_are_one_condition(
    fake: FakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    def refuse(method: str, kind: str, key: str) -> ApiError | None:
        nonlocal tries
        if (method, kind) != ("create", "Pod"):
            return None
        tries += 1
        return errors.forbidden("pods", f"web-{tries}", "exceeded quota")

    fake.fail = refuse
    await fake.create(deployment(replicas=1))
    await fake.until(lambda: tries >= 6)
    written = [o for _, _, kind, o in fake.history if kind == "ReplicaSet"]
    messages = {c["message"] for o in written for c in (o.get("status") or {}).get("conditions") or ()}
    # A new message each time would be a new status each time, and that a reason to try again at once.
    assert len(messages) == 1
    fake.fail = lambda method, kind, key: None
    caplog.clear()  # the refusals were logged as warnings


async def test_a_pod_of_a_node_that_never_was_is_removed(fake: FakeClient) -> None:
    lost = pod("lost", nodeName="gone")
    await fake.create(lost)
    await fake.until(lambda: not fake.find("Pod", "default/lost"))
    failed = [o for _, event, kind, o in fake.history if kind == "Pod" and event == "MODIFIED"]
    assert failed[-1]["status"]["phase"] == "Failed"
    condition = meta.condition(failed[-1], "DisruptionTarget")
    assert (condition["reason"], condition["message"]) == ("DeletionByPodGC", "PodGC: node no longer exists")


async def test_what_names_an_owner_that_never_was_is_garbage(fake: FakeClient) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "ghost", "uid": "no-such-uid"}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "left", "namespace": "default"}}
    config["metadata"]["ownerReferences"] = [owner]
    await fake.create(config)
    await fake.until(lambda: not fake.find("ConfigMap", "default/left"))


async def test_one_of_two_owners_is_enough(fake: FakeClient) -> None:
    def owned_by(*owners: Object) -> list[Object]:
        return [{"apiVersion": "v1", "kind": "ConfigMap", "name": meta.name(o), "uid": meta.uid(o)} for o in owners]

    def config(name: str) -> Object:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}

    first, second = await fake.create(config("first")), await fake.create(config("second"))
    shared = config("shared")
    shared["metadata"]["ownerReferences"] = owned_by(first, second)
    await fake.create(shared)
    await fake.delete("ConfigMap", "first", "default")
    await fake.until(
        lambda: fake.find("ConfigMap", "default/shared")["metadata"]["ownerReferences"] == owned_by(second)
    )
    await fake.delete("ConfigMap", "second", "default")
    await fake.until(lambda: not fake.find("ConfigMap", "default/shared"))


async def test_an_eviction_is_called_off_when_the_taint_goes(fake: FakeClient) -> None:
    taint = {"key": "maintenance", "effect": "NoExecute", "timeAdded": meta.now()}
    await make_nodes(fake, "a")
    patient = [{"key": "maintenance", "operator": "Exists", "tolerationSeconds": 300}]
    await fake.create(pod("patient", nodeName="a", tolerations=patient))
    await fake.create(pod("hasty", nodeName="a"))
    await fake.patch("Node", "a", {"spec": {"taints": [taint]}})
    await fake.until(lambda: meta.is_deleting(fake.find("Pod", "default/hasty")))
    condition = meta.condition(fake.find("Pod", "default/hasty"), "DisruptionTarget")
    assert condition["reason"] == "DeletionByTaintManager"
    await fake.patch("Node", "a", {"spec": {"taints": None}})
    text = "Cancelling deletion of Pod default/patient"
    await fake.until(lambda: text in [e["message"] for e in fake.all("Event")])
    assert not meta.is_deleting(fake.find("Pod", "default/patient"))


async def test_a_failing_loop_is_started_again(fake: FakeClient, caplog: pytest.LogCaptureFixture) -> None:
    broken = True

    def fail(method: str, kind: str, key: str) -> ApiError | None:
        if kind == "EndpointSlice" and broken:
            raise RuntimeError("a bug")
        return None

    fake.fail = fail
    fake.log.clear()
    await fake.create(service())
    await fake.until(lambda: ("create", "EndpointSlice") in {(m, k) for m, k, _ in fake.log})
    broken = False
    await fake.until(lambda: [s for s in fake.all("EndpointSlice") if meta.name(s).startswith("web-")])
    assert "endpointslice-controller default/web failed" in caplog.text
    caplog.clear()
