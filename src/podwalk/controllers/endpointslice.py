"""EndpointSlices of Services with a selector. Stands in for pkg/controller/endpointslice of kube-controller-manager."""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import endpointslice_plan as slices
from podwalk.controllers import indexes, ownership, trigger_time
from podwalk.controllers.context import Context
from podwalk.controllers.service_loop import ServiceLoop


class EndpointSliceController(ServiceLoop):
    """Keeps the slices of every Service that has a selector; leaves all other slices alone."""

    name = "endpointslice-controller"
    writes = "EndpointSlice"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._nodes = self.informer("Node")
        indexes.index_labels(self._written)
        self._written.on_change(self._slice_changed)

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        for obj in (old, new):
            if obj is not None and meta.labels(obj).get(slices.MANAGED_BY) == slices.CONTROLLER:
                name = meta.labels(obj).get(slices.SERVICE_NAME, "")
                self.enqueue(meta.make_key(meta.namespace(obj), name))

    async def sync(self, key: str, service: Object, pods: list[Object], trigger: str | None) -> None:
        """Write what :func:`podwalk.controllers.endpointslice_plan.plan` says. Raises ApiError.

        The slices of a Service that is gone are the garbage collector's.
        """
        wanted = {slices.SERVICE_NAME: meta.name(service), slices.MANAGED_BY: slices.CONTROLLER}
        found = indexes.with_labels(self._written, meta.namespace(service), wanted)
        mine = [s for s in found if not meta.is_deleting(s)]
        changes = slices.plan(service, pods, mine, self._nodes.get)
        try:
            await self._write(key, service, changes, trigger)
        except ApiError as error:
            if not ownership.is_namespace_terminating(error):
                raise
            return
        if changes.skipped:
            raise ApiError(404, "NotFound", f"skipping Pods {changes.skipped} for Service {key}: Node Not Found")

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
