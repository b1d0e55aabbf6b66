"""Add-ons of a cluster: the kinds and controllers that a lab asks for, installed once and left there.

What an add-on consists of stands in :mod:`podwalk.cluster.bundles` (definitions) and
:mod:`podwalk.cluster.workloads` (what runs).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.backends.base import Cluster
from podwalk.client.sync import SyncClient
from podwalk.cluster import bundles, workloads
from podwalk.course.objects import WaitError, wait_for

_WAIT_SECONDS = 60


class AddonError(Exception):
    """An add-on is unknown or does not become ready. The message is one line with a cure."""


class UnknownAddonError(AddonError):
    """There is no add-on of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"addon {name}: there is none; known: {', '.join(known())}")


def known() -> list[str]:
    """The names of all add-ons."""
    return list(dict.fromkeys([*bundles.BUNDLES, *workloads.WORKLOADS]))


def missing(client: SyncClient, names: Iterable[str]) -> list[str]:
    """Those of the add-ons that the cluster has not, or not in working order. Raises UnknownAddonError, ApiError."""
    return [name for name in names if not _installed(client, name)]


def install(cluster: Cluster, name: str) -> list[str]:
    """Install an add-on and wait until it is ready; a line for each thing that came. Raises AddonError."""
    workload = workloads.WORKLOADS.get(name)
    bundle = workload.bundle if workload else name
    if not workload and bundle not in bundles.BUNDLES:
        raise UnknownAddonError(name)
    if workload and cluster.backend != "embedded":
        raise AddonError(
            f"addon {name}: its image is podwalk's own and runs on the embedded cluster only; "
            f"install the original: see its project's pages"
        )
    lines = _definitions(cluster, bundle) if bundle else []
    if workload:
        _await_end(cluster, name, workload.namespace)
        available = ("--for=condition=Available", "-n", workload.namespace, f"deployment/{workload.name}")
        _apply(cluster, name, workloads.objects(name), available)
        lines.append(workload.summary)
    return lines


def _installed(client: SyncClient, name: str) -> bool:
    workload = workloads.WORKLOADS.get(name)
    if workload:
        if workload.bundle and not _defined(client, workload.bundle):
            return False  # somebody has taken the kinds away; the program may not even have noticed
        space = client.find("Namespace", workload.namespace)
        if space is None or meta.is_deleting(space):
            return False  # what is still in it is about to go
        found = client.find("Deployment", workload.name, workload.namespace)
        return found is not None and meta.condition_is_true(found, "Available")
    if name not in bundles.BUNDLES:
        raise UnknownAddonError(name)
    return _defined(client, name)


def _defined(client: SyncClient, bundle: str) -> bool:
    crds = (client.find("CustomResourceDefinition", meta.name(crd)) for crd in bundles.definitions(bundle))
    return all(crd is not None and meta.condition_is_true(crd, "Established") for crd in crds)


def _await_end(cluster: Cluster, name: str, namespace: str) -> None:
    """Wait until a namespace that is being deleted is gone: until then nothing can be made in it. Raises AddonError."""
    with cluster.client() as client:

        def ending() -> str:
            found = client.find("Namespace", namespace)
            return f"namespace/{namespace}: is still Terminating" if found and meta.is_deleting(found) else ""

        try:
            wait_for(ending, _WAIT_SECONDS)
        except WaitError as error:
            raise AddonError(f"addon {name}: {error}; look: kubectl describe namespace {namespace}") from None


def _definitions(cluster: Cluster, bundle: str) -> list[str]:
    """Install a bundle of definitions; the kinds that it brings. Raises AddonError."""
    found = bundles.definitions(bundle)
    _apply(
        cluster, bundle, found, ("--for=condition=Established", *(f"crd/{crd['metadata']['name']}" for crd in found))
    )
    return [crd["spec"]["names"]["kind"] for crd in found]


def _apply(cluster: Cluster, name: str, found: list[Object], waits: Sequence[str]) -> None:
    """Apply objects and wait for a condition. Raises AddonError."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": found})
    done = cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)
    if done.ok:
        done = cluster.kubectl("wait", f"--timeout={_WAIT_SECONDS}s", *waits)
    if not done.ok:
        said = done.stderr.strip().splitlines()[-1:] or ["kubectl said nothing"]
        raise AddonError(f"addon {name}: {said[0]}; look: kubectl get pods,crd -A")
