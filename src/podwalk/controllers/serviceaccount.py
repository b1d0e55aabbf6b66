"""A ``default`` ServiceAccount and ``kube-root-ca.crt`` in every namespace.

Stands in for pkg/controller/serviceaccount and pkg/controller/certificates/rootcacertpublisher. Tokens are not made
ahead of time: ``kubectl create token`` and the kubelet ask for them.
"""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.informer import Handler
from podwalk.controllers import ownership
from podwalk.controllers.context import Context, Controller

ROOT_CA = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class ServiceAccountController(Controller):
    """Keys are namespaces."""

    name = "service-account-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = self.informer("Namespace")
        self._accounts = self.informer("ServiceAccount")
        self._configs = self.informer("ConfigMap")
        self._namespaces.on_change(lambda old, new: self.enqueue(meta.name(new or old or {})))
        self._accounts.on_change(self._changed("default"))
        self._configs.on_change(self._changed(ROOT_CA))

    def _changed(self, watched: str) -> Handler:
        def handler(old: Object | None, new: Object | None) -> None:
            obj = new or old or {}
            if old is not None and meta.name(obj) == watched:
                self.enqueue(meta.namespace(obj))

        return handler

    async def reconcile(self, key: str) -> None:
        """Make or restore both objects of one namespace. Raises ApiError (then retried)."""
        namespace = self._namespaces.get(key)
        if namespace is None or meta.is_deleting(namespace):
            return
        if self._accounts.get(meta.make_key(key, "default")) is None:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": key}}
            await self._create(account)
        wanted = self._root_ca(key)
        current = self._configs.get(meta.make_key(key, ROOT_CA))
        if current is None:
            await self._create(wanted)
        elif current.get("data") != wanted["data"]:
            await self.client.update({**current, **{k: wanted[k] for k in ("apiVersion", "kind", "data")}})

    def _root_ca(self, namespace: str) -> Object:
        annotations = {"kubernetes.io/description": _DESCRIPTION}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": ROOT_CA, "namespace": namespace, "annotations": annotations},
            "data": {"ca.crt": self.context.config.ca_cert},
        }

    async def _create(self, obj: Object) -> None:
        try:
            await self.client.create(obj)
        except ApiError as error:
            if error.reason != "AlreadyExists" and not ownership.is_namespace_terminating(error):
                raise
