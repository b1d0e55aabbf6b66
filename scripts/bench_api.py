#!/usr/bin/env python3
"""Measure the API server alone: a process without nodes, controllers and kubelets, beside clients of this machine.

`scripts/bench.py` prints these rows with its own; alone, this prints JSON. With --serve it is the server under test.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOKEN = "bench-token"
WATCHERS, IN_FLIGHT, CHANGES = 10, 8, 200
PATIENCE = 120.0
PODS = "/api/v1/namespaces/default/pods"


@dataclass
class Measured:
    """What came of it; seconds and MB."""

    start: list[float] = field(default_factory=list)
    version: list[float] = field(default_factory=list)
    get: list[float] = field(default_factory=list)
    create: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        """Of the latencies."""
        return statistics.quantiles(self.latency, n=100)[98]


def certify(folder: Path) -> None:
    """Make certificates and keys, once for all the servers, as the supervisor does for a cluster's."""
    from podwalk.cluster import pki

    made = pki.make(["localhost"], ["127.0.0.1"])
    parts = {"tls_cert": made.server_cert, "tls_key": made.server_key, "ca_cert": made.ca_cert}
    parts["service_account_key"] = made.service_account_key
    (folder / "parts.json").write_text(json.dumps({name: part.hex() for name, part in parts.items()}))


def serve(folder: Path) -> None:
    """Be the server: write a kubeconfig into a folder, then serve until killed."""
    import socket

    from podwalk.apiserver import server

    parts = {name: bytes.fromhex(part) for name, part in json.loads((folder / "parts.json").read_text()).items()}
    listening = socket.create_server(("127.0.0.1", 0))
    admin = server.UserInfo("bench", ("system:masters", "system:authenticated"))
    config = server.ApiServerConfig(**parts, kubelet_token="kubelet", sockets=[listening], tokens={TOKEN: admin})
    ca = base64.b64encode(parts["ca_cert"]).decode()
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": "b",
        "clusters": [{"name": "b", "cluster": {"server": url, "certificate-authority-data": ca}}],
        "users": [{"name": "b", "user": {"token": TOKEN}}],
        "contexts": [{"name": "b", "context": {"cluster": "b", "user": "b"}}],
    }  # fmt: skip
    (folder / "kubeconfig").write_text(json.dumps(document))
    asyncio.run(server.serve(config, on_ready=lambda: print("ready", flush=True)))


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """A server process, and the seconds from its start to its first answer."""
    begin = time.monotonic()
    argv = [sys.executable, __file__, "--serve", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            if server.stdout.readline() != "ready\n":
                raise OSError("the API server ended before it was ready")
            asyncio.run(_ask(folder, "/readyz"))
            yield server, time.monotonic() - begin
        finally:
            server.kill()


def _session(folder: Path) -> tuple[Any, str]:
    import aiohttp

    cluster = json.loads((folder / "kubeconfig").read_text())["clusters"][0]["cluster"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=0),
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=aiohttp.ClientTimeout(total=PATIENCE),
        read_bufsize=1 << 22,
    )
    return session, cluster["server"]


async def _ask(folder: Path, path: str) -> None:
    session, base = _session(folder)
    async with session, session.get(base + path) as answer:
        answer.raise_for_status()


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _timed(argv: list[str], home: Path) -> float:
    begin = time.monotonic()
    done = subprocess.run(
        argv, env={**os.environ, "HOME": str(home)}, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    took = time.monotonic() - begin
    if done.returncode:
        raise OSError(f"{' '.join(argv)[:80]}: {done.stderr.strip()[:200]}")
    return took


def measure(kubectl: str, runs: int, pods: int = 1000) -> Measured:
    """Everything, ``runs`` times where it is short. Raises OSError where something does not work."""
    out = Measured()
    with tempfile.TemporaryDirectory(prefix="podwalk-bench-api-") as name:
        folder = Path(name)
        certify(folder)
        for n in range(runs + 1):
            with running(folder) as (server, took):
                if n == 0:
                    continue  # the machine has read the files now
                out.start.append(took)
                out.idle.append(_resident(server.pid))
        with running(folder) as (server, _):
            get = [kubectl, f"--kubeconfig={folder / 'kubeconfig'}", "get", "pods"]
            _timed(get, folder)  # kubectl writes its cache of the discovery
            for _ in range(2 * runs):  # in turn, so that what else the machine does burdens both alike
                out.version.append(_timed([kubectl, "version", "--client"], folder))
                out.get.append(_timed(get, folder))
            took, cpu, out.latency = asyncio.run(_load(folder, pods, server.pid))
            out.create.append(took)
            out.cpu.append(cpu)
            out.full.append(_resident(server.pid))
    return out


async def _load(folder: Path, pods: int, pid: int) -> tuple[float, float, list[float]]:
    """Make Pods, then change some, with watchers.

    Seconds for the Pods until all watchers have seen them, and of the server's CPU in them; seconds of each later
    change until all have seen it.
    """
    session, base = _session(folder)
    async with session:
        await _until_ready(session, base)
        counts, arrived = [0] * WATCHERS, asyncio.Condition()

        async def watch(n: int, opened: asyncio.Event) -> None:
            async with session.get(f"{base}{PODS}?watch=1&resourceVersion=1") as stream:
                opened.set()
                async for _ in stream.content:
                    counts[n] += 1
                    if counts[n] >= wanted[0]:
                        async with arrived:
                            arrived.notify_all()

        async def all_have(count: int) -> None:
            async with asyncio.timeout(PATIENCE), arrived:
                await arrived.wait_for(lambda: min(counts) >= count)

        wanted = [pods]
        signs = [asyncio.Event() for _ in range(WATCHERS)]
        watching = [asyncio.create_task(watch(n, sign)) for n, sign in enumerate(signs)]
        try:
            for sign in signs:
                await sign.wait()
            begin, cpu = time.monotonic(), _cpu(pid)
            await asyncio.gather(*(_create(session, base, range(n, pods, IN_FLIGHT)) for n in range(IN_FLIGHT)))
            await all_have(pods)
            took, cpu = time.monotonic() - begin, _cpu(pid) - cpu
            latency = []
            for change in range(CHANGES):
                wanted[0] = pods + change + 1
                begin = time.monotonic()
                patch = {"metadata": {"labels": {"change": str(change)}}}
                await _send(session, "PATCH", f"{base}{PODS}/pod-{change % pods}", patch)
                await all_have(wanted[0])
                latency.append(time.monotonic() - begin)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
    return took, cpu, latency


async def _send(session: Any, method: str, url: str, body: dict[str, Any]) -> None:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    async with session.request(method, url, data=json.dumps(body), headers={"Content-Type": kind}) as answer:
        if answer.status >= 300:
            raise OSError(f"{method} {url}: HTTP {answer.status}: {(await answer.text())[:200]}")


async def _until_ready(session: Any, base: str) -> None:
    for kind, namespace in (("Namespace", ""), ("ServiceAccount", "default")):
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts" if namespace else "/api/v1/namespaces"
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "default"}}
        await _send(session, "POST", base + path, body)


async def _create(session: Any, base: str, numbers: range) -> None:
    container = {"name": "main", "image": "registry.k8s.io/pause:3.10", "ports": [{"containerPort": 80}]}
    for n in numbers:
        metadata = {"name": f"pod-{n}", "labels": {"app": "bench"}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
        await _send(session, "POST", base + PODS, pod)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--serve", type=Path, help="be the server; its kubeconfig goes into this folder")
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return 0
    found = measure(arguments.kubectl, arguments.runs)
    print(json.dumps({**found.__dict__, "p99": found.p99}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
