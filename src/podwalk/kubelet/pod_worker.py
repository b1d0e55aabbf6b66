"""One Pod on this node, from its binding to its end.

Stands in for pkg/kubelet/pod_workers.go, SyncPod and the status manager. One task a Pod: set up, init containers,
containers, and, when the Pod is deleted, the way back. Every change is published at once.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.kubelet import launch, resolv, sandboxes, status, volumes
from podwalk.kubelet.containers import ContainerRunner
from podwalk.kubelet.context import API_ERRORS, LOG_DIRECTORY, STATE_DIRECTORY, NodeContext
from podwalk.kubelet.logs import LogFile
from podwalk.kubelet.sandboxes import NetworkNotReadyError, SandboxError, Wired
from podwalk.kubelet.status import ContainerRecord, PodView
from podwalk.kubelet.storage import MountError
from podwalk.netns.pods import PodSandbox

log = logging.getLogger(__name__)

_FIRST_RETRY = 0.5
_LAST_RETRY = 10.0
_REFRESH_SECONDS = 60.0
_FORCED_GRACE = 1.0
_EVICTION_SECONDS = 10.0  # the eviction manager's period


class PodWorker:
    """Runs one Pod. The informer calls :meth:`update` and :meth:`removed`; the server asks for :attr:`runners`."""

    def __init__(self, context: NodeContext, pod: Object, on_end: Callable[[PodWorker], None]) -> None:
        self.context = context
        self.pod = pod
        self.uid = meta.uid(pod)
        self.records: list[ContainerRecord] = status.records_of(pod)
        self.runners: dict[str, ContainerRunner] = {}
        self.pod_ips: list[str] = []
        self.start_time = meta.now()
        self._wired: Wired | None = None
        self._creation: asyncio.Task[Wired] | None = None
        self._removal: asyncio.Task[None] | None = None
        self._volumes = volumes.PodVolumes(self.directory(), pod)
        self._on_end = on_end
        self._deletion = asyncio.Event()
        self._gone = False
        self._lived = self._is_set_up = False
        self._source_came = asyncio.Event()
        self._terminal = False
        self._torn_down = False
        self._reason = self._message = self._phase = ""
        self._conditions: list[Object] = []
        self._dirty = asyncio.Event()
        self._published = asyncio.Event()
        self._refreshes: list[asyncio.Task[None]] = []
        self.task = asyncio.create_task(self._run(), name=f"pod {meta.key(pod)}")

    # --- what containers ask for

    @property
    def sandbox(self) -> PodSandbox | None:
        """The Pod's namespaces, once they exist."""
        return self._wired.sandbox if self._wired else None

    @property
    def sandbox_id(self) -> str:
        """The runtime's name for the Pod's namespaces."""
        return self._wired.sandbox_id if self._wired else ""

    def directory(self) -> Path:
        """The Pod's directory on the node."""
        return STATE_DIRECTORY / self.uid

    def log_path(self, container: str, restart_count: int) -> Path:
        """Where a run of a container logs."""
        return self._log_directory() / container / f"{restart_count}.log"

    def _log_directory(self) -> Path:
        return LOG_DIRECTORY / f"{meta.namespace(self.pod)}_{meta.name(self.pod)}_{self.uid}"

    def live_log(self, container: str) -> LogFile | None:
        """The log that a container is writing."""
        runner = self.runners.get(container)
        return runner.current.log if runner and runner.current else None

    def changed(self) -> None:
        """A status is to be published."""
        self._dirty.set()

    def view(self) -> Object:
        """The Pod with its present addresses in its status."""
        host = self.context.node_ip
        addresses = {"hostIP": host, "hostIPs": [{"ip": host}], "podIPs": [{"ip": ip} for ip in self.pod_ips]}
        if self.pod_ips:
            addresses["podIP"] = self.pod_ips[0]
        return {**self.pod, "status": {**(self.pod.get("status") or {}), **addresses}}

    async def launch_plan(self, container: Object, environment: dict[str, str]) -> launch.Surroundings:
        """Mounts and files of a container. Raises ConfigError."""
        context, pod = self.context, self.pod
        out = launch.Surroundings(context.cluster_domain, self._volumes.mounts(container, environment))
        config = resolv.resolv_conf(
            pod,
            cluster_dns=context.cluster_dns,
            cluster_domain=context.cluster_domain,
            node=context.node_resolv_conf(),
        )
        if pod["spec"].get("hostNetwork"):
            hosts, name = resolv.hosts_of_host_network(pod, context.node_hosts()), context.node_name
        else:
            hosts = resolv.hosts(pod, self.pod_ips, context.cluster_domain)
            name = resolv.kernel_hostname(pod, context.cluster_domain)
        mounted = {target for _, target, _ in out.mounts}
        files = {"/etc/hosts": hosts, "/etc/resolv.conf": config.render(), "/etc/hostname": f"{name}\n".encode()}
        out.files = {path: data for path, data in files.items() if path not in mounted}
        return out

    # --- what the agent tells

    def update(self, pod: Object) -> None:
        """The API object has changed."""
        old, self.pod = self.pod, pod
        if meta.is_deleting(pod):
            self._deletion.set()
            self._hurry()
        self._add_ephemeral()
        self._redefine()
        if any(pod["metadata"].get(k) != old["metadata"].get(k) for k in ("labels", "annotations")):
            self._labels_changed()
        if pod["metadata"].get("generation") != (pod.get("status") or {}).get("observedGeneration"):
            self.changed()
        if pod["spec"].get("readinessGates") or status.is_overruled(pod):
            self.changed()

    def removed(self) -> None:
        """The API object is gone: stop without reporting."""
        self._gone = True
        self._deletion.set()
        self._hurry()

    def _hurry(self) -> None:
        """Deleted again with a shorter grace period: what is being stopped already gets that one."""
        for runner in self.runners.values():
            runner.shorten(self._grace())

    def _labels_changed(self) -> None:
        shown = [v for v in self._volumes.volumes if "downwardAPI" in str(v)]
        if shown and not self._is_set_up:
            self._source_came.set()
        elif shown:
            self._refreshes = [asyncio.create_task(self._refresh(v)) for v in shown]

    async def source_changed(self, kind: str, name: str) -> None:
        """A ConfigMap or Secret has changed: refresh the volumes that show it, or retry what failed."""
        if (kind, name) in self._volumes.references():
            self._source_came.set()
        if not self._is_set_up or self._deletion.is_set():
            return
        for volume in self._volumes.volumes:
            if (kind, name) in volumes.references(volume):
                await self._refresh(volume)

    # --- life

    async def _run(self) -> None:
        publisher = asyncio.create_task(self._publish_all(), name=f"status of {meta.key(self.pod)}")
        try:
            if not meta.is_deleting(self.pod):
                await self._live()
            await self._terminate()
        except Exception:
            log.exception("pod %s failed", meta.key(self.pod))
        finally:
            publisher.cancel()
            self._on_end(self)

    async def _live(self) -> None:
        """Run until the Pod is to be deleted."""
        self._lived = True
        self.changed()
        main = asyncio.create_task(self._main(), name=f"main of {meta.key(self.pod)}")
        deletion = asyncio.create_task(self._deletion.wait())
        refresher = asyncio.create_task(self._refresh_tokens())
        try:
            await asyncio.wait([main, deletion], return_when=asyncio.FIRST_COMPLETED)
            if main.done():
                main.result()
                await deletion
        finally:
            for task in (main, deletion, refresher):
                task.cancel()
            await asyncio.gather(main, refresher, return_exceptions=True)

    async def _main(self) -> None:
        deadline = self.pod["spec"].get("activeDeadlineSeconds")
        evictor = asyncio.create_task(self._watch_limits(asyncio.current_task()))
        try:
            async with asyncio.timeout(float(deadline) if deadline else None):
                await self._run_containers()
        except TimeoutError:
            self._phase, self._reason = "Failed", "DeadlineExceeded"
            self._message = "Pod was active on the node longer than the specified deadline"
            self.context.event(self.pod, "Normal", "DeadlineExceeded", self._message)
        except asyncio.CancelledError:
            if self._reason != "Evicted" or self._deletion.is_set():
                raise
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
        finally:
            evictor.cancel()
        await self._finish()

    async def _run_containers(self) -> None:
        await self._set_up()
        await self._look_for_pull_secrets()
        if await self._initialize():
            await _all([self._runner(r).start() for r in self.records if r.kind == "container"])

    async def _look_for_pull_secrets(self) -> None:
        """Warn about imagePullSecrets that do not exist; nothing is pulled with the others."""
        names = [str(s.get("name") or "") for s in self.pod["spec"].get("imagePullSecrets") or ()]
        if not names:
            return
        wanted = [("Secret", name) for name in names]
        try:
            found = await self.context.sources.fetch(meta.namespace(self.pod), wanted)
        except API_ERRORS as error:
            log.debug("%s: imagePullSecrets: %s", meta.key(self.pod), error)
            return
        if missing := [name for _, name in wanted if found[("Secret", name)] is None]:
            listed = ", ".join(missing)
            message = f"Unable to retrieve some image pull secrets ({listed}); "
            message += "attempting to pull the image may not succeed."
            self.context.event(self.pod, "Warning", "FailedToRetrieveImagePullSecret", message)

    async def _watch_limits(self, main: asyncio.Task[Any] | None) -> None:
        """Evict the Pod when an emptyDir has outgrown its limit, as the eviction manager does."""
        if not any((v.get("emptyDir") or {}).get("sizeLimit") for v in self._volumes.volumes) or main is None:
            return
        # A file system tells nobody that it fills up.
        while not (message := self._volumes.overflowing()):  # noqa: ASYNC110
            await asyncio.sleep(_EVICTION_SECONDS)
        self._phase, self._reason, self._message = "Failed", "Evicted", message
        self.context.event(self.pod, "Warning", "Evicted", message)
        main.cancel()

    async def _finish(self) -> None:
        """The Pod is over (Succeeded or Failed), though its object stays: free what it holds."""
        await self._stop_containers(float(self.pod["spec"].get("terminationGracePeriodSeconds", 30)))
        self._terminal = True
        self.changed()
        await self._tear_down()
        self.changed()

    def _runner(self, record: ContainerRecord) -> ContainerRunner:
        runner = self.runners[record.name] = ContainerRunner(self, record)
        return runner

    async def _initialize(self) -> bool:
        """Init containers one after the other; False where one failed for good."""
        for record in self.records:
            if record.kind == "sidecar":
                runner = self._runner(record)
                runner.start()
                await runner.started.wait()
            elif record.kind == "init":
                await _all([self._runner(record).start()])
                if record.exit_code != 0:
                    return False
        for record in self.records:
            if record.kind == "container" and (record.state.get("waiting") or {}).get("reason") == "PodInitializing":
                self.changed()
        return True

    def _redefine(self) -> None:
        """Containers may have other images, also those whose turn has not come."""
        spec = self.pod["spec"]
        defined = {c["name"]: c for part in ("initContainers", "containers") for c in spec.get(part) or ()}
        for record in self.records:
            if (changed := defined.get(record.name)) is None:
                continue
            if runner := self.runners.get(record.name):
                runner.redefine(changed)
            else:
                record.spec = changed

    def _add_ephemeral(self) -> None:
        known = {r.name for r in self.records}
        for spec in self.pod["spec"].get("ephemeralContainers") or ():
            if spec["name"] not in known and self._wired is not None:
                record = ContainerRecord(spec, "ephemeral", state={"waiting": {"reason": "ContainerCreating"}})
                self.records.append(record)
                self._runner(record).start()

    # --- set up

    async def _set_up(self) -> None:
        retry = _FIRST_RETRY
        while True:
            self._source_came.clear()
            if all(await asyncio.gather(self._set_up_volumes(), self._set_up_sandbox())):
                if self._source_came.is_set():  # after the volumes were filled, while the network was being made
                    continue
                break
            try:
                async with asyncio.timeout(retry):
                    await self._source_came.wait()
            except TimeoutError:
                retry = min(retry * 2, _LAST_RETRY)
        self._is_set_up = True
        if self._wired is not None:
            self.pod_ips = self._wired.ips
        self.changed()
        self._add_ephemeral()

    async def _set_up_volumes(self) -> bool:
        namespace = meta.namespace(self.pod)
        ready = True
        try:
            sources = await self.context.sources.fetch(namespace, self._volumes.references())
        except API_ERRORS as error:
            log.warning("%s: %s", meta.key(self.pod), error)
            return False
        for volume in self._volumes.volumes:
            try:
                await self._volumes.set_up(volume, self.view(), sources, self._token, self.context.allocatable)
            except (MountError, ApiError, *API_ERRORS) as error:
                message = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {_text(error)}'
                self.context.event(self.pod, "Warning", "FailedMount", message)
                ready = False
        return ready

    async def _token(self, audience: str, seconds: int) -> str:
        account = str(self.pod["spec"].get("serviceAccountName") or "default")
        return await self.context.tokens.token(self.pod, account, audience, seconds)

    async def _set_up_sandbox(self) -> bool:
        if self._wired is not None:
            return True
        self._creation = asyncio.create_task(sandboxes.create(self.context, self.pod))
        try:
            # A Pod deleted meanwhile waits for its network, to give the address back (see _tear_down).
            self._wired = await asyncio.shield(self._creation)
        except NetworkNotReadyError as error:
            self.context.event(self.pod, "Warning", "NetworkNotReady", str(error))
            await self.context.network.wait()
            return False
        except SandboxError as error:
            self.context.event(self.pod, "Warning", "FailedCreatePodSandBox", str(error))
            return False
        return True

    async def _refresh(self, volume: Object) -> None:
        try:
            sources = await self.context.sources.fetch(meta.namespace(self.pod), volumes.references(volume))
            await self._volumes.set_up(volume, self.view(), sources, self._token, self.context.allocatable)
        except (MountError, *API_ERRORS) as error:
            message = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {_text(error)}'
            self.context.event(self.pod, "Warning", "FailedMount", message)

    async def _refresh_tokens(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            for volume in self._volumes.volumes:
                if volume.get("projected") and self._wired is not None:
                    await self._refresh(volume)

    # --- the way back

    def _grace(self) -> float:
        if self._gone:
            return _FORCED_GRACE
        metadata, spec = self.pod["metadata"], self.pod["spec"]
        grace = metadata.get("deletionGracePeriodSeconds", spec.get("terminationGracePeriodSeconds", 30))
        return float(30 if grace is None else grace)

    async def _stop_containers(self, grace: float) -> None:
        """Containers first, sidecars after them in reverse order; together within the grace period."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        kinds = {r.name: r.kind for r in self.records}
        mains = [r for name, r in self.runners.items() if kinds[name] != "sidecar"]
        await asyncio.gather(*(runner.stop(grace) for runner in mains))
        for name in [n for n in reversed(list(self.runners)) if kinds[n] == "sidecar"]:
            await self.runners[name].stop(max(deadline - loop.time(), 2.0 if grace else 0.0))

    async def _terminate(self) -> None:
        await self._stop_containers(self._grace())
        self._terminal = True
        await self._tear_down()
        if not self._gone:
            await self._confirm()
        self._volumes.remove()
        shutil.rmtree(self._log_directory(), ignore_errors=True)

    async def _tear_down(self) -> None:
        """Take the sandbox away, once: a Pod that is deleted while it finishes waits for what has begun already."""
        if self._wired is None and self._creation is not None:
            try:
                self._wired = await asyncio.shield(self._creation)
            except (NetworkNotReadyError, SandboxError):
                return
        if self._wired is not None:
            wired, self._wired, self._creation = self._wired, None, None
            self._removal = asyncio.create_task(sandboxes.remove(self.context, self.pod, wired))
        if self._removal is not None:
            await asyncio.shield(self._removal)

    async def _confirm(self) -> None:
        """Write the last status, then delete the object with grace 0."""
        retry = 0.05
        while not self._gone:
            try:
                if self._lived:
                    await self._publish()
                await self.context.client.delete(
                    "Pod", meta.name(self.pod), meta.namespace(self.pod), grace_period=0, uid=self.uid
                )
                return
            except ApiError as error:
                if error.reason in ("NotFound", "Conflict"):
                    return
                log.warning("%s: %s", meta.key(self.pod), error.message)
            except API_ERRORS as error:
                log.debug("%s: %s", meta.key(self.pod), error)
            await asyncio.sleep(retry)
            retry = min(retry * 2, _LAST_RETRY)

    # --- status

    def pod_status(self) -> Object:
        """The PodStatus as it is now."""
        own = {c["type"] for c in self._conditions}
        foreign = [c for c in (self.pod.get("status") or {}).get("conditions") or () if c["type"] not in own]
        known = {**(self.pod.get("status") or {}), "conditions": [*self._conditions, *foreign]}
        rendered = status.render(
            PodView(
                pod={**self.pod, "status": known},
                records=self.records,
                host_ip=self.context.node_ip,
                pod_ips=self.pod_ips,
                sandbox_ready=self._wired is not None,
                start_time=self.start_time,
                terminal=self._terminal,
                reason=self._reason,
                message=self._message,
                phase=self._phase,
            )
        )
        self._conditions = [c for c in rendered["conditions"] if c["type"] in status.OWN_CONDITIONS]
        return rendered

    async def _publish(self) -> None:
        self._dirty.clear()
        patch = {"metadata": {"uid": self.uid}, "status": self.pod_status()}
        await self.context.client.patch(
            "Pod", meta.name(self.pod), patch, meta.namespace(self.pod), subresource="status"
        )

    async def _publish_all(self) -> None:
        retry = 0.05
        while True:
            await self._dirty.wait()
            try:
                await self._publish()
                retry = 0.05
            except ApiError as error:
                if error.reason not in ("NotFound", "Conflict"):
                    log.warning("%s: status: %s", meta.key(self.pod), error.message)
            except API_ERRORS as error:
                log.debug("%s: status: %s", meta.key(self.pod), error)
                self._dirty.set()
                await asyncio.sleep(retry)
                retry = min(retry * 2, 2.0)


async def _all(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for tasks without cancelling them when the waiting is cancelled: containers are stopped, not dropped."""
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


def _text(error: BaseException) -> str:
    return error.message if isinstance(error, ApiError) else str(error)
