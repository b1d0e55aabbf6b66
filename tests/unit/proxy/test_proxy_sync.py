"""The sync loop against a node that is only a list of commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from proxy_rows import CIDR, HERE, HERE2, NODE, endpoint, endpoint_slice, service

from podwalk.client.informer import Handler
from podwalk.netns.command import Completed
from podwalk.proxy import sync
from podwalk.proxy.model import Node
from podwalk.proxy.sync import Proxier, Sources

Object = dict[str, Any]


class Cache:
    """An informer that is told what it knows."""

    def __init__(self, *objects: Object) -> None:
        self.objects = {o["metadata"]["name"]: o for o in objects}
        self.synced = asyncio.Event()
        self.synced.set()
        self.handlers: list[Handler] = []

    def on_change(self, handler: Handler) -> None:
        self.handlers.append(handler)

    def all(self) -> list[Object]:
        return list(self.objects.values())

    def get(self, key: str) -> Object | None:
        return self.objects.get(key)

    def put(self, obj: Object) -> None:
        old = self.objects.get(obj["metadata"]["name"])
        self.objects[obj["metadata"]["name"]] = obj
        for handler in self.handlers:
            handler(old, obj)


class FakeNode:
    """Remembers what was run; fails when told to."""

    def __init__(self) -> None:
        self.restores: list[str] = []
        self.commands: list[list[str]] = []
        self.failures: list[str] = []
        self.canary = True
        self._news = asyncio.Condition()

    async def run(self, argv: Sequence[str], stdin: bytes | None) -> Completed:
        self.commands.append(list(argv))
        code, error = 0, b""
        if argv[0] == "iptables-restore" and self.failures:
            code, error = 1, self.failures.pop(0).encode()
        elif argv[0] == "iptables-restore":
            self.restores.append((stdin or b"").decode())
        elif argv[0] == "iptables":
            code = 0 if self.canary else 1
        async with self._news:
            self._news.notify_all()
        return Completed(code, b"", error)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5), self._news:
            await self._news.wait_for(holds)


class Proxy:
    """A running sync loop and its surroundings."""

    def __init__(self, *objects: Object) -> None:
        self.services = Cache(*(o for o in objects if o["kind"] == "Service"))
        self.slices = Cache(*(o for o in objects if o["kind"] == "EndpointSlice"))
        self.nodes = Cache({"kind": "Node", "metadata": {"name": NODE.name}})
        self.node = FakeNode()
        self.proxier = Proxier(self.node.run, Node(NODE.name, NODE.ip), CIDR)
        self.synced = asyncio.Event()

    @property
    def sources(self) -> Sources:
        return Sources(self.services, self.slices, self.nodes)  # type: ignore[arg-type]


@asynccontextmanager
async def running(proxy: Proxy):  # type: ignore[no-untyped-def]
    task = asyncio.create_task(sync.keep_synced(proxy.proxier, proxy.sources, proxy.synced.set))
    try:
        async with asyncio.timeout(5):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_first_sync_makes_jumps_and_rules_and_says_so() -> None:
    proxy = Proxy(service(), endpoint_slice(endpoint(HERE)))
    async with running(proxy):
        await proxy.synced.wait()
    base, rules = proxy.node.restores
    assert "-I PREROUTING" in base
    assert f"--to-destination {HERE}:8080" in rules
    assert proxy.node.commands[0] == ["iptables-save"]
    assert all("-w" in argv and "--noflush" in argv for argv in proxy.node.commands if argv[0] == "iptables-restore")


async def test_a_change_is_written_at_once_and_alone() -> None:
    proxy = Proxy(service(), endpoint_slice(endpoint(HERE)))
    async with running(proxy):
        await proxy.synced.wait()
        proxy.slices.put(endpoint_slice(endpoint(HERE2)))
        await proxy.node.until(lambda: len(proxy.node.restores) == 3)
    assert f"--to-destination {HERE2}:8080" in proxy.node.restores[2]
    assert "KUBE-POSTROUTING" not in proxy.node.restores[2]


async def test_changes_that_come_together_are_written_together() -> None:
    proxy = Proxy()
    async with running(proxy):
        await proxy.synced.wait()
        before = len(proxy.node.restores)
        for i in range(20):
            proxy.services.put(service(f"s{i}", clusterIP=f"10.96.1.{i}", clusterIPs=[f"10.96.1.{i}"]))
        await proxy.node.until(lambda: len(proxy.node.restores) > before)
    (text,) = proxy.node.restores[before:]
    assert text.count("has no endpoints") == 20


async def test_a_nodes_heartbeat_runs_nothing_but_its_zone_does() -> None:
    zone_b = {"forZones": [{"name": "zone-b"}]}
    proxy = Proxy(
        service(),
        endpoint_slice(endpoint(HERE, hints={"forZones": [{"name": "zone-a"}]}), endpoint(HERE2, hints=zone_b)),
    )
    async with running(proxy):
        await proxy.synced.wait()
        before = len(proxy.node.restores)
        proxy.nodes.put({"kind": "Node", "metadata": {"name": NODE.name}, "status": {"phase": "beat"}})
        proxy.nodes.put(
            {"kind": "Node", "metadata": {"name": NODE.name, "labels": {"topology.kubernetes.io/zone": "zone-b"}}}
        )
        await proxy.node.until(lambda: len(proxy.node.restores) > before)
    (text,) = proxy.node.restores[before:]
    assert f"-> {HERE2}:8080" in text
    assert f"-> {HERE}:8080" not in text


async def test_a_refused_restore_is_told_and_everything_is_written_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "_FIRST_RETRY", 0.01)
    proxy = Proxy(service(), endpoint_slice(endpoint(HERE)))
    async with running(proxy):
        await proxy.synced.wait()
        proxy.node.failures = ["iptables-restore: line 2 failed"]
        proxy.slices.put(endpoint_slice(endpoint(HERE2)))
        await proxy.node.until(lambda: any(HERE2 in text for text in proxy.node.restores))
    (error,) = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert "line 2 failed: ':KUBE-SEP-" in error
    assert proxy.node.commands.count(["iptables-save"]) == 2
    assert "KUBE-POSTROUTING" in proxy.node.restores[-1]


async def test_chains_that_somebody_deleted_are_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "_CANARY_SECONDS", 0.01)
    proxy = Proxy(service(), endpoint_slice(endpoint(HERE)))
    async with running(proxy):
        await proxy.synced.wait()
        before = len(proxy.node.restores)
        proxy.node.canary = False
        await proxy.node.until(lambda: len(proxy.node.restores) >= before + 2)
    assert f"--to-destination {HERE}:8080" in proxy.node.restores[before + 1]


async def test_udp_flows_are_forgotten_after_the_rules_are_there() -> None:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}]
    proxy = Proxy(service("dns", ports=ports), endpoint_slice(endpoint(HERE), of="dns", ports=ports))
    async with running(proxy):
        await proxy.synced.wait()
        proxy.slices.put(endpoint_slice(endpoint(HERE2), of="dns", ports=ports))
        await proxy.node.until(lambda: proxy.node.commands[-1][0] == "conntrack")
    assert proxy.node.commands[-2][0] == "iptables-restore"
    assert HERE in proxy.node.commands[-1]
