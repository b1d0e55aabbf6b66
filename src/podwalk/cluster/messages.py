"""What the processes of a cluster tell their supervisor while it boots: JSON lines on one inherited pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# A line no longer than this is written in one piece, whoever else writes to the pipe (POSIX PIPE_BUF).
_ATOMIC = 4096

# What whoever started a supervisor writes to its lifeline once the cluster shall outlive them.
DETACH = b"d"


@dataclass(frozen=True, slots=True)
class Channel:
    """The writing end; a copy of it is inherited by every process of the cluster."""

    fd: int

    def send(self, kind: str, **fields: Any) -> None:
        """Tell the supervisor. Nobody there to read it means that everything is about to end: not an error here."""
        line = json.dumps({"kind": kind, **fields}).encode()[: _ATOMIC - 1] + b"\n"
        try:
            os.write(self.fd, line)
        except OSError:
            return

    def fail(self, message: str) -> None:
        """Tell the supervisor that the boot failed; ``message`` is one line for the learner."""
        self.send("failed", message=message[:2000])


class Reader:
    """Splits what comes out of the pipe into messages."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The complete messages in the data so far."""
        self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                continue
