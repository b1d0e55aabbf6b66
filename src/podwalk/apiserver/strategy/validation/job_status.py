"""Writes of a Job's status.

Upstream: ValidateJobUpdateStatus in pkg/apis/batch/validation, with the checks that getStatusValidationOptions turns
on for every Job that its own controller runs.
"""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.indexes import count_indexes
from podwalk.apiserver.strategy.validation.metadata import mapping, objects

_CONDITIONS = "status.conditions"


def _true(job: Object) -> set[str]:
    found = objects(mapping(job.get("status")).get("conditions"))
    return {str(c.get("type")) for c in found if c.get("status") == "True"}


def _clashes(true: set[str]) -> list[Cause]:
    rules = (
        ("Complete", "Failed", "cannot set Complete=True and Failed=true conditions"),
        ("Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions"),
        ("SuccessCriteriaMet", "Failed", "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
        ("SuccessCriteriaMet", "FailureTarget", "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
    )
    return [fields.invalid_only(_CONDITIONS, text) for one, other, text in rules if {one, other} <= true]


def _needs(true: set[str]) -> list[Cause]:
    rules = (
        ("Failed", "FailureTarget", "cannot set Failed=True condition without the FailureTarget=true condition"),
        ("Complete", "SuccessCriteriaMet",
         "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"),
    )  # fmt: skip
    return [fields.invalid_only(_CONDITIONS, text) for one, other, text in rules if one in true and other not in true]


def _times(status: Object, true: set[str]) -> list[Cause]:
    start, end = status.get("startTime"), status.get("completionTime")
    field = "status.completionTime"
    causes: list[Cause] = []
    if end and "Complete" not in true:
        causes.append(fields.invalid(field, end, "cannot set completionTime when there is no Complete=True condition"))
    if not end and "Complete" in true:
        causes.append(fields.required(field, "completionTime is required for Complete jobs"))
    if start and end and end < start:
        causes.append(fields.invalid(field, end, "completionTime cannot be set before startTime"))
    return causes


def _finished(status: Object) -> list[Cause]:
    causes: list[Cause] = []
    active = status.get("active") or 0
    if active > 0:
        causes.append(fields.invalid("status.active", active, "active>0 is invalid for finished job"))
    if not status.get("startTime"):
        causes.append(fields.required("status.startTime", "startTime is required for finished job"))
    uncounted = mapping(status.get("uncountedTerminatedPods"))
    if uncounted.get("succeeded") or uncounted.get("failed"):
        text = "uncountedTerminatedPods needs to be empty for finished job"
        causes.append(fields.invalid("status.uncountedTerminatedPods", uncounted, text))
    if (terminating := status.get("terminating") or 0) > 0:
        causes.append(fields.invalid("status.terminating", terminating, "terminating>0 is invalid for finished job"))
    return causes


def _indexes(job: Object, status: Object) -> list[Cause]:
    spec, causes = mapping(job.get("spec")), list[Cause]()
    for name in ("completedIndexes", "failedIndexes"):
        if (found := status.get(name)) and spec.get("completions") is not None:
            try:
                count_indexes(str(found), int(spec["completions"]))
            except ValueError as error:
                causes.append(fields.invalid(f"status.{name}", found, f"error parsing {name}: {error}"))
    if status.get("completedIndexes") and spec.get("completionMode") != "Indexed":
        text = "cannot set non-empty completedIndexes when non-indexed completion mode"
        causes.append(fields.invalid("status.completedIndexes", status["completedIndexes"], text))
    return causes


def _changes(job: Object, status: Object, before: Object, true: set[str], was_true: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    for kind in ("Failed", "Complete", "FailureTarget"):
        if kind in was_true and kind not in true:
            causes.append(fields.invalid_only(_CONDITIONS, f"cannot disable the terminal {kind}=True condition"))
    for name in ("failed", "succeeded"):
        if (status.get(name) or 0) < (before.get(name) or 0):
            text = f"cannot decrease the {name} counter"
            causes.append(fields.invalid(f"status.{name}", status.get(name) or 0, text))
    end, was_end = status.get("completionTime"), before.get("completionTime")
    if end and was_end and end != was_end:
        causes.append(fields.invalid("status.completionTime", end, "completionTime cannot be mutated"))
    start, was_start = status.get("startTime"), before.get("startTime")
    if was_start and start != was_start and not mapping(job.get("spec")).get("suspend"):
        causes.append(fields.required("status.startTime", "startTime cannot be removed for unsuspended job"))
    if "SuccessCriteriaMet" in was_true and "SuccessCriteriaMet" not in true:
        text = "cannot disable the SuccessCriteriaMet=True condition"
        causes.append(fields.invalid_only(_CONDITIONS, text))
    return causes


def validate_job_status(job: Object, old: Object) -> list[Cause]:
    """The complaints about a write to a Job's status."""
    status, before = mapping(job.get("status")), mapping(old.get("status"))
    true, was_true = _true(job), _true(old)
    causes = [
        fields.invalid(f"status.{n}", status[n], fields.NON_NEGATIVE)
        for n in ("active", "succeeded", "failed", "ready", "terminating")
        if isinstance(status.get(n), int) and status[n] < 0
    ]
    causes += _clashes(true)[:2] + _times(status, true) + _needs(true)
    if true & {"Complete", "Failed"}:
        causes += _finished(status)
    causes += _indexes(job, status)
    if (ready := status.get("ready") or 0) > (status.get("active") or 0):
        causes.append(fields.invalid("status.ready", ready, "cannot set more ready pods than active"))
    causes += [c for c in _clashes(true) if "SuccessCriteriaMet" in c["message"]]
    return causes + _changes(job, status, before, true, was_true)
