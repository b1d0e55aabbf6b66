"""Start a child of this process inside other namespaces.

A new pid namespace, or one joined by setns, holds from the next fork on. So there are two forks: a go-between changes
its namespaces, forks the child and exits; the kernel then gives the child to the nearest reaper, which is the caller.
The caller waits for its children by plain waitpid, and no go-between stays in memory.
"""

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from podwalk.netns import syscalls

Message = dict[str, Any]


class SpawnError(OSError):
    """The child could not be set up; the text is what the child reported."""


class Channel:
    """One end of a message socket between a child and its parent; descriptors travel with the messages."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end

    def send(self, message: Message, fds: Iterable[int] = ()) -> None:
        """Send one message. Raises OSError when the other end is gone."""
        socket.send_fds(self.socket, [json.dumps(message).encode()], list(fds))

    def receive(self) -> tuple[Message | None, list[int]]:
        """Wait for one message; None when the other end is gone."""
        data, fds, _, _ = socket.recv_fds(self.socket, 65536, 4)
        for fd in fds:
            os.set_inheritable(fd, False)
        return (json.loads(data) if data else None), fds

    def close(self) -> None:
        """Close this end."""
        self.socket.close()


def reset_signals() -> None:
    """Give a forked child the signal state a program expects, and cut it off from the parent's event loop."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def ignore_broken_pipes() -> None:
    """For a child that goes on in Python and serves sockets: a peer that has gone is an error there, not the end."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def spawn(prepare: Callable[[], None], child: Callable[[Channel], int]) -> tuple[int, Channel]:
    """Fork a go-between that runs `prepare` and forks `child`; return the child's pid and the channel to it.

    `child` exits with the value it returns. Must be called in a process with a single thread. Raises SpawnError when
    `prepare` failed.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(30)
    restore = _adopt_orphans()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        go_between = os.fork()
        if go_between == 0:
            ours.close()
            _go_between(prepare, child, Channel(theirs))
        theirs.close()
        os.waitpid(go_between, 0)
    finally:
        restore()
    channel = Channel(ours)
    message, _ = channel.receive()
    if message is None or "pid" not in message:
        channel.close()
        raise SpawnError(message["error"] if message else "the child died before it said anything")
    return message["pid"], channel


def _adopt_orphans() -> Callable[[], None]:
    """Make sure that the go-between's child becomes ours; pid 1 and subreapers need nothing."""
    if os.getpid() == 1 or syscalls.is_subreaper():
        return lambda: None
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    return lambda: (syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 0), None)[1]


def _go_between(prepare: Callable[[], None], child: Callable[[Channel], int], channel: Channel) -> NoReturn:
    try:
        reset_signals()
        syscalls.die_with_parent()
        prepare()
        # The pid must be the first message, so the child waits until it has been sent.
        gate_out, gate_in = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(gate_in)
            os.read(gate_out, 1)
            os.close(gate_out)
            _child(child, channel)
        channel.send({"pid": pid})
        os._exit(0)
    except BaseException as error:
        channel.send({"error": str(error)})
        os._exit(1)


def _child(child: Callable[[Channel], int], channel: Channel) -> NoReturn:
    status = 1
    try:
        status = child(channel)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                continue  # nobody reads any more; the exit status still counts
        os._exit(status & 0xFF)
