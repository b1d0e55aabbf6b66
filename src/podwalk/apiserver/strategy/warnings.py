"""Warnings about objects that are accepted, as kubectl prints them.

Upstream: WarningsOnCreate and WarningsOnUpdate of pkg/registry, with pkg/api/{service,pod}/warnings.go.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from podwalk.api import meta
from podwalk.api.meta import Object

_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_OLD_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
}
_TEMPLATES = frozenset({"Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "ReplicationController", "Job"})


def _ip_warnings(value: object, field: str) -> Iterator[str]:
    try:
        address = ipaddress.ip_address(str(value))
    except ValueError:
        return
    if str(address) != str(value):
        yield f'{field}: IPv6 address "{value}" should be in RFC 5952 canonical format ("{address}")'


def _service(obj: Object) -> Iterator[str]:
    spec = obj.get("spec") or {}
    if _HINTS in meta.annotations(obj):
        yield f"annotation {_HINTS} is deprecated, please use {_MODE} instead"
    if spec.get("clusterIP") == "None":
        if spec.get("loadBalancerIP"):
            yield 'spec.loadBalancerIP is ignored when spec.clusterIP is "None"'
        if spec.get("externalIPs"):
            yield 'spec.externalIPs is ignored when spec.clusterIP is "None"'
        if spec.get("sessionAffinity") not in (None, "", "None"):
            yield "spec.SessionAffinity is ignored for headless services"
    if spec.get("externalIPs"):
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    for index, address in enumerate(spec.get("externalIPs") or ()):
        yield from _ip_warnings(address, f"spec.externalIPs[{index}]")
    if spec.get("externalName") and spec.get("type") != "ExternalName":
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'


def _ports(spec: Object, at: str) -> Iterator[str]:
    seen: dict[tuple[object, ...], str] = {}
    for number, container in enumerate(spec.get("containers") or ()):
        for index, port in enumerate(container.get("ports") or ()):
            field = f"{at}.containers[{number}].ports[{index}]"
            key = (port.get("containerPort"), port.get("hostPort"), port.get("protocol"), port.get("hostIP"))
            if key in seen:
                yield f"{field}: duplicate port definition with {seen[key]}"
            else:
                seen[key] = field


def _environment(spec: Object, at: str) -> Iterator[str]:
    for kind in ("containers", "initContainers"):
        for number, container in enumerate(spec.get(kind) or ()):
            names: set[str] = set()
            for index, variable in enumerate(container.get("env") or ()):
                name = str(variable.get("name", ""))
                if name in names:
                    field = f"{at}.{kind}[{number}].env[{index}]"
                    yield f'{field}: hides previous definition of "{name}", which may be dropped when using apply'
                names.add(name)


def _fractions(spec: Object, at: str) -> Iterator[str]:
    for kind in ("containers", "initContainers"):
        for number, container in enumerate(spec.get(kind) or ()):
            for field in ("requests", "limits"):
                for name, amount in ((container.get("resources") or {}).get(field) or {}).items():
                    if name in ("memory", "ephemeral-storage") and str(amount).endswith("m"):
                        where = f"{at}.{kind}[{number}].resources.{field}[{name}]"
                        yield f'{where}: fractional byte value "{amount}" is invalid, must be an integer'


def _pod_spec(spec: Object, at: str) -> Iterator[str]:
    for key in sorted(spec.get("nodeSelector") or {}):
        if key in _OLD_LABELS:
            yield f"{at}.nodeSelector[{key}]: {_OLD_LABELS[key]}"
    yield from _ports(spec, at)
    yield from _environment(spec, at)
    yield from _fractions(spec, at)


def warnings(obj: Object) -> list[str]:
    """What the API server warns of when this object is stored."""
    kind, spec = obj.get("kind"), obj.get("spec") or {}
    if kind == "Service":
        return list(_service(obj))
    if kind == "Pod":
        return list(_pod_spec(spec, "spec"))
    if kind in _TEMPLATES:
        return list(_pod_spec((spec.get("template") or {}).get("spec") or {}, "spec.template.spec"))
    if kind == "CronJob":
        template = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}
        return list(_pod_spec(template.get("spec") or {}, "spec.jobTemplate.spec.template.spec"))
    return []
