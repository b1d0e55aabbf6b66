"""Sandboxes and nodes: complete, isolated, gone without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from netns_runner import Runner

from podwalk.netns import probe
from podwalk.netns.netlink import Netlink

pytestmark = pytest.mark.kernel


def test_the_sandbox_is_a_machine_of_its_own(runner: Runner) -> None:
    assert runner.run("sandbox_facts") == {"pid": 1, "processes": [1], "links": [["lo", True]], "uid": 0}


def test_a_node_has_its_own_root_and_cannot_reach_the_machine(runner: Runner) -> None:
    facts = runner.run("node_facts")
    tried = facts.pop("tried")
    assert facts.pop("broken pipe") == "an error"
    # Of the homes only the way to the interpreter and its packages is there, read-only, where they live in one.
    lead = {p.parts[2] for p in (Path(runner.python), runner.source) if p.parts[1] == "home"}
    assert set(facts.pop("home")) <= lead
    assert facts == {"pid": 1, "hostname": "worker-7", "hosts": True, "iptables": 0}
    assert tried["/usr/touched"] == "EROFS"
    assert tried["/proc/sys/vm/max_map_count"] == ("EACCES" if runner.single_uid else "EROFS")
    assert tried["/etc/touched"] == "written"
    assert tried["/proc/sys/net/ipv4/ip_forward"] == "written"


def test_programs_may_believe_that_they_change_user(runner: Runner) -> None:
    assert runner.run("fake_credentials") == {"single": runner.single_uid, "chown": 0, "setpriv": 0}


def test_two_nodes_reach_each_other_through_vxlan(runner: Runner) -> None:
    code, output = runner.run("overlay")
    assert code == 0, output


def _descendants(pid: int) -> set[int]:
    found = {pid}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found |= _descendants(int(child))
    return found


def _held(runner: Runner) -> tuple[subprocess.Popen[str], int, int]:
    """A busy sandbox: its supervisor, the pid of its init, and of its node as the sandbox counts."""
    holder = runner.start("hold")
    assert holder.stdout is not None
    said: dict[str, int] = {}
    while True:
        line = holder.stdout.readline()
        assert line, holder.communicate()[1]
        word, _, number = line.strip().partition(" ")
        said[word] = int(number or 0)
        if {"init", "node", "ready"} <= set(said):
            return holder, said["init"], said["node"]


def _gone(pids: set[int]) -> bool:
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("victim", ["init", "supervisor"])
def test_killing_it_at_the_top_leaves_no_process(runner: Runner, victim: str) -> None:
    holder, init, _ = _held(runner)
    with holder:
        everything = _descendants(init)
        assert len(everything) >= 4, "init, node, pause and container"
        os.kill(init if victim == "init" else holder.pid, signal.SIGKILL)
        holder.communicate(timeout=10)
    assert _gone(everything)


def test_commands_from_the_host(runner: Runner) -> None:
    holder, init, node = _held(runner)
    try:
        with runner.start("entering", str(init), str(node)) as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert json.loads(out) == {
            "sandbox": [0, "podwalk\n"],
            "node": [5, "worker\nbar\n0\ntyped", ""],
            "absent": [127, "", "no-such: command not found\n"],
            "no program": [126, "", "/etc/hosts: Permission denied\n"],
            "killed": 137,
            "chown": 0,
            "timeout": "sleep: no end after 0.5 s",
            "left": False,
            "stdout": "worker\n",
            "terminal": "6 True False",
            "no sandbox": True,
        }
    finally:
        os.kill(init, signal.SIGKILL)
        with holder:
            holder.communicate(timeout=10)


def test_nothing_is_configured_outside_a_sandbox(runner: Runner) -> None:
    with runner.start("guarded") as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out.count("refused") == 6
    assert "allowed" not in out
    assert '"None"' in out


_OF_MODULES = ("/proc/sys/net/bridge/", "/proc/sys/net/netfilter/")


def _host_state() -> dict[str, object]:
    with Netlink() as net:
        state: dict[str, object] = {
            "links": [link.name for link in net.links()],
            "addresses": net.addresses(),
            "routes": net.routes(),
        }
    for top in ("/proc/sys/net", "/proc/sys/vm", "/proc/sys/kernel"):
        for path in Path(top).rglob("*"):
            if path.is_file() and path.stat().st_mode & 0o222 and path.stat().st_mode & 0o444 == 0o444:
                try:
                    state[str(path)] = path.read_text()
                except OSError as error:
                    state[str(path)] = error.errno
    for volatile in ("ns_last_pid", "random"):
        state = {key: value for key, value in state.items() if volatile not in key}
    with open("/proc/self/mountinfo") as mounts:
        state["mounts"] = mounts.read()
    return state


def test_pods_can_be_removed_after_somebody_named_a_namespace(runner: Runner) -> None:
    found = runner.run("named_beside_pods")
    assert found["said"] == ""
    assert found["beside"] == sorted([found["pod"], "by-hand"])
    assert found["left"] == []


def test_the_host_is_as_before(runner: Runner) -> None:
    before = _host_state()
    assert len(before) > 100
    for body in ("links", "overlay", "plugins", "container_root"):
        runner.run(body)
    after = _host_state()
    # What comes into being with a kernel module, which a cluster of another process may have loaded meanwhile.
    fresh = {key for key in after.keys() - before.keys() if key.startswith(_OF_MODULES)}
    assert {key: (before.get(key), after.get(key)) for key in (before.keys() | after.keys()) - fresh
            if before.get(key) != after.get(key)} == {}  # fmt: skip


def test_doctor_finds_this_machine_fit() -> None:
    checks = probe.checks()
    assert {"sandbox", "vxlan", "CNI plugins", "program iptables", "bridge netfilter"} <= {
        check.name for check in checks
    }
    assert [check for check in checks if check.required and not check.ok and check.name != "program kubectl"] == []
    assert all(check.cure for check in checks if not check.ok)


def test_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(probe, "_PATH", "/nonexistent")
    monkeypatch.setattr(probe.cni, "PLUGIN_DIRECTORIES", ("/nonexistent",))
    by_name = {check.name: check for check in probe.checks()}
    assert by_name["program ip"] == probe.Check(
        "program ip", False, "not found", "sudo apt-get install -y iproute2", True
    )
    assert by_name["CNI plugins"].cure == "sudo apt-get install -y containernetworking-plugins"
