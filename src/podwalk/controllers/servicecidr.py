"""Ranges of Service addresses: ready, or going and held while addresses of theirs are in use.

Stands in for pkg/controller/servicecidrs of kube-controller-manager.
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers.context import Context, Controller

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
# The allocators hear of the deletion before the range is gone.
_DELETION_GRACE = 10.0
_MANAGED_BY = "ipaddress.kubernetes.io/managed-by"
_ALLOCATOR = "ipallocator.k8s.io"
_HELD = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(cidr: Object) -> list[_Network]:
    """The ranges of a ServiceCIDR that parse."""
    out = []
    for text in cidr["spec"].get("cidrs") or ():
        try:
            out.append(ipaddress.ip_network(text))
        except ValueError:
            continue
    return out


def may_go(cidr: Object, others: Iterable[Object], addresses: Iterable[Object]) -> bool:
    """Whether no address would be left without a range: another one holds them all, or there are none. Pure."""
    rest = [n for other in others for n in networks(other)]
    orphaned = [n for n in networks(cidr) if not any(_contains(bigger, n) for bigger in rest)]
    if not orphaned:
        return True
    for one in addresses:
        if meta.labels(one).get(_MANAGED_BY) != _ALLOCATOR:
            continue
        try:
            address = ipaddress.ip_address(meta.name(one))
        except ValueError:
            continue
        if any(address in n for n in networks(cidr)) and not any(address in n for n in rest):
            return False
    return True


def _contains(bigger: _Network, smaller: _Network) -> bool:
    return bigger.version == smaller.version and bigger.supernet_of(smaller)  # type: ignore[arg-type]


class ServiceCIDRController(Controller):
    """Keys are ServiceCIDRs."""

    name = "service-cidr-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._cidrs = self.informer("ServiceCIDR")
        self._addresses = self.informer("IPAddress")
        self._cidrs.on_change(self._cidr_changed)
        self._addresses.on_change(self._address_changed)

    def _cidr_changed(self, old: Object | None, new: Object | None) -> None:
        self.enqueue(meta.name(new or old or {}))
        if old is None or new is None:
            self._look_at_leaving()

    def _address_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None:
            self._look_at_leaving()

    def _look_at_leaving(self) -> None:
        for cidr in self._cidrs.all():
            if meta.is_deleting(cidr):
                self.enqueue(meta.name(cidr))

    async def reconcile(self, key: str) -> None:
        """Hold one range by a finalizer and say whether it is ready, or let it go. Raises ApiError (then retried)."""
        cidr = self._cidrs.get(key)
        if cidr is None:
            return
        finalizers = list(cidr["metadata"].get("finalizers") or ())
        if not meta.is_deleting(cidr):
            if FINALIZER not in finalizers:
                await self._patch(key, {"metadata": {"finalizers": [*finalizers, FINALIZER]}})
            await self._ready(cidr, "True", "", "Kubernetes Service CIDR is ready")
            return
        others = [c for c in self._cidrs.all() if meta.name(c) != key]
        if not may_go(cidr, others, self._addresses.all()):
            await self._ready(cidr, "False", "Terminating", _HELD)
            return
        since = meta.parse_time(cidr["metadata"]["deletionTimestamp"])
        left = _DELETION_GRACE - (datetime.now(UTC) - since).total_seconds()
        if left > 0:
            self.enqueue_after(key, left)
        elif FINALIZER in finalizers:
            await self._patch(key, {"metadata": {"finalizers": [f for f in finalizers if f != FINALIZER] or None}})

    async def _ready(self, cidr: Object, value: str, reason: str, message: str) -> None:
        old = (cidr.get("status") or {}).get("conditions") or []
        conditions = copy.deepcopy(old)
        meta.set_condition(conditions, "Ready", value, reason, message)
        for one in conditions:
            one.setdefault("reason", "")
        if conditions == old:
            return
        await self._patch(meta.name(cidr), {"status": {"conditions": conditions}}, "status")

    async def _patch(self, name: str, patch: Object, subresource: str | None = None) -> None:
        try:
            await self.client.patch("ServiceCIDR", name, patch, subresource=subresource)
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise
