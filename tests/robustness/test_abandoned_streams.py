"""Whoever leaves a stream, however: processes, open files and memory of the cluster return to where they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from raw_streams import KEPT, WAYS, Door, await_true, family, head, open_files, resident, supervisor

from podwalk.backends.base import Cluster

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]

SPACE, POD = "abandoned", "talker"
TIMES, ROUNDS = 8, 3
BASE = f"/api/v1/namespaces/{SPACE}"
MEGABYTES = 12
"""What a process may have grown by: buffers of the allocator, no streams."""

STREAMS = {
    "watch": lambda door: door.request(f"{BASE}/pods?watch=1"),
    "logs -f": lambda door: door.request(f"{BASE}/pods/{POD}/log?follow=true"),
    "exec": lambda door: door.upgrade(
        f"{BASE}/pods/{POD}/exec?command=cat&stdin=1&stdout=1&container=main", "v5.channel.k8s.io"
    ),
    "exec that hears nothing": lambda door: door.upgrade(
        f"{BASE}/pods/{POD}/exec?command=sleep&command=3600&stdout=1&container=main", "v5.channel.k8s.io"
    ),
    "attach": lambda door: door.upgrade(f"{BASE}/pods/{POD}/attach?stdout=1&container=main", "v5.channel.k8s.io"),
    "port-forward": lambda door: door.upgrade(f"{BASE}/pods/{POD}/portforward", "SPDY/3.1+portforward.k8s.io"),
    "port-forward in channels": lambda door: door.upgrade(
        f"{BASE}/pods/{POD}/portforward?ports=8080", "v4.channel.k8s.io"
    ),
    "proxy": lambda door: door.request(f"{BASE}/pods/{POD}:8080/proxy/hostname"),
}


@pytest.fixture(scope="module")
def door(cluster: Cluster) -> Iterator[Door]:
    opened = Door(cluster.kubeconfig_path)
    container = {
        "name": "main",
        "image": "registry.k8s.io/e2e-test-images/agnhost:2.53",
        "args": ["netexec", "--http-port=8080"],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    with cluster.client() as client:
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
        client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "namespace": SPACE}, "spec": spec})
        assert cluster.kubectl("-n", SPACE, "wait", "--for=condition=Ready", f"pod/{POD}", "--timeout=60s").ok
        yield opened
        client.delete("Namespace", SPACE)


@pytest.fixture
def held(cluster: Cluster) -> Callable[[], dict[int, int]]:
    """Asks: process -> how many files it has open."""
    top = supervisor(cluster.kubeconfig_path)
    return lambda: {pid: open_files(pid) for pid in family(top)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", STREAMS)
def test_nothing_stays_of_a_stream(kind: str, way: str, door: Door, held: Callable[[], dict[int, int]]) -> None:
    leave(door, kind, way)  # what the first of its kind imports and caches is no leak
    settled = at_rest(held)
    memory = {pid: resident(pid) for pid in settled}
    for _ in range(ROUNDS):
        leave(door, kind, way)
    await_true(lambda: fits(held(), settled), lambda: f"{grown(held(), settled)} after {kind}, {way}")
    larger = {pid: resident(pid) - memory[pid] for pid in settled if open_files(pid)}
    assert max(larger.values()) <= MEGABYTES, larger


def leave(door: Door, kind: str, way: str) -> None:
    """Open streams and leave them."""
    opened = [STREAMS[kind](door) for _ in range(TIMES)]
    for each in opened:
        assert head(each).split()[1] in ("101", "200")
        WAYS[way](each)
    if way == "half closed":
        # The server ends what it hears the end of; only then may we.
        for each in KEPT:
            while each.recv(4096):
                pass
            each.close()
    KEPT.clear()


def at_rest(held: Callable[[], dict[int, int]]) -> dict[int, int]:
    """What is held once nothing changes any more."""
    seen: list[dict[int, int]] = [held()]

    def calm() -> bool:
        seen.append(held())
        return len(seen) > 5 and all(one == seen[-1] for one in seen[-5:])

    await_true(calm, lambda: f"it never comes to rest: {grown(seen[-1], seen[-2])}")
    return seen[-1]


def fits(now: dict[int, int], before: dict[int, int]) -> bool:
    return not grown(now, before)


def grown(now: dict[int, int], before: dict[int, int]) -> dict[int, Any]:
    """Processes that are new, and those with more files, by how many; a pair for one connection is no leak."""
    return {pid: files - before.get(pid, 0) for pid, files in now.items() if files > before.get(pid, 0) + 2}
