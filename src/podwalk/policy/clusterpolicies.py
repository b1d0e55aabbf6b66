"""ClusterNetworkPolicies as long as their CustomResourceDefinition is installed; nothing as long as it is not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from podwalk.api import meta, resources
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.client.informer import Informer
from podwalk.client.rest import Client

GROUP = "policy.networking.k8s.io"
CRD = f"clusternetworkpolicies.{GROUP}"
# Newest first; both have the fields that are enforced.
VERSIONS = ("v1beta1", "v1alpha2")


def resource(version: str) -> Resource:
    """The resource of a version, as its CustomResourceDefinition describes it."""
    return Resource(
        GROUP, version, "ClusterNetworkPolicy", "clusternetworkpolicies", "clusternetworkpolicy", False, ("cnp",)
    )


def served_version(crd: Object | None) -> str | None:
    """The version to read, or None as long as there is none."""
    if crd is None or not meta.condition_is_true(crd, "Established"):
        return None
    served = {v["name"] for v in crd["spec"].get("versions") or () if v.get("served")}
    return next((v for v in VERSIONS if v in served), None)


class ClusterPolicies:
    """The policies of the moment; ``changed`` is called when they change."""

    def __init__(self, client: Client, changed: Callable[[], None]) -> None:
        self._client = client
        self._changed = changed
        self._informer: Informer | None = None
        self._crd: Object | None = None
        self._moved = asyncio.Event()

    def all(self) -> list[Object]:
        """The policies."""
        return list(self._informer.all()) if self._informer else []

    async def run(self) -> None:
        """Follow the definition, and the policies while it is there. Cancel to stop."""
        try:
            resources.by_kind("CustomResourceDefinition")
        except KeyError:
            return
        definitions = Informer(self._client, "CustomResourceDefinition", field_selector=f"metadata.name={CRD}")
        definitions.on_change(self._definition)
        async with asyncio.TaskGroup() as group:
            group.create_task(definitions.run(), name="policy definitions")
            while True:
                version = served_version(self._crd)
                if version is None:
                    await self._moved.wait()
                    self._moved.clear()
                    continue
                await self._follow(version)

    def _definition(self, old: Object | None, new: Object | None) -> None:
        del old
        self._crd = new
        self._moved.set()

    async def _follow(self, version: str) -> None:
        """Keep the policies until their definition goes or serves another version."""
        self._informer = Informer(self._client, resource(version))
        self._informer.on_change(lambda old, new: self._changed())
        task = asyncio.create_task(self._informer.run(), name="policy clusternetworkpolicies")
        try:
            while served_version(self._crd) == version:
                await self._moved.wait()
                self._moved.clear()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._informer = None
            self._changed()
