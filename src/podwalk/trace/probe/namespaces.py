"""The network namespaces of a node: its own, and those of its Pods, found by the address that a Pod has."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from podwalk.trace.probe import netlink

_CLONE_NEWNET = 0x40000000
_OWN = "/proc/self/ns/net"
# Where container runtimes keep the Pods' namespaces by name.
_NAMED = Path("/run/netns")


@contextlib.contextmanager
def inside(path: str | None) -> Iterator[None]:
    """Stand in another network namespace; sockets made there stay there. Raises OSError."""
    if path is None:
        yield
        return
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(path)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def of_pods(wanted: set[str]) -> dict[str, str]:
    """The namespaces that have one of these addresses: address to path."""
    found: dict[str, str] = {}
    own = os.stat(_OWN).st_ino
    for path in sorted(_NAMED.iterdir()) if wanted and _NAMED.is_dir() else ():
        if wanted <= found.keys():
            break
        try:
            if path.stat().st_ino == own:
                continue
            with inside(str(path)):
                link = netlink.Netlink()
            try:
                here = wanted & netlink.addresses(link).keys()
            finally:
                link.close()
        except OSError:
            continue  # a Pod that is being made or has just ended
        found |= dict.fromkeys(here, str(path))
    return found


def resolver_files(path: str | None) -> tuple[str, str]:
    """/etc/resolv.conf and /etc/hosts as a process in this namespace sees them (the node's own for None)."""
    root = _root(os.stat(path).st_ino) if path else "/"
    return _read(f"{root}/etc/resolv.conf"), _read(f"{root}/etc/hosts")


def _root(inode: int) -> str:
    """The root directory of a container in a network namespace: that of a process with other files than ours.

    A Pod's pause process has its node's files, and so says nothing about the Pod.
    """
    fallback = "/"
    for entry in sorted(Path("/proc").iterdir(), key=lambda p: p.name):
        if not entry.name.isdigit():
            continue
        try:
            if os.stat(entry / "ns/net").st_ino != inode:
                continue
            fallback = f"{entry}/root"
            if not (entry / "cmdline").read_bytes().startswith(b"/pause"):
                return fallback
        except OSError:
            continue
    return fallback


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _enter(path: str) -> None:
    there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
    finally:
        os.close(there)


def _setns(descriptor: int) -> None:
    # os.setns came with Python 3.12.
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
