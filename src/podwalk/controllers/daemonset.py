"""One Pod a node, and the templates it had before. Stands in for pkg/controller/daemon."""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import daemonset_plan, history, indexes, ownership
from podwalk.controllers.context import Context, Controller, selector_of, typed
from podwalk.controllers.pod_control import PodControl, claim
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes


class DaemonSetController(Controller):
    """Keys are DaemonSets."""

    name = "daemonset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = self.informer("DaemonSet")
        self._pods = self.informer("Pod")
        self._nodes = self.informer("Node")
        revisions = self.informer("ControllerRevision")
        self._writes = Writes(self._pods)
        self._history = history.History(self.client, revisions)
        self._control = PodControl(self.client, self._writes, context.recorder(self.name))
        indexes.index_owners(self._pods)
        self.watch_keys(self._sets)
        self.watch_owned(self._pods, self._sets)
        self.watch_owned(revisions, self._sets)
        self._nodes.on_change(self._node_changed)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _view(old) == _view(new):
            return
        for ds in self._sets.all():
            self.enqueue(meta.key(ds))

    async def reconcile(self, key: str) -> None:
        """Bring one DaemonSet's Pods to its nodes and write its status. Raises ApiError (then retried)."""
        cached = self._sets.get(key)
        if cached is None:
            self._writes.forget(key)
            self._history.writes.forget(key)
            return
        if meta.is_deleting(cached):
            return
        if not self._writes.settled(key) or not self._history.writes.settled(key):
            self.enqueue_after(key, EXPIRY_SECONDS)
            return
        ds = typed(self._sets, cached)
        pods = await claim(self._writes, self.client, self._pods, key, ds, selector_of(ds))
        revisions = await self._history.revisions(key, ds)
        current = await self._current_revision(key, ds, revisions)
        if current is None:
            collisions = int((ds.get("status") or {}).get("collisionCount") or 0) + 1
            await self._write_status(ds, {**(ds.get("status") or {}), "collisionCount": collisions})
            return
        value = meta.labels(current).get(history.REVISION_LABEL, "")
        actions = daemonset_plan.plan(ds, self._nodes.all(), pods, value)
        wanted = [daemonset_plan.pod_for(ds, node, value) for node in actions.create]
        errors = [
            (await self._control.create_all(key, ds, wanted))[1],
            await self._control.delete_all(key, ds, actions.delete),
        ]
        await self._write_status(ds, daemonset_plan.status(ds, actions, value))
        live = {value, *(meta.labels(p).get(history.REVISION_LABEL, "") for p in pods)}
        await self._history.delete(key, history.beyond_limit(ds, revisions, live, history.REVISION_LABEL))
        wait = daemonset_plan.next_available(ds, actions)
        if wait is not None:
            self.enqueue_after(key, wait)
        for error in errors:
            if error is not None and not ownership.is_namespace_terminating(error):
                raise error

    async def _current_revision(self, key: str, ds: Object, revisions: list[Object]) -> Object | None:
        """The revision of the present template, numbered above all others; None where its name is taken."""
        data = history.patch_of(ds)
        same = [r for r in revisions if r.get("data") == data]
        above = max((history.number(r) for r in revisions if r not in same), default=0) + 1
        if same:
            newest = same[-1]
            await self._history.delete(key, same[:-1])
            return newest if history.number(newest) >= above else await self._history.renumber(key, newest, above)
        value = daemonset_plan.template_hash(ds)
        wanted = history.new_revision(ds, value, {history.REVISION_LABEL: value}, above)
        return await self._history.create(key, ds, wanted)

    async def _write_status(self, ds: Object, status: Object) -> None:
        if status == (ds.get("status") or {}):
            return
        try:
            await self.client.update_status({**ds, "status": status})
        except ApiError as error:
            if error.reason != "NotFound":
                raise


def _view(node: Object) -> tuple[object, ...]:
    spec = node.get("spec") or {}
    return meta.labels(node), spec.get("taints"), spec.get("unschedulable")
