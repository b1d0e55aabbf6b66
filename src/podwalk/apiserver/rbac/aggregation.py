"""Aggregated ClusterRoles: the rules of one are the union of those that its selectors find.

Upstream: pkg/controller/clusterroleaggregation of kube-controller-manager.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from podwalk.api import meta, resources
from podwalk.api.meta import Object
from podwalk.api.selectors import label_selector
from podwalk.apiserver.store import Store

_ROLE = resources.by_kind("ClusterRole")
_ROUNDS = 8
"""How deep aggregated roles may aggregate each other before the next change continues."""


def aggregate(store: Store) -> bool:
    """Write the rules of every aggregated role once; whether any changed."""
    changed = False
    roles = [stored.obj for _, stored in store.scan(_ROLE)]
    for role in roles:
        selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
        if not selectors:
            continue
        rules = _union(role, roles, selectors)
        if rules != (role.get("rules") or []):
            stored = store.get(_ROLE, "", meta.name(role))
            assert stored is not None
            store.put(_ROLE, {**stored.copy(), "rules": rules})
            changed = True
    return changed


def _union(role: Object, roles: list[Object], selectors: list[Object]) -> list[Object]:
    rules: list[Object] = []
    matchers = [match for match in map(_matcher, selectors) if match is not None]
    for other in roles:
        if meta.name(other) == meta.name(role) or not any(match(meta.labels(other)) for match in matchers):
            continue
        rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules


def _matcher(selector: Object) -> Callable[[Mapping[str, str]], bool] | None:
    """A selector as a predicate; None where it means nothing, so that it selects nothing."""
    try:
        return label_selector(selector)
    except (ValueError, KeyError, TypeError):
        return None


def settle(store: Store) -> None:
    """Aggregate until nothing changes."""
    for _ in range(_ROUNDS):
        if not aggregate(store):
            return


async def run(store: Store) -> None:
    """Follow the ClusterRoles until cancelled."""
    watcher = store.watch(_ROLE, "", None)
    try:
        while True:
            settle(store)
            watcher.pending.clear()
            watcher.wake.clear()
            await watcher.wake.wait()
    finally:
        store.unwatch(_ROLE, watcher)
