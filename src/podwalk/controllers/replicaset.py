"""Keeps the number of Pods of every ReplicaSet and ReplicationController.

Stands in for pkg/controller/replicaset and pkg/controller/replication, which is the same loop over another kind.
"""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import indexes, ownership, replicaset_plan
from podwalk.controllers import pods as podutil
from podwalk.controllers.context import Context, Controller, selector_of, typed
from podwalk.controllers.pod_control import PodControl, claim
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes


class ReplicaSetController(Controller):
    """Creates, adopts, releases and deletes Pods until their number is right."""

    name = "replicaset-controller"
    kind = "ReplicaSet"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = self.informer(self.kind)
        self._pods = self.informer("Pod")
        self._writes = Writes(self._pods)
        self._control = PodControl(self.client, self._writes, context.recorder(self.name))
        indexes.index_owners(self._sets)
        indexes.index_owners(self._pods)
        self.watch_keys(self._sets)
        self.watch_owned(self._pods, self._sets)

    async def reconcile(self, key: str) -> None:
        """Bring one ReplicaSet's Pods to ``spec.replicas`` and write its status. Raises ApiError (then retried)."""
        cached = self._sets.get(key)
        if cached is None:
            self._writes.forget(key)
            return
        rs = typed(self._sets, cached)
        settled = self._writes.settled(key)
        error: ApiError | None = None
        failure = None
        if not settled:
            self.enqueue_after(key, EXPIRY_SECONDS)
            owned = indexes.owned_by(self._pods, rs)
        else:
            owned = await claim(self._writes, self.client, self._pods, key, rs, selector_of(rs))
            if not meta.is_deleting(rs):
                error, missing = await self._manage(key, rs, [p for p in owned if podutil.is_active(p)])
                if error is not None:
                    failure = ("FailedCreate" if missing > 0 else "FailedDelete", error.message)
        await self._write_status(rs, replicaset_plan.status(rs, owned, failure))
        wait = replicaset_plan.next_available(rs, owned)
        if wait is not None:
            self.enqueue_after(key, wait)
        if error is not None and not ownership.is_namespace_terminating(error):
            raise error

    async def _manage(self, key: str, rs: Object, active: list[Object]) -> tuple[ApiError | None, int]:
        missing = replicaset_plan.replicas(rs) - len(active)
        if missing > 0:
            wanted = [podutil.from_template(rs["spec"]["template"], rs) for _ in range(missing)]
            return (await self._control.create_all(key, rs, wanted))[1], missing
        if missing < 0:
            gone = replicaset_plan.surplus(rs, active, self._related(rs))
            return await self._control.delete_all(key, rs, gone), missing
        return None, 0

    def _related(self, rs: Object) -> list[Object]:
        """The Pods of every ReplicaSet with the same controller (a Deployment's old and new)."""
        owner = meta.controller_of(rs)
        siblings = indexes.owned_by(self._sets, owner["uid"]) if owner is not None else [rs]
        return [p for s in siblings for p in indexes.owned_by(self._pods, s)]

    async def _write_status(self, rs: Object, status: Object) -> None:
        if status == (rs.get("status") or {}):
            return
        try:
            await self.client.update_status({**rs, "status": status})
        except ApiError as error:
            if error.reason != "NotFound":
                raise


class ReplicationManager(ReplicaSetController):
    """The same for ReplicationControllers, whose selector is a plain map."""

    name = "replication-controller"
    kind = "ReplicationController"
