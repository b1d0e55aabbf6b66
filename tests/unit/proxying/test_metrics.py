"""metrics.k8s.io, from kubelets that this process plays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from api_world import Api

from podwalk.apiserver.metrics.reader import usage

BASE = "/apis/metrics.k8s.io/v1beta1"
PODS = "/api/v1/namespaces/default/pods"


def reading(cpu: int, memory: int) -> dict[str, Any]:
    return {
        "cpu": {"time": "2026-01-01T00:00:00Z", "usageNanoCores": cpu},
        "memory": {"workingSetBytes": memory},
    }


@pytest.fixture
def summary() -> dict[str, Any]:
    return {"node": {"nodeName": "n", **reading(1_500_000, 4096)}, "pods": []}


@pytest_asyncio.fixture
async def node(api: Api, summary: dict[str, Any]) -> AsyncIterator[None]:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer kubelet-token"
        return web.json_response(summary)

    app = web.Application()
    app.router.add_get("/stats/summary", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": runner.addresses[0][1]}},
    }
    await api.ok("POST", "/api/v1/nodes", {"metadata": {"name": "n", "labels": {"a": "b"}}, "status": status})
    # Nobody listens for this one: it has no metrics, and the others are not held up.
    dead = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}
    dead["daemonEndpoints"] = {"kubeletEndpoint": {"Port": 1}}  # type: ignore[assignment]
    await api.ok("POST", "/api/v1/nodes", {"metadata": {"name": "dead"}, "status": dead})
    yield
    await runner.cleanup()


@pytest.mark.usefixtures("node")
async def test_nodes(api: Api) -> None:
    found = await api.ok("GET", f"{BASE}/nodes")
    assert found["kind"] == "NodeMetricsList"
    (item,) = found["items"]
    assert (item["metadata"]["name"], item["metadata"]["labels"]) == ("n", {"a": "b"})
    assert item["usage"] == {"cpu": "1500000n", "memory": "4Ki"}
    assert (await api.ok("GET", f"{BASE}/nodes/n"))["kind"] == "NodeMetrics"
    assert (await api.ok("GET", f"{BASE}/nodes?labelSelector=a%3Dc"))["items"] == []
    told = await api.refused("GET", f"{BASE}/nodes/dead", code=404)
    assert told["message"] == 'nodemetrics.metrics.k8s.io "dead" not found'
    await api.refused("DELETE", f"{BASE}/nodes/n", code=405)


@pytest.mark.usefixtures("node")
async def test_pods(api: Api, summary: dict[str, Any]) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}}
    uid = (await api.ok("POST", PODS, pod))["metadata"]["uid"]
    reference = {"name": "p", "namespace": "default", "uid": uid}
    gone = {"name": "gone", "namespace": "default", "uid": "other"}
    summary["pods"] = [
        {"podRef": reference, "containers": [{"name": "c", **reading(250, 2048)}]},
        {"podRef": gone, "containers": [{"name": "c", **reading(1, 1)}]},
    ]
    found = await api.ok("GET", f"{BASE}/pods")
    (item,) = found["items"]
    assert item["metadata"]["namespace"] == "default"
    assert item["containers"] == [{"name": "c", "usage": {"cpu": "250n", "memory": "2Ki"}}]
    assert (await api.ok("GET", f"{BASE}/namespaces/default/pods/p"))["metadata"]["name"] == "p"
    assert (await api.ok("GET", f"{BASE}/namespaces/kube-system/pods"))["items"] == []
    told = await api.refused("GET", f"{BASE}/namespaces/default/pods/gone", code=404)
    assert told["message"] == 'podmetrics.metrics.k8s.io "default/gone" not found'
    table = await api.ok("GET", f"{BASE}/pods", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert table["rows"][0]["cells"] == ["p", "250n", "2Ki", "10s"]


async def test_the_group_is_discovered(api: Api) -> None:
    found = await api.ok("GET", BASE)
    assert [(r["name"], r["kind"], r["verbs"]) for r in found["resources"]] == [
        ("nodes", "NodeMetrics", ["get", "list"]),
        ("pods", "PodMetrics", ["get", "list"]),
    ]


def test_nothing_used_is_zero() -> None:
    assert usage({}) == {"cpu": "0", "memory": "0"}
