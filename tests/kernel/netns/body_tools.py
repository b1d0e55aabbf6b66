"""What the bodies share: running in a node, starting containers, reading what they print."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import traceback
from collections.abc import Callable
from typing import Any

from podwalk.netns import containers, pods, sandbox
from podwalk.netns.containers import ContainerProcess, ContainerSpec, ContainerStartError
from podwalk.netns.pods import PodSandbox
from podwalk.netns.reaper import Reaper

Body = Callable[[], Any]


def answer(body: Body, fd: int) -> int:
    """Write what `body` returns, or its traceback, as JSON."""
    try:
        result = {"result": body()}
    except BaseException:
        result = {"error": traceback.format_exc()}
    with open(fd, "w") as out:
        json.dump(result, out)
    return 0


def in_node(body: Body, name: str = "worker") -> Any:
    """Run a body as pid 1 of a node; called in the sandbox's init."""
    read_end, write_end = os.pipe()
    node = sandbox.spawn_node(name, lambda: answer(body, write_end))
    node.go()
    os.close(write_end)
    with open(read_end) as file:
        result = json.load(file)
    os.waitpid(node.pid, 0)
    node.close()
    if "error" in result:
        raise AssertionError(result["error"])
    return result["result"]


def read_all(fd: int) -> str:
    data = b""
    with contextlib.suppress(OSError):  # a terminal answers EIO at its end
        while chunk := os.read(fd, 65536):
            data += chunk
    os.close(fd)
    return data.decode()


def finish(process: ContainerProcess) -> dict[str, Any]:
    if process.stdin_fd is not None:
        os.close(process.stdin_fd)
    out = read_all(process.stdout_fd)
    err = "" if process.stderr_fd is None else read_all(process.stderr_fd)
    code = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
    containers.release(process)
    return {"code": code, "out": out, "err": err}


def run(pod: PodSandbox, *argv: str, **fields: Any) -> dict[str, Any]:
    return finish(containers.start_container(ContainerSpec(pod, "c", list(argv), **fields)))


def run_with_input(pod: PodSandbox, data: bytes, *argv: str) -> str:
    process = containers.start_container(ContainerSpec(pod, "c", list(argv), stdin=True))
    assert process.stdin_fd is not None
    os.write(process.stdin_fd, data)
    return str(finish(process)["out"])


def refusal(pod: PodSandbox, *argv: str, **fields: Any) -> str:
    try:
        run(pod, *argv, **fields)
    except ContainerStartError as error:
        return str(error)
    return "started"


@contextlib.contextmanager
def a_pod(**fields: Any) -> Any:
    pod = pods.create_pod_sandbox(uid="pod-uid", hostname="web-1", **fields)
    yield pod
    pods.remove_pod_sandbox(pod)
    os.waitpid(pod.pid, 0)


def asynchronous(main: Callable[[Reaper], Any]) -> Any:
    async def go() -> Any:
        reaper = Reaper(asyncio.get_running_loop())
        try:
            return await main(reaper)
        finally:
            reaper.close()

    return in_node(lambda: asyncio.run(go()))
