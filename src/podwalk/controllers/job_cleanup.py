"""What is left of Jobs: the finalizers of Pods whose Job is gone, and finished Jobs whose time is over.

Stands in for syncOrphanPod of pkg/controller/job, and for pkg/controller/ttlafterfinished.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.rest import Client
from podwalk.controllers import indexes
from podwalk.controllers import job_plan as plan
from podwalk.controllers.context import Context, Controller


async def untrack(client: Client, pod: Object) -> Object | None:
    """Take the tracking finalizer from a Pod; the Pod as it is now, or None where it is gone. Raises ApiError."""
    if not plan.has_finalizer(pod):
        return None
    metadata = {"uid": meta.uid(pod), "$deleteFromPrimitiveList/finalizers": [plan.FINALIZER]}
    try:
        return await client.patch("Pod", meta.name(pod), {"metadata": metadata}, meta.namespace(pod), type="strategic")
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        return None


class OrphanedPods(Controller):
    """Keys are Pods that carry the tracking finalizer of a Job that is gone or done: nobody else would take it."""

    name = "job-orphan-pods"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._jobs = self.informer("Job")
        self._pods = self.informer("Pod")
        indexes.index_owners(self._pods)
        self._pods.on_change(self._pod_changed)
        self._jobs.on_change(self._job_changed)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and plan.has_finalizer(new) and self._owner(new) is None:
            self.enqueue(meta.key(new))

    def _job_changed(self, old: Object | None, new: Object | None) -> None:
        job = new or old
        if job is not None and (new is None or plan.is_finished(new)):
            for pod in indexes.owned_by(self._pods, job):
                self.enqueue(meta.key(pod))

    def _owner(self, pod: Object) -> Object | None:
        """The living Job that tracks the Pod, as far as the cache knows."""
        ref = meta.controller_of(pod)
        if ref is None or ref.get("kind") != "Job":
            return None
        job = self._jobs.get(meta.make_key(meta.namespace(pod), ref["name"]))
        return job if job is not None and meta.uid(job) == ref["uid"] and not plan.is_finished(job) else None

    async def reconcile(self, key: str) -> None:
        """Take the finalizer from one Pod. Raises ApiError (then retried)."""
        pod = self._pods.get(key)
        if pod is None or not plan.has_finalizer(pod) or self._owner(pod) is not None:
            return
        ref = meta.controller_of(pod)
        if ref is not None and ref.get("kind") == "Job" and await self._is_alive(pod, ref):
            return
        await untrack(self.client, pod)

    async def _is_alive(self, pod: Object, ref: Object) -> bool:
        try:
            job = await self.client.get("Job", ref["name"], meta.namespace(pod))
        except ApiError as error:
            if error.reason == "NotFound":
                return False
            raise
        return meta.uid(job) == ref["uid"] and not plan.is_finished(job)


class TtlAfterFinishedController(Controller):
    """Deletes finished Jobs ``ttlSecondsAfterFinished`` after their end."""

    name = "ttl-after-finished-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._jobs = self.informer("Job")
        self._jobs.on_change(self._job_changed)

    def _job_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and new["spec"].get("ttlSecondsAfterFinished") is not None and plan.is_finished(new):
            self.enqueue(meta.key(new))

    async def reconcile(self, key: str) -> None:
        """Delete one Job once its time is over. Raises ApiError (then retried)."""
        job = self._jobs.get(key)
        if job is None or meta.is_deleting(job) or not plan.is_finished(job):
            return
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        status = job.get("status") or {}
        ended = plan.condition(status, "Complete") or plan.condition(status, "Failed") or {}
        if ttl is None or not ended.get("lastTransitionTime"):
            return
        end = meta.parse_time(ended["lastTransitionTime"]) + timedelta(seconds=int(ttl))
        left = (end - datetime.now(UTC)).total_seconds()
        if left > 0:
            self.enqueue_after(key, left)
            return
        try:
            await self.client.delete(
                "Job", meta.name(job), meta.namespace(job), propagation="Foreground", uid=meta.uid(job)
            )
        except ApiError as error:
            if error.reason != "NotFound":
                raise
