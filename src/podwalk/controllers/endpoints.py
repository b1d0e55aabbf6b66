"""The old Endpoints object of Services with a selector. Stands in for pkg/controller/endpoint.

Nothing in the data plane reads it since EndpointSlice; ``kubectl get endpoints`` and older habits do.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import orjson

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import endpoints_plan as plan
from podwalk.controllers import pods as podutil
from podwalk.controllers import trigger_time
from podwalk.controllers.context import Context
from podwalk.controllers.service_loop import ServiceLoop

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
CONTROLLER = "endpoint-controller"


def desired_subsets(service: Object, pods: Iterable[Object]) -> list[Object]:
    """The subsets: addresses that offer the same ports, ready ones apart from those that are not. Pure."""
    spec = service["spec"]
    publish = bool(spec.get("publishNotReadyAddresses"))
    families = spec.get("ipFamilies") or ["IPv4"]
    groups: dict[bytes, Object] = {}
    for pod in pods:
        addresses = plan.pod_addresses(pod, families[0])
        if not plan.should_be_endpoint(pod, include_terminating=publish) or not addresses:
            continue
        ports = [_bare(p) for p in plan.endpoint_ports(service, pod)]
        if not ports and (spec.get("ports") or spec.get("clusterIP") != "None"):
            continue
        address: Object = {"ip": addresses[0], "nodeName": podutil.node_name(pod), "targetRef": plan.pod_reference(pod)}
        if plan.should_set_hostname(service, pod):
            address["hostname"] = pod["spec"]["hostname"]
        group = groups.setdefault(orjson.dumps(ports), {"addresses": [], "notReadyAddresses": [], "ports": ports})
        group["addresses" if publish or podutil.is_ready(pod) else "notReadyAddresses"].append(address)
    for group in groups.values():
        for field in ("addresses", "notReadyAddresses"):
            group[field].sort(key=lambda a: (plan.in_order(a["ip"]), a["targetRef"]["uid"]))
    return [{k: v for k, v in group.items() if v} for _, group in sorted(groups.items())]


def _bare(port: Object) -> Object:
    """An Endpoints port leaves out an empty name, a slice's keeps it."""
    return {k: v for k, v in port.items() if v != ""}


def desired(service: Object, pods: Iterable[Object], current: Object | None, trigger: str | None) -> Object | None:
    """The Endpoints object to write, or None where ``current`` already says it. Pure."""
    subsets = desired_subsets(service, pods)
    labels = {k: v for k, v in meta.labels(service).items() if k not in (MANAGED_BY, plan.HEADLESS_LABEL)}
    labels[MANAGED_BY] = CONTROLLER
    if not plan.has_service_ip(service):
        labels[plan.HEADLESS_LABEL] = ""
    if current is not None and (current.get("subsets") or []) == subsets and meta.labels(current) == labels:
        return None
    new = copy.deepcopy(current) if current is not None else _empty(service)
    new["metadata"]["labels"] = labels
    annotations = {k: v for k, v in meta.annotations(new).items() if k != trigger_time.ANNOTATION}
    if trigger:
        annotations[trigger_time.ANNOTATION] = trigger
    new["metadata"].pop("annotations", None)
    if annotations:
        new["metadata"]["annotations"] = annotations
    new.pop("subsets", None)
    if subsets:
        new["subsets"] = subsets
    return new


def _empty(service: Object) -> Object:
    metadata = {"name": meta.name(service), "namespace": meta.namespace(service)}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}


class EndpointsController(ServiceLoop):
    """Keeps the Endpoints of every Service that has a selector, and removes them with the Service."""

    name = "endpoint-controller"
    writes = "Endpoints"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.watch_keys(self._written)

    async def gone(self, key: str) -> None:
        """Remove what was made for a Service that is gone. Raises ApiError."""
        current = self._written.get(key)
        if current is not None:
            await self._delete(current)

    async def sync(self, key: str, service: Object, pods: list[Object], trigger: str | None) -> None:
        """Write the Endpoints of one Service. Raises ApiError."""
        current = self._written.get(key)
        new = desired(service, pods, current, trigger)
        if new is None:
            return
        try:
            written = await (self.client.update(new) if current is not None else self.client.create(new))
        except ApiError as error:
            if error.reason == "Forbidden":  # the namespace is terminating: nothing new can be made in it
                return
            raise
        self._writes.note(key, written)

    async def _delete(self, current: Object) -> None:
        # Endpoints that somebody made by hand may come before their Service; upstream removes those only at start.
        if meta.labels(current).get(MANAGED_BY) != CONTROLLER:
            return
        try:
            await self.client.delete("Endpoints", meta.name(current), meta.namespace(current), uid=meta.uid(current))
        except ApiError as error:
            if error.reason != "NotFound":
                raise
