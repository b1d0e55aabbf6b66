"""Containers of a PodSpec: regular, init and ephemeral ones.

Upstream: validateContainers, validateInitContainers, validateEphemeralContainers and
ValidateContainerResourceRequirements in pkg/apis/core/validation.
"""

from __future__ import annotations

from typing import Any

from podwalk.api import quantity
from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.environment import validate_env, validate_env_from
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import mapping, objects
from podwalk.apiserver.strategy.validation.probes import PROBES, validate_hooks_and_probes
from podwalk.apiserver.strategy.validation.security import validate_container_security
from podwalk.apiserver.strategy.validation.volumes import local_path

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_STANDARD = ("cpu", "memory", "ephemeral-storage")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_NOT_EPHEMERAL = ("ports", "resources", "lifecycle", *PROBES, "resizePolicy", "restartPolicy", "restartPolicyRules")


def _ports(container: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(objects(container.get("ports"))):
        field, name = f"{at}.ports[{index}]", str(port.get("name") or "")
        if name:
            wrong = fields.port_name(name)
            causes += fields.each(f"{field}.name", name, wrong)
            if not wrong and name in names:
                causes.append(fields.duplicate(f"{field}.name", name))
            names.add(name)
        number, host = port.get("containerPort") or 0, port.get("hostPort") or 0
        if not number:
            causes.append(fields.required(f"{field}.containerPort"))
        else:
            causes += fields.each(f"{field}.containerPort", number, fields.port_number(number))
        if host:
            causes += fields.each(f"{field}.hostPort", host, fields.port_number(host))
        causes += fields.one_of(f"{field}.protocol", port.get("protocol"), _PROTOCOLS)
    return causes


def _mounts(container: Object, at: str, volumes: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    paths: set[str] = set()
    for index, mount in enumerate(objects(container.get("volumeMounts"))):
        name, path, field = str(mount.get("name") or ""), str(mount.get("mountPath") or ""), f"{at}[{index}]"
        if not name:
            causes.append(fields.required(f"{field}.name"))
        if name not in volumes:
            causes.append(fields.not_found(f"{field}.name", name))
        if not path:
            causes.append(fields.required(f"{field}.mountPath"))
        if path in paths:
            causes.append(fields.invalid(f"{field}.mountPath", path, "must be unique"))
        paths.add(path)
        # Upstream names these fields without the index.
        for name in ("subPath", "subPathExpr"):
            if mount.get(name):
                causes += local_path(str(mount[name]), f"{at}.{name}")
        if mount.get("subPath") and mount.get("subPathExpr"):
            text = "subPathExpr and subPath are mutually exclusive"
            causes.append(fields.invalid(f"{field}.subPathExpr", mount["subPathExpr"], text))
        propagation = mount.get("mountPropagation")
        if propagation is not None and propagation not in _PROPAGATIONS:
            causes.append(fields.not_supported(f"{at}.mountPropagation", propagation, _PROPAGATIONS))
        privileged = mapping(container.get("securityContext")).get("privileged")
        if propagation == "Bidirectional" and not privileged:
            text = "Bidirectional mount propagation is available only to privileged containers"
            causes.append(fields.forbidden(f"{at}.mountPropagation", text))
    return causes


def _resource_name(name: str, at: str) -> list[Cause]:
    causes = fields.each(at, name, fields.qualified_name(name))
    if causes or "/" in name:
        return causes
    if name not in _STANDARD and not name.startswith("hugepages-"):
        text = "must be a standard resource type or fully qualified"
        causes.append(fields.invalid(at, name, text))
        causes.append(fields.invalid(at, name, "must be a standard resource for containers"))
    return causes


def _amount(name: str, value: Any, at: str) -> list[Cause]:
    try:
        amount = quantity.value(value)
    except ValueError as error:
        return [fields.invalid(at, str(value), str(error))]
    if amount < 0:
        return [fields.invalid(at, str(value), fields.NON_NEGATIVE)]
    counted = "/" in name and "kubernetes.io/" not in name
    return [fields.invalid(at, str(value), "must be an integer")] if counted and amount != int(amount) else []


def _resources(resources: Object, at: str) -> list[Cause]:
    limits, requests = mapping(resources.get("limits")), mapping(resources.get("requests"))
    causes: list[Cause] = []
    for name in sorted(limits):
        field = f"{at}.limits[{name}]"
        causes += _resource_name(name, field) + _amount(name, limits[name], field)
    for name in sorted(requests):
        field = f"{at}.requests[{name}]"
        wrong = _amount(name, requests[name], field)
        causes += _resource_name(name, field) + wrong
        fixed = name.startswith("hugepages-") or ("/" in name and "kubernetes.io/" not in name)
        if name in limits and not wrong and not _amount(name, limits[name], field):
            asked, most = quantity.value(requests[name]), quantity.value(limits[name])
            if fixed and asked != most:
                text = f"must be equal to {name} limit of {limits[name]}"
                causes.append(fields.invalid(f"{at}.requests", str(requests[name]), text))
            elif asked > most:
                text = f"must be less than or equal to {name} limit of {limits[name]}"
                causes.append(fields.invalid(f"{at}.requests", str(requests[name]), text))
        elif fixed and name not in limits:
            text = "Limit must be set for non overcommitable resources"
            causes.append(fields.required(f"{at}.limits", text))
    return causes


def _common(container: Object, at: str, volumes: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    name = str(container.get("name") or "")
    causes += fields.each(f"{at}.name", name, fields.dns_label(name)) if name else [fields.required(f"{at}.name")]
    if not container.get("image"):
        causes.append(fields.required(f"{at}.image"))
    policy = container.get("terminationMessagePolicy")
    causes += fields.one_of(f"{at}.terminationMessagePolicy", policy, _MESSAGE_POLICIES)
    causes += _ports(container, at)
    causes += validate_env(container.get("env"), f"{at}.env")
    causes += validate_env_from(container.get("envFrom"), f"{at}.envFrom")
    causes += _mounts(container, f"{at}.volumeMounts", volumes)
    causes += fields.one_of(f"{at}.imagePullPolicy", container.get("imagePullPolicy"), _PULL_POLICIES)
    causes += _resources(mapping(container.get("resources")), f"{at}.resources")
    return causes + validate_container_security(container.get("securityContext"), f"{at}.securityContext")


def _host_port_clashes(containers: list[tuple[str, Object]]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for at, container in containers:
        for index, port in enumerate(objects(container.get("ports"))):
            if not port.get("hostPort"):
                continue
            key = f"{port.get('protocol') or 'TCP'}/{port.get('hostIP') or ''}/{port['hostPort']}"
            if key in seen:
                causes.append(fields.duplicate(f"{at}.ports[{index}].hostPort", key))
            seen.add(key)
    return causes


def _regular(spec: Object, field: str, volumes: set[str]) -> list[Cause]:
    containers = objects(spec.get("containers"))
    if not containers:
        return [fields.required(f"{field}.containers")]
    causes: list[Cause] = []
    names: set[str] = set()
    for index, container in enumerate(containers):
        at, name = f"{field}.containers[{index}]", str(container.get("name") or "")
        causes += _common(container, at, volumes)
        if name in names:
            causes.append(fields.duplicate(f"{at}.name", name))
        names.add(name)
        causes += validate_hooks_and_probes(container, at, spec.get("terminationGracePeriodSeconds"))
    return causes + _host_port_clashes([(f"{field}.containers[{i}]", c) for i, c in enumerate(containers)])


def _init(spec: Object, field: str, volumes: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    names = {str(c.get("name") or "") for c in objects(spec.get("containers"))}
    for index, container in enumerate(objects(spec.get("initContainers"))):
        at, name = f"{field}.initContainers[{index}]", str(container.get("name") or "")
        causes += _common(container, at, volumes)
        policy = container.get("restartPolicy")
        if policy is not None and policy not in ("Always", "Never", "OnFailure"):
            causes.append(fields.not_supported(f"{at}.restartPolicy", policy, ("Always", "Never", "OnFailure")))
        if name in names:
            causes.append(fields.duplicate(f"{at}.name", name))
        elif name:
            names.add(name)
        causes += _host_port_clashes([(f"{field}.initContainers[0]", container)])
        if policy == "Always":
            causes += validate_hooks_and_probes(container, at, spec.get("terminationGracePeriodSeconds"))
            continue
        for kind in ("lifecycle", *PROBES):
            if container.get(kind) is not None:
                text = "may not be set for init containers without restartPolicy=Always"
                causes.append(fields.forbidden(f"{at}.{kind}", text))
    return causes


def _ephemeral(spec: Object, field: str, volumes: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    others = {str(c.get("name") or "") for kind in ("containers", "initContainers") for c in objects(spec.get(kind))}
    names = set(others)
    for index, container in enumerate(objects(spec.get("ephemeralContainers"))):
        at, name = f"{field}.ephemeralContainers[{index}]", str(container.get("name") or "")
        causes += _common(container, at, volumes) + _trimmed(container, at)
        if name in names:
            causes.append(fields.duplicate(f"{at}.name", name))
        names.add(name)
        target = container.get("targetContainerName")
        if target and target not in others:
            causes.append(fields.not_found(f"{at}.targetContainerName", target))
        for kind in _NOT_EPHEMERAL:
            if container.get(kind) not in (None, {}, []):
                causes.append(fields.forbidden(f"{at}.{kind}", "cannot be set for an Ephemeral Container"))
        for number, mount in enumerate(objects(container.get("volumeMounts"))):
            for kind in ("subPath", "subPathExpr"):
                if mount.get(kind):
                    where = f"{at}.volumeMounts[{number}].{kind}"
                    causes.append(fields.forbidden(where, "cannot be set for an Ephemeral Container"))
    return causes


def _trimmed(container: Object, at: str) -> list[Cause]:
    image = str(container.get("image") or "")
    text = "must not have leading or trailing whitespace"
    return [fields.invalid(f"{at}.image", image, text)] if image != image.strip() else []


def validate_images(spec: Object, field: str) -> list[Cause]:
    """What only the containers of a Pod, and not those of a template, must keep."""
    causes: list[Cause] = []
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(objects(spec.get(kind))):
            causes += _trimmed(container, f"{field}.{kind}[{index}]")
    return causes


def validate_host_network(spec: Object, field: str, *, of_pod: bool) -> list[Cause]:
    """On the host's network a container's port is the host's. A template may leave it open."""
    causes: list[Cause] = []
    for index, container in enumerate(objects(spec.get("containers")) if spec.get("hostNetwork") else ()):
        for number, port in enumerate(objects(container.get("ports"))):
            host = port.get("hostPort") or 0
            if (of_pod or host) and host != (port.get("containerPort") or 0):
                at = f"{field}.containers[{index}].ports[{number}].hostPort"
                causes.append(fields.invalid(at, host, "must match `containerPort` when `hostNetwork` is true"))
    return causes


def validate_containers(spec: Object, field: str, volumes: set[str]) -> list[Cause]:
    """All containers of a PodSpec at ``field``; ``volumes`` are the names that they may mount."""
    return _regular(spec, field, volumes) + _init(spec, field, volumes) + _ephemeral(spec, field, volumes)
