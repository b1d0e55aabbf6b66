"""One Pod a node. Stands in for pkg/controller/daemon, without ControllerRevisions (so without rollback)."""

from __future__ import annotations

import asyncio

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.selectors import label_selector
from podwalk.controllers import daemonset_plan, ownership
from podwalk.controllers import pods as podutil
from podwalk.controllers.context import Context, Controller
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes


class DaemonSetController(Controller):
    """Keys are DaemonSets."""

    name = "daemonset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = self.informer("DaemonSet")
        self._pods = self.informer("Pod")
        self._nodes = self.informer("Node")
        self._writes = Writes(self._pods)
        self._events = context.recorder(self.name)
        self._sets.on_change(lambda old, new: self.enqueue(meta.key(new or old or {})))
        self._pods.on_change(self._pod_changed)
        self._nodes.on_change(self._node_changed)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        for pod in (old, new):
            ref = meta.controller_of(pod) if pod is not None else None
            if ref is not None and ref.get("kind") == "DaemonSet":
                self.enqueue(meta.make_key(meta.namespace(pod or {}), ref["name"]))

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _view(old) == _view(new):
            return
        for ds in self._sets.all():
            self.enqueue(meta.key(ds))

    async def reconcile(self, key: str) -> None:
        """Bring one DaemonSet's Pods to its nodes and write its status. Raises ApiError (then retried)."""
        ds = self._sets.get(key)
        if ds is None:
            self._writes.forget(key)
            return
        if meta.is_deleting(ds):
            return
        if not self._writes.settled(key):
            self.enqueue_after(key, EXPIRY_SECONDS)
            return
        ds = {**ds, "apiVersion": "apps/v1", "kind": "DaemonSet"}
        actions = daemonset_plan.plan(ds, self._nodes.all(), await self._claim(key, ds))
        errors = await asyncio.gather(
            *(self._create(key, ds, node) for node in actions.create),
            *(self._delete(key, ds, pod) for pod in actions.delete),
        )
        status = daemonset_plan.status(ds, actions)
        if status != (ds.get("status") or {}):
            await self.client.update_status({**ds, "status": status})
        for error in errors:
            if error is not None and not ownership.is_namespace_terminating(error):
                raise error

    async def _claim(self, key: str, ds: Object) -> list[Object]:
        matches = label_selector(ds["spec"].get("selector"))
        out = []
        for pod in self._pods.in_namespace(meta.namespace(ds)):
            if podutil.is_owned_by(pod, ds):
                if matches(meta.labels(pod)):
                    out.append(pod)
                else:
                    await ownership.release(self.client, "Pod", pod, ds)
            elif meta.controller_of(pod) is None and podutil.is_active(pod) and matches(meta.labels(pod)):
                taken = await ownership.adopt(self.client, "Pod", pod, ds)
                if taken is not None:
                    self._writes.note(key, taken)
                    out.append(taken)
        return out

    async def _create(self, key: str, ds: Object, node: str) -> ApiError | None:
        try:
            made = await self.client.create(daemonset_plan.pod_for(ds, node))
        except ApiError as error:
            if not ownership.is_namespace_terminating(error):
                self._events.event(ds, "Warning", "FailedCreate", f"Error creating: {error.message}")
            return error
        self._writes.note(key, made)
        self._events.event(ds, "Normal", "SuccessfulCreate", f"Created pod: {meta.name(made)}")
        return None

    async def _delete(self, key: str, ds: Object, pod: Object) -> ApiError | None:
        self._writes.note_deleted(key, meta.key(pod))
        try:
            await self.client.delete("Pod", meta.name(pod), meta.namespace(pod), uid=meta.uid(pod))
        except ApiError as error:
            if error.reason == "NotFound":
                return None
            self._writes.forget(key)
            self._events.event(ds, "Warning", "FailedDelete", f"Error deleting: {error.message}")
            return error
        self._events.event(ds, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")
        return None


def _view(node: Object) -> tuple[object, ...]:
    spec = node.get("spec") or {}
    return meta.labels(node), spec.get("taints"), spec.get("unschedulable")
