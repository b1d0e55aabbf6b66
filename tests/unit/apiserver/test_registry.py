"""The rules of reading and writing objects, over HTTP."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SERVICES = "/api/v1/namespaces/default/services"


def pod(name: str = "p", **metadata: Any) -> dict:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    return {"metadata": {"name": name, **metadata}, "spec": spec}


def deployment(name: str = "d", replicas: int = 1) -> dict:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name}, "spec": spec}


async def test_create_fills_in_the_metadata(api: Any, pods: str) -> None:
    made = await api.ok("POST", pods, {**pod(), "status": {"phase": "Running"}})
    assert made["kind"] == "Pod"
    assert made["apiVersion"] == "v1"
    assert made["metadata"]["namespace"] == "default"
    assert made["metadata"]["generation"] == 1
    assert made["status"]["phase"] == "Pending"
    assert {"uid", "creationTimestamp", "resourceVersion"} <= made["metadata"].keys()
    assert (await api.ok("GET", f"{pods}/p")) == made


async def test_generate_name(api: Any, pods: str) -> None:
    names = set()
    for _ in range(3):
        obj = pod()
        obj["metadata"] = {"generateName": "p-"}
        names.add((await api.ok("POST", pods, obj))["metadata"]["name"])
    assert len(names) == 3
    assert all(len(n) == 7 and n.startswith("p-") for n in names)


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "reason", "message"),
    [
        ("GET", "/api/v1/namespaces/default/pods/x", None, 404, "NotFound", 'pods "x" not found'),
        (
            "GET",
            "/api/v1/namespaces/default/foos",
            None,
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
        ("POST", "/api/v1/namespaces/no/pods", pod(), 404, "NotFound", 'namespaces "no" not found'),
        (
            "POST",
            CONFIG_MAPS,
            {"metadata": {"name": "a", "namespace": "b"}},
            400,
            "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            "POST",
            CONFIG_MAPS,
            {"kind": "Pod", "metadata": {"name": "a"}},
            400,
            "BadRequest",
            'Pod in version "v1" cannot be handled as a ConfigMap: '
            "converting (v1.Pod) to (core.ConfigMap): unknown conversion",
        ),
        (
            "POST",
            f"{CONFIG_MAPS}/a",
            {},
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        ),
        (
            "PATCH",
            CONFIG_MAPS,
            {},
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        ),
        (
            "POST",
            f"{CONFIG_MAPS}?dryRun=x",
            {"metadata": {"name": "a"}},
            422,
            "Invalid",
            'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["x"]: supported values: "All"',
        ),
        (
            "GET",
            f"{CONFIG_MAPS}?fieldSelector=data.a%3Db",
            None,
            400,
            "BadRequest",
            "field label not supported: data.a",
        ),
        (
            "GET",
            f"{CONFIG_MAPS}?resourceVersion=99999",
            None,
            504,
            "Timeout",
            "Timeout: Too large resource version: 99999, current: N",
        ),
    ],
)
async def test_refusals(api: Any, method: str, path: str, body: Any, code: int, reason: str, message: str) -> None:
    answer = await api(method, path, body)
    told = answer.json
    told["message"] = re.sub(r"current: \d+", "current: N", told["message"])
    assert (answer.status, told["code"], told["reason"], told["message"]) == (code, code, reason, message)
    assert told["kind"] == "Status"


async def test_an_object_exists_once(api: Any) -> None:
    await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})
    answer = await api("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})
    assert answer.status == 409
    assert answer.json["message"] == 'configmaps "a" already exists'
    assert answer.json["details"] == {"name": "a", "kind": "configmaps"}


async def test_update_conflicts_on_an_old_version(api: Any) -> None:
    made = await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {"k": "1"}})
    made["data"] = {"k": "2"}
    await api.ok("PUT", f"{CONFIG_MAPS}/a", made)
    answer = await api("PUT", f"{CONFIG_MAPS}/a", made)
    assert answer.status == 409
    assert "the object has been modified; please apply your changes to the latest version" in answer.json["message"]
    del made["metadata"]["resourceVersion"]
    made["data"] = {"k": "3"}
    assert (await api.ok("PUT", f"{CONFIG_MAPS}/a", made))["data"] == {"k": "3"}


async def test_an_update_without_a_change_keeps_the_version(api: Any) -> None:
    made = await api.ok("POST", DEPLOYMENTS, deployment())
    again = await api.ok("PUT", f"{DEPLOYMENTS}/d", {**deployment(), "metadata": {"name": "d"}})
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_generation_counts_changes_of_the_spec_alone(api: Any) -> None:
    await api.ok("POST", DEPLOYMENTS, deployment())
    merge = {"content_type": "application/merge-patch+json"}
    labelled = await api.ok("PATCH", f"{DEPLOYMENTS}/d", {"metadata": {"labels": {"a": "b"}}}, **merge)
    assert labelled["metadata"]["generation"] == 1
    status = await api.ok("PATCH", f"{DEPLOYMENTS}/d/status", {"status": {"replicas": 1}}, **merge)
    assert status["metadata"]["generation"] == 1
    scaled = await api.ok("PATCH", f"{DEPLOYMENTS}/d", {"spec": {"replicas": 3}}, **merge)
    assert scaled["metadata"]["generation"] == 2


async def test_spec_and_status_are_written_apart(api: Any, pods: str) -> None:
    made = await api.ok("POST", pods, pod())
    made["status"] = {**made["status"], "phase": "Running"}
    assert (await api.ok("PUT", f"{pods}/p", made))["status"]["phase"] == "Pending"
    made["spec"]["nodeName"] = "n"
    del made["metadata"]["resourceVersion"]
    done = await api.ok("PUT", f"{pods}/p/status", made)
    assert done["status"]["phase"] == "Running"
    assert "nodeName" not in done["spec"]


async def test_lists_select_and_come_in_chunks(api: Any) -> None:
    for name, app in [("a", "x"), ("b", "y"), ("c", "x"), ("d", "x")]:
        await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": name, "labels": {"app": app}}})

    async def names(query: str) -> list[str]:
        return [i["metadata"]["name"] for i in (await api.ok("GET", f"{CONFIG_MAPS}?{query}"))["items"]]

    assert await names("labelSelector=app%3Dx") == ["a", "c", "d"]
    assert await names("fieldSelector=metadata.name%3Db") == ["b"]
    first = await api.ok("GET", f"{CONFIG_MAPS}?limit=3")
    assert first["metadata"]["remainingItemCount"] == 1
    await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": "aa"}})
    assert await names(f"limit=3&continue={first['metadata']['continue']}") == ["d"]
    everything = await api.ok("GET", "/api/v1/configmaps")
    assert everything["kind"] == "ConfigMapList"
    assert "kind" not in everything["items"][0]


async def test_dry_run_stores_nothing_and_gives_addresses_back(api: Any) -> None:
    service = {
        "metadata": {"name": "s"},
        "spec": {"type": "NodePort", "clusterIP": "10.96.5.5", "ports": [{"port": 80, "nodePort": 30080}]},
    }
    dry = await api.ok("POST", f"{SERVICES}?dryRun=All", service)
    assert "resourceVersion" not in dry["metadata"]
    assert (await api("GET", f"{SERVICES}/s")).status == 404
    await api.ok("POST", SERVICES, service)
    merge = {"content_type": "application/merge-patch+json"}
    changed = {"spec": {"ports": [{"port": 80, "nodePort": 30081}]}}
    await api.ok("PATCH", f"{SERVICES}/s?dryRun=All", changed, **merge)
    other = {"metadata": {"name": "t"}, "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30081}]}}
    await api.ok("POST", SERVICES, other)
    taken = await api("PATCH", f"{SERVICES}/t", {"spec": {"ports": [{"port": 80, "nodePort": 30080}]}}, **merge)
    assert "provided port is already allocated" in taken.json["message"]


async def test_a_failed_creation_gives_addresses_back(api: Any) -> None:
    wrong = {"metadata": {"name": "BAD"}, "spec": {"clusterIP": "10.96.7.7", "ports": [{"port": 80}]}}
    assert (await api("POST", SERVICES, wrong)).status == 422
    wrong["metadata"]["name"] = "good"
    await api.ok("POST", SERVICES, wrong)


async def test_a_bound_pod_dies_in_two_steps(api: Any, pods: str) -> None:
    await api.ok("POST", pods, pod())
    await api.ok("POST", f"{pods}/p/binding", {"target": {"kind": "Node", "name": "n"}})
    again = await api("POST", f"{pods}/p/binding", {"target": {"name": "m"}})
    assert again.json["message"].endswith('pod p is already assigned to node "n"')
    dying = await api.ok("DELETE", f"{pods}/p")
    assert dying["metadata"]["deletionGracePeriodSeconds"] == 30
    assert dying["metadata"]["generation"] == 2
    sooner = await api.ok("DELETE", f"{pods}/p", {"gracePeriodSeconds": 5})
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 5
    later = await api.ok("DELETE", f"{pods}/p?gracePeriodSeconds=20")
    assert later["metadata"]["deletionGracePeriodSeconds"] == 5
    assert later["metadata"]["resourceVersion"] == sooner["metadata"]["resourceVersion"]
    uid = {"preconditions": {"uid": "other"}, "gracePeriodSeconds": 0}
    assert (await api("DELETE", f"{pods}/p", uid)).status == 409
    gone = await api.ok("DELETE", f"{pods}/p", {"gracePeriodSeconds": 0})
    assert gone["kind"] == "Pod"
    assert (await api("GET", f"{pods}/p")).status == 404


async def test_an_unbound_pod_dies_at_once(api: Any, pods: str) -> None:
    await api.ok("POST", pods, pod())
    await api.ok("DELETE", f"{pods}/p")
    assert (await api("GET", f"{pods}/p")).status == 404


async def test_finalizers_hold_an_object_back(api: Any) -> None:
    await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": "a", "finalizers": ["example.com/x"]}})
    held = await api.ok("DELETE", f"{CONFIG_MAPS}/a")
    assert held["metadata"]["deletionTimestamp"]
    merge = {"content_type": "application/merge-patch+json"}
    more = {"metadata": {"finalizers": ["example.com/x", "example.com/y"]}}
    refused = await api("PATCH", f"{CONFIG_MAPS}/a", more, **merge)
    assert "no new finalizers can be added if the object is being deleted" in refused.json["message"]
    await api.ok("PATCH", f"{CONFIG_MAPS}/a", {"metadata": {"finalizers": None}}, **merge)
    assert (await api("GET", f"{CONFIG_MAPS}/a")).status == 404


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
async def test_propagation_leaves_a_finalizer_to_the_garbage_collector(api: Any, policy: str, finalizer: str) -> None:
    await api.ok("POST", DEPLOYMENTS, deployment())
    held = await api.ok("DELETE", f"{DEPLOYMENTS}/d?propagationPolicy={policy}")
    assert held["metadata"]["finalizers"] == [finalizer]
    background = await api.ok("DELETE", f"{DEPLOYMENTS}/d", {"propagationPolicy": "Background"})
    assert background["status"] == "Success"
    assert background["details"]["kind"] == "deployments"


async def test_delete_collection(api: Any) -> None:
    for name in ("a", "b"):
        await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": name, "labels": {"n": name}}})
    deleted = await api.ok("DELETE", f"{CONFIG_MAPS}?labelSelector=n%3Da")
    assert [i["metadata"]["name"] for i in deleted["items"]] == ["a"]
    assert len((await api.ok("GET", CONFIG_MAPS))["items"]) == 1


async def test_a_namespace_ends_when_it_is_finalized(api: Any) -> None:
    made = await api.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "n"}})
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert made["status"] == {"phase": "Active"}
    dying = await api.ok("DELETE", "/api/v1/namespaces/n")
    assert dying["status"]["phase"] == "Terminating"
    refused = await api("POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "a"}})
    assert refused.status == 403
    assert refused.json["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert refused.json["message"] == (
        'configmaps "a" is forbidden: unable to create new content in namespace n because it is being terminated'
    )
    dying["spec"] = {}
    await api.ok("PUT", "/api/v1/namespaces/n/finalize", dying)
    assert (await api("GET", "/api/v1/namespaces/n")).status == 404
    assert (await api("DELETE", "/api/v1/namespaces/default")).status == 403


async def test_scale(api: Any) -> None:
    await api.ok("POST", DEPLOYMENTS, deployment(replicas=2))
    scale = await api.ok("GET", f"{DEPLOYMENTS}/d/scale")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 0, "selector": "app=d"}
    scale["spec"]["replicas"] = 4
    await api.ok("PUT", f"{DEPLOYMENTS}/d/scale", scale)
    assert (await api.ok("GET", f"{DEPLOYMENTS}/d"))["spec"]["replicas"] == 4
    wrong = await api("PUT", f"{DEPLOYMENTS}/d/scale", {"metadata": {"name": "d"}, "spec": {"replicas": -1}})
    assert wrong.json["message"] == (
        'Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    )


async def test_eviction_deletes(api: Any, pods: str) -> None:
    await api.ok("POST", pods, pod())
    await api.ok(
        "POST", f"{pods}/p/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    )
    assert (await api("GET", f"{pods}/p")).status == 404


async def test_service_account_tokens(api: Any, pods: str) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    await api.ok("POST", accounts, {"metadata": {"name": "sa"}})
    await api.ok("POST", pods, pod())
    bound = {"boundObjectRef": {"kind": "Pod", "name": "p", "apiVersion": "v1"}, "expirationSeconds": 600}
    token = (await api.ok("POST", f"{accounts}/sa/token", {"spec": bound}))["status"]["token"]
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    user = (await api.ok("POST", review, {}, token=token))["status"]["userInfo"]
    assert user["username"] == "system:serviceaccount:default:sa"
    assert "system:serviceaccounts:default" in user["groups"]
    assert (await api("POST", review, {}, token=token[:-2] + "xx")).status == 401
    await api.ok("DELETE", f"{pods}/p")
    assert (await api("POST", review, {}, token=token)).status == 401
    short = await api("POST", f"{accounts}/sa/token", {"spec": {"expirationSeconds": 10}})
    assert "may not specify a duration less than 10 minutes" in short.json["message"]


async def test_who_may_ask(api: Any, pods: str) -> None:
    assert (await api("GET", pods, token="wrong")).json["message"] == "Unauthorized"
    anonymous = await api("GET", pods, token=None)
    assert anonymous.status == 403
    assert anonymous.json["message"] == (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" '
        'in API group "" in the namespace "default"'
    )
    assert (await api("GET", "/healthz", token=None)).raw == b"ok"
    review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert (await api.ok("POST", review, {"spec": {"resourceAttributes": {"verb": "get"}}}))["status"]["allowed"]


async def test_concurrent_patches_are_all_kept(api: Any) -> None:
    await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})

    async def patch(i: int) -> None:
        await api.ok("PATCH", f"{CONFIG_MAPS}/a", {"data": {f"k{i}": "v"}}, content_type="application/merge-patch+json")

    await asyncio.gather(*(patch(i) for i in range(20)))
    assert len((await api.ok("GET", f"{CONFIG_MAPS}/a"))["data"]) == 20


async def test_put_creates_where_upstream_does(api: Any) -> None:
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    assert (await api("PUT", f"{SERVICES}/s", service)).status == 201
    assert (await api("PUT", f"{CONFIG_MAPS}/nope", {"metadata": {"name": "nope"}})).status == 404


async def test_a_pod_takes_its_zone_from_its_node(api: Any, pods: str) -> None:
    labels = {"topology.kubernetes.io/zone": "a", "other": "x"}
    await api.ok("POST", "/api/v1/nodes", {"metadata": {"name": "n", "labels": labels}})
    await api.ok("POST", pods, pod())
    await api.ok("POST", f"{pods}/p/binding", {"target": {"name": "n"}})
    bound = await api.ok("GET", f"{pods}/p")
    assert bound["metadata"]["labels"] == {"topology.kubernetes.io/zone": "a"}
    (scheduled,) = [c for c in bound["status"]["conditions"] if c["type"] == "PodScheduled"]
    assert scheduled["status"] == "True"


async def test_the_newest_default_class_is_taken(api: Any) -> None:
    group = "/apis/networking.k8s.io/v1"
    for name, default in [("a", "true"), ("b", "false")]:
        annotations = {"ingressclass.kubernetes.io/is-default-class": default}
        obj = {"metadata": {"name": name, "annotations": annotations}, "spec": {"controller": "example.com/c"}}
        await api.ok("POST", f"{group}/ingressclasses", obj)
    spec = {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}
    made = await api.ok("POST", f"{group}/namespaces/default/ingresses", {"metadata": {"name": "i"}, "spec": spec})
    assert made["spec"]["ingressClassName"] == "a"


async def test_a_missing_service_account_is_told(api: Any, pods: str) -> None:
    obj = pod()
    obj["spec"]["serviceAccountName"] = "nope"
    refused = await api("POST", pods, obj)
    assert refused.status == 403
    assert refused.json["message"] == (
        'pods "p" is forbidden: error looking up service account default/nope: serviceaccount "nope" not found'
    )
