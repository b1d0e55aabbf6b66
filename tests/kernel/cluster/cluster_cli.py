"""The command line as a learner has it, and a census of what a cluster has brought into the machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MAIN = "from podwalk.cli.main import main; main()"
_NAMESPACES = ("net", "mnt", "pid", "uts", "ipc", "cgroup", "user")
PATIENCE = 30.0


def await_true(holds: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait until ``holds`` gives something true, and return it; AssertionError naming ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < deadline, f"still not true after {seconds:g} s: {what}"
        time.sleep(0.005)
    return value


@dataclass(frozen=True)
class Cli:
    """``podwalk`` as some user, with a $PODWALK_HOME of its own."""

    python: str
    home: Path
    uid: int | None = None
    env: dict[str, str] = field(default_factory=dict)

    def command(self, *args: str) -> list[str]:
        """The argument list of a podwalk command."""
        return [self.python, "-c", _MAIN, *args]

    def popen(self, *args: str, argv: list[str] | None = None) -> subprocess.Popen[str]:
        """Start a command; its output is piped."""
        who: dict[str, Any] = {}
        if self.uid is not None:
            who = {"user": self.uid, "group": self.uid, "extra_groups": []}
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PODWALK", "PYTHON", "KUBECONFIG"))}
        return subprocess.Popen(
            argv or self.command(*args),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=env | {"HOME": str(self.home), "PODWALK_HOME": str(self.home)} | self.env,
            **who,
        )

    def run(self, *args: str, argv: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return finish(self.popen(*args, argv=argv))

    def up(self, name: str, *args: str) -> Census:
        """Boot a cluster, which must work, and count what it brought."""
        done = self.run("up", "--name", name, *args)
        assert done.returncode == 0, done.stderr
        return Census.of(self.state(name))

    def down(self, name: str) -> None:
        """End a cluster, which must work."""
        done = self.run("down", "--name", name)
        assert done.returncode == 0, done.stderr

    def folder(self, name: str) -> Path:
        """Where a cluster keeps its files."""
        return self.home / "clusters" / name

    def state(self, name: str) -> dict[str, Any]:
        """The supervisor's record; empty where there is none yet."""
        try:
            data: dict[str, Any] = json.loads((self.folder(name) / "state.json").read_text())
        except FileNotFoundError:
            return {}
        return data

    def nodes(self, name: str) -> dict[str, bool]:
        """Each node and whether `podwalk status` calls it alive."""
        done = self.run("status", "--name", name, "--json")
        assert done.returncode == 0, done.stderr
        return {n["name"]: n["alive"] for n in json.loads(done.stdout)[0]["nodes"]}


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a started command."""
    with process:
        out, err = process.communicate(timeout=90)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def complaint(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line with which a command failed with this exit code."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("podwalk: ")
    return lines[0]


def processes() -> Iterator[tuple[int, int, str, str]]:
    """(pid, parent, command name, start time) of each process that has not ended. A zombie has."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, rest = (entry / "stat").read_text().split("(", 1)[1].rsplit(") ", 1)
            except (FileNotFoundError, ProcessLookupError):
                continue
            fields = rest.split()
            if fields[0] not in "ZX":
                yield int(entry.name), int(fields[1]), name, fields[19]


def in_namespace(pid: int) -> list[int]:
    """A process's numbers, from the machine's to its innermost namespace's."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return [int(word) for word in line.split()[1:]]
    raise AssertionError("no NSpid")


def namespaces_of(pid: int | str) -> set[str]:
    """The namespaces that a process is in or holds open, as `net:[4026531840]`."""
    held = set()
    for link in [Path(f"/proc/{pid}/ns/{kind}") for kind in _NAMESPACES] + _descriptors(pid):
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target.split(":[")[0] in _NAMESPACES:
            held.add(target)
    return held


def _descriptors(pid: int | str) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return []


def _pin_pid_namespaces(pids: Iterable[int], which: set[str]) -> list[int]:
    """Open each of these PID namespaces once, by the processes that are in them."""
    pins: dict[str, int] = {}
    for pid in pids:
        path = f"/proc/{pid}/ns/pid"
        try:
            number = os.readlink(path)
            if number in which and number not in pins:
                pins[number] = os.open(path, os.O_RDONLY)
        except OSError:
            continue  # it has just ended
    return list(pins.values())


@dataclass(frozen=True)
class Census:
    """Processes and namespaces of a running cluster, by the machine's numbers."""

    supervisor: int
    init: int
    agents: dict[str, int]
    api_server: int
    members: frozenset[tuple[int, str]]
    namespaces: frozenset[str]
    # Open files of its PID namespaces, until `await_nothing` is through: as long as they are open, the kernel gives
    # these numbers to nobody else. Not of the others: a network namespace held open keeps its cables.
    pins: list[int] = field(default_factory=list, compare=False)

    @classmethod
    def of(cls, state: dict[str, Any]) -> Census:
        """Count the descendants of a supervisor."""
        table = {pid: (parent, name, start) for pid, parent, name, start in processes()}
        members = {state["supervisor_pid"]}
        while more := {pid for pid, (parent, *_) in table.items() if parent in members} - members:
            members |= more
        init = state["init_pid"]
        inside = {in_namespace(pid)[1]: pid for pid in members if table[pid][0] == init}
        agents = {name: inside[number] for name, number in state["node_pids"].items()}
        api_servers = [pid for pid in members if table[pid][1] == "kube-apiserver"]
        assert len(api_servers) == 1
        namespaces = set().union(*(namespaces_of(pid) for pid in members)) - namespaces_of("self")
        assert {"net", "mnt", "pid"} <= {n.split(":")[0] for n in namespaces}
        identified = frozenset((pid, table[pid][2]) for pid in members)
        pins = _pin_pid_namespaces(members, namespaces)
        return cls(state["supervisor_pid"], init, agents, api_servers[0], identified, frozenset(namespaces), pins)

    def remains(self) -> list[str]:
        """What is left of it: its processes, and whoever is in one of its namespaces or mounts one."""
        left = []
        for pid, _, name, start in processes():
            if pid == os.getpid():
                continue  # we hold the pins
            if (pid, start) in self.members:
                left.append(f"process {pid} {name}")
            elif namespaces_of(pid) & self.namespaces and not self._beside(pid):
                left.append(f"process {pid} {name} in a namespace of the cluster")
        mounts = Path("/proc/self/mountinfo").read_text()
        return left + [f"mount of {n}" for n in self.namespaces if n in mounts]

    def _beside(self, pid: int) -> bool:
        """Whether a process belongs to a cluster beside this one.

        The kernel gives the number of a namespace that is gone to the next one that is made, by whomever: what tells
        them apart is the PID namespace of a process, or of an ancestor, that is neither this cluster's nor ours. The
        numbers of this cluster's PID namespaces are pinned, so nobody else has them.
        """
        known = self.namespaces | {os.readlink("/proc/self/ns/pid")}
        try:
            while pid > 1:
                if os.readlink(f"/proc/{pid}/ns/pid") not in known:
                    return True
                pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False  # it has just ended
        return False

    def await_nothing(self) -> None:
        """Wait until nothing is left. Raises AssertionError naming what is."""
        try:
            await_true(lambda: not self.remains(), "nothing of the cluster is left", 15)
        except AssertionError:
            raise AssertionError(self.remains()) from None
        finally:
            while self.pins:
                os.close(self.pins.pop())


def kill(pid: int) -> None:
    """As sudden as death gets."""
    os.kill(pid, signal.SIGKILL)
