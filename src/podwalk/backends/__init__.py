"""The backends by name."""

from __future__ import annotations

from podwalk.backends.base import Backend, BackendError, Cluster

NAMES = ("embedded", "kind")


def backend(name: str) -> Backend:
    """The backend of this name; imported only when it is asked for. Raises BackendError."""
    if name == "embedded":
        from podwalk.backends.embedded import EmbeddedBackend

        return EmbeddedBackend()
    if name == "kind":
        from podwalk.backends.kind import KindBackend

        return KindBackend()
    raise BackendError(f"backend {name!r} is unknown; use one of: {', '.join(NAMES)}")


def find(name: str) -> Cluster | None:
    """The running cluster of this name, whatever its backend."""
    for each in NAMES:
        found = backend(each).find(name)
        if found is not None:
            return found
    return None
