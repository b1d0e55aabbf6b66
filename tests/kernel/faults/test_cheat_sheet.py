"""Every command of the cheat sheet runs, and says something. The printed page is the list."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from podwalk.backends.base import Cluster
from podwalk.faults import app, keeper
from podwalk.faults.bench import Bench, open_bench
from podwalk.faults.cheatsheet import Entry, entries, markdown

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[3]
# These need what the application has only beside an Ingress or a Gateway.
_EDGE = "ingress"


def _values(bench: Bench) -> dict[str, str]:
    facts = bench.facts()
    board = facts.pods["board"]
    return {
        "pod": board.name, "node": board.node, "ip": facts.pod_ip("trams-west"), "service": "trams",
        "vip": facts.service_ip("trams"), "host": "timetable.tram.example", "address": facts.balancer_ip("ingress"),
    }  # fmt: skip


def _fill(command: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        command = command.replace(f"{{{name}}}", value)
    return command


def test_the_printed_page_is_the_list() -> None:
    assert (ROOT / "docs" / "cheat-sheet.md").read_text(encoding="utf-8") == markdown(), "run scripts/cheat_sheet.py"


def test_every_command_runs_and_says_something(faulty: Cluster, podwalk_home: Path) -> None:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is not None
    parts = {name for name, there in (("ingress", nginx), ("gateway", keeper.has_module("envoy"))) if there}
    wanted = [e for e in entries() if nginx or e.layer != _EDGE]
    wanted = [e for e in wanted if "gateway" in parts or "gateways" not in e.command]
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {
        **os.environ, "PATH": tools, "KUBECONFIG": str(faulty.kubeconfig_path), "PODWALK_CLUSTER": faulty.name,
        "PODWALK_HOME": str(podwalk_home), "TERM": "dumb",
    }  # fmt: skip
    with open_bench(faulty) as bench:
        try:
            bench.put(parts)
            assert not bench.sick(30), "the application is not well"
            values = _values(bench)
            silent = [said for e in wanted if (said := _trouble(e, values, env))]
        finally:
            app.take_away(bench.client)
    assert not silent, "\n".join(silent)


def _trouble(entry: Entry, values: dict[str, str], env: dict[str, str]) -> str:
    """What is wrong with a command; nothing where it ends well and prints something."""
    command = _fill(entry.command, values)
    # A capture wants something to capture.
    busy = f"kubectl -n tramway exec {values['pod']} -- curl -s -m2 http://{values['ip']}:8080/ >/dev/null"
    if "tcpdump" in command:
        command = f"( for i in 1 2 3 4 5 6 7 8 9; do sleep 0.5; {busy}; done ) & {command}; wait"
    done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode or not done.stdout.strip():
        last = done.stderr.strip().splitlines()[-1:] or ["it prints nothing"]
        return f"{entry.layer}: {command}: exit {done.returncode}: {last[0]}"
    return ""
