"""Jobs by the clock: CronJobs. Stands in for pkg/controller/cronjob of kube-controller-manager."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from email.utils import format_datetime

from podwalk.api import cron, meta
from podwalk.api.cron import Schedule
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import cronjob_plan as plan
from podwalk.controllers import indexes, ownership
from podwalk.controllers.context import Context, Controller, typed
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes

# A little after the full minute, so that the clock has certainly passed it.
_DELTA_SECONDS = 0.1


class CronJobController(Controller):
    """Keys are CronJobs."""

    name = "cronjob-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._cronjobs = self.informer("CronJob")
        self._jobs = self.informer("Job")
        self._writes = Writes(self._jobs)
        self._own_writes = Writes(self._cronjobs)
        self._events = context.recorder(self.name)
        indexes.index_owners(self._jobs)
        self.watch_keys(self._cronjobs)
        self._jobs.on_change(self._job_changed)

    def _job_changed(self, old: Object | None, new: Object | None) -> None:
        ref = meta.controller_of(new or old or {"metadata": {}})
        if ref is not None and ref.get("kind") == "CronJob":
            self.enqueue(meta.make_key(meta.namespace(new or old or {}), ref["name"]))

    def now(self) -> datetime:
        """The time; a test sets its own."""
        return datetime.now(UTC)

    async def reconcile(self, key: str) -> None:
        """Start what is due, note what ended, remove what is too old. Raises ApiError (then retried)."""
        cached = self._cronjobs.get(key)
        if cached is None:
            self._writes.forget(key)
            self._own_writes.forget(key)
            return
        if not self._writes.settled(key) or not self._own_writes.settled(key):
            self.enqueue_after(key, EXPIRY_SECONDS)
            return
        cronjob = copy.deepcopy(typed(self._cronjobs, cached))
        cronjob.setdefault("status", {})
        jobs = [typed(self._jobs, j) for j in indexes.owned_by(self._jobs, cronjob)]
        self._note_ended(cronjob, jobs)
        await self._forget_missing(cronjob, jobs)
        try:
            if not meta.is_deleting(cronjob):
                await self._start(key, cronjob)
            for job in plan.outdated(cronjob, jobs):
                await self._delete(key, cronjob, job)
        finally:
            await self._write_status(key, cached, cronjob)

    def _note_ended(self, cronjob: Object, jobs: list[Object]) -> None:
        status = cronjob["status"]
        running = {ref.get("uid") for ref in status.get("active") or ()}
        for job in jobs:
            how, ours = plan.outcome(job), meta.uid(job) in running
            if not how and not ours:
                text = f"Saw a job that the controller did not create or forgot: {meta.name(job)}"
                self._events.event(cronjob, "Warning", "UnexpectedJob", text)
            if how and ours:
                _drop(status, meta.uid(job))
                text = f"Saw completed job: {meta.name(job)}, condition: {how}"
                self._events.event(cronjob, "Normal", "SawCompletedJob", text)
            ended = (job.get("status") or {}).get("completionTime")
            if how == "Complete" and ended and ended > (status.get("lastSuccessfulTime") or ""):
                status["lastSuccessfulTime"] = ended

    async def _forget_missing(self, cronjob: Object, jobs: list[Object]) -> None:
        present = {meta.uid(j) for j in jobs}
        for ref in list(cronjob["status"].get("active") or ()):
            if ref.get("uid") in present or await self._find(ref["name"], meta.namespace(cronjob)) is not None:
                continue
            _drop(cronjob["status"], ref.get("uid"))
            self._events.event(cronjob, "Normal", "MissingJob", f"Active job went missing: {ref['name']}")

    async def _find(self, name: str, namespace: str) -> Object | None:
        try:
            return await self.client.get("Job", name, namespace)
        except ApiError as error:
            if error.reason == "NotFound":
                return None
            raise

    async def _start(self, key: str, cronjob: Object) -> None:
        spec, status = cronjob["spec"], cronjob["status"]
        found = self._schedule(cronjob)
        if found is None or spec.get("suspend"):
            return
        schedule, now = found
        due = plan.due(cronjob, schedule, now)
        following = schedule.next(now)
        if following is not None:
            self.enqueue_after(key, (following - now).total_seconds() + _DELTA_SECONDS)
        if due.many:
            text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._events.event(cronjob, "Warning", "TooManyMissedTimes", text)
        if due.at is None or self._is_processed(cronjob, due.at):
            return
        deadline = spec.get("startingDeadlineSeconds")
        if deadline is not None and (now - due.at).total_seconds() > int(deadline):
            at = format_datetime(due.at.astimezone(UTC), usegmt=True).replace("GMT", "UTC")
            self._events.event(cronjob, "Warning", "MissSchedule", f"Missed scheduled time to start a job: {at}")
            return
        if spec.get("concurrencyPolicy") == "Forbid" and status.get("active"):
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._events.event(cronjob, "Normal", "JobAlreadyActive", text)
            return
        if spec.get("concurrencyPolicy") == "Replace":
            for ref in list(status.get("active") or ()):
                job = await self._find(ref["name"], meta.namespace(cronjob))
                if job is not None:
                    await self._delete(key, cronjob, job)
        await self._create(key, cronjob, due.at)

    def _schedule(self, cronjob: Object) -> tuple[Schedule, datetime] | None:
        """The schedule and the time in its zone; None, with an event, where either cannot be read."""
        text = str(cronjob["spec"].get("schedule"))
        try:
            zone = plan.zone(cronjob)
        except (KeyError, ValueError, OSError):
            name = cronjob["spec"].get("timeZone")
            self._events.event(
                cronjob, "Warning", "UnknownTimeZone", f'invalid timeZone: "{name}": unknown time zone {name}'
            )
            return None
        try:
            schedule = cron.parse(text)
        except ValueError as error:
            why = f'unparseable schedule: "{text}" : {error}'
            self._events.event(cronjob, "Warning", "UnparseableSchedule", why)
            return None
        return schedule, self.now().astimezone(zone)

    @staticmethod
    def _is_processed(cronjob: Object, at: datetime) -> bool:
        status, name = cronjob["status"], plan.job_name(cronjob, at)
        last = status.get("lastScheduleTime")
        if last and meta.parse_time(last) == at:
            return True
        return any(ref.get("name") == name for ref in status.get("active") or ())

    async def _create(self, key: str, cronjob: Object, at: datetime) -> None:
        wanted = plan.job_for(cronjob, at)
        try:
            job = await self.client.create(wanted)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                if not ownership.is_namespace_terminating(error):
                    text = f"Error creating job: {error.message}"
                    self._events.event(cronjob, "Warning", "FailedCreate", text)
                raise
            job = await self.client.get("Job", meta.name(wanted), meta.namespace(wanted))
            ref = meta.controller_of(job)
            if ref is None or ref.get("uid") != meta.uid(cronjob):
                return
        else:
            self._writes.note(key, job)
            self._events.event(cronjob, "Normal", "SuccessfulCreate", f"Created job {meta.name(job)}")
        cronjob["status"].setdefault("active", []).append(plan.reference(job))
        cronjob["status"]["lastScheduleTime"] = meta.format_time(at)

    async def _delete(self, key: str, cronjob: Object, job: Object) -> None:
        self._writes.note_deleted(key, meta.key(job))
        try:
            await self.client.delete("Job", meta.name(job), meta.namespace(job), propagation="Background")
        except ApiError as error:
            if error.reason != "NotFound":
                self._events.event(cronjob, "Warning", "FailedDelete", f"Deleted job: {error.message}")
                raise
        _drop(cronjob["status"], meta.uid(job))
        self._events.event(cronjob, "Normal", "SuccessfulDelete", f"Deleted job {meta.name(job)}")

    async def _write_status(self, key: str, cached: Object, cronjob: Object) -> None:
        if cronjob["status"] == (cached.get("status") or {}):
            return
        try:
            self._own_writes.note(key, await self.client.update_status(cronjob))
        except ApiError as error:
            if error.reason != "NotFound":
                raise


def _drop(status: Object, uid: str | None) -> None:
    kept = [ref for ref in status.get("active") or () if ref.get("uid") != uid]
    status.pop("active", None)
    if kept:
        status["active"] = kept
