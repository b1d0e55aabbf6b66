"""Pods and Pod templates.

Upstream: ValidatePodSpec and ValidatePodUpdate in pkg/apis/core/validation/validation.go, the parts that a learner
meets.
"""

from __future__ import annotations

import copy
from typing import Any

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields, internal
from podwalk.apiserver.strategy.validation.containers import (
    validate_containers,
    validate_host_network,
    validate_images,
)
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import (
    items,
    mapping,
    objects,
    validate_annotations,
    validate_labels,
    validate_metadata,
)
from podwalk.apiserver.strategy.validation.scheduling import validate_affinity, validate_spread, validate_tolerations
from podwalk.apiserver.strategy.validation.security import validate_pod_security
from podwalk.apiserver.strategy.validation.volumes import validate_volumes

_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_MAX_SERVERS, _MAX_SEARCHES, _MAX_SEARCH_CHARS = 3, 32, 2048
_PATHS = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)"
)


def _names(spec: Object, field: str, *names: str) -> list[Cause]:
    causes: list[Cause] = []
    for name in names:
        rule = fields.dns_label if name in ("hostname", "subdomain") else fields.dns_subdomain
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


def _dns_config(spec: Object, at: str) -> list[Cause]:
    config = spec.get("dnsConfig")
    given = mapping(config)
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [fields.required(at, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not items(given.get("nameservers")):
            text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [fields.required(f"{at}.nameservers", text)]
    causes: list[Cause] = []
    servers, searches = items(given.get("nameservers")), [str(s) for s in items(given.get("searches"))]
    if len(servers) > _MAX_SERVERS:
        text = f"must not have more than {_MAX_SERVERS} nameservers"
        causes.append(fields.invalid(f"{at}.nameservers", servers, text))
    for index, server in enumerate(servers):
        causes += fields.each(f"{at}.nameservers[{index}]", server, fields.ip(server))
    if len(searches) > _MAX_SEARCHES:
        text = f"must not have more than {_MAX_SEARCHES} search paths"
        causes.append(fields.invalid(f"{at}.searches", searches, text))
    if len(" ".join(searches)) > _MAX_SEARCH_CHARS:
        text = f"must not have more than {_MAX_SEARCH_CHARS} characters (including spaces) in the search list"
        causes.append(fields.invalid(f"{at}.searches", searches, text))
    for index, search in enumerate(searches):
        if search != ".":
            name = search.removesuffix(".")
            causes += fields.each(f"{at}.searches[{index}]", name, fields.dns_subdomain(name.replace("_", "a")))
    for index, option in enumerate(objects(given.get("options"))):
        if not option.get("name"):
            causes.append(fields.required(f"{at}.options[{index}]", "must not be empty"))
    return causes


def _gates(spec: Object, field: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, gate in enumerate(objects(spec.get("readinessGates"))):
        kind = str(gate.get("conditionType") or "")
        causes += fields.each(f"{field}.readinessGates[{index}].conditionType", kind, fields.qualified_name(kind))
    seen: set[str] = set()
    for index, gate in enumerate(objects(spec.get("schedulingGates"))):
        name, at = str(gate.get("name") or ""), f"{field}.schedulingGates[{index}]"
        causes += fields.each(at, name, fields.qualified_name(name))
        if name in seen:
            causes.append(fields.duplicate(at, name))
        seen.add(name)
    return causes


def validate_pod_spec(spec: Object, field: str, *, of_pod: bool = False) -> list[Cause]:
    """A PodSpec at ``field``: ``spec``, with ``of_pod``, or ``spec.template.spec``."""
    causes, volumes = validate_volumes(spec.get("volumes"), f"{field}.volumes")
    causes += validate_containers(spec, field, volumes)
    causes += validate_host_network(spec, field, of_pod=of_pod)
    causes += fields.one_of(f"{field}.restartPolicy", spec.get("restartPolicy") or "Always", _RESTART_POLICIES)
    causes += fields.one_of(f"{field}.dnsPolicy", spec.get("dnsPolicy") or "ClusterFirst", _DNS_POLICIES)
    causes += validate_labels(spec.get("nodeSelector"), f"{field}.nodeSelector")
    causes += validate_pod_security(spec, field)
    causes += validate_affinity(spec.get("affinity"), f"{field}.affinity")
    causes += _dns_config(spec, f"{field}.dnsConfig") + _gates(spec, field)
    causes += validate_spread(spec.get("topologySpreadConstraints"), f"{field}.topologySpreadConstraints")
    causes += _names(spec, field, "serviceAccountName", "nodeName")
    seconds = spec.get("activeDeadlineSeconds")
    if isinstance(seconds, int) and not 1 <= seconds <= 2**31 - 1:
        text = "must be between 1 and 2147483647, inclusive"
        causes.append(fields.invalid(f"{field}.activeDeadlineSeconds", seconds, text))
    causes += _names(spec, field, "hostname", "subdomain")
    causes += validate_tolerations(spec.get("tolerations"), f"{field}.tolerations")
    causes += _host_aliases(spec, field)
    causes += _names(spec, field, "priorityClassName", "runtimeClassName")
    policy = spec.get("preemptionPolicy")
    if policy is not None:
        causes += fields.one_of(f"{field}.preemptionPolicy", policy, ("PreemptLowerPriority", "Never"))
    return causes


def validate_template(template: Any, field: str) -> list[Cause]:
    """A PodTemplateSpec: labels, annotations and spec."""
    metadata = mapping(mapping(template).get("metadata"))
    spec = mapping(mapping(template).get("spec"))
    causes = validate_labels(metadata.get("labels"), f"{field}.labels")
    causes += validate_annotations(metadata.get("annotations"), f"{field}.annotations")
    causes += validate_pod_spec(spec, f"{field}.spec")
    if spec.get("ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        causes.append(fields.forbidden(f"{field}.spec.ephemeralContainers", text))
    return causes


def _comparable(spec: Object) -> Object:
    """The spec without what is empty: an empty field and an absent one are the same."""
    return {k: v for k, v in spec.items() if v not in ({}, [], None, "", False)}


def _munged(spec: Object, old_spec: Object) -> Object:
    """The new spec with everything put back that an update may change: what still differs is forbidden."""
    kept = copy.deepcopy(spec)
    for name in ("containers", "initContainers"):
        for container, old in zip(objects(kept.get(name)), objects(old_spec.get(name)), strict=False):
            container["image"] = old.get("image", "")
    grace, old_grace = spec.get("terminationGracePeriodSeconds"), old_spec.get("terminationGracePeriodSeconds")
    restored = ["activeDeadlineSeconds", "tolerations"]
    if grace == 1 and isinstance(old_grace, int) and old_grace < 0:
        restored.append("terminationGracePeriodSeconds")
    if old_spec.get("schedulingGates"):
        restored += ["schedulingGates", "nodeSelector"]  # a gated Pod may still be told where to go
    for name in restored:
        if name in old_spec:
            kept[name] = old_spec[name]
        else:
            kept.pop(name, None)
    return kept


def _changed_parts(spec: Object, old_spec: Object) -> list[Cause]:
    """The fields that may change, but not in every way."""
    causes: list[Cause] = []
    seconds, before = spec.get("activeDeadlineSeconds"), old_spec.get("activeDeadlineSeconds")
    if isinstance(before, int):
        field = "spec.activeDeadlineSeconds"
        if seconds is None:
            causes.append(fields.invalid(field, None, "must not update from a positive integer to nil value"))
        elif before < seconds:
            text = "must be less than or equal to previous value"
            causes.append(fields.invalid(field, seconds, text))
    gates = [str(g.get("name")) for g in objects(old_spec.get("schedulingGates"))]
    for index, gate in enumerate(objects(spec.get("schedulingGates"))):
        if gate.get("name") not in gates:
            text = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            causes.append(fields.forbidden(f"spec.schedulingGates[{index}].name", text))
    return causes


def _kept_tolerations(spec: Object, old_spec: Object) -> list[Cause]:
    now = objects(spec.get("tolerations"))
    rest = [{k: v for k, v in t.items() if k != "tolerationSeconds"} for t in now]
    for old in objects(old_spec.get("tolerations")):
        if {k: v for k, v in old.items() if k != "tolerationSeconds"} not in rest:
            text = "existing toleration can not be modified except its tolerationSeconds"
            return [fields.forbidden("spec.tolerations", text)]
    return []


def _update(obj: Object, old: Object) -> list[Cause]:
    spec, old_spec = mapping(obj.get("spec")), mapping(old.get("spec"))
    causes: list[Cause] = []
    for name in ("containers", "initContainers"):
        if len(objects(spec.get(name))) != len(objects(old_spec.get(name))):
            text = f"pod updates may not add or remove {'containers' if name == 'containers' else 'init containers'}"
            causes.append(fields.forbidden(f"spec.{name}", text))
    if causes:
        return causes
    causes += _changed_parts(spec, old_spec) + _kept_tolerations(spec, old_spec)
    munged = _munged(spec, old_spec)
    if _comparable(munged) != _comparable(old_spec):
        text = f"pod updates may not change fields other than {_PATHS}\n{internal.difference(old_spec, munged)}"
        causes.append(fields.forbidden("spec", text))
    return causes


def validate_pod(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a Pod. Writes of status, binding and ephemeral containers follow their own rules."""
    if subresource:
        return []
    spec = mapping(obj.get("spec"))
    causes = validate_metadata(obj, fields.dns_subdomain) + validate_pod_spec(spec, "spec", of_pod=True)
    causes += validate_images(spec, "spec")
    return causes + (_update(obj, old) if old is not None else [])
