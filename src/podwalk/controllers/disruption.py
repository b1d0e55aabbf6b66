"""How many Pods may be evicted now: the status of PodDisruptionBudgets. Stands in for pkg/controller/disruption."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import orjson

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.selectors import label_selector
from podwalk.controllers import pods as podutil
from podwalk.controllers.context import Context, Controller, typed
from podwalk.controllers.replicaset_plan import replicas

# How long an approved eviction may wait for its deletion before the budget gets it back.
DELETION_TIMEOUT = timedelta(minutes=2)
# How long the mark of a disruption that never came stays on a Pod.
STALE_SECONDS = 120.0
_SCALED = ("ReplicaSet", "ReplicationController", "StatefulSet", "Deployment")
_NOT_SCALED = {"DaemonSet": "daemonsets.apps", "Job": "jobs.batch"}


def disrupted(budget: Object, pods: Iterable[Object], now: datetime) -> tuple[dict[str, str], float | None]:
    """The approved evictions that are still to come, and the seconds until the first of them has waited too long."""
    known = (budget.get("status") or {}).get("disruptedPods") or {}
    out: dict[str, str] = {}
    waits = []
    for pod in pods:
        at = known.get(meta.name(pod))
        if at is None or meta.is_deleting(pod):
            continue
        left = (meta.parse_time(at) + DELETION_TIMEOUT - now).total_seconds()
        if left >= 0:
            out[meta.name(pod)] = at
            waits.append(left)
    return out, min(waits, default=None)


def healthy(pods: Iterable[Object], gone: dict[str, str]) -> int:
    """How many Pods are ready and will stay."""
    return sum(not meta.is_deleting(p) and meta.name(p) not in gone and podutil.is_ready(p) for p in pods)


def status(budget: Object, current: int, desired: int, expected: int, gone: dict[str, str]) -> Object:
    """The budget's status. Pure."""
    allowed = max(0, current - desired) if expected > 0 else 0
    generation = budget["metadata"].get("generation", 0)
    out: Object = {"observedGeneration": generation}
    if gone:
        out["disruptedPods"] = gone
    out.update(disruptionsAllowed=allowed, currentHealthy=current, desiredHealthy=desired, expectedPods=expected)
    reason = "SufficientPods" if allowed > 0 else "InsufficientPods"
    old = (budget.get("status") or {}).get("conditions")
    out["conditions"] = _conditions(old, "True" if allowed > 0 else "False", reason, "", generation)
    return out


def _conditions(old: list[Object] | None, value: str, reason: str, message: str, generation: int) -> list[Object]:
    conditions = copy.deepcopy(old or [])
    meta.set_condition(conditions, "DisruptionAllowed", value, reason, message)
    for one in conditions:
        if one["type"] == "DisruptionAllowed":
            one.update(message=message, observedGeneration=generation)
    return conditions


class DisruptionController(Controller):
    """Keys are PodDisruptionBudgets."""

    name = "controllermanager"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._budgets = self.informer("PodDisruptionBudget")
        self._pods = self.informer("Pod")
        self._owners = {kind: self.informer(kind) for kind in _SCALED}
        self._events = context.recorder(self.name)
        self.watch_keys(self._budgets)
        self._pods.on_change(self._pod_changed)
        for informer in self._owners.values():
            informer.on_change(self._owner_changed)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _relevant(old) == _relevant(new):
            return
        for pod in (old, new):
            for budget in self._budgets.in_namespace(meta.namespace(pod)) if pod is not None else ():
                if pod is not None and label_selector(budget["spec"].get("selector"))(meta.labels(pod)):
                    self.enqueue(meta.key(budget))

    def _owner_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and replicas(old) == replicas(new):
            return
        for budget in self._budgets.in_namespace(meta.namespace(new or old or {})):
            self.enqueue(meta.key(budget))

    async def reconcile(self, key: str) -> None:
        """Write the status of one budget. Raises ApiError (then retried)."""
        cached = self._budgets.get(key)
        if cached is None:
            return
        budget, now = typed(self._budgets, cached), datetime.now(UTC)
        matches = label_selector(budget["spec"].get("selector"))
        pods = [p for p in self._pods.in_namespace(meta.namespace(budget)) if matches(meta.labels(p))]
        if not pods:
            self._events.event(budget, "Normal", "NoPods", "No matching pods found")
        try:
            expected, desired = self._expected(budget, pods)
        except LookupError as error:
            await self._fail(budget, str(error.args[0]))
            return
        gone, wait = disrupted(budget, pods, now)
        for pod in pods:
            if meta.name(pod) in ((budget.get("status") or {}).get("disruptedPods") or {}):
                self._not_deleted(budget, pod, gone)
        if wait is not None:
            self.enqueue_after(key, wait + 0.01)
        await self._write(budget, status(budget, healthy(pods, gone), desired, expected, gone))

    def _not_deleted(self, budget: Object, pod: Object, gone: dict[str, str]) -> None:
        if meta.name(pod) not in gone and not meta.is_deleting(pod):
            namespace = meta.namespace(budget)
            text = f"Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"
            self._events.event(typed(self._pods, pod), "Warning", "NotDeleted", text)

    def _expected(self, budget: Object, pods: list[Object]) -> tuple[int, int]:
        """(how many Pods there should be, how many of them have to be healthy). Raises LookupError."""
        spec = budget["spec"]
        most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
        if most is not None:
            expected = self._scale(budget, pods)
            return expected, max(0, expected - podutil.scaled_up(most, expected))
        if isinstance(least, str):
            expected = self._scale(budget, pods)
            return expected, podutil.scaled_up(least, expected)
        return (len(pods), int(least)) if least is not None else (0, 0)

    def _scale(self, budget: Object, pods: list[Object]) -> int:
        """The sum of the replicas of everything that controls these Pods."""
        scales: dict[str, int] = {}
        unmanaged = False
        for pod in pods:
            ref = meta.controller_of(pod)
            if ref is None:
                unmanaged = True
            elif ref["uid"] not in scales:
                uid, scale = self._owner_scale(ref, pod)
                # Another ReplicaSet of the same Deployment adds nothing.
                scales[ref["uid"]] = 0
                scales[uid] = scale
        if unmanaged:
            selector = orjson.dumps(budget["spec"].get("selector")).decode()
            text = (
                f"Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a "
                "result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. "
                'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
            )
            self._events.event(budget, "Warning", "UnmanagedPods", text)
        return sum(scales.values())

    def _owner_scale(self, ref: Object, pod: Object) -> tuple[str, int]:
        """(UID, replicas) of a Pod's controller; a ReplicaSet of a Deployment stands for that. Raises LookupError."""
        kind, namespace = str(ref.get("kind")), meta.namespace(pod)
        if kind in _NOT_SCALED:
            raise LookupError(f"{_NOT_SCALED[kind]} does not implement the scale subresource")
        informer = self._owners.get(kind)
        owner = informer.get(meta.make_key(namespace, ref["name"])) if informer is not None else None
        if owner is None or meta.uid(owner) != ref["uid"]:
            raise LookupError(f'found no controllers for pod "{meta.name(pod)}"')
        above = meta.controller_of(owner)
        if kind == "ReplicaSet" and above is not None and above.get("kind") == "Deployment":
            deployment = self._owners["Deployment"].get(meta.make_key(namespace, above["name"]))
            if deployment is not None and meta.uid(deployment) == above["uid"]:
                return meta.uid(deployment), replicas(deployment)
        return meta.uid(owner), replicas(owner)

    async def _fail(self, budget: Object, why: str) -> None:
        text = f"Failed to calculate the number of expected pods: {why}"
        self._events.event(budget, "Warning", "CalculateExpectedPodCountFailed", text)
        old = budget.get("status") or {}
        conditions = _conditions(old.get("conditions"), "False", "SyncFailed", why, old.get("observedGeneration", 0))
        counts = {k: old.get(k, 0) for k in ("currentHealthy", "desiredHealthy", "expectedPods")}
        await self._write(budget, {**old, "disruptionsAllowed": 0, **counts, "conditions": conditions})

    async def _write(self, budget: Object, wanted: Object) -> None:
        if wanted == (budget.get("status") or {}):
            return
        try:
            await self.client.update_status({**budget, "status": wanted})
        except ApiError as error:
            if error.reason != "NotFound":
                raise


def _relevant(pod: Object) -> tuple[object, ...]:
    return meta.labels(pod), podutil.is_ready(pod), meta.is_deleting(pod), meta.controller_of(pod)


class StaleDisruptions(Controller):
    """Keys are Pods marked for a disruption that did not come: the mark is taken back."""

    name = "disruption-stale-pods"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pods = self.informer("Pod")
        self._pods.on_change(self._pod_changed)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and _mark(new) is not None:
            self.enqueue_after(meta.key(new), STALE_SECONDS)

    async def reconcile(self, key: str) -> None:
        """Reset the condition of one Pod. Raises ApiError (then retried)."""
        pod = self._pods.get(key)
        mark = _mark(pod) if pod is not None else None
        if pod is None or mark is None:
            return
        age = (datetime.now(UTC) - meta.parse_time(mark["lastTransitionTime"])).total_seconds()
        if age < STALE_SECONDS:
            self.enqueue_after(key, STALE_SECONDS - age)
            return
        conditions = copy.deepcopy(pod["status"]["conditions"])
        meta.set_condition(conditions, "DisruptionTarget", "False")
        patch = {"metadata": {"uid": meta.uid(pod)}, "status": {"conditions": conditions}}
        try:
            await self.client.patch("Pod", meta.name(pod), patch, meta.namespace(pod), subresource="status")
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise


def _mark(pod: Object) -> Object | None:
    if meta.is_deleting(pod) or podutil.is_terminal(pod):
        return None
    found = meta.condition(pod, "DisruptionTarget")
    if found is None or found.get("status") != "True" or found.get("reason") == "TerminationByKubelet":
        return None
    return found if found.get("lastTransitionTime") else None
