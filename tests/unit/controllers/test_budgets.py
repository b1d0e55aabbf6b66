"""Disruption budgets, quotas and the ranges of Services."""

from __future__ import annotations

from typing import Any

import pytest
from controllers_fake import FakeClient, active, make_nodes, play_kubelet
from objects import deployment, pod, service

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import resourcequota, servicecidr


def budget(**spec: Any) -> Object:
    spec = {"selector": {"matchLabels": {"app": "web"}}, **spec}
    metadata = {"name": "web", "namespace": "default"}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}


def counts(fake: FakeClient) -> tuple[int, ...]:
    found = (fake.find("PodDisruptionBudget", "default/web") or {}).get("status") or {}
    return tuple(found.get(f, -1) for f in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 2}, (2, 4, 2, 4)),
        ({"minAvailable": "50%"}, (2, 4, 2, 4)),
        ({"minAvailable": "51%"}, (1, 4, 3, 4)),
        ({"maxUnavailable": 1}, (1, 4, 3, 4)),
        ({"maxUnavailable": "10%"}, (1, 4, 3, 4)),
        ({"maxUnavailable": 9}, (4, 4, 0, 4)),
        ({"minAvailable": 9}, (0, 4, 9, 4)),
    ],
)
async def test_how_many_may_go(fake: FakeClient, spec: Object, expected: tuple[int, ...]) -> None:
    await make_nodes(fake, "a")
    await fake.create(deployment(replicas=4))
    await fake.create(budget(**spec))
    await play_kubelet(fake, lambda: counts(fake) == expected)
    found = fake.find("PodDisruptionBudget", "default/web")["status"]["conditions"]
    assert [(c["type"], c["status"], c["reason"]) for c in found] == [
        ("DisruptionAllowed", "True", "SufficientPods")
        if expected[0]
        else ("DisruptionAllowed", "False", "InsufficientPods")
    ]


async def test_an_approved_eviction_counts_until_the_pod_is_gone(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    await fake.create(deployment(replicas=2))
    await fake.create(budget(minAvailable=1))
    await play_kubelet(fake, lambda: counts(fake) == (1, 2, 1, 2))
    status = fake.find("PodDisruptionBudget", "default/web")["status"]
    gone = meta.name(active(fake)[0])
    approved = {**status, "disruptionsAllowed": 0, "disruptedPods": {gone: meta.now()}}
    await fake.patch("PodDisruptionBudget", "web", {"status": approved}, "default", subresource="status")
    await fake.until(lambda: counts(fake) == (0, 1, 1, 2))
    await fake.delete("Pod", gone, "default")
    await play_kubelet(fake, lambda: counts(fake) == (1, 2, 1, 2))
    assert "disruptedPods" not in fake.find("PodDisruptionBudget", "default/web")["status"]


async def test_pods_that_nobody_can_count(fake: FakeClient) -> None:
    await make_nodes(fake, "a")
    one = pod("lonely", {"app": "web"})
    one["metadata"]["ownerReferences"] = [{"kind": "DaemonSet", "name": "x", "uid": "u", "controller": True}]
    one["metadata"]["finalizers"] = ["test/keep"]
    await fake.create(one)
    await fake.create(budget(maxUnavailable=1))
    await fake.until(lambda: counts(fake)[0] == 0)
    found = fake.find("PodDisruptionBudget", "default/web")["status"]["conditions"][0]
    assert (found["reason"], found["message"]) == (
        "SyncFailed",
        "daemonsets.apps does not implement the scale subresource",
    )


def quota(**hard: str) -> Object:
    metadata = {"name": "q", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}


def test_what_is_used() -> None:
    resources = {"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"cpu": "1"}}
    greedy = {"requests": {"memory": "256Mi"}}
    busy = pod("busy", containers=[{"name": "c", "resources": resources}])
    busy["spec"]["initContainers"] = [{"name": "i", "resources": greedy}]
    ended = {**pod("ended", containers=[{"name": "c", "resources": resources}]), "status": {"phase": "Succeeded"}}
    lb = service("lb", type="LoadBalancer", ports=[{"port": 1, "nodePort": 30000}, {"port": 2, "nodePort": 30001}])
    objects = {"Pod": [busy, pod("idle"), ended], "Service": [lb, service()], "Deployment": [deployment()]}
    hard = {
        "pods": "9",
        "cpu": "9",
        "requests.memory": "1Gi",
        "limits.cpu": "9",
        "services": "9",
        "services.nodeports": "9",
        "services.loadbalancers": "9",
        "count/deployments.apps": "9",
    }

    def used(one: Object) -> dict[str, str]:
        return resourcequota.used(one, lambda kind: objects.get(kind, []))

    assert used(quota(**hard)) == {
        "pods": "2",
        "cpu": "250m",
        "requests.memory": "256Mi",
        "limits.cpu": "1",
        "services": "2",
        "services.nodeports": "2",
        "services.loadbalancers": "1",
        "count/deployments.apps": "1",
    }
    scoped = quota(pods="9")
    scoped["spec"]["scopes"] = ["BestEffort"]
    assert used(scoped) == {"pods": "1"}
    scoped["spec"]["scopes"] = ["NotBestEffort", "NotTerminating"]
    assert used(scoped) == {"pods": "1"}
    classes = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}
    scoped["spec"] = {"hard": {"pods": "9"}, "scopeSelector": classes}
    assert used(scoped) == {"pods": "0"}


async def test_a_quota_follows_its_namespace(fake: FakeClient) -> None:
    await fake.create(quota(pods="9", services="5"))

    def status() -> Object:
        return (fake.find("ResourceQuota", "default/q") or {}).get("status") or {}

    await fake.until(lambda: status().get("used") == {"pods": "0", "services": "1"})
    await fake.create(pod("one"))
    await fake.until(lambda: status().get("used") == {"pods": "1", "services": "1"})
    assert status()["hard"] == {"pods": "9", "services": "5"}


def cidr(name: str, *ranges: str) -> Object:
    spec = {"cidrs": list(ranges)}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": name}, "spec": spec}


def address(ip: str) -> Object:
    labels = {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {"name": ip, "labels": labels},
        "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}},
    }


@pytest.mark.parametrize(
    ("others", "addresses", "expected"),
    [
        ([], [], True),
        ([], ["10.1.0.5"], False),
        ([], ["10.2.0.5"], True),
        (["10.0.0.0/8"], ["10.1.0.5"], True),
        (["10.1.0.0/24"], ["10.1.0.5"], True),
        (["10.1.1.0/24"], ["10.1.0.5"], False),
    ],
)
def test_when_a_range_may_go(others: list[str], addresses: list[str], expected: bool) -> None:
    ranges = [cidr(f"o{i}", text) for i, text in enumerate(others)]
    assert servicecidr.may_go(cidr("x", "10.1.0.0/16"), ranges, [address(a) for a in addresses]) == expected


async def test_a_range_is_held_while_it_is_used(fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servicecidr, "_DELETION_GRACE", 0)
    await fake.create(cidr("more", "10.1.0.0/16"))
    await fake.create(address("10.1.0.5"))

    def ready() -> tuple[Any, ...]:
        found = meta.condition(fake.find("ServiceCIDR", "more") or {}, "Ready") or {}
        return found.get("status"), found.get("reason"), found.get("message")

    await fake.until(lambda: ready() == ("True", "", "Kubernetes Service CIDR is ready"))
    assert fake.find("ServiceCIDR", "more")["metadata"]["finalizers"] == [servicecidr.FINALIZER]
    await fake.delete("ServiceCIDR", "more")
    await fake.until(lambda: ready()[:2] == ("False", "Terminating"))
    await fake.delete("IPAddress", "10.1.0.5")
    await fake.until(lambda: fake.find("ServiceCIDR", "more") is None)
