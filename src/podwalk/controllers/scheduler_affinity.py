"""Affinity and anti-affinity between Pods: who may be where, and who would rather be. Pure.

Upstream: pkg/scheduler/framework/plugins/interpodaffinity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.selectors import Labels, Matcher, label_selector
from podwalk.controllers.scheduler_node import NodeState, affinity_of

REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules"
# Labels of namespaces by name, for namespaceSelector.
Namespaces = Mapping[str, Labels]
# (topology key, value of that label)
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Term:
    """One PodAffinityTerm of a Pod, ready to be asked."""

    topology: str
    matcher: Matcher
    namespaces: frozenset[str]
    weight: int = 1

    def matches(self, pod: Object) -> bool:
        """Whether the term is about this Pod."""
        return meta.namespace(pod) in self.namespaces and self.matcher(meta.labels(pod))


def _term(term: Object, owner: Object, namespaces: Namespaces, weight: int = 1) -> Term:
    named = set(term.get("namespaces") or ())
    selector = term.get("namespaceSelector")
    if selector is not None:
        matches = label_selector(selector)
        named |= {name for name, labels in namespaces.items() if matches(labels)}
    elif not named:
        named = {meta.namespace(owner)}
    matcher = label_selector(term.get("labelSelector"))
    return Term(str(term.get("topologyKey") or ""), matcher, frozenset(named), weight)


def required(pod: Object, kind: str, namespaces: Namespaces) -> list[Term]:
    """The terms that must hold; ``kind`` is podAffinity or podAntiAffinity."""
    return [_term(t, pod, namespaces) for t in affinity_of(pod, kind).get(REQUIRED) or ()]


def preferred(pod: Object, kind: str, namespaces: Namespaces) -> list[Term]:
    """The terms that should hold, with their weights."""
    found = affinity_of(pod, kind).get(PREFERRED) or ()
    return [_term(t.get("podAffinityTerm") or {}, pod, namespaces, int(t.get("weight") or 0)) for t in found]


class AffinityFilter:
    """What the Pods that run already mean for a new one."""

    def __init__(self, pod: Object, states: Iterable[NodeState], namespaces: Namespaces) -> None:
        self.near = required(pod, "podAffinity", namespaces)
        self.apart = required(pod, "podAntiAffinity", namespaces)
        # Pairs in which Pods matching all of the near terms run, one of the apart terms, or one that wants us away.
        self.wanted: set[Pair] = set()
        self.avoided: set[Pair] = set()
        self.refused: set[Pair] = set()
        self.matches_itself = bool(self.near) and all(t.matches(pod) for t in self.near)
        for state in states:
            self._look(pod, state, namespaces)

    def _look(self, pod: Object, state: NodeState, namespaces: Namespaces) -> None:
        for other in state.pods.values() if self.near or self.apart else ():
            if self.near and all(t.matches(other) for t in self.near):
                self.wanted.update(_pairs(self.near, state))
            self.avoided.update(_pairs([t for t in self.apart if t.matches(other)], state))
        for other in state.opinionated.values():
            terms = required(other, "podAntiAffinity", namespaces)
            self.refused.update(_pairs([t for t in terms if t.matches(pod)], state))

    def misfit(self, state: NodeState) -> str | None:
        """The reason why the node is out, or None."""
        if not self._is_near(state):
            return AFFINITY
        if any(_pair(t.topology, state) in self.avoided for t in self.apart):
            return ANTI_AFFINITY
        if any(state.label(key) == value for key, value in self.refused):
            return EXISTING
        return None

    def _is_near(self, state: NodeState) -> bool:
        if any(state.label(t.topology) is None for t in self.near):
            return False
        if all(_pair(t.topology, state) in self.wanted for t in self.near):
            return True
        # The first of a group that wants to be together may be anywhere.
        return not self.wanted and self.matches_itself


def _pair(topology: str, state: NodeState) -> Pair:
    return topology, state.label(topology) or ""


def _pairs(terms: Iterable[Term], state: NodeState) -> list[Pair]:
    return [_pair(t.topology, state) for t in terms if state.label(t.topology) is not None]


def scores(pod: Object, states: list[NodeState], namespaces: Namespaces) -> dict[str, float]:
    """How much each node is wished for, by name: the sum of the weights of all wishes that it meets."""
    wishes = [(t, t.weight) for t in preferred(pod, "podAffinity", namespaces)]
    wishes += [(t, -t.weight) for t in preferred(pod, "podAntiAffinity", namespaces)]
    pairs: Counter[Pair] = Counter()
    for state in states:
        for other in state.pods.values() if wishes else ():
            for term, weight in wishes:
                if term.matches(other):
                    pairs.update(dict.fromkeys(_pairs([term], state), weight))
        for other in state.opinionated.values():
            theirs = [(t, t.weight) for t in preferred(other, "podAffinity", namespaces)]
            theirs += [(t, -t.weight) for t in preferred(other, "podAntiAffinity", namespaces)]
            theirs += [(t, 1) for t in required(other, "podAffinity", namespaces)]
            for term, weight in theirs:
                if term.matches(pod):
                    pairs.update(dict.fromkeys(_pairs([term], state), weight))
    return {s.name: sum(w for (key, value), w in pairs.items() if s.label(key) == value) for s in states}
