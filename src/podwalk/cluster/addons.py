"""What kubeadm installs into every cluster after its API answers: the cluster DNS."""

from __future__ import annotations

from importlib import resources
from string import Template

import yaml

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.resources import of
from podwalk.client.rest import Client
from podwalk.cluster.spec import ClusterSpec

_MANIFESTS = ("coredns.yaml",)
_FIELD_MANAGER = "kubeadm"


def load(spec: ClusterSpec) -> list[Object]:
    """The add-ons' objects, in the order in which they are applied."""
    objects: list[Object] = []
    for name in _MANIFESTS:
        text = resources.files("podwalk.cluster").joinpath("manifests", name).read_text()
        text = Template(text).safe_substitute(DNS_IP=spec.config.dns_service_ip)
        objects += [o for o in yaml.load_all(text, Loader=yaml.CSafeLoader) if o]
    return objects


async def apply(client: Client, spec: ClusterSpec) -> None:
    """Apply the add-ons server-side. Raises ApiError."""
    for obj in load(spec):
        await client.patch(
            of(obj), meta.name(obj), obj, meta.namespace(obj), type="apply", field_manager=_FIELD_MANAGER, force=True
        )
