"""Gives Services of type LoadBalancer an address from the pool and writes it into their status.

Upstream: go.universe.tf/metallb controller/ (service.go). Runs once a cluster, beside the controller manager.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.events import EventRecorder
from podwalk.client.informer import Informer
from podwalk.client.reconcile import Reconciler
from podwalk.client.rest import Client
from podwalk.loadbalancer import services
from podwalk.loadbalancer.pool import AllocationError, Pool

log = logging.getLogger(__name__)

_POOL_NAME = "default"


class Controller(Reconciler):
    """Reconciles Services; ``known`` is the cache they come from."""

    name = "load balancer"
    # One at a time: two that ask for the same address must not both find it free.
    workers = 1

    def __init__(self, client: Client, known: Informer, recorder: EventRecorder, pool: Pool) -> None:
        super().__init__()
        self._client, self._known, self._recorder, self._pool = client, known, recorder, pool
        self._waiting: set[str] = set()

    def adopt(self) -> None:
        """Take note of the addresses that Services already have, before anybody gets a new one."""
        for service in sorted(self._known.all(), key=meta.key):
            for address in services.addresses(service) if services.is_ours(service) else ():
                if address in self._pool:
                    try:
                        self._pool.assign(meta.key(service), address)
                    except AllocationError as error:
                        log.warning("%s: %s", meta.key(service), error)

    async def reconcile(self, key: str) -> None:
        """Give, keep or take back a Service's address."""
        service = self._known.get(key)
        if service is None or not services.is_ours(service):
            await self._let_go(key, service)
            return
        if not (service["spec"].get("clusterIP") or ""):
            return
        self._waiting.discard(key)
        try:
            address = self._pool.assign(key, self._wish(service))
        except (AllocationError, ValueError) as error:
            self._waiting.add(key)
            self._event(service, "Warning", "AllocationFailed", f'Failed to allocate IP for "{key}": {error}')
            if services.addresses(service):
                self._pool.release(key)
                await self._write(service, [])
            return
        if services.addresses(service) == [address]:
            return
        await self._write(service, [{"ip": address, "ipMode": "VIP"}])
        # MetalLB notes the pool, too.
        note = {"metadata": {"annotations": {services.POOL_ANNOTATION: _POOL_NAME}}}
        await self._client.patch("Service", meta.name(service), note, meta.namespace(service))
        self._event(service, "Normal", "IPAllocated", f"Assigned IP {json.dumps([address])}")

    def _wish(self, service: Object) -> str:
        """The address it names; without one, that in its status, so that it keeps what it has."""
        asked = services.asked_for(service)
        if asked:
            return asked
        current = services.addresses(service)
        return current[0] if len(current) == 1 and current[0] in self._pool else ""

    async def _let_go(self, key: str, service: Object | None) -> None:
        held = self._pool.address_of(key)
        self._waiting.discard(key)
        if held is None:
            return
        if service is not None and services.addresses(service) == [held]:
            # Before the address is free again: where this fails it is tried again, for the sake of what is held.
            await self._write(service, [])
        self._pool.release(key)
        # Somebody may be waiting for just this address.
        for other in self._waiting:
            self.enqueue(other)

    async def _write(self, service: Object, ingress: list[Object]) -> None:
        fresh = {"apiVersion": "v1", "kind": "Service", **copy.deepcopy(service)}
        fresh["status"] = {**(fresh.get("status") or {}), "loadBalancer": {"ingress": ingress} if ingress else {}}
        await self._client.update_status(fresh)

    def _event(self, service: Object, kind: str, reason: str, message: str) -> None:
        self._recorder.event({"apiVersion": "v1", "kind": "Service", **service}, kind, reason, message)


async def run(client: Client, pool: Pool | None = None) -> None:
    """Be the controller, for ever. Cancel to stop."""
    known = Informer(client, "Service")
    recorder = EventRecorder(client, "metallb-controller")
    controller = Controller(client, known, recorder, pool or Pool())
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(known.run(), name="load balancer services")
            await known.synced.wait()
            controller.adopt()
            known.on_change(lambda old, new: controller.enqueue(meta.key(new or old or {})))
            group.create_task(controller.run(), name="load balancer")
    finally:
        await recorder.close()
