"""Faults that are a changed, added or missing object of the API, and how what was there is put back."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.client.sync import SyncClient
from podwalk.client.wire import resource_of
from podwalk.faults.facts import Facts
from podwalk.faults.model import Fault, Hands, Plan

_GROUP = "gateway.networking.k8s.io"
GATEWAY_KINDS = {
    "Gateway": Resource(_GROUP, "v1", "Gateway", "gateways", "gateway"),
    "HTTPRoute": Resource(_GROUP, "v1", "HTTPRoute", "httproutes", "httproute"),
    "ReferenceGrant": Resource(_GROUP, "v1beta1", "ReferenceGrant", "referencegrants", "referencegrant"),
}
# What the API server, not the author of an object, writes.
_SERVERS_OWN = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "ownerReferences",
    "selfLink",
)
_TRIES = 5

Mutate = Callable[[Object, Facts], None]
Make = Callable[[Facts], Object]


def kind(name: str) -> Resource:
    """The resource of a kind, Gateway API's included. Raises KeyError."""
    return GATEWAY_KINDS.get(name) or resource_of(name)


def find(client: SyncClient, ref: str) -> Object | None:
    """The object ``Kind namespace/name`` (``Kind name`` without a namespace), or None."""
    what, _, key = ref.partition(" ")
    namespace, name = meta.split_key(key)
    try:
        found = client.find(kind(what), name, namespace or None)
    except ApiError as error:
        if error.code == 404:
            return None
        raise
    return {"apiVersion": kind(what).api_version, "kind": what, **found} if found else None


def essence(obj: Object) -> Object:
    """An object without what the server writes: what somebody would have to write to get it again."""
    kept = {k: copy.deepcopy(v) for k, v in obj.items() if k not in ("metadata", "status")}
    metadata = {k: copy.deepcopy(v) for k, v in obj["metadata"].items() if k not in _SERVERS_OWN}
    annotations = {
        k: v for k, v in (metadata.get("annotations") or {}).items() if not k.startswith("deployment.kubernetes.io/")
    }
    metadata.pop("annotations", None)
    return {**kept, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}


def restore(client: SyncClient, wanted: Object) -> None:
    """Make an object what it was: update it, or create it again where it is gone. Raises ApiError."""
    resource = kind(wanted["kind"])
    namespace, name = meta.namespace(wanted) or None, meta.name(wanted)
    for attempt in range(_TRIES):
        now = client.find(resource, name, namespace)
        try:
            if now is None:
                client.request("POST", resource.path(namespace), body=wanted)
            elif essence({**wanted, **now}) != essence(wanted):
                fresh = copy.deepcopy(wanted)
                fresh["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"]
                client.request("PUT", resource.path(namespace, name), body=fresh)
            return
        except ApiError as error:
            if error.code == 422 and now is not None:
                # A field that cannot change, such as the class of a load balancer: it has to be made anew.
                remove(client, f"{wanted['kind']} {meta.key(wanted)}")
            elif error.code != 409 or attempt == _TRIES - 1:
                raise


def remove(client: SyncClient, ref: str) -> None:
    """Delete an object if it is there."""
    what, _, key = ref.partition(" ")
    namespace, name = meta.split_key(key)
    try:
        client.delete(kind(what), name, namespace or None)
    except ApiError as error:
        if error.code != 404:
            raise


@dataclass(frozen=True, slots=True)
class Change:
    """An object that is there is changed by ``how``; None deletes it."""

    ref: str
    how: Mutate | None


@dataclass(frozen=True)
class InApi(Fault):
    """``changes`` to what is there, and objects that are ``added``."""

    changes: tuple[Change, ...] = field(default=(), kw_only=True)
    added: tuple[Make, ...] = field(default=(), kw_only=True)

    def plan(self, hands: Hands, facts: Facts, rng: random.Random) -> Plan:
        """Both states of every object. Raises ApiError."""
        before, after, gone = [], [], []
        for change in self.changes:
            found = find(hands.client, change.ref)
            if found is None:
                raise ApiError(404, "NotFound", f"{change.ref} not found")
            before.append(essence(found))
            if change.how is None:
                gone.append(change.ref)
            else:
                changed = essence(found)
                change.how(changed, facts)
                after.append(changed)
        return {"before": before, "after": after, "gone": gone, "added": [make(facts) for make in self.added]}

    def inject(self, hands: Hands, plan: Plan) -> None:
        """Write the changes. Raises ApiError."""
        for ref in plan["gone"]:
            remove(hands.client, ref)
        for obj in [*plan["after"], *plan["added"]]:
            restore(hands.client, obj)

    def undo(self, hands: Hands, plan: Plan) -> None:
        """Take away what was added, and put the rest back. Raises ApiError."""
        for obj in plan["added"]:
            remove(hands.client, f"{obj['kind']} {meta.key(obj)}")
        for obj in plan["before"]:
            restore(hands.client, obj)


def put(path: str, value: Any) -> Mutate:
    """Set one field: dotted path, numbers are places in lists."""

    def change(obj: Object, facts: Facts) -> None:
        *way, last = path.split(".")
        at: Any = obj
        for part in way:
            at = at[int(part)] if part.isdecimal() else at.setdefault(part, {})
        at[int(last) if last.isdecimal() else last] = copy.deepcopy(value)

    return change


def every(*changes: Mutate) -> Mutate:
    """One change after the other."""

    def change(obj: Object, facts: Facts) -> None:
        for each in changes:
            each(obj, facts)

    return change


def snapshot(client: SyncClient, namespaces: Iterable[str], kinds: Iterable[str]) -> dict[str, Object]:
    """What authors wrote, by ``Kind namespace/name``; kinds that the cluster does not know are left out."""
    found: dict[str, Object] = {}
    for each in kinds:
        for namespace in namespaces:
            try:
                listed = client.list(kind(each), namespace)
            except ApiError as error:
                if error.code != 404:
                    raise
                break
            found.update({f"{each} {meta.key(o)}": essence(o) for o in listed if meta.controller_of(o) is None})
    return found
