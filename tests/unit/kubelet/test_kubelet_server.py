"""The kubelet's HTTP server: who may ask, logs, exec, port-forward."""

import asyncio
import json
import socket
from types import SimpleNamespace

import aiohttp
import pytest
from test_kubelet_pod_worker import pod, ready

from podwalk.kubelet import server as kubelet_server
from podwalk.kubelet.server import KubeletServer


@pytest.fixture
async def http(bench, monkeypatch):
    """A session against a server with one running Pod, shop/web."""
    worker = bench.start(pod())
    await bench.status(ready)
    agent = SimpleNamespace(
        context=bench.context, find=lambda namespace, name: worker if (namespace, name) == ("shop", "web") else None
    )
    monkeypatch.setattr(kubelet_server.pods, "open_socket", lambda sandbox: socket.socket())
    served = KubeletServer(agent, "secret")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    await served.start("127.0.0.1", port)
    worker.sandbox.netns_path = "/run/netns/cni-x"
    headers = {"Authorization": "Bearer secret"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
        yield session
    await served.stop()


async def text(http, path, **query):
    async with http.get(path, params=query) as answer:
        return answer.status, await answer.text()


async def test_only_the_api_server_may_ask(http):
    assert await text(http, "/healthz") == (200, "ok")
    async with http.get("/containerLogs/shop/web/a", headers={"Authorization": "Bearer wrong"}) as answer:
        assert answer.status == 401


async def test_logs(http, bench):
    bench.runtime.write(bench.runtime.started[0][1], b"one\ntwo\n")
    await bench.until(lambda: bench.worker.log_path("a", 0).stat().st_size)
    assert await text(http, "/containerLogs/shop/web/a") == (200, "one\ntwo\n")
    assert await text(http, "/containerLogs/shop/web/a", tailLines="1") == (200, "two\n")
    assert (await text(http, "/containerLogs/shop/web/a", tailLines="x"))[0] == 400


async def test_logs_that_there_are_not(http):
    assert await text(http, "/containerLogs/shop/none/a") == (404, 'pod "none_shop" not found')
    assert (await text(http, "/containerLogs/shop/web/b"))[0] == 400
    status, message = await text(http, "/containerLogs/shop/web/a", previous="true")
    assert (status, message) == (400, 'previous terminated container "a" in pod "web" not found')


async def test_following_ends_with_the_container(http, bench):
    async with http.get("/containerLogs/shop/web/a", params={"follow": "true"}) as answer:
        process = bench.runtime.started[0][1]
        bench.runtime.write(process, b"last\n")
        assert await answer.content.readline() == b"last\n"
        bench.runtime.end(process, 0)
        assert await answer.content.read() == b""


async def received(http, path, **query):
    async with http.ws_connect(path, params=query, protocols=["v5.channel.k8s.io"]) as socket_:
        assert socket_.protocol == "v5.channel.k8s.io"
        return [message.data async for message in socket_]


async def test_exec_sends_output_and_then_the_exit_code(http, bench, monkeypatch):
    def run(process, argv, env, **options):
        made = bench.runtime._process()
        bench.runtime.write(made, " ".join(argv).encode())
        bench.runtime.end(made, 3)
        return made

    monkeypatch.setattr(kubelet_server.streams.runtime, "exec_in_container", run)
    got = await received(http, "/exec/shop/web/a?command=echo&command=hi", stdout="true", stderr="true")
    assert got[0] == b"\x01echo hi"
    status = json.loads(got[-1][1:])
    assert got[-1][0] == 3
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_a_stopped_container_takes_no_commands(http):
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await received(http, "/exec/shop/web/other", command="ls")
    assert caught.value.status == 404


async def test_port_forward(http):
    async def echo(reader, writer):
        writer.write(await reader.read(100))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, http.ws_connect("/portForward/shop/web", params={"port": str(port)}) as socket_:
        await socket_.send_bytes(b"ping")
        assert await socket_.receive_bytes() == b"ping"
        assert (await socket_.receive()).type == aiohttp.WSMsgType.CLOSE
    async with http.ws_connect("/portForward/shop/web", params={"port": "1"}) as socket_:
        closing = await socket_.receive()
    assert closing.type == aiohttp.WSMsgType.CLOSE
    assert (closing.data, b"localhost:1" in closing.extra.encode()) == (4000, True)
