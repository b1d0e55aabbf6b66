"""Questions about Kubernetes objects, asked alike of the cluster now and of the moment when the lab began."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from podwalk.api import meta, selectors
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.sync import SyncClient

SERVICE_NAME = "kubernetes.io/service-name"
SNAPSHOT_KINDS = (
    "Pod", "Service", "EndpointSlice", "ConfigMap", "Deployment", "ReplicaSet", "DaemonSet", "StatefulSet",
    "Job", "NetworkPolicy",
)  # fmt: skip


class Source(Protocol):
    """Where objects come from."""

    def objects(self, kind: str, namespace: str) -> list[Object]:
        """All objects of a kind in a namespace."""


class Live:
    """The cluster as it is at each question."""

    def __init__(self, client: SyncClient) -> None:
        self._client = client

    def objects(self, kind: str, namespace: str) -> list[Object]:
        """List them from the API server. Raises ApiError or OSError."""
        return self._client.list(kind, namespace)


class Frozen:
    """Objects as they were; see :func:`freeze`."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self._objects = list(objects)

    def objects(self, kind: str, namespace: str) -> list[Object]:
        """Those of the kind and namespace."""
        return [o for o in self._objects if o["kind"] == kind and meta.namespace(o) == namespace]


def freeze(client: SyncClient, namespaces: Iterable[str], kinds: Iterable[str] = ()) -> list[Object]:
    """The objects that checks may later compare with, without their bookkeeping. Raises ApiError or OSError.

    ``kinds``: those to keep besides the usual ones.
    """
    wanted = dict.fromkeys([*SNAPSHOT_KINDS, *kinds])
    kept = []
    for namespace in namespaces:
        for kind in wanted:
            for obj in client.list(kind, namespace):
                obj["metadata"].pop("managedFields", None)
                kept.append(obj)
    return kept


def split_ref(ref: str) -> tuple[str, str]:
    """``namespace/name`` in two. Raises ValueError on anything else."""
    namespace, slash, name = ref.partition("/")
    if not slash or not namespace or not name:
        raise ValueError(f"{ref!r} is not namespace/name")
    return namespace, name


def is_ready(pod: Object) -> bool:
    """Whether a Pod is Ready and nobody has asked it to go."""
    return meta.condition_is_true(pod, "Ready") and not meta.is_deleting(pod)


def at_path(obj: Object, path: str) -> Any:
    """The value at a dotted path (``spec.type``), or None where the path ends early."""
    value: Any = obj
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


class State:
    """What a checker may ask about objects; every answer is plain data."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def objects(self, kind: str, namespace: str) -> list[Object]:
        """All objects of a kind in a namespace, by name."""
        return sorted(self._source.objects(kind, namespace), key=meta.name)

    def find(self, kind: str, ref: str) -> Object | None:
        """The object ``namespace/name``, or None."""
        namespace, name = split_ref(ref)
        return next((o for o in self.objects(kind, namespace) if meta.name(o) == name), None)

    def named(self, kind: str, pattern: str) -> list[Object]:
        """The objects whose name matches a shell pattern: ``shop/web-*``."""
        namespace, name = split_ref(pattern)
        return [o for o in self.objects(kind, namespace) if fnmatch.fnmatchcase(meta.name(o), name)]

    def labels(self, pattern: str, kind: str = "Pod") -> dict[str, dict[str, str]]:
        """Labels by name, of the Pods (or other objects) whose name matches."""
        return {meta.name(o): dict(meta.labels(o)) for o in self.named(kind, pattern)}

    def fields(self, kind: str, ref: str, *paths: str) -> dict[str, Any]:
        """The values at dotted paths; ``{"exists": False}`` where there is no such object."""
        obj = self.find(kind, ref)
        return {path: at_path(obj, path) for path in paths} if obj else {"exists": False}

    def pods_of(self, ref: str) -> list[Object]:
        """The Pods that a Deployment owns now, the newest first, without those on their way out."""
        namespace, _ = split_ref(ref)
        deployment = self.find("Deployment", ref)
        if deployment is None:
            return []
        owned = {meta.uid(r) for r in self.objects("ReplicaSet", namespace) if _owner(r) == meta.uid(deployment)}
        pods = [p for p in self.objects("Pod", namespace) if _owner(p) in owned and not meta.is_deleting(p)]
        return sorted(pods, key=lambda p: str(p["metadata"].get("creationTimestamp")), reverse=True)

    def ready_pods(self, namespace: str, wanted: Mapping[str, str] | None = None, **labels: str) -> list[Object]:
        """The Ready Pods with all of these labels."""
        asked = {**(wanted or {}), **labels}
        return [
            p for p in self.objects("Pod", namespace) if is_ready(p) and selectors.match_labels(asked, meta.labels(p))
        ]

    def ready_ips(self, namespace: str, wanted: Mapping[str, str] | None = None, **labels: str) -> set[str]:
        """The addresses of those Pods."""
        return {str(p["status"]["podIP"]) for p in self.ready_pods(namespace, wanted, **labels)}

    def slices(self, ref: str) -> list[Object]:
        """The EndpointSlices that kube-proxy takes for this Service: all that carry its name as a label."""
        namespace, name = split_ref(ref)
        return [s for s in self.objects("EndpointSlice", namespace) if meta.labels(s).get(SERVICE_NAME) == name]

    def endpoints(self, ref: str, port: int | None = None) -> set[str]:
        """The ready addresses behind a Service; with a port of the Service, as ``address:target``."""
        service = self.find("Service", ref)
        wanted = next((p for p in at_path(service or {}, "spec.ports") or () if p["port"] == port), None)
        found: set[str] = set()
        for part in self.slices(ref):
            addresses = [a for e in part.get("endpoints") or () if _serves(e) for a in e["addresses"]]
            if port is None:
                found.update(addresses)
            elif wanted is not None:
                targets = [p for p in part.get("ports") or () if (p.get("name") or "") == (wanted.get("name") or "")]
                found.update(f"{a}:{t['port']}" for a in addresses for t in targets)
        return found

    def moving(self, namespaces: Iterable[str]) -> bool:
        """Whether something is still on its way: a rollout, a Pod that starts or ends, a certificate being issued."""
        names = list(namespaces)
        for namespace in names:
            pods = self.objects("Pod", namespace)
            if any(meta.is_deleting(p) or (p.get("status") or {}).get("phase") == "Pending" for p in pods):
                return True
            if any(_rolling(d) for d in self.objects("Deployment", namespace)):
                return True
        return any(self._issues(namespace) for namespace in names)

    def _issues(self, namespace: str) -> bool:
        try:
            certificates = self.objects("Certificate", namespace)
        except ApiError as error:
            if error.reason not in ("NotFound", "Forbidden"):
                raise
            return False  # there is no cert-manager, or the learner has no part in it
        # The key of the next certificate is put away last.
        return any(
            meta.condition_is_true(c, "Issuing") or (c.get("status") or {}).get("nextPrivateKeySecretName")
            for c in certificates
        )


def _owner(obj: Object) -> str:
    owner = meta.controller_of(obj)
    return str(owner["uid"]) if owner else ""


def _serves(endpoint: Object) -> bool:
    # A condition that is not set counts as true (discovery.k8s.io/v1).
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _rolling(deployment: Object) -> bool:
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    counts = (status.get("updatedReplicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0))
    return not seen or counts != (wanted, wanted, wanted)
