"""Evictions: what a disruption budget lets through, and what it answers where it does not."""

from __future__ import annotations

from typing import Any

import pytest

_PODS = "/api/v1/namespaces/default/pods"
_BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


def _pod(name: str = "p") -> dict[str, Any]:
    metadata = {"name": name, "labels": {"app": "web"}}
    spec = {"containers": [{"name": "c", "image": "nginx"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


async def _running(api: Any, ready: bool = True, name: str = "p") -> None:
    await api.ok("POST", _PODS, _pod(name))
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    patch = {"status": {"phase": "Running", "conditions": conditions}}
    await api.ok("PATCH", f"{_PODS}/{name}/status", patch, content_type="application/merge-patch+json")


async def _budget(api: Any, name: str = "web", policy: str | None = None, **status: Any) -> None:
    spec: dict[str, Any] = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    if policy:
        spec["unhealthyPodEvictionPolicy"] = policy
    body = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}
    await api.ok("POST", _BUDGETS, body)
    known = {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1}
    patch = {"status": {**known, "expectedPods": 1, **status}}
    await api.ok("PATCH", f"{_BUDGETS}/{name}/status", patch, content_type="application/merge-patch+json")


async def _evict(api: Any, name: str = "p") -> Any:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    return await api("POST", f"{_PODS}/{name}/eviction", body)


async def test_a_budget_with_nothing_left_refuses(api: Any) -> None:
    await _running(api)
    await _budget(api)
    answer = await _evict(api)
    assert answer.status == 429
    assert answer.json["reason"] == "TooManyRequests"
    assert answer.json["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    text = "The disruption budget web needs 1 healthy pods and has 1 currently"
    assert answer.json["details"]["causes"] == [{"reason": "DisruptionBudget", "message": text}]
    assert (await api("GET", f"{_PODS}/p")).status == 200


async def test_a_budget_that_nobody_has_looked_at_yet_refuses(api: Any) -> None:
    await _running(api)
    await _budget(api, observedGeneration=0, disruptionsAllowed=5)
    answer = await _evict(api)
    assert (answer.status, answer.json["details"]["retryAfterSeconds"]) == (429, 10)
    cause = answer.json["details"]["causes"][0]
    assert cause["message"] == "The disruption budget web is still being processed by the server."


async def test_an_eviction_is_paid_for(api: Any) -> None:
    await _running(api)
    await _running(api, name="q")
    await _budget(api, disruptionsAllowed=1)
    assert (await _evict(api)).status == 201
    status = (await api("GET", f"{_BUDGETS}/web")).json["status"]
    assert (status["disruptionsAllowed"], list(status["disruptedPods"])) == (0, ["p"])
    assert (await _evict(api, "q")).status == 429


@pytest.mark.parametrize(
    ("policy", "healthy", "code"),
    [("IfHealthyBudget", 1, 201), ("IfHealthyBudget", 0, 429), ("AlwaysAllow", 0, 201), (None, 1, 201)],
)
async def test_a_pod_that_is_not_ready(api: Any, policy: str | None, healthy: int, code: int) -> None:
    await _running(api, ready=False)
    await _budget(api, policy=policy, currentHealthy=healthy)
    assert (await _evict(api)).status == code


async def test_a_pod_that_does_not_run_costs_nothing(api: Any) -> None:
    await api.ok("POST", _PODS, _pod())
    await _budget(api)
    assert (await _evict(api)).status == 201


async def test_two_budgets_for_one_pod_are_one_too_many(api: Any) -> None:
    await _running(api)
    await _budget(api, disruptionsAllowed=1)
    await _budget(api, "other", disruptionsAllowed=1)
    answer = await _evict(api)
    assert (answer.status, answer.json["message"]) == (
        500,
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    )
