"""Pods that run to their end: Jobs. Stands in for pkg/controller/job of kube-controller-manager.

An ended Pod is first written down in ``status.uncountedTerminatedPods``, then loses its finalizer, then counts: so no
Pod is counted twice or not at all, whoever deletes it and whenever the loop is interrupted. Not here:
``backoffLimitPerIndex`` and ``managedBy`` by somebody else (such a Job is left alone).
"""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import indexes, job_indexes, ownership
from podwalk.controllers import job_plan as plan
from podwalk.controllers import pods as podutil
from podwalk.controllers.context import Context, Controller, selector_of, typed
from podwalk.controllers.job_cleanup import untrack
from podwalk.controllers.pod_control import BURST, PodControl, claim
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes

_OURS = (None, "", "kubernetes.io/job-controller")
_ORDER = (
    "conditions", "startTime", "completionTime", "active", "succeeded", "failed", "terminating", "completedIndexes",
    "failedIndexes", "uncountedTerminatedPods", "ready",
)  # fmt: skip


@dataclass
class _Sync:
    """One reconcile: the Job, its Pods, the status being drafted, and how the Job ends, if it does."""

    key: str
    job: Object
    pods: list[Object]
    status: Object
    active: list[Object]
    finish: plan.Finish | None = None
    backoff: plan.Backoff = field(default_factory=plan.Backoff)
    indexes: set[int] = field(default_factory=set)
    succeeded: int = 0
    running: int = 0
    ready: int = 0
    terminating: int = 0

    def count(self, name: str) -> int:
        """A number of the status."""
        return int(self.status.get(name) or 0)

    def uncounted(self, name: str) -> list[str]:
        """The UIDs of ended Pods whose finalizer is about to go."""
        waiting = self.status.setdefault("uncountedTerminatedPods", {})
        listed: list[str] = waiting.setdefault(name, [])
        return listed


class JobController(Controller):
    """Keys are Jobs."""

    name = "job-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._jobs = self.informer("Job")
        self._pods = self.informer("Pod")
        self._writes = Writes(self._pods)
        self._own_writes = Writes(self._jobs)
        self._events = context.recorder(self.name)
        self._control = PodControl(self.client, self._writes, self._events)
        self._backoffs: dict[str, plan.Backoff] = {}
        indexes.index_owners(self._pods)
        self.watch_keys(self._jobs)
        self.watch_owned(self._pods, self._jobs)

    async def reconcile(self, key: str) -> None:
        """Take one Job a step further and write its status. Raises ApiError (then retried)."""
        cached = self._jobs.get(key)
        if cached is None or plan.is_finished(cached):
            self._backoffs.pop(key, None)
            self._writes.forget(key)
            return
        if cached["spec"].get("managedBy") not in _OURS:
            return
        if not self._writes.settled(key) or not self._own_writes.settled(key):
            self.enqueue_after(key, EXPIRY_SECONDS)
            return
        job = typed(self._jobs, cached)
        pods = await claim(self._writes, self.client, self._pods, key, job, selector_of(job))
        sync = self._look(key, job, pods)
        error = await self._act(sync)
        await self._track(sync)
        if error is not None and not ownership.is_namespace_terminating(error):
            raise error

    def _look(self, key: str, job: Object, pods: list[Object]) -> _Sync:
        """Count what is new, and decide whether the Job is at its end."""
        now = datetime.now(UTC)
        active = [p for p in pods if podutil.is_active(p)]
        sync = _Sync(key, job, pods, copy.deepcopy(job.get("status") or {}), active, running=len(active))
        sync.ready = sum(podutil.is_ready(p) for p in active)
        sync.terminating = sum(meta.is_deleting(p) and not podutil.is_terminal(p) for p in pods)
        known = {*sync.uncounted("succeeded"), *sync.uncounted("failed")}
        fresh = [p for p in pods if plan.has_finalizer(p) and meta.uid(p) not in known and plan.is_valid(job, p)]
        good = [p for p in fresh if podutil.phase(p) == "Succeeded"]
        bad = [p for p in fresh if podutil.phase(p) != "Succeeded" and plan.is_failed(job, p)]
        counted = [p for p in bad if plan.failure_action(job, p)[0] != "Ignore"]
        sync.succeeded = sync.count("succeeded") + len(good) + len(sync.uncounted("succeeded"))
        failed = sync.count("failed") + len(counted) + len(sync.uncounted("failed"))
        sync.backoff = self._backoffs.get(key, plan.Backoff()).after(good, counted, now)
        if not sync.status.get("startTime") and not plan.is_suspended(job):
            sync.status["startTime"] = meta.now()
        for kind in ("SuccessCriteriaMet", "FailureTarget"):
            found = plan.condition(sync.status, kind)
            if found is not None and sync.finish is None:
                sync.finish = plan.Finish(kind, found.get("reason", ""), found.get("message", ""))
        sync.finish = sync.finish or plan.failure(job, sync.status, pods, failed, now)
        left = plan.deadline_left(job, sync.status, now)
        if sync.finish is None and left is not None:
            self.enqueue_after(key, left)
        if plan.is_indexed(job):
            before = job_indexes.parse(sync.status.get("completedIndexes"), plan.number(job, "completions"))
            sync.indexes = before | {job_indexes.index_of(p) for p in good}
            sync.succeeded = len(sync.indexes)
            sync.finish = sync.finish or plan.success_policy(job, sync.indexes)
        return sync

    async def _act(self, sync: _Sync) -> ApiError | None:
        """Delete what still runs of a Job at its end; create and delete Pods of any other."""
        if sync.finish is not None:
            error = await self._delete(sync, sync.active)
            if error is not None:
                sync.finish = None
            return error
        if meta.is_deleting(sync.job):
            return None
        error = await self._manage(sync)
        if plan.is_complete(sync.job, sync.succeeded, sync.running):
            text = "Reached expected number of succeeded pods"
            sync.finish = plan.Finish("SuccessCriteriaMet", "CompletionsReached", text)
        elif plan.is_suspended(sync.job):
            if plan.set_condition(sync.status, "Suspended", "True", "JobSuspended", "Job suspended"):
                self._events.event(sync.job, "Normal", "Suspended", "Job suspended")
        elif plan.set_condition(sync.status, "Suspended", "False", "JobResumed", "Job resumed"):
            self._events.event(sync.job, "Normal", "Resumed", "Job resumed")
            sync.status["startTime"] = meta.now()
        return error

    async def _delete(self, sync: _Sync, pods: list[Object]) -> ApiError | None:
        error = await self._control.delete_all(sync.key, sync.job, pods)
        if error is None:
            sync.running -= len(pods)
            sync.terminating += len(pods)
            sync.ready -= sum(podutil.is_ready(p) for p in pods)
        return error

    async def _manage(self, sync: _Sync) -> ApiError | None:
        job, now = sync.job, datetime.now(UTC)
        wanted = 0 if plan.is_suspended(job) else plan.wanted_active(job, sync.succeeded, len(sync.active))
        ranked = podutil.to_delete(sync.active, len(sync.active), {}, now)
        gone: list[Object] = []
        if plan.is_indexed(job):
            gone = job_indexes.duplicates(reversed(ranked), plan.number(job, "completions"))
        surplus = len(sync.active) - wanted - len(gone)
        if surplus > 0:
            gone = gone + [p for p in ranked if p not in gone][:surplus]
        if gone:
            await self._untrack(sync, gone[:BURST])
            return await self._delete(sync, gone[:BURST])
        missing = wanted - len(sync.active) - (sync.terminating if plan.replaces_only_failed(job) else 0)
        if missing <= 0:
            return None
        wait = sync.backoff.left(self.context.config.job_pod_failure_backoff, now)
        if wait > 0:
            self.enqueue_after(sync.key, wait)
            return None
        return await self._create(sync, min(missing, BURST))

    async def _create(self, sync: _Sync, count: int) -> ApiError | None:
        numbers: list[int | None] = [None] * count
        if plan.is_indexed(sync.job):
            # A Pod that is on its way out holds its index until it has failed.
            held = sync.active + ([p for p in sync.pods if meta.is_deleting(p) and not podutil.is_terminal(p)])
            taken = sync.indexes | {job_indexes.index_of(p) for p in held}
            numbers = [*job_indexes.first_pending(taken, count, plan.number(sync.job, "completions"))]
        pods = [plan.pod_for(sync.job, n) for n in numbers]
        made, error = await self._control.create_all(sync.key, sync.job, pods)
        sync.running += made
        return error

    async def _track(self, sync: _Sync) -> None:
        """Write down what ended, take the finalizers, count, and end the Job when nothing is left to wait for."""
        ended = [p for p in sync.pods if plan.has_finalizer(p) and self._may_be_counted(sync, p)]
        for pod in ended:
            self._note_ended(sync, pod)
        sync.status.update(active=sync.running, ready=sync.ready, terminating=sync.terminating)
        if plan.is_indexed(sync.job):
            sync.status["succeeded"] = len(sync.indexes)
            sync.status["completedIndexes"] = job_indexes.render(sync.indexes)
        if sync.finish is not None:
            plan.set_condition(sync.status, sync.finish.kind, "True", sync.finish.reason, sync.finish.message)
        await self._write(sync)
        self._backoffs[sync.key] = sync.backoff
        await self._untrack(sync, ended)
        # Had one finalizer stayed, the call before would have raised: what is written down now counts.
        for name in ("succeeded", "failed"):
            sync.status[name] = sync.count(name) + len(sync.uncounted(name))
            sync.status["uncountedTerminatedPods"][name] = []
        finished = self._end(sync)
        await self._write(sync)
        if finished is not None:
            self._say_finished(sync, finished)

    @staticmethod
    def _may_be_counted(sync: _Sync, pod: Object) -> bool:
        if sync.finish is not None or meta.is_deleting(sync.job) or podutil.phase(pod) == "Succeeded":
            return True
        return plan.is_failed(sync.job, pod)

    @staticmethod
    def _note_ended(sync: _Sync, pod: Object) -> None:
        uid, valid = meta.uid(pod), plan.is_valid(sync.job, pod)
        if podutil.phase(pod) == "Succeeded" and uid not in sync.uncounted("failed"):
            if not plan.is_indexed(sync.job) and uid not in sync.uncounted("succeeded"):
                sync.uncounted("succeeded").append(uid)
        elif plan.is_failed(sync.job, pod) or (sync.finish is not None and sync.finish.failed):
            ignored = plan.failure_action(sync.job, pod)[0] == "Ignore"
            if valid and not ignored and uid not in sync.uncounted("failed"):
                sync.uncounted("failed").append(uid)

    async def _untrack(self, sync: _Sync, pods: list[Object]) -> None:
        written = await asyncio.gather(*(untrack(self.client, pod) for pod in pods))
        for pod in written:
            if pod is not None and not meta.is_deleting(pod):
                self._writes.note(sync.key, pod)

    def _end(self, sync: _Sync) -> str | None:
        """Add Complete or Failed once every Pod is counted and none is on its way out; the condition that was set."""
        if sync.finish is None or sync.uncounted("succeeded") or sync.uncounted("failed") or sync.terminating > 0:
            return None
        kind = "Failed" if sync.finish.failed else "Complete"
        plan.set_condition(sync.status, kind, "True", sync.finish.reason, sync.finish.message)
        if kind == "Complete":
            sync.status["completionTime"] = meta.now()
        return kind

    def _say_finished(self, sync: _Sync, kind: str) -> None:
        if kind == "Failed" and sync.finish is not None:
            self._events.event(sync.job, "Warning", sync.finish.reason, sync.finish.message)
            return
        completions = sync.job["spec"].get("completions")
        if completions is not None and sync.count("succeeded") > int(completions):
            text = "Too many succeeded pods running after completion count reached"
            self._events.event(sync.job, "Warning", "TooManySucceededPods", text)
        self._events.event(sync.job, "Normal", "Completed", "Job completed")

    async def _write(self, sync: _Sync) -> None:
        status = _as_written(sync.status)
        if status == (sync.job.get("status") or {}):
            return
        written = await self.client.update_status({**sync.job, "status": status})
        self._own_writes.note(sync.key, written)
        sync.job = typed(self._jobs, written)


def _as_written(status: Object) -> Object:
    """The status as Go writes it: in the order of the struct, without zeros that are omitted."""
    out = {k: status[k] for k in _ORDER if k in status}
    waiting = {k: list(v) for k, v in (status.get("uncountedTerminatedPods") or {}).items() if v}
    out["uncountedTerminatedPods"] = waiting
    for name in ("active", "succeeded", "failed", "completedIndexes", "conditions"):
        if not out.get(name):
            out.pop(name, None)
    return copy.deepcopy(out)
