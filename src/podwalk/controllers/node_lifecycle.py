"""Notices silent nodes, taints nodes by their conditions, and takes their Pods out of Services.

Stands in for pkg/controller/nodelifecycle (and the ttl annotation of pkg/controller/ttl). A node is heard of when its
Lease is renewed or its status changes; what counts is when we saw that, so clocks need not agree.
"""

from __future__ import annotations

import asyncio

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import indexes
from podwalk.controllers import node_plan as plan
from podwalk.controllers.context import Context, Controller

LEASE_NAMESPACE = "kube-node-lease"
_TTL = "node.alpha.kubernetes.io/ttl"


class NodeLifecycleController(Controller):
    """Keys are nodes."""

    name = "node-lifecycle-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._grace = context.config.node_monitor_grace_period
        self._heard: dict[str, float] = {}
        self._known: set[str] = set()
        self._was_ready: dict[str, bool] = {}
        self._events = context.recorder("node-controller")
        self._nodes = self.informer("Node")
        self._pods = self.informer("Pod")
        indexes.index_nodes(self._pods)
        self._leases = self.informer("Lease")
        self._nodes.on_change(self._node_changed)
        self._leases.on_change(self._lease_changed)

    def now(self) -> float:
        """Seconds on a clock that nobody sets."""
        return asyncio.get_running_loop().time()

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            name = meta.name(old or {})
            self._heard.pop(name, None)
            self._was_ready.pop(name, None)
            if name in self._known and old is not None:
                self._known.discard(name)
                text = f"Node {name} event: Removing Node {name} from Controller"
                self._events.event(_typed(old), "Normal", "RemovingNode", text)
            return
        name = meta.name(new)
        if old is None or _heartbeat(old) != _heartbeat(new):
            self._hear(name)
        self.enqueue(name)

    def _lease_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or meta.namespace(new) != LEASE_NAMESPACE:
            return
        if old is None or (old.get("spec") or {}).get("renewTime") != (new.get("spec") or {}).get("renewTime"):
            self._hear(meta.name(new))

    def _hear(self, name: str) -> None:
        self._heard[name] = self.now()
        self.enqueue_after(name, self._grace)

    async def reconcile(self, key: str) -> None:
        """Look after one node. Raises ApiError (then retried)."""
        node = self._nodes.get(key)
        if node is None:
            return
        self._register(key, node)
        node = await self._check_heartbeat(key, node)
        await self._label(node)
        await self._taint(node)
        await self._mark_pods(key, node)

    def _register(self, key: str, node: Object) -> None:
        if key not in self._known:
            self._known.add(key)
            text = f"Node {key} event: Registered Node {key} in Controller"
            self._events.event(_typed(node), "Normal", "RegisteredNode", text)

    async def _check_heartbeat(self, key: str, node: Object) -> Object:
        now = self.now()
        left = self._heard.setdefault(key, now) + self._grace - now
        if left > 0.001:
            self.enqueue_after(key, left)
            return node
        conditions = plan.unknown_conditions(node)
        if conditions == ((node.get("status") or {}).get("conditions") or []):
            return node
        patch = {"metadata": {"uid": meta.uid(node)}, "status": {"conditions": conditions}}
        return await self.client.patch("Node", key, patch, subresource="status")

    async def _label(self, node: Object) -> None:
        metadata: Object = {}
        labels = plan.standard_labels(node)
        if labels:
            metadata["labels"] = labels
        if _TTL not in meta.annotations(node):
            metadata["annotations"] = {_TTL: "0"}
        if metadata:
            await self.client.patch("Node", meta.name(node), {"metadata": metadata})

    async def _taint(self, node: Object) -> None:
        taints = plan.desired_taints(node)
        if taints == ((node.get("spec") or {}).get("taints") or []):
            return
        # With the version that was looked at: a taint that somebody adds meanwhile must not be lost.
        fresh = await self.client.get("Node", meta.name(node))
        wanted = plan.desired_taints({**node, "spec": fresh.get("spec") or {}})
        metadata = {"resourceVersion": fresh["metadata"]["resourceVersion"]}
        await self.client.patch("Node", meta.name(node), {"metadata": metadata, "spec": {"taints": wanted or None}})

    async def _mark_pods(self, key: str, node: Object) -> None:
        """When a node stops being ready, its Pods stop being endpoints: nobody there could say so."""
        ready = meta.condition_is_true(node, "Ready")
        before = self._was_ready.get(key)
        if before and not ready:
            self._events.event(_typed(node), "Normal", "NodeNotReady", f"Node {key} status is now: NodeNotReady")
        if ready or meta.condition(node, "Ready") is None:
            self._was_ready[key] = ready
            return
        if before is not False:
            for pod in indexes.on_node(self._pods, key):
                await self._mark_pod(pod)
        self._was_ready[key] = False

    async def _mark_pod(self, pod: Object) -> None:
        conditions = plan.not_ready_conditions(pod)
        if conditions is None:
            return
        self._events.event({**pod, "apiVersion": "v1", "kind": "Pod"}, "Warning", "NodeNotReady", "Node is not ready")
        patch = {"metadata": {"uid": meta.uid(pod)}, "status": {"conditions": conditions}}
        try:
            await self.client.patch("Pod", meta.name(pod), patch, meta.namespace(pod), subresource="status")
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise


def _typed(node: Object) -> Object:
    return {**node, "apiVersion": "v1", "kind": "Node"}


def _heartbeat(node: Object) -> object:
    """What only the kubelet writes; a change of it is a sign of life."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return [(c.get("type"), c.get("lastHeartbeatTime")) for c in conditions]
