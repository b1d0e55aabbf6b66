"""Static Pods: what runs on the node outside of containers, shown as Pods.

Stands in for the mirror Pods of pkg/kubelet/pod/mirror_client.go. The components are tasks of the node's own process,
so these Pods have no processes; what a component logs is their log.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from pathlib import Path

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.kubelet import status
from podwalk.kubelet.containers import ContainerRunner
from podwalk.kubelet.context import API_ERRORS, LOG_DIRECTORY, NodeContext
from podwalk.kubelet.logs import LogFile
from podwalk.kubelet.status import ContainerRecord, PodView
from podwalk.netns.pods import PodSandbox

log = logging.getLogger(__name__)

# Which logger writes the log of which component.
_LOGGERS = {
    "kube-proxy": "podwalk.proxy",
    "kube-flannel": "podwalk.network",
    "kindnet": "podwalk.network",
    "calico-node": "podwalk.network",
    "ip-masq-agent": "podwalk.network",
    "cilium": "podwalk.proxy.ebpf",
}
_RETRY_SECONDS = 0.2
_COME_BACK_SECONDS = 1.0


class _Handler(logging.Handler):
    """Writes a logger's records into a Pod's log."""

    def __init__(self, file: LogFile) -> None:
        super().__init__(logging.INFO)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        self._file.write("stderr", f"{record.levelname[0]} {record.name}: {record.getMessage()}\n".encode())


class MirrorPod:
    """One static Pod, created through the API, shown Running, created again when somebody deletes it."""

    runners: dict[str, ContainerRunner] = {}  # noqa: RUF012  (always empty: nothing runs here)
    sandbox: PodSandbox | None = None
    sandbox_id = ""

    def __init__(self, context: NodeContext, manifest: Object) -> None:
        self._context = context
        self.pod = manifest
        digest = hashlib.md5(json.dumps(manifest, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
        self._hash = digest
        self.records = status.records_of(manifest)
        self.start_time = meta.now()
        self._logs: dict[str, LogFile] = {}

    def key(self) -> str:
        """``namespace/name``."""
        return meta.key(self.pod)

    def log_path(self, container: str, restart_count: int) -> Path:
        """Where a component logs."""
        pod = f"{meta.namespace(self.pod)}_{meta.name(self.pod)}_{self._hash}"
        return LOG_DIRECTORY / pod / container / f"{restart_count}.log"

    def live_log(self, container: str) -> LogFile | None:
        """The log that is being written."""
        return self._logs.get(container)

    def start(self) -> None:
        """Open the logs."""
        for record in self.records:
            file = self._logs[record.name] = LogFile(self.log_path(record.name, 0))
            file.write("stderr", f"I {record.name} runs in the process of node {self._context.node_name}\n".encode())
            logger = logging.getLogger(_LOGGERS.get(record.name, f"podwalk.{record.name}"))
            logger.addHandler(_Handler(file))

    def _object(self, node_uid: str) -> Object:
        metadata = dict(self.pod["metadata"])
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            "kubernetes.io/config.hash": self._hash,
            "kubernetes.io/config.mirror": self._hash,
            "kubernetes.io/config.seen": self.start_time,
            "kubernetes.io/config.source": "file",
        }
        owner = {
            "apiVersion": "v1",
            "kind": "Node",
            "name": self._context.node_name,
            "uid": node_uid,
            "controller": True,
        }
        metadata["ownerReferences"] = [owner]
        return {**self.pod, "metadata": metadata}

    def _running(self, record: ContainerRecord) -> None:
        record.state = {"running": {"startedAt": self.start_time}}
        record.started = record.ready = True
        record.image = str(record.spec.get("image", ""))
        digest = hashlib.sha256(record.image.encode()).hexdigest()
        record.image_id = f"sha256:{digest}"
        record.container_id = f"podwalk://{hashlib.sha256((self._hash + record.name).encode()).hexdigest()}"

    async def come_back(self, node_uid: str) -> None:
        """Create the mirror Pod again after somebody deleted it."""
        # `kubectl delete` waits for a moment in which the name is free.
        await asyncio.sleep(_COME_BACK_SECONDS)
        await self.ensure(node_uid)

    async def ensure(self, node_uid: str) -> None:
        """Create the mirror Pod and write its status; retried until it is there."""
        while True:
            try:
                await self._ensure(node_uid)
                return
            except API_ERRORS as error:
                # The namespace may not exist yet.
                log.debug("mirror pod %s: %s", self.key(), error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _ensure(self, node_uid: str) -> None:
        client = self._context.client
        try:
            pod = await client.create(self._object(node_uid))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            pod = await client.get("Pod", meta.name(self.pod), meta.namespace(self.pod))
        for record in self.records:
            self._running(record)
        view = PodView(
            pod=pod,
            records=self.records,
            host_ip=self._context.node_ip,
            pod_ips=[self._context.node_ip],
            sandbox_ready=True,
            start_time=self.start_time,
        )
        patch = {"status": status.render(view)}
        await client.patch("Pod", meta.name(pod), patch, meta.namespace(pod), subresource="status")
