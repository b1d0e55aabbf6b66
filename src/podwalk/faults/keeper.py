"""The keeper: takes faults back when their time is over, and when the drill that made them is dead.

It is a process in the cluster's own sandbox, a child of its init, so that it dies with the cluster and outlives the
command that started it. Its standard input is a pipe that a drill holds open: the kernel closes it when the drill ends,
however it ends. It knows the cluster from inside: the API server by its address on the fabric, nodes by their pids.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from podwalk.api.errors import ApiError
from podwalk.backends.base import Cluster, Completed, home
from podwalk.client.sync import SyncClient, SyncConfig
from podwalk.faults.model import FaultError
from podwalk.netns import enter

_LOOK_SECONDS = 2.0
_START_SECONDS = 20.0
_SCRIPT_SECONDS = 30.0
_API_PORT = 6443
_TRIES = 5
READY, LET_GO = b"kept\n", b"."


def has_module(name: str) -> bool:
    """Whether a Python package is installed."""
    return importlib.util.find_spec(name) is not None


class Keeper:
    """A running keeper, as the command sees it that started it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def let_go(self) -> None:
        """Leave the faults to the keeper: they stay until their time is over, though this process ends."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(LET_GO)
            self._process.stdin.flush()
        self.close()

    def close(self) -> None:
        """Close the pipe: without `let_go` the keeper takes everything back now, if it has not been done."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait(_START_SECONDS)


def start(cluster: Cluster) -> Keeper:
    """Start a keeper in the cluster. Raises FaultError."""
    from podwalk.cluster.state import ClusterDir

    state = ClusterDir(home(), cluster.name).read()
    if state is None:
        raise FaultError(f"cluster {cluster.name} is not running; start it: podwalk up --name {cluster.name}")
    control_plane = next(n for n, role in state.node_roles.items() if role != "worker")
    order = {
        "kubeconfig": str(cluster.kubeconfig_path),
        "server": f"https://{state.node_addresses[control_plane]}:{_API_PORT}",
        "nodes": state.node_pids,
    }
    process = cluster.start(None, [sys.executable, "-m", "podwalk.faults.keeper", json.dumps(order)])
    keeper = Keeper(process)
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
    if not ready or process.stdout.read(len(READY)) != READY:
        process.kill()
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
        keeper.close()
        raise FaultError(f"the keeper does not start ({said[-1] if said else 'no answer'}); look: podwalk status")
    return keeper


# --- inside the sandbox


class _Inside:
    """The cluster as the keeper reaches it."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        import yaml

        with open(order["kubeconfig"], encoding="utf-8") as file:
            config = yaml.load(file, Loader=yaml.CSafeLoader)
        for entry in config["clusters"]:
            entry["cluster"]["server"] = order["server"]
        self.client = SyncClient(SyncConfig.from_kubeconfig(config))
        self._nodes: dict[str, int] = order["nodes"]

    def node(self, node: str, script: str) -> Completed:
        done = enter.run_in_sandbox(
            1, ["sh", "-c", script], node_pid=self._nodes[node], capture=True, timeout=_SCRIPT_SECONDS
        )
        return Completed(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def main(order: str) -> None:
    """Detach from whoever started us, say so, and keep watch."""
    inside = _Inside(json.loads(order))
    if os.fork():
        os._exit(0)
    os.setsid()
    os.write(1, READY)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    _watch(inside)


def _watch(inside: _Inside) -> None:
    from podwalk.faults import record

    lifeline = True
    while True:
        ready, _, _ = select.select([0] if lifeline else [], [], [], _LOOK_SECONDS)
        if ready:
            word = os.read(0, 1)
            if not word:
                _take_back(inside)
                return
            lifeline = False
            continue
        try:
            records = record.load(inside.client)
        except (OSError, ApiError):
            continue
        if not records and not lifeline:
            return
        if any(r.expires <= time.time() for r in records):
            _take_back(inside)
            return


def _take_back(inside: _Inside) -> None:
    """Undo everything and take the application away; the last failure stays in the records for `podwalk fault undo`."""
    from podwalk.faults import app, engine, record

    for attempt in range(_TRIES):
        try:
            if not record.load(inside.client):
                return
            engine.undo_all(inside)
            app.take_away(inside.client)
            return
        except (FaultError, OSError, ApiError):
            time.sleep(1 + attempt)


if __name__ == "__main__":
    main(sys.argv[1])
