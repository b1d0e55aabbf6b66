"""Who may talk to whom: connections that must open beside connections that must not, probed together.

"Blocked" proves nothing by itself: a server that is down blocks everybody. So every blocked flow needs two allowed ones
in the same call: one from the same source (it can send at all), and one to the same target (somebody listens there).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from podwalk.checks import connect
from podwalk.checks.patience import seconds
from podwalk.checks.probes import Means
from podwalk.checks.report import Finding
from podwalk.checks.shell import see_it
from podwalk.checks.signals import NotYetError

_AT_ONCE = 6
_SHOWN = 3

Flow = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FlowsProbe:
    """Made by ``lab.flows``: flows are (place, ``host:port``)."""

    means: Means
    allowed: tuple[Flow, ...]
    blocked: tuple[Flow, ...]
    timeout: float

    def __post_init__(self) -> None:
        for source, target in self.blocked:
            # The port is what a listener has; a name and an address may mean the same server.
            port = target.rpartition(":")[2]
            if not any(source == s for s, _ in self.allowed):
                raise ValueError(
                    f"{source} must also be allowed something: else a source that cannot send looks blocked"
                )
            if not any(port == t.rpartition(":")[2] for _, t in self.allowed):
                raise ValueError(f"{target} must also be allowed to someone: else a dead server looks blocked")

    def expect(self, *, within: str | float = "5s") -> None:
        """Every allowed flow opens, and no blocked one does (no answer, or a refusal in its place)."""
        self.means.expecting()
        seen = self.means.patience.until(self._look, lambda s: not self._wrong(s), seconds(within))
        wrong = self._wrong(seen)
        if self._stray(wrong, seen):
            source, target = wrong[0]
            seen[wrong[0]] = connect.fates(self.means.shell, source, [target], self.timeout)[0]
            wrong = self._wrong(seen)
        if wrong:
            raise NotYetError(self._finding(wrong, seen))

    def _look(self) -> dict[Flow, str]:
        flows = (*self.allowed, *self.blocked)
        sources = list(dict.fromkeys(source for source, _ in flows))

        def ask(source: str) -> dict[Flow, str]:
            targets = list(dict.fromkeys(t for s, t in flows if s == source))
            found = connect.fates(self.means.shell, source, targets, self.timeout)
            return {(source, t): fate for t, fate in zip(targets, found, strict=True)}

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            parts = list(pool.map(ask, sources))
        return {flow: fate for part in parts for flow, fate in part.items()}

    def _wrong(self, seen: dict[Flow, str]) -> list[Flow]:
        shut = [f for f in self.allowed if seen[f] != connect.OPEN]
        # A name that nobody knows is no block: the packet was never sent.
        leaks = [f for f in self.blocked if seen[f] not in (connect.TIMEOUT, connect.REFUSED)]
        return [*shut, *leaks]

    def _stray(self, wrong: Sequence[Flow], seen: dict[Flow, str]) -> bool:
        """Whether a single allowed flow was late among others that opened: a busy machine does that, so ask again."""
        if len(wrong) != 1 or wrong[0] not in self.allowed or seen[wrong[0]] != connect.TIMEOUT:
            return False
        return any(seen[flow] == connect.OPEN for flow in self.allowed)

    def _finding(self, wrong: Sequence[Flow], seen: dict[Flow, str]) -> Finding:
        def words(flow: Flow, fate: str) -> str:
            return f"{flow[0]} → {flow[1]}: {fate}"

        expected = [words(f, connect.OPEN if f in self.allowed else "blocked") for f in wrong[:_SHOWN]]
        observed = [words(f, seen[f]) for f in wrong[:_SHOWN]]
        more = f", and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        source, target = wrong[0]
        host, _, port = target.rpartition(":")
        show = see_it(source, "curl", f"-sSm{self.timeout:g}", f"http://{host}:{port}/")
        return Finding("; ".join(expected) + more, "; ".join(observed) + more, show)
