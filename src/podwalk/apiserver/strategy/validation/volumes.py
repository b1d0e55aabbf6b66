"""Volumes of Pods, and the files that they hold.

Upstream: ValidateVolumes and validateVolumeSource in pkg/apis/core/validation.
"""

from __future__ import annotations

import posixpath
from typing import Any

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.environment import validate_downward_items
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import mapping, objects

_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_PROJECTIONS = ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate")
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 1 << 32


def _mode(value: Any, at: str) -> list[Cause]:
    return [fields.invalid(at, value, _MODE)] if isinstance(value, int) and not 0 <= value <= 0o777 else []


def local_path(path: str, at: str) -> list[Cause]:
    """A path inside a volume: relative, and never upwards."""
    causes: list[Cause] = []
    if posixpath.isabs(path):
        causes.append(fields.invalid(at, path, "must be a relative path"))
    if ".." in path.split("/"):
        causes.append(fields.invalid(at, path, "must not contain '..'"))
    return causes


def _file_path(path: str, at: str) -> list[Cause]:
    if not path:
        return [fields.required(at)]
    causes = local_path(path, at)
    if path.startswith("..") and not causes:
        causes.append(fields.invalid(at, path, "must not start with '..'"))
    return causes


def _items(found: Any, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, item in enumerate(objects(found)):
        field = f"{at}[{index}]"
        if not item.get("key"):
            causes.append(fields.required(f"{field}.key"))
        causes += _file_path(str(item.get("path") or ""), f"{field}.path") + _mode(item.get("mode"), f"{field}.mode")
    return causes


def _downward(found: Any, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, item in enumerate(objects(found)):
        field = f"{at}[{index}]"
        causes += _file_path(str(item.get("path") or ""), f"{field}.path")
        causes += [{**c, "field": c["field"].replace(f"{at}[0]", field)} for c in validate_downward_items([item], at)]
        causes += _mode(item.get("mode"), f"{field}.mode")
    return causes


def _token(token: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    seconds = token.get("expirationSeconds") or 0
    if seconds < _SHORTEST_TOKEN:
        text = "may not specify a duration less than 10 minutes"
        causes.append(fields.invalid(f"{at}.expirationSeconds", seconds, text))
    elif seconds > _LONGEST_TOKEN:
        text = "may not specify a duration larger than 2^32 seconds"
        causes.append(fields.invalid(f"{at}.expirationSeconds", seconds, text))
    return causes + _file_path(str(token.get("path") or ""), f"{at}.path")


def _projected(source: Object, at: str) -> list[Cause]:
    causes = _mode(source.get("defaultMode"), f"{at}.defaultMode")
    for index, projection in enumerate(objects(source.get("sources"))):
        field = f"{at}.sources[{index}]"
        given = [name for name in _PROJECTIONS if projection.get(name) is not None]
        if not given:
            causes.append(fields.required(field, "must specify a volume type"))
        for name in given[1:]:
            causes.append(fields.forbidden(f"{field}.{name}", "may not specify more than 1 volume type per source"))
        for name in given[:1]:
            part = mapping(projection[name])
            if name in ("secret", "configMap"):
                if not part.get("name"):
                    causes.append(fields.required(f"{field}.{name}.name"))
                causes += _items(part.get("items"), f"{field}.{name}.items")
            elif name == "downwardAPI":
                causes += _downward(part.get("items"), f"{field}.downwardAPI.items")
            elif name == "serviceAccountToken":
                causes += _token(part, f"{field}.serviceAccountToken")
    return causes


def _host_path(source: Object, at: str) -> list[Cause]:
    path = str(source.get("path") or "")
    if not path:
        return [fields.required(f"{at}.path")]
    causes = [fields.invalid(f"{at}.path", path, "must not contain '..'")] if ".." in path.split("/") else []
    kind = source.get("type") or ""
    return causes + ([] if kind in _HOST_PATH_TYPES else [fields.not_supported(f"{at}.type", kind, _HOST_PATH_TYPES)])


def _source(kind: str, source: Object, at: str) -> list[Cause]:
    match kind:
        case "hostPath":
            return _host_path(source, at)
        case "secret" | "configMap":
            name = "secretName" if kind == "secret" else "name"
            causes = [] if source.get(name) else [fields.required(f"{at}.{name}")]
            causes += _mode(source.get("defaultMode"), f"{at}.defaultMode")
            return causes + _items(source.get("items"), f"{at}.items")
        case "downwardAPI":
            return _mode(source.get("defaultMode"), f"{at}.defaultMode") + _downward(source.get("items"), f"{at}.items")
        case "projected":
            return _projected(source, at)
        case "persistentVolumeClaim":
            return [] if source.get("claimName") else [fields.required(f"{at}.claimName")]
        case "nfs":
            causes = [fields.required(f"{at}.{name}") for name in ("server", "path") if not source.get(name)]
            if source.get("path") and not posixpath.isabs(str(source["path"])):
                causes.append(fields.invalid(f"{at}.path", source["path"], "must be an absolute path"))
            return causes
    return []


def validate_volumes(volumes: Any, field: str) -> tuple[list[Cause], set[str]]:
    """The complaints about a Pod's volumes, and their names."""
    causes: list[Cause] = []
    names: set[str] = set()
    for index, volume in enumerate(objects(volumes)):
        at, name = f"{field}[{index}]", str(volume.get("name") or "")
        sources = [k for k, v in volume.items() if k != "name" and v is not None]
        if not sources:
            causes.append(fields.required(at, "must specify a volume type"))
        for kind in sources[:1]:
            causes += _source(kind, mapping(volume[kind]), f"{at}.{kind}")
        causes += [fields.forbidden(f"{at}.{s}", "may not specify more than 1 volume type") for s in sources[1:]]
        if not name:
            causes.append(fields.required(f"{at}.name"))
        else:
            causes += fields.each(f"{at}.name", name, fields.dns_label(name))
        if name in names:
            causes.append(fields.duplicate(f"{at}.name", name))
        names.add(name)
    return causes, names
