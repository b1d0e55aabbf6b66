"""What every loop is given: the client, the shared informers, the event recorders, the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.selectors import Matcher, label_selector
from podwalk.client.events import EventRecorder
from podwalk.client.informer import Informer, InformerFactory
from podwalk.client.reconcile import Reconciler
from podwalk.client.rest import Client
from podwalk.controllers.custom_kinds import CustomKinds


@dataclass(frozen=True, slots=True)
class ManagerConfig:
    """The flags of kube-controller-manager that matter here.

    ``ca_cert`` is the PEM text that goes into ``kube-root-ca.crt``; ``api_address`` is where Pods and nodes reach the
    API server (the endpoint of ``default/kubernetes``). Times are in seconds: how long a node may be silent before it
    is NotReady, how long the Pods of a node that was deleted are kept, and the first back-off of a Job (then doubled).
    ``nodes`` are the names of those that start with the cluster, in its order.
    """

    cluster_cidr: str = "10.244.0.0/16"
    node_cidr_mask: int = 24
    ca_cert: str = ""
    api_address: tuple[str, int] = ("172.18.0.2", 6443)
    api_service_ip: str = "10.96.0.1"
    node_monitor_grace_period: float = 50.0
    node_quarantine: float = 40.0
    job_pod_failure_backoff: float = 10.0
    nodes: tuple[str, ...] = ()


@dataclass(slots=True)
class Context:
    """Shared by all loops of one manager."""

    client: Client
    informers: InformerFactory
    config: ManagerConfig = field(default_factory=ManagerConfig)
    recorders: dict[str, EventRecorder] = field(default_factory=dict)
    custom: CustomKinds = field(init=False)

    def __post_init__(self) -> None:
        self.custom = CustomKinds(self.informers)

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

    def watch_keys(self, *informers: Informer) -> None:
        """Look at an object again whenever it changes."""
        for informer in informers:
            informer.on_change(lambda old, new: self.enqueue(meta.key(new or old or {})))

    def watch_owned(self, informer: Informer, owners: Informer) -> None:
        """Look at an owner again whenever something it controls changes, or an orphan appears that it could adopt."""
        kind = owners.resource.kind

        def changed(old: Object | None, new: Object | None) -> None:
            for obj in (old, new):
                ref = meta.controller_of(obj) if obj is not None else None
                if obj is not None and ref is not None and ref.get("kind") == kind:
                    self.enqueue(meta.make_key(meta.namespace(obj), ref["name"]))
            if new is not None and meta.controller_of(new) is None and not meta.is_deleting(new):
                for owner in owners.in_namespace(meta.namespace(new)):
                    if selector_of(owner)(meta.labels(new)):
                        self.enqueue(meta.key(owner))

        informer.on_change(changed)


def selector_of(owner: Object) -> Matcher:
    """The matcher of a workload's selector: a LabelSelector, or the plain map of a ReplicationController."""
    selector = owner["spec"].get("selector")
    if owner.get("kind") == "ReplicationController":
        return label_selector({"matchLabels": selector} if selector else None)
    return label_selector(selector)


def typed(informer: Informer, obj: Object) -> Object:
    """A shallow copy that carries apiVersion and kind, as references and events need them."""
    return {**obj, "apiVersion": informer.resource.api_version, "kind": informer.resource.kind}
