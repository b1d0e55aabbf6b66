"""What differs between resources in how they are stored: one table instead of one strategy class each.

Upstream: pkg/registry/*/strategy.go of kube-apiserver.
"""

from __future__ import annotations

from podwalk.api.resources import Resource

CRD_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"

_GENERATION = frozenset(
    {
        "Pod", "Deployment", "ReplicaSet", "DaemonSet", "EndpointSlice", "Ingress", "IngressClass", "NetworkPolicy",
        "ReplicationController", "StatefulSet", "Job", "CronJob", "PodDisruptionBudget", "PriorityClass",
    }
)  # fmt: skip
_CREATE_ON_UPDATE = frozenset(
    {
        "Service", "Endpoints", "Event", "Lease", "LimitRange", "Role", "RoleBinding", "ClusterRole",
        "ClusterRoleBinding",
    }
)  # fmt: skip
_RETURNS_DELETED = frozenset({"Pod", "Service", "ServiceAccount", "ResourceQuota"})
_UPDATE_NEEDS_VERSION = frozenset({"Lease", "PodDisruptionBudget"})
_STATUS_KEEPS_LABELS = frozenset({"Deployment", "ReplicaSet", "DaemonSet"})


def has_generation(resource: Resource) -> bool:
    """Whether metadata.generation counts the changes of the spec."""
    return resource.custom is not None or resource.kind in _GENERATION


def create_on_update(resource: Resource) -> bool:
    """Whether a PUT of an object that does not exist creates it (AllowCreateOnUpdate)."""
    return resource.custom is None and resource.kind in _CREATE_ON_UPDATE


def returns_deleted(resource: Resource) -> bool:
    """Whether DELETE answers with the object rather than a Status (ReturnDeletedObject)."""
    return resource.custom is None and resource.kind in _RETURNS_DELETED


def update_needs_version(resource: Resource) -> bool:
    """Whether a PUT must carry a resourceVersion (not AllowUnconditionalUpdate)."""
    return resource.custom is not None or resource.kind in _UPDATE_NEEDS_VERSION


def status_keeps_labels(resource: Resource) -> bool:
    """Whether a write to /status leaves the labels as they are."""
    return resource.kind in _STATUS_KEEPS_LABELS


def has_status(resource: Resource) -> bool:
    """Whether the status is written through its own subresource."""
    return "status" in resource.subresources


def clears_status(resource: Resource) -> bool:
    """Whether a status sent on creation is dropped; a Node may bring its own."""
    return has_status(resource) and resource.kind != "Node"
