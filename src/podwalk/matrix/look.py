"""Who reaches whom, by real packets with their controls, beside what the policies say.

Every destination is also called from its own node, which no policy forbids: what does not answer there proves nothing
elsewhere. Every source also calls its own node: one that cannot even do that is not blocked but broken. Silence that
no policy explains is asked again with more patience before it is believed.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from podwalk.api import meta
from podwalk.backends.base import BackendError, Cluster
from podwalk.matrix import asking, facts
from podwalk.matrix.asking import OUTSIDE, Answers, Place, Questions, Target
from podwalk.matrix.facts import Facts
from podwalk.matrix.model import Cell, Matrix, Outcome, Port
from podwalk.policy.evaluator import evaluate
from podwalk.policy.model import Connection, Endpoint, Verdict

_KUBELET = Port(10250)
_PATIENCE = 1.5
_MOST_CELLS = 20_000
_OUTSIDE_IP = "172.18.0.1"


@dataclass(slots=True)
class _Plan:
    """What is to be asked: the places, and of each destination its address and ports."""

    facts: Facts
    sources: list[Place]
    targets: list[tuple[Place, list[Port]]]
    notes: list[str] = field(default_factory=list)


def look(
    cluster: Cluster,
    *,
    namespaces: Collection[str] = (),
    pods: Collection[str] = (),
    ports: Sequence[Port] = (),
    outside: bool = False,
) -> Matrix:
    """The matrix of these namespaces' Pods (or only of ``pods``, as ``namespace/name``).

    Without ``ports`` each Pod is asked at the ports that it declares, or else at those on which it listens. Raises
    BackendError where there is nothing to ask or the cluster cannot be asked.
    """
    began = time.monotonic()
    with cluster.client() as client:
        known = facts.read(client, namespaces)
    plan = _plan(cluster, known, namespaces, pods, ports, outside)
    answers = asking.ask(cluster, _questions(plan))
    verdicts = {
        (s.name, t.name, port): _expected(known, s, t, port)
        for s in plan.sources
        for t, its in plan.targets
        for port in its
    }
    _ask_again(cluster, plan, answers, verdicts)
    cells = _cells(plan, answers, verdicts)
    count = len(known.world.policies) + len(known.world.cluster_policies)
    return Matrix(
        tuple(p.name for p in plan.sources),
        tuple(p.name for p, _ in plan.targets),
        tuple(cells),
        time.monotonic() - began,
        count,
        tuple(plan.notes),
    )


def _plan(
    cluster: Cluster,
    known: Facts,
    namespaces: Collection[str],
    pods: Collection[str],
    ports: Sequence[Port],
    outside: bool,
) -> _Plan:
    places, notes = known.asked(namespaces, pods)
    if not places:
        where = ", ".join(namespaces) or "the cluster's own namespaces"
        raise BackendError(f"no running Pod in {where}; kubectl get pods -A shows what there is")
    targets = _with_ports(cluster, known, places, ports)
    sources = list(places)
    if outside:
        beyond = Place(OUTSIDE, OUTSIDE, "", _OUTSIDE_IP)
        sources.append(beyond)
        # The world's own ports are nobody's business here; one is enough to see whether packets arrive.
        targets.append((beyond, list(ports) or [Port(80)]))
    cells = len(sources) * sum(len(its) for _, its in targets)
    if cells > _MOST_CELLS:
        raise BackendError(f"{cells} questions are too many; name namespaces with -n, or fewer ports with --ports")
    return _Plan(known, sources, targets, notes)


def _with_ports(
    cluster: Cluster, known: Facts, places: Sequence[Place], ports: Sequence[Port]
) -> list[tuple[Place, list[Port]]]:
    if ports:
        return [(p, list(ports)) for p in places]
    objects = {meta.key(pod): pod for pod in known.pods}
    declared = {p: [Port(n, proto) for n, proto in facts.declared_ports(objects[p.name])] for p in places}
    silent = [p for p in places if not declared[p] and p.pod]
    found = asking.discover(cluster, silent) if silent else {}
    return [(p, list(dict.fromkeys(declared[p] or found.get(p.name, []) or [Port(80)]))) for p in places]


def _questions(plan: _Plan) -> Questions:
    """Everything, controls included; nobody asks itself."""
    out = Questions()
    node_ips = {name: _internal_ip(plan.facts, name) for name in plan.facts.world.nodes}
    for source in plan.sources:
        wanted = [Target(t.ip, port) for t, ports in plan.targets if t.name != source.name for port in ports]
        home = node_ips.get(source.node) or next(iter(node_ips.values()), "")
        out.ask.setdefault(source, []).extend([*wanted, Target(home, _KUBELET)] if home else wanted)
    for target, ports in plan.targets:
        control = Place(f"node/{target.node}", target.node)
        out.ask.setdefault(control, []).extend(Target(target.ip, port) for port in ports)
        out.answer += [(target, port) for port in ports if port.protocol != "TCP"]
    return out


def _internal_ip(known: Facts, node: str) -> str:
    addresses = (known.world.nodes[node].get("status") or {}).get("addresses") or ()
    return next((str(a["address"]) for a in addresses if a.get("type") == "InternalIP"), "")


def _expected(known: Facts, source: Place, target: Place, port: Port) -> Verdict | None:
    """What the policies say; None where it depends on the address that a node's packets carry."""
    destination = _endpoint(known, target)
    verdicts = [
        evaluate(known.world, Connection(s, destination, port.number, port.protocol)) for s in _faces(known, source)
    ]
    return verdicts[0] if len({v.allowed for v in verdicts}) == 1 else None


def _endpoint(known: Facts, place: Place) -> Endpoint:
    return known.world.pod(place.name) if place.name != OUTSIDE else Endpoint(place.ip)


def _faces(known: Facts, source: Place) -> list[Endpoint]:
    """The addresses under which a source may be seen: a node's are its own, or its tunnel's."""
    first = _endpoint(known, source)
    cidr = (known.world.nodes.get(source.node, {}).get("spec") or {}).get("podCIDR")
    if not first.is_node or not cidr:
        return [first]
    tunnel = ipaddress.ip_network(cidr).network_address
    return [first, Endpoint(str(tunnel), None, first.node)]


_Verdicts = dict[tuple[str, str, Port], Verdict | None]


def _ask_again(cluster: Cluster, plan: _Plan, answers: Answers, verdicts: _Verdicts) -> None:
    """Silence that no policy explains, and controls that were silent, once more."""
    again = Questions()
    for source in plan.sources:
        for target, ports in plan.targets:
            for port in ports:
                verdict = verdicts[source.name, target.name, port]
                at = Target(target.ip, port)
                if answers[source].get(at) == "dropped" and (verdict is None or verdict.allowed):
                    again.ask.setdefault(source, []).append(at)
    for place, said in answers.items():
        controls = [t for t, o in said.items() if o == "dropped" and (t.port == _KUBELET or not place.pod)]
        if place.name != OUTSIDE and controls:
            asked = again.ask.setdefault(place, [])
            asked += [t for t in controls if t not in asked]
    if not again.ask:
        return
    wanted = {t for asked in again.ask.values() for t in asked}
    again.answer = [
        (t, port)
        for t, ports in plan.targets
        for port in ports
        if port.protocol != "TCP" and Target(t.ip, port) in wanted
    ]
    for place, said in asking.ask(cluster, again, _PATIENCE).items():
        answers[place].update(said)


def _cells(plan: _Plan, answers: Answers, verdicts: _Verdicts) -> list[Cell]:
    cells = []
    for source in plan.sources:
        heard = any(o in ("connected", "refused") for o in answers[source].values())
        for target, ports in plan.targets:
            if target.name == source.name:
                continue
            control = answers[Place(f"node/{target.node}", target.node)]
            for port in ports:
                at = Target(target.ip, port)
                outcome, note = _outcome(answers[source][at], control[at], heard)
                verdict = verdicts[source.name, target.name, port]
                expected = verdict.allowed if verdict else None
                why = str(verdict) if verdict else "Kubernetes leaves open what a node's own packets are to policies"
                cells.append(Cell(source.name, target.name, port, outcome, expected, why, note))
    return cells


def _outcome(seen: str, control: str, heard: bool) -> tuple[Outcome, str]:
    """One word for the prober's, in the light of the controls."""
    if seen == "connected":
        return "allowed", ""
    if seen == "refused":
        return "refused", "delivered, and nobody listens there"
    if seen == "no-route":
        return "could not tell", "the source has no route to that address"
    if seen != "dropped":
        return "could not tell", seen
    if control not in ("connected", "refused"):
        return "could not tell", f"its own node does not reach it either ({control})"
    if not heard:
        return "could not tell", "the source reaches nobody at all, not even its own node"
    return "dropped", ""
