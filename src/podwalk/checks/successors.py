"""What the policies say about the Pods that come next: the same labels and namespace, another address or node.

A packet proves only what is so now. Whether a policy means its Pods, or the addresses that they happen to have today,
is decided by the policies themselves; so they are asked, with :mod:`podwalk.policy.evaluator`, about Pods that do not
exist.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.backends.base import Cluster
from podwalk.checks.report import Finding
from podwalk.checks.signals import NotYetError
from podwalk.checks.state import State, at_path, split_ref
from podwalk.matrix import facts
from podwalk.policy.evaluator import evaluate
from podwalk.policy.model import Connection, Endpoint, World

ALLOWED, DENIED, DEPENDS = "allowed", "denied", "allowed at some addresses only"
# Addresses at the end of a node's range, which the range's counter does not reach in a lab.
_FROM_THE_END = (2, 3)


@dataclass(frozen=True, slots=True)
class Next:
    """A Pod that might be made next: whose it is, what it looks like."""

    ref: str
    pod: Object
    namespace_labels: dict[str, str]


def port_of(target: str) -> tuple[str, int, str]:
    """``ns/pod:80``, ``ns/deploy/name:53/UDP`` or ``1.2.3.4:80`` in parts. Raises ValueError."""
    ref, colon, port = target.rpartition(":")
    number, _, protocol = port.partition("/")
    if not colon or not number.isdigit() or protocol not in ("", "TCP", "UDP", "SCTP"):
        raise ValueError(f"{target!r} is no target; write ns/pod:80 or ns/deploy/name:53/UDP")
    return ref, int(number), protocol or "TCP"


def judge(cluster: Cluster, state: State, source: str, target: str) -> str:
    """ALLOWED or DENIED where the policies say so wherever the two come to stand; DEPENDS where they differ.

    Both ends are a Pod, a Deployment (``ns/deploy/name``) or an IPv4 address. Raises NotYetError for a Pod or
    Deployment that is not there, ApiError or OSError.
    """
    ref, port, protocol = port_of(target)
    with cluster.client() as client:
        world = facts.read(client).world
    said = {
        evaluate(world, Connection(client_end, server_end, port, protocol)).allowed
        for client_end in _ends(world, state, source, 0)
        for server_end in _ends(world, state, ref, 1)
        if not (client_end.is_node and client_end.node == server_end.node)
    }
    return DEPENDS if len(said) > 1 else ALLOWED if said == {True} else DENIED


def _ends(world: World, state: State, ref: str, which: int) -> list[Endpoint]:
    return _places(world, _next(world, state, ref), which) if "/" in ref else [world.at(ref)]


def _next(world: World, state: State, ref: str) -> Next:
    namespace, name = split_ref(ref)
    owner = name.removeprefix("deploy/")
    kind = "Deployment" if owner != name else "Pod"
    found = state.find(kind, f"{namespace}/{owner}")
    if found is None:
        show = f"kubectl -n {namespace} get {kind.lower()} {owner}"
        raise NotYetError(Finding(f"{kind.lower()}/{owner} in {namespace}", "it is gone", show))
    like: Any = at_path(found, "spec.template") if kind == "Deployment" else found
    pod = {
        "kind": "Pod",
        "metadata": {"name": "next", "namespace": namespace, "labels": dict(meta.labels(like))},
        "spec": like["spec"],
    }
    return Next(ref, pod, dict(world.namespaces.get(namespace, {})))


def _places(world: World, wanted: Next, which: int) -> list[Endpoint]:
    """Where it may come to stand: on each node, at an address that nobody has."""
    ends = []
    for name, node in world.nodes.items():
        if wanted.pod["spec"].get("hostNetwork"):
            addresses = at_path(node, "status.addresses") or ()
            ends += [Endpoint(str(a["address"]), None, name) for a in addresses if a.get("type") == "InternalIP"]
            continue
        cidr = at_path(node, "spec.podCIDR")
        if cidr:
            address = str(ipaddress.ip_network(cidr)[-_FROM_THE_END[which]])
            ends.append(Endpoint(address, wanted.pod, name, wanted.namespace_labels))
    return ends
