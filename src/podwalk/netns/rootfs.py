"""Assemble the root directory of a node or a container: the host's /usr read-only, everything else fresh.

Stands in for images. A tmpfs holds a small /etc, /dev, /run and /tmp; /usr and the Python that runs podwalk are bound
read-only; then pivot_root leaves the host's tree behind. A tmpfs and not an overlay, because an overlay in a user
namespace refuses inherited trees with locked mounts and, on older kernels, lacks the attributes that it needs.
"""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from podwalk.netns import syscalls as sc

OLD_ROOT = "/.old"
_BASE = "/run"  # where a root is assembled: a tmpfs of the sandbox, never the host's
_DIRECTORIES = (
    "etc",
    "usr",
    "proc",
    "sys",
    "dev",
    "run",
    "var/lib",
    "var/log",
    "var/cache",
    "root",
    "home",
    "opt",
    "mnt",
    "srv",
)
_SMALL_ETC = (
    "alternatives", "bash.bashrc", "debian_version", "ethertypes", "gai.conf", "host.conf", "inputrc", "iproute2",
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "login.defs", "networks", "nsswitch.conf", "os-release",
    "profile", "protocols", "rpc", "services", "shells", "terminfo", "xattr.conf",
)  # fmt: skip
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_PASSWD = b"""\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
tcpdump:x:106:112::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUP = b"root:x:0:\ndaemon:x:1:\ntty:x:5:\nwww-data:x:33:\ntcpdump:x:112:\nnogroup:x:65534:\n"


class RootError(OSError):
    """The root directory cannot be assembled on this machine; the text names the cure."""


def python_paths() -> list[str]:
    """Return the directories outside /usr that this Python and podwalk itself live in."""
    package = str(Path(__file__).resolve().parents[1])
    executable = str(Path(os.path.realpath(sys.executable)).parent)
    wanted = [sys.prefix, sys.base_prefix, sys.exec_prefix, executable, package]
    found: list[str] = []
    for path in sorted({os.path.abspath(path) for path in wanted}, key=len):
        if path != "/" and not any(path == top or path.startswith(top + "/") for top in ["/usr", "/bin", *found]):
            found.append(path)
    return found


def assemble(new_root: str, *, image: str, proc_sys: str, files: Mapping[str, bytes]) -> None:
    """Build a root at `new_root` and make it the root of this mount namespace; the old one stays at OLD_ROOT.

    Call it as a process inside the new pid and network namespaces, for /proc and /sys show those of the caller.
    `proc_sys` is "rw", "net" (read-only except /proc/sys/net) or "ro"; `files` maps absolute paths to contents.
    Call `leave_old_root` after the last use of the old tree. Raises RootError for an unknown or unusable image.
    """
    os.makedirs(new_root, exist_ok=True)
    sc.mount("tmpfs", new_root, "tmpfs", sc.MS_NOSUID | sc.MS_NODEV, "mode=0755")
    for name in _DIRECTORIES:
        os.makedirs(f"{new_root}/{name}", exist_ok=True)
    for name in ("tmp", "var/tmp", "run/lock"):
        os.makedirs(f"{new_root}/{name}")
        os.chmod(f"{new_root}/{name}", 0o1777)
    os.symlink("/run", f"{new_root}/var/run")
    os.symlink("/proc/self/mounts", f"{new_root}/etc/mtab")
    if image == "default":
        _bind_host_programs(new_root)
    elif image == "minimal":
        _bind_busybox(new_root)
    else:
        raise RootError(f'unknown image kind "{image}"')
    _mount_proc(f"{new_root}/proc", proc_sys)
    sc.mount("sysfs", f"{new_root}/sys", "sysfs", sc.MS_RDONLY | sc.MS_NOSUID | sc.MS_NODEV | sc.MS_NOEXEC)
    _make_dev(f"{new_root}/dev")
    os.mkdir(new_root + OLD_ROOT)
    sc.pivot_root(new_root, new_root + OLD_ROOT)
    os.chdir("/")
    for path, content in {"/etc/passwd": _PASSWD, "/etc/group": _GROUP, **files}.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_bytes(content)


def leave_old_root() -> None:
    """Take the old tree away: from here on nothing of it can be reached."""
    sc.umount(OLD_ROOT, sc.MNT_DETACH)
    os.rmdir(OLD_ROOT)


def protect_proc(proc: str, mode: str) -> None:
    """Make parts of a fresh /proc read-only.

    Real root stays root for the kernel even in its own namespaces, so /proc/sys/vm and the like would be the host's.
    """
    if mode == "rw":
        return
    paths = [f"{proc}/sys"] + [
        f"{proc}/{name}" for name in ("sysrq-trigger", "irq", "bus") if os.path.exists(f"{proc}/{name}")
    ]
    for path in paths:
        sc.mount(path, path, None, sc.MS_BIND)
    if mode == "net":
        sc.mount(f"{proc}/sys/net", f"{proc}/sys/net", None, sc.MS_BIND)
    for path in paths:
        sc.mount(None, path, None, sc.MS_REMOUNT | sc.MS_BIND | sc.MS_RDONLY)


def _mount_proc(proc: str, mode: str) -> None:
    sc.mount("proc", proc, "proc", sc.MS_NOSUID | sc.MS_NODEV | sc.MS_NOEXEC)
    protect_proc(proc, mode)


def _bind_host_programs(new_root: str) -> None:
    sc.bind("/usr", f"{new_root}/usr", read_only=True)
    for name in ("bin", "sbin", "lib", "lib64", "lib32", "libx32"):
        _link_or_bind(f"/{name}", f"{new_root}/{name}")
    for path in python_paths():
        if os.path.isdir(path):
            os.makedirs(new_root + path, exist_ok=True)
            sc.bind(path, new_root + path, read_only=True)
    for name in _SMALL_ETC:
        _copy(f"/etc/{name}", f"{new_root}/etc/{name}")


def _link_or_bind(source: str, target: str) -> None:
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isdir(source):
        os.mkdir(target)
        sc.bind(source, target, read_only=True)


def _copy(source: str, target: str) -> None:
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
        for name in os.listdir(source):
            _copy(f"{source}/{name}", f"{target}/{name}")
    elif os.path.isfile(source) and os.access(source, os.R_OK):
        shutil.copyfile(source, target)


def _bind_busybox(new_root: str) -> None:
    busybox = shutil.which("busybox", path="/usr/bin:/bin:/usr/local/bin")
    if busybox is None:
        raise RootError("no busybox on this machine: apt-get install busybox-static")
    os.mkdir(f"{new_root}/bin")
    Path(f"{new_root}/bin/busybox").touch()
    sc.bind(os.path.realpath(busybox), f"{new_root}/bin/busybox", read_only=True)
    for applet in busybox_applets(busybox):
        os.symlink("busybox", f"{new_root}/bin/{applet}")
    for name in ("sbin", "usr/bin", "usr/sbin"):
        os.symlink("/bin", f"{new_root}/{name}")


@functools.cache
def busybox_applets(busybox: str) -> tuple[str, ...]:
    """Ask a busybox which programs it can be."""
    listing = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    return tuple(name for name in listing.split() if name != "busybox")


def _make_dev(dev: str) -> None:
    sc.mount("tmpfs", dev, "tmpfs", sc.MS_NOSUID, "mode=0755")
    for name in _DEVICES:
        Path(f"{dev}/{name}").touch()
        sc.mount(f"/dev/{name}", f"{dev}/{name}", None, sc.MS_BIND)
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{name}")
    sc.mount("devpts", f"{dev}/pts", "devpts", sc.MS_NOSUID | sc.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
    sc.mount("shm", f"{dev}/shm", "tmpfs", sc.MS_NOSUID | sc.MS_NODEV | sc.MS_NOEXEC, "mode=1777")
    links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
    for name, target in links.items():
        os.symlink(target, f"{dev}/{name}")
