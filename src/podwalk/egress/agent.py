"""The egress agent of one node: keeps marks, routes, addresses and source NAT level with the policies.

Runs on the node agent's loop, inside the node's network namespace, as the part of cilium-agent that is
pkg/egressgateway. As long as the definition of CiliumEgressGatewayPolicy is not installed it watches that and nothing
else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import struct
from collections.abc import Callable

from podwalk.api import added, meta
from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.egress import plan, render
from podwalk.egress.plan import Objects, Plan
from podwalk.netns import command, guard
from podwalk.netns.netlink import Netlink
from podwalk.netns.reaper import Reaper

log = logging.getLogger(__name__)

CRD = "ciliumegressgatewaypolicies.cilium.io"
_UPLINK = "eth0"
_TUNNEL = "flannel.1"
_COALESCE_SECONDS = 0.005
_FIRST_RETRY, _LAST_RETRY = 0.1, 10.0
# How often it looks whether somebody took its rules away.
_CANARY_SECONDS = 30.0
_ETH_P_ARP = 0x0806
_BROADCAST = b"\xff" * 6


class CommandError(Exception):
    """nft or ip refused; the message is its own."""


class Agent:
    """One node's agent. ``internal``: the ranges of Pods and Services, which no policy takes out of the cluster."""

    def __init__(self, client: Client, reaper: Reaper, node_name: str, internal: tuple[str, ...]) -> None:
        self._client, self._reaper, self._node, self._internal = client, reaper, node_name, internal
        self._installed = False
        self._moved = asyncio.Event()
        self._changed = asyncio.Event()
        self._added: set[str] = set()
        self._written: Plan | None = None

    async def run(self) -> None:
        """Serve as long as the definition is there, for ever. Cancel to stop; what was written stays."""
        guard.refuse_host()
        definitions = Informer(self._client, "CustomResourceDefinition", field_selector=f"metadata.name={CRD}")
        definitions.on_change(self._definition)
        async with asyncio.TaskGroup() as group:
            group.create_task(definitions.run(), name="egress definitions")
            while True:
                await self._until(lambda: self._installed)
                serving = group.create_task(self._serve(), name="egress")
                await self._until(lambda: not self._installed)
                serving.cancel()
                await asyncio.wait({serving})
                await self._write_patiently(Plan())

    def _definition(self, old: Object | None, new: Object | None) -> None:
        del old
        self._installed = new is not None and meta.condition_is_true(new, "Established")
        self._moved.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._moved.wait()
            self._moved.clear()

    async def _serve(self) -> None:
        policies = Informer(self._client, added.CILIUM_EGRESS_GATEWAY_POLICY)
        rest = {kind: Informer(self._client, kind) for kind in ("Pod", "Namespace", "Node")}
        policies.on_change(lambda old, new: self._changed.set())
        async with asyncio.TaskGroup() as group:
            group.create_task(policies.run(), name="egress policies")
            await policies.synced.wait()
            while not policies.all():
                self._changed.clear()
                await self._changed.wait()
            for informer in rest.values():
                informer.on_change(self._relevant)
                group.create_task(informer.run(), name=f"egress {informer.resource.plural}")
            for informer in rest.values():
                await informer.synced.wait()
            while True:
                pods, namespaces, nodes = (list(informer.all()) for informer in rest.values())
                objects = Objects(list(policies.all()), pods, namespaces, nodes, self._internal)
                self._changed.clear()
                await self._write_patiently(plan.make(objects, self._node))
                await asyncio.sleep(_COALESCE_SECONDS)
                await self._wait_for_change()

    def _relevant(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or _relevant_part(old) != _relevant_part(new):
            self._changed.set()

    async def _wait_for_change(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._changed.wait(), _CANARY_SECONDS)
                return
            except TimeoutError:
                if not await self._is_there():
                    log.warning("the nftables table %s was deleted, writing it again", render.TABLE)
                    self._written = None
                    return

    async def _is_there(self) -> bool:
        if self._written is None or not self._written.ways:
            return True
        argv = ["nft", "list", "chain", "ip", render.TABLE, "postrouting"]
        return (await command.run(self._reaper, argv)).returncode == 0

    async def _write_patiently(self, wanted: Plan) -> None:
        """Write the plan, again and again where the kernel refuses, until something newer is to be written."""
        retry = _FIRST_RETRY
        while wanted != self._written:
            try:
                await self._write(wanted)
            except (OSError, TimeoutError, CommandError) as error:
                self._written = None
                log.error("egress gateway: %s; retrying in %.1fs", error, retry)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), retry)
                    return
                retry = min(retry * 2, _LAST_RETRY)

    async def _write(self, wanted: Plan) -> None:
        if self._written is None and not wanted.ways and not wanted.addresses and not self._added:
            self._written = wanted
            return
        self._add_addresses(wanted.addresses)
        await self._run(["nft", "-f", "-"], render.nft(wanted))
        await self._route(wanted)
        self._delete_addresses(wanted.addresses)
        self._written = wanted

    async def _route(self, wanted: Plan) -> None:
        listed = await self._run(["ip", "-j", "-4", "rule", "show"], "")
        stale = [rule["priority"] for rule in json.loads(listed or "[]") if render.ours(rule["priority"])]
        with Netlink() as netlink:
            tunnel = _TUNNEL if netlink.link(_TUNNEL) is not None else ""
        lines = [*render.unrouting(stale), *render.routing(wanted.gateways, tunnel=tunnel)]
        if lines:
            await self._run(["ip", "-4", "-batch", "-"], "\n".join([*lines, ""]))

    async def _run(self, argv: list[str], stdin: str) -> str:
        done = await command.run(self._reaper, argv, stdin=stdin.encode())
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise CommandError(f"{' '.join(argv)}: {said[:500]}")
        return done.stdout.decode(errors="replace")

    # --- addresses

    def _add_addresses(self, wanted: set[str]) -> None:
        with Netlink() as netlink:
            present = {a.address.partition("/")[0] for a in netlink.addresses(_UPLINK)}
            link = netlink.link(_UPLINK)
            for address in sorted(wanted - present):
                netlink.add_address(_UPLINK, f"{address}/32")
                self._added.add(address)
                if link is not None:
                    announce(_UPLINK, link.mac, address)

    def _delete_addresses(self, wanted: set[str]) -> None:
        with Netlink() as netlink:
            for address in sorted(self._added - wanted):
                netlink.delete_address(_UPLINK, f"{address}/32")
                self._added.discard(address)


def announce(interface: str, mac: str, address: str) -> None:
    """Tell the neighbours by gratuitous ARP who has the address now (RFC 5227, section 3). Raises OSError."""
    hardware, ip = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(address)
    frame = struct.pack("!6s6sHHHBBH6s4s6s4s", _BROADCAST, hardware, _ETH_P_ARP, 1, 0x0800, 6, 4, 1,
                        hardware, ip, b"\0" * 6, ip)  # fmt: skip
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as sock:
        sock.bind((interface, _ETH_P_ARP))
        sock.send(frame)


def _relevant_part(obj: Object) -> Object:
    """Only what plans are made from: most changes of Pods and Nodes are news of their containers and leases."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return {
        "labels": obj["metadata"].get("labels"),
        "addresses": (status.get("podIP"), status.get("addresses")),
        "ended": status.get("phase") in ("Succeeded", "Failed"),
        "where": (spec.get("nodeName"), spec.get("podCIDR")),
    }
