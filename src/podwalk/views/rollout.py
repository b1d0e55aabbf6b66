"""Calls that go on while something changes, each drawn as a line from its beginning to its end."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from urllib.parse import unquote_plus

from matplotlib.figure import Figure

from podwalk.backends.base import Cluster, Completed
from podwalk.checks import http
from podwalk.views.callers import run_at
from podwalk.views.drawing import FAINT, INK, WRONG, Drawing, blank, colour, shorten, write

_CALLERS, _PAUSE, _RATE, _LONGEST = 12, 0.02, 25, 60.0
_RECORD = re.compile(r"<<begun (?P<begun>\d+)>>\n(?P<rest>.*?<<podwalk [^\n]*>>)", re.DOTALL)
_WIDTH, _LEFT, _ROW, _TOP, _FOOT = 10.3, 2.5, 0.36, 0.95, 0.55


@dataclass(frozen=True, slots=True)
class Call:
    """One request: when it began and how long it took (seconds), who answered, and how it ended in words."""

    begun: float
    seconds: float
    server: str
    outcome: str

    @property
    def good(self) -> bool:
        """Whether it was answered."""
        return self.outcome == "HTTP 200"


@dataclass(frozen=True, slots=True, repr=False)
class Timeline(Drawing):
    """The calls of a while. ``event`` is what happened at second ``at``."""

    url: str
    client: str
    calls: tuple[Call, ...]
    event: str
    at: float

    @property
    def lost(self) -> int:
        """The calls that were not answered."""
        return sum(not c.good for c in self.calls)

    def alt(self) -> str:
        """The drawing in words."""
        failed = Counter(c.outcome for c in self.calls if not c.good)
        words = ", ".join(f"{n} × {outcome}" for outcome, n in failed.items()) or "none was lost"
        return f"{len(self.calls)} calls from {self.client} to {self.url} while: {self.event}: {words}"

    def figure(self) -> Figure:
        """A row for each server in the order of their first answers, and one for the calls that nobody answered."""
        rows = list(dict.fromkeys(c.server for c in self.calls if c.good))
        rows += ["nobody"] if self.lost else []
        height = _TOP + _ROW * max(len(rows), 1) + _FOOT
        figure, axes = blank(_WIDTH, height)
        end = max([c.begun + c.seconds for c in self.calls], default=1.0)
        scale = (_WIDTH - _LEFT - 0.4) / end
        title = f"{len(self.calls)} calls to {shorten(unquote_plus(self.url), 60)}, {self.lost or 'none'} lost"
        write(axes, 0.2, height - 0.27, title, ha="left", fontsize=11, weight="bold", color=WRONG if self.lost else INK)
        write(axes, 0.2, height - 0.53, f"from {shorten(self.client, 60)}", ha="left", color=FAINT)
        bottom = height - _TOP - _ROW * len(rows)
        for index, row in enumerate(rows):
            y = height - _TOP - _ROW * (index + 0.5)
            tint = WRONG if row == "nobody" else colour(index)
            write(axes, _LEFT - 0.12, y, shorten(row, 28), ha="right", color=WRONG if row == "nobody" else INK)
            mine = [c for c in self.calls if (not c.good if row == "nobody" else c.good and c.server == row)]
            for lane, call in _lanes(mine):
                level = y + (lane - (_CALLERS - 1) / 2) * 0.0275
                x = _LEFT + call.begun * scale
                axes.plot([x, x + max(call.seconds * scale, 0.02)], [level, level], color=tint, linewidth=1.7)
        x = _LEFT + self.at * scale
        axes.plot([x, x], [bottom, height - _TOP + 0.08], color=INK, linewidth=1, linestyle=(0, (3, 2)))
        write(axes, x + 0.06, height - _TOP + 0.14, shorten(self.event, 70), ha="left", fontsize=7.8)
        for second in range(int(end) + 1):
            write(axes, _LEFT + second * scale, bottom - 0.15, f"{second} s", fontsize=7.5, color=FAINT)
        return figure


def _lanes(calls: list[Call]) -> list[tuple[int, Call]]:
    """Calls with a line of their own while they last: no two that overlap share one."""
    free = [0.0] * _CALLERS
    placed = []
    for call in sorted(calls, key=lambda c: c.begun):
        lane = min(range(_CALLERS), key=lambda i: (free[i] > call.begun, i))
        free[lane] = call.begun + call.seconds
        placed.append((lane, call))
    return placed


def calls_during(
    cluster: Cluster, place: str, url: str, seconds: float, event: str, change: Callable[[], object], kept: bool = False
) -> Timeline:
    """Call a URL from a place without a pause for a while, twelve callers at once; make the change after a second.

    They go on for as long as the change takes, and for ``seconds`` at least. With ``kept`` it is one caller on one
    connection that stays open. ``url``'s answer is taken for the name of who answered. Raises whatever ``change``
    raises.
    """
    stop = f"/tmp/podwalk-stop-{time.monotonic_ns()}"
    script = _kept_script(url, seconds) if kept else _script(url, stop, seconds + _LONGEST)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_at, cluster, place, script, seconds + _LONGEST + 30)
        try:
            if not _ended(running, 1.0):
                change()
                _ended(running, max(seconds - 1.0, 0.5))
        finally:
            if not kept:
                run_at(cluster, place, f"touch {stop}")
        said = running.result().stdout
    return Timeline(url, place, read(said), event, 1.0)


def _ended(running: Future[Completed], seconds: float) -> bool:
    return running in wait([running], seconds).done


def read(output: str) -> tuple[Call, ...]:
    """The calls in what the script printed; times count from the first one's beginning."""
    found = [(int(m["begun"]), http.parse(m["rest"] + "\n")) for m in _RECORD.finditer(output)]
    first = min([begun for begun, _ in found], default=0)
    calls = []
    for begun, answers in found:
        for answer in answers:
            server = re.sub(r'^\{"output":"(.*)\\n"\}$', r"\1", answer.body.strip())
            calls.append(Call((begun - first) / 1000, answer.seconds, server, answer.outcome))
    return tuple(sorted(calls, key=lambda c: c.begun))


def _script(url: str, stop: str, longest: float) -> str:
    """Several loops at once until there is a file ``stop``; each record is one write, so that two do not mix."""
    one = http.script(url, 1, 3.0).removesuffix("; true")
    loop = (
        f"while [ ! -e {stop} ] && [ $(date +%s%3N) -lt $end ]; do b=$(date +%s%3N); "
        f"o=$({one}); printf '<<begun %s>>\\n%s\\n' $b \"$o\"; sleep {_PAUSE}; done"
    )
    end = f"end=$(( $(date +%s%3N) + {int(longest * 1000)} ))"
    return f"{end}; for i in $(seq {_CALLERS}); do {loop} & done; wait; rm -f {stop}"


def _kept_script(url: str, seconds: float) -> str:
    """One curl that sends request after request on one connection; each answer is stamped when it is there."""
    many = http.together(f"{url}?probe=[1-{int(seconds * _RATE)}]", 3.0, f"-N --rate {_RATE}/s")
    stamp = 'case "$l" in "<<podwalk "*) printf "<<begun %s>>\\n%s\\n%s\\n" $(date +%s%3N) "$b" "$l";; ?*) b=$l;; esac'
    return f"{many} | while IFS= read -r l; do {stamp}; done"
