"""Identities for learners: a ServiceAccount, what it may do in one namespace, and a kubeconfig for it.

Stands in for what an administrator does with ``kubectl create serviceaccount``, ``kubectl create rolebinding`` and
``kubectl create token``.
"""

from __future__ import annotations

from dataclasses import dataclass

from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import by_kind
from podwalk.client.rest import Client
from podwalk.cluster import kubeconfig

_RBAC = "rbac.authorization.k8s.io"
_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Learner:
    """Who somebody is: a ServiceAccount's name, its namespace, and a token that proves it."""

    name: str
    namespace: str
    token: str

    @property
    def user(self) -> str:
        """The name by which the API server knows him."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    def kubeconfig(self, cluster: str, port: int, ca_cert: bytes) -> str:
        """A kubeconfig for a cluster on this machine, whose context stands in his namespace. YAML text."""
        text = kubeconfig.render(cluster, port, ca_cert, self.token)
        return text.replace("\n    namespace: default\n", f"\n    namespace: {self.namespace}\n")


async def admit(client: Client, name: str, namespace: str, *, role: str = "edit", seconds: int = 30 * _DAY) -> Learner:
    """Make a learner who has a ClusterRole (edit, view, admin, …) in one namespace; for one who exists, a new token.

    The namespace is created where it is missing. Raises ApiError.
    """
    await _ensure(client, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    metadata = {"name": name, "namespace": namespace}
    await _ensure(client, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    binding: Object = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{name}-{role}", "namespace": namespace},
        "subjects": [{"kind": "ServiceAccount", **metadata}],
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
    }
    await _ensure(client, binding)
    request: Object = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds},
    }
    path = by_kind("ServiceAccount").path(namespace, name, "token")
    made = await client.request("POST", path, body=request)
    return Learner(name, namespace, made["status"]["token"])


async def _ensure(client: Client, obj: Object) -> None:
    try:
        await client.create(obj)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
