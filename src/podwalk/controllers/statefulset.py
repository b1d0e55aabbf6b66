"""Pods with names that stay: StatefulSets. Stands in for pkg/controller/statefulset of kube-controller-manager.

There are no PersistentVolumeClaims in this cluster, so that volumeClaimTemplates make nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import history, indexes, ownership
from podwalk.controllers import statefulset_plan as plan
from podwalk.controllers.context import Context, Controller, selector_of, typed
from podwalk.controllers.pod_control import claim
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes


class StatefulSetController(Controller):
    """Keys are StatefulSets."""

    name = "statefulset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = self.informer("StatefulSet")
        self._pods = self.informer("Pod")
        revisions = self.informer("ControllerRevision")
        self._writes = Writes(self._pods)
        self._history = history.History(self.client, revisions)
        self._events = context.recorder(self.name)
        indexes.index_owners(self._pods)
        self.watch_keys(self._sets)
        self.watch_owned(self._pods, self._sets)
        self.watch_owned(revisions, self._sets)

    async def reconcile(self, key: str) -> None:
        """Take one StatefulSet a step further and write its status. Raises ApiError (then retried)."""
        cached = self._sets.get(key)
        if cached is None:
            self._writes.forget(key)
            self._history.writes.forget(key)
            return
        sts = typed(self._sets, cached)
        if not self._writes.settled(key) or not self._history.writes.settled(key):
            self.enqueue_after(key, EXPIRY_SECONDS)
            return
        pods = [p for p in await self._claim(key, sts) if plan.is_member(sts, p)]
        revisions = await self._history.revisions(key, sts)
        collisions = int((sts.get("status") or {}).get("collisionCount") or 0)
        update = await self._update_revision(key, sts, revisions, collisions)
        if update is None:
            await self._write_status({**sts, "status": {**(sts.get("status") or {}), "collisionCount": collisions + 1}})
            return
        named = (sts.get("status") or {}).get("currentRevision")
        current = next((r for r in revisions if meta.name(r) == named), update)
        error = None
        step = plan.Plan()
        if not meta.is_deleting(sts):
            step = plan.plan(sts, current, update, pods)
            error = await self._carry_out(key, sts, step)
        status = plan.status(sts, current, update, pods, collisions)
        for pod in step.updated:
            if plan.revision_of(pod) == meta.name(current) and status.get("currentReplicas"):
                status["currentReplicas"] -= 1
        if status != (sts.get("status") or {}):
            await self._write_status({**sts, "status": {k: v for k, v in status.items() if _is_written(k, v)}})
        live = {meta.name(current), meta.name(update), *(plan.revision_of(p) for p in pods)}
        await self._history.delete(key, history.beyond_limit(sts, revisions, live))
        wait = plan.next_available(sts, pods)
        if wait is not None:
            self.enqueue_after(key, wait)
        if error is not None and not ownership.is_namespace_terminating(error):
            raise error

    async def _claim(self, key: str, sts: Object) -> list[Object]:
        matches = selector_of(sts)
        return await claim(
            self._writes,
            self.client,
            self._pods,
            key,
            sts,
            matches,
            may_adopt=lambda pod: not meta.is_deleting(pod) and plan.is_member(sts, pod),
        )

    async def _update_revision(self, key: str, sts: Object, revisions: list[Object], collisions: int) -> Object | None:
        """The revision of the present template: the newest, an old one come back, or a new one."""
        data = history.patch_of(sts)
        same = [r for r in revisions if r.get("data") == data]
        if same and same[-1] is revisions[-1]:
            return same[-1]
        number = history.number(revisions[-1]) + 1 if revisions else 1
        if same:
            return await self._history.renumber(key, same[-1], number)
        value = history.revision_hash(data, collisions)
        wanted = history.new_revision(sts, value, {history.HASH_LABEL: value}, number)
        return await self._history.create(key, sts, wanted)

    async def _carry_out(self, key: str, sts: Object, step: plan.Plan) -> ApiError | None:
        failed = None
        for pod in step.create:
            failed = failed or await self._create(key, sts, pod)
        for pod in step.correct:
            patch = {"metadata": {"uid": meta.uid(pod), "labels": {plan.POD_NAME_LABEL: meta.name(pod)}}}
            call = self.client.patch("Pod", meta.name(pod), patch, meta.namespace(pod))
            failed = await self._recorded(sts, pod, "Update", call) or failed
        for pod in [*step.delete, *step.updated]:
            failed = await self._delete(key, sts, pod) or failed
        return failed

    async def _create(self, key: str, sts: Object, pod: Object) -> ApiError | None:
        async def create() -> None:
            self._writes.note(key, await self.client.create(pod))

        return await self._recorded(sts, pod, "Create", create())

    async def _delete(self, key: str, sts: Object, pod: Object) -> ApiError | None:
        self._writes.note_deleted(key, meta.key(pod))
        call = self.client.delete("Pod", meta.name(pod), meta.namespace(pod), uid=meta.uid(pod))
        error = await self._recorded(sts, pod, "Delete", call)
        if error is not None:
            self._writes.forget(key)
            return None if error.reason == "NotFound" else error
        return None

    async def _recorded(self, sts: Object, pod: Object, verb: str, call: Awaitable[object]) -> ApiError | None:
        """Do something to a Pod and say so on the set, as recordPodEvent does."""
        what = f"{verb} Pod {meta.name(pod)} in StatefulSet {meta.name(sts)}"
        try:
            await call
        except ApiError as error:
            # A Pod of this name that is still on its way out: the next try will find it gone.
            if error.reason not in ("NotFound", "AlreadyExists") and not ownership.is_namespace_terminating(error):
                self._events.event(sts, "Warning", f"Failed{verb}", f"{what} failed error: {error.message}")
            return error
        self._events.event(sts, "Normal", f"Successful{verb}", f"{what} successful")
        return None

    async def _write_status(self, sts: Object) -> None:
        try:
            await self.client.update_status(sts)
        except ApiError as error:
            if error.reason != "NotFound":
                raise


def _is_written(field: str, value: object) -> bool:
    return bool(value) or field not in ("readyReplicas", "currentReplicas", "updatedReplicas")
