"""When the change began that an EndpointSlice shows: endpoints.kubernetes.io/last-change-trigger-time. Pure.

Upstream: k8s.io/endpointslice/util (TriggerTimeTracker).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from podwalk.api import meta
from podwalk.api.meta import Object

ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"


@dataclass
class _Seen:
    service: str = ""
    pods: dict[str, str] = field(default_factory=dict)


class TriggerTimes:
    """Remembers, for each Service, which readiness changes were already counted."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def compute(self, service: Object, pods: Iterable[Object]) -> str | None:
        """The earliest change since the last call, as an RFC 3339 text, or None where nothing new happened."""
        key = meta.key(service)
        before = self._seen.get(key, _Seen())
        now = _Seen(str(service["metadata"].get("creationTimestamp") or ""))
        new = [now.service] if now.service > before.service else []
        for pod in pods:
            ready = meta.condition(pod, "Ready")
            at = str((ready or {}).get("lastTransitionTime") or "")
            if at:
                now.pods[meta.name(pod)] = at
                if at > before.pods.get(meta.name(pod), ""):
                    new.append(at)
        self._seen[key] = now
        return min(new, default=None)

    def forget(self, key: str) -> None:
        """Drop a Service that is gone."""
        self._seen.pop(key, None)
