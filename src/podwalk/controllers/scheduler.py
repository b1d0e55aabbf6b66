"""Assigns Pods to nodes. Stands in for kube-scheduler: its filters, its words, its scores, and preemption."""

from __future__ import annotations

import asyncio
import copy

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import indexes, scheduler_preempt, scheduler_score
from podwalk.controllers import pods as podutil
from podwalk.controllers import scheduler_fit as fit
from podwalk.controllers.context import Context, Controller
from podwalk.controllers.scheduler_fit import Attempt
from podwalk.controllers.scheduler_node import NodeState, affinity_of
from podwalk.controllers.scheduler_preempt import Candidate
from podwalk.controllers.scheduler_score import priority

NAME = "default-scheduler"
# Changes that come together (the Pods of a Deployment that goes) are one reason to try again.
_RETRY_SECONDS = 0.01


class Scheduler(Controller):
    """Binds every Pod without a node; a Pod that fits nowhere is tried again when a node or another Pod changes."""

    name = NAME
    workers = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._nodes = self.informer("Node")
        self._pods = self.informer("Pod")
        self._namespaces = self.informer("Namespace")
        self._budgets = self.informer("PodDisruptionBudget")
        self._events = context.recorder(NAME)
        self._states: dict[str, NodeState] = {}
        self._assumed: dict[str, tuple[str, Object]] = {}
        self._nominated: dict[str, str] = {}
        self._unschedulable: set[str] = set()
        indexes.index_nodes(self._pods)
        self._nodes.on_change(self._node_changed)
        self._pods.on_change(self._pod_changed)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        name = meta.name(new or old or {})
        if new is None:
            self._states.pop(name, None)
        elif name in self._states:
            self._states[name].node = new
        else:
            here = [p for p in indexes.on_node(self._pods, name) if fit.counted(p)]
            self._states[name] = NodeState(new, [*here, *(p for node, p in self._assumed.values() if node == name)])
        if old is None or new is None or _node_view(old) != _node_view(new):
            self._retry(self._unschedulable)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        key = meta.key(new or old or {})
        self._place(key, old, new)
        if new is None or podutil.node_name(new):
            self._unschedulable.discard(key)
            self._nominated.pop(key, None)
            self._room_changed(old, new)
        elif old is None or old["spec"] != new["spec"] or meta.is_deleting(old) != meta.is_deleting(new):
            self.enqueue(key)

    def _place(self, key: str, old: Object | None, new: Object | None) -> None:
        """Keep, per node, the Pods that take up room; an assumed Pod becomes a real one."""
        before = podutil.node_name(old) if old is not None else ""
        after = podutil.node_name(new) if new is not None else ""
        if new is None or after:
            assumed = self._assumed.pop(key, None)
            before = before or (assumed[0] if assumed is not None else "")
        if new is not None and after and fit.counted(new):
            if before and before != after and before in self._states:
                self._states[before].remove(key)
            if after in self._states:
                self._states[after].add(new)
        elif before in self._states:
            self._states[before].remove(key)

    def _room_changed(self, old: Object | None, new: Object | None) -> None:
        """A Pod that ended makes room; one that was placed or relabelled may be wished for, or spread against."""
        ended = new is None or (podutil.is_terminal(new) and not (old is not None and podutil.is_terminal(old)))
        if ended and old is not None and podutil.node_name(old):
            self._retry(self._unschedulable)
        elif new is not None and (old is None or podutil.node_name(old) == "" or meta.labels(old) != meta.labels(new)):
            self._retry({k for k in self._unschedulable if self._looks_at_others(k)})

    def _looks_at_others(self, key: str) -> bool:
        pod = self._pods.get(key)
        if pod is None:
            return False
        return bool(affinity_of(pod, "podAffinity") or pod["spec"].get("topologySpreadConstraints"))

    def _retry(self, keys: set[str]) -> None:
        pods = [p for p in (self._pods.get(k) for k in keys) if p is not None]
        for pod in sorted(pods, key=lambda p: -priority(p)):
            self.enqueue_after(meta.key(pod), _RETRY_SECONDS)

    def _attempt(self, key: str, pod: Object) -> Attempt:
        """The Pod against all nodes, on which Pods that wait for a preemption count as if they ran."""
        states = []
        for name, state in self._states.items():
            if meta.is_deleting(state.node):
                continue
            waiting = [self._pods.get(k) for k, node in self._nominated.items() if node == name and k != key]
            more = [p for p in waiting if p is not None and priority(p) >= priority(pod)]
            states.append(NodeState(state.node, [*state.pods.values(), *more]) if more else state)
        return Attempt(pod, states, {meta.name(n): meta.labels(n) for n in self._namespaces.all()})

    async def reconcile(self, key: str) -> None:
        """Bind one Pod, or say why not. Raises ApiError (then retried)."""
        pod = self._pods.get(key)
        if pod is None or podutil.node_name(pod) or meta.is_deleting(pod) or podutil.is_terminal(pod):
            self._unschedulable.discard(key)
            self._nominated.pop(key, None)
            return
        if pod["spec"].get("schedulerName", NAME) != NAME or pod["spec"].get("schedulingGates"):
            return
        if key in self._assumed:
            return
        attempt = self._attempt(key, pod)
        node = scheduler_score.choose(attempt)
        if node is None:
            await self._fail(key, attempt)
        else:
            await self._bind(key, pod, node)

    async def _bind(self, key: str, pod: Object, node: str) -> None:
        # Assumed before the first await: the next decision already counts this Pod.
        self._assumed[key] = (node, pod)
        self._states[node].add(pod)
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
            if self._assumed.pop(key, None) is not None and node in self._states:
                self._states[node].remove(key)
            if isinstance(error, ApiError) and error.reason in ("NotFound", "Conflict"):
                return  # deleted, or bound by somebody else: the watch will say
            raise
        self._events.event(_typed(pod), "Normal", "Scheduled", f"Successfully assigned {key} to {node}")

    async def _fail(self, key: str, attempt: Attempt) -> None:
        pod = attempt.pod
        self._unschedulable.add(key)
        refused = scheduler_preempt.refusal(pod, attempt.states)
        budgets = list(self._budgets.all())
        candidate = None if refused is not None else scheduler_preempt.best(attempt, budgets)
        message = attempt.explain(None if candidate is not None else refused or "")
        status = copy.deepcopy(pod.get("status") or {})
        conditions = status.setdefault("conditions", [])
        changed: Object = {}
        if meta.set_condition(conditions, "PodScheduled", "False", "Unschedulable", message):
            self._events.event(_typed(pod), "Warning", "FailedScheduling", message)
            changed["conditions"] = conditions
        if candidate is not None:
            self._nominated[key] = changed["nominatedNodeName"] = candidate.node
        elif refused is None and status.get("nominatedNodeName"):
            self._nominated.pop(key, None)
            changed["nominatedNodeName"] = None
        if changed:
            await self._patch_status(pod, changed)
        if candidate is not None:
            await asyncio.gather(*(self._preempt(pod, victim, candidate) for victim in candidate.victims))

    async def _preempt(self, pod: Object, victim: Object, candidate: Candidate) -> None:
        if meta.is_deleting(victim):
            return
        conditions = copy.deepcopy((victim.get("status") or {}).get("conditions") or [])
        text = f"{NAME}: preempting to accommodate a higher priority pod"
        meta.set_condition(conditions, "DisruptionTarget", "True", "PreemptionByScheduler", text)
        await self._patch_status(victim, {"conditions": conditions})
        try:
            await self.client.delete("Pod", meta.name(victim), meta.namespace(victim), uid=meta.uid(victim))
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise
        message = f"Preempted by pod {meta.uid(pod)} on node {candidate.node}"
        self._events.event(_typed(victim), "Normal", "Preempted", message)

    async def _patch_status(self, pod: Object, status: Object) -> None:
        patch = {"metadata": {"uid": meta.uid(pod)}, "status": status}
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
