"""The Node object: registration, conditions, heartbeat.

Stands in for pkg/kubelet/kubelet_node_status.go, nodestatus/setters.go and the node lease controller.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import platform
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from podwalk import __version__
from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.events import EventRecorder
from podwalk.client.rest import Client

log = logging.getLogger(__name__)

KUBELET_VERSION = "v1.36.2"
RUNTIME_NAME = "podwalk"
KUBELET_PORT = 10250
LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
REPORT_SECONDS = 300.0
_RETRY_SECONDS = 0.05
_MAX_RETRY_SECONDS = 2.0

_NOT_READY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Who this node is."""

    name: str
    ip: str
    role: str
    labels: dict[str, str] = field(default_factory=dict)
    taints: list[Object] = field(default_factory=list)


def architecture() -> str:
    """The machine's architecture as Go names it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def node_labels(settings: NodeSettings) -> dict[str, str]:
    """The labels that a kubelet and kubeadm give a node, and those of the configuration."""
    labels = {
        "beta.kubernetes.io/arch": architecture(),
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture(),
        "kubernetes.io/hostname": settings.name,
        "kubernetes.io/os": "linux",
    }
    if settings.role == "control-plane":
        labels["node-role.kubernetes.io/control-plane"] = ""
        labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
    return {**labels, **settings.labels}


def _os_image() -> str:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return "Linux"
    found = [line.partition("=")[2].strip('"') for line in lines if line.startswith("PRETTY_NAME=")]
    return found[0] if found else "Linux"


def _memory_kib() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1])
    return 0


def capacity() -> dict[str, str]:
    """What the machine has; every node of the cluster claims all of it."""
    disk = os.statvfs("/")
    return {
        "cpu": str(os.cpu_count() or 1),
        "ephemeral-storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{_memory_kib()}Ki",
        "pods": "110",
    }


def node_info(name: str) -> dict[str, str]:
    """``status.nodeInfo``; the identifiers are made from the node's name."""
    digest = hashlib.sha256(name.encode()).digest()
    system = platform.uname()
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot_id = str(uuid.UUID(bytes=digest[16:32]))
    return {
        "architecture": architecture(),
        "bootID": boot_id,
        "containerRuntimeVersion": f"{RUNTIME_NAME}://{__version__}",
        "kernelVersion": system.release,
        "kubeProxyVersion": "",
        "kubeletVersion": KUBELET_VERSION,
        "machineID": digest[:16].hex(),
        "operatingSystem": "linux",
        "osImage": _os_image(),
        "systemUUID": str(uuid.UUID(bytes=digest[:16])),
    }


def conditions(old: list[Object], *, ready: bool) -> list[Object]:
    """The node's conditions; those whose status stays keep their transition time."""
    wanted = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status")
        if ready
        else ("Ready", "False", "KubeletNotReady", _NOT_READY),
    ]
    now = meta.now()
    before = {c["type"]: c for c in old}
    out = []
    for kind, status, reason, message in wanted:
        known = before.get(kind, {})
        changed = known.get("lastTransitionTime") if known.get("status") == status else now
        out.append(
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": now,
                "lastTransitionTime": changed or now,
            }
        )
    return out


class NodeAgent:
    """Registers the Node and keeps it true."""

    def __init__(self, client: Client, settings: NodeSettings, recorder: EventRecorder) -> None:
        self._client = client
        self._settings = settings
        self._recorder = recorder
        self._ready = False
        self._overruled = asyncio.Event()
        self.announced = asyncio.Event()  # the API knows that the node is Ready
        self.allocatable = capacity()
        self.node: Object = {}

    def reference(self) -> Object:
        """The Node as Events name it: its UID there is its name."""
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self._settings.name, "uid": self._settings.name},
        }

    def _status(self) -> Object:
        old = (self.node.get("status") or {}).get("conditions") or []
        return {
            "addresses": [
                {"type": "InternalIP", "address": self._settings.ip},
                {"type": "Hostname", "address": self._settings.name},
            ],
            "allocatable": self.allocatable,
            "capacity": self.allocatable,
            "conditions": conditions(old, ready=self._ready),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
            "nodeInfo": node_info(self._settings.name),
        }

    async def register(self) -> None:
        """Create the Node (or take over the one that is there); retried until the API server answers."""
        self._recorder.event(self.reference(), "Normal", "Starting", "Starting kubelet.")
        wanted: Object = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self._settings.name,
                "labels": node_labels(self._settings),
                "annotations": {
                    "node.alpha.kubernetes.io/ttl": "0",
                    "volumes.kubernetes.io/controller-managed-attach-detach": "true",
                },
            },
            "spec": {"taints": self._settings.taints} if self._settings.taints else {},
        }
        retry = _RETRY_SECONDS
        while True:
            try:
                self.node = await self._create(wanted)
                await self.post()
                break
            except (TimeoutError, ApiError, aiohttp.ClientError, OSError) as error:
                log.info("cannot register the node yet: %s", error)
            await asyncio.sleep(retry)
            retry = min(retry * 2, _MAX_RETRY_SECONDS)
        for reason in ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"):
            self._event(reason)
        self._recorder.event(
            self.reference(), "Normal", "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods"
        )

    def _event(self, reason: str) -> None:
        message = f"Node {self._settings.name} status is now: {reason}"
        self._recorder.event(self.reference(), "Normal", reason, message)

    async def _create(self, wanted: Object) -> Object:
        try:
            return await self._client.create(wanted)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        patch = {"metadata": {"labels": wanted["metadata"]["labels"], "annotations": wanted["metadata"]["annotations"]}}
        return await self._client.patch("Node", self._settings.name, patch)

    async def post(self) -> None:
        """Write the status now. Raises ApiError."""
        self.node = await self._client.patch(
            "Node", self._settings.name, {"status": self._status()}, type="strategic", subresource="status"
        )

    async def network_ready(self, ready: bool) -> None:
        """The CNI is configured, or is no more: the node becomes Ready, or NotReady."""
        self._ready = ready
        retry = _RETRY_SECONDS
        while True:
            try:
                await self.post()
                break
            except (TimeoutError, ApiError, aiohttp.ClientError, OSError) as error:
                log.warning("cannot write the node's status: %s", error)
            await asyncio.sleep(retry)
            retry = min(retry * 2, _MAX_RETRY_SECONDS)
        self._event("NodeReady" if ready else "NodeNotReady")
        if ready:
            self.announced.set()

    def observed(self, node: Object) -> None:
        """What the informer says about our Node; where somebody overruled its Ready, the heartbeat comes at once."""
        self.node = node
        if self._is_overruled():
            self._overruled.set()

    def _is_overruled(self) -> bool:
        return meta.condition_is_true(self.node, "Ready") != self._ready

    async def heartbeat(self) -> None:
        """Renew the Lease every 10 s and the status every 5 minutes, or at once where somebody else changed it."""
        loop = asyncio.get_running_loop()
        reported = loop.time()
        while True:
            started = loop.time()
            try:
                self._overruled.clear()
                await self._renew_lease()
                stale = loop.time() - reported >= REPORT_SECONDS
                if stale or self._is_overruled():
                    await self.post()
                    reported = loop.time()
                wait = RENEW_SECONDS
            except (TimeoutError, ApiError, aiohttp.ClientError, OSError) as error:
                log.debug("heartbeat: %s", error)
                wait = 1.0
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, started + wait - loop.time())):
                    await self._overruled.wait()

    async def _renew_lease(self) -> None:
        name = self._settings.name
        patch = {"spec": {"holderIdentity": name, "renewTime": meta.now_micro(), "leaseDurationSeconds": LEASE_SECONDS}}
        try:
            await self._client.patch("Lease", name, patch, LEASE_NAMESPACE)
            return
        except ApiError as error:
            if error.reason != "NotFound":
                raise
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": meta.uid(self.node)}
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]},
            **patch,
        }
        await self._client.create(lease)
