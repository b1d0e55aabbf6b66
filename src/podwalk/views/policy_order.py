"""In which order the policies are asked about one connection, and which of them decides: a tree from live objects."""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.matrix import facts
from podwalk.policy import evaluator, tiers
from podwalk.policy.model import Connection, Decision, Direction, Endpoint, World
from podwalk.views.rule_tree import Branch, RuleTree

_TIERS = ("Admin", "NetworkPolicy", "Baseline", "Default")
_NOTES = {
    "Admin": "the cluster's administrator, first",
    "NetworkPolicy": "what the namespace says; only asked if it isolates the Pod",
    "Baseline": "the administrator again, for Pods that nobody isolates",
    "Default": "nobody has said anything: allowed",
}


def policy_order(cluster: Cluster, source: str, target: str) -> RuleTree:
    """The tree of a connection from a Pod (or ``outside``) to ``namespace/pod:port``, TCP. Raises BackendError."""
    with cluster.client() as client:
        world = facts.read(client).world
    ref, _, port = target.rpartition(":")
    try:
        ends = (world.at(_OUTSIDE) if source == "outside" else world.pod(source), world.pod(ref))
    except KeyError as error:
        raise BackendError(f"pod {error}: is not there; look: kubectl get pods -A") from error
    connection = Connection(ends[0], ends[1], int(port))
    roots = tuple(_direction(world, connection, d) for d in ("Egress", "Ingress"))
    verdict = evaluator.evaluate(world, connection)
    said = "may pass" if verdict.allowed else "is stopped"
    return RuleTree(
        f"{source} → {target} {said}", "", "kubectl get networkpolicy,clusternetworkpolicy -A -o yaml", roots
    )


_OUTSIDE = "172.18.0.1"


def _direction(world: World, connection: Connection, direction: Direction) -> Branch:
    decision = evaluator.decide(world, connection, direction)
    subject = connection.source if direction == "Egress" else connection.destination
    head = f"{'leaving' if direction == 'Egress' else 'entering'} {subject.name}"
    if decision.tier == "Exempt":
        return Branch(head, decision.rule_name, "hook", below=(_verdict(decision),))
    below: list[Branch] = []
    for tier in _TIERS:
        asked = _asked(world, subject, direction, tier)
        if tier == decision.tier:
            below.append(Branch(tier, _NOTES[tier], "map", below=(*asked, _verdict(decision))))
            break
        below.append(Branch(tier, _NOTES[tier] if asked else "nothing about it", "other", below=asked))
    return Branch(head, "", "hook", below=tuple(below))


def _asked(world: World, subject: Endpoint, direction: Direction, tier: str) -> tuple[Branch, ...]:
    """The policies of a tier that speak about this Pod."""
    if tier == "NetworkPolicy":
        mine = [p for p in world.policies if subject.pod is not None and evaluator.selects(p, subject, direction)]
        return tuple(Branch(meta.key(p), _rules(p, direction), "other") for p in mine)
    if tier == "Default":
        return ()
    policies = [p for p in world.cluster_policies if p["spec"].get("tier") == tier]
    policies = [p for p in policies if tiers.is_subject(p["spec"].get("subject") or {}, subject)]
    return tuple(
        Branch(meta.name(p), f"priority {p['spec'].get('priority')}: {_actions(p, direction)}", "other")
        for p in sorted(policies, key=lambda p: (int(p["spec"].get("priority") or 0), meta.name(p)))
    )


def _rules(policy: Object, direction: Direction) -> str:
    count = len(policy["spec"].get(direction.lower()) or ())
    return f"{count} rule{'' if count == 1 else 's'}" if count else "no rule: nothing passes"


def _actions(policy: Object, direction: Direction) -> str:
    return ", ".join(str(r.get("action")) for r in policy["spec"].get(direction.lower()) or ()) or "says nothing here"


def _verdict(decision: Decision) -> Branch:
    return Branch(str(decision), "", "leg" if decision.allowed else "end")
