"""Differences from recorded answers that are meant. Everything else is a fault."""

from __future__ import annotations

import re
from typing import Any

KNOWN: dict[str, str] = {
    "discovery/api": "the document names the server's own address",
    "discovery/version": "nobody compiled this server: there is no commit and no Go version",
    "discovery/openid": "tokens are signed with a secret of this server: there is no public key to publish",
    "discovery/group-autoscaling": "HorizontalPodAutoscalers are not served",
    "discovery/resources-autoscaling-v1": "HorizontalPodAutoscalers are not served",
    "discovery/resources-autoscaling-v2": "HorizontalPodAutoscalers are not served",
    "discovery/group-node.k8s.io": "RuntimeClasses are not served",
    "discovery/resources-node.k8s.io-v1": "RuntimeClasses are not served",
}
"""Recording -> why we answer otherwise."""

_GROUPS = (
    "admissionregistration.k8s.io", "apiregistration.k8s.io", "autoscaling", "certificates.k8s.io",
    "flowcontrol.apiserver.k8s.io", "node.k8s.io", "resource.k8s.io", "storage.k8s.io",
    "metrics.k8s.io",  # ours: what metrics-server adds to a real cluster
)  # fmt: skip
_RESOURCES = ("bindings", "componentstatuses", "persistentvolumeclaims", "persistentvolumes", "podtemplates")
_SUBRESOURCES = ("resize",)
_PATHS = re.compile(r"^/(\.well-known|openid|flagz|statusz|metrics)\b")


def _served(entry: Any) -> bool:
    """Whether the course serves an entry of a discovery document."""
    if isinstance(entry, str):
        return not _PATHS.match(entry) and not any(entry.startswith(f"/apis/{group}") for group in _GROUPS)
    if not isinstance(entry, dict):
        return True
    name = entry.get("resource") or entry.get("name") or (entry.get("metadata") or {}).get("name") or ""
    plural, _, below = str(name).partition("/")
    if name in _GROUPS or entry.get("subresource") in _SUBRESOURCES or below in _SUBRESOURCES:
        return False
    return plural not in _RESOURCES


def leave_out(name: str, answer: Any) -> Any:
    """A discovery document without what only one of the two servers has."""
    if not name.startswith("discovery/"):
        return answer
    if isinstance(answer, dict):
        return {key: leave_out(name, value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [leave_out(name, entry) for entry in answer if _served(entry)]
    return answer
