"""ConfigMaps, Secrets, Namespaces, Nodes, and the kinds that have nothing but a name to check.

Upstream: pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import (
    immutable,
    items,
    mapping,
    objects,
    strings,
    validate_metadata,
)

_MAX_BYTES = 1024 * 1024
_FROZEN = "field is immutable when `immutable` is set"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_NEEDED = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _decoded_length(value: Any) -> int:
    try:
        return len(base64.b64decode(str(value), validate=True))
    except (binascii.Error, ValueError):
        return len(str(value))


def _kept_data(obj: Object, old: Object, *names: str) -> list[Cause]:
    """An object marked ``immutable`` keeps its data, and keeps the mark."""
    if not old.get("immutable"):
        return []
    causes = [] if obj.get("immutable") else [fields.forbidden("immutable", _FROZEN)]
    return causes + [fields.forbidden(n, _FROZEN) for n in names if (obj.get(n) or {}) != (old.get(n) or {})]


def validate_configmap(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a ConfigMap."""
    del subresource
    causes = validate_metadata(obj, fields.dns_subdomain)
    data, binary = strings(obj.get("data")), mapping(obj.get("binaryData"))
    for key in data:
        causes += fields.each(f"data[{key}]", key, fields.config_key(key))
        if key in binary:
            causes.append(fields.invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    for key in binary:
        causes += fields.each(f"binaryData[{key}]", key, fields.config_key(str(key)))
    size = sum(len(v.encode()) for v in data.values()) + sum(map(_decoded_length, binary.values()))
    if size > _MAX_BYTES:
        causes.append(fields.too_long("[]", _MAX_BYTES))
    return causes if old is None else _kept_data(obj, old, "data", "binaryData") + causes


def validate_secret(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a Secret."""
    del subresource
    causes = validate_metadata(obj, fields.dns_subdomain)
    data = mapping(obj.get("data"))
    for key in data:
        causes += fields.each(f"data[{key}]", key, fields.config_key(str(key)))
    if sum(map(_decoded_length, data.values())) > _MAX_BYTES:
        causes.append(fields.too_long("data", _MAX_BYTES))
    if obj.get("type") == "kubernetes.io/service-account-token":
        name = "kubernetes.io/service-account.name"
        if not meta.annotations(obj).get(name):
            causes.append(fields.required(f"metadata.annotations[{name}]"))
    causes += [fields.required(f"data[{k}]") for k in _NEEDED.get(str(obj.get("type")), ()) if k not in data]
    if obj.get("type") == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        causes += [fields.required(f"data[{k}]") for k in ("username", "password")]
    if old is None:
        return causes
    return immutable("type", obj.get("type"), old.get("type")) + _kept_data(obj, old, "data") + causes


def validate_namespace(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a Namespace."""
    del old, subresource
    return validate_metadata(obj, fields.dns_label)


def _taints(taints: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[object, object]] = set()
    for index, taint in enumerate(taints):
        at, key, value = f"spec.taints[{index}]", str(taint.get("key") or ""), str(taint.get("value") or "")
        causes += fields.each(f"{at}.key", key, fields.qualified_name(key))
        if wrong := fields.label_value(value):
            causes.append(fields.invalid(f"{at}.value", value, ";".join(wrong)))
        causes += fields.one_of(f"{at}.effect", taint.get("effect"), _EFFECTS)
        same = (key, taint.get("effect"))
        if same in seen:
            shown = {"Key": key, "Value": value, "Effect": taint.get("effect"), "TimeAdded": taint.get("timeAdded")}
            causes.append(fields.duplicate(at, shown, "taints must be unique by key and effect pair"))
        seen.add(same)
    return causes


def validate_node(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """The complaints about a Node. Its Pod ranges may be set once."""
    if subresource:
        return []
    spec = mapping(obj.get("spec"))
    causes = validate_metadata(obj, fields.dns_subdomain) + _taints(objects(spec.get("taints")))
    ranges = items(spec.get("podCIDRs"))
    for index, value in enumerate(ranges):
        wrong = [w for w in fields.cidr(value) if "bits set" not in w]
        causes += fields.each(f"spec.podCIDRs[{index}]", value, wrong)
    if len(ranges) > 2 or (len(ranges) == 2 and len({":" in str(r) for r in ranges}) == 1):
        text = "may specify no more than one CIDR for each IP family"
        causes.append(fields.invalid("spec.podCIDRs", ranges, text))
    if old is None:
        return causes
    before = mapping(old.get("spec"))
    if before.get("podCIDRs") and before["podCIDRs"] != ranges:
        text = 'node updates may not change podCIDR except from "" to valid'
        causes.append(fields.forbidden("spec.podCIDRs", text))
    if before.get("providerID") and before["providerID"] != spec.get("providerID"):
        text = 'node updates may not change providerID except from "" to valid'
        causes.append(fields.forbidden("spec.providerID", text))
    return causes


def validate_named(obj: Object, old: Object | None, subresource: str) -> list[Cause]:
    """An object with nothing but metadata to check: ServiceAccount, Event."""
    del old, subresource
    return validate_metadata(obj, fields.dns_subdomain)
