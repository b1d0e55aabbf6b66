"""The kubelet's HTTP server on port 10250: logs, exec, attach, port-forward, Pods and what they use.

Stands in for pkg/kubelet/server. It differs in that it speaks plain HTTP inside the sandbox and knows one bearer token,
the API server's.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from podwalk.api import meta
from podwalk.kubelet import logs, streams
from podwalk.kubelet.containers import ContainerRunner
from podwalk.kubelet.logs import LogOptions
from podwalk.kubelet.runs import Run
from podwalk.kubelet.stats import Statistics
from podwalk.netns import pods

if TYPE_CHECKING:
    from podwalk.kubelet.agent import Agent
    from podwalk.kubelet.mirror import MirrorPod
    from podwalk.kubelet.pod_worker import PodWorker

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class KubeletServer:
    """Serves one node's Pods."""

    def __init__(self, agent: Agent, token: str) -> None:
        self._agent = agent
        self._token = token
        self._runner: web.AppRunner | None = None
        self._statistics = Statistics(agent.context.node_name)

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        app = web.Application(middlewares=[self._authenticate])
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/pods", self._pods),
                web.get("/stats/summary", self._summary),
                web.get("/containerLogs/{namespace}/{pod}/{container}", self._logs),
                web.get("/exec/{namespace}/{pod}/{container}", self._exec),
                web.get("/attach/{namespace}/{pod}/{container}", self._attach),
                web.get("/portForward/{namespace}/{pod}", self._port_forward),
            ]
        )
        # A command stands in the query; Go takes a megabyte of it.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, max_line_size=1 << 20)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, reuse_address=True).start()

    async def stop(self) -> None:
        """Stop listening and end the connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _authenticate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.path != "/healthz" and not hmac.compare_digest(given.encode(), self._token.encode()):
            return web.Response(status=401, text="Unauthorized")
        return await handler(request)

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _summary(self, _: web.Request) -> web.Response:
        return web.json_response(self._statistics.summary(self._agent.workers()))

    async def _pods(self, _: web.Request) -> web.Response:
        items = [{**w.view(), "status": w.pod_status()} for w in self._agent.workers()]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    # --- finding

    def _worker(self, request: web.Request) -> PodWorker | MirrorPod:
        namespace, name = request.match_info["namespace"], request.match_info["pod"]
        found = self._agent.find(namespace, name)
        if found is None:
            raise web.HTTPNotFound(text=f'pod "{name}_{namespace}" not found')
        return found

    def _running(self, request: web.Request) -> tuple[ContainerRunner, Run]:
        worker, name = self._worker(request), request.match_info["container"]
        runner = worker.runners.get(name)
        if runner is None or runner.current is None:
            raise web.HTTPNotFound(text=f'container not found ("{name}")')
        return runner, runner.current

    # --- logs

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        worker, name = self._worker(request), request.match_info["container"]
        options = _log_options(request)
        path, live = _log_file(worker, name, previous=request.query.get("previous") in ("true", "1"))
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        async for data in logs.stream(path, live, options):
            await response.write(data)
        await response.write_eof()
        return response

    # --- streams

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        runner, run = self._running(request)
        return await streams.serve_exec(request, runner, run, self._agent.context.reaper)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        runner, run = self._running(request)
        return await streams.serve_attach(request, runner, run)

    async def _port_forward(self, request: web.Request) -> web.StreamResponse:
        worker = self._worker(request)
        sandbox = worker.sandbox
        if sandbox is None:
            raise web.HTTPNotFound(text=f'pod "{meta.key(worker.pod)}" has no network')
        try:
            port = int(request.query.get("port", ""))
        except ValueError:
            raise web.HTTPBadRequest(text="port must be a number") from None
        names = (worker.sandbox_id, sandbox.netns_path)
        return await streams.serve_port_forward(request, lambda: pods.open_socket(sandbox), port, names)


def _log_options(request: web.Request) -> LogOptions:
    query = request.query
    since = None
    try:
        if query.get("sinceSeconds"):
            since = time.time_ns() - int(query["sinceSeconds"]) * 10**9
        elif query.get("sinceTime"):
            since = logs.parse_nanoseconds(query["sinceTime"])
        return LogOptions(
            follow=query.get("follow") in ("true", "1"),
            tail=int(query["tailLines"]) if query.get("tailLines") else None,
            since=since,
            timestamps=query.get("timestamps") in ("true", "1"),
            limit_bytes=int(query["limitBytes"]) if query.get("limitBytes") else None,
        )
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def _log_file(worker: PodWorker | MirrorPod, container: str, *, previous: bool) -> tuple[Path, logs.LogFile | None]:
    """The file of the present run (with its live writer) or of an earlier one. Raises HTTPBadRequest."""
    records = {r.name: r for r in worker.records}
    record = records.get(container)
    if record is None:
        text = f"container {container} is not valid for pod {meta.name(worker.pod)}"
        raise web.HTTPBadRequest(text=text)
    live = worker.live_log(container)
    count = record.restart_count - 1 if previous else record.restart_count
    path = worker.log_path(container, count)
    if not previous and not path.exists() and count > 0 and live is None:
        path = worker.log_path(container, count - 1)
    if count >= 0 and path.exists():
        return path, None if previous else live
    if previous:
        text = f'previous terminated container "{container}" in pod "{meta.name(worker.pod)}" not found'
        raise web.HTTPBadRequest(text=text)
    waiting = (record.state.get("waiting") or {}).get("reason", "")
    why = {
        "ContainerCreating": "waiting to start: ContainerCreating",
        "PodInitializing": "waiting to start: PodInitializing",
        "ErrImagePull": "waiting to start: image can't be pulled",
        "ImagePullBackOff": "waiting to start: trying and failing to pull image",
    }.get(waiting, f"waiting to start: {waiting or 'ContainerCreating'}")
    raise web.HTTPBadRequest(text=f'container "{container}" in pod "{meta.name(worker.pod)}" is {why}')
