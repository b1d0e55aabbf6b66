"""A cluster of plain dictionaries: enough API and kubectl exec for the checks and the course, and a clock to move."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from podwalk.api import errors, meta, resources, selectors
from podwalk.api.meta import Object
from podwalk.backends.base import ClusterStatus, Completed, NodeInfo

Exec = Callable[[str, str, str], Completed]


class FakeClock:
    """Time that passes only when somebody pauses."""

    def __init__(self) -> None:
        self.time = 0.0
        self.on_pause: Callable[[], None] = lambda: None
        self.busy = 1.0

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds
        self.on_pause()

    def stretched(self, seconds: float) -> float:
        return seconds * self.busy


class FakeClient:
    """The part of SyncClient that podwalk's rooms use, on a dictionary. Pods are Ready as soon as they exist."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def list(
        self, kind: Any, namespace: str | None = None, *, label_selector: str | None = None, **_: object
    ) -> list[Object]:
        self._cluster.must_answer()
        kind = kind if isinstance(kind, str) else kind.kind
        wanted = selectors.parse_label_selector(label_selector)
        return [
            copy.deepcopy(o)
            for (k, _), o in self._cluster.objects.items()
            if k == kind and (namespace is None or meta.namespace(o) == namespace) and wanted(meta.labels(o))
        ]

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        self._cluster.must_answer()
        found = self._cluster.objects.get((kind, meta.make_key(namespace, name)))
        return copy.deepcopy(found) if found else None

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object:
        found = self.find(kind, name, namespace)
        if found is None:
            raise errors.not_found(resources.by_kind(kind).plural, name)
        return found

    def apply(self, obj: Object, *, field_manager: str, force: bool = True) -> Object:
        self._cluster.must_answer()
        return self._cluster.add(copy.deepcopy(obj))

    def delete(self, kind: str, name: str, namespace: str | None = None, **_: object) -> Object:
        self.get(kind, name, namespace)
        self._cluster.remove(kind, meta.make_key(namespace, name))
        return {}


class FakeCluster:
    """A cluster; ``exec`` answers every `kubectl exec` with (namespace, pod, script) -> Completed."""

    name = "fake"
    backend = "embedded"
    context = "fake"
    kubeconfig_path = Path("/nonexistent/kubeconfig")

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.down_with: OSError | None = None
        self.exec: Exec = lambda namespace, pod, script: answered(body=pod)
        self.execs: list[tuple[str, str, str]] = []
        self._count = 0
        self.options: dict[str, Any] = {"cni": "flannel", "proxyMode": "iptables", "networkPolicy": True}
        self.beyond: list[tuple[str, list[str]]] = []
        self.add(node("one"))
        self.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}})
        for obj in objects:
            self.add(obj)

    def for_labs(self) -> FakeCluster:
        return self

    def shown(self, text: str) -> str:
        return text

    def status(self) -> ClusterStatus:
        nodes = tuple(
            NodeInfo(meta.name(o), "worker", "172.18.0.3", True) for (k, _), o in self.objects.items() if k == "Node"
        )
        return ClusterStatus(self.name, self.backend, True, self.context, "", nodes, {"options": self.options})

    def add(self, obj: Object) -> Object:
        """Store an object as an API server would: UID, ServiceAccount of a namespace, a Ready Pod."""
        self._count += 1
        key = (obj["kind"], meta.key(obj))
        old = self.objects.get(key)
        obj["metadata"]["uid"] = old["metadata"]["uid"] if old else f"uid-{self._count}"
        obj["metadata"]["resourceVersion"] = str(self._count)
        if obj["kind"] == "Pod":
            obj.setdefault("status", {"phase": "Running", "podIP": f"10.244.1.{self._count}", "conditions": [ready()]})
        self.objects[key] = obj
        if obj["kind"] == "Namespace":
            account = {"name": "default", "namespace": meta.name(obj), "uid": "x"}
            self.objects["ServiceAccount", f"{meta.name(obj)}/default"] = {
                "kind": "ServiceAccount",
                "metadata": account,
            }
        return obj

    def remove(self, kind: str, key: str) -> None:
        """Delete an object; a Namespace takes along all that is in it."""
        del self.objects[kind, key]
        if kind == "Namespace":
            self.objects = {k: o for k, o in self.objects.items() if meta.namespace(o) != key}

    def node(self, node: str, argv: Sequence[str], *, timeout: float | None = None) -> Completed:
        self.beyond.append((node, list(argv)))
        return self.exec("", f"node:{node}", argv[-1])

    def outside(self, argv: Sequence[str], *, timeout: float | None = None) -> Completed:
        self.beyond.append(("", list(argv)))
        return self.exec("", "outside", argv[-1])

    def must_answer(self) -> None:
        if self.down_with:
            raise self.down_with

    def client(self) -> Any:
        return FakeClient(self)

    def kubectl(self, *args: str, input: str | None = None, timeout: float = 60) -> Completed:
        verb, _, namespace, pod, _, _, _, script = args
        assert verb == "exec"
        self.execs.append((namespace, pod, script))
        if namespace == "podwalk-control":
            return answered(body="answerer")
        return self.exec(namespace, pod, script)


def ready(status: str = "True") -> Object:
    return {"type": "Ready", "status": status}


def node(name: str, status: str = "True") -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"conditions": [ready(status)]}}


def pod(ref: str, ip: str = "", owner: str = "", **labels: str) -> Object:
    namespace, name = ref.split("/")
    owners = [{"kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}] if owner else []
    status = {"phase": "Running", "podIP": ip or "10.244.1.9", "conditions": [ready()]}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "ownerReferences": owners}
    spec = {"nodeName": "one"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def service(ref: str, selector: dict[str, str] | None = None, **spec: Any) -> Object:
    namespace, name = ref.split("/")
    metadata = {"name": name, "namespace": namespace}
    spec = {"type": "ClusterIP", "ports": [{"port": 80}], "selector": selector, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def slice_of(ref: str, *addresses: str, port: int = 8080, ready: bool | None = True, name: str = "") -> Object:
    namespace, service_name = ref.split("/")
    labels = {"kubernetes.io/service-name": service_name}
    metadata = {"name": name or f"{service_name}-x", "namespace": namespace, "labels": labels}
    endpoints = [{"addresses": [a], "conditions": {"ready": ready} if ready is not None else {}} for a in addresses]
    shape = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
    return {**shape, "ports": [{"name": "", "port": port}], "endpoints": endpoints}


def answered(status: int = 200, body: str = "", exit_code: int = 0, ip: str = "10.96.0.7", count: int = 1) -> Completed:
    """What the probe script prints after ``count`` equal requests."""
    line = f"{body}\n<<podwalk {status:03d} {exit_code} {ip} 0.001 >>\n"
    return Completed(0, line * count)
