"""Probes: the outcomes on loopback, and when a verdict is passed."""

import asyncio
import contextlib
import socket

import pytest

from podwalk.kubelet import probes
from podwalk.kubelet.probes import Outcome, Prober, Target


async def never(command, timeout):
    raise AssertionError("not to be run")


def target(port_name=None, port=0, run=never):
    ports = [{"name": port_name, "containerPort": port}] if port_name else []
    return Target("127.0.0.1", {"name": "c", "ports": ports}, run)


@contextlib.asynccontextmanager
async def serving(answer=b"", requests=None, port=0):
    """A server on loopback; every connection is over when the context ends."""
    handlers = set()

    async def handle(reader, writer):
        handlers.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            if requests is not None:
                requests.append(head.decode())
            said = answer(head) if callable(answer) else answer
            if said:
                writer.write(said)
            else:
                await reader.read()
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.sleep(0)
    await asyncio.gather(*handlers)


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("status", "ok", "message"),
    [
        ("200 OK", True, ""),
        ("399 Odd", True, ""),
        ("404 Not Found", False, "HTTP probe failed with statuscode: 404"),
        ("500 Oops", False, "HTTP probe failed with statuscode: 500"),
    ],
)
async def test_http_statuses(status, ok, message):
    async with serving(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()) as port:
        assert await probes.run_once({"httpGet": {"port": port}}, target()) == Outcome(ok, message)


async def test_http_sends_what_a_kubelet_sends():
    requests = []
    headers = [{"name": "host", "value": "shop"}, {"name": "X-A", "value": "1"}]
    async with serving(b"HTTP/1.1 200 OK\r\n\r\n", requests) as port:
        await probes.run_once({"httpGet": {"path": "ready?x=1", "port": port, "httpHeaders": headers}}, target())
    lines = requests[0].split("\r\n")
    assert lines[0] == "GET /ready?x=1 HTTP/1.1"
    assert {"Host: shop", "User-Agent: kube-probe/1.36", "X-A: 1", "Connection: close"} <= set(lines)


async def test_http_follows_a_redirect_on_the_same_host():
    def answer(head):
        if b"GET /done" in head:
            return b"HTTP/1.1 500 Oops\r\n\r\n"
        return b"HTTP/1.1 302 Found\r\nLocation: /done\r\n\r\n"

    async with serving(answer) as port:
        outcome = await probes.run_once({"httpGet": {"port": port}}, target())
    assert outcome.message == "HTTP probe failed with statuscode: 500"


async def test_nobody_listens():
    port = unused_port()
    outcome = await probes.run_once({"httpGet": {"path": "/x", "port": port}}, target())
    reason = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert outcome == Outcome(False, f'Get "http://127.0.0.1:{port}/x": {reason}', refused=True)
    assert (await probes.run_once({"tcpSocket": {"port": port}}, target())).message == reason


async def test_http_that_is_too_slow():
    async with serving() as port:
        outcome = await probes.run_once({"httpGet": {"port": port}, "timeoutSeconds": 0.05}, target())
    assert outcome.message.endswith("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")


async def test_ports_by_name():
    async with serving(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        assert (await probes.run_once({"tcpSocket": {"port": "web"}}, target("web", port))).ok
    outcome = await probes.run_once({"tcpSocket": {"port": "nope"}}, target("web", port))
    assert (outcome.unknown, outcome.message) == (True, "couldn't find port: nope")


async def test_exec_is_judged_by_its_exit_code():
    async def run(command, timeout):
        return (0 if command == ["true"] else 1), b"said so\n"

    assert (await probes.run_once({"exec": {"command": ["true"]}}, target(run=run))).ok
    outcome = await probes.run_once({"exec": {"command": ["false"]}}, target(run=run))
    assert outcome == Outcome(False, "said so\n")


class Script:
    """A prober whose attempts are given."""

    def __init__(self, kind, answers, **probe):
        self.results, self.events = [], []
        self.answers = iter(answers)
        self.exhausted = asyncio.Event()
        probe = {"exec": {"command": ["x"]}, "periodSeconds": 0.001, **probe}
        self.prober = Prober(kind, probe, target(run=self.run), self.results.append, self.events.append)

    async def run(self, command, timeout):
        for answer in self.answers:
            return (0 if answer else 1), b"no"
        self.exhausted.set()
        await asyncio.Event().wait()
        return 0, b""

    async def play(self):
        task = asyncio.create_task(self.prober.run())
        done = asyncio.create_task(self.exhausted.wait())
        await asyncio.wait([task, done], timeout=5, return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        done.cancel()
        await asyncio.gather(task, done, return_exceptions=True)
        return self


async def test_readiness_changes_after_its_thresholds():
    played = await Script("Readiness", [1, 0, 0, 1, 0, 0, 0, 1], failureThreshold=3).play()
    assert played.results == [True, False, True]
    assert played.events == ["Readiness probe failed: no"] * 5


async def test_success_threshold():
    played = await Script("Readiness", [1, 0, 1, 1], failureThreshold=1, successThreshold=2).play()
    assert played.results == [False, True]


async def test_a_startup_probe_ends_with_its_verdict():
    played = await Script("Startup", [0, 0, 1, 0, 0, 0]).play()
    assert played.results == [True]
    assert not played.exhausted.is_set()


async def test_liveness_says_when_it_has_failed():
    played = await Script("Liveness", [1, 1, 0, 0], failureThreshold=2).play()
    assert played.results == [True, False]


async def test_a_refusal_is_tried_again_at_once_before_the_first_success():
    port = unused_port()
    ready = asyncio.Event()
    events = []
    probe = {"tcpSocket": {"port": port}, "periodSeconds": 60}
    prober = Prober("Readiness", probe, target(), lambda ok: ready.set(), events.append)
    task = asyncio.create_task(prober.run())
    await asyncio.sleep(0.02)
    assert not ready.is_set()
    async with serving(port=port):
        await asyncio.wait_for(ready.wait(), 1)
    assert events == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
