"""topologySpreadConstraints: how unevenly Pods may be spread. Pure.

Upstream: pkg/scheduler/framework/plugins/podtopologyspread.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.selectors import Matcher, label_selector
from podwalk.controllers.scheduler_node import NodeState

UNEVEN = "node(s) didn't match pod topology spread constraints"
MISSING_LABEL = f"{UNEVEN} (missing required label)"
_HOSTNAME = "kubernetes.io/hostname"
# What kube-scheduler wants for the Pods of one owner where they say nothing themselves: (topology key, maxSkew).
_DEFAULTS = ((_HOSTNAME, 3), ("topology.kubernetes.io/zone", 5))
# (honours node affinity, honours taints): whether a node counts at all.
Eligible = Callable[[NodeState, bool, bool], bool]


@dataclass
class Constraint:
    """One constraint of a Pod, with the number of matching Pods in each domain."""

    topology: str
    skew: int
    matcher: Matcher
    least_domains: int = 1
    affinity: bool = True
    taints: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def lowest(self) -> int:
        """The number of Pods in the emptiest domain; 0 where there are too few domains."""
        return min(self.counts.values(), default=0) if len(self.counts) >= self.least_domains else 0


def constraints(pod: Object, action: str) -> list[Constraint]:
    """The Pod's constraints with this ``whenUnsatisfiable``."""
    out = []
    for one in pod["spec"].get("topologySpreadConstraints") or ():
        if one.get("whenUnsatisfiable") == action:
            selector = one.get("labelSelector")
            same = {k: meta.labels(pod)[k] for k in one.get("matchLabelKeys") or () if k in meta.labels(pod)}
            out.append(
                Constraint(
                    str(one.get("topologyKey")),
                    int(one.get("maxSkew") or 1),
                    _matcher(selector, same),
                    int(one.get("minDomains") or 1),
                    one.get("nodeAffinityPolicy") != "Ignore",
                    one.get("nodeTaintsPolicy") == "Honor",
                )
            )
    return out


def _matcher(selector: Object | None, same: dict[str, str]) -> Matcher:
    matches = label_selector(selector)
    return lambda labels: matches(labels) and all(labels.get(k) == v for k, v in same.items())


def count(found: list[Constraint], pod: Object, states: list[NodeState], eligible: Eligible) -> None:
    """Fill in the counts of each domain that counts, those without any Pod too."""
    topologies = [c.topology for c in found]
    for state in states:
        if any(state.label(t) is None for t in topologies):
            continue
        for one in found:
            if not eligible(state, one.affinity, one.taints):
                continue
            domain = state.label(one.topology) or ""
            one.counts[domain] += sum(
                meta.namespace(p) == meta.namespace(pod) and not meta.is_deleting(p) and one.matcher(meta.labels(p))
                for p in state.pods.values()
            )


def misfit(found: list[Constraint], pod: Object, state: NodeState) -> str | None:
    """The reason why the node is out, or None; ``found`` has its counts."""
    for one in found:
        domain = state.label(one.topology)
        if domain is None:
            return MISSING_LABEL
        own = int(one.matcher(meta.labels(pod)))
        if one.counts[domain] + own - one.lowest() > one.skew:
            return UNEVEN
    return None


def scores(pod: Object, states: list[NodeState], eligible: Eligible) -> dict[str, float]:
    """How crowded each node's domains are, by name (low is good)."""
    found = constraints(pod, "ScheduleAnyway")
    if found:
        count(found, pod, states, eligible)
    elif not pod["spec"].get("topologySpreadConstraints"):
        found = _default_counts(pod, states)
    out: dict[str, float] = {}
    for state in states:
        total = 0.0
        for one in found:
            domain = state.label(one.topology)
            if domain is not None:
                total += one.counts[domain] * math.log(len(one.counts) + 2) + one.skew - 1
        out[state.name] = total
    return out


def _default_counts(pod: Object, states: list[NodeState]) -> list[Constraint]:
    owner = str((meta.controller_of(pod) or {}).get("uid") or "")
    if not owner:
        return []
    found = []
    for topology, skew in _DEFAULTS:
        if not all(s.label(topology) is not None for s in states):
            continue
        one = Constraint(topology, skew, lambda labels: False)
        for state in states:
            one.counts[state.label(topology) or ""] += state.owners[owner]
        found.append(one)
    return found
