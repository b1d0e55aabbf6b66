"""Containers: start one in a Pod's sandbox, run further commands in it, resize its terminal, signal it.

Stands in for runc and containerd's CRI plugin. A container's process is a direct child of the caller, so waitpid
(through netns.reaper) gives its exit status and no shim is needed.
"""

import fcntl
import os
import signal as signals
import struct
import termios
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from podwalk.netns import container_init, guard
from podwalk.netns import syscalls as sc
from podwalk.netns.capabilities import ALL_CAPABILITIES, DEFAULT_CAPABILITIES
from podwalk.netns.container_init import Streams
from podwalk.netns.pods import PodSandbox
from podwalk.netns.process import Channel, spawn

__all__ = [
    "ALL_CAPABILITIES", "DEFAULT_CAPABILITIES", "ContainerProcess", "ContainerSpec", "ContainerStartError", "Mount",
    "Pids", "exec_in_container", "release", "resize", "root_path", "signal", "start_container",
]  # fmt: skip

_POD_NAMESPACES = sc.CLONE_NEWNET | sc.CLONE_NEWIPC | sc.CLONE_NEWUTS
_EXEC_NAMESPACES = _POD_NAMESPACES | sc.CLONE_NEWPID | sc.CLONE_NEWNS | sc.CLONE_NEWCGROUP

# Whose processes a container sees: its own alone, the Pod's, those of another container, or the node's.
Pids = Literal["own", "pod", "target", "node"]


class ContainerStartError(Exception):
    """The program could not be started; the text is runc's: `exec: "foo": executable file not found in $PATH`."""


@dataclass(frozen=True)
class Mount:
    """A file or directory of the node that a container sees at `target`."""

    source: str
    target: str
    read_only: bool = False


@dataclass
class ContainerSpec:
    """All that it takes to start a container. `files` are placed in its root, `image` is "default" or "minimal".

    `pids` "target" joins the pid namespace of the process behind `target_pidfd`. `no_new_privileges` is
    allowPrivilegeEscalation: false. With `hold_signals` the program begins with SIGTERM and SIGINT blocked: as pid 1 it
    would lose those that come before its handlers are there.
    """

    sandbox: PodSandbox
    container_id: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    mounts: list[Mount] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()
    capabilities: Iterable[str] = DEFAULT_CAPABILITIES
    privileged: bool = False
    tty: bool = False
    stdin: bool = False
    image: str = "default"
    pids: Pids = "own"
    target_pidfd: int = -1
    read_only_root: bool = False
    no_new_privileges: bool = False
    hold_signals: bool = False


@dataclass
class ContainerProcess:
    """A container's first process, or a command run in it.

    The caller owns the descriptors. With a terminal `stdout_fd` is the master of the pseudo terminal, for both
    directions, and the other two are None. `release` closes the pidfd.
    """

    pid: int
    pidfd: int
    stdin_fd: int | None
    stdout_fd: int
    stderr_fd: int | None
    spec: ContainerSpec


def start_container(spec: ContainerSpec) -> ContainerProcess:
    """Build the container's root and start its program. Raises ContainerStartError; takes about 10 ms.

    The program is pid 1 of a pid namespace of its own (unless ``spec.pids`` says otherwise): the kernel ignores signals
    that it does not handle, and its end takes all its processes along.
    """
    guard.refuse_host()

    def prepare() -> None:
        shared = sc.CLONE_NEWPID if spec.pids == "pod" else 0
        sc.setns(spec.sandbox.pidfd, _POD_NAMESPACES | shared)
        if spec.pids == "target":
            sc.setns(spec.target_pidfd, sc.CLONE_NEWPID)
        own = sc.CLONE_NEWPID if spec.pids == "own" else 0
        sc.unshare(sc.CLONE_NEWNS | sc.CLONE_NEWCGROUP | own)

    def child(channel: Channel, streams: Streams) -> int:
        return container_init.start(channel, streams, spec)

    return _launch(spec, prepare, child, tty=spec.tty, stdin=spec.stdin, size=None)


def exec_in_container(
    container: ContainerProcess,
    argv: list[str],
    env: dict[str, str],
    *,
    tty: bool,
    stdin: bool,
    size: tuple[int, int] | None = None,
) -> ContainerProcess:
    """Run a command with the container's namespaces, root, user and capabilities. Raises ContainerStartError."""
    spec = container.spec

    def prepare() -> None:
        sc.setns(container.pidfd, _EXEC_NAMESPACES)

    def child(channel: Channel, streams: Streams) -> int:
        return container_init.execute(channel, streams, spec, argv, env)

    return _launch(spec, prepare, child, tty=tty, stdin=stdin, size=size)


def _launch(
    spec: ContainerSpec,
    prepare: Callable[[], None],
    child: Callable[[Channel, Streams], int],
    *,
    tty: bool,
    stdin: bool,
    size: tuple[int, int] | None,
) -> ContainerProcess:
    streams, ours = _make_pipes(tty=tty, stdin=stdin)
    streams.size = size
    master: list[int] = []
    try:
        try:
            pid, channel = spawn(prepare, lambda channel: child(channel, streams))
        finally:
            streams.close()
        error = _await_exec(channel, master)
        if error is not None:
            os.waitpid(pid, 0)
            raise ContainerStartError(error)
    except BaseException as failure:
        for fd in [*ours, *master]:
            if fd is not None:
                os.close(fd)
        if isinstance(failure, OSError):
            raise ContainerStartError(str(failure)) from failure
        raise
    stdin_fd, stdout_fd, stderr_fd = ours
    out = master[0] if tty else stdout_fd
    assert out is not None
    return ContainerProcess(pid, os.pidfd_open(pid), stdin_fd, out, stderr_fd, spec)


def _make_pipes(*, tty: bool, stdin: bool) -> tuple[Streams, tuple[int | None, int | None, int | None]]:
    """Return the child's ends and ours."""
    if tty:
        return Streams(tty=True), (None, None, None)
    in_read, in_write = os.pipe() if stdin else (None, None)
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    return Streams(in_read, out_write, err_write), (in_write, out_read, err_read)


def _await_exec(channel: Channel, master: list[int]) -> str | None:
    """Wait until the child has become its program (the channel closes) or says why not."""
    try:
        while True:
            message, fds = channel.receive()
            master += fds
            if message is None:
                return None
            if "error" in message:
                return str(message["error"])
    finally:
        channel.close()


def resize(process: ContainerProcess, rows: int, columns: int) -> None:
    """Tell the terminal its size; the program gets SIGWINCH. Without a terminal nothing happens."""
    if process.stderr_fd is None:
        with suppress(OSError):  # the program has just ended
            fcntl.ioctl(process.stdout_fd, termios.TIOCSWINSZ, struct.pack("=HHHH", rows, columns, 0, 0))


def signal(process: ContainerProcess, number: int) -> None:
    """Send a signal; a process that has ended is no error."""
    with suppress(ProcessLookupError):
        signals.pidfd_send_signal(process.pidfd, number)


def release(process: ContainerProcess) -> None:
    """Close the pidfd; the other descriptors belong to the caller."""
    if process.pidfd >= 0:
        os.close(process.pidfd)
        process.pidfd = -1


def root_path(process: ContainerProcess, path: str = "/") -> str:
    """Return the path by which the agent reaches `path` inside the running container."""
    return f"/proc/{process.pid}/root/{path.lstrip('/')}"
