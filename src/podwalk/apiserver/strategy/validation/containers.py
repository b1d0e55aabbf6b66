"""Containers, their ports, probes and resources.

Upstream: validateContainers, validateProbe and ValidateContainerResourceRequirements in pkg/apis/core/validation.
"""

from __future__ import annotations

from typing import Any

from podwalk.api import quantity
from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import mapping, objects

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_ENV_NAME = "a valid environment variable name must consist only of printable ASCII characters other than '='"


def _port(port: Object, at: str, names: set[str], *, host_network: bool) -> list[Cause]:
    causes: list[Cause] = []
    if name := str(port.get("name") or ""):
        wrong = fields.port_name(name)
        causes += fields.each(f"{at}.name", name, wrong)
        if not wrong and name in names:
            causes.append(fields.duplicate(f"{at}.name", name))
        names.add(name)
    number, host = port.get("containerPort") or 0, port.get("hostPort") or 0
    if not number:
        causes.append(fields.required(f"{at}.containerPort"))
    else:
        causes += fields.each(f"{at}.containerPort", number, fields.port_number(number))
    if host:
        causes += fields.each(f"{at}.hostPort", host, fields.port_number(host))
        if host_network and host != number:
            causes.append(
                fields.invalid(f"{at}.hostPort", host, "must match `containerPort` when `hostNetwork` is true")
            )
    return causes + fields.one_of(f"{at}.protocol", port.get("protocol") or "TCP", _PROTOCOLS)


def _env(variables: Any, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, variable in enumerate(objects(variables)):
        name, field = str(variable.get("name") or ""), f"{at}[{index}]"
        if not name:
            causes.append(fields.required(f"{field}.name"))
        elif "=" in name or not all(32 <= ord(c) < 127 for c in name):
            causes.append(fields.invalid(f"{field}.name", name, _ENV_NAME))
        if variable.get("valueFrom") and variable.get("value"):
            text = "may not be specified when `value` is not empty"
            causes.append(fields.invalid(f"{field}.valueFrom", "", text))
    return causes


def _mounts(mounts: Any, at: str, volumes: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    paths: set[str] = set()
    for index, mount in enumerate(objects(mounts)):
        name, path, field = str(mount.get("name") or ""), str(mount.get("mountPath") or ""), f"{at}[{index}]"
        if not name:
            causes.append(fields.required(f"{field}.name"))
        elif name not in volumes:
            causes.append(fields.not_found(f"{field}.name", name))
        if not path:
            causes.append(fields.required(f"{field}.mountPath"))
        elif path in paths:
            causes.append(fields.invalid(f"{field}.mountPath", path, "must be unique"))
        paths.add(path)
    return causes


def _handler(probe: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    present = [h for h in _HANDLERS if probe.get(h) is not None]
    causes += [fields.forbidden(f"{at}.{h}", "may not specify more than 1 handler type") for h in present[1:]]
    if not present:
        return [fields.required(at, "must specify a handler type")]
    first, field = mapping(probe.get(present[0])), f"{at}.{present[0]}"
    if present[0] == "exec" and not first.get("command"):
        causes.append(fields.required(f"{field}.command"))
    if present[0] in ("httpGet", "tcpSocket", "grpc"):
        port = first.get("port", 0)
        causes += fields.each(f"{field}.port", port, fields.port_number_or_name(port))
    if present[0] == "httpGet":
        causes += fields.one_of(f"{field}.scheme", first.get("scheme") or "HTTP", ("HTTP", "HTTPS"))
    return causes


def _probe(container: Object, name: str, at: str) -> list[Cause]:
    probe = container.get(name)
    if not isinstance(probe, dict):
        return []
    causes = _handler(probe, at)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if isinstance(value := probe.get(field), int) and value < 0:
            causes.append(fields.invalid(f"{at}.{field}", value, fields.NON_NEGATIVE))
    if name != "readinessProbe" and probe.get("successThreshold", 1) != 1:
        causes.append(fields.invalid(f"{at}.successThreshold", probe["successThreshold"], "must be 1"))
    return causes


def _amount(value: Any, at: str) -> list[Cause]:
    try:
        return [] if quantity.value(value) >= 0 else [fields.invalid(at, str(value), fields.NON_NEGATIVE)]
    except ValueError as error:
        return [fields.invalid(at, str(value), str(error))]


def _resources(resources: Object, at: str) -> list[Cause]:
    limits, requests = mapping(resources.get("limits")), mapping(resources.get("requests"))
    causes: list[Cause] = []
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, value in amounts.items():
            causes += _amount(value, f"{at}.{kind}[{name}]")
    if causes:
        return causes
    for name, value in requests.items():
        if name in limits and quantity.value(value) > quantity.value(limits[name]):
            text = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.append(fields.invalid(f"{at}.requests", str(value), text))
    return causes


def _container(container: Object, at: str, names: set[str], volumes: set[str], *, host_network: bool) -> list[Cause]:
    causes: list[Cause] = []
    name, image = str(container.get("name") or ""), str(container.get("image") or "")
    if not name:
        causes.append(fields.required(f"{at}.name"))
    else:
        causes += fields.each(f"{at}.name", name, fields.dns_label(name))
        if name in names:
            causes.append(fields.duplicate(f"{at}.name", name))
        names.add(name)
    if not image:
        causes.append(fields.required(f"{at}.image"))
    elif image != image.strip():
        causes.append(fields.invalid(f"{at}.image", image, "must not have leading or trailing whitespace"))
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        causes += _probe(container, probe, f"{at}.{probe}")
    port_names: set[str] = set()
    for index, port in enumerate(objects(container.get("ports"))):
        causes += _port(port, f"{at}.ports[{index}]", port_names, host_network=host_network)
    causes += _env(container.get("env"), f"{at}.env")
    causes += _mounts(container.get("volumeMounts"), f"{at}.volumeMounts", volumes)
    policy = container.get("imagePullPolicy") or "Always"
    causes += fields.one_of(f"{at}.imagePullPolicy", policy, _PULL_POLICIES)
    return causes + _resources(mapping(container.get("resources")), f"{at}.resources")


def _host_port_clashes(spec: Object, field: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[str, str, int]] = set()
    for index, container in enumerate(objects(spec.get("containers"))):
        for number, port in enumerate(objects(container.get("ports"))):
            if not (host := port.get("hostPort")):
                continue
            key = (str(port.get("protocol") or "TCP"), str(port.get("hostIP") or ""), host)
            if key in seen:
                at = f"{field}.containers[{index}].ports[{number}].hostPort"
                causes.append(fields.duplicate(at, "/".join(map(str, key))))
            seen.add(key)
    return causes


def validate_containers(spec: Object, field: str, volumes: set[str]) -> list[Cause]:
    """All containers of a PodSpec at ``field``; ``volumes`` are the names that they may mount."""
    causes: list[Cause] = []
    names: set[str] = set()
    host_network = bool(spec.get("hostNetwork"))
    if not objects(spec.get("containers")):
        causes.append(fields.required(f"{field}.containers"))
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for index, container in enumerate(objects(spec.get(kind))):
            causes += _container(container, f"{field}.{kind}[{index}]", names, volumes, host_network=host_network)
    return causes + _host_port_clashes(spec, field)
