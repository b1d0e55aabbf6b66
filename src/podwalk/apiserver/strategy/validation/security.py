"""securityContexts of Pods and containers.

Upstream: ValidateSecurityContext and validatePodSpecSecurityContext in pkg/apis/core/validation.
"""

from __future__ import annotations

import re
from typing import Any

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import items, mapping, objects

_IDS = "must be between 0 and 2147483647, inclusive"
_SYSCTL = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")


def _ids(context: Object, at: str, *names: str) -> list[Cause]:
    return [
        fields.invalid(f"{at}.{name}", context[name], _IDS)
        for name in names
        if isinstance(context.get(name), int) and not 0 <= context[name] <= 2**31 - 1
    ]


def _profile(profile: Any, at: str, what: str) -> list[Cause]:
    if profile is None:
        return []
    kind, local = mapping(profile).get("type") or "", mapping(profile).get("localhostProfile")
    if kind == "Localhost":
        if not local:
            return [fields.required(f"{at}.localhostProfile", f"must be set when {what} type is Localhost")]
        return []
    causes: list[Cause] = []
    if local:
        text = f"can only be set when {what} type is Localhost"
        causes.append(fields.invalid(f"{at}.localhostProfile", local, text))
    if not kind:
        causes.append(fields.required(f"{at}.type", f"type is required when {what}Profile is set"))
    elif kind not in _PROFILES:
        causes.append(fields.not_supported(f"{at}.type", kind, _PROFILES))
    return causes


def validate_container_security(context: Any, at: str) -> list[Cause]:
    """The securityContext of a container."""
    given = mapping(context)
    causes = _ids(given, at, "runAsUser", "runAsGroup")
    mount = given.get("procMount")
    if mount is not None and mount not in ("Default", "Unmasked"):
        causes.append(fields.not_supported(f"{at}.procMount", mount, ("Default", "Unmasked")))
    causes += _profile(given.get("seccompProfile"), f"{at}.seccompProfile", "seccomp")
    if given.get("allowPrivilegeEscalation") is False:
        if given.get("privileged"):
            text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            causes.append(fields.invalid(at, given, text))
        if "CAP_SYS_ADMIN" in items(mapping(given.get("capabilities")).get("add")):
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            causes.append(fields.invalid(at, given, text))
    return causes + _profile(given.get("appArmorProfile"), f"{at}.appArmorProfile", "AppArmor")


def _sysctls(spec: Object, context: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, sysctl in enumerate(objects(context.get("sysctls"))):
        name, field = str(sysctl.get("name") or ""), f"{at}.sysctls[{index}]"
        if not name:
            causes.append(fields.required(f"{field}.name"))
        elif len(name) > 253 or not re.match(_SYSCTL, name):
            text = f"must have at most 253 characters and match regex {_SYSCTL}"
            causes.append(fields.invalid(f"{field}.name", name, text))
        elif name in seen:
            causes.append(fields.duplicate(f"{field}.name", name))
        if name.replace("/", ".").startswith("net.") and spec.get("hostNetwork"):
            causes.append(fields.invalid(f"{field}.name", name, "may not be specified when 'hostNetwork' is true"))
        seen.add(name)
    return causes


def _unmasked(spec: Object, field: str) -> list[Cause]:
    """An unmasked /proc is for containers with users of their own (KEP-4265)."""
    if spec.get("hostUsers") is False:
        return []
    return [
        fields.invalid(
            f"{field}.{kind}[{index}].securityContext.procMount",
            "Unmasked",
            "`hostUsers` must be false to use `Unmasked`",
        )
        for kind in ("containers", "initContainers", "ephemeralContainers")
        for index, container in enumerate(objects(spec.get(kind)))
        if mapping(container.get("securityContext")).get("procMount") == "Unmasked"
    ]


def validate_pod_security(spec: Object, field: str) -> list[Cause]:
    """The securityContext of a PodSpec, and the host namespaces that belong to it."""
    context, at = mapping(spec.get("securityContext")), f"{field}.securityContext"
    causes = _ids(context, at, "fsGroup", "runAsUser", "runAsGroup")
    for index, group in enumerate(items(context.get("supplementalGroups"))):
        if not 0 <= group <= 2**31 - 1:
            causes.append(fields.invalid(f"{at}.supplementalGroups[{index}]", group, _IDS))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        causes.append(fields.invalid(f"{field}.shareProcessNamespace", True, text))
    causes += _sysctls(spec, context, at) + _unmasked(spec, field)
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in ("Always", "OnRootMismatch"):
        causes.append(fields.not_supported(f"{at}.fsGroupChangePolicy", policy, ("Always", "OnRootMismatch")))
    causes += _profile(context.get("seccompProfile"), f"{at}.seccompProfile", "seccomp")
    return causes + _profile(context.get("appArmorProfile"), f"{at}.appArmorProfile", "AppArmor")
