"""One container of a Pod: start, watch, restart, stop.

Stands in for pkg/kubelet/kuberuntime/kuberuntime_container.go and the container half of SyncPod. It differs in its
shape: upstream syncs a Pod again and again, here each container has a task that lives as long as it may be restarted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from pathlib import Path
from typing import Any, Protocol

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.kubelet import env, images, launch, lifecycle, probes, runs
from podwalk.kubelet.backoff import Backoff, go_duration, pause
from podwalk.kubelet.context import API_ERRORS, NodeContext
from podwalk.kubelet.logs import LogFile, Pump
from podwalk.kubelet.node import RUNTIME_NAME
from podwalk.kubelet.pulling import Puller
from podwalk.kubelet.runs import Run
from podwalk.kubelet.status import EPOCH, ContainerRecord
from podwalk.kubelet.stopping import Stopper
from podwalk.netns import containers as runtime
from podwalk.netns.containers import ContainerStartError
from podwalk.netns.pods import PodSandbox

log = logging.getLogger(__name__)

_CONFIG_RETRY_SECONDS = 2.0
_MAX_MESSAGE = 4096
_START_FAILED = "failed to create task: OCI runtime create failed: unable to start container process"


class Owner(Protocol):
    """What a container needs of its Pod (see pod_worker.PodWorker)."""

    pod: Object
    context: NodeContext
    pod_ips: list[str]
    runners: dict[str, ContainerRunner]

    @property
    def sandbox(self) -> PodSandbox | None:
        """The Pod's namespaces, once they exist."""

    def changed(self) -> None:
        """A status is to be published."""

    async def launch_plan(self, container: Object, environment: dict[str, str]) -> launch.Surroundings:
        """Mounts and files of a container."""

    def view(self) -> Object:
        """The Pod with its present addresses in its status."""

    def directory(self) -> Path:
        """The Pod's directory on the node."""

    def log_path(self, container: str, restart_count: int) -> Path:
        """Where a run of a container logs."""


class ContainerRunner:
    """Runs one container until it may not be restarted any more."""

    def __init__(self, owner: Owner, record: ContainerRecord) -> None:
        self._owner = owner
        self._context = owner.context
        self.record = record
        self.current: Run | None = None
        self.task: asyncio.Task[None] | None = None
        self.started = asyncio.Event()
        self.stopping = False
        self._stopper = Stopper(self._hook, self.event)
        self._crashes = Backoff()
        self._redefined = asyncio.Event()
        self._pull = Puller(self._context.images, record.spec, self.event, self._wait)

    @property
    def name(self) -> str:
        """The container's name."""
        return self.record.name

    def start(self) -> asyncio.Task[None]:
        """Begin; the task ends when the container is over for good."""
        self.task = asyncio.create_task(self._supervise(), name=f"container {self.name}")
        return self.task

    def event(self, kind: str, reason: str, message: str) -> None:
        """Record an Event about this container."""
        groups = {"init": "initContainers", "sidecar": "initContainers", "ephemeral": "ephemeralContainers"}
        path = f"spec.{groups.get(self.record.kind, 'containers')}{{{self.name}}}"
        self._context.event(self._owner.pod, kind, reason, message, path)

    # --- life

    async def _supervise(self) -> None:
        while not self.stopping:
            started = await self._start()
            if started is not None:
                await self._watch(started)
            if self.stopping or not (self._redefined.is_set() or self._restarts()):
                return
            await self._back_off()
            self.record.restart_count += 1

    def _restarts(self) -> bool:
        record = self.record
        code = record.exit_code if record.exit_code is not None else record.last_exit_code
        policy = record.spec.get("restartPolicy") or self._owner.pod["spec"].get("restartPolicy") or "Always"
        if record.kind == "ephemeral":
            return False
        if code is not None and _rule_says_restart(record.spec, code):
            return True
        if record.kind == "sidecar":
            return True
        if record.kind == "init":
            return code != 0 and policy != "Never"
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    async def _back_off(self) -> None:
        """Wait as long as the crash back-off says; the first restart is immediate."""
        failed_at = time.monotonic()
        remaining = self._crashes.remaining(failed_at)
        if remaining > 0:
            pod = lifecycle.format_pod(self._owner.pod)
            message = f"back-off {go_duration(self._crashes.delay)} restarting failed container={self.name} pod={pod}"
            if "terminated" in self.record.state:
                self.record.last_state = self.record.state
            self._wait("CrashLoopBackOff", message)
            self.event("Warning", "BackOff", f"Back-off restarting failed container {self.name} in pod {pod}")
            await pause(remaining, self._redefined)
        self._crashes.next(failed_at)

    def _wait(self, reason: str, message: str = "") -> None:
        waiting = {"reason": reason, **({"message": message} if message else {})}
        self.record.state = {"waiting": waiting}
        self.record.ready = self.record.started = False
        self._owner.changed()

    # --- start

    async def _start(self) -> Run | None:
        """Start one run. None where the start itself failed, which counts as a crash."""
        while True:
            await self._pull.ready()
            try:
                environment = await self._environment()
                surroundings = await self._owner.launch_plan(self.record.spec, environment)
                self._redefined.clear()
                command, args = (env.expand_all(self.record.spec.get(w), environment) for w in ("command", "args"))
                image = self._context.images.resolve(str(self.record.spec.get("image", "")), command, args)
                launch.check_user(self._owner.pod, self.record.spec, image)
                break
            except (env.ConfigError, images.ImageError) as error:
                self._wait("CreateContainerConfigError", str(error))
                self.event("Warning", "Failed", f"Error: {error}")
            except API_ERRORS as error:
                log.warning("%s: %s", self.name, error)
            await asyncio.sleep(_CONFIG_RETRY_SECONDS)
        return self._launch(image, environment, surroundings)

    async def _environment(self) -> dict[str, str]:
        spec, pod = self.record.spec, self._owner.view()
        namespace = meta.namespace(pod)
        sources = await self._context.sources.fetch(namespace, env.references(spec))
        links = pod["spec"].get("enableServiceLinks") is not False
        services = env.service_environment(self._context.services.all(), namespace, links)
        return env.build(pod, spec, sources=sources, services=services, allocatable=self._context.allocatable)

    def _launch(
        self, image: images.ResolvedImage, environment: dict[str, str], surroundings: launch.Surroundings
    ) -> Run | None:
        record, sandbox = self.record, self._owner.sandbox
        if sandbox is None:
            return None
        container_id = secrets.token_hex(32)
        message_file = self._message_file(container_id, surroundings)
        if record.state.get("terminated"):
            record.last_state = record.state
        record.image, record.image_id = image.image, image.image_id
        record.container_id = f"{RUNTIME_NAME}://{container_id}"
        started_at = meta.now()
        self.event("Normal", "Created", "Container created")
        try:
            spec = launch.container_spec(
                self._owner.pod, record.spec, sandbox, container_id, image, environment, surroundings, self._target()
            )
            process = runtime.start_container(spec)
        except (ContainerStartError, OSError) as error:
            self._start_failed(f"{_START_FAILED}: {error}")
            return None
        run = Run(
            process=process,
            log=LogFile(self._owner.log_path(record.name, record.restart_count)),
            pumps=[],
            exited=self._context.reaper.watch(process.pid),
            started_at=started_at,
            message_file=message_file,
            environment=dict(spec.env),
            mount_namespace=runs.mount_namespace(process.pid),
        )
        run.pumps = [Pump(process.stdout_fd, "stdout", run.log)]
        if process.stderr_fd is not None:
            run.pumps.append(Pump(process.stderr_fd, "stderr", run.log))
        self.event("Normal", "Started", "Container started")
        # The last run's log is kept for `kubectl logs --previous`, older ones are not: the node's disk is memory.
        self._owner.log_path(record.name, record.restart_count - 2).unlink(missing_ok=True)
        return run

    def _target(self) -> int:
        """The pidfd of the container that an ephemeral one looks at; -1 without one, or where it does not run."""
        wanted = self._owner.runners.get(str(self.record.spec.get("targetContainerName") or ""))
        return wanted.current.process.pidfd if wanted is not None and wanted.current is not None else -1

    def _message_file(self, container_id: str, surroundings: launch.Surroundings) -> Path | None:
        target = str(self.record.spec.get("terminationMessagePath") or "/dev/termination-log")
        path = self._owner.directory() / "containers" / self.name / container_id[:8]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.chmod(0o666)
        surroundings.mounts.append((str(path), target, False))
        return path

    def _start_failed(self, message: str) -> None:
        record = self.record
        self.event("Warning", "Failed", f"Error: {message}")
        ended = {
            "exitCode": 128,
            "reason": "StartError",
            "message": message,
            "startedAt": EPOCH,
            "finishedAt": meta.now(),
            "containerID": record.container_id,
        }
        if self._restarts_after(128):
            record.last_state = {"terminated": ended}
            self._wait("RunContainerError", message)
        else:
            record.state = {"terminated": ended}
            self._owner.changed()

    def _restarts_after(self, code: int) -> bool:
        kept = self.record.state
        self.record.state = {"terminated": {"exitCode": code}}
        restarts = self._restarts()
        self.record.state = kept
        return restarts

    # --- run

    async def _watch(self, run: Run) -> None:
        record = self.record
        self.current = run
        problem = await self._post_start(run)
        if not problem:
            record.state = {"running": {"startedAt": run.started_at}}
            self._begin_probes(run)
            self._owner.changed()
        try:
            await asyncio.wait([run.exited])
        finally:
            for task in run.probers:
                task.cancel()
        self._ended(run, run.exited.result())
        if problem and not self.stopping and self._restarts():
            record.last_state = record.state
            self._wait("PostStartHookError", problem)

    async def _post_start(self, run: Run) -> str:
        """Run postStart, before which the container does not count as running; what went wrong, or an empty text.

        A container whose hook fails is killed.
        """
        handler = (self.record.spec.get("lifecycle") or {}).get("postStart")
        if not handler:
            return ""
        work = asyncio.ensure_future(self._hook(handler, 0.0))
        either: list[asyncio.Future[Any]] = [work, run.exited]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            problem = work.result() if work.done() else ""
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if problem and not self.stopping:
            self.event("Warning", "FailedPostStartHook", "PostStartHook failed")
            self.event("Normal", "Killing", "FailedPostStartHook")
            await self._stopper.stop(run, self.record.spec, self._pod_grace())
        return problem

    def _ended(self, run: Run, code: int) -> None:
        record = self.record
        if run.process.spec.pids != "own":
            runs.kill_leftovers(run.mount_namespace)
        for pump in run.pumps:
            pump.drain()
        run.log.close()
        if run.process.stdin_fd is not None:
            os.close(run.process.stdin_fd)
        runtime.release(run.process)
        self.current = None
        code = 128 - code if code < 0 else code
        ended: Object = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": run.started_at,
            "finishedAt": meta.now(),
            "containerID": record.container_id,
        }
        if message := runs.termination_message(run, record.spec, code):
            ended["message"] = message
        record.state = {"terminated": ended}
        record.started = False
        record.ready = record.kind == "init" and code == 0
        self.started.clear()
        self._owner.changed()

    # --- probes

    def _begin_probes(self, run: Run) -> None:
        spec = self.record.spec
        if self.record.kind in ("init", "ephemeral"):
            self.record.started = self.record.kind == "init"
            self.started.set()
            return
        if spec.get("startupProbe"):
            self._probe(run, "Startup", spec["startupProbe"])
        else:
            self._has_started(run)

    def _has_started(self, run: Run) -> None:
        spec = self.record.spec
        self.record.started = True
        self.started.set()
        if spec.get("readinessProbe"):
            self._probe(run, "Readiness", spec["readinessProbe"])
        else:
            self.record.ready = True
        if spec.get("livenessProbe"):
            self._probe(run, "Liveness", spec["livenessProbe"])
        self._owner.changed()

    def _probe(self, run: Run, kind: probes.ProbeKind, probe: Object) -> None:
        target = probes.Target(self._host(), self.record.spec, self.exec)

        def result(ok: bool) -> None:
            if self.current is not run:
                return
            if kind == "Readiness":
                self.record.ready = ok
                self._owner.changed()
            elif kind == "Startup" and ok:
                self._has_started(run)
            elif not ok:
                run.probers.append(asyncio.create_task(self._unhealthy(run, kind, probe)))

        prober = probes.Prober(kind, probe, target, result, lambda text: self.event("Warning", "Unhealthy", text))
        run.probers.append(asyncio.create_task(prober.run(), name=f"{kind} probe of {self.name}"))

    async def _unhealthy(self, run: Run, kind: str, probe: Object) -> None:
        if self.stopping:
            return
        message = f"Container {self.name} failed {kind.lower()} probe, will be restarted"
        self.event("Normal", "Killing", message)
        grace = probe.get("terminationGracePeriodSeconds")
        await self._stopper.stop(run, self.record.spec, self._pod_grace() if grace is None else float(grace))

    # --- stop

    async def stop(self, grace: float) -> None:
        """End the container for good: preStop, SIGTERM, and SIGKILL when ``grace`` seconds are over."""
        self.stopping = True
        run = self.current
        if run is not None:
            self.event("Normal", "Killing", f"Stopping container {self.name}")
            await self._stopper.stop(run, self.record.spec, grace)
        if self.task is not None and self.task is not asyncio.current_task():
            if run is None:
                self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    def shorten(self, grace: float) -> None:
        """The grace period of a stop under way ends in ``grace`` seconds, where it would have ended later."""
        self._stopper.shorten(grace)

    def redefine(self, spec: Object) -> None:
        """The container may have another image: restart it with that, whatever it waits for and its restart policy.

        A back-off belongs to the container as it was defined (GetStableKey in kuberuntime). An init container that runs
        is not restarted for a new image (computeInitContainerActions).
        """
        if spec.get("image") == self.record.spec.get("image") or self.stopping:
            return
        self.record.spec = spec
        self._pull.redefine(spec)
        if self.record.kind == "init" and self.current is not None:
            return
        self._crashes = Backoff()
        self._redefined.set()
        if self.current is not None:
            self.event("Normal", "Killing", f"Container {self.name} definition changed, will be restarted")
            stop = self._stopper.stop(self.current, self.record.spec, self._pod_grace())
            self.current.probers.append(asyncio.create_task(stop))

    def _pod_grace(self) -> float:
        return float(self._owner.pod["spec"].get("terminationGracePeriodSeconds", 30))

    def _host(self) -> str:
        return self._owner.pod_ips[0] if self._owner.pod_ips else self._context.node_ip

    async def _hook(self, handler: Object, timeout: float) -> str:
        target = probes.Target(self._host(), self.record.spec, self.exec)
        return await lifecycle.run(handler, self._owner.pod, target, timeout)

    async def exec(self, command: list[str], timeout: float) -> tuple[int, bytes]:
        """Run a command inside: (exit code, what it wrote). Raises TimeoutError."""
        if self.current is None:
            return 1, b"container not running"
        return await runs.execute(self._context.reaper, self.current, command, timeout)


def _rule_says_restart(spec: Object, code: int) -> bool:
    """Whether one of the container's restartPolicyRules wants a restart after this exit code."""
    for rule in spec.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        listed = code in (codes.get("values") or ())
        if rule.get("action") == "Restart" and listed == (codes.get("operator") == "In"):
            return True
    return False
