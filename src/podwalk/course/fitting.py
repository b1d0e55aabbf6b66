"""Whether a cluster is of the kind that a lab needs, and booting one that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from podwalk import backends
from podwalk.api import clusterconfig
from podwalk.api.clusterconfig import ClusterConfig, ConfigError
from podwalk.backends import kind_networks
from podwalk.backends.base import BackendError, Cluster, Progress
from podwalk.course.catalogue import LabSpec

DEFAULTS: dict[str, Any] = {"cni": "flannel", "proxyMode": "iptables", "networkPolicy": True}
_IN_WORDS = {"cni": "the network plugin", "proxyMode": "kube-proxy's mode", "networkPolicy": "NetworkPolicy"}
_OPTIONS: dict[str, Callable[[Any], str]] = {
    "cni": lambda value: f"--cni {value}",
    "proxyMode": lambda value: f"--proxy-mode {value}",
    "networkPolicy": lambda value: "--network-policy" if value else "--no-network-policy",
}


def wanted(lab: LabSpec, backend: str = "embedded") -> dict[str, Any]:
    """What the lab asks of a cluster; a lab that says nothing runs on one as `podwalk up` makes it."""
    # Where a lab says nothing of the network plugin, another backend's own will do.
    usual = {k: v for k, v in DEFAULTS.items() if backend == "embedded" or k != "cni"}
    return {**usual, **lab.cluster}


def actual(cluster: Cluster) -> dict[str, Any]:
    """What the cluster is. A backend that does not tell is taken as it comes."""
    return dict(cluster.status().details.get("options") or {})


def differences(lab: LabSpec, cluster: Cluster) -> dict[str, tuple[Any, Any]]:
    """Option -> (wanted, actual), where they differ."""
    have, want = actual(cluster), wanted(lab, cluster.backend)
    return {k: (want[k], have[k]) for k in want if k in have and have[k] != want[k]}


def complaint(lab: LabSpec, cluster: Cluster) -> str:
    """One line with the cure where the cluster does not fit; empty where it does."""
    found = differences(lab, cluster)
    if not found:
        return ""
    said = ", ".join(f"{_IN_WORDS[k]} {_spoken(want)}, not {_spoken(have)}" for k, (want, have) in found.items())
    return f"{lab.name} needs {said}; boot such a cluster in the place of this one: podwalk lab start {lab.id} --boot"


def options(lab: LabSpec) -> str:
    """The options of `podwalk up` that make a cluster for the lab."""
    return " ".join(_OPTIONS[k](v) for k, v in lab.cluster.items())


def config(lab: LabSpec, name: str) -> ClusterConfig:
    """The configuration of a cluster for the lab: the usual nodes, with what the lab asks for."""
    return clusterconfig.default(name).with_options(wanted(lab))


def boot(lab: LabSpec, name: str, progress: Progress) -> Cluster:
    """End the cluster of this name, where there is one, and boot one of its backend that fits. Raises BackendError."""
    running = backends.find(name)
    if running is None or running.backend != "kind":
        made_of, backend = config(lab, name), "embedded"
    else:
        made_of, backend = _config_on_kind(lab, name), running.backend
    if running is not None:
        running.down()
    return backends.backend(backend).up(made_of, progress=progress)


def _config_on_kind(lab: LabSpec, name: str) -> ClusterConfig:
    """What kind is to make for the lab. Raises BackendError before anything is ended where kind cannot."""
    try:
        asked = clusterconfig.default(name).with_options(wanted(lab, "kind"), kind_networks.PROFILES)
        return kind_networks.checked(asked)
    except ConfigError as error:
        raise BackendError(f"{lab.name} does not run on kind: {error}") from None


def _spoken(value: Any) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
