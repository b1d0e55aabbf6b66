"""Slices for Endpoints that somebody wrote by hand. Stands in for pkg/controller/endpointslicemirroring.

A Service without selector may still be given its addresses in the old way; kube-proxy reads only slices.
"""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import endpoints_plan, indexes, trigger_time
from podwalk.controllers import endpointslice_plan as slices
from podwalk.controllers.context import Context, Controller
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes

CONTROLLER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
_LEADER = "control-plane.alpha.kubernetes.io/leader"
_MAX_PER_SUBSET = 1000
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", trigger_time.ANNOTATION)


def should_mirror(endpoints: Object | None, service: Object | None) -> bool:
    """Whether slices are made from these Endpoints: hand-made ones of a Service without selector. Pure."""
    if endpoints is None or service is None or meta.is_deleting(endpoints):
        return False
    if meta.labels(endpoints).get(SKIP) == "true" or _LEADER in meta.annotations(endpoints):
        return False
    return not service["spec"].get("selector") and service["spec"].get("type") != "ExternalName"


def plan(endpoints: Object, existing: list[Object]) -> slices.Changes:
    """The writes that make ``existing`` (this controller's slices) say what the Endpoints say. Pure."""
    by_family: dict[str, slices.Groups] = {}
    for subset in endpoints.get("subsets") or ():
        ports = [{"name": "", **p} for p in subset.get("ports") or ()]
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in (subset.get(field) or ())[:_MAX_PER_SUBSET]:
                groups = by_family.setdefault(endpoints_plan.family(address["ip"]), slices.Groups())
                groups.add(ports, _endpoint(address, ready))
    labels = {**meta.labels(endpoints), slices.SERVICE_NAME: meta.name(endpoints), slices.MANAGED_BY: CONTROLLER}
    annotations = {k: v for k, v in meta.annotations(endpoints).items() if k not in _NOT_COPIED}
    changes = slices.Changes()
    for family in ("IPv4", "IPv6"):
        mine = [s for s in existing if s["addressType"] == family]
        owner = {"apiVersion": "v1", "kind": "Endpoints", **endpoints}
        maker = slices.Maker(owner, meta.name(endpoints), labels, family, annotations, _MAX_PER_SUBSET)
        made = slices.plan_groups(maker, by_family.get(family, slices.Groups()), mine)
        changes.create += made.create
        changes.update += made.update
        changes.delete += made.delete
    return changes


def _endpoint(address: Object, ready: bool) -> Object:
    endpoint: Object = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for field in ("hostname", "nodeName", "targetRef"):
        if address.get(field):
            endpoint[field] = address[field]
    return endpoint


class EndpointSliceMirroringController(Controller):
    """Keys are those of Services and Endpoints, which share their names."""

    name = "endpointslice-mirroring-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = self.informer("Service")
        self._endpoints = self.informer("Endpoints")
        self._slices = self.informer("EndpointSlice")
        self._writes = Writes(self._slices)
        indexes.index_labels(self._slices)
        self.watch_keys(self._services, self._endpoints)
        self._slices.on_change(self._slice_changed)

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        if meta.labels(obj).get(slices.MANAGED_BY) == CONTROLLER:
            self.enqueue(meta.make_key(meta.namespace(obj), meta.labels(obj).get(slices.SERVICE_NAME, "")))

    async def reconcile(self, key: str) -> None:
        """Mirror one Endpoints object. Raises ApiError (then retried)."""
        service, endpoints = self._services.get(key), self._endpoints.get(key)
        if not self._writes.settled(key):
            self.enqueue_after(key, EXPIRY_SECONDS)
            return
        mine = self._mine(key)
        if endpoints is not None and should_mirror(endpoints, service):
            changes = plan(endpoints, mine)
        else:
            # Without the Endpoints the slices are the garbage collector's; with a selector they are another loop's.
            changes = slices.Changes(delete=mine if endpoints is not None else [])
        for new in changes.create:
            self._writes.note(key, await self.client.create(slices.on_the_wire(new)))
        for changed in changes.update:
            self._writes.note(key, await self.client.update(slices.on_the_wire(changed)))
        for gone in changes.delete:
            self._writes.note_deleted(key, meta.key(gone))
            await self.client.delete("EndpointSlice", meta.name(gone), meta.namespace(gone))

    def _mine(self, key: str) -> list[Object]:
        namespace, name = meta.split_key(key)
        wanted = {slices.SERVICE_NAME: name, slices.MANAGED_BY: CONTROLLER}
        return [s for s in indexes.with_labels(self._slices, namespace, wanted) if not meta.is_deleting(s)]
