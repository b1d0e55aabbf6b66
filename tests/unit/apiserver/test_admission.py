"""What other objects say about a new one: quotas, limits, priorities, and the addresses of Services."""

from typing import Any

import pytest

QUOTAS = "/api/v1/namespaces/default/resourcequotas"
LIMITS = "/api/v1/namespaces/default/limitranges"
SERVICES = "/api/v1/namespaces/default/services"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
RANGES = "/apis/networking.k8s.io/v1/servicecidrs"
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"


def pod(name: str = "p", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def asking(**requests: str) -> list[dict[str, Any]]:
    return [{"name": "c", "image": "i", "resources": {"requests": requests}}]


async def test_a_quota_counts_objects(api: Any) -> None:
    await api.ok("POST", QUOTAS, {"metadata": {"name": "few"}, "spec": {"hard": {"configmaps": "1"}}})
    await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})
    answer = await api("POST", CONFIG_MAPS, {"metadata": {"name": "b"}})
    assert answer.status == 403
    assert answer.json["message"] == (
        'configmaps "b" is forbidden: exceeded quota: few, requested: configmaps=1, used: configmaps=1, '
        "limited: configmaps=1"
    )
    await api.ok("DELETE", f"{CONFIG_MAPS}/a")
    await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": "b"}})


async def test_a_quota_adds_up_what_pods_ask_for(api: Any, pods: str) -> None:
    hard = {"requests.cpu": "1", "pods": "5"}
    await api.ok("POST", QUOTAS, {"metadata": {"name": "small"}, "spec": {"hard": hard}})
    answer = await api("POST", pods, pod())
    assert answer.json["message"] == 'pods "p" is forbidden: failed quota: small: must specify requests.cpu for: c'
    await api.ok("POST", pods, pod("a", containers=asking(cpu="600m")))
    answer = await api("POST", pods, pod("b", containers=asking(cpu="500m")))
    assert answer.json["message"].endswith(
        "exceeded quota: small, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1"
    )


async def test_an_update_may_not_grow_beyond_a_quota(api: Any) -> None:
    await api.ok("POST", QUOTAS, {"metadata": {"name": "one"}, "spec": {"hard": {"services.nodeports": "1"}}})
    await api.ok("POST", SERVICES, {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}})
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    answer = await api(
        "PATCH", f"{SERVICES}/s", {"spec": {"ports": ports}}, content_type="application/merge-patch+json"
    )
    assert (answer.status, "exceeded quota: one" in answer.json["message"]) == (403, True)


async def test_a_limit_range_fills_in_and_refuses(api: Any, pods: str) -> None:
    item = {"type": "Container", "default": {"memory": "64Mi"}, "defaultRequest": {"memory": "32Mi"},
            "max": {"memory": "128Mi"}}  # fmt: skip
    await api.ok("POST", LIMITS, {"metadata": {"name": "l"}, "spec": {"limits": [item]}})
    made = await api.ok("POST", pods, pod())
    assert made["spec"]["containers"][0]["resources"] == {"requests": {"memory": "32Mi"}, "limits": {"memory": "64Mi"}}
    assert made["metadata"]["annotations"] == {
        "kubernetes.io/limit-ranger": (
            "LimitRanger plugin set: memory request for container c; memory limit for container c"
        )
    }
    big = [{"name": "c", "image": "i", "resources": {"limits": {"memory": "1Gi"}}}]
    answer = await api("POST", pods, pod("big", containers=big))
    assert answer.status == 403
    told = "maximum memory usage per Container is 128Mi, but limit is 1Gi"
    assert answer.json["message"] == f'pods "big" is forbidden: {told}'


async def test_the_systems_priority_classes_are_there(api: Any, pods: str) -> None:
    found = await api.ok("GET", CLASSES)
    assert {c["metadata"]["name"]: c["value"] for c in found["items"]} == {
        "system-cluster-critical": 2_000_000_000,
        "system-node-critical": 2_000_001_000,
    }
    made = await api.ok("POST", pods, pod(priorityClassName="system-node-critical"))
    assert made["spec"]["priority"] == 2_000_001_000


async def test_a_pod_gets_the_priority_of_its_class(api: Any, pods: str) -> None:
    answer = await api("POST", pods, pod(priorityClassName="high"))
    assert answer.json["message"] == 'pods "p" is forbidden: no PriorityClass with name high was found'
    high = {"metadata": {"name": "high"}, "value": 7, "globalDefault": True, "preemptionPolicy": "Never"}
    await api.ok("POST", CLASSES, high)
    made = await api.ok("POST", pods, pod())
    wanted = ("priorityClassName", "priority", "preemptionPolicy")
    assert [made["spec"][f] for f in wanted] == ["high", 7, "Never"]
    answer = await api("POST", pods, pod("q", priority=3))
    assert "must not be provided in pod spec; priority admission controller computed 7" in answer.json["message"]
    answer = await api("POST", CLASSES, {**high, "metadata": {"name": "other"}})
    assert answer.json["message"].endswith(
        "PriorityClass high is already marked as default. Only one default can exist"
    )


async def test_every_cluster_ip_is_an_ipaddress(api: Any) -> None:
    made = await api.ok("POST", SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    ip = made["spec"]["clusterIP"]
    address = await api.ok("GET", f"{ADDRESSES}/{ip}")
    assert address["spec"] == {"parentRef": {"resource": "services", "namespace": "default", "name": "s"}}
    assert address["metadata"]["labels"]["ipaddress.kubernetes.io/managed-by"] == "ipallocator.k8s.io"
    await api.ok("DELETE", f"{SERVICES}/s")
    assert (await api("GET", f"{ADDRESSES}/{ip}")).status == 404


async def test_a_dry_run_and_a_refusal_leave_no_address(api: Any) -> None:
    before = len((await api.ok("GET", ADDRESSES))["items"])
    body = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    await api.ok("POST", f"{SERVICES}?dryRun=All", body)
    assert (await api("POST", SERVICES, {**body, "spec": {"ports": [{"port": 0}]}})).status == 422
    assert len((await api.ok("GET", ADDRESSES))["items"]) == before


async def test_an_address_that_somebody_holds_is_not_given_out(api: Any) -> None:
    parent = {"parentRef": {"group": "example.com", "resource": "gateways", "name": "g"}}
    await api.ok("POST", ADDRESSES, {"metadata": {"name": "10.96.0.77"}, "spec": parent})
    spec = {"clusterIP": "10.96.0.77", "ports": [{"port": 80}]}
    answer = await api("POST", SERVICES, {"metadata": {"name": "s"}, "spec": spec})
    assert answer.json["message"].endswith("failed to allocate IP 10.96.0.77: provided IP is already allocated")


async def test_a_second_range_gives_addresses_too(api: Any) -> None:
    found = await api.ok("GET", f"{RANGES}/kubernetes")
    assert found["spec"]["cidrs"] == ["10.96.0.0/16"]
    assert found["status"]["conditions"][0]["status"] == "True"
    spec = {"clusterIP": "10.200.0.9", "ports": [{"port": 80}]}
    body = {"metadata": {"name": "s"}, "spec": spec}
    assert (await api("POST", SERVICES, body)).status == 422
    await api.ok("POST", RANGES, {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.200.0.0/24"]}})
    await api.ok("POST", SERVICES, body)


async def test_a_bad_type_is_judged_before_the_addresses(api: Any) -> None:
    await api.ok("POST", SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    answer = await api(
        "PATCH", f"{SERVICES}/s", {"spec": {"type": "Sideways"}}, content_type="application/merge-patch+json"
    )
    assert [c["field"] for c in answer.json["details"]["causes"]] == ["spec.type"]


@pytest.mark.parametrize("path", ["jobs", "cronjobs"])
async def test_batch_is_served(api: Any, path: str) -> None:
    found = await api.ok("GET", f"/apis/batch/v1/namespaces/default/{path}")
    assert found["items"] == []


async def test_the_systems_priority_classes_stay(api: Any) -> None:
    answer = await api("DELETE", f"{CLASSES}/system-node-critical")
    assert answer.json["message"] == (
        'priorityclasses.scheduling.k8s.io "system-node-critical" is forbidden: '
        "this is a system priority class and cannot be deleted"
    )


async def test_the_scale_of_a_replicationcontroller_tells_whom_it_selects(api: Any) -> None:
    path = "/api/v1/namespaces/default/replicationcontrollers"
    template = {"metadata": {"labels": {"app": "r"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await api.ok("POST", path, {"metadata": {"name": "r"}, "spec": {"template": template}})
    scale = await api.ok("GET", f"{path}/r/scale")
    assert scale["status"] == {"replicas": 0, "selector": "app=r"}
    scale["spec"]["replicas"] = 4
    await api.ok("PUT", f"{path}/r/scale", scale)
    assert (await api.ok("GET", f"{path}/r"))["spec"]["replicas"] == 4
