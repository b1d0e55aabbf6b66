#!/usr/bin/env python3
"""Measure a JupyterHub with a class: scripts/bench_hub.py --learners 4, or --json. Needs podwalk[notebook,hub].

It enrols a class, ends its clusters (scripts/bench_class.py measures those), and starts a hub with
container/hub/jupyterhub_config.py; then each learner's server, the first alone, the others at once, and a Python
kernel in each. Memory is PSS: shared pages count once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import secrets
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from bench import Trouble, podwalk, pss, tree
from bench_class import in_a_home_of_its_own, run

CONFIG = Path(__file__).parents[1] / "container" / "hub" / "jupyterhub_config.py"
_SECONDS = 300
# A service whose token may do what the bench does in the learners' names.
_OURS = """
load_subconfig({config!r})
c.JupyterHub.services.append({{"name": "bench", "api_token": {token!r}}})
c.JupyterHub.load_roles = [{{"name": "bench", "services": ["bench"],
                            "scopes": ["admin:users", "admin:servers", "access:servers"]}}]
"""
# What a notebook asks a kernel first.
_WHO_ARE_YOU = {
    "header": {"msg_id": "1", "msg_type": "kernel_info_request", "username": "", "session": "1", "version": "5.3"},
    "parent_header": {},
    "metadata": {},
    "content": {},
    "channel": "shell",
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure a JupyterHub with a class on this machine.")
    parser.add_argument("--learners", type=int, default=4, help="how many [4]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    names = [f"learner-{number:02}" for number in range(max(2, options.learners))]
    return in_a_home_of_its_own(lambda home: measure(home, names), options.json)


def measure(home: Path, names: list[str]) -> dict[str, float]:
    """Seconds and megabytes, by name. Raises Trouble."""
    roster = home / "roster.csv"
    roster.write_text("name\n" + "\n".join(names) + "\n")
    run(podwalk("class", "up", "--roster", str(roster)))
    run(podwalk("class", "down"))
    load = os.getloadavg()[0]
    with Hub(home).running() as hub:
        first = hub.start(names[0])
        with ThreadPoolExecutor(len(names)) as pool:
            others = list(pool.map(hub.start, names[1:]))
        servers = hub.servers(home / "class", names)
        for name in names:
            asyncio.run(hub.kernel(name))
        kernels = hub.servers(home / "class", names)
        parts = hub.parts()
        return {
            "learners": len(names),
            "load before": load,
            "processors": len(os.sched_getaffinity(0)),
            "hub, until it answers, s": hub.seconds,
            "first server, until it answers, s": first,
            f"{len(others)} more at once, slowest, s": max(others),
            **{f"PSS of the {part}, MB": size for part, size in parts.items()},
            "PSS of a server, MB": statistics.mean(servers),
            "PSS of a server with a kernel, MB": statistics.mean(kernels),
        }


class Hub:
    """A hub of the bench's own."""

    def __init__(self, home: Path) -> None:
        self._token = secrets.token_hex(16)
        self._config = home / "hub.py"
        self._config.write_text(_OURS.format(config=str(CONFIG), token=self._token))
        front, self._inner, self._routes, board = ports(4)
        self._url = f"http://127.0.0.1:{front}"
        self._env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PODWALK_CLASS": str(home / "class"),
            "PODWALK_HUB_URL": self._url,
            "PODWALK_HUB_PASSWORD": secrets.token_hex(8),
            "PODWALK_HUB_ADMIN_PASSWORD": secrets.token_hex(16),
            "PODWALK_BOARD_PORT": str(board),
            "PODWALK_HUB_ROOT": "yes",
        }
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[Hub]:
        """The hub, until the end of the block."""
        argv = [sys.executable, "-m", "jupyterhub", "-f", str(self._config), f"--JupyterHub.hub_port={self._inner}"]
        argv.append(f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{self._routes}")
        began = time.monotonic()
        log = self._config.with_suffix(".log")
        with (
            log.open("w") as said,
            subprocess.Popen(argv, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as hub,
            ThreadPoolExecutor(1) as pool,
        ):
            assert hub.stdout is not None
            lines = hub.stdout
            ready = any("is now running" in line for line in lines)
            self.seconds = time.monotonic() - began
            # Who writes into a pipe that nobody reads stops.
            pool.submit(lambda: said.writelines(lines))
            self._pid = hub.pid
            try:
                if not ready:
                    raise Trouble("the hub ended; is podwalk[notebook,hub] installed?")
                yield self
            finally:
                hub.terminate()

    def start(self, name: str) -> float:
        """Start a learner's server; seconds until the hub says that it answers."""
        began = time.monotonic()
        self.call(f"/hub/api/users/{name}/server", {})
        said = self.call(f"/hub/api/users/{name}/server/progress")
        if '"ready": true' not in said:
            raise Trouble(f"the server of {name} did not start: {said[-500:]}")
        return time.monotonic() - began

    async def kernel(self, name: str) -> None:
        """Start a kernel in a learner's server; return when it answers."""
        path = f"/user/{name}/api/kernels"
        ident = json.loads(self.call(path, {"name": "python3"}))["id"]
        header = {"Authorization": f"token {self._token}"}
        async with (
            asyncio.timeout(_SECONDS),
            aiohttp.ClientSession(headers=header) as session,
            session.ws_connect(f"{self._url}{path}/{ident}/channels") as socket,
        ):
            await socket.send_json(_WHO_ARE_YOU)
            async for message in socket:
                if message.json()["msg_type"] == "kernel_info_reply":
                    return
        raise Trouble(f"the kernel of {name} did not answer")

    def call(self, path: str, body: dict[str, str] | None = None) -> str:
        """An answer of the hub or of a server."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._url + path, data, {"Authorization": f"token {self._token}", "Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:
            return str(response.read().decode())

    def servers(self, folder: Path, names: list[str]) -> list[float]:
        """MB of each learner's server and what it started."""
        roots = {name: self._root(f"PODWALK_HOME={folder / 'learners' / name}") for name in names}
        return [sum(pss(pid) for pid in tree(root)) / 1024 for root in roots.values()]

    def parts(self) -> dict[str, float]:
        """MB of the hub, its proxy and its board."""
        found = {"hub": pss(self._pid) / 1024}
        for pid in tree(self._pid):
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            for part, sign in (("proxy", "configurable-http-proxy"), ("board", "class board")):
                if re.search(sign, command):
                    found[part] = found.get(part, 0.0) + pss(pid) / 1024
        return found

    def _root(self, sign: str) -> int:
        """The hub's child with this in its environment."""
        for pid in tree(self._pid):
            if sign in Path(f"/proc/{pid}/environ").read_text().split("\0"):
                return pid
        raise Trouble(f"no server with {sign} runs")


def ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return numbers


if __name__ == "__main__":
    sys.exit(main())
