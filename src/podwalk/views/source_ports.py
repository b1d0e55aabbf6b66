"""The source ports of connections: those that a Pod chose, and those that leave the node. Read from conntrack."""

from __future__ import annotations

import re
from dataclasses import dataclass

from matplotlib.figure import Figure

from podwalk.backends.base import Cluster
from podwalk.checks import http
from podwalk.views.callers import run_at
from podwalk.views.drawing import COLOURS, FAINT, Drawing, blank, shorten, write

_FLOW = re.compile(
    r"src=(?P<source>\S+) dst=(?P<target>\S+) sport=(?P<sport>\d+) dport=\d+ .*?"
    r"src=\S+ dst=(?P<seen>\S+) sport=\d+ dport=(?P<seen_port>\d+)"
)
_WIDTH, _HEIGHT, _LEFT, _RIGHT = 8.8, 2.3, 2.3, 0.3
_MOST = 65536
# Longer than a busy machine needs to answer.
_TIMEOUT = 3.0


@dataclass(frozen=True, slots=True)
class Flow:
    """One connection: the Pod's address and port, and those that the far end sees."""

    source: str
    sport: int
    seen: str
    seen_port: int


@dataclass(frozen=True, slots=True, repr=False)
class SourcePorts(Drawing):
    """Each connection as a tick on two lines, one for the Pod and one for the node."""

    place: str
    target: str
    flows: tuple[Flow, ...]

    @property
    def rewritten(self) -> int:
        """How many have another port outside than inside."""
        return sum(1 for f in self.flows if f.sport != f.seen_port)

    def alt(self) -> str:
        """In words."""
        seen = sorted({f.seen for f in self.flows})
        return (
            f"{len(self.flows)} connections from {self.place} to {self.target}, seen as {', '.join(seen) or 'nobody'}; "
            f"{self.rewritten} with another source port"
        )

    def figure(self) -> Figure:
        """The two lines."""
        figure, axes = blank(_WIDTH, _HEIGHT)
        title = f"{len(self.flows)} connections to {self.target}"
        write(axes, 0.2, _HEIGHT - 0.27, title, ha="left", fontsize=11.5, weight="bold")
        words = f"from {shorten(self.place, 40)}; a tick is a source port, {self.rewritten} are not what the Pod chose"
        write(axes, 0.2, _HEIGHT - 0.52, words, ha="left", color=FAINT)
        seen = ", ".join(sorted({f.seen for f in self.flows})) or "nobody"
        self._line(axes, 1.15, "in the Pod", sorted({f.source for f in self.flows}), [f.sport for f in self.flows], 0)
        self._line(axes, 0.55, "outside", [seen], [f.seen_port for f in self.flows], 2)
        for port in (0, 16384, 32768, 49152, 65535):
            write(axes, self._x(port), 0.2, str(port), fontsize=7.5, color=FAINT)
        return figure

    def _x(self, port: int) -> float:
        return _LEFT + port / _MOST * (_WIDTH - _LEFT - _RIGHT)

    def _line(self, axes: object, y: float, name: str, who: list[str], ports: list[int], tint: int) -> None:
        write(axes, 0.2, y + 0.08, name, ha="left", weight="bold")
        write(axes, 0.2, y - 0.1, shorten(", ".join(who), 26), ha="left", fontsize=7.8, family="monospace", color=FAINT)
        axes.plot([_LEFT, _WIDTH - _RIGHT], [y, y], color="#d8d8d2", linewidth=1, zorder=1)  # type: ignore[attr-defined]
        for port in ports:
            x = self._x(port)
            axes.plot([x, x], [y - 0.12, y + 0.12], color=COLOURS[tint], linewidth=1.1, zorder=2)  # type: ignore[attr-defined]


def source_ports(cluster: Cluster, pod: str, node: str, host: str, times: int) -> SourcePorts:
    """Call a web server outside so many times from a Pod, and read from its node how the connections left."""
    script = http.script(f"http://{host}/", times, _TIMEOUT, http.Asked(source_port=0))
    answers = http.parse(run_at(cluster, pod, script).stdout)
    target = next((a.ip for a in answers if a.ip), "")
    argv = ["conntrack", "-L", "-p", "tcp", "--orig-dst", target or "0.0.0.0"]
    said = cluster.node(node, argv, timeout=20).stdout
    address = cluster.kubectl(
        "get", "pod", "-n", pod.partition("/")[0], pod.partition("/")[2], "-o", "jsonpath={.status.podIP}"
    ).stdout.strip()
    flows = [m for m in map(_FLOW.search, said.splitlines()) if m and m["source"] == address]
    found = tuple(Flow(m["source"], int(m["sport"]), m["seen"], int(m["seen_port"])) for m in flows)
    return SourcePorts(pod, f"{host} ({target})", found)
