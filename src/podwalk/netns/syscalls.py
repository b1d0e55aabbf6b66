"""System calls that the standard library of Python 3.11 does not have (os.unshare and os.setns came with 3.12).

Every function raises OSError with the name of the call. Standard library only, for `enter` starts this bare.
"""

import ctypes
import os
import platform
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SHARED = 0x100000
MNT_DETACH = 0x2

PR_SET_PDEATHSIG = 1
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37
PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 0x1
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _path(path: str | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def unshare(flags: int) -> None:
    """Leave the namespaces named by the CLONE_NEW* flags for fresh ones (of pids: from the next fork on)."""
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def setns(fd: int, flags: int = 0) -> None:
    """Join the namespace behind `fd`, or with a pidfd all namespaces of that process that `flags` names (Linux 5.8)."""
    _check(_libc.setns(fd, flags), f"setns({fd}, {flags:#x})")


def mount(source: str | None, target: str, fstype: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """mount(2)."""
    result = _libc.mount(_path(source), _path(target), _path(fstype), ctypes.c_ulong(flags), _path(data))
    _check(result, f"mount({source} on {target}, {fstype}, {flags:#x})")


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2)."""
    _check(_libc.umount2(_path(target), flags), f"umount({target})")


def make_private() -> None:
    """Cut the mount namespace off: nothing mounted here shows outside, nor the other way round."""
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Bind `source` with everything mounted below it on `target`.

    Always recursive: in a user namespace a part of an inherited tree cannot be bound alone. Read-only goes by
    mount_setattr(2) (Linux 5.12), which only adds a flag and is therefore allowed on inherited mounts.
    """
    mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        set_read_only(target)


def set_read_only(target: str, *, recursive: bool = True) -> None:
    """Make the mount at `target` (and all below it) read-only: the mount, never the file system behind it."""
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        ctypes.c_char_p(attributes),
        ctypes.c_size_t(len(attributes)),
    )
    _check(result, f"mount_setattr({target}, ro)")


def pivot_root(new_root: str, put_old: str) -> None:
    """Make `new_root` the root of this mount namespace; the old one appears at `put_old`."""
    number = ctypes.c_long(_SYS_PIVOT_ROOT[platform.machine()])
    result = _libc.syscall(number, ctypes.c_char_p(os.fsencode(new_root)), ctypes.c_char_p(os.fsencode(put_old)))
    _check(result, f"pivot_root({new_root}, {put_old})")


def prctl(option: int, value: int = 0, value3: int = 0) -> int:
    """prctl(2) with up to two integer arguments."""
    zero = ctypes.c_ulong(0)
    result: int = _libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(value3), zero, zero)
    return _check(result, f"prctl({option}, {value})")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies. Forks and changes of credentials clear it."""
    prctl(PR_SET_PDEATHSIG, 9)


def set_process_name(name: str) -> None:
    """Name this process as `ps` and /proc/PID/comm show it; the kernel keeps 15 bytes."""
    with open("/proc/self/comm", "w") as file:
        file.write(name[:15])


def is_subreaper() -> bool:
    """Tell whether orphans below this process are given to it."""
    value = ctypes.c_int(0)
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(value), zero, zero, zero), "prctl(PR_GET_CHILD_SUBREAPER)")
    return bool(value.value)


def set_capabilities(mask: int) -> None:
    """capset(2): make permitted and effective exactly `mask` (bit = number of the capability), inheritable empty."""
    header = struct.pack("=Ii", 0x20080522, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = struct.pack("=6I", low, low, 0, high, high, 0)
    _check(_libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(data)), "capset")


def drop_bounding(keep: int) -> None:
    """Drop every capability outside `keep` from the bounding set, so that no exec can regain it."""
    last = int(_read("/proc/sys/kernel/cap_last_cap"))
    for number in range(last + 1):
        if not keep >> number & 1:
            prctl(PR_CAPBSET_DROP, number)


def effective_capabilities() -> int:
    """Return the calling process's effective capabilities as a bit mask."""
    for line in _read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    raise OSError("no CapEff in /proc/self/status")


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def set_filter(instructions: bytes) -> None:
    """Install a seccomp filter (struct sock_filter, packed) on this process and all its descendants."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    program = Program(len(instructions) // 8, instructions)
    mode_filter, zero = ctypes.c_ulong(2), ctypes.c_ulong(0)
    result = _libc.prctl(PR_SET_SECCOMP, mode_filter, ctypes.byref(program), zero, zero)
    _check(result, "prctl(PR_SET_SECCOMP)")
