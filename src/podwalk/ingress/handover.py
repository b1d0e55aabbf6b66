"""Whether a running proxy serves with the configuration that it was told to read last.

A reload is a signal, and a signal is no answer. HAProxy's master drops a SIGUSR2 that comes while it starts again for
the one before (seen with 2.6.12: one of some 300 reloads at 0 to 120 ms from each other, on a busy machine). nginx lets
its former workers accept for 100 ms more beside the new ones (ngx_master_process_cycle in src/os/unix).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

_PROC = Path("/proc")


class Handover(Protocol):
    """One start or reload, made right before the signal."""

    async def done(self) -> bool | None:
        """Whether all who serve have the new configuration; None while nobody serves at all."""


class ByGeneration:
    """HAProxy says at its admin socket which generation it was given (podwalk.ingress.haproxy.mark)."""

    def __init__(self, run: Path, master: int, generation: int, *, reload: bool) -> None:
        self._socket, self._generation = run / "admin.sock", generation

    async def done(self) -> bool | None:
        """Whether the worker that answers has this generation."""
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(b"show info\n")
                    said = (await reader.read()).decode(errors="replace")
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None
        found = re.search(r"^description: generation-(\d+)$", said, re.MULTILINE)
        return int(found[1]) == self._generation if found else None


class ByWorkers:
    """nginx gives each configuration workers of its own."""

    def __init__(self, run: Path, master: int, generation: int, *, reload: bool) -> None:
        self._master = master
        self._former = set(_serving(master)) if reload else set()

    async def done(self) -> bool | None:
        """Whether there are new workers, and the former ones accept no more."""
        now = set(_serving(self._master))
        return not now & self._former if now else None


def _serving(master: int) -> Iterator[int]:
    """The children of a master that are alive, and not about to go."""
    for folder in _PROC.glob("[0-9]*"):
        try:
            parent = re.search(r"^PPid:\t(\d+)$", (folder / "status").read_text(), re.MULTILINE)
            if parent and int(parent[1]) == master:
                title = (folder / "cmdline").read_bytes()
                if title and b"shutting down" not in title:
                    yield int(folder.name)
        except OSError:  # it has gone
            continue
