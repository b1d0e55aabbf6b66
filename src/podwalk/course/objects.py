"""Putting a lab's objects into a cluster, waiting for them, and taking them away again."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Callable, Iterable

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.checks.state import Live, State, is_ready
from podwalk.client.sync import SyncClient

FIELD_MANAGER = "podwalk"
_LOOK = 0.03
_LOOK_SLOWLY = 0.25


class WaitError(Exception):
    """Something did not come about in time. The message says what, in one line."""


def wait_for(holds: Callable[[], str], seconds: float) -> None:
    """Look until ``holds`` returns an empty string. Raises WaitError with its last complaint."""
    deadline, pause = time.monotonic() + seconds, _LOOK
    while complaint := holds():
        if time.monotonic() > deadline:
            raise WaitError(complaint)
        time.sleep(pause)
        pause = min(pause * 1.3, _LOOK_SLOWLY)


def apply_all(client: SyncClient, objects: Iterable[Object], seconds: float = 60) -> None:
    """Server-side apply, namespaces first. Raises ApiError, OSError or WaitError."""
    todo = list(objects)
    spaces = [o for o in todo if o["kind"] == "Namespace"]
    for obj in spaces:
        client.apply(obj, field_manager=FIELD_MANAGER)
    # Admission refuses a Pod until its namespace has the ServiceAccount that a controller makes.
    wait_for(lambda: _without_account(client, [meta.name(o) for o in spaces]), seconds)
    for obj in todo:
        if obj["kind"] != "Namespace":
            client.apply(obj, field_manager=FIELD_MANAGER)


def _without_account(client: SyncClient, namespaces: list[str]) -> str:
    missing = [n for n in namespaces if client.find("ServiceAccount", "default", n) is None]
    return f"serviceaccount/default: does not exist in {missing[0]}" if missing else ""


def wait_ready(client: SyncClient, namespaces: Iterable[str], unready: Iterable[str], seconds: float) -> None:
    """Wait until Deployments are rolled out and Pods are Ready, except Pods whose ``ns/name`` matches ``unready``.

    Raises WaitError, which names what is missing.
    """
    state, spaces, excused = State(Live(client)), tuple(namespaces), tuple(unready)
    wait_for(lambda: _missing(state, spaces, excused), seconds)


def _missing(state: State, namespaces: tuple[str, ...], excused: tuple[str, ...]) -> str:
    for namespace in namespaces:
        for deployment in state.objects("Deployment", namespace):
            ref, wanted = f"{namespace}/{meta.name(deployment)}", deployment["spec"].get("replicas", 1)
            have = len(state.pods_of(ref))
            if have != wanted:
                return f"deployment/{meta.name(deployment)}: {have} of {wanted} Pods exist in {namespace}"
        # Looked up after the count above: Pods that came in between would be missed in an older list.
        for pod in state.objects("Pod", namespace):
            ref = meta.key(pod)
            if not is_ready(pod) and not any(fnmatch.fnmatchcase(ref, pattern) for pattern in excused):
                return f"pod/{meta.name(pod)}: is not Ready in {namespace} ({_why(pod)})"
    return ""


def _why(pod: Object) -> str:
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return str(waiting["reason"])
    return str(status.get("phase") or "Pending")


def delete_namespaces(client: SyncClient, namespaces: Iterable[str], seconds: float = 90) -> None:
    """Delete namespaces and all in them without grace, and wait until they are gone.

    The namespace goes first: from then on nothing new is made in it while its Pods are killed. Raises WaitError.
    """
    spaces = [n for n in namespaces if _delete(client, "Namespace", n, None)]
    for namespace in spaces:
        for pod in client.list("Pod", namespace):
            _delete(client, "Pod", meta.name(pod), namespace)

    def left() -> str:
        still = [n for n in spaces if client.find("Namespace", n) is not None]
        return f"namespace/{still[0]}: is still Terminating" if still else ""

    wait_for(left, seconds)


def delete_labelled(client: SyncClient, kinds: Iterable[str], selector: str) -> None:
    """Delete the objects of these kinds without a namespace that carry the label."""
    for kind in kinds:
        for obj in client.list(kind, label_selector=selector):
            _delete(client, kind, meta.name(obj), None)


def _delete(client: SyncClient, kind: str, name: str, namespace: str | None) -> bool:
    try:
        client.delete(kind, name, namespace, grace_period=0 if kind == "Pod" else None)
    except ApiError as error:
        if error.code == 404:
            return False
        # A namespace that is already being deleted answers with a conflict.
        if error.code != 409:
            raise
    return True
