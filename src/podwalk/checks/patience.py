"""Polling to a deadline: long while something is on its way, short when the cluster is at rest.

A learner who presses Check right after a rollout should not be told "not yet" because a Pod was half a second late;
a learner whose cluster has come to rest should not wait five seconds for an answer that will not change.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from podwalk.checks.signals import CouldNotTellError, NotYetError, OvertakenError

T = TypeVar("T")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> float:
        """Monotonic seconds."""

    def pause(self, seconds: float) -> None:
        """Let time pass between two looks."""

    def stretched(self, seconds: float) -> float:
        """How long that lasts where more wants to be done than there are processors for it."""


class RealClock:
    """The machine's clock."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Let time pass between two looks."""
        time.sleep(seconds)

    def stretched(self, seconds: float) -> float:
        """Longer by as much as there is more to do (the load of the last minute) than there are processors."""
        try:
            return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        except OSError:  # nobody knows
            return seconds


def seconds(text: str | float) -> float:
    """``"5s"``, ``"300ms"``, ``"2m"`` or a number as seconds. Raises ValueError."""
    if isinstance(text, int | float):
        return float(text)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration; write 5s, 300ms or 2m")
    return float(found[1]) * _UNITS[found[2]]


def spoken(span: float) -> str:
    """Seconds as a report prints them: ``1 s``, ``300 ms``."""
    return f"{span * 1000:g} ms" if span < 1 else f"{span:g} s"


class Patience:
    """How long to look again. ``grace`` covers kube-proxy's lag behind an API that is already at rest.

    A look that began in the first ``early`` seconds is not the last one, however long it took: a connection
    whose first packet came before the rules misses them with all that follow (conntrack has noted it as it is).
    """

    def __init__(
        self, moving: Callable[[], bool], clock: Clock | None = None, grace: float = 0.4, early: float = 0.0
    ) -> None:
        self._moving = moving
        self.clock: Clock = clock or RealClock()
        self._grace = grace
        self._late = self.clock.now() + early

    def until(self, look: Callable[[], T], good: Callable[[T], bool], within: float, every: float = 0.1) -> T:
        """Look until it is good, or until ``within`` has passed, or nothing moves any more; returns the last look.

        A look that fails (the Pod has just left, and its successor is coming) is looked at again too; the last failure
        is raised: NotYetError or CouldNotTellError.
        """
        started, moved = self.clock.now(), False
        while True:
            failure, early = None, self.clock.now() < self._late
            try:
                seen = look()
                if good(seen):
                    return seen
            except (NotYetError, CouldNotTellError) as error:
                failure = error
            waited = self.clock.now() - started
            moves = waited < self._grace or isinstance(failure, OvertakenError) or self._moving()
            # What moved until now may have arrived after the look, so that it is worth another one.
            if waited >= within or not (moves or moved or early):
                if failure is not None:
                    raise failure
                return seen
            moved = moves
            self.clock.pause(every)
