"""Environment variables of containers, and the references that they and volumes make.

Upstream: ValidateEnv, ValidateEnvFrom, validateObjectFieldSelector in pkg/apis/core/validation.
"""

from __future__ import annotations

import re
from typing import Any

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import mapping, objects

_NAME = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_KNOWN_FIELDS = frozenset((*_ENV_FIELDS, *_VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase"))
_RESOURCES = ("limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage",
              "requests.memory")  # fmt: skip
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_SUBSCRIPT = re.compile(r"(metadata\.\w+|[\w.]+)\['(.*)'\]")


def _field_ref(reference: Object, at: str, allowed: tuple[str, ...]) -> list[Cause]:
    path = str(reference.get("fieldPath") or "")
    if not path:
        return [fields.required(f"{at}.fieldPath")]
    parsed = _SUBSCRIPT.fullmatch(path)
    if parsed is not None:
        if parsed[1] not in ("metadata.annotations", "metadata.labels"):
            text = f"error converting fieldPath: field label does not support subscript: {parsed[1]}"
            return [fields.invalid(f"{at}.fieldPath", path, text)]
        key = parsed[2].lower() if parsed[1] == "metadata.annotations" else parsed[2]
        return fields.each(at, parsed[2], fields.qualified_name(key))
    if path not in _KNOWN_FIELDS:
        text = f"error converting fieldPath: field label not supported: {path}"
        return [fields.invalid(f"{at}.fieldPath", path, text)]
    return [] if path in allowed else [fields.not_supported(f"{at}.fieldPath", path, allowed)]


def _resource_ref(reference: Object, at: str, *, of_volume: bool) -> list[Cause]:
    if of_volume and not reference.get("containerName"):
        return [fields.required(f"{at}.containerName")]
    name = str(reference.get("resource") or "")
    if not name:
        return [fields.required(f"{at}.resource")]
    if name not in _RESOURCES and "hugepages-" not in name:
        return [fields.not_supported(f"{at}.resource", name, _RESOURCES)]
    return []


def _key_ref(reference: Object, at: str) -> list[Cause]:
    name, key = str(reference.get("name") or ""), str(reference.get("key") or "")
    causes = fields.each(f"{at}.name", name, fields.dns_subdomain(name))
    return causes + (fields.each(f"{at}.key", key, fields.config_key(key)) if key else [fields.required(f"{at}.key")])


def _value_from(variable: Object, at: str) -> list[Cause]:
    source = variable.get("valueFrom")
    if not isinstance(source, dict):
        return []
    causes: list[Cause] = []
    given = [name for name in _SOURCES if source.get(name) is not None]
    for name in given:
        reference = mapping(source[name])
        if name == "fieldRef":
            causes += _field_ref(reference, f"{at}.fieldRef", _ENV_FIELDS)
        elif name == "resourceFieldRef":
            causes += _resource_ref(reference, f"{at}.resourceFieldRef", of_volume=False)
        elif name != "fileKeyRef":
            causes += _key_ref(reference, f"{at}.{name}")
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        causes.append(fields.invalid(at, "", text))
    if given and variable.get("value"):
        causes.append(fields.invalid(at, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        causes.append(fields.invalid(at, "", "may not have more than one field specified at a time"))
    return causes


def _printable(name: str) -> bool:
    return "=" not in name and all(32 <= ord(char) < 127 for char in name)


def validate_env(variables: Any, at: str) -> list[Cause]:
    """The ``env`` of a container."""
    causes: list[Cause] = []
    for index, variable in enumerate(objects(variables)):
        name, field = str(variable.get("name") or ""), f"{at}[{index}]"
        if not name:
            causes.append(fields.required(f"{field}.name"))
        elif not _printable(name):
            causes.append(fields.invalid(f"{field}.name", name, _NAME))
        causes += _value_from(variable, f"{field}.valueFrom")
    return causes


def validate_env_from(sources: Any, at: str) -> list[Cause]:
    """The ``envFrom`` of a container."""
    causes: list[Cause] = []
    for index, source in enumerate(objects(sources)):
        field, prefix = f"{at}[{index}]", str(source.get("prefix") or "")
        if prefix and not _printable(prefix):
            causes.append(fields.invalid(f"{field}.prefix", prefix, _NAME))
        given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for kind in given:
            name = str(mapping(source[kind]).get("name") or "")
            wrong = fields.each(f"{field}.{kind}.name", name, fields.dns_subdomain(name))
            causes += wrong if name else [fields.required(f"{field}.{kind}.name")]
        if not given:
            causes.append(fields.invalid(at, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            causes.append(fields.invalid(at, "", "may not have more than one field specified at a time"))
    return causes


def validate_downward_items(found: Any, at: str) -> list[Cause]:
    """The files of a downwardAPI volume, without their paths."""
    causes: list[Cause] = []
    for index, item in enumerate(objects(found)):
        field = f"{at}[{index}]"
        reference, resource = item.get("fieldRef"), item.get("resourceFieldRef")
        if reference is not None:
            causes += _field_ref(mapping(reference), f"{field}.fieldRef", _VOLUME_FIELDS)
            if resource is not None:
                text = "fieldRef and resourceFieldRef can not be specified simultaneously"
                causes.append(fields.invalid(field, "resource", text))
        elif resource is not None:
            causes += _resource_ref(mapping(resource), f"{field}.resourceFieldRef", of_volume=True)
        else:
            causes.append(fields.required(field, "one of fieldRef and resourceFieldRef is required"))
    return causes
