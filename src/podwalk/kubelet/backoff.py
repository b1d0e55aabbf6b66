"""Waiting longer after every failure (k8s.io/client-go/util/flowcontrol.Backoff, as the kubelet uses it)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

INITIAL = 10.0
MAXIMUM = 300.0


@dataclass(slots=True)
class Backoff:
    """The back-off of one thing: the first retry is immediate, the next waits 10 s, then 20 s, up to 5 minutes.

    ``moment`` is a monotonic time everywhere.
    """

    delay: float = 0.0
    updated: float = 0.0

    def remaining(self, failed_at: float, moment: float | None = None) -> float:
        """Seconds to wait before a retry of what failed at ``failed_at``; 0 when it may be tried now."""
        moment = time.monotonic() if moment is None else moment
        if not self.delay or failed_at - self.updated > 2 * MAXIMUM:
            return 0.0
        return max(0.0, failed_at + self.delay - moment)

    def next(self, failed_at: float, moment: float | None = None) -> None:
        """A retry begins: double the delay, or start over where the last failure is long ago."""
        moment = time.monotonic() if moment is None else moment
        expired = not self.delay or failed_at - self.updated > 2 * MAXIMUM
        self.delay = INITIAL if expired else min(self.delay * 2, MAXIMUM)
        self.updated = moment


async def pause(seconds: float, ended: asyncio.Event) -> bool:
    """Wait for ``seconds``, or until ``ended`` is set; whether it is."""
    try:
        async with asyncio.timeout(seconds):
            return await ended.wait()
    except TimeoutError:
        return False


def go_duration(seconds: float) -> str:
    """Whole seconds as Go prints a duration: ``10s``, ``1m20s``, ``5m0s``."""
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
