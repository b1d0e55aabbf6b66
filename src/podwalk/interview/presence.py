"""A clock for a page that may be closed without a word."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 5 * 60.0


class Presence:
    """Seconds that somebody was there. Where nothing is heard for ``patience`` seconds, it stands until it is.

    A browser that is closed tells a kernel nothing, so a long silence is taken for absence.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.patience = PATIENCE
        self._clock = clock
        self._sum, self._last = 0.0, clock()

    def heard(self) -> None:
        """Somebody has done something."""
        self._sum, self._last = self(), self._clock()

    @property
    def runs_for(self) -> float:
        """The seconds until it stands, where nothing is heard from now on."""
        return max(0.0, self.patience - (self._clock() - self._last))

    def __call__(self) -> float:
        """The seconds so far."""
        return self._sum + min(max(0.0, self._clock() - self._last), self.patience)
