"""What is installed when: the cluster DNS waits for the control plane, everything else does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest

from podwalk.api import clusterconfig
from podwalk.api.meta import Object
from podwalk.client.rest import Client
from podwalk.cluster import addons
from podwalk.cluster.spec import make_spec

TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def _node(version: int, *, ready: bool, taints: list[Object]) -> Object:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    metadata = {"name": "podwalk-control-plane", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"taints": taints}, "status": {"conditions": conditions}}


class Server:
    """What the API would say: no node at first, then what a test sends; and what was applied, by kind."""

    def __init__(self) -> None:
        self.applied: list[str] = []
        self.events: asyncio.Queue[Object] = asyncio.Queue()

    async def list(self, *_: Any, **selectors: Any) -> Object:
        assert selectors["field_selector"] == "metadata.name=podwalk-control-plane"
        return {"metadata": {"resourceVersion": "1"}, "items": []}

    async def watch(self, *_: Any, **__: Any) -> AsyncIterator[tuple[str, Object]]:
        while True:
            yield "MODIFIED", await self.events.get()

    async def patch(self, _: Any, name: str, obj: Object, *__: Any, **___: Any) -> None:
        self.applied.append(obj["kind"])


async def _settle(server: Server) -> list[str]:
    """What is applied once nothing moves any more."""
    count = -1
    while count != len(server.applied) or not server.events.empty():
        count = len(server.applied)
        for _ in range(20):
            await asyncio.sleep(0)
    return server.applied


@pytest.mark.asyncio
async def test_the_name_server_waits_until_the_control_plane_takes_pods() -> None:
    server, spec = Server(), make_spec(clusterconfig.default("podwalk"), "")
    applying = asyncio.create_task(addons.apply(cast(Client, server), spec))
    assert "Service" in await _settle(server)
    assert "Deployment" not in server.applied
    await server.events.put(_node(2, ready=False, taints=[TAINT]))
    assert "Deployment" not in await _settle(server)
    # Ready, and not yet taken: the scheduler would choose another node while the taint is there.
    await server.events.put(_node(3, ready=True, taints=[TAINT]))
    assert "Deployment" not in await _settle(server)
    await server.events.put(_node(4, ready=True, taints=[]))
    async with asyncio.timeout(5):
        await applying
    assert "Deployment" in server.applied


@pytest.mark.asyncio
async def test_without_a_network_the_name_server_is_there_and_waits() -> None:
    config = replace(clusterconfig.default("podwalk"), default_cni=False)
    server = Server()
    async with asyncio.timeout(5):
        await addons.apply(cast(Client, server), make_spec(config, ""))
    assert "Deployment" in server.applied
