"""One run of a container: its process, its log, commands beside it, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from podwalk.api.meta import Object
from podwalk.kubelet.logs import LogFile, Pump
from podwalk.netns import containers as runtime
from podwalk.netns.containers import ContainerProcess, ContainerStartError
from podwalk.netns.reaper import Reaper

_MAX_MESSAGE = 4096
_MAX_OUTPUT = 10 * 1024  # of a probe's or a hook's command
_MAX_LOG_MESSAGE = 2048
_LOG_MESSAGE_LINES = 80
_LINGER_SECONDS = 0.2  # for output that a background child of a command still holds open


@dataclass(slots=True)
class Run:
    """One run of a container."""

    process: ContainerProcess
    log: LogFile
    pumps: list[Pump]
    exited: asyncio.Future[int]
    started_at: str
    message_file: Path | None
    environment: dict[str, str]
    mount_namespace: int
    probers: list[asyncio.Task[None]] = field(default_factory=list)


def termination_message(run: Run, spec: Object, code: int) -> str:
    """What the container wrote to its terminationMessagePath, or the end of its log where the policy says so."""
    text = b""
    if run.message_file is not None:
        with open(run.message_file, "rb") as file:
            text = file.read(_MAX_MESSAGE)
        run.message_file.unlink(missing_ok=True)
    if not text and code != 0 and spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
        lines = run.log.path.read_bytes().splitlines()[-_LOG_MESSAGE_LINES:]
        text = b"\n".join(line.split(b" ", 3)[-1] for line in lines)[-_MAX_LOG_MESSAGE:]
    return text.decode(errors="replace")


async def execute(reaper: Reaper, run: Run, command: list[str], timeout: float) -> tuple[int, bytes]:
    """Run a command in the container: (exit code, what it wrote). Raises TimeoutError after killing it."""
    try:
        process = runtime.exec_in_container(run.process, command, run.environment, tty=False, stdin=False)
    except ContainerStartError as error:
        return 126, str(error).encode()
    exited = reaper.watch(process.pid)
    output = _Output()
    pumps = [Pump(fd, "stdout", output) for fd in (process.stdout_fd, process.stderr_fd) if fd is not None]
    try:
        # wait() leaves the future alone when the time is up, where awaiting it would cancel it.
        await asyncio.wait([exited], timeout=timeout or None)
        if not exited.done():
            raise TimeoutError
        ends = [asyncio.create_task(pump.done.wait()) for pump in pumps]
        _, open_ends = await asyncio.wait(ends, timeout=_LINGER_SECONDS)
        for end in open_ends:
            end.cancel()
    finally:
        if not exited.done():
            runtime.signal(process, signal.SIGKILL)
        for pump in pumps:
            pump.close()
        runtime.release(process)
    code = exited.result()
    return (128 - code if code < 0 else code), bytes(output.data)


class _Output:
    """Takes what a pump reads, in place of a log file; what is too much is lost, as upstream."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, stream: str, data: bytes) -> None:
        del stream
        self.data += data[: _MAX_OUTPUT - len(self.data)]


def mount_namespace(pid: int | str) -> int:
    """The number of a process's mount namespace; 0 where the process has gone."""
    try:
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino
    except OSError:
        return 0


def kill_leftovers(namespace: int) -> None:
    """Kill what the first process of a container left behind in a pid namespace that it shares with others.

    What shares the container's mount namespace is the container's. Stands in for runc's killing of the whole cgroup.
    """
    if not namespace:
        return
    for entry in os.listdir("/proc"):
        if entry.isdigit() and mount_namespace(entry) == namespace:
            with suppress(OSError):
                os.kill(int(entry), signal.SIGKILL)
