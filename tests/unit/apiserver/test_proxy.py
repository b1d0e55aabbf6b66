"""The proxy subresource."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from podwalk.api.errors import bad_request
from podwalk.apiserver.http import proxying


@pytest_asyncio.fixture
async def backend(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        text = f"{request.method} {request.path_qs} {await request.text()} {request.headers.get('Authorization')}"
        return web.Response(text=text, status=418, headers={"X-Test": "yes"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setattr(proxying, "check_address", lambda address: None)
    yield runner.addresses[0][1]
    await runner.cleanup()


async def make_pod(api: Any, pods: str, address: str | None) -> None:
    await api.ok("POST", pods, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    if address:
        merge = "application/merge-patch+json"
        await api.ok("PATCH", f"{pods}/p/status", {"status": {"podIP": address}}, content_type=merge)


async def test_a_pod_is_asked_without_the_clients_token(api: Any, pods: str, backend: int) -> None:
    await make_pod(api, pods, "127.0.0.1")
    answer = await api("POST", f"{pods}/p:{backend}/proxy/a/b?c=d", b"body")
    assert (answer.status, answer.headers["X-Test"], answer.raw) == (418, "yes", b"POST /a/b?c=d body None")


async def test_a_service_without_endpoints_or_port(api: Any) -> None:
    services = "/api/v1/namespaces/default/services"
    await api.ok("POST", services, {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "http", "port": 80}]}})
    none = await api("GET", f"{services}/s:http/proxy/")
    assert (none.status, none.json["message"]) == (503, 'no endpoints available for service "s:http"')
    wrong = await api("GET", f"{services}/s:none/proxy/")
    assert wrong.json["message"] == 'no service port "none" found for service "s"'


async def test_a_service_is_asked_at_its_ready_endpoints(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def check(address: str) -> None:
        asked.append(address)
        raise bad_request("seen")

    monkeypatch.setattr(proxying, "check_address", check)
    services = "/api/v1/namespaces/default/services"
    await api.ok("POST", services, {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "http", "port": 80}]}})
    endpoints = {
        "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.9.9.9"], "conditions": {"ready": False}},
            {"addresses": ["10.9.9.8"], "conditions": {"ready": True}},
        ],
        "ports": [{"name": "http", "port": 8080}, {"name": "other", "port": 1}],
    }
    await api.ok("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", endpoints)
    for port in ("", ":http", ":80"):
        assert (await api("GET", f"{services}/s{port}/proxy/")).json["message"] == "seen"
    assert asked == ["10.9.9.8"] * 3


@pytest.mark.parametrize("address", [None, "127.0.0.1", "169.254.1.1"])
async def test_not_every_address_is_asked(api: Any, pods: str, address: str | None) -> None:
    await make_pod(api, pods, address)
    answer = await api("GET", f"{pods}/p/proxy/")
    assert (answer.status, answer.json["message"]) == (400, "address not allowed")


async def test_a_pod_that_refuses(api: Any, pods: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxying, "check_address", lambda address: None)
    await make_pod(api, pods, "127.0.0.1")
    answer = await api("GET", f"{pods}/p:1/proxy/")
    assert answer.status == 503
    assert answer.json["message"] == "error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused"
