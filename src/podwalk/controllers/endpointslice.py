"""EndpointSlices of Services with a selector. Stands in for pkg/controller/endpointslice of kube-controller-manager."""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import endpointslice_plan as slices
from podwalk.controllers import trigger_time
from podwalk.controllers.context import Context, Controller
from podwalk.controllers.endpoints_plan import endpoints_changed, is_selected
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes


class EndpointSliceController(Controller):
    """Keeps the slices of every Service that has a selector; leaves all other slices alone."""

    name = "endpointslice-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = self.informer("Service")
        self._pods = self.informer("Pod")
        self._nodes = self.informer("Node")
        self._slices = self.informer("EndpointSlice")
        self._writes = Writes(self._slices)
        self._times = trigger_time.TriggerTimes()
        self._services.on_change(self._service_changed)
        self._pods.on_change(self._pod_changed)
        self._slices.on_change(self._slice_changed)

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        self.enqueue(meta.key(new or old or {}))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if not endpoints_changed(old, new):
            return
        for service in self._services.in_namespace(meta.namespace(new or old or {})):
            if any(pod is not None and is_selected(service, pod) for pod in (old, new)):
                self.enqueue(meta.key(service))

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        for obj in (old, new):
            if obj is not None and meta.labels(obj).get(slices.MANAGED_BY) == slices.CONTROLLER:
                name = meta.labels(obj).get(slices.SERVICE_NAME, "")
                self.enqueue(meta.make_key(meta.namespace(obj), name))

    async def reconcile(self, key: str) -> None:
        """Write what :func:`podwalk.controllers.endpointslice_plan.plan` says. Raises ApiError (then retried)."""
        service = self._services.get(key)
        if service is None:
            # The slices themselves are the garbage collector's.
            self._times.forget(key)
            self._writes.forget(key)
            return
        if service["spec"].get("type") == "ExternalName" or not service["spec"].get("selector"):
            return
        if not self._writes.settled(key):
            self.enqueue_after(key, EXPIRY_SECONDS)
            return
        pods = [p for p in self._pods.in_namespace(meta.namespace(service)) if is_selected(service, p)]
        trigger = self._times.compute(service, pods)
        changes = slices.plan(service, pods, self._mine(service), self._nodes.get)
        await self._write(key, service, changes, trigger)
        if changes.skipped:
            raise ApiError(404, "NotFound", f"skipping Pods {changes.skipped} for Service {key}: Node Not Found")

    def _mine(self, service: Object) -> list[Object]:
        return [
            s
            for s in self._slices.in_namespace(meta.namespace(service))
            if meta.labels(s).get(slices.SERVICE_NAME) == meta.name(service)
            and meta.labels(s).get(slices.MANAGED_BY) == slices.CONTROLLER
            and not meta.is_deleting(s)
        ]

    async def _write(self, key: str, service: Object, changes: slices.Changes, trigger: str | None) -> None:
        if not meta.is_deleting(service):
            for new in changes.create:
                self._writes.note(key, await self.client.create(_stamped(new, trigger)))
        for changed in changes.update:
            self._writes.note(key, await self.client.update(_stamped(changed, trigger)))
        for gone in changes.delete:
            self._writes.note_deleted(key, meta.key(gone))
            await self.client.delete("EndpointSlice", meta.name(gone), meta.namespace(gone))


def _stamped(written: Object, trigger: str | None) -> Object:
    """The slice with the trigger time of this change, or without one where the change has none."""
    annotations = {k: v for k, v in meta.annotations(written).items() if k != trigger_time.ANNOTATION}
    if trigger:
        annotations[trigger_time.ANNOTATION] = trigger
    written["metadata"].pop("annotations", None)
    if annotations:
        written["metadata"]["annotations"] = annotations
    return slices.on_the_wire(written)
