"""Discovery: /api, /apis and below, in the old form and aggregated (apidiscovery.k8s.io/v2).

Upstream: k8s.io/apiserver/pkg/endpoints/discovery. The documents change only with the
CustomResourceDefinitions.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

import orjson

from podwalk.api.meta import Object
from podwalk.api.resources import EVENTS_V1, RESOURCES, Resource
from podwalk.apiserver import events, metrics, reviews

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_FOREIGN_KINDS: dict[str, tuple[str, str, str]] = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "binding": ("", "v1", "Binding"),
    "exec": ("", "v1", "PodExecOptions"),
    "attach": ("", "v1", "PodAttachOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
}
_PROXY_KINDS = {"Pod": "PodProxyOptions", "Service": "ServiceProxyOptions", "Node": "NodeProxyOptions"}
_STREAM_VERBS = ["create", "get"]
_VERBS: dict[str, list[str]] = {
    "exec": _STREAM_VERBS,
    "attach": _STREAM_VERBS,
    "portforward": _STREAM_VERBS,
    "proxy": ["create", "delete", "get", "patch", "update"],
    "log": ["get"],
    "binding": ["create"],
    "eviction": ["create"],
    "token": ["create"],
    "finalize": ["update"],
}


# The order in which kube-apiserver v1.36 lists the groups; those of custom resources follow.
_ORDER = (
    "", "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
    "autoscaling", "batch", "certificates.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io",
    "storage.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io",
    "coordination.k8s.io", "node.k8s.io", "discovery.k8s.io", "resource.k8s.io", "flowcontrol.apiserver.k8s.io",
)  # fmt: skip


@lru_cache(maxsize=8)
def groups(custom: tuple[Resource, ...] = ()) -> dict[str, dict[str, list[Resource]]]:
    """group -> version -> resources, in a fixed order; the core group is the empty name.

    ``custom`` are the resources of CustomResourceDefinitions, here and in all that follows.
    """
    out: dict[str, dict[str, list[Resource]]] = {}
    for resource in (*RESOURCES, EVENTS_V1, *reviews.RESOURCES, *metrics.RESOURCES, *custom):
        out.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    for versions in out.values():
        for found in versions.values():
            found.sort(key=lambda r: r.plural)
    rank = {group: number for number, group in enumerate(_ORDER)}
    return dict(sorted(out.items(), key=lambda item: rank.get(item[0], len(rank))))


def _storage_hash(resource: Resource) -> str:
    """What tells clients that the stored version changed (k8s.io/apiserver discovery.StorageVersionHash)."""
    stored = events.stored_as(resource)
    version = "v1beta1" if stored.kind == "CustomResourceDefinition" else stored.version
    text = f"{stored.group}/{version}/{stored.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def _subresource_kind(resource: Resource, subresource: str) -> tuple[str, str, str]:
    if subresource == "proxy":
        return "", "v1", _PROXY_KINDS[resource.kind]
    return _FOREIGN_KINDS.get(subresource, (resource.group, resource.version, resource.kind))


def _subresource_verbs(subresource: str) -> list[str]:
    return _VERBS.get(subresource, ["get", "patch", "update"])


def api_versions(address: str) -> Object:
    """/api."""
    cidrs = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": cidrs}


def api_group(group: str, custom: tuple[Resource, ...] = ()) -> Object | None:
    """/apis/GROUP, or None where it is not served."""
    versions = groups(custom).get(group)
    if not group or versions is None:
        return None
    listed = [{"groupVersion": f"{group}/{v}", "version": v} for v in versions]
    return {"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": listed, "preferredVersion": listed[0]}


def api_groups(custom: tuple[Resource, ...] = ()) -> Object:
    """/apis."""
    found = []
    for group in groups(custom):
        document = api_group(group, custom)
        if document is not None:
            found.append({k: v for k, v in document.items() if k not in ("kind", "apiVersion")})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def api_resources(group: str, version: str, custom: tuple[Resource, ...] = ()) -> Object | None:
    """/api/v1 or /apis/GROUP/VERSION, or None where it is not served."""
    found = groups(custom).get(group, {}).get(version)
    if found is None:
        return None
    listed: list[Object] = []
    for resource in found:
        entry: Object = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        if "watch" in resource.verbs:
            entry["storageVersionHash"] = _storage_hash(resource)
        listed.append(entry)
        for subresource in sorted(resource.subresources):
            listed.append(_legacy_subresource(resource, subresource))
    group_version = f"{group}/{version}" if group else version
    head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version}
    if not group:
        # Upstream's document of the core group, and only that one, has no apiVersion.
        del head["apiVersion"]
    return {**head, "resources": listed}


def _legacy_subresource(resource: Resource, subresource: str) -> Object:
    group, version, kind = _subresource_kind(resource, subresource)
    entry: Object = {"name": f"{resource.plural}/{subresource}", "singularName": "", "namespaced": resource.namespaced}
    if (group, version) != (resource.group, resource.version):
        entry |= {"group": group, "version": version}
    return {**entry, "kind": kind, "verbs": _subresource_verbs(subresource)}


def _aggregated_resource(resource: Resource) -> Object:
    entry: Object = {
        "resource": resource.plural,
        # An empty group and version mean those of the list.
        "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = []
    for subresource in sorted(resource.subresources):
        group, version, kind = _subresource_kind(resource, subresource)
        same = (group, version) == (resource.group, resource.version)
        response = {"group": "" if same else group, "version": "" if same else version, "kind": kind}
        verbs = _subresource_verbs(subresource)
        subresources.append({"subresource": subresource, "responseKind": response, "verbs": verbs})
    if subresources:
        entry["subresources"] = subresources
    return entry


@lru_cache(maxsize=8)
def aggregated(core: bool, custom: tuple[Resource, ...] = ()) -> tuple[bytes, str]:
    """The aggregated document of /api (``core``) or /apis, and its ETag."""
    items = []
    for group, versions in groups(custom).items():
        if (group == "") != core:
            continue
        listed = [
            {"version": version, "resources": [_aggregated_resource(r) for r in found], "freshness": "Current"}
            for version, found in versions.items()
        ]
        items.append({"metadata": {"name": group} if group else {}, "versions": listed})
    document = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
    body = orjson.dumps({**document, "items": items})
    return body, f'"{hashlib.sha512(body).hexdigest().upper()}"'


def wants_aggregated(accept: str) -> bool:
    """Whether an Accept header asks for the aggregated form."""
    for clause in accept.split(","):
        parameters = {part.strip() for part in clause.split(";")[1:]}
        if {"g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"} <= parameters:
            return True
    return False
