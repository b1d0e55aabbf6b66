"""Whom a Pod of higher priority may push out. Pure. Upstream: pkg/scheduler/framework/preemption."""

from __future__ import annotations

from dataclasses import dataclass

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.selectors import label_selector
from podwalk.controllers.scheduler_fit import Attempt
from podwalk.controllers.scheduler_node import NodeState
from podwalk.controllers.scheduler_score import priority, started


@dataclass
class Candidate:
    """A node and the Pods that would have to go; ``violations`` of them break a disruption budget."""

    node: str
    victims: list[Object]
    violations: int = 0


def refusal(pod: Object, states: list[NodeState]) -> str | None:
    """Why the Pod may preempt nobody, or None where it may."""
    if pod["spec"].get("preemptionPolicy") == "Never":
        return "not eligible due to preemptionPolicy=Never."
    nominated = (pod.get("status") or {}).get("nominatedNodeName")
    for state in states:
        if state.name == nominated and any(
            meta.is_deleting(p) and priority(p) < priority(pod) for p in state.pods.values()
        ):
            return "not eligible due to terminating pod on the nominated node."
    return None


def best(attempt: Attempt, budgets: list[Object]) -> Candidate | None:
    """The node where preemption does the least harm, or None where it would not help."""
    found = []
    for state in attempt.states:
        if all(m.resolvable for m in attempt.misfits(state)):
            candidate = _victims(attempt, state, budgets)
            if candidate is not None:
                found.append(candidate)
    return min(found, key=_harm, default=None)


def _harm(one: Candidate) -> tuple[object, ...]:
    """Fewer broken budgets, less important victims, fewer of them, the youngest."""
    priorities = [priority(p) for p in one.victims]
    highest = max(priorities, default=0)
    # Of the most important victims the one that runs longest decides: the later it started, the better.
    oldest = min((started(p) for p in one.victims if priority(p) == highest), default="")
    return one.violations, highest, sum(priorities), len(one.victims), [-ord(c) for c in oldest], one.node


def _victims(attempt: Attempt, state: NodeState, budgets: list[Object]) -> Candidate | None:
    lower = {k: p for k, p in state.pods.items() if priority(p) < priority(attempt.pod)}
    if not lower or not _fits(attempt, state, set(lower)):
        return None
    violating = _violating(list(lower.values()), budgets)
    gone = set(lower)
    # As many as possible are spared: those under a budget first, then by importance, then those that run longest.
    order = sorted(lower, key=lambda k: (k not in violating, -priority(lower[k]), started(lower[k])))
    for key in order:
        if _fits(attempt, state, gone - {key}):
            gone.discard(key)
    victims = sorted((lower[k] for k in gone), key=lambda p: (-priority(p), started(p)))
    return Candidate(state.name, victims, len(gone & violating)) if victims else None


def _fits(attempt: Attempt, state: NodeState, gone: set[str]) -> bool:
    changed = state.without(gone)
    states = [changed if s is state else s for s in attempt.states]
    return not Attempt(attempt.pod, states, attempt.namespaces).misfits(changed)


def _violating(pods: list[Object], budgets: list[Object]) -> set[str]:
    """The Pods that a budget cannot spare, if all of them go."""
    out: set[str] = set()
    left = {meta.key(b): int((b.get("status") or {}).get("disruptionsAllowed") or 0) for b in budgets}
    for pod in sorted(pods, key=lambda p: (-priority(p), started(p))):
        for budget in budgets:
            same = meta.namespace(budget) == meta.namespace(pod)
            if same and label_selector(budget["spec"].get("selector"))(meta.labels(pod)):
                left[meta.key(budget)] -= 1
                if left[meta.key(budget)] < 0:
                    out.add(meta.key(pod))
    return out
