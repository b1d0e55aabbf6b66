"""Talks to policy_world.py, and compares what its packets did with what the evaluator says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from policy_objects import FAR, NODES, OUTSIDE, PODS, Object, all_namespaces, all_nodes

from podwalk.policy.evaluator import evaluate
from podwalk.policy.model import Connection, Endpoint, Verdict, World

HERE = Path(__file__).parent
Question = tuple[str, str, int, str]
REACHED = {"connected", "refused"}


class Kernel:
    """A running policy_world.py; ``python`` and ``user`` where it is to be an ordinary user's."""

    def __init__(self, source: Path | None = None, user: int | None = None) -> None:
        root = source or HERE.parents[2]
        folders = [root / "src", root / "tests/unit/policy"]
        path = os.pathsep.join([*map(str, folders), *([] if source else [os.environ.get("PYTHONPATH", "")])])
        self._process = subprocess.Popen(
            ["/usr/bin/python3" if source else sys.executable, str(root / "tests/kernel/policy/policy_world.py")],
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            user=user,
        )

    def ask(
        self,
        policies: list[Object],
        cluster: list[Object],
        questions: list[Question],
        expected: list[bool],
        **more: Any,
    ) -> dict[str, Any]:
        """The outcomes under these policies, in order."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        wire = [[source, address(target), port, protocol] for source, target, port, protocol in questions]
        order = {"policies": policies, "cluster": cluster, "ask": wire, "expected": expected, **more}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "policy_world.py ended"
        answer: dict[str, Any] = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def address(name: str) -> str:
    """The address of a Pod, a node, "outside" or "far"; an address is itself."""
    known = {p["metadata"]["uid"]: str(p["status"]["podIP"]) for p in PODS}
    known |= {"outside": OUTSIDE, "far": FAR} | {n: ip for n, (ip, _) in NODES.items()}
    return known.get(name, name)


def endpoint(world: World, name: str) -> Endpoint:
    """The evaluator's view of a name."""
    return world.pod(name) if "/" in name else world.at(address(name))


def verdicts(
    policies: list[Object],
    cluster: list[Object],
    questions: list[Question],
    pods: list[Object] | None = None,
    namespaces: list[Object] | None = None,
) -> list[Verdict]:
    """What the evaluator says."""
    world = World(pods or PODS, namespaces or all_namespaces(), all_nodes(), policies, cluster)
    ends = {name: endpoint(world, name) for s, t, _, _ in questions for name in (s, t)}
    return [evaluate(world, Connection(ends[s], ends[t], port, protocol)) for s, t, port, protocol in questions]


def disagreements(
    kernel: Kernel, policies: list[Object], cluster: list[Object], questions: list[Question], **more: Any
) -> list[str]:
    """Where packets and evaluator contradict each other, in words.

    What was to arrive and did not is sent once more: a busy machine loses a datagram, a policy drops it every time.
    """
    said = verdicts(policies, cluster, questions, more.get("pods"), more.get("namespaces"))
    seen = kernel.ask(policies, cluster, questions, [v.allowed for v in said], **more)["outcomes"]
    lost = [i for i, verdict in enumerate(said) if verdict.allowed and seen[i] not in REACHED]
    if lost:
        again = kernel.ask(policies, cluster, [questions[i] for i in lost], [True] * len(lost), **more)["outcomes"]
        for i, outcome in zip(lost, again, strict=True):
            seen[i] = outcome
    return [
        f"{s} > {t}:{port}/{protocol}: packets {outcome}; {verdict.egress}; {verdict.ingress}"
        for (s, t, port, protocol), outcome, verdict in zip(questions, seen, said, strict=True)
        if (outcome in REACHED) != verdict.allowed
    ]
