"""What a learner made beside a lab, and what stays when the lab goes.

It is theirs, so it is named and not deleted: a policy for the whole cluster, forgotten, would be in the way of the next
lab, and nobody would think of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from podwalk.api import added, meta, resources
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.client.sync import SyncClient

# The field managers under which kubectl writes: kubectl-create, kubectl-client-side-apply, kubectl (server side), …
_KUBECTL = "kubectl"
_NOT_SERVED = (403, 404, 405)


@dataclass(frozen=True, slots=True)
class Leftover:
    """An object that somebody made by kubectl; ``namespace`` is empty where the kind has none."""

    resource: Resource
    name: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.resource.singular}/{self.name}{f' in {self.namespace}' if self.namespace else ''}"

    @property
    def delete(self) -> str:
        """The command that removes it."""
        space = f" -n {self.namespace}" if self.namespace else ""
        return f"kubectl delete{space} {self.resource.singular} {self.name}"


def since(client: SyncClient, began: str, besides: Iterable[str]) -> list[Leftover]:
    """What was made by kubectl since then (ISO 8601) and is still there, outside the namespaces ``besides``.

    What somebody made makes more: of a Deployment its Pods are not listed, nor of a Namespace what is in it. Raises
    ApiError or OSError.
    """
    moment = datetime.fromisoformat(began).astimezone(UTC).replace(microsecond=0)
    ours = set(besides)
    found = []
    for resource in (*resources.RESOURCES, *added.ADDED):
        for obj in _listed(client, resource):
            if meta.namespace(obj) not in ours and not meta.is_deleting(obj) and _by_hand(obj, moment):
                found.append(Leftover(resource, meta.name(obj), meta.namespace(obj)))
    spaces = {f.name for f in found if f.resource.kind == "Namespace"}
    return [f for f in found if f.namespace not in spaces]


def _listed(client: SyncClient, resource: Resource) -> list[Object]:
    try:
        return client.list(resource)
    except ApiError as error:
        if error.code in _NOT_SERVED:
            return []
        raise


def _by_hand(obj: Object, moment: datetime) -> bool:
    metadata = obj["metadata"]
    managers = (str(fields.get("manager")) for fields in metadata.get("managedFields") or ())
    if metadata.get("ownerReferences") or not any(manager.startswith(_KUBECTL) for manager in managers):
        return False
    return meta.parse_time(metadata["creationTimestamp"]) >= moment
