"""The proxy subresource towards a backend in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from api_world import ADMIN, Api
from yarl import URL

from podwalk.apiserver.http import proxying

PODS = "/api/v1/namespaces/default/pods"
PAGE = b"""<html><a href="/a">a</a> <a href='b'>b</a> <img src="http://elsewhere.example/c.png"></html>"""


async def show(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/page":
            return web.Response(body=PAGE, content_type="text/html")
        case "/redirect":
            return web.Response(status=302, headers={"Location": "/there?x=1", "Access-Control-Allow-Origin": "*"})
        case "/away":
            return web.Response(status=302, headers={"Location": "http://elsewhere.example/"})
        case "/socket":
            return await echo(request)
        case "/refuse":
            return web.Response(status=403, text="no")
    seen = {"method": request.method, "url": request.raw_path, "body": (await request.read()).decode()}
    return web.json_response({**seen, "headers": dict(request.headers)})


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=["chat"])
    await socket.prepare(request)
    async for message in socket:
        if message.data == "bye":
            await socket.close(code=4001)
        elif message.type == aiohttp.WSMsgType.BINARY:
            await socket.send_bytes(message.data)
        else:
            await socket.send_str(f"echo {message.data}")
    return socket


@pytest_asyncio.fixture
async def base(api: Api, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", show)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setattr(proxying, "check_address", lambda address: None)
    # A Pod whose name is that of the subresource must not confuse anybody.
    pod = {"metadata": {"name": "proxy"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await api.ok("POST", PODS, pod)
    merge = "application/merge-patch+json"
    await api.ok("PATCH", f"{PODS}/proxy/status", {"status": {"podIP": "127.0.0.1"}}, content_type=merge)
    yield f"{PODS}/proxy:{runner.addresses[0][1]}/proxy"
    await runner.cleanup()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_passes_with_its_url_and_body(api: Api, base: str, method: str) -> None:
    body = None if method in ("GET", "OPTIONS") else b"body"
    seen = await api.ok(method, f"{base}/a%2Fb/?q=1&q=%20", body, headers={"X-Mine": "yes"})
    assert (seen["method"], seen["url"], seen["body"]) == (method, "/a%2Fb/?q=1&q=%20", (body or b"").decode())
    assert seen["headers"]["X-Mine"] == "yes"
    assert seen["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert seen["headers"]["X-Forwarded-Uri"] == f"{base}/a%2Fb/"
    assert "Authorization" not in seen["headers"]


async def test_an_empty_path_is_redirected(api: Api, base: str) -> None:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with api.session.get(f"{api.base}{base}?a=b", headers=headers, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (301, f"{base}/?a=b")
    assert (await api.ok("POST", base, b""))["url"] == "/"


async def test_redirects_and_links_lead_through_the_proxy(api: Api, base: str) -> None:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with api.session.get(f"{api.base}{base}/redirect", headers=headers, allow_redirects=False) as answer:
        assert answer.headers["Location"] == f"{base}/there?x=1"
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with api.session.get(f"{api.base}{base}/away", headers=headers, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "http://elsewhere.example/"
    page = await api("GET", f"{base}/page")
    assert page.raw == PAGE.replace(b'"/a"', f'"{base}/a"'.encode())
    assert int(page.headers["Content-Length"]) == len(page.raw)


@pytest.mark.parametrize(
    ("link", "seen"),
    [
        ("/x/", "/p/proxy/x/"),
        ("x", "x"),
        ("http://10.0.0.1:80/x?q#f", "/p/proxy/x?q#f"),
        ("http://other/x", "http://other/x"),
        ("/p/proxy/x", "/p/proxy/x"),
        ("mailto:a@b", "mailto:a@b"),
        ("http://[", "http://["),
    ],
)
def test_links(link: str, seen: str) -> None:
    location = proxying.Location(URL("http://10.0.0.1:80/"), "/p/proxy")
    assert proxying.rewrite(link, location, "api:6443") == seen


async def test_a_websocket_passes(api: Api, base: str) -> None:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with (
        asyncio.timeout(10),
        api.session.ws_connect(f"{api.base}{base}/socket", headers=headers, protocols=["chat"]) as socket,
    ):
        assert socket.protocol == "chat"
        await socket.send_str("hello")
        assert await socket.receive_str() == "echo hello"
        await socket.send_bytes(b"\0\1")
        assert await socket.receive_bytes() == b"\0\1"
        await socket.send_str("bye")
        message: Any = await socket.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4001)


async def test_a_refused_upgrade_is_told(api: Api, base: str) -> None:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await api.session.ws_connect(f"{api.base}{base}/refuse", headers=headers)
    assert refused.value.status == 403
    told = await api.refused(
        "POST", f"{base}/x", b"", code=400, headers={"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    )
    assert told["message"] == "only WebSocket connections can be upgraded through the proxy"


async def test_nodes_are_asked_at_their_kubelets(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.refused("GET", "/api/v1/nodes/gone/proxy/healthz", code=404)
    tokens = []

    async def kubelet(request: web.Request) -> web.Response:
        tokens.append(request.headers.get("Authorization"))
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/healthz", kubelet)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setattr(proxying, "check_address", lambda address: None)
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": runner.addresses[0][1]}},
    }
    await api.ok("POST", "/api/v1/nodes", {"metadata": {"name": "n"}, "status": status})
    assert (await api("GET", "/api/v1/nodes/n/proxy/healthz")).raw == b"ok"
    assert (await api("GET", f"/api/v1/nodes/n:{runner.addresses[0][1]}/proxy/healthz")).raw == b"ok"
    assert tokens == ["Bearer kubelet-token"] * 2
    await runner.cleanup()
