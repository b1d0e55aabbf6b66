"""More network interfaces of a Pod than its own: net1, net2 and so on, as its annotation asks.

Stands in for Multus (k8snetworkplumbingwg/multus-cni, pkg/multus, pkg/k8sclient) and follows the Kubernetes Network
Custom Resource Definition De-facto Standard v1.3. Multus is a CNI plugin before all others; here the kubelet calls the
further plugins itself after the cluster's own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.client.rest import Client

NETWORKS = "k8s.v1.cni.cncf.io/networks"
STATUS = "k8s.v1.cni.cncf.io/network-status"
DEFINITION = Resource(
    "k8s.cni.cncf.io",
    "v1",
    "NetworkAttachmentDefinition",
    "network-attachment-definitions",
    "network-attachment-definition",
)


class AttachmentError(Exception):
    """An attachment cannot be made; the message is Multus's."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One element of the annotation: which definition, and how."""

    namespace: str
    name: str
    interface: str
    ips: tuple[str, ...] = ()
    mac: str = ""
    conflist: dict[str, Any] = field(default_factory=dict)

    @property
    def capability_args(self) -> dict[str, Any]:
        """What the annotation says about addresses, for plugins that declare the capability."""
        given: dict[str, Any] = {"ips": list(self.ips)} if self.ips else {}
        return {**given, "mac": self.mac} if self.mac else given


def requested(pod: Object) -> list[Attachment]:
    """The attachments that a Pod asks for: names with commas, or a JSON list. Raises AttachmentError."""
    text = meta.annotations(pod).get(NETWORKS, "").strip()
    if not text:
        return []
    default = meta.namespace(pod)
    elements = _from_json(text) if text.startswith("[") else [_from_text(part) for part in text.split(",")]
    found = []
    for number, element in enumerate(elements, 1):
        name = str(element.get("name") or "")
        if not name:
            raise AttachmentError("parsePodNetworkAnnotation: network annotation elements need a name")
        found.append(
            Attachment(
                str(element.get("namespace") or default),
                name,
                str(element.get("interface") or f"net{number}"),
                tuple(str(ip) for ip in element.get("ips") or ()),
                str(element.get("mac") or ""),
            )
        )
    return found


def _from_json(text: str) -> list[Object]:
    try:
        elements = json.loads(text)
    except ValueError as error:
        what = "failed to parse pod Network Attachment Selection Annotation JSON format"
        raise AttachmentError(f"parsePodNetworkAnnotation: {what}: {error}") from None
    if not all(isinstance(element, dict) for element in elements):
        raise AttachmentError("parsePodNetworkAnnotation: the JSON format is a list of objects")
    return list(elements)


def _from_text(part: str) -> Object:
    """``namespace/name@interface``, of which only the name must be there."""
    name, _, interface = part.strip().partition("@")
    namespace, slash, rest = name.partition("/")
    if "/" in rest or "@" in interface:
        raise AttachmentError(f"parsePodNetworkObjectName: Invalid network object (failed at '/'): {part.strip()}")
    return {"namespace": namespace if slash else "", "name": rest if slash else name, "interface": interface}


async def resolve(client: Client, wanted: Attachment) -> Attachment:
    """The attachment with the network list of its definition. Raises AttachmentError, and ApiError but NotFound."""
    try:
        found = await client.get(DEFINITION, wanted.name, wanted.namespace)
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        raise AttachmentError(
            f"cannot find a network-attachment-definition ({wanted.name}) in namespace ({wanted.namespace}): "
            f"{error.message}"
        ) from None
    text = (found.get("spec") or {}).get("config") or "{}"
    try:
        conflist = network_list(wanted.name, json.loads(text))
    except (ValueError, AttributeError) as error:
        raise AttachmentError(
            f"failed to parse the config of network-attachment-definition {wanted.namespace}/{wanted.name}: {error}"
        ) from None
    return Attachment(wanted.namespace, wanted.name, wanted.interface, wanted.ips, wanted.mac, conflist)


def network_list(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """A definition's configuration, of one plugin or of a list, as a list. Raises ValueError where it names none."""
    plugins = config.get("plugins") or ([config] if config.get("type") else [])
    if not plugins or not all(isinstance(p, dict) and p.get("type") for p in plugins):
        raise ValueError("it names no plugin type")
    return {"name": config.get("name") or name, "cniVersion": config.get("cniVersion", "1.0.0"), "plugins": plugins}


def status(name: str, interface: str, result: dict[str, Any], *, default: bool = False) -> Object:
    """One element of the status annotation."""
    macs = [i.get("mac", "") for i in result.get("interfaces") or () if i.get("sandbox")]
    found: Object = {
        "name": name,
        "interface": interface,
        "ips": [str(ip["address"]).partition("/")[0] for ip in result.get("ips") or ()],
    }
    if macs and macs[-1]:
        found["mac"] = macs[-1]
    if default:
        found["default"] = True
    return {**found, "dns": result.get("dns") or {}}


async def report(client: Client, pod: Object, elements: list[Object]) -> None:
    """Write the status annotation. Raises ApiError."""
    patch = {"metadata": {"annotations": {STATUS: json.dumps(elements, indent=4)}}}
    await client.patch("Pod", meta.name(pod), patch, meta.namespace(pod))
