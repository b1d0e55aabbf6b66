"""The evaluator against the table of what policies mean."""

from __future__ import annotations

import re

import pytest
from policy_case import Case
from policy_cases import CASES
from policy_objects import FAR, NODES, OUTSIDE, PODS, all_namespaces, all_nodes

from podwalk.policy.evaluator import evaluate
from podwalk.policy.model import Connection, Endpoint, World

_CHECK = re.compile(r"(\S+) > (\S+):(\d+)(?:/(\w+))? (yes|no)$")


def end(world: World, name: str) -> Endpoint:
    if "/" in name:
        return world.pod(name)
    return world.at({"outside": OUTSIDE, "far": FAR}.get(name) or NODES[name][0])


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_the_evaluator_says_what_the_policies_mean(case: Case) -> None:
    world = World(PODS, all_namespaces(), all_nodes(), case.policies, case.cluster)
    for check in case.checks:
        source, target, port, protocol, answer = _CHECK.match(check).groups()  # type: ignore[union-attr]
        connection = Connection(end(world, source), end(world, target), int(port), protocol or "TCP")
        verdict = evaluate(world, connection)
        assert verdict.allowed == (answer == "yes"), f"{check}: {verdict.egress}; {verdict.ingress}"


def test_there_are_at_least_a_hundred_cases_and_each_name_is_one() -> None:
    assert len(CASES) >= 100
    assert len({c.id for c in CASES}) == len(CASES)
