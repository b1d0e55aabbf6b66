"""LimitRanges: defaults for containers, and bounds that a new Pod must keep.

Upstream: the admission plugin LimitRanger (plugin/pkg/admission/limitranger).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from podwalk.api import errors, meta, quantity, resources
from podwalk.api.meta import Object
from podwalk.apiserver.store import Store

_RANGE = resources.by_kind("LimitRange")
_ANNOTATION = "kubernetes.io/limit-ranger"


def _items(store: Store, namespace: str) -> Iterator[Object]:
    for _, stored in store.scan(_RANGE, namespace):
        yield from (stored.obj.get("spec") or {}).get("limits") or ()


def _groups(spec: Object) -> Iterator[tuple[str, Object]]:
    for field, name in (("containers", "container"), ("initContainers", "init container")):
        for container in spec.get(field) or ():
            yield name, container


def default_resources(store: Store, pod: Object) -> None:
    """Give the containers of a new Pod the namespace's default requests and limits, and say so in an annotation."""
    told: list[str] = []
    wanted: dict[str, Object] = {"requests": {}, "limits": {}}
    for item in _items(store, meta.namespace(pod)):
        if item.get("type") == "Container":
            wanted["requests"] = {**(item.get("defaultRequest") or {}), **wanted["requests"]}
            wanted["limits"] = {**(item.get("default") or {}), **wanted["limits"]}
    if not any(wanted.values()):
        return
    for group, container in _groups(pod["spec"]):
        given: Object = container.setdefault("resources", {})
        for field, singular in (("requests", "request"), ("limits", "limit")):
            missing = {k: v for k, v in wanted[field].items() if k not in (given.get(field) or {})}
            if missing:
                given[field] = {**(given.get(field) or {}), **missing}
                told.append(f"{', '.join(sorted(missing))} {singular} for {group} {container.get('name', '')}")
    if told:
        annotations = {**meta.annotations(pod), _ANNOTATION: f"LimitRanger plugin set: {'; '.join(told)}"}
        pod["metadata"]["annotations"] = annotations


def _least(kind: str, name: str, bound: str, request: str | None, limit: str | None) -> str:
    head = f"minimum {name} usage per {kind} is {bound}"
    if request is None:
        return f"{head}.  No request is specified"
    if quantity.value(request) < quantity.value(bound):
        return f"{head}, but request is {request}"
    return f"{head}, but limit is {limit}" if limit and quantity.value(limit) < quantity.value(bound) else ""


def _most(kind: str, name: str, bound: str, request: str | None, limit: str | None) -> str:
    head = f"maximum {name} usage per {kind} is {bound}"
    if limit is None:
        return f"{head}.  No limit is specified"
    if quantity.value(limit) > quantity.value(bound):
        return f"{head}, but limit is {limit}"
    return f"{head}, but request is {request}" if request and quantity.value(request) > quantity.value(bound) else ""


def _ratio(kind: str, name: str, bound: str, request: str | None, limit: str | None) -> str:
    head = f"{name} max limit to request ratio per {kind} is {bound}, but "
    if request is None or not quantity.value(request):
        return f"{head}no request is specified or request is 0"
    if limit is None or not quantity.value(limit):
        return f"{head}no limit is specified or limit is 0"
    ratio = quantity.value(limit) / quantity.value(request)
    return f"{head}provided ratio is {float(ratio):f}" if ratio > quantity.value(bound) else ""


_RULES = (("min", _least), ("max", _most), ("maxLimitRequestRatio", _ratio))


def _broken(item: Object, requests: Object, limits: Object) -> Iterator[str]:
    for field, rule in _RULES:
        for name, bound in sorted((item.get(field) or {}).items()):
            if why := rule(str(item.get("type")), name, str(bound), requests.get(name), limits.get(name)):
                yield why


def _sum(amounts: list[Object]) -> Object:
    total: dict[str, Decimal] = {}
    for each in amounts:
        for name, amount in each.items():
            total[name] = total.get(name, Decimal(0)) + quantity.value(amount)
    return {name: quantity.canonical(f"{amount.normalize():f}") for name, amount in total.items()}


def check_limits(store: Store, pod: Object) -> None:
    """Refuse a new Pod that breaks a LimitRange of its namespace. Raises ApiError (403)."""
    wrong: list[str] = []
    for item in _items(store, meta.namespace(pod)):
        if item.get("type") == "Container":
            for _, container in _groups(pod["spec"]):
                given = container.get("resources") or {}
                wrong += _broken(item, given.get("requests") or {}, given.get("limits") or {})
        elif item.get("type") == "Pod":
            given = [c.get("resources") or {} for c in pod["spec"].get("containers") or ()]
            totals = [_sum([g.get(field) or {} for g in given]) for field in ("requests", "limits")]
            wrong += _broken(item, totals[0], totals[1])
    if wrong:
        why = wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]"
        raise errors.forbidden("pods", meta.name(pod), why)
