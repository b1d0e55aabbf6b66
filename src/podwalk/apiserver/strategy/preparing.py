"""What the strategies of single kinds do to a new object once it has its uid (PrepareForCreate).

Upstream: pkg/registry/*/strategy.go of kube-apiserver.
"""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.batch_defaults import generate_job_selector


def prepare_create(obj: Object) -> None:
    """Complete, in place, a defaulted new object."""
    if obj.get("kind") == "Job" and obj.get("apiVersion") == "batch/v1":
        generate_job_selector(obj)
