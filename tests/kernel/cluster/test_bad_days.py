"""Whoever is killed, whenever: nothing of a cluster stays, and the next one boots."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import pytest
from cluster_cli import Census, Cli, await_true, complaint, finish, kill

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(400)]

_VICTIMS: dict[str, Callable[[Census], int]] = {
    "supervisor": lambda c: c.supervisor,
    "sandbox init": lambda c: c.init,
    "control-plane agent": lambda c: c.agents["bad-control-plane"],
    "API server": lambda c: c.api_server,
}


@pytest.mark.parametrize("victim", _VICTIMS)
def test_killed_process_takes_the_whole_cluster_along(any_cli: Cli, victim: str) -> None:
    census = any_cli.up("bad")
    kill(_VICTIMS[victim](census))
    census.await_nothing()
    status = any_cli.run("status", "--json")
    assert (status.returncode, status.stdout.strip()) == (0, "[]")
    again = any_cli.up("bad", "--no-wait")
    assert all(any_cli.nodes("bad").values())
    any_cli.down("bad")
    again.await_nothing()
    assert not any_cli.folder("bad").exists()


def test_killed_worker_dies_alone(any_cli: Cli) -> None:
    census = any_cli.up("bad")
    victim = census.agents["bad-worker"]
    kill(victim)
    await_true(lambda: not any_cli.nodes("bad")["bad-worker"], "status calls the node dead")
    assert any_cli.nodes("bad") == {"bad-control-plane": True, "bad-worker": False, "bad-worker2": True}
    assert "bad-worker " in any_cli.run("status").stdout.split("dead")[0].splitlines()[-1]
    line = complaint(any_cli.run("node", "--name", "bad", "worker", "--", "true"), 3)
    assert "node/bad-worker: is dead" in line
    assert "podwalk down --name bad" in line
    for node in ("control-plane", "worker2"):
        assert any_cli.run("node", "--name", "bad", node, "--", "true").returncode == 0

    def links() -> str:
        return any_cli.run("outside", "--name", "bad", "--", "ip", "-br", "link", "show", "type", "veth").stdout

    # A veth goes when the namespace of its other end goes: nobody keeps the dead node's network.
    await_true(lambda: len(links().splitlines()) == 2, "the fabric has the links of two nodes")
    any_cli.down("bad")
    census.await_nothing()


def test_another_cluster_is_not_touched(cli: Cli) -> None:
    one, two = cli.up("one"), cli.up("two")
    assert not one.namespaces & two.namespaces
    assert cli.state("one")["api_port"] != cli.state("two")["api_port"]
    kill(one.init)
    one.await_nothing()
    assert cli.run("node", "--name", "two", "worker", "--", "hostname").stdout == "two-worker\n"
    assert all(cli.nodes("two").values())
    cli.down("two")
    two.await_nothing()


def _first_line(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return bool(process.stdout.readline())


_MOMENTS: dict[str, Callable[[Cli, subprocess.Popen[str]], object]] = {
    "the lock exists": lambda cli, _: (cli.folder("bad") / "lock").exists(),
    "the supervisor has a state": lambda cli, _: cli.state("bad"),
    "the sandbox exists": lambda cli, _: cli.state("bad").get("init_pid"),
    "all nodes exist": lambda cli, _: len(cli.state("bad").get("node_pids", ())) == 3,
    "the API answers": lambda cli, process: _first_line(process),
}


def _interrupted(cli: Cli, moment: str, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    process = cli.popen("up", "--name", "bad")
    await_true(lambda: _MOMENTS[moment](cli, process), moment)
    process.send_signal(number)
    return finish(process)


def _supervisors(cli: Cli) -> list[str]:
    """Whatever runs with this home on its command line, which a fork inherits."""
    done = subprocess.run(["ps", "-eo", "pid=,stat=,args="], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if f"podwalk.cluster {cli.home} " in line]


def _assert_bootable(cli: Cli) -> None:
    await_true(lambda: not _supervisors(cli), "no process of the cluster is left", 15)
    census = cli.up("bad", "--no-wait")
    cli.down("bad")
    census.await_nothing()


@pytest.mark.parametrize("moment", _MOMENTS)
def test_killed_up_leaves_nothing(cli: Cli, moment: str) -> None:
    assert _interrupted(cli, moment, signal.SIGKILL).returncode == -signal.SIGKILL
    _assert_bootable(cli)


def test_killed_up_of_an_ordinary_user_leaves_nothing(any_cli: Cli) -> None:
    assert _interrupted(any_cli, "the API answers", signal.SIGKILL).returncode == -signal.SIGKILL
    _assert_bootable(any_cli)


@pytest.mark.parametrize("moment", ["the sandbox exists", "the API answers"])
def test_ctrl_c_during_up_leaves_nothing(cli: Cli, moment: str) -> None:
    done = _interrupted(cli, moment, signal.SIGINT)
    assert complaint(done, 130) == "podwalk: stopped"
    _assert_bootable(cli)


def test_of_two_ups_at_once_one_wins(any_cli: Cli) -> None:
    racers = [any_cli.popen("up", "--name", "bad") for _ in range(2)]
    ends = sorted((finish(racer) for racer in racers), key=lambda done: done.returncode)
    assert ends[0].returncode == 0, ends[0].stderr
    assert "cluster bad is already running" in complaint(ends[1], 1)
    assert all(any_cli.nodes("bad").values())


@pytest.mark.parametrize("moment", ["the supervisor has a state", "all nodes exist", "the API answers"])
def test_down_during_up(cli: Cli, moment: str) -> None:
    process = cli.popen("up", "--name", "bad")
    await_true(lambda: _MOMENTS[moment](cli, process), moment)
    cli.down("bad")
    line = complaint(finish(process), 3)
    assert "cluster bad was taken down while it was starting" in line
    _assert_bootable(cli)


def test_leftovers_of_a_power_cut_are_cleared(cli: Cli) -> None:
    cli.folder("bad").mkdir(parents=True)
    for name in ("lock", "kubeconfig", ".state.json.new"):
        (cli.folder("bad") / name).write_text("leftover")
    (cli.folder("bad") / "state.json").write_text('{"name": "bad", "supervisor_pid": 1, "init_pid": 1}')
    assert cli.run("down", "--name", "bad").stdout == "  cluster bad does not run\n"
    assert not (cli.folder("bad") / "state.json").exists()
    _assert_bootable(cli)
