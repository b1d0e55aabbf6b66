"""Defaults of StatefulSets, Jobs, CronJobs and ReplicationControllers, and the selector that a Job gets.

Upstream: pkg/apis/{apps,batch,core}/v1/defaults.go, generateSelector in pkg/registry/batch/job/strategy.go.
"""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.apiserver.strategy.pod_defaults import default_template

CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
OLD_CONTROLLER_UID, OLD_JOB_NAME = "controller-uid", "job-name"
_MAX_INT32 = 2**31 - 1


def _child(obj: Object, field: str) -> Object:
    child: Object = obj.get(field) or {}
    obj[field] = child
    return child


def _set(spec: Object, **values: object) -> None:
    for field, value in values.items():
        if spec.get(field) is None:
            spec[field] = value


def default_statefulset(obj: Object) -> None:
    """apps/v1 SetDefaults_StatefulSet."""
    spec = _child(obj, "spec")
    default_template(_child(spec, "template"))
    spec["podManagementPolicy"] = spec.get("podManagementPolicy") or "OrderedReady"
    strategy = _child(spec, "updateStrategy")
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        _set(_child(strategy, "rollingUpdate"), partition=0)
    retention = _child(spec, "persistentVolumeClaimRetentionPolicy")
    for field in ("whenDeleted", "whenScaled"):
        retention[field] = retention.get(field) or "Retain"
    _set(spec, replicas=1, revisionHistoryLimit=10)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim["kind"], claim["apiVersion"] = "PersistentVolumeClaim", "v1"
        _set(_child(claim, "spec"), volumeMode="Filesystem")
        status = _child(claim, "status")
        status["phase"] = status.get("phase") or "Pending"


def _default_job_spec(spec: Object) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _set(
        spec,
        parallelism=1,
        backoffLimit=6 if spec.get("backoffLimitPerIndex") is None else _MAX_INT32,
        completionMode="NonIndexed",
        suspend=False,
        manualSelector=False,
        podReplacementPolicy="TerminatingOrFailed" if spec.get("podFailurePolicy") is None else "Failed",
    )


def _default_failure_policy(spec: Object) -> None:
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern["status"] = pattern.get("status") or "True"


def _default_labels(obj: Object) -> None:
    """An object without labels takes those of its template (SetDefaults_Job, SetDefaults_ReplicationController)."""
    labels = (obj["spec"]["template"].get("metadata") or {}).get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


def default_job(obj: Object) -> None:
    """batch/v1 SetDefaults_Job."""
    spec = _child(obj, "spec")
    default_template(_child(spec, "template"))
    _default_job_spec(spec)
    _default_failure_policy(spec)
    _default_labels(obj)


def default_cronjob(obj: Object) -> None:
    """batch/v1 SetDefaults_CronJob. The Job's own defaults come when it is created; those of its Pods come now."""
    spec = _child(obj, "spec")
    spec["concurrencyPolicy"] = spec.get("concurrencyPolicy") or "Allow"
    _set(spec, suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template = _child(spec, "jobTemplate")
    template.setdefault("metadata", {})
    job_spec = _child(template, "spec")
    default_template(_child(job_spec, "template"))
    _default_failure_policy(job_spec)


def default_replicationcontroller(obj: Object) -> None:
    """core/v1 SetDefaults_ReplicationController: selector and labels come from the template."""
    spec = _child(obj, "spec")
    _set(spec, replicas=1)
    if not isinstance(spec.get("template"), dict):
        return
    default_template(spec["template"])
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels and not spec.get("selector"):
        spec["selector"] = dict(labels)
    _default_labels(obj)


def generate_job_selector(job: Object) -> None:
    """Give a new Job the selector of its uid, and its template the labels, unless they are written by hand."""
    spec = job["spec"]
    if spec.get("manualSelector"):
        return
    uid, name = meta.uid(job), meta.name(job)
    labels = _child(_child(spec["template"], "metadata"), "labels")
    # In Go the labels of the Job and of its template are one map where the former were defaulted from the latter.
    shared = not meta.labels(job) or meta.labels(job) == labels
    for key, value in ((CONTROLLER_UID, uid), (JOB_NAME, name), (OLD_CONTROLLER_UID, uid), (OLD_JOB_NAME, name)):
        labels.setdefault(key, value)
    _child(_child(spec, "selector"), "matchLabels").setdefault(CONTROLLER_UID, uid)
    if shared:
        job["metadata"]["labels"] = dict(labels)
