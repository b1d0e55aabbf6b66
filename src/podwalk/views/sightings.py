"""Where TCP connections are seen, and between which addresses, on all devices of all nodes at once.

A connection is seen by its SYN; one that was open before, by the next data that it carries.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from podwalk.backends.base import Cluster
from podwalk.views.listening import await_ready, chunks, listening

_BEGINS = "(tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn or tcp[tcpflags] & tcp-push != 0)"
_LINE = re.compile(
    r"^(?P<time>\d+\.\d+) +(?P<device>\S+) +(?P<way>In|Out|P|B|M) +IP "
    r"(?P<source>[\d.]+)\.(?P<sport>\d+) > (?P<target>[\d.]+)\.(?P<dport>\d+): Flags \[(?P<flag>[SP])"
)
# A tcpdump on a busy machine may say nothing for a while, and then the rest.
_SECONDS, _QUIET_SECONDS = 10.0, 1.0


@dataclass(frozen=True, slots=True, order=True)
class Sighting:
    """One segment on one device. ``place`` is a node's name or ``outside``; ``way`` is tcpdump's In or Out."""

    time: float
    place: str
    device: str
    way: str
    source: str
    sport: int
    target: str
    dport: int
    new: bool

    @property
    def ends(self) -> tuple[str, int, str, int]:
        """Source address and port, target address and port."""
        return self.source, self.sport, self.target, self.dport


def connections_during(
    cluster: Cluster, nodes: Sequence[str], where: str, send: Callable[[], object]
) -> list[Sighting]:
    """The SYNs and data that match a pcap filter while ``send`` runs, on all the devices there are, in order.

    Raises BackendError where tcpdump does not start.
    """
    argv = ["tcpdump", "-i", "any", "-nn", "-tt", "-l", "--immediate-mode", f"{_BEGINS} and ({where})"]
    with contextlib.ExitStack() as stack:
        places: list[str | None] = [*nodes, None]
        running = {node or "outside": stack.enter_context(listening(cluster, node, argv)) for node in places}
        for place, process in running.items():
            await_ready(process, f"{place}: tcpdump")
        send()
        with ThreadPoolExecutor(len(running)) as pool:
            said = pool.map(_lines, running.values())
            lines = [(place, line) for place, part in zip(running, said, strict=True) for line in part]
    found = (_parse(place, line) for place, line in lines)
    return sorted(s for s in found if s is not None)


def _parse(place: str, line: str) -> Sighting | None:
    m = _LINE.match(line)
    if m is None:
        return None
    ends = (m["source"], int(m["sport"]), m["target"], int(m["dport"]))
    return Sighting(float(m["time"]), place, m["device"], m["way"], *ends, m["flag"] == "S")


def _lines(process: subprocess.Popen[bytes]) -> list[str]:
    """What it has printed, once it prints nothing more."""
    said = b"".join(chunks(process.stdout, time.monotonic() + _SECONDS, _QUIET_SECONDS))
    return said.decode(errors="replace").splitlines()
