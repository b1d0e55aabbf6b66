"""Real requests from a Pod, and a chart of who answered them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from matplotlib.figure import Figure

from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import http
from podwalk.views.callers import run_at
from podwalk.views.drawing import FAINT, WRONG, Drawing, blank, colour, shorten, write

# Longer than a busy machine needs to answer.
_TIMEOUT = 3.0
_WIDTH, _LEFT, _RIGHT, _ROW = 8.6, 2.6, 1.3, 0.42


@dataclass(frozen=True, slots=True, repr=False)
class Spread(Drawing):
    """Who answered, how often. ``failed`` counts the outcomes that are no answer, in the words of the course."""

    url: str
    client: str
    wanted: int
    answered: dict[str, int]
    failed: dict[str, int]
    connections: int = 0
    """On how many connections they went; 0 means each on its own."""

    @property
    def sent(self) -> int:
        """The requests that were sent; fewer than wanted where the first ones failed."""
        return sum(self.answered.values()) + sum(self.failed.values())

    def alt(self) -> str:
        """The chart in words."""
        counts = [f"{name}: {n}" for name, n in {**self.answered, **self.failed}.items()]
        kept = f" on {self.connections} kept connections" if self.connections else ""
        return f"{self.sent} requests from {self.client} to {self.url}{kept}: {', '.join(counts) or 'none'}"

    def figure(self) -> Figure:
        """A bar for each that answered, and one for each way in which nobody did."""
        rows = [(name, n, colour(i)) for i, (name, n) in enumerate(self.answered.items())]
        rows += [(f"nobody: {name}", n, WRONG) for name, n in self.failed.items()]
        height = 1.15 + _ROW * max(len(rows), 1)
        figure, axes = blank(_WIDTH, height)
        self._heading(axes, height)
        most = max([n for _, n, _ in rows], default=1)
        scale = (_WIDTH - _LEFT - _RIGHT) / max(most, 1)
        for index, (name, count, fill) in enumerate(rows):
            y = height - 0.95 - _ROW * index
            axes.barh(y, count * scale, left=_LEFT, height=_ROW * 0.62, color=fill, linewidth=0)
            write(axes, _LEFT - 0.12, y, shorten(name, 30), ha="right")
            share = f"{count}  ({count / self.sent:.0%})"
            write(axes, _WIDTH - 0.25, y, share, ha="right", color=FAINT)
        if self.answered and not self.failed:
            self._even(axes, height, scale, len(rows))
        return figure

    def _heading(self, axes: object, height: float) -> None:
        given_up = f", then gave up ({self.wanted} were wanted)" if self.sent < self.wanted else ""
        title = f"{self.sent} requests to {shorten(self.url, 40)}{given_up}"
        write(axes, 0.2, height - 0.27, title, ha="left", fontsize=11, weight="bold")
        kept = (
            f", on {self.connections} connection{'s' * (self.connections > 1)} that stayed open"
            if self.connections
            else ""
        )
        write(axes, 0.2, height - 0.53, f"from {shorten(self.client, 60)}{kept}", ha="left", color=FAINT)

    def _even(self, axes: object, height: float, scale: float, rows: int) -> None:
        x = _LEFT + self.sent / len(self.answered) * scale
        top, bottom = height - 0.95 + _ROW * 0.45, height - 0.95 - _ROW * (rows - 0.55)
        axes.plot([x, x], [bottom, top], color=FAINT, linewidth=1, linestyle=(0, (3, 2)))  # type: ignore[attr-defined]
        write(axes, x, bottom - 0.1, f"an even share: {self.sent / len(self.answered):.3g}", color=FAINT, fontsize=7.5)


def ask(cluster: Cluster, pod: str, url: str, times: int, connections: int = 0) -> Spread:
    """Send requests with curl from a Pod (``namespace/name``), ``node/NAME`` or ``outside``, each on a connection.

    With ``connections`` they are shared out over so many connections that are kept open. The answer's body is taken
    for the name of who answered. Stops early where they fail. Raises BackendError.
    """
    wait = times * _TIMEOUT + 15
    script = _kept(url, times, connections) if connections else http.script(url, times, _TIMEOUT)
    done = run_at(cluster, pod, script, timeout=wait)
    if not done.ok:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise BackendError(f"{pod}: {said[0]}; look: kubectl get pods -A")
    answers = http.parse(done.stdout)
    good = Counter(a.body.strip().partition("\n")[0] for a in answers if a.outcome == "HTTP 200")
    bad = Counter(a.outcome for a in answers if a.outcome != "HTTP 200")
    return Spread(url, pod, times, dict(sorted(good.items())), dict(sorted(bad.items())), connections)


def _kept(url: str, times: int, connections: int) -> str:
    """One curl a connection, one after the other; curl keeps its connection for all URLs of a range."""
    one = http.together(f"{url}?probe=[1-{max(times // connections, 1)}]", _TIMEOUT)
    return "; ".join([one] * connections) + "; true"
