"""What kubeadm installs into every cluster after its API answers: the cluster DNS."""

from __future__ import annotations

import asyncio
from importlib import resources
from string import Template

import yaml

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.resources import of
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.cluster import networks
from podwalk.cluster.spec import ClusterSpec
from podwalk.controllers.node_plan import NOT_READY

_MANIFESTS = ("coredns.yaml",)
_FIELD_MANAGER = "kubeadm"


def load(spec: ClusterSpec) -> list[Object]:
    """The add-ons' objects, in the order in which they are applied."""
    objects: list[Object] = networks.objects(spec)
    for name in (*_MANIFESTS, *(("nodelocaldns.yaml",) if spec.config.node_local_dns else ())):
        text = resources.files("podwalk.cluster").joinpath("manifests", name).read_text()
        text = Template(text).safe_substitute(DNS_IP=spec.config.dns_service_ip)
        objects += [o for o in yaml.load_all(text, Loader=yaml.CSafeLoader) if o]
    return objects


async def apply(client: Client, spec: ClusterSpec) -> None:
    """Apply the add-ons server-side. Raises ApiError.

    Pods come when the control plane takes them: it is to be the first node that does, as it is where workers join
    later, and the cluster DNS is to live in the same place after every boot. Without a network that is when a learner
    installs one, and the Pods wait for it.
    """
    for obj in load(spec):
        if obj["kind"] == "Deployment" and spec.config.default_cni:
            await _takes_pods(client, spec.config.control_plane.name)
        await client.patch(
            of(obj), meta.name(obj), obj, meta.namespace(obj), type="apply", field_manager=_FIELD_MANAGER, force=True
        )


async def _takes_pods(client: Client, node: str) -> None:
    """Wait until a node is Ready and the taint that says it is not is gone."""
    ready = asyncio.Event()

    def look(old: Object | None, new: Object | None) -> None:
        taints = {taint["key"] for taint in (new or {}).get("spec", {}).get("taints", ())}
        if new is not None and meta.condition_is_true(new, "Ready") and NOT_READY not in taints:
            ready.set()

    informer = Informer(client, "Node", field_selector=f"metadata.name={node}")
    informer.on_change(look)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(informer.run())
        await ready.wait()
        watching.cancel()
