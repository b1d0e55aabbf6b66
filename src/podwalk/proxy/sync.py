"""kube-proxy of one node: watches Services and EndpointSlices and keeps the node's iptables rules equal to them.

Runs on the node agent's event loop, inside the node's network namespace. Stands in for cmd/kube-proxy with
pkg/proxy/iptables/proxier.go; differs in that a change is written at once instead of at most once a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.netns import command, guard
from podwalk.netns.reaper import Reaper
from podwalk.proxy import conntrack, model, names, render, restore
from podwalk.proxy.health import HealthServers

log = logging.getLogger(__name__)

_ROUTE_LOCALNET = Path("/proc/sys/net/ipv4/conf/all/route_localnet")
# Changes that come this soon after a sync are written together by the next one.
_COALESCE_SECONDS = 0.005
_FIRST_RETRY = 0.1
_LAST_RETRY = 10.0
# kube-proxy's iptables.syncPeriod: how often it looks whether somebody flushed the tables under it.
_CANARY_SECONDS = 30.0
_XTABLES_LOCK_SECONDS = "5"


class Completed(Protocol):
    """What running a command gives."""

    @property
    def returncode(self) -> int:
        """The exit status."""

    @property
    def stdout(self) -> bytes:
        """Standard output."""

    @property
    def stderr(self) -> bytes:
        """Standard error."""


Runner = Callable[[Sequence[str], bytes | None], Awaitable[Completed]]


class RestoreError(Exception):
    """iptables refused; the message names the line that it refused."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The caches the rules are made from."""

    services: Informer
    slices: Informer
    nodes: Informer


class Proxier:
    """Writes the rules. ``run_command`` runs a program in the node's namespaces."""

    def __init__(self, run_command: Runner, node: model.Node, cluster_cidr: str) -> None:
        self._run = run_command
        self.node = node
        self._cluster_cidr = cluster_cidr
        self._ports: list[model.ServicePort] = []
        self._applied: render.Ruleset | None = None

    @property
    def ports(self) -> list[model.ServicePort]:
        """What the last sync wrote."""
        return self._ports

    def forget(self) -> None:
        """Make the next sync look at the kernel and write everything."""
        self._applied = None

    async def sync(self, ports: list[model.ServicePort]) -> None:
        """Bring the kernel's rules to these Service ports.

        Raises RestoreError or OSError; the next sync then looks at the kernel and writes everything.
        """
        wanted = render.render(ports, self.node, self._cluster_cidr)
        applied, existing = self._applied, None
        self._applied = None
        if applied is None:
            existing = restore.parse_save((await self._checked(["iptables-save"], None)).decode())
            await self._restore(restore.base(existing))
        await self._restore(restore.changes(applied, wanted, existing))
        self._applied = wanted
        before, self._ports = self._ports, ports
        for argv in conntrack.stale_flows(before, ports):
            await self._run(argv, None)

    async def canary_is_there(self) -> bool:
        """Whether the tables still hold the empty chain that tells that nobody deleted kube-proxy's chains."""
        for table in ("mangle", "filter", "nat"):
            argv = ["iptables", "-w", _XTABLES_LOCK_SECONDS, "-t", table, "-S", names.CANARY]
            if (await self._run(argv, None)).returncode != 0:
                return False
        return True

    async def _restore(self, text: str) -> None:
        if text:
            argv = ["iptables-restore", "-w", _XTABLES_LOCK_SECONDS, "--noflush"]
            await self._checked(argv, text.encode())

    async def _checked(self, argv: Sequence[str], stdin: bytes | None) -> bytes:
        done = await self._run(argv, stdin)
        if done.returncode != 0:
            message = done.stderr.decode(errors="replace").strip()
            line = restore.failing_line(message, (stdin or b"").decode())
            raise RestoreError(f"{argv[0]}: {message}" + (f": {line!r}" if line else ""))
        return done.stdout


async def run(
    client: Client,
    *,
    node_name: str,
    node_ip: str,
    cluster_cidr: str = "10.244.0.0/16",
    reaper: Reaper,
    on_synced: Callable[[], None] | None = None,
) -> None:
    """Be the kube-proxy of a node, for ever. Cancel to stop; the rules stay, as they do when kube-proxy ends.

    ``on_synced`` is called once, when the rules of all Services known at the start are in place.
    """
    guard.refuse_host()
    _ROUTE_LOCALNET.write_text("1")

    async def run_command(argv: Sequence[str], stdin: bytes | None) -> Completed:
        return await command.run(reaper, list(argv), stdin=stdin)

    sources = Sources(
        Informer(client, "Service"),
        Informer(client, "EndpointSlice"),
        Informer(client, "Node", field_selector=f"metadata.name={node_name}"),
    )
    proxier = Proxier(run_command, model.Node(node_name, node_ip), cluster_cidr)
    async with asyncio.TaskGroup() as group:
        for informer in (sources.services, sources.slices, sources.nodes):
            group.create_task(informer.run(), name=f"kube-proxy {informer.resource.plural}")
        health = HealthServers()
        await health.start()
        try:
            await keep_synced(proxier, sources, on_synced, health)
        finally:
            health.close()


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
    retry = _FIRST_RETRY
    while True:
        try:
            await asyncio.wait_for(changed.wait(), _CANARY_SECONDS)
        except TimeoutError:
            if await proxier.canary_is_there():
                continue
            log.warning("iptables chains were deleted, writing all of them again")
            proxier.forget()
        changed.clear()
        try:
            proxier.node = _with_zone(proxier.node, sources.nodes)
            await proxier.sync(model.service_ports(sources.services.all(), sources.slices.all(), proxier.node))
        except (RestoreError, OSError) as error:
            log.error("syncing the Services' rules failed, retrying in %.1fs: %s", retry, error)
            await asyncio.sleep(retry)
            retry = min(retry * 2, _LAST_RETRY)
            changed.set()
            continue
        retry = _FIRST_RETRY
        if health is not None:
            await health.update(proxier.ports)
        if on_synced is not None:
            on_synced()
            on_synced = None
        await asyncio.sleep(_COALESCE_SECONDS)


def _with_zone(node: model.Node, nodes: Informer) -> model.Node:
    obj = nodes.get(node.name)
    zone = meta.labels(obj).get(model.LABEL_ZONE, "") if obj else ""
    return model.Node(node.name, node.ip, zone)
