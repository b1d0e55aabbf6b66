"""The state that a recording presupposes, taken from what the recordings tell of each other.

The recordings come in no order, so each gets a server of its own. Its store holds what every cluster has, and the
objects that the recording's request and answer speak of, as other recordings show them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from podwalk.api import meta, resources
from podwalk.api.errors import ApiError
from podwalk.api.resources import Resource
from podwalk.apiserver.crd.kinds import Catalog
from podwalk.apiserver.http import routes
from podwalk.apiserver.store import Store

Object = dict[str, Any]


@dataclass(frozen=True)
class Recording:
    """One request and its answer."""

    name: str
    method: str
    path: str
    accept: str
    auth: str | None
    content_type: str | None
    body: Any
    status: int
    headers: dict[str, str]
    answer: Any

    @property
    def sent(self) -> str:
        """The request as text."""
        return f"{self.path} {self.body if isinstance(self.body, str) else json.dumps(self.body)}"


def load(file: Path, name: str) -> Recording:
    """Read one recording."""
    raw = json.loads(file.read_text(encoding="utf-8"))
    request, response = raw["request"], raw["response"]
    return Recording(
        name, request["method"], request["path"], request.get("accept") or "application/json", request.get("auth"),
        request.get("contentType"), request.get("body"), response["status"], response["headers"], response["body"],
    )  # fmt: skip


def load_stream(file: Path, name: str) -> Recording:
    """Read a recorded watch: a request line, the headers, then one event a line."""
    head, _, rest = file.read_text(encoding="utf-8").partition("\n")
    method, path, accept = head.split(" ", 2)
    _, _, body = rest.lstrip("\n").partition("\n\n")
    events = [json.loads(line) for line in body.splitlines() if line.strip()]
    return Recording(name, method, path, accept.removeprefix("accept="), "admintoken", None, None, 200, {}, events)


Key = tuple[Resource, str, str]


def _resource(obj: Object) -> Resource | None:
    try:
        return resources.of(obj)
    except KeyError:
        return None


@dataclass
class Harvest:
    """Every object that some answer shows, in all the versions that were seen."""

    seen: dict[Key, list[Object]] = field(default_factory=dict)

    def take(self, recording: Recording) -> None:
        """Note the objects of an answer."""
        if recording.status >= 300 or "dryRun" in recording.path:
            return
        answer = recording.answer
        if isinstance(answer, list):
            for event in answer:
                self._add(event.get("object") or {})
        elif isinstance(answer, dict) and str(answer.get("kind", "")).endswith("List"):
            kind = answer["kind"].removesuffix("List")
            for item in answer.get("items") or ():
                self._add({"kind": kind, "apiVersion": answer.get("apiVersion"), **item})
        elif isinstance(answer, dict) and answer.get("kind") == "Table":
            for row in answer.get("rows") or ():
                self._add(row.get("object") or {})
        elif isinstance(answer, dict):
            self._add(answer)

    def _add(self, obj: Object) -> None:
        resource = _resource(obj) if obj.get("kind") and (obj.get("metadata") or {}).get("uid") else None
        if resource is not None and resource.kind != "Scale":
            key = (resource, obj["metadata"].get("namespace") or "", obj["metadata"]["name"])
            self.seen.setdefault(key, []).append(obj)

    def before(self, key: Key, uid: str, limit: int) -> Object | None:
        """The last version of an object below a resourceVersion, of this life (uid)."""
        older = [o for o in self.seen.get(key, ()) if o["metadata"]["uid"] == uid and meta.resource_version(o) < limit]
        return max(older, key=meta.resource_version) if older else None

    def first_of_last_life(self, key: Key, uid: str) -> Object | None:
        """An object as it was first seen, of this life where that is known, else of the last one."""
        found = sorted(self.seen.get(key, ()), key=meta.resource_version)
        found = [o for o in found if not o["metadata"].get("deletionTimestamp")] or found
        wanted = uid or (found[-1]["metadata"]["uid"] if found else "")
        return next((o for o in found if o["metadata"]["uid"] == wanted), None)

    def at(self, resource: Resource, namespace: str, version: int) -> list[Object]:
        """A collection at a resourceVersion, as far as it was seen."""
        found = []
        for (of, in_namespace, _), versions in self.seen.items():
            if of != resource or (namespace and in_namespace != namespace):
                continue
            older = [o for o in versions if meta.resource_version(o) <= version]
            if older:
                found.append(max(older, key=meta.resource_version))
        return found


def _namespace(name: str, terminating: bool = False) -> Object:
    obj: Object = {
        "kind": "Namespace", "apiVersion": "v1",
        "metadata": {"name": name, "uid": meta.new_uid(), "creationTimestamp": meta.now(),
                     "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
    }  # fmt: skip
    if terminating:
        obj["metadata"]["deletionTimestamp"] = meta.now()
        obj["status"]["phase"] = "Terminating"
    return obj


def _target(path: str) -> routes.Target | None:
    try:
        return routes.resolve(path.partition("?")[0], Catalog())
    except ApiError:  # a path that is no resource presupposes nothing
        return None


class World:
    """Fills the store of one server for one recording."""

    def __init__(self, harvest: Harvest) -> None:
        self.harvest = harvest

    def prepare(self, store: Store, recording: Recording) -> None:
        """Put everything into the store that the recording needs."""
        target = _target(recording.path)
        self._namespaces(store, recording)
        listing = target is not None and not target.name and recording.method == "GET"
        for kind in ("Node", "ServiceCIDR", "IngressClass"):
            if not listing and not (recording.status == 201 and f'"kind": "{kind}"' in recording.sent):
                self._put_kind(store, kind)
        if target is None:
            return
        if not target.name and recording.method in ("GET", "DELETE"):
            self._fill(store, target, recording)
        elif target.name or recording.status == 409:
            self._one(store, target, recording)

    def _namespaces(self, store: Store, recording: Recording) -> None:
        if recording.path == "/api/v1/namespaces" and recording.method == "GET":
            return
        found = re.search(r"/namespaces/([^/?]+)", recording.path)
        names = {"default", "kube-system", "kube-public", "kube-node-lease"}
        message = str(recording.answer.get("message", "")) if isinstance(recording.answer, dict) else ""
        if found and f'namespaces "{found[1]}" not found' not in message:
            names.add(found[1])
        for name in sorted(names):
            self._put(store, _namespace(name, f"in namespace {name} because it is being terminated" in message))
            account = {"name": "default", "namespace": name, "uid": meta.new_uid(), "creationTimestamp": meta.now()}
            if recording.method != "GET":
                self._put(store, {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": account})

    def _put_kind(self, store: Store, kind: str) -> None:
        for (resource, _, _), versions in self.harvest.seen.items():
            if resource.kind == kind:
                self._put(store, versions[0])

    def _put(self, store: Store, obj: Object) -> None:
        resource = resources.by_kind(obj["kind"])
        store.put(resource, orjson.loads(orjson.dumps(_headed(resource, obj))))

    def _fill(self, store: Store, target: routes.Target, recording: Recording) -> None:
        """A collection, as it was at the version of the answer."""
        if isinstance(recording.answer, list):
            self._stream(store, recording)
            return
        own = Harvest()
        own.take(recording)
        version = int((recording.answer.get("metadata") or {}).get("resourceVersion") or 2**62)
        if recording.method == "DELETE":
            found = [versions[0] for versions in own.seen.values()]
        else:
            found = self.harvest.at(target.resource, target.namespace, version)
            listed = None if "continue=" in recording.path else self._listed(recording.answer)
            found = [o for o in found if listed is None or o["metadata"]["name"] in listed]
        for obj in sorted(found, key=meta.resource_version):
            self._put(store, obj)

    def _listed(self, answer: Object) -> set[str] | None:
        """The names in a whole list; None where it is a part of one."""
        if (answer.get("metadata") or {}).get("continue"):
            return None
        if "items" in answer:
            return {item["metadata"]["name"] for item in answer["items"]}
        rows = answer.get("rows") or ()
        objects = [r["object"] for r in rows if (r.get("object") or {}).get("metadata")]
        return {o["metadata"]["name"] for o in objects} or {str(r["cells"][0]) for r in rows}

    def _stream(self, store: Store, recording: Recording) -> None:
        """What a watch saw: every event where it began with the history, else what there was at its start."""
        for event in recording.answer:
            obj = event["object"]
            if event["type"] in ("ADDED", "MODIFIED") and _resource(obj) is not None:
                self._put(store, obj)
            elif obj.get("kind") == "Table" and event["type"] == "ADDED":
                for row in obj["rows"]:
                    self._row(store, row["object"]["metadata"])

    def _row(self, store: Store, metadata: Object) -> None:
        for versions in self.harvest.seen.values():
            for obj in versions:
                if obj["metadata"].get("resourceVersion") == metadata["resourceVersion"]:
                    self._put(store, obj)
                    return

    def _one(self, store: Store, target: routes.Target, recording: Recording) -> None:
        """A single object: what it was before the request."""
        answer = recording.answer if isinstance(recording.answer, dict) else {}
        body = recording.body if isinstance(recording.body, dict) else {}
        name = target.name or (body.get("metadata") or {}).get("name", "")
        created = recording.status == 201 and recording.method in ("PUT", "PATCH")
        if not name or recording.status == 404 or created:
            return
        key = (target.resource, target.namespace if target.resource.namespaced else "", name)
        obj = self._before(key, recording, answer, body) or self._plain(target, name)
        if obj is not None:
            self._put(store, _presupposed(orjson.loads(orjson.dumps(obj)), str(answer.get("message", ""))))

    def _before(self, key: Key, recording: Recording, answer: Object, body: Object) -> Object | None:
        shown = answer.get("metadata") or {}
        if recording.status >= 300 or answer.get("kind") != key[0].kind:
            uid = shown.get("uid") or (body.get("metadata") or {}).get("uid") or ""
            return self.harvest.first_of_last_life(key, uid)
        if recording.method == "DELETE":
            rest = {k: v for k, v in shown.items() if k not in ("deletionTimestamp", "deletionGracePeriodSeconds")}
            if key[0].kind == "Namespace":
                rest = shown
            elif "generation" in rest:
                rest["generation"] -= 1
            return {**answer, "metadata": rest}
        if recording.method == "GET" or recording.content_type == "application/json-patch+json":
            return answer
        before = self.harvest.before(key, shown.get("uid", ""), int(shown.get("resourceVersion") or 2**62))
        return before or answer

    def _plain(self, target: routes.Target, name: str) -> Object | None:
        """An object that no answer shows, yet that must exist: a ConfigMap or a Secret is told by its name alone."""
        if target.resource.kind not in ("ConfigMap", "Secret"):
            return None
        metadata = {"name": name, "namespace": target.namespace, "uid": meta.new_uid(), "creationTimestamp": meta.now()}
        return {"kind": target.resource.kind, "apiVersion": "v1", "metadata": metadata}


def _headed(resource: Resource, obj: Object) -> Object:
    rest = {k: v for k, v in obj.items() if k not in ("kind", "apiVersion", "metadata")}
    return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": obj["metadata"], **rest}


def _presupposed(obj: Object, message: str) -> Object:
    """The object with what a refusal says about it."""
    if "immutable` is set" in message:
        obj["immutable"] = True
    if found := re.search(r'(?:already assigned to node|"NodeName":) "([^"]+)"', message):
        obj["spec"]["nodeName"] = found[1]
    return obj
