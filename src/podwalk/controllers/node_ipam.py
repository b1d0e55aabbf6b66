"""Hands every node its range of Pod addresses. Stands in for pkg/controller/nodeipam (RangeAllocator)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers.context import Context, Controller

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class CidrSet:
    """The ranges of one cluster CIDR: given out in order, a returned one last. Pure.

    ``expected`` are the nodes that start with the cluster, all at once: each has its range by its place in that list,
    whoever comes first, where upstream goes by who comes first.
    """

    def __init__(self, cluster_cidr: str, mask: int, expected: Sequence[str] = ()) -> None:
        self._ranges: list[Network] = list(ipaddress.ip_network(cluster_cidr).subnets(new_prefix=mask))
        self._used: set[str] = set()
        self._expected = dict(zip(expected, self._ranges, strict=False))
        self._next = len(self._expected) % len(self._ranges)

    def occupy(self, cidr: str) -> None:
        """Mark a range that a node already has."""
        self._used.add(cidr)

    def release(self, cidr: str) -> None:
        """Take a range back."""
        self._used.discard(cidr)

    def allocate(self, node: str) -> str | None:
        """A node's range, the first time that it comes with the cluster; else the next free one, or None."""
        own = str(self._expected.pop(node, ""))
        if own and own not in self._used:
            self._used.add(own)
            return own
        for offset in range(len(self._ranges)):
            index = (self._next + offset) % len(self._ranges)
            cidr = str(self._ranges[index])
            if cidr not in self._used:
                self._used.add(cidr)
                self._next = (index + 1) % len(self._ranges)
                return cidr
        return None


class NodeIpamController(Controller):
    """Keys are nodes; one worker, so that ranges of later nodes follow the order in which they joined."""

    name = "node-ipam-controller"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        config = context.config
        self._cidrs = CidrSet(config.cluster_cidr, config.node_cidr_mask, config.nodes)
        self._events = context.recorder("cidrAllocator")
        self._nodes = self.informer("Node")
        self._nodes.on_change(self._node_changed)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            for cidr in _cidrs_of(old):
                self._cidrs.release(cidr)
            return
        for cidr in _cidrs_of(new):
            self._cidrs.occupy(cidr)
        if not _cidrs_of(new):
            self.enqueue(meta.name(new))

    async def reconcile(self, key: str) -> None:
        """Give a node its range. Raises ApiError (then retried)."""
        node = self._nodes.get(key)
        if node is None or _cidrs_of(node):
            return
        cidr = self._cidrs.allocate(key)
        if cidr is None:
            text = f"Node {key} status is now: CIDRNotAvailable"
            self._events.event({**node, "apiVersion": "v1", "kind": "Node"}, "Normal", "CIDRNotAvailable", text)
            return
        patch = {"metadata": {"uid": meta.uid(node)}, "spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}
        try:
            written = await self.client.patch("Node", key, patch)
        except ApiError as error:
            self._cidrs.release(cidr)
            if error.reason != "NotFound":
                raise
        else:
            if cidr not in _cidrs_of(written):
                self._cidrs.release(cidr)


def _cidrs_of(node: Object | None) -> Iterable[str]:
    spec = (node or {}).get("spec") or {}
    return [*(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []))]
