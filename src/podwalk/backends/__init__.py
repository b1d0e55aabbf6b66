"""The backends by name."""

from __future__ import annotations

import sys

from podwalk.backends.base import Backend, BackendError, Cluster

NAMES = ("embedded", "kind", "context")


def backend(name: str) -> Backend:
    """The backend of this name; imported only when it is asked for. Raises BackendError."""
    if name == "embedded":
        if sys.platform != "linux":
            raise BackendError("the embedded cluster needs Linux; podwalk doctor says how to get one here")
        from podwalk.backends.embedded import EmbeddedBackend

        return EmbeddedBackend()
    if name == "kind":
        from podwalk.backends.kind import KindBackend

        return KindBackend()
    if name == "context":
        from podwalk.backends.context import ContextBackend

        return ContextBackend()
    raise BackendError(f"backend {name!r} is unknown; use one of: {', '.join(NAMES)}")


def find(name: str) -> Cluster | None:
    """The running cluster of this name, whatever its backend."""
    for each in NAMES:
        found = backend(each).find(name)
        if found is not None:
            return found
    return None
