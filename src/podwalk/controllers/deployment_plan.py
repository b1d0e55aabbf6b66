"""The arithmetic of rollouts: how many Pods each ReplicaSet of a Deployment may have. Pure.

Upstream: pkg/controller/deployment (rolling.go, recreate.go, sync.go) and its util package.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import pods as podutil
from podwalk.controllers.replicaset_plan import replicas as replicas

HASH_LABEL = "pod-template-hash"
_PREFIX = "deployment.kubernetes.io/"
REVISION = _PREFIX + "revision"
REVISION_HISTORY = _PREFIX + "revision-history"
DESIRED_REPLICAS = _PREFIX + "desired-replicas"
MAX_REPLICAS = _PREFIX + "max-replicas"
_NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
)


def is_rolling(deployment: Object) -> bool:
    """Whether the strategy is RollingUpdate (the default)."""
    return bool((deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate")


def fenceposts(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as numbers: percentages round up and down; both zero would never move."""
    if not is_rolling(deployment):
        return 0, 0
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    wanted = replicas(deployment)
    surge = _scaled(rolling.get("maxSurge", "25%"), wanted, math.ceil)
    unavailable = _scaled(rolling.get("maxUnavailable", "25%"), wanted, math.floor)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, unavailable


def _scaled(value: int | str, total: int, rounded: Any) -> int:
    if isinstance(value, str) and value.endswith("%"):
        # In integers: 0.07 * 100 is more than 7.
        product = int(value[:-1]) * total
        return -(-product // 100) if rounded is math.ceil else product // 100
    return int(value)


def max_unavailable(deployment: Object) -> int:
    """How many Pods may be missing during a rollout."""
    if not is_rolling(deployment) or replicas(deployment) == 0:
        return 0
    return min(fenceposts(deployment)[1], replicas(deployment))


def template_of(obj: Object) -> Object:
    """The Pod template without what the controller or the API server adds, to compare by."""
    template: Object = copy.deepcopy(obj["spec"]["template"])
    metadata = template.setdefault("metadata", {})
    metadata.pop("creationTimestamp", None)
    if metadata.get("labels"):
        metadata["labels"].pop(HASH_LABEL, None)
    for field in ("labels", "annotations"):
        if not metadata.get(field):
            metadata.pop(field, None)
    return template


def find_new(deployment: Object, sets: Iterable[Object]) -> Object | None:
    """The ReplicaSet with the Deployment's template: the oldest, where there are several."""
    wanted = template_of(deployment)
    same = [rs for rs in sets if template_of(rs) == wanted]
    return min(same, key=_age, default=None)


def _age(rs: Object) -> tuple[str, str]:
    return (str(rs["metadata"].get("creationTimestamp") or ""), meta.name(rs))


def by_age(sets: Iterable[Object]) -> list[Object]:
    """Oldest first."""
    return sorted(sets, key=_age)


def revision(obj: Object) -> int:
    """The revision annotation, 0 where there is none."""
    text = meta.annotations(obj).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def total(sets: Iterable[Object]) -> int:
    """The sum of ``spec.replicas``."""
    return sum(replicas(rs) for rs in sets)


def status_sum(sets: Iterable[Object], field: str) -> int:
    """The sum of one number of the statuses."""
    return sum(int((rs.get("status") or {}).get(field) or 0) for rs in sets)


def new_replicas(deployment: Object, sets: list[Object], new: Object) -> int:
    """How many replicas the new ReplicaSet may have now."""
    if not is_rolling(deployment):
        return replicas(deployment)
    ceiling = replicas(deployment) + fenceposts(deployment)[0]
    current = total(sets)
    if current >= ceiling:
        return replicas(new)
    return replicas(new) + min(ceiling - current, replicas(deployment) - replicas(new))


def scale_down_old(deployment: Object, old: list[Object], new: Object) -> dict[str, int]:
    """New sizes of old ReplicaSets, by name: unhealthy replicas first, then as far as availability allows."""
    least = replicas(deployment) - max_unavailable(deployment)
    sizes = {meta.name(rs): replicas(rs) for rs in by_age(old) if replicas(rs) > 0}
    if not sizes:
        return {}
    new_unavailable = replicas(new) - status_sum([new], "availableReplicas")
    budget = total([*old, new]) - least - new_unavailable
    if budget <= 0:
        return {}
    before = dict(sizes)
    for rs in by_age(old):
        name = meta.name(rs)
        unhealthy = sizes.get(name, 0) - status_sum([rs], "availableReplicas")
        take = min(budget, max(unhealthy, 0))
        if take > 0:
            sizes[name] -= take
            budget -= take
    spare = status_sum([*old, new], "availableReplicas") - least
    for name in sizes:
        take = min(spare, sizes[name])
        if take > 0:
            sizes[name] -= take
            spare -= take
    return {name: size for name, size in sizes.items() if size != before[name]}


def scale_proportionally(deployment: Object, sets: list[Object]) -> dict[str, int]:
    """New sizes of the active ReplicaSets when a Deployment is scaled in the middle of a rollout."""
    wanted, surge = replicas(deployment), fenceposts(deployment)[0]
    allowed = wanted + surge if wanted > 0 else 0
    to_add = allowed - total(sets)
    if to_add > 0:
        ordered = sorted(sets, key=lambda rs: (-replicas(rs), *_negated_age(rs)))
    else:
        ordered = sorted(sets, key=lambda rs: (-replicas(rs), *_age(rs)))
    sizes, added = {}, 0
    for rs in ordered:
        part = _fraction(deployment, rs, surge) if to_add else 0
        left = to_add - added
        part = min(part, left) if to_add > 0 else max(part, left)
        sizes[meta.name(rs)] = replicas(rs) + part
        added += part
    if ordered and to_add:
        first = meta.name(ordered[0])
        sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _negated_age(rs: Object) -> tuple[float, str]:
    created = rs["metadata"].get("creationTimestamp")
    return (-meta.parse_time(created).timestamp() if created else 0.0, meta.name(rs))


def _fraction(deployment: Object, rs: Object, surge: int) -> int:
    wanted = replicas(deployment)
    if wanted == 0:
        return -replicas(rs)
    annotated = int(meta.annotations(rs).get(MAX_REPLICAS) or 0) or status_sum([deployment], "replicas") or 1
    return math.floor(replicas(rs) * (wanted + surge) / annotated + 0.5) - replicas(rs)


def is_scaling(deployment: Object, sets: Iterable[Object]) -> bool:
    """Whether ``spec.replicas`` changed since an active ReplicaSet was last sized."""
    for rs in sets:
        if replicas(rs) == 0:
            continue
        desired = meta.annotations(rs).get(DESIRED_REPLICAS)
        if desired is not None and desired != str(replicas(deployment)):
            return True
    return False


def sized_annotations(deployment: Object) -> dict[str, str]:
    """The annotations that remember for which size of the Deployment a ReplicaSet was sized."""
    surge = fenceposts(deployment)[0]
    return {DESIRED_REPLICAS: str(replicas(deployment)), MAX_REPLICAS: str(replicas(deployment) + surge)}


def set_annotations(deployment: Object, current: dict[str, str], new_revision: int, *, exists: bool) -> dict[str, str]:
    """The annotations of the new ReplicaSet: the Deployment's, the revision, and the revisions it had before."""
    out = dict(current)
    out.update({k: v for k, v in meta.annotations(deployment).items() if k not in _NOT_COPIED})
    old = out.get(REVISION, "")
    if int(old or 0) < new_revision:
        out[REVISION] = str(new_revision)
        if exists and old:
            history = out.get(REVISION_HISTORY, "")
            out[REVISION_HISTORY] = f"{history},{old}" if history else old
    if not exists:
        out.update(sized_annotations(deployment))
    return out


def new_set(deployment: Object, new_revision: int) -> Object:
    """The ReplicaSet to create for the Deployment's template, still with 0 replicas."""
    spec = deployment["spec"]
    template = template_of(deployment)
    value = podutil.template_hash(template, (deployment.get("status") or {}).get("collisionCount"))
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: value}
    template["metadata"]["labels"] = labels
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: value}
    wanted: Object = {"replicas": 0, "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        wanted["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta.name(deployment)}-{value}",
            "namespace": meta.namespace(deployment),
            "labels": dict(labels),
            "annotations": set_annotations(deployment, {}, new_revision, exists=False),
            "ownerReferences": [meta.owner_reference(deployment)],
        },
        "spec": wanted,
    }


def outdated(deployment: Object, old: Iterable[Object]) -> list[Object]:
    """Old ReplicaSets beyond ``revisionHistoryLimit`` that nothing runs in any more."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    if limit is None:
        return []
    candidates = sorted((rs for rs in old if not meta.is_deleting(rs)), key=lambda rs: (revision(rs), *_age(rs)))
    excess = candidates[: max(0, len(candidates) - int(limit))]
    return [rs for rs in excess if _is_spent(rs)]


def _is_spent(rs: Object) -> bool:
    status = rs.get("status") or {}
    observed = int(status.get("observedGeneration") or 0) >= int(rs["metadata"].get("generation") or 0)
    return not status.get("replicas") and replicas(rs) == 0 and observed
