"""Pods and Pod templates.

Upstream: ValidatePodSpec and ValidatePodUpdate in pkg/apis/core/validation/validation.go, the parts that a learner
meets. The refusal of an update names the fields that may change, but has no diff of the rest.
"""

from __future__ import annotations

import copy
from typing import Any

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.containers import validate_containers
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import items, mapping, objects, validate_labels, validate_metadata

_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_PATHS = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)"
)


def _volumes(volumes: Any, field: str) -> tuple[list[Cause], set[str]]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, volume in enumerate(objects(volumes)):
        at, name = f"{field}[{index}]", str(volume.get("name") or "")
        sources = sorted(k for k, v in volume.items() if k != "name" and v is not None)
        if not name:
            causes.append(fields.required(f"{at}.name"))
        else:
            causes += fields.each(f"{at}.name", name, fields.dns_label(name))
        if name in names:
            causes.append(fields.duplicate(f"{at}.name", name))
        names.add(name)
        causes += [fields.forbidden(f"{at}.{s}", "may not specify more than 1 volume type") for s in sources[1:]]
        if "hostPath" in sources and not mapping(volume["hostPath"]).get("path"):
            causes.append(fields.required(f"{at}.hostPath.path"))
        if "configMap" in sources and not mapping(volume["configMap"]).get("name"):
            causes.append(fields.required(f"{at}.configMap.name"))
        if "secret" in sources and not mapping(volume["secret"]).get("secretName"):
            causes.append(fields.required(f"{at}.secret.secretName"))
    return causes, names


def _tolerations(tolerations: Any, field: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, toleration in enumerate(objects(tolerations)):
        at, key, operator = f"{field}[{index}]", toleration.get("key"), toleration.get("operator")
        if key:
            causes += fields.each(f"{at}.key", key, fields.qualified_name(str(key)))
        elif operator != "Exists":
            text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            causes.append(fields.invalid(f"{at}.operator", operator or "", text))
        if operator == "Exists" and toleration.get("value"):
            text = "value must be empty when `operator` is 'Exists'"
            causes.append(fields.invalid(f"{at}.operator", toleration["value"], text))
        elif operator not in (None, "", "Equal", "Exists"):
            causes.append(fields.not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
        if (effect := toleration.get("effect")) and effect not in _EFFECTS:
            causes.append(fields.not_supported(f"{at}.effect", effect, _EFFECTS))
    return causes


def _names(spec: Object, field: str) -> list[Cause]:
    causes: list[Cause] = []
    rules = (
        ("serviceAccountName", fields.dns_subdomain), ("nodeName", fields.dns_subdomain),
        ("hostname", fields.dns_label), ("subdomain", fields.dns_label),
    )  # fmt: skip
    for name, rule in rules:
        if value := spec.get(name):
            causes += fields.each(f"{field}.{name}", value, rule(str(value)))
    return causes


def _host_aliases(spec: Object, field: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, alias in enumerate(objects(spec.get("hostAliases"))):
        at = f"{field}.hostAliases[{index}]"
        causes += fields.each(f"{at}.ip", alias.get("ip") or "", fields.ip(alias.get("ip") or ""))
        for number, name in enumerate(items(alias.get("hostnames"))):
            causes += fields.each(f"{at}.hostnames[{number}]", name, fields.dns_subdomain(str(name)))
    return causes


def validate_pod_spec(spec: Object, field: str) -> list[Cause]:
    """A PodSpec at ``field``: ``spec`` or ``spec.template.spec``."""
    causes, volumes = _volumes(spec.get("volumes"), f"{field}.volumes")
    causes += validate_containers(spec, field, volumes)
    policy = spec.get("restartPolicy")
    causes += fields.one_of(f"{field}.restartPolicy", policy or "Always", _RESTART_POLICIES)
    causes += fields.one_of(f"{field}.dnsPolicy", spec.get("dnsPolicy") or "ClusterFirst", _DNS_POLICIES)
    if spec.get("dnsPolicy") == "None" and not mapping(spec.get("dnsConfig")).get("nameservers"):
        text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        causes.append(fields.required(f"{field}.dnsConfig.nameservers", text))
    causes += validate_labels(spec.get("nodeSelector"), f"{field}.nodeSelector")
    causes += _names(spec, field)
    causes += _tolerations(spec.get("tolerations"), f"{field}.tolerations")
    causes += _host_aliases(spec, field)
    seconds = spec.get("activeDeadlineSeconds")
    if isinstance(seconds, int) and not 1 <= seconds <= 2**31 - 1:
        text = "must be between 1 and 2147483647, inclusive"
        causes.append(fields.invalid(f"{field}.activeDeadlineSeconds", seconds, text))
    return causes


def validate_template(template: Any, field: str) -> list[Cause]:
    """A PodTemplateSpec: labels, annotations and spec."""
    metadata = mapping(mapping(template).get("metadata"))
    causes = validate_labels(metadata.get("labels"), f"{field}.labels")
    return causes + validate_pod_spec(mapping(mapping(template).get("spec")), f"{field}.spec")


def _frozen(spec: Object) -> Object:
    """The spec without what an update may change, and without what is empty."""
    kept = copy.deepcopy(spec)
    for name in ("containers", "initContainers", "ephemeralContainers"):
        for container in objects(kept.get(name)):
            container.pop("image", None)
    free = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
    return {k: v for k, v in kept.items() if k not in free and v not in ({}, [], None, "", False)}


def _may_become(spec: Object, old_spec: Object) -> bool:
    """Whether an update changes only what it may."""
    if _frozen(spec) != _frozen(old_spec):
        return False
    tolerations = items(spec.get("tolerations"))
    if not all(t in tolerations for t in items(old_spec.get("tolerations"))):
        return False
    grace, old_grace = spec.get("terminationGracePeriodSeconds"), old_spec.get("terminationGracePeriodSeconds")
    return grace == old_grace or (grace == 1 and isinstance(old_grace, int) and old_grace < 0)


def _update(obj: Object, old: Object) -> list[Cause]:
    spec, old_spec = mapping(obj.get("spec")), mapping(old.get("spec"))
    causes: list[Cause] = []
    for name in ("containers", "initContainers"):
        if len(objects(spec.get(name))) != len(objects(old_spec.get(name))):
            text = f"pod updates may not add or remove {'containers' if name == 'containers' else 'init containers'}"
            causes.append(fields.forbidden(f"spec.{name}", text))
    if not causes and not _may_become(spec, old_spec):
        causes.append(fields.forbidden("spec", f"pod updates may not change fields other than {_PATHS}"))
    return causes


def validate_pod(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a Pod. Writes of status, binding and ephemeral containers follow their own rules."""
    if subresource:
        return []
    causes = validate_metadata(obj, fields.dns_subdomain) + validate_pod_spec(mapping(obj.get("spec")), "spec")
    return causes + (_update(obj, old) if old is not None else [])
