"""An API server in a dictionary: storage, watch, merge patch, graceful deletion; no validation, few defaults."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

from objects import node

from podwalk.api import errors, meta, resources
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.api.selectors import field_matcher, parse_label_selector
from podwalk.client.rest import Client


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386, and the one directive of strategic patches that loops send."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for k, v in patch.items():
        if k.startswith("$deleteFromPrimitiveList/"):
            field = k.partition("/")[2]
            out[field] = [one for one in out.get(field) or () if one not in v]
        elif v is None:
            out.pop(k, None)
        else:
            out[k] = merge(out.get(k), v)
    return out


class FakeClient(Client):
    """The client's methods, answered from memory; ``log`` holds (method, kind, key) of every write."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.history: list[tuple[int, str, str, Object]] = []
        self.version = 0
        self.log: list[tuple[str, str, str]] = []
        self.fail: Callable[[str, str, str], ApiError | None] = lambda method, kind, key: None
        self._changed: set[asyncio.Event] = set()

    async def close(self) -> None: ...

    def all(self, kind: str, namespace: str | None = None) -> list[Object]:
        """Every object of a kind, by key."""
        found = sorted((k, o) for (kd, k), o in self.objects.items() if kd == kind)
        return [o for _, o in found if namespace is None or meta.namespace(o) == namespace]

    def find(self, kind: str, key: str) -> Object | None:
        return self.objects.get((kind, key))

    async def until(self, what: Callable[[], Any], timeout: float = 5) -> Any:
        """Wait until ``what`` holds; asked again after every write."""
        changed = asyncio.Event()
        self._changed.add(changed)
        try:
            async with asyncio.timeout(timeout):
                while not (found := what()):
                    changed.clear()
                    await changed.wait()
                return found
        finally:
            self._changed.discard(changed)

    async def quiet(self, seconds: float = 0.05) -> None:
        """Wait until nothing is written for a while."""
        while True:
            before = self.version
            await asyncio.sleep(seconds)
            if self.version == before:
                return

    def _emit(self, kind_of_event: str, kind: str, obj: Object) -> None:
        self.history.append((self.version, kind_of_event, kind, copy.deepcopy(obj)))
        for event in self._changed:
            event.set()

    def _store(self, resource: Resource, obj: Object, event: str) -> Object:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.objects[resource.kind, meta.key(obj)] = obj
        self._emit(event, resource.kind, obj)
        return copy.deepcopy(obj)

    def _remove(self, resource: Resource, obj: Object) -> Object:
        self.version += 1
        obj = copy.deepcopy(obj)
        obj["metadata"]["resourceVersion"] = str(self.version)
        del self.objects[resource.kind, meta.key(obj)]
        self._emit("DELETED", resource.kind, obj)
        return obj

    def _check(self, method: str, resource: Resource, key: str) -> None:
        self.log.append((method, resource.kind, key))
        error = self.fail(method, resource.kind, key)
        if error is not None:
            raise error

    async def get(self, kind: str | Resource, name: str, namespace: str | None = None) -> Object:
        await asyncio.sleep(0)
        return copy.deepcopy(self._existing(_resource(kind), meta.make_key(namespace, name)))

    def _existing(self, resource: Resource, key: str) -> Object:
        found = self.objects.get((resource.kind, key))
        if found is None:
            raise errors.not_found(resource.plural, meta.split_key(key)[1], resource.group)
        return found

    async def list(
        self,
        kind: str | Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Object:
        await asyncio.sleep(0)
        labels, fields = parse_label_selector(label_selector), field_matcher(field_selector)
        items = [o for o in self.all(_resource(kind).kind, namespace) if labels(meta.labels(o)) and fields(o)]
        return {"metadata": {"resourceVersion": str(self.version)}, "items": copy.deepcopy(items)}

    async def create(self, obj: Object, namespace: str | None = None) -> Object:
        await asyncio.sleep(0)
        obj = copy.deepcopy(obj)
        resource, metadata = resources.of(obj), obj["metadata"]
        if "name" not in metadata:
            metadata["name"] = metadata["generateName"] + meta.random_suffix()
        key = meta.key(obj)
        self._check("create", resource, key)
        if (resource.kind, key) in self.objects:
            raise errors.already_exists(resource.plural, meta.name(obj), resource.group)
        metadata.update(uid=meta.new_uid(), creationTimestamp=meta.now(), generation=1)
        if resource.kind == "Namespace":
            obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
            obj.setdefault("status", {"phase": "Active"})
        if resource.kind == "Pod":
            obj.setdefault("status", {"phase": "Pending"})
        return self._store(resource, obj, "ADDED")

    async def update(self, obj: Object, *, subresource: str | None = None) -> Object:
        await asyncio.sleep(0)
        resource = resources.of(obj)
        self._check("update", resource, meta.key(obj))
        old = self._existing(resource, meta.key(obj))
        version = obj["metadata"].get("resourceVersion")
        if version is not None and version != old["metadata"]["resourceVersion"]:
            raise errors.conflict(resource.plural, meta.name(obj), "the object has been modified", resource.group)
        return self._replace(resource, old, obj, subresource)

    def _replace(self, resource: Resource, old: Object, wanted: Object, subresource: str | None) -> Object:
        new = copy.deepcopy(wanted)
        if subresource == "status":
            new = {**copy.deepcopy(old), "status": new.get("status", {})}
        elif "status" in old:
            new["status"] = copy.deepcopy(old["status"])
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            if field in old["metadata"]:
                new["metadata"][field] = old["metadata"][field]
        if new == old:
            return copy.deepcopy(old)
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        done = meta.is_deleting(new) and not new["metadata"].get("finalizers")
        done = done and not new["metadata"].get("deletionGracePeriodSeconds")
        if done and resource.kind == "Namespace":
            done = not new["spec"].get("finalizers")
        stored = self._store(resource, new, "MODIFIED")
        return self._remove(resource, new) if done else stored

    async def patch(
        self,
        kind: str | Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        type: Any = "merge",
        subresource: str | None = None,
        field_manager: str | None = None,
        force: bool = False,
    ) -> Object:
        await asyncio.sleep(0)
        resource, key = _resource(kind), meta.make_key(namespace, name)
        self._check("patch", resource, key)
        old = self._existing(resource, key)
        for field in ("resourceVersion", "uid"):
            wanted = patch.get("metadata", {}).get(field)
            if wanted is not None and wanted != old["metadata"][field]:
                raise errors.conflict(resource.plural, name, "the object has been modified", resource.group)
        return self._replace(resource, old, merge(old, patch), subresource)

    async def delete(
        self,
        kind: str | Resource,
        name: str,
        namespace: str | None = None,
        *,
        grace_period: int | None = None,
        propagation: str | None = None,
        uid: str | None = None,
    ) -> Object:
        await asyncio.sleep(0)
        resource, key = _resource(kind), meta.make_key(namespace, name)
        self._check("delete", resource, key)
        old = copy.deepcopy(self._existing(resource, key))
        if uid is not None and uid != meta.uid(old):
            raise errors.conflict(resource.plural, name, "Precondition failed: UID", resource.group)
        finalizers = list(old["metadata"].get("finalizers") or [])
        extra = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(propagation or "")
        if extra and extra not in finalizers:
            finalizers.append(extra)
        ended = (old.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        graceful = resource.kind == "Pod" and old["spec"].get("nodeName") and grace_period != 0 and not ended
        if not finalizers and not graceful and resource.kind != "Namespace":
            return self._remove(resource, old)
        if finalizers:
            old["metadata"]["finalizers"] = finalizers
        old["metadata"].setdefault("deletionTimestamp", meta.now())
        old["metadata"]["deletionGracePeriodSeconds"] = 30 if graceful else 0
        return self._store(resource, old, "MODIFIED")

    async def post(
        self, kind: str | Resource, name: str, subresource: str, body: Object, namespace: str | None = None
    ) -> Object:
        await asyncio.sleep(0)
        assert subresource == "binding"
        resource, key = _resource(kind), meta.make_key(namespace, name)
        self._check("bind", resource, key)
        pod = copy.deepcopy(self._existing(resource, key))
        if pod["spec"].get("nodeName"):
            raise errors.conflict("pods/binding", name, f"pod {name} is already assigned")
        pod["spec"]["nodeName"] = body["target"]["name"]
        meta.set_condition(pod["status"].setdefault("conditions", []), "PodScheduled", "True")
        self._store(resource, pod, "MODIFIED")
        return {"kind": "Status", "status": "Success", "metadata": {}}

    async def request(self, method: str, path: str, **more: Any) -> Object:
        """Only DELETE of a collection."""
        assert method == "DELETE"
        parts = path.split("/")
        namespace, plural = parts[-2], parts[-1]
        resource = next(r for r in resources.RESOURCES if r.plural == plural)
        for obj in self.all(resource.kind, namespace):
            await self.delete(resource, meta.name(obj), namespace)
        return {"kind": "Status", "status": "Success", "metadata": {}}

    async def watch(
        self,
        kind: str | Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> AsyncIterator[tuple[str, Object]]:
        wanted, changed = _resource(kind).kind, asyncio.Event()
        self._changed.add(changed)
        index = 0
        try:
            while True:
                while index < len(self.history):
                    version, event, of, obj = self.history[index]
                    index += 1
                    if of == wanted and version > int(resource_version):
                        yield event, copy.deepcopy(obj)
                changed.clear()
                await changed.wait()
        finally:
            self._changed.discard(changed)

    # What a kubelet would say.

    async def pod_is_ready(self, pod: Object, ip: str, ready: bool = True) -> None:
        conditions = copy.deepcopy(pod["status"].get("conditions") or [])
        meta.set_condition(conditions, "Ready", "True" if ready else "False")
        status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": conditions}
        await self.patch("Pod", meta.name(pod), {"status": status}, meta.namespace(pod), subresource="status")

    async def pod_is_gone(self, pod: Object) -> None:
        await self.delete("Pod", meta.name(pod), meta.namespace(pod), grace_period=0)


def _resource(kind: str | Resource) -> Resource:
    return kind if isinstance(kind, Resource) else resources.by_kind(kind)


async def make_nodes(fake: FakeClient, *names: str) -> None:
    """Nodes that have joined."""
    for name in names:
        await fake.create(node(name))
    await fake.until(lambda: all(n["spec"].get("podCIDR") for n in fake.all("Node")))


def active(fake: FakeClient) -> list[Object]:
    """The Pods that nobody has deleted yet."""
    return [p for p in fake.all("Pod") if not meta.is_deleting(p)]


async def play_kubelet(fake: FakeClient, done: object) -> None:
    """Make every bound Pod ready and confirm every deletion until ``done`` holds."""
    count = 0

    async def step() -> None:
        nonlocal count
        for one in fake.all("Pod"):
            if meta.is_deleting(one):
                await fake.pod_is_gone(one)
            elif one["spec"].get("nodeName") and not meta.condition_is_true(one, "Ready"):
                count += 1
                await fake.pod_is_ready(one, f"10.244.0.{count}")

    assert callable(done)
    while not done():
        await step()
        seen = fake.version
        if not done():
            await fake.until(lambda seen=seen: fake.version != seen or done())
