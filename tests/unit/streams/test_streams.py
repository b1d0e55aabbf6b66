"""The API server between a client and a kubelet; the kubelet here is a small HTTP server."""

import asyncio
import json
import socket

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from podwalk.api.errors import ApiError
from podwalk.apiserver.streams import KubeletEndpoint, serve_stream, spdy

TOKEN = "secret"


def pod(*containers, node="worker", init=(), annotations=None):
    spec = {"containers": [{"name": c} for c in containers], "initContainers": [{"name": c} for c in init]}
    if node:
        spec["nodeName"] = node
    metadata = {"name": "web", "namespace": "shop", "uid": "u-1", "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


class FakeKubelet:
    """Answers as docs/architecture.md says a kubelet does, and remembers what it was asked."""

    def __init__(self):
        self.queries = []
        self.gone, self.ended = asyncio.Event(), asyncio.Event()
        self.received = []

    def app(self):
        app = web.Application()
        app.add_routes(
            [
                web.get("/containerLogs/{ns}/{pod}/{container}", self.logs),
                web.get("/exec/{ns}/{pod}/{container}", self.exec),
                web.get("/portForward/{ns}/{pod}", self.port_forward),
            ]
        )
        return app

    async def logs(self, request):
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        self.queries.append((request.match_info["container"], dict(request.query)))
        if request.match_info["container"] == "waiting":
            return web.Response(status=400, text='container "waiting" in pod "web" is waiting to start')
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        if "follow" in request.query:
            try:
                await asyncio.sleep(60)
            finally:
                self.gone.set()
        return response

    async def exec(self, request):
        if request.match_info["container"] == "dead":
            return web.Response(status=404, text='container not found ("dead")')
        self.queries.append(request.query)
        ws = web.WebSocketResponse(protocols=("v5.channel.k8s.io",))
        await ws.prepare(request)
        async for message in ws:
            self.received.append(bytes(message.data))
            if message.data[0] == 255:
                break
            if message.data == b"\x00die":
                request.transport.abort()
                return ws
            await ws.send_bytes(b"\x01" + message.data[1:].upper())
        self.ended.set()
        await ws.send_bytes(b"\x03" + json.dumps({"status": "Success"}).encode())
        await ws.close()
        return ws

    async def port_forward(self, request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        if request.query["port"] == "81":
            if request.match_info["pod"] == "wordy":
                await ws.send_str("the whole story")
            await ws.close(code=4000, message=b"connection refused")
            return ws
        async for message in ws:
            if not message.data and request.query["port"] != "82":  # 82 never ends by itself
                break
            await ws.send_bytes(request.query["port"].encode() + b":" + message.data)
        await ws.close()
        return ws


@pytest.fixture
async def kubelet():
    fake = FakeKubelet()
    async with TestServer(fake.app()) as server:
        fake.endpoint = KubeletEndpoint(server.host, server.port, TOKEN)
        yield fake


@pytest.fixture
async def serve(kubelet):
    """A function (pod, subresource) -> client of an API server that serves this Pod."""
    opened = []

    async def start(obj, subresource, endpoint=None):
        async def handler(request):
            try:
                return await serve_stream(request, obj, subresource, endpoint or kubelet.endpoint)
            except ApiError as error:
                return web.json_response(error.status(), status=error.code)

        app = web.Application()
        app.router.add_route("*", "/", handler)
        client = TestClient(TestServer(app, handler_cancellation=True))
        await client.start_server()
        opened.append(client)
        return client

    yield start
    for client in opened:
        await client.close()


async def status_of(response):
    body = await response.json()
    return response.status, body["message"]


async def test_the_only_container_is_the_default(serve, kubelet):
    client = await serve(pod("app"), "log")
    response = await client.get("/", params={"tailLines": "5", "timestamps": "true"})
    assert (response.status, await response.text()) == (200, "one\n")
    assert response.content_type == "text/plain"
    assert kubelet.queries == [("app", {"tailLines": "5", "timestamps": "true"})]


async def test_several_containers_need_a_name(serve):
    client = await serve(pod("app", "proxy", init=("setup",)), "log")
    assert await status_of(await client.get("/")) == (
        400,
        "a container name must be specified for pod web, choose one of: [app proxy] "
        "or one of the init containers: [setup]",
    )


async def test_the_annotated_container_is_the_default(serve, kubelet):
    client = await serve(pod("app", "proxy", annotations={"kubectl.kubernetes.io/default-container": "proxy"}), "log")
    await (await client.get("/")).read()
    assert kubelet.queries[0][0] == "proxy"


async def test_an_unknown_container_is_named(serve):
    client = await serve(pod("app"), "log")
    assert await status_of(await client.get("/?container=x")) == (400, "container x is not valid for pod web")


async def test_a_pod_without_node_has_an_empty_log_but_no_exec(serve):
    client = await serve(pod("app", node=""), "log")
    response = await client.get("/")
    assert (response.status, await response.text()) == (204, "")
    client = await serve(pod("app", node=""), "exec")
    assert await status_of(await client.get("/?command=ls&stdout=1")) == (400, "pod web does not have a host assigned")


async def test_the_kubelets_refusal_reaches_the_client(serve):
    client = await serve(pod("waiting"), "log")
    assert await status_of(await client.get("/")) == (400, 'container "waiting" in pod "web" is waiting to start')


@pytest.mark.parametrize(
    ("query", "code", "part"),
    [
        ("tailLines=-1", 422, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("sinceSeconds=0", 422, "sinceSeconds: Invalid value: 0: must be greater than 0"),
        ("tailLines=x", 400, "tailLines"),
    ],
)
async def test_log_options_are_checked(serve, query, code, part):
    client = await serve(pod("app"), "log")
    status, message = await status_of(await client.get(f"/?{query}"))
    assert status == code
    assert part in message


async def test_a_follower_that_leaves_ends_the_kubelets_stream(serve, kubelet):
    client = await serve(pod("app"), "log")
    response = await client.get("/?follow=true")
    assert await response.content.readline() == b"one\n"
    response.close()
    await asyncio.wait_for(kubelet.gone.wait(), 10)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def test_an_unreachable_node_is_told_as_go_tells_it(serve):
    port = free_port()
    dead = KubeletEndpoint("127.0.0.1", port, TOKEN)
    client = await serve(pod("app"), "log", dead)
    status, message = await status_of(await client.get("/"))
    assert status == 500
    assert message.startswith(f'Get "http://127.0.0.1:{port}/containerLogs/shop/web/app": dial tcp')
    assert message.endswith("connect: connection refused")
    client = await serve(pod("app"), "exec", dead)
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    _, message = await status_of(await client.get("/?command=ls&stdout=1", headers=headers))
    assert message == f"error dialing backend: dial tcp 127.0.0.1:{port}: connect: connection refused"


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_exec_relays_both_ways_and_ends_with_the_status(serve, kubelet, protocol):
    client = await serve(pod("app"), "exec")
    query = "command=tr&command=a b&stdin=true&stdout=true&stderr=true&tty=true"
    async with client.ws_connect(f"/?{query}", protocols=(protocol,)) as ws:
        assert ws.protocol == protocol
        await ws.send_bytes(b"\x00abc")
        assert await ws.receive_bytes() == b"\x01ABC"
        await ws.send_str("\x00text")  # as the official Python client writes
        assert await ws.receive_bytes() == b"\x01TEXT"
        await ws.send_bytes(b"\xff\x00")
        last = await ws.receive_bytes()
        assert (last[0], json.loads(last[1:])) == (3, {"status": "Success"})
        assert (await ws.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING)
    assert kubelet.queries[0].getall("command") == ["tr", "a b"]
    assert "stderr" not in kubelet.queries[0], "a terminal has one output"
    assert kubelet.received[-1] == b"\xff\x00"


async def test_a_kubelet_that_dies_is_no_good_end(serve):
    client = await serve(pod("app"), "exec")
    async with client.ws_connect("/?command=ls&stdin=true&stdout=true", protocols=("v5.channel.k8s.io",)) as ws:
        await ws.send_bytes(b"\x00die")
        last = await ws.receive(timeout=10)
        assert (last.type, last.data) == (WSMsgType.CLOSE, 1011)


async def test_exec_is_refused_before_the_upgrade(serve):
    client = await serve(pod("dead"), "exec")
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.ws_connect("/?command=ls&stdout=1")
    assert caught.value.status == 500
    client = await serve(pod("app"), "exec")
    assert await status_of(await client.get("/?stdout=1")) == (
        400,
        "you must specify at least 1 command for the container",
    )


class KubectlTunnel:
    """kubectl's side of a port-forward: SPDY in binary messages."""

    def __init__(self, ws):
        self.ws = ws
        self.writer, self.reader = spdy.FrameWriter(), spdy.FrameReader()
        self.data, self.ended = {}, set()

    async def open(self, number, port):
        error, data = 4 * number + 1, 4 * number + 3
        for stream, kind in ((error, "error"), (data, "data")):
            headers = {"streamType": kind, "port": str(port), "requestID": str(number)}
            await self.ws.send_bytes(self.writer.syn_stream(stream, headers))
        await self.ws.send_bytes(self.writer.data(error, b"", fin=True))
        return error, data

    async def until(self, done):
        async with asyncio.timeout(10):
            while not done():
                for frame in self.reader.feed(await self.ws.receive_bytes()):
                    if isinstance(frame, spdy.Data):
                        self.data[frame.stream] = self.data.get(frame.stream, b"") + frame.data
                        if frame.fin:
                            self.ended.add(frame.stream)


async def test_two_connections_share_one_tunnel(serve):
    client = await serve(pod("app"), "portforward")
    async with client.ws_connect("/", protocols=("SPDY/3.1+portforward.k8s.io",)) as ws:
        assert ws.protocol == "SPDY/3.1+portforward.k8s.io"
        tunnel = KubectlTunnel(ws)
        _, first = await tunnel.open(0, 80)
        error, second = await tunnel.open(1, 8080)
        await ws.send_bytes(tunnel.writer.data(second, b"b"))
        await ws.send_bytes(tunnel.writer.data(first, b"a"))
        await tunnel.until(lambda: tunnel.data.get(first) == b"80:a" and tunnel.data.get(second) == b"8080:b")
        await ws.send_bytes(tunnel.writer.data(second, b"", fin=True))
        await tunnel.until(lambda: {second, error} <= tunnel.ended)
        assert tunnel.data[error] == b""
        assert first not in tunnel.ended


async def test_the_clients_end_does_not_end_the_answer(serve):
    """Port 82 never ends by itself: the connection stays until the client throws it away."""
    client = await serve(pod("app"), "portforward")
    async with client.ws_connect("/", protocols=("SPDY/3.1+portforward.k8s.io",)) as ws:
        tunnel = KubectlTunnel(ws)
        error, data = await tunnel.open(0, 82)
        await ws.send_bytes(tunnel.writer.data(data, b"x", fin=True))
        await tunnel.until(lambda: tunnel.data.get(data) == b"82:x82:")
        await ws.send_bytes(tunnel.writer.reset(data))
        other, _ = await tunnel.open(1, 81)
        await tunnel.until(lambda: other in tunnel.ended)
        assert tunnel.data.get(error, b"") == b""


async def test_a_closed_port_is_told_on_the_error_stream(serve):
    client = await serve(pod("app"), "portforward")
    async with client.ws_connect("/", protocols=("SPDY/3.1+portforward.k8s.io",)) as ws:
        tunnel = KubectlTunnel(ws)
        error, data = await tunnel.open(0, 81)
        await tunnel.until(lambda: {error, data} <= tunnel.ended)
        assert tunnel.data[error] == b"error forwarding port 81 to pod web, uid u-1: connection refused"


async def test_the_kubelets_whole_reason_is_told(serve):
    wordy = pod("app")
    wordy["metadata"]["name"] = "wordy"
    client = await serve(wordy, "portforward")
    async with client.ws_connect("/", protocols=("SPDY/3.1+portforward.k8s.io",)) as ws:
        tunnel = KubectlTunnel(ws)
        error, _ = await tunnel.open(0, 81)
        await tunnel.until(lambda: error in tunnel.ended)
        assert tunnel.data[error] == b"the whole story"


async def test_the_channel_protocol_names_the_port_first(serve):
    client = await serve(pod("app"), "portforward")
    async with client.ws_connect("/?ports=80&ports=81", protocols=("v4.channel.k8s.io",)) as ws:
        opening = [await ws.receive_bytes() for _ in range(4)]
        assert opening == [b"\x00\x50\x00", b"\x01\x50\x00", b"\x02\x51\x00", b"\x03\x51\x00"]
        await ws.send_bytes(b"\x00hi")
        answers = {(m := await ws.receive_bytes())[0]: m[1:] for _ in range(2)}
        assert answers[0] == b"80:hi"
        assert answers[3].endswith(b"connection refused")
