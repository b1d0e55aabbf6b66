"""Jobs and CronJobs.

Upstream: pkg/apis/batch/validation/validation.go.
"""

from __future__ import annotations

from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.cron import validate_schedule, validate_time_zone
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.internal import pod_template
from podwalk.apiserver.strategy.validation.job_policies import validate_failure_policy, validate_success_policy
from podwalk.apiserver.strategy.validation.job_status import validate_job_status
from podwalk.apiserver.strategy.validation.metadata import (
    immutable,
    mapping,
    selects,
    strings,
    validate_metadata,
    validate_selector,
)
from podwalk.apiserver.strategy.validation.pods import validate_template

_UID_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_NAME_LABELS = ("batch.kubernetes.io/job-name", "job-name")
_MAX_PARALLEL = 100_000
_MANY_COMPLETIONS, _MAX_PARALLEL_OF_MANY, _MAX_FAILED_OF_MANY = 100_000, 10_000, 10_000
_MAX_CRONJOB_NAME = 52
_MODES = ("NonIndexed", "Indexed")
_NUMBERS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
            "backoffLimitPerIndex", "maxFailedIndexes")  # fmt: skip


def _non_negative(spec: Object, field: str, *names: str) -> list[Cause]:
    return [
        fields.invalid(f"{field}.{n}", spec[n], fields.NON_NEGATIVE)
        for n in names
        if isinstance(spec.get(n), int) and spec[n] < 0
    ]


def _managed_by(spec: Object, field: str) -> list[Cause]:
    manager = spec.get("managedBy")
    if manager is None:
        return []
    causes = fields.domain_prefixed_path(f"{field}.managedBy", str(manager))
    return causes + ([fields.too_long(f"{field}.managedBy", 63)] if len(str(manager)) > 63 else [])


def _indexed(spec: Object, field: str) -> list[Cause]:
    causes: list[Cause] = []
    completions, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    failed = spec.get("maxFailedIndexes")
    if completions is None:
        causes.append(fields.required(f"{field}.completions", "when completion mode is Indexed"))
    if parallelism > _MAX_PARALLEL:
        text = f"must be less than or equal to {_MAX_PARALLEL} when completion mode is Indexed"
        causes.append(fields.invalid(f"{field}.parallelism", parallelism, text))
    if completions is not None and failed is not None and failed > completions:
        text = "must be less than or equal to completions"
        causes.append(fields.invalid(f"{field}.maxFailedIndexes", failed, text))
    if failed is not None and failed > _MAX_PARALLEL:
        text = f"must be less than or equal to {_MAX_PARALLEL}"
        causes.append(fields.invalid(f"{field}.maxFailedIndexes", failed, text))
    if (completions or 0) > _MANY_COMPLETIONS and spec.get("backoffLimitPerIndex") is not None:
        above = f"completions are above {_MANY_COMPLETIONS} and used with backoff limit per index"
        if failed is None:
            text = f"must be specified when completions is above {_MANY_COMPLETIONS}"
            causes.append(fields.required(f"{field}.maxFailedIndexes", text))
        for name, value, limit in (
            ("parallelism", parallelism, _MAX_PARALLEL_OF_MANY),
            ("maxFailedIndexes", failed or 0, _MAX_FAILED_OF_MANY),
        ):
            if value > limit:
                text = f"must be less than or equal to {limit} when {above}"
                causes.append(fields.invalid(f"{field}.{name}", value, text))
    return causes


def _mode(spec: Object, field: str) -> list[Cause]:
    mode = spec.get("completionMode")
    causes: list[Cause] = []
    if mode is not None and mode not in _MODES:
        causes.append(fields.not_supported(f"{field}.completionMode", mode, sorted(_MODES)))
    if mode == "Indexed":
        causes += _indexed(spec, field)
    if mode in (None, "NonIndexed"):
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(name) is not None:
                causes.append(fields.invalid(f"{field}.{name}", spec[name], "requires indexed completion mode"))
    return causes


def _restart_policy(spec: Object, field: str) -> list[Cause]:
    at = f"{field}.template.spec.restartPolicy"
    policy = mapping(mapping(spec.get("template")).get("spec")).get("restartPolicy") or "Always"
    if policy == "Always":
        return [fields.required(at, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [fields.not_supported(at, policy, ("OnFailure", "Never"))]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        return [fields.invalid(at, policy, text)]
    return []


def _job_spec(spec: Object, field: str) -> list[Cause]:
    causes = _non_negative(spec, field, *_NUMBERS)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        causes.append(fields.required(f"{field}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    causes += _managed_by(spec, field) + _mode(spec, field)
    causes += validate_failure_policy(spec, f"{field}.podFailurePolicy")
    causes += validate_success_policy(spec, f"{field}.successPolicy")
    policy = spec.get("podReplacementPolicy")
    if policy is not None:
        allowed = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
        if policy not in allowed:
            causes.append(fields.not_supported(f"{field}.podReplacementPolicy", policy, allowed))
    causes += validate_template(spec.get("template"), f"{field}.template")
    return causes + _restart_policy(spec, field)


def _has_label(labels: dict[str, str], key: str, value: str) -> list[Cause]:
    field = f"spec.template.metadata.labels[{key}]"
    if key not in labels:
        return [fields.required(field, f"must be '{value}'")]
    return [] if labels[key] == value else [fields.invalid(field, labels, f"must be '{value}'")]


def _generated_selector(job: Object) -> list[Cause]:
    spec = mapping(job.get("spec"))
    if spec.get("manualSelector") or spec.get("selector") is None:
        return []
    uid, name = meta.uid(job), meta.name(job)
    labels = strings(mapping(mapping(spec.get("template")).get("metadata")).get("labels"))
    causes: list[Cause] = []
    for key, value in ((_NAME_LABELS[0], name), (_UID_LABELS[0], uid), (_UID_LABELS[1], uid), (_NAME_LABELS[1], name)):
        causes += _has_label(labels, key, value)
    expected = {**dict.fromkeys(_UID_LABELS, uid), **dict.fromkeys(_NAME_LABELS, name)}
    if not selects(spec["selector"], expected):
        causes.append(fields.invalid("spec.selector", spec["selector"], "`selector` not auto-generated"))
    return causes


def _selected(spec: Object) -> list[Cause]:
    selector = spec.get("selector")
    if selector is None:
        return [fields.required("spec.selector")]
    causes = validate_selector(selector, "spec.selector")
    labels = mapping(mapping(spec.get("template")).get("metadata")).get("labels")
    if not selects(selector, labels):
        text = "`selector` does not match template `labels`"
        causes.append(fields.invalid("spec.template.metadata.labels", strings(labels) or None, text))
    return causes


def _without_scheduling(template: Any) -> Object:
    """A template without what a Job that has not begun may still change: where its Pods go."""
    metadata, spec = dict(mapping(mapping(template).get("metadata"))), dict(mapping(mapping(template).get("spec")))
    for field in ("nodeSelector", "tolerations", "schedulingGates"):
        spec.pop(field, None)
    affinity = {k: v for k, v in mapping(spec.pop("affinity", None)).items() if k != "nodeAffinity"}
    for field in ("labels", "annotations"):
        metadata.pop(field, None)
    return {"metadata": metadata, "spec": {**spec, "affinity": affinity}}


def _updated(obj: Object, old: Object) -> list[Cause]:
    spec, before = mapping(obj.get("spec")), mapping(old.get("spec"))
    causes: list[Cause] = []
    completions = spec.get("completions")
    if spec.get("completionMode") != "Indexed":
        causes += immutable("spec.completions", completions, before.get("completions"))
    elif completions is not None and completions not in (before.get("completions"), spec.get("parallelism")):
        text = "can only be modified in tandem with spec.parallelism"
        causes.append(fields.invalid("spec.completions", completions, text))
    causes += immutable("spec.selector", spec.get("selector"), before.get("selector"))
    status = mapping(old.get("status"))
    movable = bool(before.get("suspend")) and status.get("startTime") is None
    kept = _without_scheduling if movable else mapping
    if kept(spec.get("template")) != kept(before.get("template")):
        causes.append(fields.invalid("spec.template", pod_template(mapping(spec.get("template"))), fields.IMMUTABLE))
    for name in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        causes += immutable(f"spec.{name}", spec.get(name), before.get(name))
    return causes


def validate_job(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a Job."""
    if subresource:
        return validate_job_status(obj, mapping(old)) if subresource == "status" else []
    spec = mapping(obj.get("spec"))
    causes = validate_metadata(obj, fields.dns_subdomain)
    if old is None:
        causes += _generated_selector(obj)
    causes += _job_spec(spec, "spec") + _selected(spec)
    if old is not None:
        return causes + _updated(obj, old)
    if spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
        host = f"{meta.name(obj)}-{spec['completions'] - 1}"
        if fields.dns_label(host):
            text = f"will not able to create pod with invalid DNS label: {host}"
            causes.append(fields.invalid("metadata.name", meta.name(obj), text))
    return causes


def validate_cronjob(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a CronJob."""
    if subresource:
        return []
    spec, before = mapping(obj.get("spec")), mapping(mapping(old).get("spec"))
    causes = validate_metadata(obj, fields.dns_subdomain)
    schedule = str(spec.get("schedule") or "")
    if not schedule:
        causes.append(fields.required("spec.schedule"))
    else:
        causes += validate_schedule(schedule, "spec.schedule", spec.get("timeZone"), str(before.get("schedule") or ""))
    causes += _non_negative(spec, "spec", "startingDeadlineSeconds")
    if old is None or spec.get("timeZone") != before.get("timeZone"):
        causes += validate_time_zone(spec.get("timeZone"), "spec.timeZone")
    allowed = ("Allow", "Forbid", "Replace")
    causes += fields.one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), allowed)
    job_spec = mapping(mapping(spec.get("jobTemplate")).get("spec"))
    causes += _job_spec(job_spec, "spec.jobTemplate.spec")
    if job_spec.get("selector") is not None:
        text = "`selector` will be auto-generated"
        causes.append(fields.invalid("spec.jobTemplate.spec.selector", job_spec["selector"], text))
    if job_spec.get("manualSelector"):
        causes.append(fields.not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))
    causes += _non_negative(spec, "spec", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    if old is None and len(meta.name(obj)) > _MAX_CRONJOB_NAME:
        text = f"must be no more than {_MAX_CRONJOB_NAME} characters"
        causes.append(fields.invalid("metadata.name", meta.name(obj), text))
    return causes
