"""Validation by kind: what the API server refuses, and in which words.

Stands in for pkg/apis/*/validation of kube-apiserver.
"""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation.fields import Cause


def validate(obj: Object, old: Object | None, *, subresource: str = "") -> list[Cause]:
    """What is wrong with an object; empty where nothing is.

    ``old`` is the stored object on an update, None on creation; ``subresource`` is what was written through.
    """
    return []
