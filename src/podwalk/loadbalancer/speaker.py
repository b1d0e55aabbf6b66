"""One node's speaker: decides which load balancer addresses this node answers for, and answers.

Upstream: go.universe.tf/metallb speaker/ (main.go, layer2_controller.go). Every speaker computes the same choice from
the same objects, so that none has to ask another.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.events import EventRecorder
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.loadbalancer import services
from podwalk.loadbalancer.arp import Responder
from podwalk.loadbalancer.members import Members
from podwalk.loadbalancer.pool import Pool
from podwalk.netns import guard
from podwalk.netns.netlink import Netlink

log = logging.getLogger(__name__)

LABEL_EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
_COALESCE_SECONDS = 0.005


def candidates(service: Object, slices: Iterable[Object], nodes: Iterable[Object], alive: set[str]) -> set[str]:
    """The nodes that may answer for a Service's addresses.

    With externalTrafficPolicy Local only those with an endpoint; without any endpoint nobody answers at all.
    """
    serving = services.serving_nodes(slices)
    if not serving:
        return set()
    able = {meta.name(n) for n in nodes if _available(n)} & alive
    if (service.get("spec") or {}).get("externalTrafficPolicy") == "Local":
        return able & serving
    return able


def elected(address: str, nodes: set[str]) -> str | None:
    """The one that answers: the first in the order of a hash, which differs from address to address."""
    return min(nodes, key=lambda node: hashlib.sha256(f"{node}#{address}".encode()).digest(), default=None)


def _available(node: Object) -> bool:
    if LABEL_EXCLUDE in meta.labels(node):
        return False
    conditions = {c.get("type"): c.get("status") for c in (node.get("status") or {}).get("conditions") or ()}
    return conditions.get("NetworkUnavailable") != "True"


@dataclass(frozen=True, slots=True)
class Sources:
    """The caches that the choice is made from."""

    services: Informer
    slices: Informer
    nodes: Informer


class Speaker:
    """Keeps a responder level with the Services. ``changed`` is set whenever something may have to be decided anew."""

    def __init__(self, name: str, sources: Sources, responder: Responder, recorder: EventRecorder, pool: Pool) -> None:
        self._name, self._sources = name, sources
        self._responder, self._recorder, self._pool = responder, recorder, pool
        self._announced: dict[str, set[str]] = {}
        self.changed = asyncio.Event()

    def decide(self, alive: set[str]) -> None:
        """Announce what is this node's to announce, nothing else."""
        ours = [s for s in self._sources.services.all() if services.is_ours(s)]
        slices = services.slices_by_service(self._sources.slices.all()) if ours else {}
        nodes = list(self._sources.nodes.all())
        mine: dict[str, set[str]] = {}
        for service in ours:
            key = meta.key(service)
            may = candidates(service, slices.get(key, ()), nodes, alive)
            taken = {a for a in services.addresses(service) if a in self._pool and elected(a, may) == self._name}
            if taken:
                mine[key] = taken
            if taken - self._announced.get(key, set()):
                self._tell(service)
        self._announced = mine
        self._responder.announce(set().union(*mine.values()))

    def _tell(self, service: Object) -> None:
        about = {"apiVersion": "v1", "kind": "Service", **service}
        message = f'announcing from node "{self._name}" with protocol "layer2"'
        self._recorder.event(about, "Normal", "nodeAssigned", message)


async def run(
    client: Client, *, node_name: str, node_ip: str, interface: str = "eth0", pool: Pool | None = None
) -> None:
    """Be the speaker of a node, for ever. Cancel to stop; the node then answers for nothing any more."""
    guard.refuse_host()
    with Netlink() as netlink:
        link = netlink.link(interface)
    if link is None:
        raise OSError(f"the node has no interface {interface} to announce addresses on")
    sources = Sources(*(Informer(client, kind) for kind in ("Service", "EndpointSlice", "Node")))
    recorder = EventRecorder(client, "metallb-speaker", node_name)
    responder = Responder(interface, link.mac)
    speaker = Speaker(node_name, sources, responder, recorder, pool or Pool())
    members = Members(node_name, node_ip, speaker.changed.set)
    try:
        async with asyncio.TaskGroup() as group:
            for informer in (sources.services, sources.slices, sources.nodes):
                group.create_task(informer.run(), name=f"speaker {informer.resource.plural}")
                await informer.synced.wait()
                informer.on_change(lambda old, new: speaker.changed.set())
            group.create_task(members.run(), name="speaker members")
            await _decide_again_and_again(speaker, members, sources.nodes, node_ip)
    finally:
        responder.close()
        await recorder.close()


async def _decide_again_and_again(speaker: Speaker, members: Members, nodes: Informer, node_ip: str) -> None:
    while True:
        await speaker.changed.wait()
        speaker.changed.clear()
        members.set_peers(_addresses(nodes.all()) - {node_ip})
        speaker.decide(members.alive())
        await asyncio.sleep(_COALESCE_SECONDS)


def _addresses(nodes: Iterable[Object]) -> set[str]:
    found = set()
    for node in nodes:
        for address in (node.get("status") or {}).get("addresses") or ():
            if address.get("type") == "InternalIP":
                found.add(address["address"])
    return found
