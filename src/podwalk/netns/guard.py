"""Refuse to configure the host's own network.

The process that builds a sandbox remembers the inode of its network namespace before the first unshare; everything
forked from it inherits the memory. Each change of a network asks first, so a forgotten setns fails loudly instead of
leaving a bridge on the learner's machine.
"""

import os

_host_inode: int | None = None


class HostNamespaceError(RuntimeError):
    """Something was about to change the network of the machine itself."""


def current_inode() -> int:
    """Return the inode of the calling thread's network namespace."""
    return os.stat("/proc/thread-self/ns/net").st_ino


def remember_host() -> None:
    """Remember the current network namespace as the host's; only the first call counts."""
    global _host_inode
    if _host_inode is None:
        _host_inode = current_inode()


def host_inode() -> int:
    """Return the inode of the host's network namespace, for a program that is told by `remember`.

    Raises HostNamespaceError if nobody remembered it.
    """
    if _host_inode is None:
        raise HostNamespaceError("nobody remembered the host's network namespace: call guard.remember_host() first")
    return _host_inode


def remember(inode: int) -> None:
    """Remember what `host_inode` said in the process that wrote this program."""
    global _host_inode
    _host_inode = inode


def refuse_inode(inode: int) -> None:
    """Raise HostNamespaceError if `inode` is the host's network namespace, or if nobody remembered that one."""
    if _host_inode is None:
        raise HostNamespaceError("nobody remembered the host's network namespace: call guard.remember_host() first")
    if inode == _host_inode:
        raise HostNamespaceError("refusing to configure the network namespace of the host")


def refuse_host() -> None:
    """Raise HostNamespaceError if the calling thread is in the host's network namespace."""
    refuse_inode(current_inode())
