"""One HTTP request through a proxy: the two TCP connections that it takes, and what each side sees as the source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from podwalk.api import meta
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import http
from podwalk.checks.state import Live, State
from podwalk.views.callers import run_at
from podwalk.views.drawing import COLOURS, FAINT, INK, WRONG, Drawing, blank, shorten, write
from podwalk.views.sightings import Sighting, connections_during

_PORTS = {"http": 80, "https": 443}
_API_PORTS = (443, 6443)
# Ports that a client is given (net.ipv4.ip_local_port_range); what a proxy answers comes from lower ones.
_EPHEMERAL = 32768
# What a backend is told about its client; other headers are left out of the picture.
_TOLD = ("Host", "X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Proto")
_WIDTH, _BOX, _GAP = 10.4, 2.0, 2.2


@dataclass(frozen=True, slots=True)
class Stretch:
    """A connection between two rewrites: its addresses as they are written there, and on which machines it was seen."""

    source: str
    target: str
    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


@dataclass(frozen=True, slots=True)
class End:
    """One of the three: a name, its address (empty: several, or not known) and its machine."""

    name: str
    address: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class RequestWalk(Drawing):
    """``outcome`` as the client had it; ``told`` are headers that the backend was given, where it answers with them."""

    url: str
    outcome: str
    ends: tuple[End, End, End | None]
    connections: tuple[tuple[Stretch, ...], tuple[Stretch, ...]]
    told: dict[str, str]
    kept: bool = False
    """Whether the second connection was open before."""

    def alt(self) -> str:
        """The walk in words."""
        lines = [f"{self.url} from {self.ends[0].name}: {self.outcome}"]
        for number, stretches in enumerate(self.connections, 1):
            if not stretches:
                lines.append(f"connection {number}: none")
            for index, stretch in enumerate(stretches):
                head = self._name(number) if index == 0 else f"  rewritten on {stretch.places[0]}"
                lines.append(f"{head}: {stretch}")
        if self.ends[2] is not None and self.connections[1]:
            lines.append(f"{self.ends[2].name} sees {self.connections[1][-1].source}")
        lines += [f"and is told {name}: {value}" for name, value in self.told.items()]
        return "\n".join(lines)

    def _name(self, number: int) -> str:
        return f"connection {number}{', open from before' * (self.kept and number == 2)}"

    def figure(self) -> Figure:
        """The three ends with a connection between each two, and under each arrow its addresses."""
        most = max(len(c) for c in self.connections)
        height = 1.85 + max(0.42 * max(most - 1, 0), 0.2 * len(self.told) + 0.1)
        figure, axes = blank(_WIDTH, height)
        write(axes, 0.2, height - 0.27, shorten(self.url, 70), ha="left", fontsize=12, weight="bold")
        good = self.outcome.startswith("HTTP 2")
        write(axes, _WIDTH - 0.2, height - 0.27, self.outcome, ha="right", color=FAINT if good else WRONG)
        top = height - 1.1
        for index, end in enumerate(self.ends):
            self._end(axes, index, end, top)
        for index, stretches in enumerate(self.connections):
            self._connection(axes, index, stretches, top)
        self._told(axes, top - 0.62)
        return figure

    def _end(self, axes: object, index: int, end: End | None, top: float) -> None:
        x = 0.2 + index * (_BOX + _GAP - 0.2)
        words = ("the client", "the proxy", "the backend")[index]
        edge = INK if end else WRONG
        axes.add_patch(  # type: ignore[attr-defined]
            FancyBboxPatch(
                (x, top - 0.36), _BOX - 0.2, 0.82, boxstyle="round,pad=0,rounding_size=0.08",
                facecolor="#ffffff", edgecolor=edge, linewidth=1.3, linestyle="-" if end else (0, (3, 2)),
            )
        )  # fmt: skip
        middle = x + (_BOX - 0.2) / 2
        write(axes, middle, top + 0.3, words, fontsize=8, color=FAINT)
        write(axes, middle, top + 0.1, shorten(end.name, 22) if end else "none was asked", fontsize=8.6, weight="bold")
        if end:
            write(axes, middle, top - 0.09, end.address, fontsize=8, family="monospace")
            write(axes, middle, top - 0.26, end.node and f"on {end.node}", fontsize=7.6, color=FAINT)

    def _connection(self, axes: object, index: int, stretches: tuple[Stretch, ...], top: float) -> None:
        left = 0.2 + index * (_BOX + _GAP - 0.2) + _BOX - 0.2
        right = left + _GAP - 0.2 + 0.2
        middle, y = (left + right) / 2, top + 0.05
        if not stretches:
            write(axes, middle, y, "no connection", color=WRONG, fontsize=8.5)
            return
        tint = COLOURS[index * 2]
        axes.add_patch(  # type: ignore[attr-defined]
            FancyArrowPatch((left + 0.04, y), (right - 0.04, y), arrowstyle="-|>", mutation_scale=14, color=tint, lw=2)
        )
        write(axes, middle, y + 0.17, self._name(index + 1), color=tint, fontsize=8.6, weight="bold")
        y = top - 0.62
        for number, stretch in enumerate(stretches):
            if number:
                write(axes, middle, y + 0.02, f"rewritten on {stretch.places[0]}", color=FAINT, fontsize=7.4)
                y -= 0.2
            write(axes, middle, y, str(stretch), fontsize=7.8, family="monospace")
            y -= 0.22

    def _told(self, axes: object, y: float) -> None:
        if not self.connections[1]:
            return
        right = _WIDTH - 0.2
        source = self.connections[1][-1].source.rpartition(":")[0]
        write(axes, right, y, f"sees {source}{', is told:' * bool(self.told)}", ha="right", fontsize=8.2, color=FAINT)
        for name, value in self.told.items():
            y -= 0.2
            write(axes, right, y, f"{name}: {shorten(value, 24)}", ha="right", fontsize=8, family="monospace")


def request_walk(cluster: Cluster, place: str, url: str, proxy: str) -> RequestWalk:
    """Send one request from a place through a proxy's Deployment (``namespace/name``), and watch its connections.

    Raises BackendError where the proxy does not run.
    """
    with cluster.client() as client:
        state = State(Live(client))
        pods = {str(p["status"].get("podIP")): p for p in state.pods_of(proxy)}
        everyone = {str((p.get("status") or {}).get("podIP")): p for p in client.list("Pod")}
    if not pods:
        namespace, _, name = proxy.partition("/")
        raise BackendError(f"deployment/{name}: has no Pods; look: kubectl -n {namespace} get pods")
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    hosts = " or ".join(f"host {ip}" for ip in pods)
    answers: list[http.Answer] = []

    def send() -> None:
        script = http.script(url, 1, 3.0, options="-k")
        answers.extend(http.parse(run_at(cluster, place, script).stdout))

    nodes = [n.name for n in cluster.status().nodes]
    seen = connections_during(cluster, nodes, f"dst port {port} or {hosts}", send)
    first = _first(seen, set(pods), answers[0].ip if answers else "", port)
    second = [s for s in seen if s.source in pods and s.dport not in _API_PORTS and s.sport >= _EPHEMERAL]
    through = next((s.target for s in reversed(first) if s.target in pods), next(iter(pods)))
    ends = (
        _client(place, everyone, first),
        End(meta.name(pods[through]), through, str(pods[through]["spec"].get("nodeName", ""))),
        _end(everyone.get(second[-1].target), second[-1].target) if second else None,
    )
    stretches = (_stretches(first), _stretches([s for s in second if s.sport == second[-1].sport] if second else []))
    kept = bool(second) and not any(s.new for s in second)
    return RequestWalk(url, http.tally(answers), ends, stretches, _headers(answers), kept)


def _first(seen: list[Sighting], proxies: set[str], target: str, port: int) -> list[Sighting]:
    """The client's connection: from its first SYN to the address that curl reached, until a proxy's Pod has it."""
    kept: list[Sighting] = []
    for sighting in seen:
        begins = sighting.target == target and sighting.dport == port
        if not sighting.new or sighting.source in proxies or (not kept and not begins):
            continue
        inside = next((s.ends for s in kept if s.target in proxies), sighting.ends)
        # Of what reaches the proxy the first is meant: the kubelet's probes come there too.
        if begins or (sighting.target in proxies and sighting.ends == inside):
            kept.append(sighting)
    return kept


def _stretches(sightings: list[Sighting]) -> tuple[Stretch, ...]:
    found: list[Stretch] = []
    for s in sightings:
        source, target = f"{s.source}:{s.sport}", f"{s.target}:{s.dport}"
        if found and (found[-1].source, found[-1].target) == (source, target):
            places = found[-1].places
            found[-1] = Stretch(source, target, places if s.place in places else (*places, s.place))
        else:
            found.append(Stretch(source, target, (s.place,)))
    return tuple(found)


def _client(place: str, everyone: dict[str, meta.Object], first: list[Sighting]) -> End:
    address = first[0].source if first else ""
    if place == "outside" or place.startswith("node/"):
        return End(place.removeprefix("node/"), address)
    return _end(everyone.get(address), address) if address in everyone else End(place.partition("/")[2], address)


def _end(pod: meta.Object | None, address: str) -> End:
    return End(meta.name(pod), address, str(pod["spec"].get("nodeName", ""))) if pod else End("?", address)


def _headers(answers: list[http.Answer]) -> dict[str, str]:
    """The headers of interest, where the backend has answered with all that it was given (agnhost's ``/header``)."""
    try:
        given = json.loads(answers[0].body) if answers else {}
    except ValueError:
        return {}
    if not isinstance(given, dict):
        return {}
    return {name: ", ".join(given[name]) for name in _TOLD if isinstance(given.get(name), list)}
