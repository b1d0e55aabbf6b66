"""The kubelet's HTTP server: who may ask, logs, exec, port-forward."""

import asyncio
import json
import os
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
        context=bench.context,
        workers=lambda: [worker],
        find=lambda namespace, name: worker if (namespace, name) == ("shop", "web") else None,
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
        reason, closing = await socket_.receive_str(), await socket_.receive()
    assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, 4000)
    assert reason == (
        "error forwarding port 1 to pod id, uid : failed to execute portforward in network namespace "
        '"/run/netns/cni-x": failed to connect to localhost:1 inside namespace "id", IPv4: dial tcp4 127.0.0.1:1: '
        "connect: connection refused IPv6 dial tcp6: address localhost: no suitable address"
    )


async def test_a_half_closed_connection_still_gets_its_answer(http):
    """The client's end of input reaches the Pod, which answers after it."""

    async def count(reader, writer):
        writer.write(b"%d" % len(await reader.read()))
        await writer.drain()
        writer.close()

    served = await asyncio.start_server(count, "127.0.0.1", 0)
    port = served.sockets[0].getsockname()[1]
    async with served, http.ws_connect("/portForward/shop/web", params={"port": str(port)}) as socket_:
        await socket_.send_bytes(b"x" * 100_000)
        await socket_.send_bytes(b"")
        assert await socket_.receive_bytes() == b"100000"


async def test_the_pods_of_the_node(http):
    _, listed = await text(http, "/pods")
    found = json.loads(listed)
    assert found["kind"] == "PodList"
    assert [(p["metadata"]["name"], p["status"]["phase"]) for p in found["items"]] == [("web", "Running")]


async def test_what_the_node_uses(http, bench):
    worker = bench.worker
    worker.sandbox.pid, worker.sandbox.host_network = os.getpid(), False
    worker.runners["a"].current.mount_namespace = os.stat("/proc/self/ns/mnt").st_ino
    status, shown = await text(http, "/stats/summary")
    found = json.loads(shown)
    assert (status, found["node"]["nodeName"]) == (200, "worker")
    only = found["pods"][0]
    assert only["podRef"] == {"name": "web", "namespace": "shop", "uid": "uid-1"}
    used = only["containers"][0]
    assert used["name"] == "a"
    assert 0 < used["memory"]["workingSetBytes"] <= used["memory"]["usageBytes"]
    assert used["cpu"]["usageCoreNanoSeconds"] > 0
    assert only["process_stats"]["process_count"] >= 1
    assert found["node"]["memory"]["workingSetBytes"] >= used["memory"]["workingSetBytes"]


async def test_who_is_attached_and_does_not_read_is_cut_off(http, bench, monkeypatch):
    monkeypatch.setattr(kubelet_server.streams, "_BACKLOG", 3)
    async with http.ws_connect("/attach/shop/web/a?stdout=true") as ws:
        log = bench.worker.runners["a"].current.log
        await bench.until(lambda: log.listeners)
        for _ in range(5):
            log.listeners[0]("stdout", b"x")
        while (message := await ws.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY:
            continue
        assert message.data == aiohttp.WSCloseCode.POLICY_VIOLATION
        await bench.until(lambda: not log.listeners)
