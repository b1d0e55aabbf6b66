"""Eviction: deleting a Pod where its disruption budget allows it.

Upstream: pkg/registry/core/pod/storage/eviction.go, with its answers. Nothing awaits between the look at the budget
and the deletion, so that two evictions never share one disruption.
"""

from __future__ import annotations

from typing import Any

from podwalk.api import errors, meta, resources
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.selectors import label_selector
from podwalk.apiserver.options import DeleteOptions
from podwalk.apiserver.registry import deletion
from podwalk.apiserver.registry.core import Registry
from podwalk.apiserver.store import Stored

_POD = resources.by_kind("Pod")
_BUDGET = resources.by_kind("PodDisruptionBudget")
_MOST_DISRUPTED = 2000
_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


def evict(registry: Registry, namespace: str, name: str, options: DeleteOptions) -> None:
    """Delete a Pod, at the expense of its budget. Raises ApiError: TooManyRequests (429) where that has nothing left.

    A Pod that does not run yet or no longer costs nothing.
    """
    stored = registry.get(_POD, namespace, name)
    pod = stored.obj
    phase = (pod.get("status") or {}).get("phase")
    if phase not in ("Succeeded", "Failed", "Pending") and not meta.is_deleting(pod):
        budgets = _budgets(registry, pod)
        if len(budgets) > 1:
            text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            raise ApiError(500, "", text)
        if budgets and not _costs_nothing(budgets[0].obj, pod):
            _spend(registry, budgets[0], name, options)
    if not options.dry_run and not meta.is_deleting(pod) and not _is_refused(stored, options):
        marked = stored.copy()
        conditions: list[Any] = marked.setdefault("status", {}).setdefault("conditions", [])
        meta.set_condition(conditions, "DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting")
        registry.store.put(_POD, marked)
    deletion.delete(registry, _POD, namespace, name, options)


def _is_refused(stored: Stored, options: DeleteOptions) -> bool:
    """Whether the deletion's own preconditions will refuse it."""
    other = bool(options.uid) and options.uid != meta.uid(stored.obj)
    return other or bool(options.resource_version)


def _budgets(registry: Registry, pod: Object) -> list[Stored]:
    found = registry.store.scan(_BUDGET, meta.namespace(pod))
    return [s for _, s in found if label_selector(s.obj["spec"].get("selector"))(meta.labels(pod))]


def _costs_nothing(budget: Object, pod: Object) -> bool:
    """Whether the Pod is not healthy, and the budget lets such Pods go."""
    if meta.condition_is_true(pod, "Ready"):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired = int(status.get("desiredHealthy") or 0)
    return int(status.get("currentHealthy") or 0) >= desired > 0


def _spend(registry: Registry, stored: Stored, pod: str, options: DeleteOptions) -> None:
    budget = stored.copy()
    name, status = meta.name(budget), budget.setdefault("status", {})
    if int(status.get("observedGeneration") or 0) < int(budget["metadata"].get("generation") or 0):
        raise _too_many(f"The disruption budget {name} is still being processed by the server.", 10)
    allowed = int(status.get("disruptionsAllowed") or 0)
    if allowed < 0:
        raise errors.forbidden("poddisruptionbudget", name, "pdb disruptions allowed is negative", "policy")
    if len(status.get("disruptedPods") or {}) > _MOST_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden("poddisruptionbudget", name, why, "policy")
    if allowed == 0:
        desired, current = int(status.get("desiredHealthy") or 0), int(status.get("currentHealthy") or 0)
        text = f"The disruption budget {name} needs {desired} healthy pods and has {current} currently"
        raise _too_many(text, 0)
    status["disruptionsAllowed"] = allowed - 1
    if allowed == 1:
        conditions = status.setdefault("conditions", [])
        meta.set_condition(conditions, "DisruptionAllowed", "False", "InsufficientPods")
    if not options.dry_run:
        status["disruptedPods"] = {**(status.get("disruptedPods") or {}), pod: meta.now()}
        registry.store.put(_BUDGET, budget)


def _too_many(why: str, seconds: int) -> ApiError:
    details: dict[str, Any] = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if seconds:
        details["retryAfterSeconds"] = seconds
    return ApiError(429, "TooManyRequests", _REFUSED, details)
