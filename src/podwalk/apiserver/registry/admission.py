"""Admission: what depends on other objects before a new one is stored.

Upstream: the plugins NamespaceLifecycle, LimitRanger, ServiceAccount, Priority, PodTopologyLabels,
DefaultIngressClass and ResourceQuota of kube-apiserver.
"""

from __future__ import annotations

from podwalk.api import errors, meta, resources
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.registry import limits, priority, quota
from podwalk.apiserver.store import Store

_NAMESPACE = resources.by_kind("Namespace")
_NODE = resources.by_kind("Node")
_INGRESS_CLASS = resources.by_kind("IngressClass")
_SERVICE_ACCOUNT = resources.by_kind("ServiceAccount")
_TOPOLOGY = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
_IS_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_OLD_CLASS = "kubernetes.io/ingress.class"


def check_namespace(store: Store, resource: Resource, namespace: str, name: str) -> None:
    """Refuse to create in a namespace that is missing or on its way out. Raises ApiError (404, 403)."""
    if not resource.namespaced:
        return
    stored = store.get(_NAMESPACE, "", namespace)
    if stored is None:
        raise errors.not_found("namespaces", namespace)
    if meta.is_deleting(stored.obj):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        error = errors.forbidden(resource.plural, name, why, resource.group)
        assert error.details is not None
        message = f"namespace {namespace} is being terminated"
        cause = {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}
        error.details["causes"] = [cause]
        raise error


def admit(store: Store, resource: Resource, obj: Object) -> None:
    """Fill in, in place, what other objects say about a new one. Raises ApiError (403)."""
    if resource.kind == "Pod":
        limits.default_resources(store, obj)
        _check_service_account(store, obj)
        priority.set_priority(store, obj)
        add_topology_labels(store, obj)
    elif resource.kind == "PriorityClass":
        priority.check_class(store, obj)
    elif resource.kind == "Ingress":
        _default_class(store, obj)


def check(store: Store, resource: Resource, obj: Object) -> None:
    """Judge a new object that is valid in itself by what else there is. Raises ApiError (403)."""
    if resource.kind == "Pod":
        limits.check_limits(store, obj)
    quota.check_quotas(store, resource, obj)


def _check_service_account(store: Store, pod: Object) -> None:
    # The default account may still be on its way from its controller; a Pod does not wait for it.
    name, namespace = pod["spec"].get("serviceAccountName") or "default", meta.namespace(pod)
    if name != "default" and store.get(_SERVICE_ACCOUNT, namespace, name) is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise errors.forbidden("pods", meta.name(pod), why)


def add_topology_labels(store: Store, pod: Object) -> None:
    """Copy the zone and the region of a Pod's node to the Pod."""
    node = store.get(_NODE, "", pod["spec"].get("nodeName") or "")
    if node is None:
        return
    found = {name: value for name, value in meta.labels(node.obj).items() if name in _TOPOLOGY}
    if found:
        pod["metadata"]["labels"] = {**meta.labels(pod), **found}


def _default_class(store: Store, ingress: Object) -> None:
    spec = ingress["spec"]
    if spec.get("ingressClassName") is not None or _OLD_CLASS in meta.annotations(ingress):
        return
    marked = [
        stored.obj
        for _, stored in store.scan(_INGRESS_CLASS)
        if meta.annotations(stored.obj).get(_IS_DEFAULT_CLASS) == "true"
    ]
    if marked:
        # The newest wins, then the first by name (the scan is in the order of names).
        newest = max(_created(obj) for obj in marked)
        spec["ingressClassName"] = meta.name(next(obj for obj in marked if _created(obj) == newest))


def _created(obj: Object) -> str:
    return str(obj["metadata"].get("creationTimestamp") or "")
