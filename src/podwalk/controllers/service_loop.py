"""What the two loops that write the endpoints of Services share: which Services a change is about, and their Pods."""

from __future__ import annotations

from abc import abstractmethod

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import endpoints_plan as plan
from podwalk.controllers import indexes, trigger_time
from podwalk.controllers.context import Context, Controller
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes


class ServiceLoop(Controller):
    """Keys are Services; those without a selector are left to whoever made them."""

    writes = ""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = self.informer("Service")
        self._pods = self.informer("Pod")
        self._written = self.informer(self.writes)
        self._writes = Writes(self._written)
        self._times = trigger_time.TriggerTimes()
        indexes.index_selectors(self._services)
        indexes.index_labels(self._pods)
        self.watch_keys(self._services)
        self._pods.on_change(self._pod_changed)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if not plan.endpoints_changed(old, new):
            return
        for pod in (old, new):
            for service in indexes.selecting(self._services, pod) if pod is not None else ():
                self.enqueue(meta.key(service))

    async def reconcile(self, key: str) -> None:
        """Write the endpoints of one Service. Raises ApiError (then retried)."""
        service = self._services.get(key)
        if service is None:
            self._times.forget(key)
            self._writes.forget(key)
            await self.gone(key)
            return
        selector = service["spec"].get("selector")
        if service["spec"].get("type") == "ExternalName" or not selector:
            return
        if not self._writes.settled(key):
            self.enqueue_after(key, EXPIRY_SECONDS)
            return
        pods = indexes.with_labels(self._pods, meta.namespace(service), selector)
        await self.sync(key, service, pods, self._times.compute(service, pods))

    @abstractmethod
    async def sync(self, key: str, service: Object, pods: list[Object], trigger: str | None) -> None:
        """Write what the Pods of a Service mean; ``trigger`` is when the change began. Raises ApiError."""

    async def gone(self, key: str) -> None:
        """The Service is gone. Raises ApiError."""
