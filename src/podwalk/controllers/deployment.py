"""Rolls Deployments out over ReplicaSets. Stands in for pkg/controller/deployment of kube-controller-manager."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.controllers import deployment_plan as plan
from podwalk.controllers import deployment_status as status
from podwalk.controllers import indexes, ownership
from podwalk.controllers import pods as podutil
from podwalk.controllers.context import Context, Controller, selector_of, typed
from podwalk.controllers.pod_control import claim
from podwalk.controllers.writes import EXPIRY_SECONDS, Writes


@dataclass
class _Rollout:
    """One reconcile: the Deployment, its ReplicaSets as they are by now, and the status being drafted."""

    key: str
    deployment: Object
    sets: list[Object]
    draft: Object
    new: Object | None = None
    written: list[str] = field(default_factory=list)

    @property
    def old(self) -> list[Object]:
        return [rs for rs in self.sets if self.new is None or meta.uid(rs) != meta.uid(self.new)]

    @property
    def active_old(self) -> list[Object]:
        return [rs for rs in self.old if plan.replicas(rs) > 0]

    def replace(self, changed: Object) -> None:
        """Put the API server's answer in the place of the ReplicaSet it is about."""
        self.sets = [changed if meta.uid(rs) == meta.uid(changed) else rs for rs in self.sets]
        if self.new is not None and meta.uid(self.new) == meta.uid(changed):
            self.new = changed


class DeploymentController(Controller):
    """Finds or makes the ReplicaSet of the current template and moves replicas to it."""

    name = "deployment-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._deployments = self.informer("Deployment")
        self._sets = self.informer("ReplicaSet")
        self._pods = self.informer("Pod")
        self._writes = Writes(self._sets)
        self._events = context.recorder(self.name)
        indexes.index_owners(self._sets)
        indexes.index_owners(self._pods)
        self.watch_keys(self._deployments)
        self.watch_owned(self._sets, self._deployments)
        self._pods.on_change(self._pod_changed)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        """The last Pod of an old ReplicaSet is gone: what the Recreate strategy waits for."""
        if new is not None and not (podutil.is_terminal(new) and old is not None and not podutil.is_terminal(old)):
            return
        ref = meta.controller_of(old or {"metadata": {}})
        if ref is None or ref.get("kind") != "ReplicaSet":
            return
        ns = meta.namespace(old or {})
        rs = self._sets.get(meta.make_key(ns, ref["name"]))
        owner = meta.controller_of(rs) if rs is not None else None
        if owner is not None and owner.get("kind") == "Deployment":
            deployment = self._deployments.get(meta.make_key(ns, owner["name"]))
            if deployment is not None and not plan.is_rolling(deployment):
                self.enqueue(meta.key(deployment))

    async def reconcile(self, key: str) -> None:
        """Take one step of one Deployment's rollout and write its status. Raises ApiError (then retried)."""
        deployment = self._deployments.get(key)
        if deployment is None:
            self._writes.forget(key)
            return
        if not self._writes.settled(key):
            self.enqueue_after(key, EXPIRY_SECONDS)
            return
        deployment = {**deployment, "apiVersion": "apps/v1", "kind": "Deployment"}
        draft = copy.deepcopy(deployment.get("status") or {})
        rollout = _Rollout(key, deployment, await self._claim(key, deployment), draft)
        rollout.new = plan.find_new(deployment, rollout.sets)
        if meta.is_deleting(deployment):
            await self._write_status(rollout, estimate=False)
            return
        status.check_paused(deployment, draft)
        try:
            if deployment["spec"].get("paused") or plan.is_scaling(deployment, rollout.sets):
                await self._sync_new(rollout, create=False)
                await self._scale(rollout)
                await self._clean_up(rollout)
                await self._write_status(rollout, estimate=False)
            elif plan.is_rolling(deployment):
                await self._roll(rollout)
            else:
                await self._recreate(rollout)
        except ApiError as error:
            if ownership.is_namespace_terminating(error):
                return
            raise

    async def _claim(self, key: str, deployment: Object) -> list[Object]:
        sets = await claim(
            self._writes,
            self.client,
            self._sets,
            key,
            deployment,
            selector_of(deployment),
            may_adopt=lambda rs: not meta.is_deleting(rs),
        )
        return [typed(self._sets, rs) for rs in sets]

    async def _roll(self, rollout: _Rollout) -> None:
        deployment = rollout.deployment
        new = await self._sync_new(rollout, create=True)
        wanted = plan.replicas(deployment)
        target = wanted if plan.replicas(new) > wanted else plan.new_replicas(deployment, rollout.sets, new)
        if target != plan.replicas(new):
            await self._resize(rollout, new, target)
        else:
            sizes = plan.scale_down_old(deployment, rollout.active_old, new)
            for rs in rollout.active_old:
                if meta.name(rs) in sizes:
                    await self._resize(rollout, rs, sizes[meta.name(rs)])
            if not sizes:
                await self._clean_up(rollout)
        await self._write_status(rollout, estimate=True)

    async def _recreate(self, rollout: _Rollout) -> None:
        new = await self._sync_new(rollout, create=False)
        for rs in rollout.active_old:
            await self._resize(rollout, rs, 0)
        pods = [p for rs in rollout.old for p in indexes.owned_by(self._pods, rs)]
        running = any(not podutil.is_terminal(p) for p in pods)
        if not running:
            new = await self._sync_new(rollout, create=True)
            if plan.replicas(new) != plan.replicas(rollout.deployment):
                await self._resize(rollout, new, plan.replicas(rollout.deployment))
            if status.is_complete(rollout.deployment, rollout.draft):
                await self._clean_up(rollout)
        await self._write_status(rollout, estimate=True)

    async def _sync_new(self, rollout: _Rollout, *, create: bool) -> Object:
        """The ReplicaSet of the current template, with its revision; an empty one where it may not be made yet."""
        deployment = rollout.deployment
        next_revision = max((plan.revision(rs) for rs in rollout.old), default=0) + 1
        new = rollout.new
        if new is None:
            if not create:
                return {"metadata": {"name": ""}, "spec": {"replicas": 0}}
            return await self._create_new(rollout, next_revision)
        annotations = plan.set_annotations(deployment, meta.annotations(new), next_revision, exists=True)
        min_ready = int(deployment["spec"].get("minReadySeconds") or 0)
        if annotations != meta.annotations(new) or int(new["spec"].get("minReadySeconds") or 0) != min_ready:
            changed = copy.deepcopy(new)
            changed["metadata"]["annotations"] = annotations
            changed["spec"].pop("minReadySeconds", None)
            if min_ready:
                changed["spec"]["minReadySeconds"] = min_ready
            new = await self._update(rollout, changed)
        await self._set_revision(rollout, meta.annotations(new).get(plan.REVISION, str(next_revision)))
        if status.deadline(deployment) is not None and status.condition(rollout.draft, "Progressing") is None:
            text = f'Found new replica set "{meta.name(new)}"'
            status.set_condition(rollout.draft, "Progressing", "True", "FoundNewReplicaSet", text)
        return new

    async def _create_new(self, rollout: _Rollout, next_revision: int) -> Object:
        deployment = rollout.deployment
        wanted = plan.new_set(deployment, next_revision)
        size = plan.new_replicas(deployment, [*rollout.sets, wanted], wanted)
        wanted["spec"]["replicas"] = size
        try:
            made = await self.client.create(wanted)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                await self._collision(rollout, wanted)
            elif not ownership.is_namespace_terminating(error):
                await self._creation_failed(rollout, wanted, error)
            raise
        made = {**made, "apiVersion": "apps/v1", "kind": "ReplicaSet"}
        self._writes.note(rollout.key, made)
        rollout.sets.append(made)
        rollout.new = made
        if size > 0:
            self._scaled_event(deployment, made, 0, size)
        await self._set_revision(rollout, str(next_revision))
        if status.deadline(deployment) is not None:
            text = f'Created new replica set "{meta.name(made)}"'
            status.set_condition(rollout.draft, "Progressing", "True", "NewReplicaSetCreated", text)
        return made

    async def _collision(self, rollout: _Rollout, wanted: Object) -> None:
        """Another ReplicaSet has the name: hash with another salt next time, unless it is ours, only not seen yet."""
        other = await self.client.get("ReplicaSet", meta.name(wanted), meta.namespace(wanted))
        ours = podutil.is_owned_by(other, rollout.deployment)
        if ours and plan.template_of(other) == plan.template_of(rollout.deployment):
            return
        count = int(rollout.draft.get("collisionCount") or 0) + 1
        await self._put_status(rollout, {**rollout.draft, "collisionCount": count})

    async def _creation_failed(self, rollout: _Rollout, wanted: Object, error: ApiError) -> None:
        text = f'Failed to create new replica set "{meta.name(wanted)}": {error.message}'
        if status.deadline(rollout.deployment) is not None:
            status.set_condition(rollout.draft, "Progressing", "False", "ReplicaSetCreateError", text)
            await self._put_status(rollout, rollout.draft)
        self._events.event(rollout.deployment, "Warning", "ReplicaSetCreateError", text)

    async def _scale(self, rollout: _Rollout) -> None:
        """Follow a change of ``spec.replicas`` outside a rollout step."""
        deployment, wanted = rollout.deployment, plan.replicas(rollout.deployment)
        active = [rs for rs in rollout.sets if plan.replicas(rs) > 0]
        if len(active) <= 1:
            latest = active[0] if active else rollout.new or next(iter(reversed(plan.by_age(rollout.old))), None)
            if latest is not None:
                await self._resize(rollout, latest, wanted)
            return
        if self._is_saturated(deployment, rollout.new):
            for rs in rollout.active_old:
                await self._resize(rollout, rs, 0)
        elif plan.is_rolling(deployment):
            sizes = plan.scale_proportionally(deployment, active)
            for rs in active:
                await self._resize(rollout, rs, sizes[meta.name(rs)])

    @staticmethod
    def _is_saturated(deployment: Object, new: Object | None) -> bool:
        wanted = plan.replicas(deployment)
        if new is None or plan.replicas(new) != wanted:
            return False
        sized = meta.annotations(new).get(plan.DESIRED_REPLICAS) == str(wanted)
        return sized and plan.status_sum([new], "availableReplicas") == wanted

    async def _resize(self, rollout: _Rollout, rs: Object, size: int) -> None:
        before = plan.replicas(rs)
        annotations = {**meta.annotations(rs), **plan.sized_annotations(rollout.deployment)}
        if size == before and annotations == meta.annotations(rs):
            return
        changed = copy.deepcopy(rs)
        changed["spec"]["replicas"] = size
        changed["metadata"]["annotations"] = annotations
        await self._update(rollout, changed)
        if size != before:
            self._scaled_event(rollout.deployment, rs, before, size)

    def _scaled_event(self, deployment: Object, rs: Object, before: int, after: int) -> None:
        direction = "up" if after > before else "down"
        text = f"Scaled {direction} replica set {meta.name(rs)} from {before} to {after}"
        self._events.event(deployment, "Normal", "ScalingReplicaSet", text)

    async def _update(self, rollout: _Rollout, rs: Object) -> Object:
        written = {**await self.client.update(rs), "apiVersion": "apps/v1", "kind": "ReplicaSet"}
        self._writes.note(rollout.key, written)
        rollout.replace(written)
        return written

    async def _clean_up(self, rollout: _Rollout) -> None:
        for rs in plan.outdated(rollout.deployment, rollout.old):
            self._writes.note_deleted(rollout.key, meta.key(rs))
            try:
                await self.client.delete("ReplicaSet", meta.name(rs), meta.namespace(rs), uid=meta.uid(rs))
            except ApiError as error:
                if error.reason != "NotFound":
                    raise

    async def _set_revision(self, rollout: _Rollout, revision: str) -> None:
        deployment = rollout.deployment
        if meta.annotations(deployment).get(plan.REVISION) == revision:
            return
        patch = {"metadata": {"annotations": {plan.REVISION: revision}}}
        written = await self.client.patch("Deployment", meta.name(deployment), patch, meta.namespace(deployment))
        # What this reconcile has looked at stays the old spec: a change that came in between is not observed yet.
        metadata = {**written["metadata"], "generation": deployment["metadata"].get("generation", 0)}
        rollout.deployment = {**deployment, "metadata": metadata}

    async def _write_status(self, rollout: _Rollout, *, estimate: bool) -> None:
        deployment, sets = rollout.deployment, rollout.sets
        new_status = status.calculate(deployment, sets, rollout.new, rollout.draft)
        if estimate:
            status.estimate_progress(deployment, new_status, rollout.new)
            status.copy_failure(new_status, sets, rollout.new)
        if new_status != (deployment.get("status") or {}):
            await self._put_status(rollout, new_status)
        wait = status.check_again_in(deployment, new_status)
        if wait is not None:
            self.enqueue_after(rollout.key, wait)

    async def _put_status(self, rollout: _Rollout, new_status: Object) -> None:
        try:
            await self.client.update_status({**rollout.deployment, "status": new_status})
        except ApiError as error:
            if error.reason != "NotFound":
                raise
