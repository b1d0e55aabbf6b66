"""The real thing: clusters that kind makes of containers, created and deleted through ``pytest_kind.KindCluster``.

Beside it :mod:`podwalk.backends.kind_program` runs kind, :mod:`podwalk.backends.kind_engine` docker and podman,
:mod:`podwalk.backends.kind_networks` knows what a network plugin takes, and :mod:`podwalk.backends.kind_boot` does what
follows once the nodes are there. What is kept on the host is ``$PODWALK_HOME/kind/NAME`` with ``config.yaml`` (what
kind was given), ``podwalk.json`` (what a lab may ask of it) and ``kubeconfig`` (mode 0600, context kind-NAME).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from podwalk.api import clusterconfig
from podwalk.api.clusterconfig import ClusterConfig, ConfigError
from podwalk.backends import kind_boot, kind_engine, kind_networks, kind_program
from podwalk.backends.base import (
    AlreadyRunningError,
    BackendError,
    ClusterStatus,
    Completed,
    Fact,
    NotFoundError,
    Progress,
    home,
    run_kubectl,
    start_host,
)
from podwalk.backends.kind_networks import NODE_IMAGE
from podwalk.client.sync import SyncClient, SyncConfig

# In a cluster's folder while kind makes it: the process that waits for it.
_MAKING = "making"


class KindCluster:
    """A cluster made by kind."""

    backend = "kind"

    def __init__(self, directory: Path) -> None:
        self.name = directory.name
        self.context = f"kind-{self.name}"
        self.kubeconfig_path = directory / "kubeconfig"
        self.directory = directory

    def status(self) -> ClusterStatus:
        """Its status, as the container engine tells it; a silent engine is a cluster that does not run."""
        nodes = kind_engine.describe(self.node_names())
        running = bool(nodes) and all(node.alive for node in nodes)
        kept = self.kept()
        details = {
            "image": self.image(),
            "config": str(self.directory / "config.yaml"),
            "options": kept.get("options", {}),
        }
        return ClusterStatus(self.name, self.backend, running, self.context, self._server(), nodes, details)

    def client(self) -> SyncClient:
        """A client with the client certificate of the kubeconfig. Raises BackendError."""
        try:
            return SyncClient(SyncConfig.from_kubeconfig(self._kubeconfig()))
        except KeyError as error:
            raise BackendError(f"{self.kubeconfig_path}: has no {error}; {self._again()}") from None

    def kubectl(self, *args: str, input: str | None = None, timeout: float = 60) -> Completed:
        """Run kubectl against this cluster."""
        return run_kubectl(self.kubeconfig_path, self.context, args, input, timeout)

    def for_labs(self) -> KindCluster:
        """Itself: the labs have the cluster to themselves."""
        return self

    def shown(self, text: str) -> str:
        """As it is."""
        return text

    def node(self, node: str, argv: Sequence[str], *, capture: bool = True, timeout: float | None = None) -> Completed:
        """Run a command in a node's container, or beside it from the toolbox. Raises NotFoundError."""
        self._require_node(node)
        kind_engine.have_tools(argv)
        return kind_engine.run(kind_engine.on_node(node, argv, kind_engine.terminal(capture)), capture, timeout)

    def outside(self, argv: Sequence[str], *, capture: bool = True, timeout: float | None = None) -> Completed:
        """Run a command in a container on the nodes' network."""
        kind_engine.have_tools(argv)
        return kind_engine.run(kind_engine.outside(argv, self.image(), kind_engine.terminal(capture)), capture, timeout)

    def start(self, node: str | None, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command in a node's container, or outside, with pipes to it. Raises NotFoundError, BackendError."""
        kind_engine.have_tools(argv)
        if node is None:
            return start_host(kind_engine.outside(argv, self.image(), ["--interactive"]))
        self._require_node(node)
        return start_host(kind_engine.on_node(node, argv, ["--interactive"]))

    def down(self) -> None:
        """Delete the cluster and what is kept of it. Raises BackendError."""
        with kind_program.at(self.directory, self.image()) as made:
            kind_program.call(made.delete, "delete")
        served = self.kept().get("options", {}).get("loadBalancer")
        shutil.rmtree(self.directory, ignore_errors=True)
        if served:
            if not any(each.kept().get("options", {}).get("loadBalancer") for each in _all()):
                kind_engine.end_provider()
            kind_engine.end_balancers(self.name)

    def node_names(self) -> list[str]:
        """The names that kind gives to the nodes of its configuration."""
        try:
            given = yaml.load((self.directory / "config.yaml").read_text(), Loader=yaml.CSafeLoader)
            return [node.name for node in clusterconfig.parse(given, name=self.name, on_kind=True).nodes]
        except (OSError, ConfigError):
            return []

    def kept(self) -> dict[str, Any]:
        """What ``up`` has kept of it: image and options."""
        try:
            found = json.loads((self.directory / "podwalk.json").read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def image(self) -> str:
        """The image of its nodes."""
        return str(self.kept().get("image", NODE_IMAGE))

    def _require_node(self, node: str) -> None:
        nodes = self.node_names()
        if node not in nodes:
            has = ", ".join(nodes) or "none"
            raise NotFoundError(f"node/{node}: not found in cluster {self.name}; it has: {has}")

    def _kubeconfig(self) -> dict[str, Any]:
        try:
            config = yaml.load(self.kubeconfig_path.read_text(), Loader=yaml.CSafeLoader)
        except OSError as error:
            raise BackendError(f"{self.kubeconfig_path}: {error.strerror}; {self._again()}") from None
        return config if isinstance(config, dict) else {}

    def _server(self) -> str:
        try:
            return str(self._kubeconfig()["clusters"][0]["cluster"]["server"])
        except (BackendError, KeyError, IndexError, TypeError):
            return ""

    def _again(self) -> str:
        return f"start over: podwalk down --name {self.name} && podwalk up --backend kind --name {self.name}"


class KindBackend:
    """The clusters that this user made with kind through podwalk; others of kind's are left alone."""

    name = "kind"

    def find(self, name: str) -> KindCluster | None:
        """The cluster of this name. Without a trace of one nothing is run, so this is cheap where kind is not used."""
        directory = _home() / name
        if not (directory / "config.yaml").exists() or _is_being_made(directory):
            return None
        existing = kind_program.existing()
        if existing is not None and name not in existing:
            shutil.rmtree(directory, ignore_errors=True)  # deleted behind our back
            return None
        return KindCluster(directory)

    def clusters(self) -> list[KindCluster]:
        """All of them."""
        found = (self.find(each.name) for each in _all())
        return [cluster for cluster in found if cluster is not None]

    def up(self, config: ClusterConfig, *, progress: Progress, wait: bool = True) -> KindCluster:
        """Create a cluster, and (``wait``) see it Ready; one that runs and was made of the same is taken as it is.

        Raises BackendError; then nothing is left behind. Raises AlreadyRunningError where one of this name is another.
        """
        began = time.monotonic()

        def fact(text: str) -> None:
            progress(Fact(text, time.monotonic() - began))

        try:
            kind_networks.checked(config)
        except ConfigError as error:
            raise BackendError(str(error)) from None
        kind_program.pytest_kind_module()
        engine = kind_engine.working_engine()
        cluster = self.find(config.name)
        if cluster is not None:
            _take_up(cluster, config, fact)
            if wait:
                kind_boot.prove(cluster, config, fact)
            return cluster
        _refuse_a_strangers(config.name)
        cluster = _create(config)
        try:
            fact(f"kind made {len(config.nodes)} nodes of {engine} containers")
            self._furnish(cluster, config, fact)
            if wait:
                kind_boot.prove(cluster, config, fact)
        except BaseException:
            cluster.down()
            raise
        return cluster

    def _furnish(self, cluster: KindCluster, config: ClusterConfig, fact: Callable[[str], None]) -> None:
        with kind_program.at(cluster.directory, cluster.image()) as made:
            kind_boot.load_images(lambda image: kind_program.call(lambda: made.load_docker_image(image), "load"), fact)
        kind_boot.install_network(cluster, config, fact)
        if kind_networks.load_balancer(config):
            kind_boot.start_load_balancers(cluster, fact)


def _create(config: ClusterConfig) -> KindCluster:
    """The cluster as kind makes it. Raises BackendError; then nothing of it is left."""
    directory = _home() / config.name
    _write_config(directory, config)
    cluster = KindCluster(directory)
    making = directory / _MAKING
    try:
        making.write_text(str(os.getpid()))
        with kind_program.at(directory, cluster.image()) as made:
            kind_program.call(lambda: made.create(directory / "config.yaml"), "create")
        cluster.kubeconfig_path.chmod(0o600)
        making.unlink()
    except BaseException as error:
        if not isinstance(error, BackendError):
            with contextlib.suppress(BackendError):
                cluster.down()  # who is interrupted leaves nodes; of a failed start kind removes them itself
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return cluster


def _is_being_made(directory: Path) -> bool:
    """Whether another process makes this cluster: kind does not know of it yet, and its folder must stay."""
    try:
        os.kill(int((directory / _MAKING).read_text()), 0)
    except (OSError, ValueError) as error:
        return isinstance(error, PermissionError)
    return True


def _take_up(cluster: KindCluster, config: ClusterConfig, fact: Callable[[str], None]) -> None:
    """Use a cluster that is there. Raises AlreadyRunningError where it was made of something else, BackendError."""
    try:
        made_of = (cluster.directory / "config.yaml").read_text()
    except OSError as error:
        raise BackendError(f"{cluster.directory}: {error.strerror}; podwalk down --name {cluster.name}") from None
    if made_of != _text(config) or cluster.kept() != _kept(config):
        raise AlreadyRunningError(
            f"cluster {cluster.name} is already running, made of another configuration; end it first: "
            f"podwalk down --name {cluster.name}, or choose another --name"
        )
    still = [node.name for node in cluster.status().nodes if not node.alive]
    if still:
        kind_engine.start_nodes(still)
    if kind_networks.load_balancer(config):
        kind_engine.start_provider()
    fact(f"cluster {cluster.name} is there already" + (f", {len(still)} nodes started again" if still else ""))


def _home() -> Path:
    return home() / "kind"


def _all() -> list[KindCluster]:
    """A cluster for each folder, whether kind still has it or not."""
    if not _home().is_dir():
        return []
    return [KindCluster(entry) for entry in sorted(_home().iterdir()) if (entry / "config.yaml").exists()]


def render(config: ClusterConfig) -> dict[str, Any]:
    """Return kind's configuration file, as data, for what podwalk was asked to build."""
    networking: dict[str, Any] = {
        "podSubnet": config.pod_subnet,
        "serviceSubnet": config.service_subnet,
        "kubeProxyMode": config.proxy_mode,
        "disableDefaultCNI": kind_networks.of(config).name != kind_networks.USUAL,
    }
    if config.api_port:
        networking["apiServerPort"] = config.api_port
    nodes = [{"role": n.role, **({"labels": dict(n.labels)} if n.labels else {}), **n.more} for n in config.nodes]
    return {"kind": "Cluster", "apiVersion": clusterconfig.API_VERSION, "nodes": nodes, "networking": networking}


def _text(config: ClusterConfig) -> str:
    return yaml.safe_dump(render(config), sort_keys=False)


def _kept(config: ClusterConfig) -> dict[str, Any]:
    return {"image": kind_networks.of(config).node_image, "options": kind_networks.options(config)}


def _write_config(directory: Path, config: ClusterConfig) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
        (directory / "config.yaml").write_text(_text(config))
        (directory / "podwalk.json").write_text(json.dumps(_kept(config)))
    except OSError as error:
        raise BackendError(f"{directory}: {error.strerror}; set PODWALK_HOME to a writable folder") from None


def _refuse_a_strangers(name: str) -> None:
    if name in (kind_program.existing() or ()):
        raise BackendError(
            f"kind has a cluster {name} that podwalk did not make; choose another --name, "
            f"or: kind delete cluster --name {name}"
        )
