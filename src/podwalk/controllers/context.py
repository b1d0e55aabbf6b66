"""What every loop is given: the client, the shared informers, the event recorders, the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from podwalk.client.events import EventRecorder
from podwalk.client.informer import Informer, InformerFactory
from podwalk.client.reconcile import Reconciler
from podwalk.client.rest import Client


@dataclass(frozen=True, slots=True)
class ManagerConfig:
    """The flags of kube-controller-manager that matter here.

    ``ca_cert`` is the PEM text that goes into ``kube-root-ca.crt``; ``api_address`` is where Pods and nodes reach the
    API server (the endpoint of ``default/kubernetes``). Times are in seconds.
    """

    cluster_cidr: str = "10.244.0.0/16"
    node_cidr_mask: int = 24
    ca_cert: str = ""
    api_address: tuple[str, int] = ("172.18.0.2", 6443)
    api_service_ip: str = "10.96.0.1"
    node_monitor_grace_period: float = 40.0


@dataclass(slots=True)
class Context:
    """Shared by all loops of one manager."""

    client: Client
    informers: InformerFactory
    config: ManagerConfig = field(default_factory=ManagerConfig)
    recorders: dict[str, EventRecorder] = field(default_factory=dict)

    def recorder(self, component: str) -> EventRecorder:
        """The recorder that signs events as ``component``."""
        if component not in self.recorders:
            self.recorders[component] = EventRecorder(self.client, component)
        return self.recorders[component]


class Controller(Reconciler):
    """A loop: a reconciler of keys with a client and shared informers."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self.client = context.client

    def informer(self, kind: str) -> Informer:
        """The shared informer of a kind."""
        return self.context.informers.informer(kind)
