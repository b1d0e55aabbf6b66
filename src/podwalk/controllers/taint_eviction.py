"""Deletes Pods that do not tolerate a NoExecute taint of their node. Stands in for pkg/controller/tainteviction."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import indexes
from podwalk.controllers import node_plan as plan
from podwalk.controllers import pods as podutil
from podwalk.controllers.context import Context, Controller


class TaintEvictionController(Controller):
    """Keys are Pods; a Pod that tolerates a taint for a while is looked at again when the while is over."""

    name = "taint-eviction-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._scheduled: set[str] = set()
        self._events = context.recorder(self.name)
        self._nodes = self.informer("Node")
        self._pods = self.informer("Pod")
        indexes.index_nodes(self._pods)
        self._nodes.on_change(self._node_changed)
        self._pods.on_change(self._pod_changed)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or _no_execute(old) == _no_execute(new):
            return
        for pod in indexes.on_node(self._pods, meta.name(new)):
            self.enqueue(meta.key(pod))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            self._scheduled.discard(meta.key(old or {}))
        elif old is None or _tolerance(old) != _tolerance(new):
            self.enqueue(meta.key(new))

    async def reconcile(self, key: str) -> None:
        """Evict one Pod if its time has come. Raises ApiError (then retried)."""
        pod = self._pods.get(key)
        if pod is None or not podutil.node_name(pod) or meta.is_deleting(pod):
            return
        node = self._nodes.get(podutil.node_name(pod))
        now = datetime.now(UTC)
        at = plan.eviction_time(pod, node, now) if node is not None else None
        if at is None:
            if key in self._scheduled:
                self._scheduled.discard(key)
                self._event(pod, f"Cancelling deletion of Pod {key}")
            return
        left = (at - now).total_seconds()
        if left > 0:
            self._scheduled.add(key)
            self.enqueue_after(key, left)
            return
        self._scheduled.discard(key)
        self._event(pod, f"Marking for deletion Pod {key}")
        await self._evict(pod)

    def _event(self, pod: Object, text: str) -> None:
        self._events.event({**pod, "apiVersion": "v1", "kind": "Pod"}, "Normal", "TaintManagerEviction", text)

    async def _evict(self, pod: Object) -> None:
        conditions = copy.deepcopy((pod.get("status") or {}).get("conditions") or [])
        text = "Taint manager: deleting due to NoExecute taint"
        meta.set_condition(conditions, "DisruptionTarget", "True", "DeletionByTaintManager", text)
        patch = {"metadata": {"uid": meta.uid(pod)}, "status": {"conditions": conditions}}
        try:
            await self.client.patch("Pod", meta.name(pod), patch, meta.namespace(pod), subresource="status")
            await self.client.delete("Pod", meta.name(pod), meta.namespace(pod), uid=meta.uid(pod))
        except ApiError as error:
            if error.reason != "NotFound":
                raise


def _no_execute(node: Object | None) -> list[Object]:
    return [t for t in ((node or {}).get("spec") or {}).get("taints") or () if t.get("effect") == "NoExecute"]


def _tolerance(pod: Object) -> tuple[object, object]:
    return pod["spec"].get("nodeName"), pod["spec"].get("tolerations")
