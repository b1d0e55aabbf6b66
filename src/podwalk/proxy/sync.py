"""kube-proxy of one node: watches Services and EndpointSlices and keeps the node's rules equal to them.

Runs on the node agent's event loop, inside the node's network namespace. Stands in for cmd/kube-proxy with
pkg/proxy/iptables/proxier.go or pkg/proxy/nftables/proxier.go; differs in that a change is written at once instead of
at most once a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.netns import command, guard
from podwalk.netns.reaper import Reaper
from podwalk.proxy import conntrack, model
from podwalk.proxy.health import HealthServers
from podwalk.proxy.libnftables import Libnftables
from podwalk.proxy.writers import (
    Completed,
    IptablesWriter,
    NftablesWriter,
    RestoreError,
    RuleWriter,
    Runner,
    nft_by_command,
    nft_by_library,
)

log = logging.getLogger(__name__)

_ROUTE_LOCALNET = Path("/proc/sys/net/ipv4/conf/all/route_localnet")
# Changes that come this soon after a sync are written together by the next one.
_COALESCE_SECONDS = 0.005
_FIRST_RETRY = 0.1
_LAST_RETRY = 10.0
# kube-proxy's iptables.syncPeriod: how often it looks whether somebody flushed the tables under it.
_CANARY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Sources:
    """The caches the rules are made from."""

    services: Informer
    slices: Informer
    nodes: Informer


class Proxier:
    """Keeps rules and connection tracking level with Service ports.

    ``run_command`` runs a program in the node's namespaces; ``writer`` is the mode, iptables if not told otherwise.
    """

    def __init__(
        self, run_command: Runner, node: model.Node, cluster_cidr: str, writer: RuleWriter | None = None
    ) -> None:
        self._run = run_command
        self.node = node
        self._writer = writer or IptablesWriter(run_command, cluster_cidr)
        self._ports: list[model.ServicePort] = []

    @property
    def ports(self) -> list[model.ServicePort]:
        """What the last sync wrote."""
        return self._ports

    def forget(self) -> None:
        """Make the next sync look at the kernel and write everything."""
        self._writer.forget()

    async def sync(self, ports: list[model.ServicePort]) -> None:
        """Bring the kernel's rules to these Service ports.

        Raises RestoreError or OSError; the next sync then looks at the kernel and writes everything.
        """
        await self._writer.write(ports, self.node)
        before, self._ports = self._ports, ports
        for argv in conntrack.stale_flows(before, ports):
            await self._run(argv, None)

    async def canary_is_there(self) -> bool:
        """Whether nobody deleted kube-proxy's chains."""
        return await self._writer.intact()


async def run(
    client: Client,
    *,
    node_name: str,
    node_ip: str,
    cluster_cidr: str = "10.244.0.0/16",
    service_cidr: str = "10.96.0.0/16",
    mode: str = "iptables",
    reaper: Reaper,
    on_synced: Callable[[], None] | None = None,
) -> None:
    """Be the kube-proxy of a node, for ever. Cancel to stop; the rules stay, as they do when kube-proxy ends.

    ``mode`` is iptables or nftables. ``on_synced`` is called once, when the rules of all Services known at the start
    are in place.
    """
    guard.refuse_host()
    if mode == "iptables":
        # Node ports on 127.0.0.1, which nftables mode does not have.
        _ROUTE_LOCALNET.write_text("1")

    async def run_command(argv: Sequence[str], stdin: bytes | None) -> Completed:
        return await command.run(reaper, list(argv), stdin=stdin)

    sources = Sources(
        Informer(client, "Service"),
        Informer(client, "EndpointSlice"),
        Informer(client, "Node", field_selector=f"metadata.name={node_name}"),
    )
    writer = _nftables(run_command, cluster_cidr, service_cidr) if mode == "nftables" else None
    proxier = Proxier(run_command, model.Node(node_name, node_ip), cluster_cidr, writer)
    async with asyncio.TaskGroup() as group:
        for informer in (sources.services, sources.slices, sources.nodes):
            group.create_task(informer.run(), name=f"kube-proxy {informer.resource.plural}")
        health = HealthServers(mode=mode)
        await health.start()
        try:
            await keep_synced(proxier, sources, on_synced, health)
        finally:
            health.close()


def _nftables(run_command: Runner, cluster_cidr: str, service_cidr: str) -> NftablesWriter:
    try:
        nft = nft_by_library(Libnftables().run)
    except OSError as error:
        log.info("no libnftables (%s): every change starts the program nft", error)
        nft = nft_by_command(run_command)
    return NftablesWriter(nft, cluster_cidr, service_cidr)


async def keep_synced(
    proxier: Proxier,
    sources: Sources,
    on_synced: Callable[[], None] | None = None,
    health: HealthServers | None = None,
) -> None:
    """Sync now and after every change, for ever; a failure is logged and retried with back-off."""
    changed = asyncio.Event()

    def node_changed(old: Object | None, new: Object | None) -> None:
        # A node's status changes every few seconds; only its labels tell where it is.
        if not (old and new) or meta.labels(old) != meta.labels(new):
            changed.set()

    sources.services.on_change(lambda old, new: changed.set())
    sources.slices.on_change(lambda old, new: changed.set())
    sources.nodes.on_change(node_changed)
    for informer in (sources.services, sources.slices, sources.nodes):
        await informer.synced.wait()
    changed.set()
    known = model.ServicePorts()
    retry = _FIRST_RETRY
    while True:
        try:
            await asyncio.wait_for(changed.wait(), _CANARY_SECONDS)
        except TimeoutError:
            if await proxier.canary_is_there():
                continue
            log.warning("kube-proxy's chains were deleted, writing all of them again")
            proxier.forget()
        changed.clear()
        began = asyncio.get_running_loop().time()
        try:
            proxier.node = _with_zone(proxier.node, sources.nodes)
            await proxier.sync(known.of(sources.services.all(), sources.slices.all(), proxier.node))
        except (RestoreError, OSError) as error:
            log.error("syncing the Services' rules failed, retrying in %.1fs: %s", retry, error)
            await asyncio.sleep(retry)
            retry = min(retry * 2, _LAST_RETRY)
            changed.set()
            continue
        retry = _FIRST_RETRY
        if health is not None:
            await health.update(proxier.ports, asyncio.get_running_loop().time() - began)
        if on_synced is not None:
            on_synced()
            on_synced = None
        await asyncio.sleep(_COALESCE_SECONDS)


def _with_zone(node: model.Node, nodes: Informer) -> model.Node:
    obj = nodes.get(node.name)
    zone = meta.labels(obj).get(model.LABEL_ZONE, "") if obj else ""
    return model.Node(node.name, node.ip, zone)
