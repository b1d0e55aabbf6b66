"""The cloud's route controller: a route in the fabric's router for each node's Pods.

Stands in for the cloud controller manager's route controller (k8s.io/cloud-provider v0.36,
controllers/route/route_controller.go). It runs beside the nodes, in the network that they are plugged into.
"""

from __future__ import annotations

import asyncio
import functools
import logging

import aiohttp

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.netns.netlink import Netlink
from podwalk.network.profile import attempt, network_available, pod_route, set_sysctl

log = logging.getLogger(__name__)

_RECONCILE_SECONDS = 10.0
_CONDITION = ("RouteCreated", "RouteController created a route")


class RouteController:
    """Keeps the router's table equal to the Nodes. Runs in the fabric's network namespace."""

    def __init__(self, client: Client, bridge: str) -> None:
        self._client = client
        self._bridge = bridge
        self._netlink = Netlink()
        self._nodes = Informer(client, "Node")
        self._routes: dict[str, tuple[str, str]] = {}
        self._unreported: asyncio.Queue[str] = asyncio.Queue()

    async def run(self) -> None:
        """Run until cancelled."""
        set_sysctl("net/ipv4/ip_forward", "1")
        for device in ("all", self._bridge):
            # A cloud's router is no neighbour of the nodes and tells nobody of a shorter way.
            set_sysctl(f"net/ipv4/conf/{device}/send_redirects", "0")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._nodes.run(), name="informer nodes")
            group.create_task(self._report(), name="report")
            self._nodes.on_change(self._node_changed)
            while True:
                await asyncio.sleep(_RECONCILE_SECONDS)
                self._reconcile()

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        node = new or old
        if node is None:
            return
        name = meta.name(node)
        wanted, known = pod_route(new) if new else None, self._routes.get(name)
        if wanted == known:
            return
        if known is not None:
            log.info("deleting route for node %s with %s", name, known[0])
            del self._routes[name]
            attempt(lambda: self._netlink.delete_route(known[0], via=known[1]))
        if wanted is not None:
            log.info("creating route for node %s %s", name, wanted[0])
            self._routes[name] = wanted
            attempt(lambda: self._netlink.replace_route(wanted[0], via=wanted[1], dev=self._bridge))
            self._unreported.put_nowait(name)

    def _reconcile(self) -> None:
        present = {(route.dst, route.via) for route in self._netlink.routes()}
        for cidr, gateway in self._routes.values():
            if (cidr, gateway) not in present:
                attempt(functools.partial(self._netlink.replace_route, cidr, via=gateway, dev=self._bridge))

    async def _report(self) -> None:
        while True:
            name = await self._unreported.get()
            try:
                patch = network_available(*_CONDITION)
                await self._client.patch("Node", name, patch, type="strategic", subresource="status")
            except (TimeoutError, ApiError, aiohttp.ClientError, OSError) as error:
                if isinstance(error, ApiError) and error.reason == "NotFound":
                    continue
                log.warning("node %s: %s", name, error)
                await asyncio.sleep(1)
                self._unreported.put_nowait(name)
