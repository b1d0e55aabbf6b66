"""What the asyncio client and the blocking one say alike on the wire."""

from __future__ import annotations

from podwalk.api import resources
from podwalk.api.resources import Resource

# The content types of PATCH.
PATCH_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


def resource_of(kind: str | Resource) -> Resource:
    """The resource of a kind's name, or the resource itself. Raises KeyError where the cluster serves none."""
    return kind if isinstance(kind, Resource) else resources.by_kind(kind)


def selector_params(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    """The query parameters of the selectors that are given."""
    params = {}
    if label_selector:
        params["labelSelector"] = label_selector
    if field_selector:
        params["fieldSelector"] = field_selector
    return params
