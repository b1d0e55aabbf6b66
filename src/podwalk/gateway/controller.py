"""The loop: watch, plan, configure Envoy, keep a Service for each Gateway, write the statuses."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time

import aiohttp

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.gateway import attach, envoy, kinds
from podwalk.gateway.attach import Gateway, Plan
from podwalk.gateway.proxy import Envoy
from podwalk.gateway.status import condition, generation, merged
from podwalk.gateway.world import World

log = logging.getLogger(__name__)

_QUIET_SECONDS = 0.02
_FIRST_PORT = 10001
_OWNER = "gateway.envoyproxy.io/owning-gateway"
_LABELS = {"app.kubernetes.io/managed-by": "envoy-gateway"}
_API_ERRORS = (ApiError, TimeoutError, aiohttp.ClientError, OSError)


class Controller:
    """One controller. ``namespace`` is its own, where the Services of the Gateways are made; ``selector`` its Pods'."""

    def __init__(self, client: Client, proxy: Envoy, namespace: str, selector: dict[str, str]) -> None:
        self._client, self._proxy, self._namespace, self._selector = client, proxy, namespace, selector
        self._informers = {r.kind: Informer(client, r) for r in kinds.CUSTOM}
        self._informers |= {kind: Informer(client, kind) for kind in kinds.CORE}
        self._changed = asyncio.Event()
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Run until Envoy ends. Raises EnvoyError."""
        await self._proxy.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._proxy.wait())
            for informer in self._informers.values():
                informer.on_change(lambda old, new: self._changed.set())
                group.create_task(informer.run())
            for informer in self._informers.values():
                await informer.synced.wait()
            group.create_task(self._loop())

    async def _loop(self) -> None:
        self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(_QUIET_SECONDS)
            try:
                await self._sync()
                self.synced.set()
            except _API_ERRORS as error:
                log.warning("sync: %s", error)
                await asyncio.sleep(1)
                self._changed.set()

    async def _sync(self) -> None:
        began = time.monotonic()
        world = self._world()
        plan = attach.plan(world)
        ports = await self._services(plan)
        if self._proxy.apply(envoy.resources(plan, world, ports, str(self._proxy.folder))):
            log.info("configured %d Gateways in %.0f ms", len(plan.gateways), 1000 * (time.monotonic() - began))
        for gateway_class in world.classes:
            if (gateway_class.get("spec") or {}).get("controllerName") == attach.CONTROLLER:
                fresh = [condition("Accepted", True, "Accepted", "Valid GatewayClass", generation(gateway_class))]
                await self._conditions(kinds.GATEWAY_CLASS, gateway_class, fresh)
        for gateway in plan.gateways:
            await self._gateway_status(gateway)
        for resource in kinds.ROUTES:
            for route in self._informers[resource.kind].all():
                await self._route_status(resource, route, plan.parents.get((resource.kind, meta.key(route)), []))

    def _world(self) -> World:
        def listed(kind: str) -> list[Object]:
            return [{**o, "kind": kind} for o in self._informers[kind].all()]

        def keyed(kind: str) -> dict[str, Object]:
            return {meta.key(o): o for o in self._informers[kind].all()}

        return World(
            listed("GatewayClass"),
            listed("Gateway"),
            listed("HTTPRoute"),
            listed("GRPCRoute"),
            listed("ReferenceGrant"),
            keyed("Namespace"),
            keyed("Service"),
            listed("EndpointSlice"),
            keyed("Secret"),
            listed("TLSRoute"),
        )

    # --- a Service for each Gateway

    def _service_name(self, key: str) -> str:
        digest = hashlib.sha256(key.encode()).hexdigest()[:8]
        return f"envoy-{key.replace('/', '-')[:45].rstrip('-')}-{digest}"

    def _mine(self) -> dict[str, Object]:
        """The Services that we made, by the Gateway that they stand for."""
        found = self._informers["Service"].in_namespace(self._namespace)
        return {meta.annotations(s)[_OWNER]: s for s in found if _OWNER in meta.annotations(s)}

    async def _services(self, plan: Plan) -> dict[tuple[str, int], int]:
        """Make, change and delete Services; on which port of the Pod each (Gateway, port) is."""
        have = self._mine()
        inside: dict[tuple[str, int], int] = {}
        for key, service in have.items():
            inside.update({(key, p["port"]): int(p["targetPort"]) for p in service["spec"].get("ports") or ()})
        wanted: dict[tuple[str, int], int] = {}
        taken = set(inside.values())
        for gateway in plan.gateways:
            for port in sorted({x.port for x in gateway.listeners if x.programmed}):
                number = inside.get((gateway.key, port))
                if number is None:
                    number = next(n for n in range(_FIRST_PORT, 65536) if n not in taken)
                    taken.add(number)
                wanted[gateway.key, port] = number
        for gateway in plan.gateways:
            ports = {port: number for (key, port), number in wanted.items() if key == gateway.key}
            await self._ensure_service(gateway, ports, have.get(gateway.key))
        for key in set(have) - {g.key for g in plan.gateways}:
            await self._quietly(self._client.delete("Service", meta.name(have[key]), self._namespace))
        return wanted

    async def _ensure_service(self, gateway: Gateway, ports: dict[int, int], have: Object | None) -> None:
        if not ports:
            return
        listed = [
            {"name": f"port-{p}", "port": p, "targetPort": n, "protocol": "TCP"} for p, n in sorted(ports.items())
        ]
        spec: Object = {"type": "LoadBalancer", "selector": self._selector, "ports": listed}
        addresses = [a["value"] for a in gateway.obj["spec"].get("addresses") or () if a.get("value")]
        if addresses:
            spec["loadBalancerIP"] = addresses[0]
        if have is not None:
            now = [(p["port"], p["targetPort"]) for p in have["spec"].get("ports") or ()]
            if now == [(p["port"], p["targetPort"]) for p in listed]:
                return
        name = self._service_name(gateway.key)
        metadata: Object = {
            "name": name,
            "namespace": self._namespace,
            "labels": _LABELS,
            "annotations": {_OWNER: gateway.key},
        }
        service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        await self._client.patch(
            "Service",
            name,
            service,
            self._namespace,
            type="apply",
            field_manager="envoy-gateway",
            force=True,
        )

    # --- statuses

    async def _gateway_status(self, gateway: Gateway) -> None:
        service = self._mine().get(gateway.key) or {}
        entries = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        fresh = attach.gateway_status(gateway, [e["ip"] for e in entries if e.get("ip")])
        old = gateway.obj.get("status") or {}
        by_name = {x.get("name"): x for x in old.get("listeners") or ()}
        fresh["conditions"] = merged(old.get("conditions") or [], fresh["conditions"])
        for listener in fresh["listeners"]:
            before = (by_name.get(listener["name"]) or {}).get("conditions") or []
            listener["conditions"] = merged(before, listener["conditions"])
        await self._write(kinds.GATEWAY, gateway.obj, fresh)

    async def _route_status(self, resource: Resource, route: Object, ours: list[Object]) -> None:
        parents = (route.get("status") or {}).get("parents") or []
        foreign = [p for p in parents if p.get("controllerName") != attach.CONTROLLER]
        old = {str(p.get("parentRef")): p for p in parents if p.get("controllerName") == attach.CONTROLLER}
        for entry in ours:
            before = (old.get(str(entry["parentRef"])) or {}).get("conditions") or []
            entry["conditions"] = merged(before, entry["conditions"])
        if ours or old:
            await self._write(resource, route, {"parents": [*foreign, *ours]})

    async def _conditions(self, resource: Resource, obj: Object, fresh: list[Object]) -> None:
        old = (obj.get("status") or {}).get("conditions") or []
        await self._write(resource, obj, {"conditions": merged(old, fresh)})

    async def _write(self, resource: Resource, obj: Object, status: Object) -> None:
        """Write a status where it differs."""
        old = obj.get("status") or {}
        if all(old.get(k, []) == v for k, v in status.items()):
            return
        patch = {"status": status}
        namespace = meta.namespace(obj) or None
        await self._quietly(
            self._client.patch(resource, meta.name(obj), patch, namespace, type="merge", subresource="status")
        )

    async def _quietly(self, call: object) -> None:
        """What is gone needs no change any more."""
        try:
            await call  # type: ignore[misc]
        except ApiError as error:
            if error.reason != "NotFound":
                raise
