"""The objects that a matrix is about, as the API has them at one moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError
from podwalk.client.sync import SyncClient
from podwalk.matrix.asking import Place
from podwalk.policy import clusterpolicies
from podwalk.policy.model import World, pod_ips

# Where nobody's application lives; named with -n they are asked like any other.
SYSTEM_NAMESPACES = frozenset(
    {"kube-system", "kube-public", "kube-node-lease", "kube-flannel", "metallb-system", "podwalk-control"}
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything in the cluster that policies are about."""

    world: World
    pods: list[Object]

    def asked(self, namespaces: Collection[str], names: Collection[str] = ()) -> tuple[list[Place], list[str]]:
        """The running Pods of these namespaces (none: all but the system's), and notes on those left out."""
        places, notes = [], []
        for pod in sorted(self.pods, key=meta.key):
            namespace = meta.namespace(pod)
            if namespace not in namespaces if namespaces else namespace in SYSTEM_NAMESPACES:
                continue
            if names and meta.key(pod) not in names:
                continue
            phase, ips = (pod.get("status") or {}).get("phase"), pod_ips(pod)
            if phase in ("Succeeded", "Failed"):
                continue
            if phase != "Running" or not ips or meta.is_deleting(pod):
                state = "is being deleted" if meta.is_deleting(pod) else f"is {phase or 'not there yet'}"
                notes.append(f"pod {meta.key(pod)} {state} and was left out")
                continue
            places.append(place_of(pod))
        return places, notes


def place_of(pod: Object) -> Place:
    """Where a Pod's packets leave from; a host-network Pod's leave from its node."""
    node = str(pod["spec"].get("nodeName") or "")
    own = "" if pod["spec"].get("hostNetwork") else meta.key(pod)
    return Place(meta.key(pod), node, own, pod_ips(pod)[0])


def declared_ports(pod: Object) -> list[tuple[int, str]]:
    """The (number, protocol) of a Pod's containerPorts."""
    containers: Iterable[Object] = pod["spec"].get("containers") or ()
    return [
        (int(port["containerPort"]), str(port.get("protocol") or "TCP"))
        for container in containers
        for port in container.get("ports") or ()
    ]


def read(client: SyncClient, namespaces: Collection[str] = ()) -> Facts:
    """Ask the API server. Raises BackendError for a namespace that does not exist."""
    pods = client.list("Pod")
    known = client.list("Namespace")
    missing = set(namespaces) - {meta.name(n) for n in known}
    if missing:
        raise BackendError(f'namespaces "{sorted(missing)[0]}" not found; kubectl get namespaces lists them')
    policies = client.list("NetworkPolicy")
    return Facts(World(pods, known, client.list("Node"), policies, cluster_policies(client)), pods)


def cluster_policies(client: SyncClient) -> list[Object]:
    """The ClusterNetworkPolicies; none where their kind is not installed, or is not the learner's to read."""
    for version in clusterpolicies.VERSIONS:
        try:
            return client.list(clusterpolicies.resource(version))
        except ApiError as error:
            if error.code not in (403, 404):
                raise
    return []
