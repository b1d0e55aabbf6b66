"""``agnhost mounttest``: shows what a volume looks like from inside a container.

Behaviour: test/images/agnhost/mounttest of kubernetes/kubernetes.
"""

from __future__ import annotations

import os
import stat
import time

from podwalk.programs import gotext

TYPE_CHECKING = False  # typing and collections.abc are slow to import, and only the type checker needs them
if TYPE_CHECKING:
    from collections.abc import Callable

_CONTENT = "mount-tester new file\n"


def mounttest(_arguments: list[str], flags: dict[str, str]) -> None:
    """Do what the flags ask, in the original's order; ends with status 1 if anything failed."""
    os.umask(0)
    steps: list[tuple[str, Callable[[str], None]]] = [("fs_type", _fs_type)]
    for mode in (0o644, 0o666, 0o660, 0o777):
        steps.append((f"new_file_0{mode:o}", lambda path, mode=mode: _new_file(path, mode)))  # type: ignore[misc]
    steps += [("file_mode", _file_mode), ("file_perm", _file_perm), ("file_owner", _file_owner)]
    steps.append(("file_content", _file_content))
    retry, expected = int(flags["retry_time"]), flags["break_on_expected_content"] == "true"
    steps.append(("file_content_in_loop", lambda path: _content_in_loop(path, retry, expected)))
    failed = False
    for name, step in steps:
        if path := flags[name]:
            try:
                step(path)
            except OSError:
                failed = True
    os._exit(1 if failed else 0)


def _failed(operation: str, path: str, problem: OSError, call: str) -> None:
    gotext.write(1, f"{operation}{gotext.quote(path)}{call}: {gotext.system_error(problem)}\n")


def _fs_type(path: str) -> None:
    # statfs(2) has no wrapper in the standard library that tells the type; the mount table does.
    try:
        device = os.stat(path).st_dev
    except OSError as problem:
        _failed("error from statfs(", path, problem, ")")
        raise
    kind = "unknown"
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            words = line.split()
            major, _, minor = words[2].partition(":")
            if os.makedev(int(major), int(minor)) == device:
                kind = words[words.index("-") + 1]
    gotext.write(1, f"mount type of {gotext.quote(path)}: {kind}\n")


def _new_file(path: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w") as file:
            file.write(_CONTENT)
    except OSError as problem:
        _failed("error writing new file ", path, problem, f": open {path}")
        raise
    _file_content(path)


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as problem:
        _failed("error from Stat(", path, problem, f"): stat {path}")
        raise


def go_mode(mode: int) -> str:
    """Return a mode as Go's ``os.FileMode`` prints it: ``drwxr-xr-x``, sticky and setuid as letters before."""
    kinds = {stat.S_IFDIR: "d", stat.S_IFLNK: "L", stat.S_IFIFO: "p", stat.S_IFSOCK: "S", stat.S_IFBLK: "D"}
    letters = "Dc" if stat.S_ISCHR(mode) else kinds.get(stat.S_IFMT(mode), "")
    letters += "u" if mode & stat.S_ISUID else ""
    letters += "g" if mode & stat.S_ISGID else ""
    letters += "t" if mode & stat.S_ISVTX else ""
    return (letters or "-") + stat.filemode(mode & 0o777)[1:]


def _file_mode(path: str) -> None:
    gotext.write(1, f"mode of file {gotext.quote(path)}: {go_mode(_stat(path).st_mode)}\n")


def _file_perm(path: str) -> None:
    gotext.write(1, f"perms of file {gotext.quote(path)}: {go_mode(_stat(path).st_mode & 0o777)}\n")


def _file_owner(path: str) -> None:
    found = _stat(path)
    quoted = gotext.quote(path)
    gotext.write(1, f"owner UID of {quoted}: {found.st_uid}\nowner GID of {quoted}: {found.st_gid}\n")


def _file_content(path: str) -> None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            content = file.read()
    except OSError as problem:
        _failed("error reading file content for ", path, problem, f": open {path}")
        raise
    gotext.write(1, f"content of file {gotext.quote(path)}: {content}\n")


def _content_in_loop(path: str, seconds: int, until_expected: bool) -> None:
    deadline = time.monotonic() + seconds
    problem: OSError | None = None
    while time.monotonic() < deadline:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                content = file.read()
            problem = None
        except OSError as error:
            problem = error
            reason = gotext.system_error(error)
            gotext.write(1, f"Error reading file {path}: open {path}: {reason}, retrying\n")
        else:
            gotext.write(1, f"content of file {gotext.quote(path)}: {content}\n")
            if until_expected and content == _CONTENT:
                return
            if until_expected:
                gotext.write(1, f"Unexpected content. Expected: {_CONTENT}. Retrying")
        time.sleep(2)
    if problem is not None:
        raise problem
