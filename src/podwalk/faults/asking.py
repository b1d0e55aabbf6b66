"""Asking probes: real packets from Pods, nodes and the world outside, and what they see as one line each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from podwalk.backends.base import Cluster
from podwalk.checks import http
from podwalk.checks.shell import OUTSIDE, Shell
from podwalk.checks.signals import CouldNotTellError, NotYetError
from podwalk.checks.state import Live, State
from podwalk.faults.facts import Facts

Script = Callable[[Facts], str]
Read = Callable[[str, Facts], str]

_SECONDS = 30.0
_MARK = "<<probe {}>>"
_RUN = r"""
dir=$(mktemp -d); cd "$dir"
{starts}
wait
{shows}
cd /; rm -r "$dir"
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question. ``what`` says it in words; ``part`` is the part of the application that it needs.

    The script prints something, and ``read`` turns it into one line; ``healthy`` is the pattern of that line while
    nothing is broken.
    """

    name: str
    what: str
    place: str
    script: Script
    read: Read
    healthy: str
    part: str = ""

    @property
    def closed(self) -> bool:
        """Whether it asks for something that must not work."""
        return self.healthy == CLOSED


CLOSED = "1 × timeout"
_PLACES = {
    "board": "tramway/deploy/board",
    "east": "tramway/deploy/trams-east",
    "west": "tramway/deploy/trams-west",
    "office": "tramway/deploy/office",
    "conductor": "street/deploy/conductor",
    "stranger": "street/deploy/stranger",
    "outside": OUTSIDE,
}


def answers(output: str, _: Facts) -> str:
    """``12 × HTTP 200 from trams-east, trams-west``."""
    found = http.parse(output)
    tally = http.tally(found) if len(found) != 1 else f"1 × {found[0].outcome}"
    who = sorted({_who(a.body) for a in found if a.status == 200 and a.body})
    return f"{tally} from {', '.join(who)}" if who else tally


def _who(body: str) -> str:
    """The Deployment of the Pod whose name is the body; a longer body is only measured."""
    name = body.strip()
    if len(name) > 200:
        return f"{len(name) // 1000} kB"
    return re.sub(r"-[0-9a-z]+-[0-9a-z]{5}$", "", name)


def seen_as(output: str, f: Facts) -> str:
    """Whose address the server saw: ``the caller's own`` or another one."""
    answer = next(iter(http.parse(output)), None)
    if answer is None or not answer.status:
        return answer.outcome if answer else "no answer"
    seen = answer.body.strip().rpartition(" ")[2].rpartition(":")[0] or answer.body.strip().rpartition(" ")[2]
    if seen == f.pod_ip("board"):
        return "the caller's own address"
    owner = next((n for n, ip in f.node_ips.items() if ip == seen), "")
    return "the address of the caller's node" if owner == f.worker else f"the address {seen}"


def clock(output: str, _: Facts) -> str:
    """Who answered the datagram, ``timeout`` or ``refused``."""
    line = output.strip().splitlines()[-1] if output.strip() else "no answer"
    if line.startswith(("TimeoutError", "socket.timeout")):
        return "timeout"
    return "refused" if "refused" in line else line


def address(output: str, f: Facts) -> str:
    """The outcome of a lookup: the Service's address, another one, or how it failed."""
    found = output.split()
    if not found:
        return "not found"
    names = {ip: f"Service {name}" for name, ip in f.services.items()}
    return names.get(found[0], found[0]) if found[0] != "late" else "no answer in time"


def shares(output: str, f: Facts) -> str:
    """How the canary stands: ``most to board`` or ``most to office``."""
    bodies = [_who(a.body) for a in http.parse(output) if a.status == 200]
    if len(bodies) < 20:
        return answers(output, f)
    return f"most to {max(sorted(set(bodies)), key=bodies.count)}"


def balance(output: str, f: Facts) -> str:
    """Whether a Service's Pods share the callers: ``shared`` or ``nearly all to NAME``."""
    bodies = [_who(a.body) for a in http.parse(output) if a.status == 200]
    if len(bodies) < 40:
        return answers(output, f)
    first = max(sorted(set(bodies)), key=bodies.count)
    return f"nearly all to {first}" if bodies.count(first) > 0.75 * len(bodies) else "shared"


def subject(output: str, _: Facts) -> str:
    """Whose certificate openssl was shown."""
    found = re.search(r"subject=.*?CN ?= ?([^\n,]+)", output)
    return f"certificate of {found[1].strip()}" if found else "no certificate"


def at_front(output: str, f: Facts) -> str:
    """As `answers`, where the load balancer has an address at all."""
    return answers(output, f) if "front" in f.balancers else "no address"


def ask(cluster: Cluster, facts: Facts, probes: Iterable[Probe]) -> dict[str, str]:
    """What each probe sees now, by name. One command a place asks all questions of that place at once."""
    by_place: dict[str, list[Probe]] = {}
    for probe in probes:
        by_place.setdefault(_place(probe.place, facts), []).append(probe)
    with ThreadPoolExecutor(max(1, len(by_place))) as pool:
        jobs = [pool.submit(_ask_place, cluster, facts, place, asked) for place, asked in by_place.items()]
        return {name: seen for job in jobs for name, seen in job.result().items()}


def _place(place: str, facts: Facts) -> str:
    nodes = {"control-plane": facts.control_plane, "worker": facts.worker, "worker2": facts.worker2}
    return f"node:{nodes[place]}" if place in nodes else _PLACES[place]


def _ask_place(cluster: Cluster, facts: Facts, place: str, probes: list[Probe]) -> dict[str, str]:
    starts = "\n".join(f"( {p.script(facts)} ) >{i} 2>&1 </dev/null &" for i, p in enumerate(probes))
    shows = "\n".join(f"echo; echo '{_MARK.format(i)}'; cat {i}" for i in range(len(probes)))
    try:
        with cluster.client() as client:
            output = Shell(cluster, State(Live(client))).run(place, _RUN.format(starts=starts, shows=shows), _SECONDS)
    except NotYetError as error:
        return {p.name: f"nobody there to ask: {error.finding.observed}" for p in probes}
    except CouldNotTellError as error:
        return {p.name: f"could not ask: {error}" for p in probes}
    parts = re.split(r"\n?<<probe (\d+)>>\n", output)
    texts = {int(parts[i]): parts[i + 1] for i in range(1, len(parts) - 1, 2)}
    return {p.name: p.read(texts.get(i, ""), facts) for i, p in enumerate(probes)}
