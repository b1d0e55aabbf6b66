"""StatefulSets, ControllerRevisions, ReplicationControllers.

Upstream: pkg/apis/apps/validation and ValidateReplicationController in pkg/apis/core/validation.
"""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import (
    immutable,
    mapping,
    selects,
    strings,
    validate_annotations,
    validate_labels,
    validate_metadata,
    validate_selector,
)
from podwalk.apiserver.strategy.validation.pods import validate_template
from podwalk.apiserver.strategy.validation.workloads import int_or_percent, non_negative, over_hundred_percent

_MISMATCH = "`selector` does not match template `labels`"
_FREE = (
    "replicas",
    "template",
    "updateStrategy",
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "revisionHistoryLimit",
)
_FORBIDDEN = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def _strategy(spec: Object) -> list[Cause]:
    strategy, field = mapping(spec.get("updateStrategy")), "spec.updateStrategy"
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    shown = rolling and {"Partition": rolling.get("partition", 0), "MaxUnavailable": rolling.get("maxUnavailable")}
    if not kind:
        return [fields.required(field)]
    if kind == "OnDelete":
        text = "only allowed for updateStrategy 'RollingUpdate'"
        return [] if rolling is None else [fields.invalid(f"{field}.rollingUpdate", shown, text)]
    if kind != "RollingUpdate":
        text = "must be 'RollingUpdate' or 'OnDelete'"
        return [fields.invalid(field, {"Type": kind, "RollingUpdate": shown}, text)]
    at = f"{field}.rollingUpdate"
    causes = [
        fields.invalid(f"{at}.partition", value, fields.NON_NEGATIVE)
        for value in (mapping(rolling).get("partition"),)
        if isinstance(value, int) and value < 0
    ]
    unavailable = mapping(rolling).get("maxUnavailable")
    if unavailable is not None:
        causes += int_or_percent(unavailable, f"{at}.maxUnavailable")
        causes += over_hundred_percent(unavailable, f"{at}.maxUnavailable")
        if unavailable in (0, "0%"):
            causes.append(fields.invalid(f"{at}.maxUnavailable", unavailable, "cannot be 0"))
    return causes


def _template(spec: Object) -> list[Cause]:
    template = mapping(spec.get("template"))
    metadata, selector = mapping(template.get("metadata")), mapping(spec.get("selector"))
    causes: list[Cause] = []
    wanted = bool(selector.get("matchLabels") or selector.get("matchExpressions")) or spec.get("selector") is None
    if wanted and not selects(spec.get("selector"), metadata.get("labels")):
        labels = strings(metadata.get("labels")) or None
        causes.append(fields.invalid("spec.template.metadata.labels", labels, _MISMATCH))
    # The rest of the template is judged when its Pods are made: their volumes may come from claims.
    causes += validate_labels(metadata.get("labels"), "spec.template.labels")
    causes += validate_annotations(metadata.get("annotations"), "spec.template.annotations")
    pod = mapping(template.get("spec"))
    if pod.get("restartPolicy") != "Always":
        causes.append(fields.not_supported("spec.template.spec.restartPolicy", pod.get("restartPolicy"), ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        text = "activeDeadlineSeconds in StatefulSet is not Supported"
        causes.append(fields.forbidden("spec.template.spec.activeDeadlineSeconds", text))
    return causes


def _statefulset_spec(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    policy = spec.get("podManagementPolicy")
    if not policy:
        causes.append(fields.required("spec.podManagementPolicy"))
    elif policy not in ("OrderedReady", "Parallel"):
        text = "must be 'OrderedReady' or 'Parallel'"
        causes.append(fields.invalid("spec.podManagementPolicy", policy, text))
    causes += _strategy(spec)
    retention = mapping(spec.get("persistentVolumeClaimRetentionPolicy"))
    for name in ("whenDeleted", "whenScaled") if retention else ():
        if retention.get(name) not in ("Retain", "Delete"):
            at = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
            causes.append(fields.not_supported(at, retention.get(name) or "", ("Retain", "Delete")))
    causes += non_negative(spec, "replicas", "minReadySeconds")
    start = mapping(spec.get("ordinals")).get("start")
    if isinstance(start, int) and start < 0:
        causes.append(fields.invalid("spec.ordinals.start", start, fields.NON_NEGATIVE))
    causes += non_negative(spec, "revisionHistoryLimit")
    if service := spec.get("serviceName"):
        causes += fields.each("spec.serviceName", service, fields.dns_label(str(service)))
    selector = spec.get("selector")
    if selector is None:
        causes.append(fields.required("spec.selector"))
    else:
        causes += validate_selector(selector, "spec.selector")
        if not mapping(selector).get("matchLabels") and not mapping(selector).get("matchExpressions"):
            causes.append(fields.invalid("spec.selector", {}, "empty selector is invalid for statefulset"))
    return causes + _template(spec)


def _statefulset_status(obj: Object, old: Object) -> list[Cause]:
    status = mapping(obj.get("status"))
    names = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas",
             "observedGeneration", "collisionCount")  # fmt: skip
    causes = [
        fields.invalid(f"status.{n}", status[n], fields.NON_NEGATIVE)
        for n in names
        if isinstance(status.get(n), int) and status[n] < 0
    ]
    for name in names[1:5]:
        if (value := status.get(name) or 0) > (status.get("replicas") or 0):
            causes.append(fields.invalid(f"status.{name}", value, "cannot be greater than status.replicas"))
    available = status.get("availableReplicas") or 0
    if available > (status.get("readyReplicas") or 0):
        text = "cannot be greater than status.readyReplicas"
        causes.append(fields.invalid("status.availableReplicas", available, text))
    if (status.get("collisionCount") or 0) < (mapping(old.get("status")).get("collisionCount") or 0):
        count = status.get("collisionCount") or 0
        causes.append(fields.invalid("status.collisionCount", count, "cannot be decremented"))
    return causes


def validate_statefulset(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a StatefulSet."""
    spec = mapping(obj.get("spec"))
    if subresource == "status":
        return _statefulset_status(obj, mapping(old))
    if subresource:
        return non_negative(spec, "replicas")
    causes = validate_metadata(obj, fields.dns_label if old is None else fields.dns_subdomain)
    causes += _statefulset_spec(spec)
    if old is not None:
        before = mapping(old.get("spec"))
        kept = [{k: v for k, v in s.items() if k not in _FREE} for s in (spec, before)]
        if kept[0] != kept[1]:
            causes.append(fields.forbidden("spec", _FORBIDDEN))
    return causes


def validate_controllerrevision(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a ControllerRevision: its data never changes."""
    del subresource
    causes = validate_metadata(obj, fields.dns_subdomain)
    if obj.get("data") is None:
        causes.append(fields.required("data", "data is mandatory"))
    if isinstance(obj.get("revision"), int) and obj["revision"] < 0:
        causes.append(fields.invalid("revision", obj["revision"], fields.NON_NEGATIVE))
    return causes + ([] if old is None else immutable("data", obj.get("data"), old.get("data")))


def validate_replicationcontroller(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a ReplicationController."""
    del old
    spec = mapping(obj.get("spec"))
    if subresource:
        return non_negative(spec, "replicas") if subresource == "scale" else []
    causes = validate_metadata(obj, fields.dns_subdomain) + non_negative(spec, "minReadySeconds")
    if not spec.get("selector"):
        causes.append(fields.required("spec.selector"))
    causes += non_negative(spec, "replicas")
    template = spec.get("template")
    if template is None:
        return [*causes, fields.required("spec.template")]
    labels = strings(mapping(mapping(template).get("metadata")).get("labels"))
    wanted = strings(spec.get("selector"))
    if wanted and any(labels.get(k) != v for k, v in wanted.items()):
        causes.append(fields.invalid("spec.template.metadata.labels", labels or None, _MISMATCH))
    causes += validate_template(template, "spec.template")
    pod = mapping(mapping(template).get("spec"))
    if pod.get("restartPolicy") != "Always":
        causes.append(fields.not_supported("spec.template.spec.restartPolicy", pod.get("restartPolicy"), ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        text = "activeDeadlineSeconds in ReplicationController is not Supported"
        causes.append(fields.forbidden("spec.template.spec.activeDeadlineSeconds", text))
    return causes
