"""A Pod's sandbox and its network: made, wired by CNI, taken apart.

Stands in for the runtime's RunPodSandbox and StopPodSandbox (containerd's CRI plugin), which call the CNI plugins.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.kubelet import attachments, resolv
from podwalk.kubelet.attachments import Attachment, AttachmentError
from podwalk.kubelet.context import API_ERRORS, NodeContext, cni_configuration
from podwalk.netns import cni, pods
from podwalk.netns.cni import CniError
from podwalk.netns.pods import PodSandbox

log = logging.getLogger(__name__)

NETWORK_NOT_READY = (
    "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)


class SandboxError(Exception):
    """The sandbox could not be made; the message is that of the Event FailedCreatePodSandBox."""


class NetworkNotReadyError(Exception):
    """No CNI configuration yet."""


@dataclass(slots=True)
class Wired:
    """A sandbox with its network; ``conflist`` and ``attached`` are kept for the DEL."""

    sandbox: PodSandbox
    sandbox_id: str
    ips: list[str]
    conflist: dict[str, Any] | None
    attached: list[Attachment] = field(default_factory=list)


def port_mappings(pod: Object) -> list[dict[str, Any]]:
    """The hostPorts of a Pod, as the portmap plugin takes them."""
    containers = [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]
    return [
        {
            "hostPort": int(port["hostPort"]),
            "containerPort": int(port["containerPort"]),
            "protocol": str(port.get("protocol") or "TCP").lower(),
            "hostIP": str(port.get("hostIP") or ""),
        }
        for container in containers
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]


def _arguments(pod: Object, sandbox_id: str) -> dict[str, str]:
    return {
        "IgnoreUnknown": "1",
        "K8S_POD_NAMESPACE": meta.namespace(pod),
        "K8S_POD_NAME": meta.name(pod),
        "K8S_POD_INFRA_CONTAINER_ID": sandbox_id,
        "K8S_POD_UID": meta.uid(pod),
    }


def sysctls(pod: Object) -> dict[str, str]:
    """The sysctls of the Pod's securityContext."""
    listed = (pod["spec"].get("securityContext") or {}).get("sysctls") or ()
    return {str(s["name"]): str(s["value"]) for s in listed}


async def create(context: NodeContext, pod: Object) -> Wired:
    """Make and wire a sandbox. Raises NetworkNotReadyError, SandboxError; nothing is left behind then."""
    host_network = bool(pod["spec"].get("hostNetwork"))
    conflist = None if host_network else cni_configuration()
    if conflist is None and not host_network:
        raise NetworkNotReadyError(NETWORK_NOT_READY)
    sandbox_id = secrets.token_hex(32)
    hostname = context.node_name if host_network else resolv.kernel_hostname(pod, context.cluster_domain)
    try:
        sandbox = pods.create_pod_sandbox(
            uid=meta.uid(pod),
            hostname=hostname,
            host_network=host_network,
            host_ipc=bool(pod["spec"].get("hostIPC")),
            sysctls=sysctls(pod),
        )
    except OSError as error:
        raise SandboxError(f"Failed to create pod sandbox: rpc error: code = Unknown desc = {error}") from error
    if conflist is None:
        return Wired(sandbox, sandbox_id, [context.node_ip], None)
    wired = Wired(sandbox, sandbox_id, [], conflist)
    try:
        async with context.cni_lock:
            result = await cni.add(
                context.reaper,
                conflist,
                container_id=sandbox_id,
                netns_path=sandbox.netns_path,
                args=_arguments(pod, sandbox_id),
                capability_args={"portMappings": mappings} if (mappings := port_mappings(pod)) else None,
            )
        await _attach(context, pod, wired, result.raw)
    except (CniError, AttachmentError, *API_ERRORS) as error:
        await _unwire(context, pod, wired)
        pods.remove_pod_sandbox(sandbox)
        raise SandboxError(
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "
            f'"{sandbox_id}": {error}'
        ) from error
    except BaseException:
        pods.remove_pod_sandbox(sandbox)
        raise
    if context.network_made is not None and result.ips:
        await context.network_made(pod, result.ips[0])
    wired.ips = result.ips
    return wired


async def _attach(context: NodeContext, pod: Object, wired: Wired, own: dict[str, Any]) -> None:
    """Make the further interfaces that the Pod asks for, and say in its annotation what it got."""
    try:
        wanted = attachments.requested(pod)
        if not wanted or wired.conflist is None:
            return
        elements = [attachments.status(str(wired.conflist["name"]), "eth0", own, default=True)]
        for attachment in [await attachments.resolve(context.client, one) for one in wanted]:
            wired.attached.append(attachment)
            async with context.cni_lock:
                result = await cni.add(
                    context.reaper,
                    attachment.conflist,
                    container_id=wired.sandbox_id,
                    netns_path=wired.sandbox.netns_path,
                    ifname=attachment.interface,
                    args=_arguments(pod, wired.sandbox_id),
                    capability_args=attachment.capability_args,
                )
            name = f"{attachment.namespace}/{attachment.name}"
            elements.append(attachments.status(name, attachment.interface, result.raw))
        await attachments.report(context.client, pod, elements)
    except AttachmentError as error:
        who = f"{meta.namespace(pod)}/{meta.name(pod)}/{meta.uid(pod)}"
        raise AttachmentError(
            f'plugin type="multus" name="multus-cni-network" failed (add): Multus: [{who}]: {error}'
        ) from None


async def _detach(context: NodeContext, pod: Object, wired: Wired) -> None:
    for attachment in reversed(wired.attached):
        try:
            async with context.cni_lock:
                await cni.delete(
                    context.reaper,
                    attachment.conflist,
                    container_id=wired.sandbox_id,
                    netns_path=wired.sandbox.netns_path,
                    ifname=attachment.interface,
                    args=_arguments(pod, wired.sandbox_id),
                    capability_args=attachment.capability_args,
                )
        except (CniError, OSError, TimeoutError) as error:
            log.warning("%s: CNI DEL of %s: %s", meta.key(pod), attachment.interface, error)


async def _unwire(context: NodeContext, pod: Object, wired: Wired) -> None:
    if wired.conflist is None:
        return
    await _detach(context, pod, wired)
    try:
        async with context.cni_lock:
            await cni.delete(
                context.reaper,
                wired.conflist,
                container_id=wired.sandbox_id,
                netns_path=wired.sandbox.netns_path,
                args=_arguments(pod, wired.sandbox_id),
                capability_args={"portMappings": mappings} if (mappings := port_mappings(pod)) else None,
            )
    except (CniError, OSError, TimeoutError) as error:
        log.warning("%s: CNI DEL: %s", meta.key(pod), error)


async def remove(context: NodeContext, pod: Object, wired: Wired) -> None:
    """Take the network and the sandbox away; its containers must have been reaped."""
    await _unwire(context, pod, wired)
    pods.remove_pod_sandbox(wired.sandbox)
