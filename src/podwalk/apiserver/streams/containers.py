"""Which container of a Pod a request means.

Upstream: streamLocation and LogLocation in pkg/registry/core/pod/strategy.go.
"""

from __future__ import annotations

from podwalk.api import errors, meta
from podwalk.api.meta import Object

_DEFAULT = "kubectl.kubernetes.io/default-container"


def _names(pod: Object, field: str) -> list[str]:
    return [str(c.get("name", "")) for c in (pod.get("spec") or {}).get(field) or ()]


def choose_container(pod: Object, wanted: str) -> str:
    """The container that ``wanted`` names, or the only or annotated one where it is empty.

    Raises ApiError (400) with Kubernetes' text where the name is unknown, or missing and not to be guessed.
    """
    regular, init, ephemeral = (_names(pod, f) for f in ("containers", "initContainers", "ephemeralContainers"))
    if wanted:
        if wanted not in (*regular, *init, *ephemeral):
            raise errors.bad_request(f"container {wanted} is not valid for pod {meta.name(pod)}")
        return wanted
    if len(regular) == 1:
        return regular[0]
    if (annotated := meta.annotations(pod).get(_DEFAULT)) in regular:
        return str(annotated)
    text = f"a container name must be specified for pod {meta.name(pod)}, choose one of: [{' '.join(regular)}]"
    if init:
        text += f" or one of the init containers: [{' '.join(init)}]"
    if ephemeral:
        text += f" or one of the ephemeral containers: [{' '.join(ephemeral)}]"
    raise errors.bad_request(text)
