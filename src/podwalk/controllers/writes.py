"""What a loop wrote and has not seen come back: no decision on a stale cache.

Stands in for the expectations of pkg/controller/controller_utils.go and for the trackers of endpointslice: a loop that
decides again before its informer has shown the last decision would create the same Pod twice. The API server's
resourceVersions grow, so "seen" is a comparison.
"""

from __future__ import annotations

import time
from collections import defaultdict

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.informer import Informer

# A change that the watch never shows (a re-list skipped over it) must not hold the loop up for ever.
EXPIRY_SECONDS = 5.0


class Writes:
    """Pending writes of one kind, grouped by the key of the object that they were made for."""

    def __init__(self, informer: Informer) -> None:
        self._informer = informer
        # owner -> key -> (version that the cache must reach, or None where it must show the deletion; expiry)
        self._pending: dict[str, dict[str, tuple[int | None, float]]] = defaultdict(dict)
        self._owners: dict[str, set[str]] = defaultdict(set)
        informer.on_change(self._seen)

    def note(self, owner: str, written: Object) -> None:
        """Remember the API server's answer to a create or an update made for ``owner``."""
        key, version = meta.key(written), meta.resource_version(written)
        cached = self._informer.get(key)
        if cached is not None and meta.resource_version(cached) >= version:
            return
        self._pending[owner][key] = (version, time.monotonic() + EXPIRY_SECONDS)
        self._owners[key].add(owner)

    def note_deleted(self, owner: str, key: str) -> None:
        """Remember that ``key`` is about to be deleted: it must vanish, or show a deletionTimestamp."""
        cached = self._informer.get(key)
        if cached is not None and not meta.is_deleting(cached):
            self._pending[owner][key] = (None, time.monotonic() + EXPIRY_SECONDS)
            self._owners[key].add(owner)

    def settled(self, owner: str) -> bool:
        """Whether the cache shows everything that was written for ``owner``."""
        waiting = self._pending.get(owner)
        if not waiting:
            return True
        now = time.monotonic()
        for key in [k for k, (_, expiry) in waiting.items() if expiry <= now]:
            self._forget_one(owner, key)
        return not self._pending.get(owner)

    def forget(self, owner: str) -> None:
        """Drop everything about an object that is gone."""
        for key in list(self._pending.get(owner, ())):
            self._forget_one(owner, key)

    def _seen(self, old: Object | None, new: Object | None) -> None:
        key = meta.key(new if new is not None else old or {"metadata": {}})
        for owner in list(self._owners.get(key, ())):
            version, _ = self._pending[owner][key]
            if new is None or (meta.is_deleting(new) if version is None else meta.resource_version(new) >= version):
                self._forget_one(owner, key)

    def _forget_one(self, owner: str, key: str) -> None:
        self._pending[owner].pop(key, None)
        if not self._pending[owner]:
            del self._pending[owner]
        self._owners[key].discard(owner)
        if not self._owners[key]:
            del self._owners[key]
