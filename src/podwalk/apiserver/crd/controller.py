"""What happens to a CustomResourceDefinition after it is stored: its names, its establishment, its end.

Upstream: k8s.io/apiextensions-apiserver/pkg/controller/{status,establish,finalizer}, which run inside kube-apiserver.
"""

from __future__ import annotations

import asyncio
import logging

from podwalk.api import meta, resources
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.apiserver.crd.definition import APPROVED
from podwalk.apiserver.options import DeleteOptions
from podwalk.apiserver.registry import deletion
from podwalk.apiserver.registry.core import Registry
from podwalk.apiserver.registry.traits import CRD_FINALIZER

log = logging.getLogger(__name__)

CRD = resources.by_kind("CustomResourceDefinition")
_AGAIN_SECONDS = 0.2


class Controller:
    """Keeps the catalogue of a registry in step with its CustomResourceDefinitions."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._served: dict[str, Object] = {}
        self._ending: set[str] = set()

    async def run(self) -> None:
        """Follow the definitions until cancelled."""
        watcher = self._store.watch(CRD, "", None)
        names = {meta.name(stored.obj) for _, stored in self._store.scan(CRD)}
        try:
            while True:
                for name in sorted(names):
                    self._sync_safely(name)
                # A definition on its way out waits for its objects, which other watches tell of.
                timeout = _AGAIN_SECONDS if self._ending else None
                names = set(self._ending)
                try:
                    async with asyncio.timeout(timeout):
                        while not watcher.pending:
                            watcher.wake.clear()
                            await watcher.wake.wait()
                except TimeoutError:
                    pass
                while watcher.pending:
                    names.add(meta.name(watcher.pending.popleft().current.obj))
        finally:
            self._store.unwatch(CRD, watcher)

    def _sync_safely(self, name: str) -> None:
        try:
            self.sync(name)
        except ApiError:
            log.exception("customresourcedefinition %s", name)
            self._ending.add(name)

    def sync(self, name: str) -> None:
        """Bring one definition a step further. Raises ApiError."""
        self._ending.discard(name)
        stored = self._store.get(CRD, "", name)
        if stored is None:
            self._served.pop(name, None)
            for resource in self._registry.catalog.withdraw(name):
                self._store.forget(resource)
            return
        if meta.is_deleting(stored.obj):
            self._finalize(name)
            stored = self._store.get(CRD, "", name)
            if stored is None:
                return
        else:
            obj = stored.copy()
            if _settle(obj, self._taken(obj)):
                stored = self._store.put(CRD, obj)
        if meta.condition_is_true(stored.obj, "Established"):
            self._serve(name, stored.obj)

    def _serve(self, name: str, crd: Object) -> None:
        was = self._served.get(name)
        now = {
            "spec": crd["spec"],
            "names": crd["status"]["acceptedNames"],
            "deleted": crd["metadata"].get("deletionTimestamp"),
        }
        if was != now:
            self._served[name] = now
            self._registry.catalog.serve(crd)

    def _taken(self, crd: Object) -> set[str]:
        """The names that other definitions of the group hold."""
        group = crd["spec"]["group"]
        # What is built in keeps its names: a definition beside it would share its objects.
        built_in = [r for r in resources.RESOURCES if r.group == group]
        taken = {r.plural for r in built_in} | {f"kind:{r.kind}" for r in built_in}
        for _, stored in self._store.scan(CRD):
            other = stored.obj
            if meta.name(other) == meta.name(crd) or other["spec"]["group"] != group:
                continue
            names = (other.get("status") or {}).get("acceptedNames") or {}
            taken |= {str(names.get("plural")), str(names.get("singular")), *(names.get("shortNames") or ())}
            taken |= {f"kind:{names.get('kind')}", f"kind:{names.get('listKind')}"}
        return taken

    def _finalize(self, name: str) -> None:
        stored = self._registry.get(CRD, "", name)
        remaining = 0
        for resource in self._registry.catalog.of_definition(name)[:1]:
            for (namespace, item), found in self._store.scan(resource):
                if not meta.is_deleting(found.obj):
                    deletion.delete(self._registry, resource, namespace, item, DeleteOptions())
            remaining = len(self._store.scan(resource))
        obj = stored.copy()
        conditions = obj.setdefault("status", {}).setdefault("conditions", None) or []
        obj["status"]["conditions"] = conditions
        finalizers = [f for f in obj["metadata"].get("finalizers") or () if f != CRD_FINALIZER]
        if remaining:
            self._ending.add(name)
            text = "CustomResource deletion is in progress"
            if meta.set_condition(conditions, "Terminating", "True", "InstanceDeletionInProgress", text):
                self._store.put(CRD, obj)
            return
        if finalizers != (obj["metadata"].get("finalizers") or []):
            text = "removed all instances"
            meta.set_condition(conditions, "Terminating", "False", "InstanceDeletionCompleted", text)
            obj["metadata"]["finalizers"] = finalizers
            self._registry.store_updated(CRD, stored, obj)


def _settle(crd: Object, taken: set[str]) -> bool:
    """Accept the names that are free and tell so in the conditions; whether anything changed."""
    wanted, status = crd["spec"]["names"], crd.setdefault("status", {})
    conditions: list[Object] = status.get("conditions") or []
    before = (status.get("acceptedNames"), [dict(c) for c in conditions], list(status.get("storedVersions") or ()))
    accepted = dict(status.get("acceptedNames") or {})
    conflict = ("NoConflicts", "no conflicts found")
    for field in ("plural", "singular", "shortNames", "kind", "listKind"):
        values = wanted.get(field)
        prefix = "kind:" if field in ("kind", "listKind") else ""
        used = [v for v in (values if isinstance(values, list) else [values]) if v and prefix + v in taken]
        if used:
            reason = f"{field[0].upper()}{field[1:]}Conflict"
            if conflict[0] == "NoConflicts":
                conflict = (reason, f'"{used[0]}" is already in use')
        elif values:
            accepted[field] = values
        else:
            accepted.pop(field, None)
    if wanted.get("categories"):
        accepted["categories"] = wanted["categories"]
    else:
        accepted.pop("categories", None)
    fine = conflict[0] == "NoConflicts"
    meta.set_condition(conditions, "NamesAccepted", "True" if fine else "False", *conflict)
    if fine:
        meta.set_condition(
            conditions, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted"
        )
    elif meta.condition(crd, "Established") is None:
        meta.set_condition(conditions, "Established", "False", "NotAccepted", "not all names are accepted")
    approval = meta.annotations(crd).get(APPROVED)
    if approval:
        kind, approved = "KubernetesAPIApprovalPolicyConformant", "://" in approval
        reason, text = ("ApprovedAnnotation", f"approved in {approval}") if approved else (
            "UnapprovedAnnotation", f'not approved: "{approval}"')  # fmt: skip
        meta.set_condition(conditions, kind, "True" if approved else "False", reason, text)
    status["acceptedNames"], status["conditions"] = accepted, conditions
    stored = list(status.get("storedVersions") or ())
    stored += [v["name"] for v in crd["spec"]["versions"] if v.get("storage") and v["name"] not in stored]
    status["storedVersions"] = stored
    return before != (accepted, conditions, stored)
