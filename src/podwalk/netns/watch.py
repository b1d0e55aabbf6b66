"""Wait for files to come, change or go in a directory (inotify), as containerd waits for a CNI configuration."""

import asyncio
import ctypes
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _DELETE, _IGNORED = 0x8, 0x40, 0x80, 0x200, 0x8000
_EVENT = struct.Struct("=iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryWatch:
    """Changes in one directory. Made in a running loop; changes from then on count. Raises OSError.

    ``gone`` tells that the directory itself was deleted: nothing more will come.
    """

    def __init__(self, directory: Path) -> None:
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"inotify: {os.strerror(number)}")
        wanted = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE
        if _libc.inotify_add_watch(self._fd, os.fsencode(directory), wanted) < 0:
            number = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(number, f"inotify {directory}: {os.strerror(number)}")
        self._event = asyncio.Event()
        self.gone = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return
        while len(data) >= _EVENT.size:
            _, mask, _, length = _EVENT.unpack_from(data)
            self.gone = self.gone or bool(mask & _IGNORED)
            data = data[_EVENT.size + length :]
        self._event.set()

    async def changed(self) -> None:
        """Return after the next change, or at once after one that nobody has waited for yet."""
        await self._event.wait()
        self._event.clear()

    def close(self) -> None:
        """Stop watching."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
