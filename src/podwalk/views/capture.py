"""Frames as they were on the wire, with the MAC addresses of who sent them, while something happened."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from podwalk.backends.base import BackendError, Cluster

_READY, _LATE, _LONGEST = 10.0, 2.0, 30
_BRIDGE = "kind0"


@dataclass(frozen=True, slots=True)
class Capture:
    """The lines that tcpdump printed, without their times."""

    place: str
    expression: str
    lines: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([f"{self.place}: tcpdump -ne {self.expression}", *(self.lines or ("(nothing was seen)",))])


def capture(cluster: Cluster, place: str, expression: str, during: Callable[[], object], frames: int) -> Capture:
    """Capture at most ``frames`` frames on a node's eth0 or the nodes' bridge (``outside``) while ``during`` runs.

    Raises BackendError where tcpdump cannot begin, and whatever ``during`` raises.
    """
    node = None if place == "outside" else place.removeprefix("node/")
    device = _BRIDGE if node is None else "eth0"
    # It ends by itself, should nobody end it.
    argv = ["timeout", str(_LONGEST), "tcpdump", "-l", "--immediate-mode", "-nne", "-i", device, "-c", str(frames)]
    running = cluster.start(node, [*argv, expression])
    try:
        _wait_until_it_listens(running, place)
        during()
        try:
            said, _ = running.communicate(timeout=_LATE)
        except subprocess.TimeoutExpired:
            running.terminate()
            said, _ = running.communicate(timeout=_LATE)
    finally:
        if running.poll() is None:
            running.kill()
            running.communicate()
    lines = [re.sub(r"^\d\d:\d\d:\d\d\.\d+ ", "", line) for line in said.decode(errors="replace").splitlines()]
    return Capture(place, expression, tuple(lines))


def _wait_until_it_listens(running: subprocess.Popen[bytes], place: str) -> None:
    assert running.stderr is not None
    deadline, said = time.monotonic() + _READY, b""
    with selectors.DefaultSelector() as selector:
        selector.register(running.stderr, selectors.EVENT_READ)
        while b"listening on" not in said:
            ready = selector.select(max(deadline - time.monotonic(), 0))
            chunk = os.read(running.stderr.fileno(), 4096) if ready else b""
            if not chunk:
                words = said.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                raise BackendError(f"{place}: tcpdump did not begin ({words[0]}); podwalk doctor says what is missing")
            said += chunk
