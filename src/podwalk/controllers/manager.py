"""All loops of kube-controller-manager and kube-scheduler, on one event loop, over one set of informers."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable

import aiohttp

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.informer import InformerFactory
from podwalk.client.rest import Client
from podwalk.controllers.bootstrap import SYSTEM_NAMESPACES, Bootstrap
from podwalk.controllers.context import Context, Controller, ManagerConfig
from podwalk.controllers.cronjob import CronJobController
from podwalk.controllers.daemonset import DaemonSetController
from podwalk.controllers.deployment import DeploymentController
from podwalk.controllers.disruption import DisruptionController, StaleDisruptions
from podwalk.controllers.endpoints import EndpointsController
from podwalk.controllers.endpointslice import EndpointSliceController
from podwalk.controllers.endpointslice_mirroring import EndpointSliceMirroringController
from podwalk.controllers.garbagecollector import GarbageCollector
from podwalk.controllers.job import JobController
from podwalk.controllers.job_cleanup import OrphanedPods, TtlAfterFinishedController
from podwalk.controllers.namespace import NamespaceController
from podwalk.controllers.node_ipam import NodeIpamController
from podwalk.controllers.node_lifecycle import NodeLifecycleController
from podwalk.controllers.podgc import PodGcController
from podwalk.controllers.replicaset import ReplicaSetController, ReplicationManager
from podwalk.controllers.resourcequota import ResourceQuotaController
from podwalk.controllers.scheduler import Scheduler
from podwalk.controllers.serviceaccount import ServiceAccountController
from podwalk.controllers.servicecidr import ServiceCIDRController
from podwalk.controllers.statefulset import StatefulSetController
from podwalk.controllers.taint_eviction import TaintEvictionController

__all__ = ["ManagerConfig", "run"]

log = logging.getLogger(__name__)

_CONTROLLERS: tuple[type[Controller], ...] = (
    ServiceAccountController,
    NodeIpamController,
    NodeLifecycleController,
    TaintEvictionController,
    Scheduler,
    ReplicaSetController,
    ReplicationManager,
    DeploymentController,
    DaemonSetController,
    StatefulSetController,
    JobController,
    OrphanedPods,
    TtlAfterFinishedController,
    CronJobController,
    DisruptionController,
    StaleDisruptions,
    ServiceCIDRController,
    ResourceQuotaController,
    EndpointSliceController,
    EndpointsController,
    EndpointSliceMirroringController,
    NamespaceController,
    GarbageCollector,
    PodGcController,
)
_FIRST_RETRY = 0.02
_LAST_RETRY = 10.0


async def run(
    client: Client, *, config: ManagerConfig | None = None, on_ready: Callable[[], object] | None = None
) -> None:
    """Run everything until cancelled.

    ``on_ready`` is called (and awaited, where it returns an awaitable) once the system namespaces, the ``kubernetes``
    Service and the default ServiceAccounts exist and all loops watch. A loop that fails is logged and started again.
    """
    context = Context(client, InformerFactory(client), config or ManagerConfig())
    bootstrap = Bootstrap(context)
    controllers: list[Controller] = [bootstrap, *(kind(context) for kind in _CONTROLLERS)]
    accounts = _AccountsReady(context)
    try:
        async with asyncio.TaskGroup() as group:
            await _until_it_works(bootstrap)
            await context.informers.start()
            for controller in controllers:
                group.create_task(_keep_running(controller), name=controller.name)
            await accounts.ready.wait()
            if on_ready is not None:
                answer = on_ready()
                if inspect.isawaitable(answer):
                    await answer
    finally:
        await context.informers.stop()
        for recorder in context.recorders.values():
            await recorder.close()


class _AccountsReady:
    """An event that is set when each system namespace has its default ServiceAccount: Pods can be made."""

    def __init__(self, context: Context) -> None:
        self.ready = asyncio.Event()
        self._missing = {meta.make_key(ns, "default") for ns in SYSTEM_NAMESPACES}
        context.informers.informer("ServiceAccount").on_change(self._changed)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._missing.discard(meta.key(new))
        if not self._missing:
            self.ready.set()


async def _until_it_works(bootstrap: Bootstrap) -> None:
    retry = _FIRST_RETRY
    while True:
        try:
            await bootstrap.start()
            return
        except (TimeoutError, ApiError, aiohttp.ClientError, OSError) as error:
            log.warning("bootstrap: %s", error)
        await asyncio.sleep(retry)
        retry = min(retry * 2, _LAST_RETRY)


async def _keep_running(controller: Controller) -> None:
    retry = _FIRST_RETRY
    while True:
        try:
            await controller.run()
        except Exception:
            log.exception("%s failed, starting it again", controller.name)
        await asyncio.sleep(retry)
        retry = min(retry * 2, _LAST_RETRY)
