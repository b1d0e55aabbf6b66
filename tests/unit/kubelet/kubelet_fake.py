"""A runtime, an API server and a recorder that a test plays by hand: no namespaces, no processes."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from types import SimpleNamespace

from podwalk.api.errors import not_found
from podwalk.kubelet import context, images
from podwalk.kubelet.sandboxes import Wired


class FakeClient:
    """Keeps what a Pod's worker writes; ``objects`` are (kind, name) -> object."""

    def __init__(self):
        self.objects = {}
        self.statuses = []
        self.deleted = []
        self.changed = asyncio.Event()

    async def get(self, kind, name, namespace=None):
        if (kind, name) not in self.objects:
            raise not_found(kind.lower() + "s", name)
        return self.objects[kind, name]

    async def post(self, kind, name, subresource, body, namespace=None):
        return {"status": {"token": f"token of {name}"}}

    async def patch(self, kind, name, patch, namespace=None, **more):
        self.statuses.append(patch["status"])
        self.changed.set()
        return {}

    async def delete(self, kind, name, namespace=None, **options):
        self.deleted.append((name, options))
        self.changed.set()
        return {}


class FakeRuntime:
    """Containers that run until a test or a signal ends them."""

    def __init__(self):
        self.started = []
        self.exits = {}
        self.signals = []
        self.obedient = True
        self.failing = None
        self._pid = 100

    def watch(self, pid):
        return self.exits[pid]

    def start_container(self, spec):
        if self.failing is not None:
            raise self.failing
        process = self._process(spec)
        self.started.append((spec, process))
        return process

    def exec_in_container(self, process, argv, env, **options):
        made = self._process()
        self.end(made, 0)
        return made

    def _process(self, spec=None):
        self._pid += 1
        self.exits[self._pid] = asyncio.get_running_loop().create_future()
        out, self_out = os.pipe()
        err, self_err = os.pipe()
        return SimpleNamespace(
            pid=self._pid,
            pidfd=self._pid,
            spec=spec,
            stdin_fd=None,
            stdout_fd=out,
            stderr_fd=err,
            writers=(self_out, self_err),
        )

    def end(self, process, code):
        for fd in process.writers:
            with suppress(OSError):
                os.close(fd)
        if not self.exits[process.pid].done():
            self.exits[process.pid].set_result(code)

    def write(self, process, data):
        os.write(process.writers[0], data)

    def signal(self, process, number):
        self.signals.append(int(number))
        if self.obedient or number == signal.SIGKILL:
            self.end(process, -int(number))

    def release(self, process):
        pass

    def running(self):
        return [spec.argv for spec, process in self.started if not self.exits[process.pid].done()]


class Recorder:
    """Events as (reason, message)."""

    def __init__(self):
        self.events = []

    def event(self, about, kind, reason, message):
        self.events.append((reason, message))

    def reasons(self):
        return [reason for reason, _ in self.events]


class Bench:
    """Everything a PodWorker needs, and the waiting that a test does."""

    def __init__(self, monkeypatch, tmp_path):
        from podwalk.kubelet import containers, launch, pod_worker, runs, sandboxes, stopping, streams

        self.client, self.runtime, self.recorder = FakeClient(), FakeRuntime(), Recorder()
        self.removed = []
        self._patch = monkeypatch
        for module in (containers, runs, stopping, streams):
            for name in ("start_container", "exec_in_container", "signal", "release"):
                monkeypatch.setattr(module.runtime, name, getattr(self.runtime, name))
        monkeypatch.setattr(pod_worker, "STATE_DIRECTORY", tmp_path / "pods")
        monkeypatch.setattr(pod_worker, "LOG_DIRECTORY", tmp_path / "logs")
        monkeypatch.setattr(runs, "mount_namespace", lambda pid: 0)
        monkeypatch.setattr(launch, "PROGRAM_DIRECTORY", tmp_path / "programs")
        monkeypatch.setattr(sandboxes, "create", self._create)
        monkeypatch.setattr(sandboxes, "remove", self._remove)
        services = SimpleNamespace(all=list)
        self.context = context.NodeContext(
            node_name="worker",
            node_ip="127.0.0.1",
            client=self.client,
            reaper=self.runtime,
            recorder=self.recorder,
            images=images.Catalogue(),
            services=services,
            sources=context.SourceCache(self.client),
            tokens=context.TokenCache(self.client),
            cluster_dns="10.96.0.10",
            cluster_domain="cluster.local",
            allocatable={"cpu": "2"},
        )
        self.ended = []

    async def _create(self, node, pod):
        return Wired(SimpleNamespace(pid=1), "id", ["127.0.0.1"], None)

    async def _remove(self, node, pod, wired):
        self.removed.append(pod["metadata"]["name"])

    def start(self, pod):
        from podwalk.kubelet.pod_worker import PodWorker

        self.worker = PodWorker(self.context, pod, self.ended.append)
        return self.worker

    def slow_exec(self, play):
        """Let ``play(run, command, timeout)`` stand for every command that the kubelet runs in a container."""
        from podwalk.kubelet import runs

        async def execute(_reaper, run, command, timeout):
            return await play(run, command, timeout)

        self._patch.setattr(runs, "execute", execute)

    async def until(self, what, timeout=20):
        """Wait until ``what()`` holds; asked again whenever the loop has turned."""
        async with asyncio.timeout(timeout):
            while not (found := what()):  # noqa: ASYNC110  (a test may ask for anything)
                await asyncio.sleep(0.001)
            return found

    async def status(self, holds):
        """Wait for a published status for which ``holds`` is true."""
        return await self.until(lambda: next((s for s in reversed(self.client.statuses) if holds(s)), None))

    async def delete(self, grace=30):
        """Delete the Pod as the API does, and wait for its end."""
        metadata = {
            **self.worker.pod["metadata"],
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": grace,
        }
        self.worker.update({**self.worker.pod, "metadata": metadata})
        await self.until(lambda: self.ended)

    async def close(self):
        """End what still runs."""
        self.worker.removed()
        await asyncio.wait([self.worker.task], timeout=20)
