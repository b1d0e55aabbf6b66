from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from controllers_fake import FakeClient, active, make_nodes, play_kubelet
from objects import running

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import history, statefulset_plan

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def statefulset(replicas: int = 3, image: str = "nginx", **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    spec = {
        "replicas": replicas,
        "serviceName": "peers",
        "podManagementPolicy": "OrderedReady",
        "selector": {"matchLabels": {"app": "db"}},
        "template": template,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "revisionHistoryLimit": 10,
        **spec,
    }
    metadata = {"name": "db", "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec}


def revision(sts: Object, name: str = "db-1") -> Object:
    made = history.new_revision({**sts, "metadata": {**sts["metadata"], "uid": "uid"}}, "x", {}, 1)
    made["metadata"]["name"] = name
    return made


def member(number: int, of: str = "db-1", ready: bool = True, **metadata: Any) -> Object:
    sts = statefulset()
    sts["metadata"]["uid"] = "uid"
    made = statefulset_plan.pod_for(sts, number, of)
    made["metadata"].update(uid=f"uid-{number}", **metadata)
    return running(made, f"10.244.0.{number + 2}", ready)


def plan(sts: Object, pods: list[Object], update: str = "db-1") -> dict[str, list[str]]:
    sts["metadata"]["uid"] = "uid"
    made = statefulset_plan.plan(sts, revision(sts), revision(sts, update), pods, NOW)
    found = {"create": made.create, "delete": made.delete, "update": made.updated}
    return {kind: [meta.name(p) for p in pods] for kind, pods in found.items() if pods}


DELETING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("sts", "pods", "update", "expected"),
    [
        (statefulset(), [], "db-1", {"create": ["db-0"]}),
        (statefulset(podManagementPolicy="Parallel"), [], "db-1", {"create": ["db-0", "db-1", "db-2"]}),
        (statefulset(ordinals={"start": 5}), [], "db-1", {"create": ["db-5"]}),
        (statefulset(), [member(0, ready=False)], "db-1", {}),
        (statefulset(), [member(0)], "db-1", {"create": ["db-1"]}),
        (statefulset(minReadySeconds=10**8), [member(0)], "db-1", {}),
        (statefulset(), [member(0, **DELETING)], "db-1", {}),
        # Scaling down: from the top, one after the other, and not while another one is not well.
        (statefulset(1), [member(0), member(1), member(2)], "db-1", {"delete": ["db-2"]}),
        (statefulset(1), [member(0), member(1), member(2, **DELETING)], "db-1", {}),
        (statefulset(1), [member(0), member(1), member(2, ready=False)], "db-1", {"delete": ["db-2"]}),
        (statefulset(1), [member(0, ready=False), member(1)], "db-1", {}),
        (
            statefulset(1, podManagementPolicy="Parallel"),
            [member(0), member(1), member(2)],
            "db-1",
            {"delete": ["db-2", "db-1"]},
        ),
        # Rolling: the highest ordinal first, and only when those above are available.
        (statefulset(2), [member(0), member(1)], "db-2", {"update": ["db-1"]}),
        (statefulset(2), [member(0), member(1, "db-2")], "db-2", {"update": ["db-0"]}),
        (statefulset(2), [member(0), member(1, "db-2", ready=False)], "db-2", {}),
        (
            statefulset(2, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}),
            [member(0), member(1, "db-2")],
            "db-2",
            {},
        ),
        (
            statefulset(2, podManagementPolicy="Parallel"),
            [member(0), member(1, "db-2", ready=False)],
            "db-2",
            {},
        ),
        (statefulset(2, updateStrategy={"type": "OnDelete"}), [member(0), member(1)], "db-2", {}),
    ],
)
def test_the_next_step(sts: Object, pods: list[Object], update: str, expected: dict[str, list[str]]) -> None:
    assert plan(sts, pods, update) == expected


def test_a_pod_that_ended_is_made_again() -> None:
    ended = {**member(0), "status": {"phase": "Succeeded"}}
    assert plan(statefulset(1), [ended]) == {"delete": ["db-0"]}


def test_below_the_partition_a_lost_pod_comes_back_as_it_was() -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    old, new = statefulset(2, updateStrategy=rolling), statefulset(2, "new", updateStrategy=rolling)
    new["metadata"]["uid"] = "uid"
    made = statefulset_plan.plan(new, revision(old), revision(new, "db-2"), [member(1, "db-2")], NOW).create[0]
    assert (made["spec"]["containers"][0]["image"], statefulset_plan.revision_of(made)) == ("nginx", "db-1")


def test_what_a_member_is_called() -> None:
    made = member(2)
    assert made["metadata"]["labels"] == {
        "app": "db",
        "statefulset.kubernetes.io/pod-name": "db-2",
        "apps.kubernetes.io/pod-index": "2",
        "controller-revision-hash": "db-1",
    }
    assert (made["spec"]["hostname"], made["spec"]["subdomain"]) == ("db-2", "peers")
    assert made["metadata"]["generateName"] == "db-"


def test_the_hash_of_a_revision_is_that_of_kubernetes() -> None:
    # Computed by hand from FNV-1's published constants: the value for an empty input is the offset basis.
    from podwalk.controllers import pods

    assert (pods.fnv32(b""), pods.fnv32(b"a"), pods.fnv32(b"foobar")) == (0x811C9DC5, 0x050C5D7E, 0x31F0B262)
    assert history.raw({"b": "<&>", "a": None}) == b'{"a":null,"b":"\\u003c\\u0026\\u003e"}'


def test_revisions_beyond_the_limit_go_unless_they_are_in_use() -> None:
    sts = statefulset(revisionHistoryLimit=1)
    kept = [{**revision(sts, f"r{n}"), "revision": n} for n in (3, 1, 2, 4)]
    assert [meta.name(r) for r in history.beyond_limit(sts, kept, {"r1", "r4"})] == ["r2"]


async def test_a_rollout_and_back(fake: FakeClient) -> None:
    await make_nodes(fake, "a", "b")
    await fake.create(statefulset(2))

    def status() -> Object:
        return fake.find("StatefulSet", "default/db").get("status") or {}

    def images() -> list[str]:
        return [p["spec"]["containers"][0]["image"] for p in active(fake) if meta.condition_is_true(p, "Ready")]

    await play_kubelet(fake, lambda: status().get("availableReplicas") == 2)
    first = status()["currentRevision"]
    assert status() == {
        "observedGeneration": 1,
        "replicas": 2,
        "readyReplicas": 2,
        "currentReplicas": 2,
        "updatedReplicas": 2,
        "currentRevision": first,
        "updateRevision": first,
        "collisionCount": 0,
        "availableReplicas": 2,
    }
    changed = statefulset(2, "new")["spec"]["template"]
    await fake.patch("StatefulSet", "db", {"spec": {"template": changed}}, "default")
    await play_kubelet(fake, lambda: images() == ["new", "new"] and status().get("currentRevision") != first)
    numbers = {meta.name(r): r["revision"] for r in fake.all("ControllerRevision")}
    assert sorted(numbers.values()) == [1, 2]
    await fake.patch("StatefulSet", "db", {"spec": {"template": statefulset()["spec"]["template"]}}, "default")
    await play_kubelet(fake, lambda: images() == ["nginx", "nginx"] and status().get("currentRevision") == first)
    numbers = {meta.name(r): r["revision"] for r in fake.all("ControllerRevision")}
    assert numbers[first] == 3
    assert len(numbers) == 2
    wanted = {"Create Pod db-0 in StatefulSet db successful", "Delete Pod db-1 in StatefulSet db successful"}
    await fake.until(lambda: wanted <= {e["message"] for e in fake.all("Event")})
    await fake.patch("StatefulSet", "db", {"spec": {"replicas": 0}}, "default")
    await play_kubelet(fake, lambda: not fake.all("Pod") and status().get("replicas") == 0)


async def test_a_daemonset_remembers_its_templates(fake: FakeClient) -> None:
    template = statefulset()["spec"]["template"]
    spec = {"selector": {"matchLabels": {"app": "db"}}, "template": template, "revisionHistoryLimit": 1}
    metadata = {"name": "agent", "namespace": "default"}
    await make_nodes(fake, "a")
    await fake.create({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec})

    def revisions() -> dict[str, int]:
        found = fake.all("ControllerRevision")
        return {r["data"]["spec"]["template"]["spec"]["containers"][0]["image"]: r["revision"] for r in found}

    async def roll(image: str) -> None:
        changed = statefulset(1, image)["spec"]["template"]
        await fake.patch("DaemonSet", "agent", {"spec": {"template": changed}}, "default")
        await play_kubelet(fake, lambda: [p["spec"]["containers"][0]["image"] for p in fake.all("Pod")] == [image])

    await play_kubelet(fake, lambda: len(fake.all("Pod")) == 1)
    await roll("two")
    assert revisions() == {"nginx": 1, "two": 2}
    await roll("nginx")
    await fake.until(lambda: revisions() == {"nginx": 3, "two": 2})
    await roll("three")
    await fake.until(lambda: revisions() == {"nginx": 3, "three": 4})
    made = next(r for r in fake.all("ControllerRevision") if r["revision"] == 4)
    pod = fake.all("Pod")[0]
    assert meta.labels(made)["controller-revision-hash"] == meta.labels(pod)["controller-revision-hash"]
    assert meta.name(made) == f"agent-{meta.labels(pod)['controller-revision-hash']}"


async def test_a_replication_controller_keeps_its_pods(fake: FakeClient) -> None:
    template = statefulset()["spec"]["template"]
    spec = {"replicas": 2, "selector": {"app": "db"}, "template": template}
    metadata = {"name": "old", "namespace": "default"}
    await make_nodes(fake, "a")
    await fake.create({"apiVersion": "v1", "kind": "ReplicationController", "metadata": metadata, "spec": spec})

    def status() -> Object:
        return fake.find("ReplicationController", "default/old").get("status") or {}

    await play_kubelet(fake, lambda: status().get("availableReplicas") == 2)
    assert status() == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 1,
    }
    # One that is taken out of the selector is let go and replaced.
    name = meta.name(active(fake)[0])
    await fake.patch("Pod", name, {"metadata": {"labels": {"app": "other"}}}, "default")
    await play_kubelet(fake, lambda: len(active(fake)) == 3 and status().get("availableReplicas") == 2)
    assert meta.controller_of(fake.find("Pod", f"default/{name}")) is None


async def test_an_orphan_that_fits_is_taken_in(fake: FakeClient) -> None:
    template = statefulset()["spec"]["template"]
    orphan = {"apiVersion": "v1", "kind": "Pod", **template}
    orphan["metadata"] = {"name": "found", "namespace": "default", "labels": {"app": "db"}}
    await fake.create(orphan)
    spec = {"replicas": 2, "selector": {"app": "db"}, "template": template}
    metadata = {"name": "home", "namespace": "default"}
    await fake.create({"apiVersion": "v1", "kind": "ReplicationController", "metadata": metadata, "spec": spec})
    await fake.until(lambda: meta.controller_of(fake.find("Pod", "default/found")) and len(fake.all("Pod")) == 2)
    assert meta.controller_of(fake.find("Pod", "default/found"))["name"] == "home"
    await fake.quiet()
    assert len(fake.all("Pod")) == 2
