"""The sandbox that holds a whole cluster, and the nodes inside it.

The sandbox is one process with its own user (for an ordinary user), network, mount, pid, uts, ipc and cgroup
namespaces; it is pid 1 of the pid namespace, so its death, however sudden, ends everything below, and the kernel takes
the networks and mounts with it. Nothing has to be cleaned up on the host. Nodes nest the same way, as kind's node
containers do in Docker.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from podwalk.netns import guard, rootfs, seccomp
from podwalk.netns import syscalls as sc
from podwalk.netns.netlink import Netlink
from podwalk.netns.process import Channel, SpawnError, ignore_broken_pipes, spawn

NODE_NAMESPACES = (
    sc.CLONE_NEWNS | sc.CLONE_NEWNET | sc.CLONE_NEWUTS | sc.CLONE_NEWIPC | sc.CLONE_NEWPID | sc.CLONE_NEWCGROUP
)
# CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_BOOT, CAP_SYS_TIME, CAP_MKNOD: of real root they reach the machine.
_HOST_CAPABILITIES = (16, 17, 22, 25, 27)
_NEEDED_CAPABILITIES = (12, 21)  # CAP_NET_ADMIN, CAP_SYS_ADMIN


_OUTSIDE_FILES = {
    "/etc/hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    "/etc/resolv.conf": "nameserver 172.18.0.1\n",
}


def needs_user_namespace() -> bool:
    """Tell whether this process lacks the capabilities to make namespaces directly."""
    mask = sc.effective_capabilities()
    return not all(mask >> number & 1 for number in _NEEDED_CAPABILITIES)


def proc_sys_mode() -> str:
    """How much of /proc/sys a sandbox or node may write: inside a user namespace the kernel itself guards the rest."""
    return "rw" if seccomp.single_uid() else "net"


def spawn_sandbox(main: Callable[[], int]) -> int:
    """Start a sandbox and return the host pid of its init, which is a child of the caller: wait for it with waitpid.

    Returns when the sandbox is complete (mounts, loopback up) and about to run `main` as pid 1, whose value is its exit
    status. It dies with the caller's thread. Open descriptors are inherited. Call it in a process with a single thread.
    Raises SpawnError naming the refused call.
    """
    guard.remember_host()
    pid, channel = spawn(_unshare_sandbox, lambda theirs: _sandbox_init(theirs, main))
    _await_ready(pid, channel)
    channel.close()
    return pid


def _unshare_sandbox() -> None:
    if needs_user_namespace():
        uid, gid = os.geteuid(), os.getegid()
        sc.unshare(sc.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        sc.die_with_parent()
    sc.unshare(NODE_NAMESPACES)


def _sandbox_init(channel: Channel, main: Callable[[], int]) -> int:
    _bind_life_to_parent(channel)
    try:
        sc.make_private()
        sc.mount("proc", "/proc", "proc", sc.MS_NOSUID | sc.MS_NODEV | sc.MS_NOEXEC)
        rootfs.protect_proc("/proc", proc_sys_mode())
        sc.mount("sysfs", "/sys", "sysfs", sc.MS_RDONLY | sc.MS_NOSUID | sc.MS_NODEV | sc.MS_NOEXEC)
        sc.mount("tmpfs", "/run", "tmpfs", sc.MS_NOSUID | sc.MS_NODEV, "mode=0755")
        os.makedirs("/run/netns")
        _own_names()
        socket.sethostname("podwalk")
        if seccomp.single_uid():
            seccomp.fake_credential_calls()
        else:
            for capability in _HOST_CAPABILITIES:
                sc.prctl(sc.PR_CAPBSET_DROP, capability)
        raise_loopback()
    except OSError as error:
        channel.send({"error": str(error)})
        return 1
    channel.send({"ready": True})
    channel.close()
    ignore_broken_pipes()
    return main()


def _own_names() -> None:
    """Give the fabric its own /etc/hosts and /etc/resolv.conf: what is written there stays in the sandbox.

    A distribution may have them as links into /run, which is a fresh tmpfs here.
    """
    for path, text in _OUTSIDE_FILES.items():
        real, own = os.path.realpath(path), f"/run/outside{path}"
        os.makedirs(os.path.dirname(own), exist_ok=True)
        Path(own).write_text(text)
        if real.startswith("/run/"):
            os.makedirs(os.path.dirname(real), exist_ok=True)
            Path(real).touch()
        if os.path.exists(real):
            sc.mount(own, real, None, sc.MS_BIND)


def _bind_life_to_parent(channel: Channel) -> None:
    """Wait until the parent has adopted this process, then die with it; a parent that is gone closes the channel."""
    message, _ = channel.receive()
    if message is None:
        os._exit(1)
    sc.die_with_parent()


def _await_ready(pid: int, channel: Channel) -> None:
    channel.send({"adopted": True})
    message, _ = channel.receive()
    if message is None or "error" in message:
        channel.close()
        os.waitpid(pid, 0)
        raise SpawnError(message["error"] if message else "the sandbox died while it was set up")


def raise_loopback() -> None:
    """Set `lo` up: a fresh network namespace has it down, and no CNI plugin raises it."""
    with Netlink() as netlink:
        netlink.set_up("lo")


@dataclass
class NodeProcess:
    """A node's pid 1 as its creator sees it. `pidfd` stays valid for setns and never names another process."""

    pid: int
    name: str
    pidfd: int
    _channel: Channel

    @contextlib.contextmanager
    def netns_fd(self) -> Iterator[int]:
        """Open the node's network namespace for a `with` block: kept open it would keep a dead node's network alive."""
        fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)

    def go(self) -> None:
        """Let the node run its main function."""
        self._channel.send({"go": True})
        self._channel.close()

    def close(self) -> None:
        """Close the descriptors; the node lives on."""
        self._channel.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def spawn_node(
    name: str,
    main: Callable[[], int],
    *,
    files: Mapping[str, bytes] | None = None,
    keep_fds: Iterable[int] | None = None,
) -> NodeProcess:
    """Start a node with its own namespaces and root directory; call it in the sandbox's init, whose child it becomes.

    Returns when the node is complete (hostname `name`, loopback up) and waits: move a veth into `netns_fd()`, then
    `go()` makes it run `main` as pid 1. `files` are written to its root (absolute path to content; /etc/hostname,
    /etc/hosts and /etc/resolv.conf have defaults). With `keep_fds` all other descriptors above 2 are closed in the
    node: an inherited netns descriptor would keep the network of a dead node alive. Raises SpawnError.
    """
    pid, channel = spawn(
        lambda: sc.unshare(NODE_NAMESPACES),
        lambda theirs: _node_init(theirs, name, main, dict(files or {}), None if keep_fds is None else set(keep_fds)),
    )
    _await_ready(pid, channel)
    return NodeProcess(pid, name, os.pidfd_open(pid), channel)


def _node_init(
    channel: Channel, name: str, main: Callable[[], int], files: dict[str, bytes], keep: set[int] | None
) -> int:
    _bind_life_to_parent(channel)
    if keep is not None:
        close_except(keep | {channel.socket.fileno()})
    defaults = {
        "/etc/hostname": f"{name}\n".encode(),
        "/etc/hosts": f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{name}\n".encode(),
        "/etc/resolv.conf": b"nameserver 172.18.0.1\noptions ndots:0\n",
    }
    try:
        sc.make_private()
        rootfs.assemble("/run/node", image="default", proc_sys=proc_sys_mode(), files={**defaults, **files})
        _node_extras(rootfs.OLD_ROOT)
        rootfs.leave_old_root()
        for path in (
            "/run/netns",
            "/run/containers",
            "/etc/cni/net.d",
            "/var/lib/cni",
            "/var/lib/kubelet",
            "/var/log/pods",
        ):
            os.makedirs(path, exist_ok=True)
        _share_netns_directory()
        socket.sethostname(name)
        raise_loopback()
    except OSError as error:
        channel.send({"error": str(error)})
        return 1
    channel.send({"ready": True})
    message, _ = channel.receive()
    channel.close()
    ignore_broken_pipes()
    return 1 if message is None else main()


def _share_netns_directory() -> None:
    """Make /run/netns a mount of its own that is shared, as `ip netns add` would at its first call.

    Done only then, the Pods' namespaces would hang below the new mount, out of reach, and no Pod could be removed.
    """
    sc.mount("/run/netns", "/run/netns", None, sc.MS_BIND | sc.MS_REC)
    sc.mount(None, "/run/netns", None, sc.MS_SHARED)


def _node_extras(machine: str) -> None:
    """What a node has and a container has not: /opt/cni/bin, where anybody may add a plugin, and the TUN device.

    The machine's own plugins stand there as links; `machine` is where its root directory is.
    """
    os.makedirs("/opt/cni/bin")
    if os.path.isdir(f"{machine}/opt/cni/bin"):
        os.mkdir("/opt/cni/machine")
        sc.bind(f"{machine}/opt/cni/bin", "/opt/cni/machine", read_only=True)
    for directory in ("/opt/cni/machine", "/usr/lib/cni", "/usr/libexec/cni"):
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            with contextlib.suppress(FileExistsError):
                os.symlink(f"{directory}/{name}", f"/opt/cni/bin/{name}")
    if os.path.exists(f"{machine}/dev/net/tun"):
        os.mkdir("/dev/net")
        Path("/dev/net/tun").touch()
        sc.mount(f"{machine}/dev/net/tun", "/dev/net/tun", None, sc.MS_BIND)


def close_except(keep: set[int]) -> None:
    """Close every descriptor above 2 that is not in `keep`."""
    start = 3
    for fd in sorted(fd for fd in keep if fd > 2):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, 1 << 20)
