"""Removes Pods that no kubelet will ever confirm. Stands in for pkg/controller/podgc."""

from __future__ import annotations

import copy

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import indexes
from podwalk.controllers import pods as podutil
from podwalk.controllers.context import Context, Controller


class PodGcController(Controller):
    """Keys are Pods: those bound to a node that does not exist, and those deleted before they had one."""

    name = "pod-garbage-collector-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pods = self.informer("Pod")
        indexes.index_nodes(self._pods)
        self._nodes = self.informer("Node")
        self._pods.on_change(self._pod_changed)
        self._nodes.on_change(self._node_changed)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            return
        if not podutil.node_name(new):
            if meta.is_deleting(new):
                self.enqueue(meta.key(new))
        elif old is None or podutil.node_name(old) != podutil.node_name(new):
            self._look_later(new)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None:
            for pod in indexes.on_node(self._pods, meta.name(old)):
                self._look_later(pod)

    def _look_later(self, pod: Object) -> None:
        if self._nodes.get(podutil.node_name(pod)) is None:
            # A node that is gone may come back under its name; only then its Pods are given up.
            self.enqueue_after(meta.key(pod), self.context.config.node_quarantine)

    async def reconcile(self, key: str) -> None:
        """Remove one Pod if it is lost. Raises ApiError (then retried)."""
        pod = self._pods.get(key)
        if pod is None:
            return
        node = podutil.node_name(pod)
        if not node:
            if meta.is_deleting(pod):
                await self._remove(pod)
            return
        if self._nodes.get(node) is not None or not await self._is_gone(node):
            return
        if not podutil.is_terminal(pod):
            await self._mark_failed(pod)
        await self._remove(pod)

    async def _is_gone(self, node: str) -> bool:
        try:
            await self.client.get("Node", node)
        except ApiError as error:
            if error.reason == "NotFound":
                return True
            raise
        return False

    async def _mark_failed(self, pod: Object) -> None:
        conditions = copy.deepcopy((pod.get("status") or {}).get("conditions") or [])
        text = "PodGC: node no longer exists"
        meta.set_condition(conditions, "DisruptionTarget", "True", "DeletionByPodGC", text)
        patch = {"metadata": {"uid": meta.uid(pod)}, "status": {"phase": "Failed", "conditions": conditions}}
        await self.client.patch("Pod", meta.name(pod), patch, meta.namespace(pod), subresource="status")

    async def _remove(self, pod: Object) -> None:
        try:
            await self.client.delete("Pod", meta.name(pod), meta.namespace(pod), grace_period=0, uid=meta.uid(pod))
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise
