"""managedFields: who owns which field."""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.api.resources import Resource


def track(resource: Resource, old: Object | None, new: Object, manager: str, subresource: str = "") -> None:
    """Note in ``new`` that ``manager`` owns what it changed."""
