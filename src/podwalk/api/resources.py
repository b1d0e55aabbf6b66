"""The table of resources that the embedded cluster serves: one place for names, scopes and paths.

Upstream: the discovery documents of kube-apiserver v1.36.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource type. ``plural`` is its path segment; ``subresources`` are served below an object.

    ``custom`` is set inside the API server for the resources of a CustomResourceDefinition (apiserver.crd.kinds).
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = field(default=ALL_VERBS)
    custom: Any = field(default=None, compare=False, repr=False)

    @property
    def api_version(self) -> str:
        """``v1`` or ``group/version``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``plural`` or ``plural.group``, as messages print it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of a collection, an object or its subresource."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name is not None:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


def _core(kind: str, plural: str, *short: str, **more: object) -> Resource:
    return Resource("", "v1", kind, plural, kind.lower(), short_names=short, **more)  # type: ignore[arg-type]


_ALL = ("all",)
_STATUS = ("status",)
_SCALED = ("status", "scale")
_LEASE_GROUP = "coordination.k8s.io"
_NETWORKING = "networking.k8s.io"
_RBAC = "rbac.authorization.k8s.io"

RESOURCES: tuple[Resource, ...] = (
    _core(
        "Namespace",
        "namespaces",
        "ns",
        namespaced=False,
        subresources=("status", "finalize"),
        verbs=tuple(v for v in ALL_VERBS if v != "deletecollection"),
    ),
    _core("Node", "nodes", "no", namespaced=False, subresources=("status", "proxy")),
    _core(
        "Pod",
        "pods",
        "po",
        categories=_ALL,
        subresources=(
            "status",
            "log",
            "exec",
            "attach",
            "portforward",
            "binding",
            "eviction",
            "ephemeralcontainers",
            "proxy",
        ),
    ),
    _core("Service", "services", "svc", categories=_ALL, subresources=("status", "proxy")),
    _core("Endpoints", "endpoints", "ep"),
    _core("ConfigMap", "configmaps", "cm"),
    _core("Secret", "secrets"),
    _core("ServiceAccount", "serviceaccounts", "sa", subresources=("token",)),
    _core("Event", "events", "ev"),
    _core("ReplicationController", "replicationcontrollers", "rc", categories=_ALL, subresources=_SCALED),
    _core("ResourceQuota", "resourcequotas", "quota", subresources=_STATUS),
    _core("LimitRange", "limitranges", "limits"),
    Resource("apps", "v1", "Deployment", "deployments", "deployment", True, ("deploy",), _ALL, _SCALED),
    Resource("apps", "v1", "ReplicaSet", "replicasets", "replicaset", True, ("rs",), _ALL, _SCALED),
    Resource("apps", "v1", "DaemonSet", "daemonsets", "daemonset", True, ("ds",), _ALL, _STATUS),
    Resource("apps", "v1", "StatefulSet", "statefulsets", "statefulset", True, ("sts",), _ALL, _SCALED),
    Resource("apps", "v1", "ControllerRevision", "controllerrevisions", "controllerrevision"),
    Resource("batch", "v1", "Job", "jobs", "job", True, (), _ALL, _STATUS),
    Resource("batch", "v1", "CronJob", "cronjobs", "cronjob", True, ("cj",), _ALL, _STATUS),
    Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice"),
    Resource(_NETWORKING, "v1", "Ingress", "ingresses", "ingress", True, ("ing",), (), _STATUS),
    Resource(_NETWORKING, "v1", "IngressClass", "ingressclasses", "ingressclass", False),
    Resource(_NETWORKING, "v1", "NetworkPolicy", "networkpolicies", "networkpolicy", True, ("netpol",)),
    Resource(_NETWORKING, "v1", "ServiceCIDR", "servicecidrs", "servicecidr", False, (), (), _STATUS),
    Resource(_NETWORKING, "v1", "IPAddress", "ipaddresses", "ipaddress", False, ("ip",)),
    Resource(_LEASE_GROUP, "v1", "Lease", "leases", "lease"),
    Resource(
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        "poddisruptionbudget",
        True,
        ("pdb",),
        (),
        _STATUS,
    ),
    Resource("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "priorityclass", False, ("pc",)),
    Resource(_RBAC, "v1", "Role", "roles", "role"),
    Resource(_RBAC, "v1", "RoleBinding", "rolebindings", "rolebinding"),
    Resource(_RBAC, "v1", "ClusterRole", "clusterroles", "clusterrole", False),
    Resource(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", "clusterrolebinding", False),
    Resource(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "customresourcedefinition",
        False,
        ("crd", "crds"),
        ("api-extensions",),
        _STATUS,
    ),
)

EVENTS_V1 = Resource("events.k8s.io", "v1", "Event", "events", "event", True, ("ev",))
"""The core group's Events in other words: a second way to the same objects, so it is not among RESOURCES."""

_BY_KIND = {r.kind: r for r in RESOURCES}
_BY_PATH = {(r.group, r.version, r.plural): r for r in (*RESOURCES, EVENTS_V1)}


def by_kind(kind: str) -> Resource:
    """The resource of a kind, e.g. ``by_kind("Pod")``. Raises KeyError where the cluster serves none."""
    return _BY_KIND[kind]


def by_path(group: str, version: str, plural: str) -> Resource | None:
    """The resource at a URL, or None."""
    return _BY_PATH.get((group, version, plural))


def of(obj: dict[str, object]) -> Resource:
    """The resource of an object, by its apiVersion and kind. Raises KeyError where the cluster serves none."""
    resource = _BY_KIND[str(obj.get("kind"))]
    if resource.api_version != obj.get("apiVersion"):
        raise KeyError(f"{obj.get('apiVersion')}, Kind={obj.get('kind')}")
    return resource
