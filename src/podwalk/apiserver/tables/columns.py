"""The columns of every kind's Table: names, order, priorities and descriptions.

Upstream: the column definitions in pkg/printers/internalversion/printers.go. A description that upstream takes from
an API field's documentation is in ``field_docs.json``, keyed ``Type.field``.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

Definition = dict[str, Any]
Column = tuple[str, str, int, str]  # name, type, priority (1 = only with -o wide), field or free text

_AGE: Column = ("Age", "string", 0, "ObjectMeta.creationTimestamp")
_CONTAINERS: tuple[Column, ...] = (
    ("Containers", "string", 1, "Names of each container in the template."),
    ("Images", "string", 1, "Images referenced by each container in the template."),
)
_NAME: Column = ("Name", "string", 0, "ObjectMeta.name")
_RESTARTS = (
    "The number of times the containers in this pod have been restarted and when the last container in this pod has "
    "restarted."
)
_LIMIT = (
    "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node."
)
_CLASS = "The name of the IngressClass resource that should be used for additional configuration"


def _subjects(binding: str) -> tuple[Column, ...]:
    kinds = ("Users", "Groups", "ServiceAccounts")
    return tuple((kind, "string", 1, f"{kind} in the {binding}") for kind in kinds)


# What a kind without a printer of its own gets (k8s.io/apiserver/pkg/registry/rest/table.go).
_FALLBACK: tuple[Column, ...] = (_NAME, ("Created At", "date", 0, "ObjectMeta.creationTimestamp"))

_COLUMNS: dict[str, tuple[Column, ...]] = {
    "Pod": (
        _NAME,
        ("Ready", "string", 0, "The aggregate readiness state of this pod for accepting traffic."),
        ("Status", "string", 0, "The aggregate status of the containers in this pod."),
        ("Restarts", "string", 0, _RESTARTS),
        _AGE,
        ("IP", "string", 1, "PodStatus.podIP"),
        ("Node", "string", 1, "PodSpec.nodeName"),
        ("Nominated Node", "string", 1, "PodStatus.nominatedNodeName"),
        ("Readiness Gates", "string", 1, "PodSpec.readinessGates"),
    ),
    "Service": (
        _NAME,
        ("Type", "string", 0, "ServiceSpec.type"),
        ("Cluster-IP", "string", 0, "ServiceSpec.clusterIP"),
        ("External-IP", "string", 0, "ServiceSpec.externalIPs"),
        ("Port(s)", "string", 0, "ServiceSpec.ports"),
        _AGE,
        ("Selector", "string", 1, "ServiceSpec.selector"),
    ),
    "Endpoints": (_NAME, ("Endpoints", "string", 0, "Endpoints.subsets"), _AGE),
    "EndpointSlice": (
        _NAME,
        ("AddressType", "string", 0, "EndpointSlice.addressType"),
        ("Ports", "string", 0, "EndpointSlice.ports"),
        ("Endpoints", "string", 0, "EndpointSlice.endpoints"),
        _AGE,
    ),
    "Node": (
        _NAME,
        ("Status", "string", 0, "The status of the node"),
        ("Roles", "string", 0, "The roles of the node"),
        _AGE,
        ("Version", "string", 0, "NodeSystemInfo.kubeletVersion"),
        ("Internal-IP", "string", 1, "NodeStatus.addresses"),
        ("External-IP", "string", 1, "NodeStatus.addresses"),
        ("OS-Image", "string", 1, "NodeSystemInfo.osImage"),
        ("Kernel-Version", "string", 1, "NodeSystemInfo.kernelVersion"),
        ("Container-Runtime", "string", 1, "NodeSystemInfo.containerRuntimeVersion"),
    ),
    "Namespace": (_NAME, ("Status", "string", 0, "The status of the namespace"), _AGE),
    "ConfigMap": (_NAME, ("Data", "string", 0, "ConfigMap.data"), _AGE),
    "Secret": (_NAME, ("Type", "string", 0, "Secret.type"), ("Data", "string", 0, "Secret.data"), _AGE),
    "ServiceAccount": (_NAME, _AGE),
    "Event": (
        ("Last Seen", "string", 0, "Event.lastTimestamp"),
        ("Type", "string", 0, "Event.type"),
        ("Reason", "string", 0, "Event.reason"),
        ("Object", "string", 0, "Event.involvedObject"),
        ("Subobject", "string", 1, "ObjectReference.fieldPath"),
        ("Source", "string", 1, "Event.source"),
        ("Message", "string", 0, "Event.message"),
        ("First Seen", "string", 1, "Event.firstTimestamp"),
        ("Count", "string", 1, "Event.count"),
        ("Name", "string", 1, "ObjectMeta.name"),
    ),
    "Deployment": (
        _NAME,
        ("Ready", "string", 0, "Number of the pod with ready state"),
        ("Up-to-date", "string", 0, "DeploymentStatus.updatedReplicas"),
        ("Available", "string", 0, "DeploymentStatus.availableReplicas"),
        _AGE,
        *_CONTAINERS,
        ("Selector", "string", 1, "DeploymentSpec.selector"),
    ),
    "ReplicaSet": (
        _NAME,
        ("Desired", "integer", 0, "ReplicaSetSpec.replicas"),
        ("Current", "integer", 0, "ReplicaSetStatus.replicas"),
        ("Ready", "integer", 0, "ReplicaSetStatus.readyReplicas"),
        _AGE,
        *_CONTAINERS,
        ("Selector", "string", 1, "ReplicaSetSpec.selector"),
    ),
    "DaemonSet": (
        _NAME,
        ("Desired", "integer", 0, "DaemonSetStatus.desiredNumberScheduled"),
        ("Current", "integer", 0, "DaemonSetStatus.currentNumberScheduled"),
        ("Ready", "integer", 0, "DaemonSetStatus.numberReady"),
        ("Up-to-date", "integer", 0, "DaemonSetStatus.updatedNumberScheduled"),
        ("Available", "integer", 0, "DaemonSetStatus.numberAvailable"),
        ("Node Selector", "string", 0, "PodSpec.nodeSelector"),
        _AGE,
        *_CONTAINERS,
        ("Selector", "string", 1, "DaemonSetSpec.selector"),
    ),
    "Ingress": (
        _NAME,
        ("Class", "string", 0, _CLASS),
        ("Hosts", "string", 0, "Hosts that incoming requests are matched against before the ingress rule"),
        ("Address", "string", 0, "Address is a list containing ingress points for the load-balancer"),
        ("Ports", "string", 0, "Ports of TLS configurations that open"),
        _AGE,
    ),
    "IngressClass": (
        _NAME,
        ("Controller", "string", 0, "Controller that is responsible for handling corresponding Ingress resources"),
        ("Parameters", "string", 0, "A reference to a resource with additional parameters"),
        _AGE,
    ),
    "NetworkPolicy": (_NAME, ("Pod-Selector", "string", 0, "NetworkPolicySpec.podSelector"), _AGE),
    "Lease": (_NAME, ("Holder", "string", 0, "LeaseSpec.holderIdentity"), _AGE),
    "ReplicationController": (
        _NAME,
        ("Desired", "integer", 0, "ReplicationControllerSpec.replicas"),
        ("Current", "integer", 0, "ReplicationControllerStatus.replicas"),
        ("Ready", "integer", 0, "ReplicationControllerStatus.readyReplicas"),
        _AGE,
        *_CONTAINERS,
        ("Selector", "string", 1, "ReplicationControllerSpec.selector"),
    ),
    "StatefulSet": (_NAME, ("Ready", "string", 0, "Number of the pod with ready state"), _AGE, *_CONTAINERS),
    "ControllerRevision": (
        _NAME,
        ("Controller", "string", 0, "Controller of the object"),
        ("Revision", "string", 0, "ControllerRevision.revision"),
        _AGE,
    ),
    "Job": (
        _NAME,
        ("Status", "string", 0, "Status of the job."),
        ("Completions", "string", 0, "JobStatus.succeeded"),
        ("Duration", "string", 0, "Time required to complete the job."),
        _AGE,
        *_CONTAINERS,
        ("Selector", "string", 1, "JobSpec.selector"),
    ),
    "CronJob": (
        _NAME,
        ("Schedule", "string", 0, "CronJobSpec.schedule"),
        ("Timezone", "string", 0, "CronJobSpec.timeZone"),
        ("Suspend", "boolean", 0, "CronJobSpec.suspend"),
        ("Active", "integer", 0, "CronJobStatus.active"),
        ("Last Schedule", "string", 0, "CronJobStatus.lastScheduleTime"),
        _AGE,
        *_CONTAINERS,
        ("Selector", "string", 1, "JobSpec.selector"),
    ),
    "PodDisruptionBudget": (
        _NAME,
        ("Min Available", "string", 0, "The minimum number of pods that must be available."),
        ("Max Unavailable", "string", 0, "The maximum number of pods that may be unavailable."),
        ("Allowed Disruptions", "integer", 0, "Calculated number of pods that may be disrupted at this time."),
        _AGE,
    ),
    "ResourceQuota": (
        _NAME,
        ("Request", "string", 0, "Request represents a minimum amount of cpu/memory that a container may consume."),
        ("Limit", "string", 0, _LIMIT),
        _AGE,
    ),
    "LimitRange": _FALLBACK,
    "PriorityClass": (
        _NAME,
        ("Value", "integer", 0, "PriorityClass.value"),
        ("Global-Default", "boolean", 0, "PriorityClass.globalDefault"),
        _AGE,
        ("PreemptionPolicy", "string", 0, "PriorityClass.preemptionPolicy"),
    ),
    "Role": _FALLBACK,
    "ClusterRole": _FALLBACK,
    "RoleBinding": (_NAME, ("Role", "string", 0, "RoleBinding.roleRef"), _AGE, *_subjects("roleBinding")),
    "ClusterRoleBinding": (
        _NAME,
        ("Role", "string", 0, "ClusterRoleBinding.roleRef"),
        _AGE,
        *_subjects("clusterRoleBinding"),
    ),
    "ServiceCIDR": (_NAME, ("CIDRs", "string", 0, "ServiceCIDRSpec.cidrs"), _AGE),
    "IPAddress": (_NAME, ("ParentRef", "string", 0, "IPAddressSpec.parentRef")),
}


@cache
def _field_docs() -> dict[str, str]:
    text = resources.files(__package__).joinpath("field_docs.json").read_text(encoding="utf-8")
    docs: dict[str, str] = json.loads(text)
    return docs


@cache
def _definitions(kind: str) -> tuple[Definition, ...]:
    docs = _field_docs()
    return tuple(
        {
            "name": name,
            "type": kind_of_cell,
            "format": "name" if name == "Name" else "",
            "description": docs.get(text, text),
            "priority": priority,
        }
        for name, kind_of_cell, priority, text in _COLUMNS.get(kind, _FALLBACK)
    )


def column_definitions(kind: str) -> list[Definition]:
    """The columnDefinitions of a kind's Table; a kind without a printer shows its name and its creation time."""
    return [dict(d) for d in _definitions(kind)]
