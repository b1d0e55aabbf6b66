"""metrics.k8s.io: what metrics-server answers, read from the kubelets."""

from __future__ import annotations

from podwalk.api.resources import Resource

_GROUP, _VERSION = "metrics.k8s.io", "v1beta1"
_VERBS = ("get", "list")

NODES = Resource(_GROUP, _VERSION, "NodeMetrics", "nodes", "", False, verbs=_VERBS)
PODS = Resource(_GROUP, _VERSION, "PodMetrics", "pods", "", True, verbs=_VERBS)
RESOURCES: tuple[Resource, ...] = (NODES, PODS)


def by_path(group: str, version: str, plural: str) -> Resource | None:
    """The resource at a URL, or None."""
    return next((r for r in RESOURCES if (r.group, r.version, r.plural) == (group, version, plural)), None)
