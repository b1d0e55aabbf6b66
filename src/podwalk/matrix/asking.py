"""Real packets: one prober a node asks for all Pods of that node, on all nodes at once."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import resources as package_files
from typing import Any

from podwalk.backends.base import BackendError, Cluster, Completed
from podwalk.matrix.model import Port

OUTSIDE = "outside"
# Longer than what is not dropped takes on a machine that breathes; silence without a reason is asked again.
SILENCE = 0.25
_STARTING = 0.4
_SLACK = 20.0
_SHELL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where packets leave from: the network of ``pod`` on its node, or without one that of the node or the outside."""

    name: str
    node: str
    pod: str = ""
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where packets go."""

    ip: str
    port: Port


@dataclass(slots=True)
class Questions:
    """What to ask: of each place which targets. ``answer``: (node, pod, address, port) of datagrams to answer."""

    ask: dict[Place, list[Target]] = field(default_factory=dict)
    answer: list[tuple[Place, Port]] = field(default_factory=list)


Answers = dict[Place, dict[Target, str]]


def ask(cluster: Cluster, questions: Questions, seconds: float = SILENCE) -> Answers:
    """The outcome of every question, in the prober's words. Raises BackendError where a node cannot be asked."""
    targets = list(dict.fromkeys(t for asked in questions.ask.values() for t in asked))
    index = {t: i for i, t in enumerate(targets)}
    wire = [[t.ip, t.port.number, t.port.protocol] for t in targets]
    until = time.time() + seconds + _STARTING if questions.answer else 0.0
    orders: dict[str, dict[str, Any]] = {}
    for place, asked in questions.ask.items():
        order = _order(orders, place, wire, seconds + (_STARTING if questions.answer else 0.0), until)
        order["ask"][place.name] = [index[t] for t in asked]
    for place, port in questions.answer:
        order = _order(orders, place, wire, seconds + _STARTING, until)
        order["answer"].append([place.name, port.number, port.protocol])
    said = _run(cluster, orders)
    out: Answers = {}
    for place, asked in questions.ask.items():
        outcomes = said[place.node]["results"][place.name]
        out[place] = dict(zip(asked, outcomes, strict=True))
    return out


def discover(cluster: Cluster, places: Iterable[Place]) -> dict[str, list[Port]]:
    """The TCP ports on which each place's Pod listens, by the place's name."""
    orders: dict[str, dict[str, Any]] = {}
    for place in places:
        order = _order(orders, place, [], 0.0, 0.0)
        order.setdefault("discover", []).append(place.name)
    found = {}
    for said in _run(cluster, orders).values():
        for name, ports in said["ports"].items():
            found[name] = [Port(int(number), str(protocol)) for protocol, number in ports]
    return found


def _order(
    orders: dict[str, dict[str, Any]], place: Place, targets: Sequence[Any], seconds: float, until: float
) -> dict[str, Any]:
    empty: dict[str, Any] = {"pods": {}, "ask": {}, "answer": []}
    order = orders.setdefault(place.node, {**empty, "targets": targets, "seconds": seconds, "until": until})
    if place.pod:
        order["pods"][place.name] = place.ip
    return order


def _run(cluster: Cluster, orders: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every node's answer. One process a node, all nodes at once."""
    by_python = cluster.backend == "embedded"

    def on(node: str) -> dict[str, Any]:
        argv, seconds = _by_python(orders[node]) if by_python else _by_shell(orders[node])
        limit = seconds + _SLACK
        done = cluster.outside(argv, timeout=limit) if node == OUTSIDE else cluster.node(node, argv, timeout=limit)
        return _parsed(node, done) if by_python else _heard(orders[node], done)

    with ThreadPoolExecutor(max(len(orders), 1)) as pool:
        return dict(zip(orders, pool.map(on, orders), strict=True))


def _by_python(order: dict[str, Any]) -> tuple[list[str], float]:
    program = _program("prober.py")
    argv = [sys.executable, "-I", "-S", "-c", program, json.dumps(order, separators=(",", ":"))]
    return argv, float(order["seconds"])


def _program(name: str) -> str:
    return package_files.files("podwalk.matrix").joinpath(name).read_text()


def _by_shell(order: dict[str, Any]) -> tuple[list[str], float]:
    """For nodes without Python: bash, one process a question."""
    seconds = max(float(order["seconds"]), _SHELL_SECONDS)
    words = [
        [order["pods"].get(source, "-"), order["targets"][i][0], str(order["targets"][i][1])]
        for source, i in _asked(order)
    ]
    waves = 1 + len(words) // 40
    argv = ["bash", "-c", _program("shellprober.sh"), "prober", f"{seconds:g}", *[w for three in words for w in three]]
    return argv, seconds * waves


def _asked(order: dict[str, Any]) -> list[tuple[str, int]]:
    """The questions that a shell can ask."""
    return [(s, i) for s, indexes in order["ask"].items() for i in indexes if order["targets"][i][2] == "TCP"]


def _heard(order: dict[str, Any], done: Completed) -> dict[str, Any]:
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    said = {question: lines.get(str(n), "error: no word of it") for n, question in enumerate(_asked(order))}
    unasked = "error: only TCP can be asked on this backend"
    results = {s: [said.get((s, i), unasked) for i in indexes] for s, indexes in order["ask"].items()}
    return {"results": results, "ports": {}}


def _parsed(node: str, done: Completed) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BackendError(f"{node}: the prober failed: {last}; podwalk status shows whether the node lives") from None
    return said
