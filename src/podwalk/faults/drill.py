"""A live drill: a fault that the learner cannot see, a ticket, commands and hypotheses, an answer, a grade.

The fault belongs to the drill's process: when that ends, in whatever way, the keeper in the cluster takes it back.
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from podwalk.api import meta
from podwalk.backends.base import BackendError, Cluster, kubectl_path
from podwalk.faults import app, catalogue, engine, grading, keeper, nodestate, objects, record
from podwalk.faults.bench import Bench, open_bench
from podwalk.faults.facts import NAMESPACES
from podwalk.faults.grading import After, Answer, Result
from podwalk.faults.model import Fault, FaultError
from podwalk.faults.objects import InApi

_KINDS = (
    "Deployment", "Service", "EndpointSlice", "NetworkPolicy", "ConfigMap", "Secret", "Ingress", "Gateway", "HTTPRoute",
    "ReferenceGrant",
)  # fmt: skip
_WATCHED = (*NAMESPACES, "kube-system")
_PAIRS = 6
_COMMAND_SECONDS = 60.0
_MOST_OUTPUT = 20_000
_MOST_PRINTED = 1_000_000
_SETTLE_SECONDS = 15.0
# A repaired ConfigMap reaches a Pod that reads it only after a while; CoreDNS looks every 30 seconds, give or take.
_RELOAD_SECONDS = 60.0
# Every fault ends by itself some time after the drill's own time is over.
_SECONDS_MORE = 15 * 60.0


@dataclass(slots=True)
class Entry:
    """One thing that the learner did: a hypothesis, a command with its output, pasted evidence, or a hint."""

    kind: str
    text: str
    seconds: float
    output: str = ""


@dataclass(frozen=True, slots=True)
class _Before:
    """The cluster as the learner found it, and how the nodes were before the fault."""

    objects: dict[str, Any]
    pods: frozenset[str]
    nodes: nodestate.State
    broken: frozenset[str]


@dataclass
class LiveDrill:
    """A running drill. Make it with `begin`, and `close` it whatever happens."""

    cluster: Cluster
    faults: tuple[Fault, ...]
    seed: int
    _before: _Before
    _held: keeper.Keeper
    entries: list[Entry] = field(default_factory=list)
    hints: int = 0
    _began: float = field(default_factory=time.monotonic)

    @property
    def ticket(self) -> str:
        """What people see."""
        return "\n\n".join(f.lesson.ticket for f in self.faults)

    @property
    def minutes(self) -> int:
        """The time allowed."""
        return grading.minutes(self.faults)

    @property
    def seconds(self) -> float:
        """The time since the ticket."""
        return time.monotonic() - self._began

    def causes(self) -> list[str]:
        """The causes to choose from: the true ones among those that look alike, in an order of chance."""
        ids = dict.fromkeys(i for f in self.faults for i in (f.id, *f.lesson.mistaken_for))
        texts = [catalogue.find(i).lesson.cause for i in ids]
        random.Random(self.seed).shuffle(texts)
        return texts

    def suppose(self, text: str) -> None:
        """Note a hypothesis."""
        self.entries.append(Entry("hypothesis", text, self.seconds))

    def paste(self, text: str) -> None:
        """Note evidence that was seen elsewhere."""
        self.entries.append(Entry("evidence", text, self.seconds, text))

    def run(self, command: str) -> str:
        """Run the learner's command on this machine, with kubectl and podwalk set to the cluster; what it printed."""
        output = run_command(command, self.cluster)
        self.entries.append(Entry("command", command, self.seconds, output[:_MOST_OUTPUT]))
        return output

    def hint(self) -> str:
        """The next hint, with its cost; an empty string after the last."""
        everything: list[str] = [h for level in zip(*(f.lesson.hints for f in self.faults), strict=True) for h in level]
        if self.hints >= len(everything):
            return ""
        text = everything[self.hints]
        self.hints += 1
        self.entries.append(Entry("hint", text, self.seconds))
        return text

    def outputs(self) -> list[str]:
        """What commands have printed and what was pasted, by number from 0."""
        return [e.output for e in self.entries if e.kind in ("command", "evidence")]

    def grade(self, answers: Sequence[Answer]) -> Result:
        """Ask the cluster everything, and grade. Raises FaultError where it cannot be asked."""
        seconds = self.seconds
        with open_bench(self.cluster) as bench:
            after = self._after(bench)
        return grading.grade(self.faults, answers, self.outputs(), self.hints, after, seconds)

    def _after(self, bench: Bench) -> After:
        reloads = any(pattern.startswith("ConfigMap ") for f in self.faults for pattern in f.allowed)
        # These answers are graded, and not asked once more: one that is lost by chance would cost the points.
        seen = bench.look(_RELOAD_SECONDS if reloads else _SETTLE_SECONDS)
        allowed = [pattern for f in self.faults for pattern in f.allowed]
        now = objects.snapshot(bench.client, _WATCHED, _KINDS)
        left = nodestate.differences(self._before.nodes, nodestate.read(bench, list(self._before.nodes)))
        pods = _pods(bench)
        gone = len(self._before.pods - pods) / max(1, len(self._before.pods))
        return After(
            seen,
            grading.unrelated(
                self._before.objects, now, [*allowed, "ConfigMap */kube-root-ca.crt", "* */podwalk-fault-*"]
            ),
            [line for line in left if line not in self._before.broken],
            gone,
            taken_back=not record.load(bench.client),
        )

    def report(self, result: Result) -> dict[str, Any]:
        """The grade, the truth and the whole course of the drill as plain data."""
        truth = [
            {"id": f.id, "layer": f.layer, "level": f.level, "cause": f.lesson.cause, "evidence": f.lesson.evidence,
             "fix": f.lesson.fix}
            for f in self.faults
        ]  # fmt: skip
        commands = [e for e in self.entries if e.kind == "command"]
        return {
            **result.as_dict(),
            "seed": self.seed,
            "minutes": self.minutes,
            "truth": truth,
            "method": {
                "hypotheses": sum(e.kind == "hypothesis" for e in self.entries),
                "commands": len(commands),
                "hints": self.hints,
            },
            "replay": [{**asdict(e), "seconds": round(e.seconds, 1)} for e in self.entries],
        }

    def close(self, *, keep: bool = False) -> engine.Undone:
        """Take the fault back, and the tramway away; the keeper goes too."""
        try:
            return engine.undo(self.cluster, keep=keep, prove=False)
        finally:
            self._held.close()


def begin(
    cluster: Cluster,
    *,
    layer: str | None = None,
    level: str | None = None,
    stacked: bool = False,
    seed: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> LiveDrill:
    """Break something, hidden, and return the drill. Raises FaultError where nothing fits this cluster."""
    seed = random.randrange(2**31) if seed is None else seed
    rng = random.Random(seed)
    fitting = [f for f in catalogue.choose(layer, level) if not engine.lacking(f, cluster)]
    if not fitting:
        raise FaultError("no fault of this layer and level fits this cluster; podwalk fault list shows them all")
    parts = set(app.PARTS) if layer in (None, "ingress") else {"balancer"}
    parts = {p for p in parts if not _part_lacking(p, cluster)}
    for _ in range(_PAIRS):
        chosen = _draw(fitting, stacked, rng)
        try:
            seconds = grading.minutes(chosen) * 60 + _SECONDS_MORE
            done, held = engine.inject(
                cluster, chosen, seconds=seconds, hidden=True, seed=seed, parts=parts, lifeline=True, say=say
            )
        except engine.NoSymptomError:
            # Of two faults one may hide the other; another pair is drawn.
            continue
        try:
            with open_bench(cluster) as bench:
                before = _look(bench, done.records[0].nodes)
        except BaseException:
            engine.undo(cluster, prove=False)
            held.close()
            raise
        return LiveDrill(cluster, tuple(chosen), seed, before, held)
    raise FaultError("no fault would show on this cluster; start over: podwalk down && podwalk up")


def _part_lacking(part: str, cluster: Cluster) -> bool:
    return any(part in f.needs and engine.lacking(f, cluster) for f in catalogue.FAULTS.values())


def _draw(fitting: Sequence[Fault], stacked: bool, rng: random.Random) -> list[Fault]:
    first = rng.choice(list(fitting))
    if not stacked:
        return [first]
    others = [f for f in fitting if f.layer != first.layer and compatible(first, f)]
    others = others or [f for f in fitting if f.id != first.id and compatible(first, f)]
    if not others:
        raise FaultError("there are not two faults of this layer and level that can be stacked; leave out --level")
    return [first, rng.choice(others)]


def compatible(one: Fault, other: Fault) -> bool:
    """Whether two faults touch different objects, and neither changes what shows the other."""
    if any(name in other.shows and other.shows[name] != pattern for name, pattern in one.shows.items()):
        return False
    touched = [{c.ref for c in f.changes} if isinstance(f, InApi) else set() for f in (one, other)]
    return not touched[0] & touched[1]


def _look(bench: Bench, nodes: nodestate.State) -> _Before:
    broken = nodestate.differences(nodes, nodestate.read(bench, list(nodes)))
    return _Before(objects.snapshot(bench.client, _WATCHED, _KINDS), _pods(bench), nodes, frozenset(broken))


def _pods(bench: Bench) -> frozenset[str]:
    return frozenset(meta.uid(p) for n in NAMESPACES for p in bench.client.list("Pod", n) if not meta.is_deleting(p))


def run_command(command: str, cluster: Cluster) -> str:
    """Run a shell command on this machine with kubectl and podwalk set to a cluster; what it printed, both streams."""
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    try:
        path.insert(1, str(Path(kubectl_path()).parent))
    except BackendError:
        pass  # a learner without kubectl still has podwalk node
    env = {
        **os.environ,
        "PATH": os.pathsep.join(path),
        "KUBECONFIG": str(cluster.kubeconfig_path),
        "PODWALK_CLUSTER": cluster.name,
    }
    process = subprocess.Popen(
        ["sh", "-c", command],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return _collect(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _collect(process: subprocess.Popen[bytes]) -> str:
    """What it prints, to its end, to a size, or to a time; a note says which of the last two."""
    assert process.stdout is not None
    output, deadline, note = bytearray(), time.monotonic() + _COMMAND_SECONDS, ""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            note = f"\n(stopped after {_COMMAND_SECONDS:g} s)\n"
            break
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            break
        output += data
        if len(output) > _MOST_PRINTED:
            note = f"\n(stopped after {_MOST_PRINTED // 1000} kB)\n"
            break
    return output.decode(errors="replace") + note
