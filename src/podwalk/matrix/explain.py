"""One connection explained: what the policies say, what a real packet did, which counters of which node it moved."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from podwalk.api import meta
from podwalk.backends.base import BackendError, Cluster, NoNodesError
from podwalk.client.sync import SyncClient
from podwalk.matrix import asking, facts
from podwalk.matrix.asking import OUTSIDE, Place, Questions, Target
from podwalk.matrix.facts import Facts
from podwalk.matrix.model import Port, parse_ports
from podwalk.policy import counters
from podwalk.policy.counters import Count
from podwalk.policy.evaluator import evaluate
from podwalk.policy.model import Connection, Endpoint, Verdict, pod_ips

_PATIENCE = 1.0
_OUTSIDE_IP = "172.18.0.1"
NOT_SENT = "not-sent"


@dataclass(frozen=True, slots=True)
class Leg:
    """The verdict on one possible destination: a Service has as many as it has endpoints."""

    target: str
    port: Port
    verdict: Verdict
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of it. ``moved`` are the counters by node; ``agrees`` is None where the packet told nothing.

    ``outcome`` is what the packet met, or NOT_SENT where the nodes are somebody else's.
    """

    source: str
    asked: str
    legs: tuple[Leg, ...]
    outcome: str
    moved: dict[str, list[Count]]

    @property
    def agrees(self) -> bool | None:
        """Whether the packet did what the policies say."""
        allowed = {leg.verdict.allowed for leg in self.legs}
        if self.outcome not in ("connected", "refused", "dropped"):
            return None
        if self.outcome == "dropped" and "UDP" in self.asked.upper() and True in allowed:
            return None  # whoever listens there may not care for what we say
        return len(allowed) > 1 or (self.outcome != "dropped") in allowed


def explain(cluster: Cluster, source: str, target: str) -> Explanation:
    """Explain a connection and send one packet of it.

    ``source`` is namespace/pod, "outside" or an address; ``target`` is namespace/pod:80, svc/namespace/name:80 or
    10.0.0.1:53/UDP. Raises BackendError for what does not exist or cannot be asked.
    """
    with cluster.client() as client:
        known = facts.read(client)
        name, port = _split(target)
        address, ends = _destination(client, known, name, port)
    start = _source(known, source)
    origin = known.world.at(start.ip) if not start.pod and start.name != OUTSIDE else _origin(known, start)
    legs = [
        Leg(end.name, its, evaluate(known.world, Connection(origin, end, its.number, its.protocol)))
        for end, its in ends
    ]
    try:
        outcome, moved = _tried(cluster, known, start, Target(address, port))
    except NoNodesError:
        outcome, moved = NOT_SENT, {}
    return Explanation(source, target, tuple(legs), outcome, moved)


def _tried(cluster: Cluster, known: Facts, start: Place, target: Target) -> tuple[str, dict[str, list[Count]]]:
    """What became of one packet, and the counters that it moved, by node."""
    nodes = [n.name for n in cluster.status().nodes if n.alive]
    before = _counts(cluster, nodes)
    outcome = _packet(cluster, known, start, target)
    after = _counts(cluster, nodes)
    moved = {n: counters.moved(before[n], after[n]) for n in nodes}
    return outcome, {n: c for n, c in moved.items() if c}


def _split(target: str) -> tuple[str, Port]:
    name, colon, port = target.rpartition(":")
    if not colon:
        raise BackendError(f"{target}: names no port; write namespace/pod:80 or 10.0.0.1:53/UDP")
    try:
        return name, parse_ports([port])[0]
    except ValueError as error:
        raise BackendError(f"{target}: {error}") from None


def _source(known: Facts, name: str) -> Place:
    if name == OUTSIDE:
        return Place(OUTSIDE, OUTSIDE, "", _OUTSIDE_IP)
    if "/" in name:
        pod = known.world.pods.get(name)
        if pod is None:
            raise BackendError(f"pod {name} not found; kubectl get pods -A lists them")
        if not pod_ips(pod):
            raise BackendError(f"pod {name} has no address yet; kubectl -n {meta.namespace(pod)} get pods shows why")
        return facts.place_of(pod)
    end = _address(known, name)
    if end.pod is not None:
        return facts.place_of(end.pod)
    if end.node:
        return Place(end.name, end.node, "", end.ip)
    raise BackendError(f"{name}: is neither a Pod nor a node; write namespace/pod, outside, or a node's address")


def _origin(known: Facts, place: Place) -> Endpoint:
    return Endpoint(place.ip) if place.name == OUTSIDE else known.world.pod(place.name)


def _address(known: Facts, name: str) -> Endpoint:
    try:
        return known.world.at(str(ipaddress.IPv4Address(name)))
    except ValueError:
        raise BackendError(f"{name}: is no IPv4 address; write namespace/pod, svc/namespace/name or 10.0.0.1") from None


def _destination(client: SyncClient, known: Facts, name: str, port: Port) -> tuple[str, list[tuple[Endpoint, Port]]]:
    """The address to call, and the ends that the packet may arrive at (after a Service has been translated)."""
    if name.startswith("svc/"):
        return _service(client, known, name, port)
    if "/" not in name:
        end = _address(known, name)
        return end.ip, [(end, port)]
    if name not in known.world.pods:
        raise BackendError(f"pod {name} not found; for a Service write svc/{name}:{port}")
    try:
        end = known.world.pod(name)
    except KeyError as error:
        raise BackendError(f"{error.args[0]}; kubectl get pods -A shows its state") from None
    return end.ip, [(end, port)]


def _service(client: SyncClient, known: Facts, name: str, port: Port) -> tuple[str, list[tuple[Endpoint, Port]]]:
    namespace, _, service_name = name.removeprefix("svc/").partition("/")
    service = client.find("Service", service_name, namespace)
    if service is None:
        raise BackendError(f"service {namespace}/{service_name} not found; kubectl get services -A lists them")
    served = [
        p
        for p in service["spec"].get("ports") or ()
        if (p["port"], p.get("protocol") or "TCP") == (port.number, port.protocol)
    ]
    if not served or service["spec"].get("clusterIP") in (None, "", "None"):
        raise BackendError(f"service {namespace}/{service_name} has no cluster address with port {port}")
    selector = f"kubernetes.io/service-name={service_name}"
    ends = []
    for endpoint_slice in client.list("EndpointSlice", namespace, label_selector=selector):
        numbers = [
            p.get("port")
            for p in endpoint_slice.get("ports") or ()
            if (p.get("name") or "") == (served[0].get("name") or "")
        ]
        for endpoint in endpoint_slice.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready", True):
                ends += [
                    (known.world.at(a), Port(n, port.protocol)) for a in endpoint["addresses"] for n in numbers if n
                ]
    if not ends:
        raise BackendError(f"service {namespace}/{service_name} has no ready endpoint, so no policy is ever asked")
    return str(service["spec"]["clusterIP"]), ends


def _counts(cluster: Cluster, nodes: Sequence[str]) -> dict[str, dict[str, int]]:
    with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
        done = pool.map(lambda n: cluster.node(n, list(counters.LIST), timeout=15), nodes)
        return {n: counters.parse(d.stdout) for n, d in zip(nodes, done, strict=True)}


def _packet(cluster: Cluster, known: Facts, source: Place, target: Target) -> str:
    """What became of one real connection."""
    questions = Questions({source: [target]})
    end = known.world.at(target.ip)
    if target.port.protocol != "TCP" and end.pod is not None:
        questions.answer = [(facts.place_of(end.pod), target.port)]
    return asking.ask(cluster, questions, _PATIENCE)[source][target]
