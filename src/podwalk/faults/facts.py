"""What the faults and their probes know of the cluster: who is where, under which address."""

from __future__ import annotations

from dataclasses import dataclass, field

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import ClusterStatus
from podwalk.checks.state import is_ready
from podwalk.client.sync import SyncClient

TRAMWAY, STREET = "tramway", "street"
NAMESPACES = (TRAMWAY, STREET)


@dataclass(frozen=True, slots=True)
class PodFact:
    """A running Pod of the application."""

    name: str
    namespace: str
    ip: str
    node: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and addresses at one moment. ``pods``, ``services`` and ``balancers`` go by the application's names.

    ``addresses`` are those of all Pods.
    """

    control_plane: str
    worker: str
    worker2: str
    node_ips: dict[str, str]
    cidrs: dict[str, str]
    pods: dict[str, PodFact] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    balancers: dict[str, str] = field(default_factory=dict)
    addresses: frozenset[str] = frozenset()

    def nobody(self, node: str) -> str:
        """An address of a node's Pods that no Pod has (IPv4), between .200 and .250."""
        net = self.cidrs[node].rpartition(".")[0]
        return next(a for a in (f"{net}.{n}" for n in range(250, 199, -1)) if a not in self.addresses)

    def pod_ip(self, app: str) -> str:
        """The address of the ready Pod of a Deployment; of the documentation's range where there is none."""
        return self.pods[app].ip if app in self.pods else "192.0.2.1"

    def service_ip(self, name: str) -> str:
        """The ClusterIP of a Service; an address of nobody where there is none."""
        return self.services.get(name, "192.0.2.2")

    def balancer_ip(self, name: str) -> str:
        """The address of a load balancer or Gateway; an address of nobody where there is none."""
        return self.balancers.get(name, "192.0.2.3")


def read(client: SyncClient, status: ClusterStatus) -> Facts:
    """Ask the API server. Raises ApiError, OSError, or LookupError where the cluster has fewer than two workers."""
    workers = [n.name for n in status.nodes if n.role == "worker"]
    if len(workers) < 2:
        raise LookupError(f"cluster {status.name} has {len(workers)} worker nodes")
    control_plane = next(n.name for n in status.nodes if n.role != "worker")
    cidrs = {meta.name(n): str(n["spec"].get("podCIDR", "")) for n in client.list("Node")}
    pods: dict[str, PodFact] = {}
    services: dict[str, str] = {}
    for namespace in NAMESPACES:
        for pod in client.list("Pod", namespace):
            if is_ready(pod):
                app = _app(pod)
                pods[app] = PodFact(
                    meta.name(pod), namespace, str(pod["status"]["podIP"]), str(pod["spec"]["nodeName"])
                )
    for namespace in (TRAMWAY, "kube-system"):
        for service in client.list("Service", namespace):
            services[meta.name(service)] = str(service["spec"].get("clusterIP", ""))
    return Facts(
        control_plane,
        workers[0],
        workers[1],
        {n.name: n.address for n in status.nodes},
        cidrs,
        pods,
        services,
        _balancers(client),
        frozenset(str((p.get("status") or {}).get("podIP", "")) for p in client.list("Pod")),
    )


def _app(pod: Object) -> str:
    return meta.name(pod).rsplit("-", 2)[0]


def _balancers(client: SyncClient) -> dict[str, str]:
    """Addresses by name: Services of the application, the Ingress controller as ``ingress``, Gateways."""
    found: dict[str, str] = {}
    for namespace, name, known_as in (
        (TRAMWAY, "front", "front"),
        ("ingress-nginx", "ingress-nginx-controller", "ingress"),
    ):
        service = client.find("Service", name, namespace)
        addresses = ((service or {}).get("status") or {}).get("loadBalancer", {}).get("ingress") or ()
        if addresses:
            found[known_as] = str(addresses[0]["ip"])
    try:
        gateways = client.request("GET", f"/apis/gateway.networking.k8s.io/v1/namespaces/{TRAMWAY}/gateways")["items"]
    except ApiError:
        return found
    for gateway in gateways:
        for address in (gateway.get("status") or {}).get("addresses") or ():
            found[meta.name(gateway)] = str(address["value"])
    return found
