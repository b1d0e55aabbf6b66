"""The network plugin's process on a node: waits for the node's Pod CIDR, starts the profile, follows the Nodes.

Stands in for the DaemonSet of a network plugin: flanneld, kindnetd, calico-node.
"""

from __future__ import annotations

import asyncio
import logging

import aiohttp

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.network.profile import NetworkConfig, Profile, network_available
from podwalk.network.profiles import make

log = logging.getLogger(__name__)

_RESYNC_SECONDS = 10.0  # kindnetd's, flanneld's (host-gw) and the route controller's
_RETRY_SECONDS = 1.0
_ERRORS = (TimeoutError, ApiError, aiohttp.ClientError, OSError)


async def run(profile_name: str, config: NetworkConfig) -> None:
    """Run the profile on this node until cancelled; with ``none`` there is nothing to run."""
    profile = make(profile_name, config)
    if profile is None:
        return
    await _Daemon(profile).run()


class _Daemon:
    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._config = profile.config
        self._nodes = Informer(self._config.client, "Node")
        self._pod_cidr: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._nodes.run(), name="network: nodes")
                self._nodes.on_change(self._own_node)
                pod_cidr = await self._pod_cidr
                await self._start(pod_cidr)
                self._nodes.on_change(self._any_node)
                while True:
                    await asyncio.sleep(_RESYNC_SECONDS)
                    self._profile.resync()
        finally:
            await self._profile.stop()

    async def _start(self, pod_cidr: str) -> None:
        while True:
            try:
                await self._profile.start(pod_cidr)
                await self._report()
                return
            except _ERRORS as error:
                log.warning("cannot start the network yet: %s", error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _report(self) -> None:
        if self._profile.condition is not None:
            patch = network_available(*self._profile.condition)
            name = self._config.node_name
            await self._config.client.patch("Node", name, patch, type="strategic", subresource="status")

    def _own_node(self, _: Object | None, new: Object | None) -> None:
        if new is None or meta.name(new) != self._config.node_name:
            return
        cidr = (new.get("spec") or {}).get("podCIDR")
        if cidr and not self._pod_cidr.done():
            self._pod_cidr.set_result(str(cidr))

    def _any_node(self, old: Object | None, new: Object | None) -> None:
        node = new or old
        if node is None:
            return
        if meta.name(node) != self._config.node_name:
            self._profile.node_changed(meta.name(node), new)
        elif new is not None:
            self._profile.own_node_changed(new)
