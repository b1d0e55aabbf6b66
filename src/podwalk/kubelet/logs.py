"""Container logs in the CRI's format, written by pumps and read by ``kubectl logs``.

Stands in for containerd's log writer and pkg/kubelet/kuberuntime/logs. A file is
``/var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log``; a line is ``TIME STREAM F|P TEXT``.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

MAX_BYTES = 10 * 1024 * 1024
_LONGEST_LINE = 16 * 1024
_CHUNK = 64 * 1024
_PAUSE_SECONDS = 0.004
_DRAIN_BYTES = 4 * 1024 * 1024

Listener = Callable[[str, bytes], None]


def timestamp(nanoseconds: int | None = None) -> str:
    """RFC 3339 with nanoseconds, UTC."""
    now = time.time_ns() if nanoseconds is None else nanoseconds
    seconds, rest = divmod(now, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


class LogFile:
    """The log of one run of a container; rotated at 10 MiB. ``listeners`` get raw bytes (attach, follow)."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._max = max_bytes
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115
        self._size = self._file.tell()
        self._partial: dict[str, bytes] = {}
        self.listeners: list[Listener] = []
        self.changed = asyncio.Event()
        self.closed = False

    def write(self, stream: str, data: bytes) -> None:
        """Append output of ``stdout`` or ``stderr``."""
        for listener in list(self.listeners):
            listener(stream, data)
        *lines, rest = (self._partial.pop(stream, b"") + data).split(b"\n")
        # What came in one piece bears one time: a stamp for each line would keep the loop busy with a chatty container.
        stamp = b"%s %s " % (timestamp().encode(), stream.encode())
        out = _entries(stamp, lines)
        while len(rest) >= _LONGEST_LINE:
            out += b"%sP %s\n" % (stamp, rest[:_LONGEST_LINE])
            rest = rest[_LONGEST_LINE:]
        if rest:
            self._partial[stream] = rest
        self._append(out)

    def _append(self, entries: bytes) -> None:
        if not entries or self.closed:
            return
        if self._size + len(entries) > self._max and self._size:
            self._rotate()
        self._file.write(entries)
        self._size += len(entries)
        self._wake()

    def _rotate(self) -> None:
        # One rotated file is kept: the node's disk is memory.
        self._file.close()
        os.replace(self.path, self.path.with_name(self.path.name + ".1"))
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
        self._size = 0

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def close(self) -> None:
        """The container has ended: flush an unfinished line and let followers end."""
        if self.closed:
            return
        for stream, rest in list(self._partial.items()):
            self._append(_entries(b"%s %s " % (timestamp().encode(), stream.encode()), [rest]))
        self._partial.clear()
        self.closed = True
        self._file.close()
        self._wake()


def _entries(stamp: bytes, lines: list[bytes]) -> bytes:
    """Whole lines as entries; one that is too long is cut into parts (P) and an end (F)."""
    if not lines:
        return b""
    if max(map(len, lines)) <= _LONGEST_LINE:
        return stamp + b"F " + (b"\n" + stamp + b"F ").join(lines) + b"\n"
    out = bytearray()
    for line in lines:
        while len(line) > _LONGEST_LINE:
            out += b"%sP %s\n" % (stamp, line[:_LONGEST_LINE])
            line = line[_LONGEST_LINE:]
        out += b"%sF %s\n" % (stamp, line)
    return bytes(out)


class Writer(Protocol):
    """What takes a container's output."""

    def write(self, stream: str, data: bytes) -> None:
        """Take some of it."""


class Pump:
    """Copies what a container writes to a pipe into its log, on the loop.

    After a full read it looks away for a moment: the pipe then makes the container wait, and the node's loop, which has
    other work, does not.
    """

    def __init__(self, fd: int, stream: str, log: Writer) -> None:
        self._fd, self._stream, self._log = fd, stream, log
        self.done = asyncio.Event()
        os.set_blocking(fd, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last holder of the terminal's other side has gone
            data = b""
        if not data:
            self.close()
            return
        self._log.write(self._stream, data)
        if len(data) == _CHUNK:
            self._loop.remove_reader(self._fd)
            self._loop.call_later(_PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        if not self.done.is_set():
            self._loop.add_reader(self._fd, self._readable)

    def drain(self) -> None:
        """Read what is there already, then close: the container is dead, a child of it may still hold the pipe."""
        left = _DRAIN_BYTES
        while not self.done.is_set() and left > 0:
            try:
                data = os.read(self._fd, _CHUNK)
            except OSError:
                data = b""
            if not data:
                break
            self._log.write(self._stream, data)
            left -= len(data)
        self.close()

    def close(self) -> None:
        """Stop reading; closes the descriptor."""
        if not self.done.is_set():
            self._loop.remove_reader(self._fd)
            with suppress(OSError):
                os.close(self._fd)
            self.done.set()


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The query of /containerLogs. ``since`` is a Unix time in nanoseconds."""

    follow: bool = False
    tail: int | None = None
    since: int | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


def parse_nanoseconds(text: str) -> int:
    """An RFC 3339 time as Unix nanoseconds. Raises ValueError."""
    head, dot, rest = text.rstrip("Zz").partition(".")
    if dot and rest.isdigit():
        seconds = datetime.fromisoformat(head + "+00:00").timestamp()
        return int(seconds) * 10**9 + int(rest[:9].ljust(9, "0"))
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 10**9)


def _show(entry: bytes, options: LogOptions) -> bytes | None:
    """One line of the file as the reader wants it, or None where it is too old or no entry."""
    parts = entry.split(b" ", 3)
    if len(parts) < 4:
        return None
    if options.since is not None:
        try:
            if parse_nanoseconds(parts[0].decode()) < options.since:
                return None
        except ValueError:
            return None
    text = parts[3] + (b"" if parts[2] == b"P" else b"\n")
    return parts[0] + b" " + text if options.timestamps else text


def _tail(entries: list[bytes], count: int) -> list[bytes]:
    """The last ``count`` whole lines."""
    full = 0
    for index in range(len(entries) - 1, -1, -1):
        parts = entries[index].split(b" ", 3)
        full += len(parts) < 3 or parts[2] != b"P"
        if full > count:
            return entries[index + 1 :]
    return entries


def read(path: Path, options: LogOptions) -> Iterator[bytes]:
    """The lines that are in a log now. Raises FileNotFoundError."""
    entries = path.read_bytes().splitlines()
    if options.tail is not None:
        entries = _tail(entries, options.tail) if options.tail > 0 else []
    for entry in entries:
        shown = _show(entry, options)
        if shown is not None:
            yield shown


async def stream(path: Path, live: LogFile | None, options: LogOptions) -> AsyncIterator[bytes]:
    """The log's bytes; with ``follow`` until the container ends. Raises FileNotFoundError."""
    left = options.limit_bytes

    def cut(data: bytes) -> bytes:
        nonlocal left
        if left is None:
            return data
        data, left = data[:left], left - len(data[:left])
        return data

    follow = options.follow and live is not None
    reader = _Follower(path)
    first = cut(b"".join(_first(reader, options)))
    if first:
        yield first
    while follow and live is not None and left != 0:
        changed, closed = live.changed, live.closed
        fresh = [_show(entry, options) for entry in reader.entries()]
        data = cut(b"".join(f for f in fresh if f is not None))
        if data:
            yield data
        elif closed:
            return
        else:
            await changed.wait()


def _first(reader: _Follower, options: LogOptions) -> Iterator[bytes]:
    entries = reader.entries()
    if options.tail is not None:
        entries = _tail(entries, options.tail) if options.tail > 0 else []
    for entry in entries:
        shown = _show(entry, options)
        if shown is not None:
            yield shown


class _Follower:
    """Reads whole new entries of a file that grows and is rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "rb")  # noqa: SIM115
        self._rest = b""

    def entries(self) -> list[bytes]:
        data = self._rest + self._file.read()
        if os.fstat(self._file.fileno()).st_ino != self._inode():
            self._file.close()
            self._file = open(self._path, "rb")  # noqa: SIM115
            data += self._file.read()
        *entries, self._rest = data.split(b"\n")
        return entries

    def _inode(self) -> int:
        try:
            return os.stat(self._path).st_ino
        except OSError:
            return -1

    def __del__(self) -> None:
        self._file.close()
