"""Keeps the number of Pods of every ReplicaSet. Stands in for pkg/controller/replicaset of kube-controller-manager."""

from __future__ import annotations

import asyncio

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.selectors import label_selector
from podwalk.controllers import ownership, replicaset_plan
from podwalk.controllers import pods as podutil
from podwalk.controllers.context import Context, Controller
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes


class ReplicaSetController(Controller):
    """Creates, adopts, releases and deletes Pods until their number is right."""

    name = "replicaset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = self.informer("ReplicaSet")
        self._pods = self.informer("Pod")
        self._writes = Writes(self._pods)
        self._events = context.recorder(self.name)
        self._sets.on_change(self._set_changed)
        self._pods.on_change(self._pod_changed)

    def _set_changed(self, old: Object | None, new: Object | None) -> None:
        self.enqueue(meta.key(new or old or {}))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        for pod in (old, new):
            ref = meta.controller_of(pod) if pod is not None else None
            if ref is not None and ref.get("kind") == "ReplicaSet":
                self.enqueue(meta.make_key(meta.namespace(pod or {}), ref["name"]))
        if new is not None and meta.controller_of(new) is None:
            for rs in self._sets.in_namespace(meta.namespace(new)):
                if label_selector(rs["spec"].get("selector"))(meta.labels(new)):
                    self.enqueue(meta.key(rs))

    async def reconcile(self, key: str) -> None:
        """Bring one ReplicaSet's Pods to ``spec.replicas`` and write its status. Raises ApiError (then retried)."""
        rs = self._sets.get(key)
        if rs is None:
            self._writes.forget(key)
            return
        rs = {**rs, "apiVersion": "apps/v1", "kind": "ReplicaSet"}
        claim = replicaset_plan.claim(rs, self._pods.in_namespace(meta.namespace(rs)))
        settled = self._writes.settled(key)
        error: ApiError | None = None
        failure = None
        if not settled:
            self.enqueue_after(key, EXPIRY_SECONDS)
        elif not meta.is_deleting(rs):
            await self._take_and_release(key, rs, claim)
            active = [p for p in claim.owned if podutil.is_active(p)]
            missing = replicaset_plan.replicas(rs) - len(active)
            error = await (self._create(key, rs, missing) if missing > 0 else self._delete_surplus(key, rs, active))
            if error is not None:
                failure = ("FailedCreate" if missing > 0 else "FailedDelete", error.message)
        await self._write_status(rs, replicaset_plan.status(rs, claim.owned, failure))
        wait = replicaset_plan.next_available(rs, claim.owned)
        if wait is not None:
            self.enqueue_after(key, wait)
        if error is not None and not ownership.is_namespace_terminating(error):
            raise error

    async def _take_and_release(self, key: str, rs: Object, claim: replicaset_plan.Claim) -> None:
        for pod in claim.release:
            await ownership.release(self.client, "Pod", pod, rs)
        for pod in claim.adopt:
            taken = await ownership.adopt(self.client, "Pod", pod, rs)
            if taken is not None:
                self._writes.note(key, taken)
                claim.owned.append(taken)

    async def _create(self, key: str, rs: Object, missing: int) -> ApiError | None:
        """Create the missing Pods in parallel; the first error is the answer, the others are likely the same."""

        async def create_one() -> ApiError | None:
            pod = podutil.from_template(rs["spec"]["template"], rs)
            try:
                made = await self.client.create(pod)
            except ApiError as error:
                if not ownership.is_namespace_terminating(error):
                    self._events.event(rs, "Warning", "FailedCreate", f"Error creating: {error.message}")
                return error
            self._writes.note(key, made)
            self._events.event(rs, "Normal", "SuccessfulCreate", f"Created pod: {meta.name(made)}")
            return None

        # One first: where a create cannot succeed (an admission error), it fails once and not a hundred times.
        first = await create_one() if missing > 5 else None
        if first is not None:
            return first
        rest = min(missing, replicaset_plan.BURST) - (1 if missing > 5 else 0)
        errors = await asyncio.gather(*(create_one() for _ in range(rest)))
        return next((e for e in errors if e is not None), None)

    async def _delete_surplus(self, key: str, rs: Object, active: list[Object]) -> ApiError | None:
        gone = replicaset_plan.surplus(rs, active, self._related(rs))

        async def delete_one(pod: Object) -> ApiError | None:
            self._writes.note_deleted(key, meta.key(pod))
            try:
                await self.client.delete("Pod", meta.name(pod), meta.namespace(pod), uid=meta.uid(pod))
            except ApiError as error:
                if error.reason == "NotFound":
                    return None
                self._writes.forget(key)
                self._events.event(rs, "Warning", "FailedDelete", f"Error deleting: {error.message}")
                return error
            self._events.event(rs, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")
            return None

        errors = await asyncio.gather(*(delete_one(p) for p in gone))
        return next((e for e in errors if e is not None), None)

    def _related(self, rs: Object) -> list[Object]:
        """The Pods of every ReplicaSet with the same controller (a Deployment's old and new)."""
        owner = meta.controller_of(rs)
        uids = {meta.uid(rs)}
        if owner is not None:
            siblings = self._sets.in_namespace(meta.namespace(rs))
            uids |= {meta.uid(s) for s in siblings if (meta.controller_of(s) or {}).get("uid") == owner["uid"]}
        pods = self._pods.in_namespace(meta.namespace(rs))
        return [p for p in pods if (meta.controller_of(p) or {}).get("uid") in uids]

    async def _write_status(self, rs: Object, status: Object) -> None:
        if status == (rs.get("status") or {}):
            return
        try:
            await self.client.update_status({**rs, "status": status})
        except ApiError as error:
            if error.reason != "NotFound":
                raise
