"""A Pod's sandbox: the network, ipc, uts and perhaps pid namespaces that its containers share, held by a pause process.

Stands in for containerd's RunPodSandbox. No pause image: the process is the machine's `sleep` under the name /pause.
"""

import errno
import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from podwalk.netns import guard, sandbox
from podwalk.netns import syscalls as sc
from podwalk.netns.process import Channel, SpawnError, spawn

_NETNS_DIRECTORY = "/run/netns"
# What containerd sets by default: any container may ping and may listen below 1024.
_DEFAULT_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}


class PodSandboxError(OSError):
    """The sandbox could not be made; the text names what was refused."""


@dataclass
class PodSandbox:
    """A Pod's namespaces. `netns_path` is what CNI plugins get; a host network Pod has the node's."""

    uid: str
    pid: int
    pidfd: int
    netns_path: str
    host_network: bool


def create_pod_sandbox(
    *,
    uid: str,
    hostname: str,
    host_network: bool = False,
    host_ipc: bool = False,
    sysctls: dict[str, str] | None = None,
) -> PodSandbox:
    """Make a sandbox; its pause process is a child of the caller, its `lo` is up, no other interface is there yet.

    A host network Pod keeps the node's network and hostname. Raises PodSandboxError.
    """
    guard.refuse_host()
    flags = sc.CLONE_NEWPID | (0 if host_ipc else sc.CLONE_NEWIPC)
    if not host_network:
        flags |= sc.CLONE_NEWNET | sc.CLONE_NEWUTS
    wanted = {} if host_network else {**_DEFAULT_SYSCTLS, **(sysctls or {})}
    try:
        pid, channel = spawn(
            lambda: sc.unshare(flags), lambda theirs: _pause(theirs, None if host_network else hostname, wanted)
        )
    except OSError as error:
        raise PodSandboxError(error.errno or errno.EIO, f"pod sandbox: {error}") from error
    message, _ = channel.receive()
    channel.close()
    if message is None or "error" in message:
        os.waitpid(pid, 0)
        raise PodSandboxError(message["error"] if message else "the pause process died while it was set up")
    path = "/proc/1/ns/net" if host_network else _bind_netns(uid, pid)
    return PodSandbox(uid, pid, os.pidfd_open(pid), path, host_network)


def _pause(channel: Channel, hostname: str | None, sysctls: dict[str, str]) -> int:
    try:
        sandbox.close_except({channel.socket.fileno()})
        os.setsid()
        if hostname is not None:
            socket.sethostname(hostname)
            sandbox.raise_loopback()
        for name, value in sysctls.items():
            _set_sysctl(name, value)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # survives exec: the kernel reaps the Pod's orphans
        program = next((path for path in ("/usr/bin/sleep", "/bin/sleep") if os.access(path, os.X_OK)), None)
        if program is None:
            raise SpawnError("no sleep on this machine: apt-get install coreutils")
        # A binary that is many programs in one (busybox, uutils) goes by its name.
        name = "/pause" if os.path.basename(os.path.realpath(program)) in ("sleep", "gnusleep") else "sleep"
        channel.send({"ready": True})
        os.execve(program, [name, "infinity"], {"PATH": "/usr/bin:/bin"})
    except OSError as error:
        channel.send({"error": str(error)})
    return 1


def _set_sysctl(name: str, value: str) -> None:
    path = Path("/proc/sys", *name.split("."))
    try:
        path.write_text(value)
    except OSError as error:
        if name != "net.ipv4.ping_group_range" or error.errno != errno.EINVAL:
            raise SpawnError(f'sysctl "{name}" cannot be set to {value!r}: {os.strerror(error.errno or 0)}') from error
        path.write_text("0 0")  # a user namespace with one gid: that one is the whole range


def _bind_netns(uid: str, pid: int) -> str:
    path = f"{_NETNS_DIRECTORY}/cni-{uid}"
    os.makedirs(_NETNS_DIRECTORY, exist_ok=True)
    if os.path.exists(path):
        _unbind_netns(path)
    Path(path).touch()
    sc.mount(f"/proc/{pid}/ns/net", path, None, sc.MS_BIND)
    return path


def _unbind_netns(path: str) -> None:
    with suppress(OSError):  # not mounted
        sc.umount(path, sc.MNT_DETACH)
    with suppress(FileNotFoundError):
        os.unlink(path)


def remove_pod_sandbox(sandbox: PodSandbox) -> None:
    """Kill the sandbox with everything in it and let go of its network namespace. Removing it twice is no error.

    The pause process ends when the containers have been reaped, for they are children of the agent: never block on it,
    the reaper collects it.
    """
    if sandbox.pidfd < 0:
        return
    if not sandbox.host_network:
        _unbind_netns(sandbox.netns_path)
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(sandbox.pidfd, signal.SIGKILL)
    os.close(sandbox.pidfd)
    sandbox.pidfd = -1


def open_socket(sandbox: PodSandbox, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """Make a socket that belongs to the Pod's network, for port-forward and probes of its loopback."""
    if sandbox.host_network:
        return socket.socket(socket.AF_INET, kind)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        sc.setns(sandbox.pidfd, sc.CLONE_NEWNET)
        try:
            return socket.socket(socket.AF_INET, kind)
        finally:
            sc.setns(home, sc.CLONE_NEWNET)
    finally:
        os.close(home)
