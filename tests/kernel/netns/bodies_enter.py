"""Bodies that start or enter a sandbox from outside."""

from __future__ import annotations

import json
import os
import pty
import signal
import time
from typing import Any

from body_tools import (
    read_all,
)

from podwalk.netns import containers, enter, guard, pods, sandbox
from podwalk.netns.containers import ContainerSpec
from podwalk.netns.netlink import Netlink


def busy() -> Any:
    """A node with a Pod and a container, until somebody kills it; called by `hold`."""

    def node() -> int:
        pod = pods.create_pod_sandbox(uid="pod-uid", hostname="web-1")
        containers.start_container(ContainerSpec(pod, "c", ["sleep", "1000"]))
        os.write(1, b"ready\n")
        while True:
            signal.pause()

    process = sandbox.spawn_node("worker", node)
    os.write(1, f"node {process.pid}\n".encode())
    process.go()
    os.waitpid(process.pid, 0)
    return 0


def hold() -> int:
    """Keep a busy sandbox until it ends; prints the host pid of its init."""
    pid = sandbox.spawn_sandbox(busy)
    os.write(1, f"init {pid}\n".encode())
    os.waitpid(pid, 0)
    return 0


def entering(init: int, node: int) -> int:
    """Commands from outside into the sandbox of `hold`."""

    def shown(*argv: str, **options: Any) -> list[Any]:
        done = enter.run_in_sandbox(init, argv, node_pid=node, capture=True, **options)
        return [done.returncode, done.stdout.decode(), done.stderr.decode()]

    sandboxed = enter.run_in_sandbox(init, ["hostname"], capture=True)
    script = "hostname; echo $FOO; id -u; cat; exit 5"
    found: dict[str, Any] = {
        "sandbox": [sandboxed.returncode, sandboxed.stdout.decode()],
        "node": shown("sh", "-c", script, env={"FOO": "bar"}, input=b"typed"),
        "absent": shown("no-such"),
        "no program": shown("/etc/hosts"),
        "killed": shown("sh", "-c", "kill -9 $$")[0],
        "chown": shown("chown", "1234", "/run")[0],
    }
    try:
        shown("sleep", "1234", timeout=0.5)
    except TimeoutError as error:
        found["timeout"] = str(error)
    deadline = time.monotonic() + 10
    while "sleep 1234" in shown("ps", "ax", "-o", "args")[1] and time.monotonic() < deadline:
        time.sleep(0.01)
    found["left"] = "sleep 1234" in shown("ps", "ax", "-o", "args")[1]
    read_end, write_end = os.pipe()
    enter.run_in_sandbox(init, ["hostname"], node_pid=node, stdout=write_end)
    os.close(write_end)
    found["stdout"] = read_all(read_end)
    found["terminal"] = entering_with_terminal(init, node)
    try:
        enter.run_in_sandbox(2**22 + 1, ["true"])
    except ProcessLookupError:
        found["no sandbox"] = True
    print(json.dumps(found))
    return 0


def entering_with_terminal(init: int, node: int) -> str:
    """An interactive shell with job control, on a terminal that a forked caller has."""
    pid, master = pty.fork()
    if pid == 0:
        os._exit(enter.run_in_sandbox(init, ["bash", "--norc", "-i"], node_pid=node).returncode)
    os.write(master, b"sleep 4321\n")
    deadline = time.monotonic() + 10
    listing = ""
    while "sleep 4321" not in listing.splitlines() and time.monotonic() < deadline:
        done = enter.run_in_sandbox(init, ["ps", "ax", "-o", "args"], node_pid=node, capture=True)
        listing = done.stdout.decode()
    os.write(master, b"\x03")
    os.write(master, b"echo got-$?; exit 6\n")
    output = read_all(master)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return f"{code} {'got-130' in output} {'no job control' in output}"


def guarded() -> int:
    """Not in a sandbox: everything that would change this network is refused."""
    found = []
    with Netlink() as net:
        for step in ("before", "after"):
            for action in (
                lambda: net.add_bridge("pwguard0"),
                guard.refuse_host,
                lambda: pods.create_pod_sandbox(uid="u", hostname="h"),
            ):
                try:
                    action()
                    found.append(f"{step}: allowed")
                except guard.HostNamespaceError:
                    found.append(f"{step}: refused")
            guard.remember_host()
        found.append(str(net.link("pwguard0")))
    print(json.dumps(found))
    return 0
