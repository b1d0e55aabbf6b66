"""Assigns Pods to nodes. Stands in for kube-scheduler: the same filters and words, one simple score, no preemption."""

from __future__ import annotations

import copy

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import pods as podutil
from podwalk.controllers import scheduler_fit as fit
from podwalk.controllers.context import Context, Controller

NAME = "default-scheduler"


class Scheduler(Controller):
    """Binds every Pod without a node; a Pod that fits nowhere is tried again when a node or another Pod changes."""

    name = NAME
    workers = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._nodes = self.informer("Node")
        self._pods = self.informer("Pod")
        self._events = context.recorder(NAME)
        self._assumed: dict[str, tuple[str, Object]] = {}
        self._by_node: dict[str, dict[str, Object]] = {}
        self._unschedulable: set[str] = set()
        self._nodes.on_change(self._node_changed)
        self._pods.on_change(self._pod_changed)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _node_view(old) == _node_view(new):
            return
        self._retry_all()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        key = meta.key(new or old or {})
        self._place(key, old, new)
        if new is None:
            self._unschedulable.discard(key)
            if old is not None and podutil.node_name(old):
                self._retry_all()
        elif podutil.node_name(new):
            self._unschedulable.discard(key)
            if podutil.is_terminal(new) and old is not None and not podutil.is_terminal(old):
                self._retry_all()
        elif old is None or old["spec"] != new["spec"] or meta.is_deleting(old) != meta.is_deleting(new):
            self.enqueue(key)

    def _place(self, key: str, old: Object | None, new: Object | None) -> None:
        """Keep, per node, the Pods that take up room; an assumed Pod becomes a real one."""
        if old is not None and podutil.node_name(old):
            self._by_node.get(podutil.node_name(old), {}).pop(key, None)
        if new is None or podutil.node_name(new):
            self._assumed.pop(key, None)
        if new is not None and fit.counted(new):
            self._by_node.setdefault(podutil.node_name(new), {})[key] = new

    def _retry_all(self) -> None:
        for key in list(self._unschedulable):
            self.enqueue(key)

    def _states(self) -> list[fit.NodeState]:
        assumed: dict[str, list[Object]] = {}
        for target, pod in self._assumed.values():
            assumed.setdefault(target, []).append(pod)
        out = []
        for node in self._nodes.all():
            if meta.is_deleting(node):
                continue
            name = meta.name(node)
            out.append(fit.NodeState(node, [*self._by_node.get(name, {}).values(), *assumed.get(name, ())]))
        return out

    async def reconcile(self, key: str) -> None:
        """Bind one Pod, or say why not. Raises ApiError (then retried)."""
        pod = self._pods.get(key)
        if pod is None or podutil.node_name(pod) or meta.is_deleting(pod) or podutil.is_terminal(pod):
            self._unschedulable.discard(key)
            return
        if pod["spec"].get("schedulerName", NAME) != NAME or pod["spec"].get("schedulingGates"):
            return
        if key in self._assumed:
            return
        states = self._states()
        node = fit.choose(pod, states)
        if node is None:
            await self._fail(key, pod, fit.explain(pod, states))
        else:
            await self._bind(key, pod, node)

    async def _bind(self, key: str, pod: Object, node: str) -> None:
        # Assumed before the first await: the next decision already counts this Pod.
        self._assumed[key] = (node, pod)
        self._unschedulable.discard(key)
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta.name(pod), "namespace": meta.namespace(pod), "uid": meta.uid(pod)},
            "target": {"kind": "Node", "name": node},
        }
        try:
            await self.client.post("Pod", meta.name(pod), "binding", binding, meta.namespace(pod))
        except BaseException as error:
            self._assumed.pop(key, None)
            if isinstance(error, ApiError) and error.reason in ("NotFound", "Conflict"):
                return  # deleted, or bound by somebody else: the watch will say
            raise
        self._events.event(_typed(pod), "Normal", "Scheduled", f"Successfully assigned {key} to {node}")

    async def _fail(self, key: str, pod: Object, message: str) -> None:
        self._unschedulable.add(key)
        status = copy.deepcopy(pod.get("status") or {})
        conditions = status.setdefault("conditions", [])
        if not meta.set_condition(conditions, "PodScheduled", "False", "Unschedulable", message):
            return
        self._events.event(_typed(pod), "Warning", "FailedScheduling", message)
        patch = {"metadata": {"uid": meta.uid(pod)}, "status": {"conditions": conditions}}
        try:
            await self.client.patch("Pod", meta.name(pod), patch, meta.namespace(pod), subresource="status")
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise


def _typed(pod: Object) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", **pod}


def _node_view(node: Object) -> tuple[object, ...]:
    """What of a node can change the answer; its heartbeats cannot."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    return (
        meta.labels(node),
        spec.get("unschedulable"),
        spec.get("taints"),
        status.get("allocatable"),
        meta.is_deleting(node),
    )
