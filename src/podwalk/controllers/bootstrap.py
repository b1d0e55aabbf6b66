"""What every cluster has from the start: the system namespaces and the ``kubernetes`` Service.

Stands in for controllers inside kube-apiserver (pkg/controlplane/controller/systemnamespaces, kubernetesservice): who
deletes one of these gets it back.
"""

from __future__ import annotations

import copy

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.controllers.context import Context, Controller, ManagerConfig

SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_SERVICE_KEY = "default/kubernetes"


def kubernetes_objects(config: ManagerConfig) -> list[Object]:
    """The Service ``kubernetes``, its EndpointSlice and its Endpoints. Pure."""
    address, port = config.api_address
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": config.api_service_ip,
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": port}],
            "sessionAffinity": "None",
        },
    }
    slice_: Object = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv6" if ":" in address else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    endpoints: Object = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": address}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}],
    }
    return [service, slice_, endpoints]


def corrected(wanted: Object, current: Object) -> Object | None:
    """``current`` with the addresses of ``wanted``, or None where they are right already. Pure."""
    fields = {"EndpointSlice": ("endpoints", "ports"), "Endpoints": ("subsets",)}.get(wanted["kind"], ())
    if all(current.get(f) == wanted[f] for f in fields):
        return None
    fixed = copy.deepcopy(current)
    fixed.update({f: wanted[f] for f in fields}, apiVersion=wanted["apiVersion"], kind=wanted["kind"])
    return fixed


class Bootstrap(Controller):
    """Keys are the names of system namespaces, and ``default/kubernetes``."""

    name = "bootstrap-controller"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._kinds: dict[str, Informer] = {k: self.informer(k) for k in ("Service", "EndpointSlice", "Endpoints")}
        self._namespaces = self.informer("Namespace")
        self._namespaces.on_change(self._namespace_changed)
        for informer in self._kinds.values():
            informer.on_change(self._object_changed)

    def _namespace_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None and meta.name(old) in SYSTEM_NAMESPACES:
            self.enqueue(meta.name(old))

    def _object_changed(self, old: Object | None, new: Object | None) -> None:
        if meta.key(new or old or {}) == _SERVICE_KEY:
            self.enqueue(_SERVICE_KEY)

    async def start(self) -> None:
        """Make everything once; the API server must answer. Raises ApiError."""
        for namespace in SYSTEM_NAMESPACES:
            await self.reconcile(namespace)
        await self.reconcile(_SERVICE_KEY)

    async def reconcile(self, key: str) -> None:
        """Make one namespace, or the Service with its addresses. Raises ApiError (then retried)."""
        if key != _SERVICE_KEY:
            if self._namespaces.get(key) is None:
                await self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": key}})
            return
        for wanted in kubernetes_objects(self.context.config):
            current = self._kinds[wanted["kind"]].get(_SERVICE_KEY)
            if current is None:
                await self._create(wanted)
                continue
            fixed = corrected(wanted, current)
            if fixed is not None:
                await self.client.update(fixed)

    async def _create(self, obj: Object) -> None:
        try:
            await self.client.create(obj)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
