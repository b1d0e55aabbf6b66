"""A client for somebody who has a few namespaces of a cluster, and nothing else of it.

RBAC can grant what is in a namespace, but not the making of namespaces by name. So they are made once, with the rights
of the cluster's owner (:mod:`podwalk.backends.grants`), and this client treats them as if they came and went: one that
is not in use is not found, applying it puts it into use, and deleting it empties it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from podwalk.api import added, meta, resources
from podwalk.api.errors import ApiError, not_found
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.backends.names import Names
from podwalk.client.sync import Objects, SyncClient, SyncConfig
from podwalk.client.wire import PATCH_TYPES, resource_of

IN_USE = "podwalk.dev/in-use"
# Whose a namespace is, and which of what is in it belongs to the grant.
GRANTED = "podwalk.dev/granted-to"
_NAME_LABEL = "kubernetes.io/metadata.name"
_SPACE = re.compile(r"^(/api/v1|/apis/[^/]+/[^/]+)/namespaces/([^/]+)(/.*)?$")
_SPACES = "/api/v1/namespaces"
# What the cluster itself puts into every namespace.
_EVERYWHERE = {("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")}
# Makers of Pods go before their Pods; what controllers derive goes by itself.
_MAKERS = ("CronJob", "Job", "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Pod")
_DERIVED = frozenset({"Event", "Endpoints", "ControllerRevision", "Lease", "ResourceQuota", "LimitRange"})
_NOT_OURS = (403, 404, 405)
_EMPTY_SECONDS = 120.0


class TenantClient(SyncClient):
    """Answers with the names that labs use; see :class:`podwalk.backends.names.Names`."""

    def __init__(self, config: SyncConfig, names: Names) -> None:
        super().__init__(config)
        self._names = names

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout: float = 30,
    ) -> Any:
        """As SyncClient's. Deleting a namespace returns when nothing is in it any more, or raises ApiError (409)."""
        if path == _SPACES and method == "GET":
            return self._list_spaces(params)
        match = _SPACE.match(path)
        if match and match[1] == "/api/v1" and not match[3] and self._is_ours(match[2]):
            return self._space(method, match[2], params, body, content_type)
        real = f"{match[1]}/namespaces/{self._names.real(match[2])}{match[3] or ''}" if match else path
        answer = self._send(method, real, params=params, body=body, content_type=content_type, timeout=timeout)
        return self._names.incoming(answer)

    def list_with_version(
        self,
        kind: str | Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> tuple[Objects, str]:
        """As SyncClient's; of all namespaces are those in use."""
        resource = resource_of(kind)
        if namespace is not None or not resource.namespaced:
            return super().list_with_version(kind, namespace, label_selector, field_selector)
        found: Objects = []
        for space in self.list("Namespace", label_selector=IN_USE):
            found += super().list_with_version(resource, meta.name(space), label_selector, field_selector)[0]
        return found, ""

    def watch(self, kind: str | Resource, namespace: str | None = None, **more: Any) -> Iterator[tuple[str, Object]]:
        """As SyncClient's, of one namespace."""
        real = self._names.real(namespace) if namespace else None
        for event, obj in super().watch(kind, real, **more):
            yield event, self._names.incoming(obj)

    # Parts

    def _send(self, method: str, path: str, *, body: Any = None, **more: Any) -> Any:
        try:
            return super().request(method, path, body=self._names.outgoing(body), **more)
        except ApiError as error:
            raise ApiError(error.code, error.reason, self._names.incoming(error.message), error.details) from None

    def _is_ours(self, name: str) -> bool:
        return name in self._names.namespaces

    def _list_spaces(self, params: dict[str, str] | None) -> Any:
        """Ours that are in use, and the system's, by which a cluster is known."""
        answer = self._send("GET", _SPACES, params=params)
        kept = []
        for space in answer.get("items") or []:
            name = meta.name(space)
            own = self._names.own(name)
            if own is None:
                if name.startswith("kube-"):
                    kept.append(space)
            elif IN_USE in meta.labels(space):
                kept.append(self._known(space))
        return {**answer, "items": kept}

    def _space(self, method: str, name: str, params: Any, body: Any, content_type: str) -> Any:
        path = f"{_SPACES}/{self._names.real(name)}"
        found = self._send("GET", path)
        if method == "PATCH" and content_type == PATCH_TYPES["apply"]:
            put = {**body, "metadata": {**body["metadata"], "labels": {**meta.labels(body), IN_USE: "true"}}}
            return self._known(self._send("PATCH", path, params=params, body=put, content_type=content_type))
        if IN_USE not in meta.labels(found):
            raise not_found("namespaces", name)
        if method == "DELETE":
            self._empty(name)
            self._forget(path, found)
            return {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        if method == "GET":
            return self._known(found)
        return self._known(self._send(method, path, params=params, body=body, content_type=content_type))

    def _known(self, space: Object) -> Object:
        return dict(self._names.incoming(space))

    def _forget(self, path: str, space: Object) -> None:
        """Take off all labels and annotations but the cluster's own and the grant's."""
        kept = {_NAME_LABEL, GRANTED}
        gone = {key: None for key in meta.labels(space) if key not in kept and not key.startswith("pod-security.")}
        marks = dict.fromkeys(k for k in space["metadata"].get("annotations") or {} if "kubernetes.io/" not in k)
        self._send(
            "PATCH",
            path,
            body={"metadata": {"labels": gone, "annotations": marks}},
            content_type=PATCH_TYPES["merge"],
        )

    def _empty(self, name: str) -> None:
        """Delete what is in it, and wait until it is gone. Raises ApiError (409) where something stays."""
        deadline, pause = time.monotonic() + _EMPTY_SECONDS, 0.02
        kinds = [r for r in (*resources.RESOURCES, *added.ADDED) if r.namespaced and r.kind not in _DERIVED]
        kinds.sort(key=lambda r: _MAKERS.index(r.kind) if r.kind in _MAKERS else len(_MAKERS))
        while left := [(r, obj) for r in kinds for obj in self._listed(r, name) if not _stays(r, obj)]:
            if time.monotonic() > deadline:
                resource, obj = left[0]
                what = f"{resource.singular}/{meta.name(obj)}"
                raise ApiError(409, "Conflict", f"{what}: does not go from {name}; kubectl describe shows why")
            for resource, obj in left:
                self._remove(resource, obj, name)
            # What had nothing is not asked for again: only makers make more, and Pods are the last of it.
            busy = {r.kind for r, _ in left}
            kinds = [r for r in kinds if r.kind in busy or (r.kind in _MAKERS and busy & set(_MAKERS))]
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def _listed(self, resource: Resource, namespace: str) -> Objects:
        try:
            return super().list_with_version(resource, namespace)[0]
        except ApiError as error:
            if error.code in _NOT_OURS:
                return []
            raise

    def _remove(self, resource: Resource, obj: Object, namespace: str) -> None:
        if meta.is_deleting(obj) and resource.kind != "Pod":
            return
        try:
            self.delete(resource, meta.name(obj), namespace, grace_period=0, propagation="Background")
        except ApiError as error:
            if error.code not in (404, 409):
                raise


def _stays(resource: Resource, obj: Object) -> bool:
    """What the cluster or the grant has put there, and the slices that go with their Service."""
    derived = resource.kind == "EndpointSlice" and bool(obj["metadata"].get("ownerReferences"))
    return derived or (resource.kind, meta.name(obj)) in _EVERYWHERE or GRANTED in meta.labels(obj)
