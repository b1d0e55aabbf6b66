"""What a namespace uses of its ResourceQuotas. Stands in for pkg/controller/resourcequota and pkg/quota/v1."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from podwalk.api import meta, quantity
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import RESOURCES
from podwalk.controllers import pods as podutil
from podwalk.controllers.context import Context, Controller, typed

# Several changes at once (a Deployment's Pods) are one calculation.
_SETTLE_SECONDS = 0.05
_COUNTED = {
    "pods": "Pod",
    "services": "Service",
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "replicationcontrollers": "ReplicationController",
    "resourcequotas": "ResourceQuota",
}
_BY_NAME = {r.qualified: r.kind for r in RESOURCES if r.namespaced}
Lister = Callable[[str], Iterable[Object]]


def kind_of(name: str) -> str | None:
    """The kind that a resource name of a quota counts, or None where it counts none."""
    if name.startswith("count/"):
        return _BY_NAME.get(name.removeprefix("count/"))
    return _COUNTED.get(name)


def used(quota: Object, objects: Lister) -> dict[str, str]:
    """What of ``spec.hard`` is used; ``objects`` gives the namespace's objects of a kind. Pure."""
    out: dict[str, str] = {}
    for name in quota["spec"].get("hard") or {}:
        kind = kind_of(name)
        if name == "pods":
            amount = Decimal(sum(1 for _ in _pods(quota, objects)))
        elif kind is not None:
            amount = Decimal(sum(1 for _ in objects(kind)))
        elif name.startswith("services."):
            amount = Decimal(sum(_of_service(name, s) for s in objects("Service")))
        else:
            amount = sum((_of_pod(name, p) for p in _pods(quota, objects)), Decimal(0))
        out[name] = _text(amount, (quota["spec"]["hard"])[name])
    return out


def _text(amount: Decimal, like: object) -> str:
    """The amount in the notation (binary or decimal) of the limit."""
    suffix = "Ki" if str(like).endswith("i") and amount and amount % 1024 == 0 else ""
    return quantity.canonical(f"{int(amount) // 1024}Ki" if suffix else f"{amount:f}")


def _of_service(name: str, service: Object) -> int:
    spec = service["spec"]
    if name == "services.loadbalancers":
        return int(spec.get("type") == "LoadBalancer")
    if name == "services.nodeports" and spec.get("type") in ("NodePort", "LoadBalancer"):
        return sum(bool(p.get("nodePort")) for p in spec.get("ports") or ())
    return 0


def _of_pod(name: str, pod: Object) -> Decimal:
    kind, _, resource = name.rpartition(".") if name.startswith(("requests.", "limits.")) else ("requests", "", name)
    return Decimal(podutil.demand(pod, kind)[resource])


def _pods(quota: Object, objects: Lister) -> Iterable[Object]:
    spec = quota["spec"]
    scopes = [{"scopeName": s, "operator": "Exists"} for s in spec.get("scopes") or ()]
    scopes += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    for pod in objects("Pod"):
        if not podutil.is_terminal(pod) and all(_in_scope(s, pod) for s in scopes):
            yield pod


def _in_scope(scope: Object, pod: Object) -> bool:
    spec = pod["spec"]
    ends = spec.get("activeDeadlineSeconds") is not None
    effort = not any(podutil.demand(pod, kind).total() for kind in ("requests", "limits"))
    match scope["scopeName"]:
        case "Terminating":
            return ends
        case "NotTerminating":
            return not ends
        case "BestEffort":
            return effort
        case "NotBestEffort":
            return not effort
        case "PriorityClass":
            return _in_class(scope, spec.get("priorityClassName"))
    return True


def _in_class(scope: Object, name: str | None) -> bool:
    values = scope.get("values") or ()
    match scope.get("operator"):
        case "In":
            return name in values
        case "NotIn":
            return name not in values
        case "DoesNotExist":
            return not name
    return bool(name)


class ResourceQuotaController(Controller):
    """Keys are ResourceQuotas."""

    name = "resourcequota-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._quotas = self.informer("ResourceQuota")
        self._kinds = {r.kind: self.informer(r.kind) for r in RESOURCES if r.namespaced and r.kind != "Event"}
        self.watch_keys(self._quotas)
        for informer in self._kinds.values():
            informer.on_change(self._changed)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _relevant(old) == _relevant(new):
            return
        for quota in self._quotas.in_namespace(meta.namespace(new or old or {})):
            self.enqueue_after(meta.key(quota), _SETTLE_SECONDS)

    async def reconcile(self, key: str) -> None:
        """Write the status of one quota. Raises ApiError (then retried)."""
        quota = self._quotas.get(key)
        if quota is None or meta.is_deleting(quota):
            return
        namespace = meta.namespace(quota)

        def objects(kind: str) -> Iterable[Object]:
            informer = self._kinds.get(kind)
            return informer.in_namespace(namespace) if informer is not None else ()

        hard = dict(quota["spec"].get("hard") or {})
        status = {"hard": hard, "used": used(quota, objects)} if hard else {}
        if status == (quota.get("status") or {}):
            return
        try:
            await self.client.update_status({**typed(self._quotas, quota), "status": status})
        except ApiError as error:
            if error.reason != "NotFound":
                raise


def _relevant(obj: Object) -> tuple[object, ...]:
    spec = obj.get("spec") or {}
    return spec.get("containers"), spec.get("type"), spec.get("ports"), (obj.get("status") or {}).get("phase")
