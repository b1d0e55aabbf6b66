from __future__ import annotations

from datetime import UTC, datetime

import pytest
from objects import pod, running

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import history, replicaset_plan, template_hash
from podwalk.controllers import pods as podutil

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def on(
    name: str, ready: bool = True, node: str = "a", since: str = "2026-01-01T00:00:00Z", **metadata: object
) -> Object:
    one = running(pod(name, nodeName=node), "10.244.0.5", ready, since)
    one["metadata"] = {**one["metadata"], "creationTimestamp": "2026-01-01T00:00:00Z", **metadata}
    return one


def restarted(one: Object, count: int) -> Object:
    return {**one, "status": {**one["status"], "containerStatuses": [{"restartCount": count}]}}


@pytest.mark.parametrize(
    ("goes", "stays"),
    [
        (pod("p1"), on("p2", ready=False)),
        ({**on("p1"), "status": {"phase": "Pending"}}, on("p2", ready=False)),
        (on("p1", ready=False), on("p2")),
        (on("p1", annotations={podutil.DELETION_COST: "-5"}), on("p2")),
        (on("p2"), on("p1", annotations={podutil.DELETION_COST: "5"})),
        (on("p1", node="crowded"), on("p2")),
        (on("p1", since="2026-01-01T23:00:00Z"), on("p2")),
        (restarted(on("p1"), 3), on("p2")),
        (on("p1", creationTimestamp="2026-01-01T23:00:00Z"), on("p2")),
        # Of nearly the same age: the UID decides.
        (on("p1", since="2026-01-01T00:00:00Z"), on("p2", since="2026-01-01T00:00:01Z")),
    ],
    ids=["unassigned", "pending", "not ready", "cost", "cost of others", "crowded node", "younger ready", "restarts",
         "younger", "same age"],
)  # fmt: skip
def test_which_pod_goes_first(goes: Object, stays: Object) -> None:
    crowded = {"crowded": 2, "a": 1}
    for order in ([goes, stays], [stays, goes]):
        assert [meta.name(p) for p in podutil.to_delete(order, 1, crowded, NOW)] == [meta.name(goes)]


def rs(replicas: int = 2, **spec: object) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    return {
        "metadata": {"name": "web", "namespace": "default", "uid": "uid-rs", "generation": 3},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }


def owned(one: Object, uid: str = "uid-rs", **labels: str) -> Object:
    refs = [{"uid": uid, "controller": True, "kind": "ReplicaSet", "name": "web"}]
    return {**one, "metadata": {**one["metadata"], "ownerReferences": refs, "labels": {"app": "web", **labels}}}


def test_status_counts() -> None:
    leaving = owned(on("p4", deletionTimestamp="2026-01-01T00:00:00Z"))
    pods = [owned(on("p1")), owned(on("p2", since="2026-01-01T23:59:55Z")), owned(on("p3", ready=False)), leaving]
    assert replicaset_plan.status(rs(minReadySeconds=10), pods, None, NOW) == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
        "observedGeneration": 3,
    }
    assert replicaset_plan.next_available(rs(minReadySeconds=10), pods, NOW) == 5
    assert replicaset_plan.next_available(rs(), pods, NOW) is None


def test_a_failure_shows_and_goes() -> None:
    failed = replicaset_plan.status(rs(), [], ("FailedCreate", "quota"), NOW)
    assert [(c["type"], c["status"], c["reason"], c["message"]) for c in failed["conditions"]] == [
        ("ReplicaFailure", "True", "FailedCreate", "quota")
    ]
    assert "conditions" not in replicaset_plan.status({**rs(), "status": failed}, [], None, NOW)


def test_a_template_hash_is_stable_and_salted() -> None:
    one = {"spec": {"containers": [{"image": "a"}]}, "metadata": {"labels": {"x": "y", "a": "b"}}}
    same = {"metadata": {"labels": {"a": "b", "x": "y"}}, "spec": {"containers": [{"image": "a"}]}}
    assert podutil.template_hash(one) == podutil.template_hash(same)
    assert podutil.template_hash(one) != podutil.template_hash(one, 1)
    assert set(podutil.template_hash(one)) <= set("bcdfghjklmnpqrstvwxz2456789")


def _pause(name: str) -> Object:
    container = {
        "name": "c",
        "image": "registry.k8s.io/pause:3.10.2",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    spec = {
        "containers": [container],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
    return {"metadata": {"labels": {"app": name}}, "spec": spec}


def test_hashes_are_those_of_kubernetes() -> None:
    # What kube-controller-manager v1.36 gave a DaemonSet and a StatefulSet with this template.
    assert podutil.template_hash(_pause("ds")) == "6867c5d456"
    assert podutil.template_hash(_pause("ds"), 0) != "6867c5d456"
    sts = {"spec": {"template": _pause("sts")}}
    assert history.revision_hash(history.patch_of(sts), 0) == "566f9b9cb"


def test_how_go_prints_the_parts_of_a_template() -> None:
    template = _pause("x")
    container = template["spec"]["containers"][0]
    container["resources"] = {"requests": {"memory": "64Mi", "cpu": "0.5"}}
    container["readinessProbe"] = {"httpGet": {"port": "http", "path": "/"}, "periodSeconds": 10}
    container["livenessProbe"] = {"tcpSocket": {"port": 80}}
    text = template_hash.printed(template)
    assert (
        "Requests:(v1.ResourceList)map[cpu:{i:(resource.int64Amount){value:(int64)500 scale:(resource.Scale)-3} "
        "d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} s:(string)500m Format:(resource.Format)DecimalSI} "
        "memory:{i:(resource.int64Amount){value:(int64)67108864 scale:(resource.Scale)0} "
        "d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} s:(string)64Mi Format:(resource.Format)BinarySI}]"
    ) in text
    assert "Port:(intstr.IntOrString){Type:(intstr.Type)1 IntVal:(int32)0 StrVal:(string)http}" in text
    assert "Port:(intstr.IntOrString){Type:(intstr.Type)0 IntVal:(int32)80 StrVal:(string)}" in text
    assert "ReadinessProbe:(*v1.Probe){ProbeHandler:(v1.ProbeHandler){Exec:(*v1.ExecAction)<nil>" in text
    assert "TerminationGracePeriodSeconds:(*int64)30 ActiveDeadlineSeconds:(*int64)<nil>" in text
