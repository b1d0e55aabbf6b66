"""The table of tests/unit/policy by real packets, on two nodes with bridges, as the CNI plugins wire them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "unit" / "policy")]

from policy_case import Case  # noqa: E402 (their folders had to be named first)
from policy_cases import CASES  # noqa: E402
from policy_kernel import REACHED, Kernel, Question, disagreements  # noqa: E402
from policy_objects import PODS  # noqa: E402

pytestmark = pytest.mark.kernel

_CHECK = re.compile(r"(\S+) > (\S+):(\d+)(?:/(\w+))? (yes|no)$")
PLACES = [p["metadata"]["uid"] for p in PODS if not p["spec"].get("hostNetwork")]


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    running = Kernel()
    yield running
    running.close()


def question(check: str) -> tuple[Question, bool]:
    source, target, port, protocol, answer = _CHECK.match(check).groups()  # type: ignore[union-attr]
    return (source, target, int(port), protocol or "TCP"), answer == "yes"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_packets_do_what_the_policies_mean(case: Case, kernel: Kernel) -> None:
    questions, expected = zip(*map(question, case.checks), strict=True)
    seen = kernel.ask(list(case.policies), list(case.cluster), list(questions), list(expected))["outcomes"]
    wrong = [f"{check}: {o}" for check, o, e in zip(case.checks, seen, expected, strict=True) if (o in REACHED) != e]
    assert not wrong


@pytest.mark.parametrize("case", CASES[::12], ids=lambda c: c.id)
def test_packets_and_evaluator_agree_about_everybody(case: Case, kernel: Kernel) -> None:
    everybody = [(s, t, port, "TCP") for s in [*PLACES, "outside", "far"] for t in PLACES for port in (80, 5432, 8080)]
    assert disagreements(kernel, list(case.policies), list(case.cluster), everybody) == []
