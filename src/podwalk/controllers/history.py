"""ControllerRevisions: the templates that a StatefulSet or a DaemonSet had, for rollouts and for going back.

Upstream: pkg/controller/history, and getPatch and truncateHistory of pkg/controller/{statefulset,daemon}.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable

import orjson

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.controllers import indexes
from podwalk.controllers import pods as podutil
from podwalk.controllers.context import selector_of
from podwalk.controllers.pod_control import claim
from podwalk.controllers.writes import Writes

HASH_LABEL = "controller.kubernetes.io/hash"
REVISION_LABEL = "controller-revision-hash"
_LONGEST_PREFIX = 223


def patch_of(owner: Object) -> Object:
    """The strategic merge patch that brings ``owner`` back to its present template."""
    template = copy.deepcopy(owner["spec"]["template"])
    return {"spec": {"template": {**template, "$patch": "replace"}}}


def raw(data: Object) -> bytes:
    """The bytes that Go's encoding/json writes for the patch: sorted keys, and <, > and & escaped."""
    text = orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode()


def revision_hash(data: Object, collisions: int) -> str:
    """The hash in a StatefulSet revision's name: 32-bit FNV-1 over the patch and the collision count."""
    return podutil.safe_encode(str(podutil.fnv32(raw(data) + str(collisions).encode())))


def number(revision: Object) -> int:
    """The revision's number; higher is newer."""
    return int(revision.get("revision") or 0)


def in_order(revisions: Iterable[Object]) -> list[Object]:
    """By number, then age, then name."""
    return sorted(revisions, key=lambda r: (number(r), str(r["metadata"].get("creationTimestamp") or ""), meta.name(r)))


def new_revision(owner: Object, value: str, labels: dict[str, str], revision: int) -> Object:
    """The ControllerRevision to create for the owner's present template; ``value`` ends its name."""
    metadata: Object = {
        "name": f"{meta.name(owner)[:_LONGEST_PREFIX]}-{value}",
        "namespace": meta.namespace(owner),
        "labels": {**((owner["spec"]["template"].get("metadata") or {}).get("labels") or {}), **labels},
        "ownerReferences": [meta.owner_reference(owner)],
    }
    if meta.annotations(owner):
        metadata["annotations"] = dict(meta.annotations(owner))
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": patch_of(owner),
        "revision": revision,
    }


def applied(owner: Object, revision: Object) -> Object:
    """``owner`` with the template of a revision (whose patch replaces the template as a whole)."""
    template = copy.deepcopy(revision["data"]["spec"]["template"])
    template.pop("$patch", None)
    return {**owner, "spec": {**owner["spec"], "template": template}}


def beyond_limit(owner: Object, revisions: list[Object], live: set[str], key: str = "") -> list[Object]:
    """The oldest revisions more than ``spec.revisionHistoryLimit`` that are not in use.

    ``live`` holds names, or values of the label ``key`` where one is given.
    """
    limit = owner["spec"].get("revisionHistoryLimit")
    limit = 10 if limit is None else int(limit)
    spare = [r for r in in_order(revisions) if (meta.labels(r).get(key, "") if key else meta.name(r)) not in live]
    return spare[: max(0, len(spare) - limit)]


class History:
    """Reads and writes the revisions of one loop's owners."""

    def __init__(self, client: Client, informer: Informer) -> None:
        self.client = client
        self.informer = informer
        self.writes = Writes(informer)
        indexes.index_owners(informer)

    async def revisions(self, key: str, owner: Object) -> list[Object]:
        """The owner's revisions in order; orphans that match its selector are adopted."""
        found = await claim(
            self.writes, self.client, self.informer, key, owner, selector_of(owner), may_adopt=_is_living
        )
        return in_order({**r, "apiVersion": "apps/v1", "kind": "ControllerRevision"} for r in found)

    async def create(self, key: str, owner: Object, wanted: Object) -> Object | None:
        """Store a revision; None where another one has its name (then the caller counts a collision)."""
        try:
            made = await self.client.create(wanted)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            made = await self.client.get("ControllerRevision", meta.name(wanted), meta.namespace(wanted))
            if not podutil.is_owned_by(made, owner) or made.get("data") != wanted["data"]:
                return None
        self.writes.note(key, made)
        return made

    async def renumber(self, key: str, revision: Object, value: int) -> Object:
        """Give a revision a new number: an old template has come back."""
        written = await self.client.update({**revision, "revision": value})
        self.writes.note(key, written)
        return written

    async def delete(self, key: str, revisions: Iterable[Object]) -> None:
        """Delete revisions that nobody needs."""
        await asyncio.gather(*(self._delete_one(key, revision) for revision in revisions))

    async def _delete_one(self, key: str, revision: Object) -> None:
        self.writes.note_deleted(key, meta.key(revision))
        try:
            await self.client.delete("ControllerRevision", meta.name(revision), meta.namespace(revision))
        except ApiError as error:
            if error.reason != "NotFound":
                raise


def _is_living(revision: Object) -> bool:
    return not meta.is_deleting(revision)
