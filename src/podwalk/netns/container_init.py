"""What happens in a forked child between the namespaces and the program: root, mounts, terminal, user, exec.

Stands in for `runc init`; the texts of failures are runc's.
"""

import errno
import fcntl
import os
import signal
import stat
import struct
import termios
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from podwalk.netns import capabilities, rootfs, sandbox, seccomp
from podwalk.netns import syscalls as sc
from podwalk.netns.process import Channel

if TYPE_CHECKING:
    from podwalk.netns.containers import ContainerSpec, Mount

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ROOT = "/run/containers/root"  # every container assembles its root here, in a mount namespace of its own
_TIOCSPTLCK, _TIOCGPTPEER = 0x40045431, 0x5441


class InitError(Exception):
    """The program cannot be started; the text goes to the user."""


@dataclass
class Streams:
    """The child's ends of its standard streams: pipes, or a terminal to be made."""

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    tty: bool = False
    size: tuple[int, int] | None = None

    def close(self) -> None:
        """Close what is open."""
        for fd in (self.stdin, self.stdout, self.stderr):
            if fd is not None:
                os.close(fd)


def start(channel: Channel, streams: Streams, spec: "ContainerSpec") -> int:
    """Become a container; returns only when that failed, after reporting why."""

    def enter() -> None:
        mode = sandbox.proc_sys_mode() if spec.privileged else "ro"
        sources = [os.path.realpath(mount.source) for mount in spec.mounts]
        sc.make_private()
        rootfs.assemble(_ROOT, image=spec.image, proc_sys=mode, files=spec.files)
        for source, mount in zip(sources, spec.mounts, strict=True):
            _mount(source, mount)
        rootfs.leave_old_root()
        _make_cwd(spec)
        if spec.read_only_root:
            sc.set_read_only("/", recursive=False)

        if spec.hold_signals:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})

    return _become(channel, streams, spec, spec.argv, spec.env, enter)


def execute(channel: Channel, streams: Streams, spec: "ContainerSpec", argv: list[str], env: Mapping[str, str]) -> int:
    """Become a command in a running container, whose namespaces have been joined; returns only after a failure."""
    return _become(channel, streams, spec, argv, env, lambda: None)


def _become(
    channel: Channel,
    streams: Streams,
    spec: "ContainerSpec",
    argv: list[str],
    env: Mapping[str, str],
    enter: Callable[[], None],
) -> int:
    try:
        keep = {fd for fd in (streams.stdin, streams.stdout, streams.stderr) if fd is not None}
        sandbox.close_except(keep | {channel.socket.fileno()})
        os.umask(0o022)
        os.setsid()
        enter()
        _connect(channel, streams)
        os.chdir(spec.cwd)
        environment = {"PATH": DEFAULT_PATH, "HOME": "/" if spec.uid else "/root", **env}
        program = find_program(argv, environment["PATH"])
        _become_user(spec)
        if spec.no_new_privileges:
            sc.prctl(sc.PR_SET_NO_NEW_PRIVS, 1)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execve(program, argv, environment)
    except (OSError, InitError, ValueError) as error:
        channel.send({"error": _explain(error, argv, spec.cwd)})
    return 1


def _explain(error: Exception, argv: list[str], cwd: str) -> str:
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    reason = os.strerror(error.errno).lower()
    if error.filename == cwd:
        return f'chdir to cwd ("{cwd}") set in config.json failed: {reason}'
    if error.filename in argv[:1] or error.errno == errno.ENOEXEC:
        return f"exec {argv[0]}: {reason}"
    return str(error)


def _mount(source: str, mount: "Mount") -> None:
    """Bind a path of the old root; `mount.target` is resolved inside the new one."""
    old = rootfs.OLD_ROOT + source
    try:
        is_directory = stat.S_ISDIR(os.stat(old).st_mode)
    except FileNotFoundError:
        raise InitError(
            f'error mounting "{mount.source}" to rootfs at "{mount.target}": no such file or directory'
        ) from None
    try:
        _make_target(mount.target, is_directory)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        _make_writable(mount.target)
        _make_target(mount.target, is_directory)
    sc.bind(old, mount.target, read_only=mount.read_only)


def _make_target(target: str, is_directory: bool) -> None:
    if is_directory:
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))


def _make_writable(target: str) -> None:
    """A mount point below /usr, which is the machine's: lay a layer of our own over the nearest directory."""
    directory = os.path.dirname(target)
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    layer = f"/run/.layers/{len(os.listdir('/run/.layers')) if os.path.isdir('/run/.layers') else 0}"
    os.makedirs(f"{layer}/upper")
    os.makedirs(f"{layer}/work")
    options = f"lowerdir={directory},upperdir={layer}/upper,workdir={layer}/work"
    sc.mount("overlay", directory, "overlay", sc.MS_NODEV, options)


def _make_cwd(spec: "ContainerSpec") -> None:
    """A missing working directory is made, as runc does."""
    os.makedirs(spec.cwd, exist_ok=True)


def _connect(channel: Channel, streams: Streams) -> None:
    if streams.tty:
        terminal = _open_terminal(channel, streams.size)
        ends = [terminal, terminal, terminal]
    else:
        null = os.open("/dev/null", os.O_RDWR)
        ends = [null if fd is None else fd for fd in (streams.stdin, streams.stdout, streams.stderr)]
    # The pipes may themselves be numbered 0 to 2 where the agent was started without streams.
    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in ends]
    for number, fd in enumerate(copies):
        os.dup2(fd, number)


def _open_terminal(channel: Channel, size: tuple[int, int] | None) -> int:
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("=i", 0))
    terminal = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
    rows, columns = size or (24, 80)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("=HHHH", rows, columns, 0, 0))
    channel.send({"tty": True}, [master])
    os.close(master)
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    return terminal


def find_program(argv: list[str], path: str) -> str:
    """Look a program up as runc does (Go's exec.LookPath). Raises InitError with its text."""
    if not argv or not argv[0]:
        raise InitError("no command specified")
    name = argv[0]
    if "/" in name:
        try:
            status = os.stat(name)
        except OSError as error:
            raise InitError(f'exec: "{name}": stat {name}: {os.strerror(error.errno or 0).lower()}') from None
        if stat.S_ISDIR(status.st_mode):
            raise InitError(f'exec: "{name}": is a directory')
        if not status.st_mode & 0o111:
            raise InitError(f'exec: "{name}": permission denied')
        return name
    for directory in path.split(":"):
        candidate = os.path.join(directory or ".", name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise InitError(f'exec: "{name}": executable file not found in $PATH')


def _become_user(spec: "ContainerSpec") -> None:
    """Drop capabilities and change user; where one uid is mapped, a user other than root is only played."""
    uid, gid = spec.uid or 0, spec.gid or 0
    allowed = capabilities.mask(capabilities.ALL_CAPABILITIES if spec.privileged else spec.capabilities)
    mask = allowed & sc.effective_capabilities()
    played = uid != 0 and seccomp.single_uid()
    # A played user stays uid 0 for the kernel, and exec would give root everything in the bounding set.
    sc.drop_bounding(0 if played else mask)
    os.setgroups([gid, *spec.groups])
    os.setgid(gid)
    os.setuid(uid)
    if uid == 0 or played:
        sc.set_capabilities(0 if played else mask)
