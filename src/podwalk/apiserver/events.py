"""events.k8s.io/v1: the Events of the core group in other words.

The store holds core/v1 Events; what comes in at this group is rewritten before the registry sees it, and what goes
out when it is written. Upstream: pkg/apis/core/v1 and pkg/apis/events/v1 conversion.go.
"""

from __future__ import annotations

from podwalk.api import resources
from podwalk.api.meta import Object
from podwalk.api.resources import EVENTS_V1, Resource
from podwalk.apiserver.store import Stored

_CORE = resources.by_kind("Event")
_NAMES = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_BACK = {core: name for name, core in _NAMES.items()}


def stored_as(resource: Resource) -> Resource:
    """The resource under which the objects of this one are stored."""
    return _CORE if resource == EVENTS_V1 else resource


def to_core(obj: Object) -> Object:
    """An Event of events.k8s.io/v1 as core/v1 writes it."""
    out = {_NAMES.get(name, name): value for name, value in obj.items()}
    return {**out, "kind": _CORE.kind, "apiVersion": _CORE.api_version}


def from_core(obj: Object) -> Object:
    """An Event of core/v1 as events.k8s.io/v1 writes it."""
    out = {_BACK.get(name, name): value for name, value in obj.items()}
    return {**out, "apiVersion": EVENTS_V1.api_version}


def shown_as(resource: Resource, stored: Stored) -> Stored:
    """A stored object as this resource shows it."""
    return Stored(from_core(stored.obj), stored.rv, stored.written) if resource == EVENTS_V1 else stored


def core_field(path: str) -> str:
    """The core name of a field that Events are selected by here: ``regarding.kind`` is ``involvedObject.kind``."""
    head, dot, rest = path.partition(".")
    return f"{_NAMES.get(head, head)}{dot}{rest}"
