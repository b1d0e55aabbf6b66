"""The kubelet of one node: wiring of everything in this room, on one asyncio loop.

Stands in for cmd/kubelet and pkg/kubelet/kubelet.go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.events import EventRecorder
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.kubelet import status
from podwalk.kubelet.context import (
    API_ERRORS,
    CNI_DIRECTORY,
    NodeContext,
    SourceCache,
    TokenCache,
    cni_configuration,
)
from podwalk.kubelet.images import Catalogue
from podwalk.kubelet.mirror import MirrorPod
from podwalk.kubelet.node import KUBELET_PORT, NodeAgent, NodeSettings, capacity
from podwalk.kubelet.pod_worker import PodWorker
from podwalk.kubelet.server import KubeletServer
from podwalk.netns.reaper import Reaper
from podwalk.netns.watch import DirectoryWatch

log = logging.getLogger(__name__)

_MIRROR_SECONDS = 3.0
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


@dataclass(slots=True)
class KubeletConfig:
    """What a kubelet is told at its start.

    ``static_pods`` are shown, not run; ``host_root_fd`` is a descriptor of the machine's root directory, for the
    user's ``images_file`` and the programs that it names.
    """

    node_name: str
    node_ip: str
    role: str
    client: Client
    kubelet_token: str
    reaper: Reaper
    cluster_dns: str = "10.96.0.10"
    cluster_domain: str = "cluster.local"
    ca_cert: bytes = b""
    labels: dict[str, str] = field(default_factory=dict)
    taints: list[Object] = field(default_factory=list)
    static_pods: list[Object] = field(default_factory=list)
    images_file: str | None = None
    host_root_fd: int | None = None
    network_made: Callable[[Object, str], Awaitable[None]] | None = None


class Agent:
    """All of one node's kubelet."""

    def __init__(self, config: KubeletConfig) -> None:
        self._config = config
        client = config.client
        self._recorder = EventRecorder(client, "kubelet", config.node_name)
        settings = NodeSettings(config.node_name, config.node_ip, config.role, config.labels, config.taints)
        self._node = NodeAgent(client, settings, self._recorder)
        self._pods = Informer(client, "Pod", field_selector=f"spec.nodeName={config.node_name}")
        self._nodes = Informer(client, "Node", field_selector=f"metadata.name={config.node_name}")
        self._services = Informer(client, "Service")
        self._config_maps = Informer(client, "ConfigMap")
        self._secrets = Informer(client, "Secret")
        self._workers: dict[str, PodWorker] = {}
        self.context = self._make_context()
        self._mirrors = {m.key(): m for m in (MirrorPod(self.context, pod) for pod in config.static_pods)}
        self._tasks: set[asyncio.Task[None]] = set()

    def _make_context(self) -> NodeContext:
        config = self._config
        return NodeContext(
            node_name=config.node_name,
            node_ip=config.node_ip,
            client=config.client,
            reaper=config.reaper,
            recorder=self._recorder,
            images=Catalogue(config.images_file, config.host_root_fd),
            services=self._services,
            sources=SourceCache(config.client),
            tokens=TokenCache(config.client),
            cluster_dns=config.cluster_dns,
            cluster_domain=config.cluster_domain,
            allocatable=capacity(),
            network_made=config.network_made,
        )

    async def run(self, on_ready: Callable[[], None] | None) -> None:
        """Run until cancelled; the failure of any part ends all of it."""
        server = KubeletServer(self, self._config.kubelet_token)
        await server.start(self._config.node_ip, KUBELET_PORT)
        try:
            async with asyncio.TaskGroup() as group:
                await self._node.register()
                for informer in (self._nodes, self._services, self._config_maps, self._secrets):
                    group.create_task(informer.run(), name=f"informer {informer.resource.plural}")
                self._nodes.on_change(self._node_changed)
                group.create_task(self._node.heartbeat(), name="heartbeat")
                group.create_task(self._network(on_ready), name="network")
                await self._services.synced.wait()
                self._start_mirrors()
                self._pods.on_change(self._pod_changed)
                self._config_maps.on_change(self._source_changed)
                self._secrets.on_change(self._source_changed)
                group.create_task(self._pods.run(), name="informer pods")
        finally:
            await server.stop()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- network

    async def _network(self, on_ready: Callable[[], None] | None) -> None:
        """Follow /etc/cni/net.d, as containerd does: the first configuration makes the node ready, no matter whose."""
        while True:
            CNI_DIRECTORY.mkdir(parents=True, exist_ok=True)
            with DirectoryWatch(CNI_DIRECTORY) as watch:
                while not watch.gone:
                    if await self._network_configured() and on_ready is not None:
                        on_ready()
                        on_ready = None
                    await watch.changed()

    async def _network_configured(self) -> bool:
        """Tell the Node and the waiting Pods where a CNI configuration has come or gone; whether there is one."""
        configured = cni_configuration() is not None
        if configured != self.context.network.is_set():
            if configured:
                self.context.network.set()
            else:
                self.context.network.clear()
            await self._node.network_ready(configured)
        return configured

    def _node_changed(self, _: Object | None, new: Object | None) -> None:
        if new is None or meta.name(new) != self._config.node_name:
            return
        self._node.observed(new)

    # --- Pods

    def _start_mirrors(self) -> None:
        for mirror in self._mirrors.values():
            mirror.start()
            self._spawn(self._show(mirror))

    async def _show(self, mirror: MirrorPod) -> None:
        """Create a mirror Pod when the node is Ready (a Pod on another one gets a warning), or does not become so."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_MIRROR_SECONDS):
                await self._node.announced.wait()
        await mirror.ensure(meta.uid(self._node.node))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old
        if pod is None:
            return
        if MIRROR_ANNOTATION in meta.annotations(pod):
            self._mirror_changed(pod, new)
            return
        replaced = old is not None and (new is None or meta.uid(new) != meta.uid(old))
        if replaced and (gone := self._workers.get(meta.uid(old or {}))):
            gone.removed()
        if new is None:
            return
        new.setdefault("apiVersion", "v1")
        new.setdefault("kind", "Pod")
        worker = self._workers.get(meta.uid(new))
        if worker is not None:
            worker.update(new)
        elif (new.get("status") or {}).get("phase") not in ("Succeeded", "Failed") or meta.is_deleting(new):
            self._workers[meta.uid(new)] = PodWorker(self.context, new, self._ended)

    def _mirror_changed(self, pod: Object, new: Object | None) -> None:
        mirror = self._mirrors.get(meta.key(pod))
        if new is None and mirror is not None:
            self._spawn(mirror.come_back(meta.uid(self._node.node)))
        elif new is not None and meta.is_deleting(new):
            self._spawn(self._confirm(new))
        elif new is not None and mirror is not None and status.is_overruled(new):
            self._spawn(mirror.ensure(meta.uid(self._node.node)))

    async def _confirm(self, pod: Object) -> None:
        """A mirror Pod was deleted: let it go at once; it comes back."""
        try:
            await self._config.client.delete(
                "Pod", meta.name(pod), meta.namespace(pod), grace_period=0, uid=meta.uid(pod)
            )
        except API_ERRORS as error:
            log.debug("mirror pod %s: %s", meta.key(pod), error)

    def _ended(self, worker: PodWorker) -> None:
        self._workers.pop(worker.uid, None)

    def _source_changed(self, _: Object | None, new: Object | None) -> None:
        if new is None:
            return
        kind = str(new.get("kind") or ("Secret" if "type" in new else "ConfigMap"))
        for worker in list(self._workers.values()):
            if meta.namespace(worker.pod) == meta.namespace(new):
                self._spawn(worker.source_changed(kind, meta.name(new)))

    def workers(self) -> list[PodWorker]:
        """The Pods that run here, without the mirror Pods."""
        return list(self._workers.values())

    def find(self, namespace: str, name: str) -> PodWorker | MirrorPod | None:
        """The Pod of this name; of several (an old one on its way out) the newest."""
        mirror = self._mirrors.get(meta.make_key(namespace, name))
        if mirror is not None:
            return mirror
        found = [w for w in self._workers.values() if meta.key(w.pod) == meta.make_key(namespace, name)]
        return found[-1] if found else None


async def run(config: KubeletConfig, *, on_ready: Callable[[], None] | None = None) -> None:
    """Run the kubelet of this node until cancelled; ``on_ready`` is called when the Node is Ready."""
    await Agent(config).run(on_ready)
