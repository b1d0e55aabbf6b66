"""Directories behind volumes: hostPath checks, tmpfs for memory, group ownership, and how full they are.

Stands in for pkg/volume/hostpath, the mounts of pkg/volume/emptydir, and pkg/volume/volume_linux.go (fsGroup).
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from podwalk.api.meta import Object
from podwalk.netns import syscalls

_TYPES = {
    "Directory": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket file"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}
_READ_ONLY_MASK, _WRITE_MASK, _DIRECTORY_MASK = 0o440, 0o660, 0o110


class MountError(Exception):
    """A volume cannot be set up; the message completes "MountVolume.SetUp failed for volume …"."""


def host_path(source: Object) -> Path:
    """The directory or file of a hostPath volume, in the node's own tree. Raises MountError."""
    wanted, kind = os.path.normpath(str(source["path"])), str(source.get("type") or "")
    path = Path(wanted)
    try:
        if kind in ("", "DirectoryOrCreate") and not path.exists():
            path.mkdir(parents=True, exist_ok=True)
        elif kind == "FileOrCreate" and not path.exists():
            os.close(os.open(path, os.O_CREAT, 0o644))
    except OSError as error:
        call = "open" if kind == "FileOrCreate" else "mkdir"
        raise MountError(f"{call} {wanted}: {os.strerror(error.errno or 0).lower()}") from None
    exact = kind.removesuffix("OrCreate")
    if exact not in _TYPES:
        return path
    if not path.exists():
        raise MountError(f"hostPath type check failed: hostPath {wanted} doesn't exist")
    matches, described = _TYPES[exact]
    mode = path.stat().st_mode
    if not matches(mode):
        actual = next((name for name, (test, _) in _TYPES.items() if test(mode)), "")
        raise MountError(f"hostPath type check failed: {wanted} is not a {described}, it's a {actual}")
    return path


def make_memory(path: Path, size: int) -> None:
    """Mount a tmpfs for an emptyDir of medium Memory; again is no error. Raises MountError."""
    if os.path.ismount(path):
        return
    path.mkdir(parents=True, exist_ok=True)
    try:
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount("tmpfs", str(path), "tmpfs", flags, f"mode=0777,size={size}")
    except OSError as error:
        raise MountError(f"mount failed: {error}") from None


def unmount(path: Path) -> None:
    """Take a tmpfs away, if there is one."""
    if os.path.ismount(path):
        with suppress(OSError):
            syscalls.umount(str(path), syscalls.MNT_DETACH)


def give_to_group(root: Path, group: int, *, read_only: bool) -> None:
    """Let a group own a volume: what is in it now, and, by set-gid directories, what comes.

    For an ordinary user, who has no other groups, only the modes change: the user namespace plays the rest.
    """
    mask = _READ_ONLY_MASK if read_only else _WRITE_MASK
    for directory, names, files in os.walk(root):
        for path in [directory, *(os.path.join(directory, name) for name in (*names, *files))]:
            with suppress(OSError):  # it went away, or the volume's owner is somebody else
                found = os.lstat(path)
                os.lchown(path, -1, group)
                if stat.S_ISLNK(found.st_mode):
                    continue
                extra = mask | _DIRECTORY_MASK | stat.S_ISGID if stat.S_ISDIR(found.st_mode) else mask
                os.chmod(path, stat.S_IMODE(found.st_mode) | extra)


def used_bytes(root: Path) -> int:
    """What the files below a directory occupy."""
    total = 0
    for directory, _, files in os.walk(root):
        for name in files:
            with suppress(OSError):
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
    return total
