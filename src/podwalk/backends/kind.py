"""The real thing: clusters that kind makes of containers, created and deleted through ``pytest_kind.KindCluster``.

The only module that knows pytest_kind, docker and podman. ``pytest_kind`` is imported when a cluster is made or
deleted, so that everything else works without the extra; see docs/decisions/0002-pytest-kind-ng.md. What is kept on
the host is ``$PODWALK_HOME/kind/NAME`` with ``config.yaml`` (what kind was given) and ``kubeconfig`` (mode 0600,
context kind-NAME).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from podwalk.api import clusterconfig, meta
from podwalk.api.clusterconfig import ClusterConfig
from podwalk.api.errors import ApiError
from podwalk.backends.base import (
    BackendError,
    ClusterStatus,
    Completed,
    Fact,
    NodeInfo,
    NotFoundError,
    Progress,
    home,
    run_host,
    run_kubectl,
)
from podwalk.client.sync import SyncClient, SyncConfig

# The pair that was tested together: a kind release names the node images that it can start.
KIND_VERSION = "v0.33.0"
NODE_IMAGE = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"

_ENGINES = ("docker", "podman")
_EMBEDDED = "or leave out --backend kind: the embedded cluster needs no containers"
_ANSWER_SECONDS = 20.0
_PROVE_SECONDS = 180.0


class KindCluster:
    """A cluster made by kind."""

    backend = "kind"

    def __init__(self, directory: Path) -> None:
        self.name = directory.name
        self.context = f"kind-{self.name}"
        self.kubeconfig_path = directory / "kubeconfig"
        self._dir = directory

    def status(self) -> ClusterStatus:
        """Its status, as the container engine tells it; a silent engine is a cluster that does not run."""
        nodes = tuple(_describe(node) for node in self._nodes())
        running = bool(nodes) and all(node.alive for node in nodes)
        details = {"image": NODE_IMAGE, "config": str(self._dir / "config.yaml")}
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

    def node(self, node: str, argv: Sequence[str], *, capture: bool = True, timeout: float | None = None) -> Completed:
        """Run a command in a node's container. Raises NotFoundError."""
        nodes = self._nodes()
        if node not in nodes:
            has = ", ".join(nodes) or "none"
            raise NotFoundError(f"node/{node}: not found in cluster {self.name}; it has: {has}")
        return _run([_engine(), "exec", *_terminal(capture), node, *argv], capture, timeout)

    def outside(self, argv: Sequence[str], *, capture: bool = True, timeout: float | None = None) -> Completed:
        """Run a command in a container on the nodes' network; its image is the nodes' own, so nothing is pulled."""
        network = os.environ.get("KIND_EXPERIMENTAL_DOCKER_NETWORK", "kind")
        options = ["--rm", "--network", network, *_terminal(capture), "--entrypoint", argv[0]]
        return _run([_engine(), "run", *options, NODE_IMAGE, *argv[1:]], capture, timeout)

    def down(self) -> None:
        """Delete the cluster and what is kept of it. Raises BackendError."""
        with _kind_at(self._dir) as made:
            _call(made.delete, "delete")
        shutil.rmtree(self._dir, ignore_errors=True)

    def _nodes(self) -> list[str]:
        done = _kind("get", "nodes", f"--name={self.name}")
        return sorted(done.stdout.split()) if done.ok else []

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
        if not (directory / "config.yaml").exists():
            return None
        existing = _existing()
        if existing is not None and name not in existing:
            shutil.rmtree(directory, ignore_errors=True)  # deleted behind our back
            return None
        return KindCluster(directory)

    def clusters(self) -> list[KindCluster]:
        """All of them."""
        if not _home().is_dir():
            return []
        found = (self.find(entry.name) for entry in sorted(_home().iterdir()) if entry.is_dir())
        return [cluster for cluster in found if cluster is not None]

    def up(self, config: ClusterConfig, *, progress: Progress, wait: bool = True) -> KindCluster:
        """Create a cluster, and (``wait``) see it Ready. Raises BackendError; then nothing is left behind."""
        began = time.monotonic()

        def fact(text: str) -> None:
            progress(Fact(text, time.monotonic() - began))

        _pytest_kind()
        engine = _working_engine()
        _refuse_a_strangers(config.name)
        directory = _home() / config.name
        _write_config(directory, config)
        cluster = KindCluster(directory)
        try:
            with _kind_at(directory) as made:
                _call(lambda: made.create(directory / "config.yaml"), "create")
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)  # kind removes the nodes of a failed start itself
            raise
        cluster.kubeconfig_path.chmod(0o600)
        fact(f"kind made {len(config.nodes)} nodes of {engine} containers")
        if wait:
            try:
                _prove(cluster, config, fact)
            except BaseException:
                cluster.down()
                raise
        return cluster


def _home() -> Path:
    return home() / "kind"


def render(config: ClusterConfig) -> dict[str, Any]:
    """Return kind's configuration file, as data, for what podwalk was asked to build."""
    networking: dict[str, Any] = {
        "podSubnet": config.pod_subnet,
        "serviceSubnet": config.service_subnet,
        "kubeProxyMode": config.proxy_mode,
        "disableDefaultCNI": not config.default_cni,
    }
    if config.api_port:
        networking["apiServerPort"] = config.api_port
    nodes = [{"role": n.role, **({"labels": dict(n.labels)} if n.labels else {})} for n in config.nodes]
    return {"kind": "Cluster", "apiVersion": clusterconfig.API_VERSION, "nodes": nodes, "networking": networking}


def _write_config(directory: Path, config: ClusterConfig) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
        (directory / "config.yaml").write_text(yaml.safe_dump(render(config), sort_keys=False))
    except OSError as error:
        raise BackendError(f"{directory}: {error.strerror}; set PODWALK_HOME to a writable folder") from None


def _pytest_kind() -> Any:
    try:
        return importlib.import_module("pytest_kind")
    except ImportError as error:
        raise BackendError(
            f"the kind backend is not installed ({error}); pip install 'podwalk[kind]', {_EMBEDDED}"
        ) from None


def _engine() -> str:
    """The container engine that kind uses too: the one it is told, else the first that is installed."""
    told = os.environ.get("KIND_EXPERIMENTAL_PROVIDER")
    return told or next((engine for engine in _ENGINES if shutil.which(engine)), "docker")


def _working_engine() -> str:
    engine = _engine()
    done = run_host([engine, "info"], timeout=_ANSWER_SECONDS)
    if done.returncode == 127:
        raise BackendError(
            f"{engine} is not installed; install docker (https://docs.docker.com/engine/install/) or podman, "
            f"{_EMBEDDED}"
        )
    if not done.ok:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise BackendError(f"{engine} does not answer ({reason}); start it, let your user use it, {_EMBEDDED}")
    return engine


def _kind_path() -> Path:
    found = shutil.which("kind")
    return Path(found) if found else home() / "bin" / f"kind-{KIND_VERSION}"


def _kind(*arguments: str) -> Completed:
    with _environment():
        return run_host([str(_kind_path()), *arguments], timeout=_ANSWER_SECONDS)


def _existing() -> list[str] | None:
    """The names of all of kind's clusters; None where kind (or the engine) does not tell."""
    done = _kind("get", "clusters")
    return done.stdout.split() if done.ok else None


def _refuse_a_strangers(name: str) -> None:
    if name in (_existing() or ()) and not (_home() / name / "config.yaml").exists():
        raise BackendError(
            f"kind has a cluster {name} that podwalk did not make; choose another --name, "
            f"or: kind delete cluster --name {name}"
        )


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Tell kind which engine to use (it guesses docker, even where only podman is), pytest_kind what to download."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    release = f"https://github.com/kubernetes-sigs/kind/releases/download/{KIND_VERSION}/kind-linux-{machine}"
    ours = {"KIND_EXPERIMENTAL_PROVIDER": _engine(), "KIND_DOWNLOAD_URL": release}
    added = {name: value for name, value in ours.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _kind_at(directory: Path) -> Iterator[Any]:
    """Yield the ``pytest_kind.KindCluster`` of a directory, with versions and paths of our choice.

    It makes a folder ``.pytest-kind`` where the process stands, hence the change of directory. Its kind, where none is
    on PATH, is downloaded in the version that goes with the node image.
    """
    kind_cluster = _pytest_kind().KindCluster
    kind_path = _kind_path()
    if not kind_path.exists():
        kind_path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(directory), _environment(), _stdout_to_stderr():
        yield kind_cluster(
            directory.name,
            kubeconfig=directory / "kubeconfig",
            image=NODE_IMAGE,
            kind_path=kind_path,
            kubectl_path=Path("kubectl"),  # never run: podwalk calls kubectl itself
        )


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Let kind talk to the person and not into the output of a command that a script reads."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _call(action: Callable[[], object], verb: str) -> None:
    cure = _EMBEDDED if verb == "create" else f"and see whether {_engine()} runs"
    try:
        action()
    except subprocess.CalledProcessError as error:
        raise BackendError(
            f"kind {verb} cluster failed with exit status {error.returncode}; see what it printed above, {cure}"
        ) from None
    except OSError as error:
        raise BackendError(
            f"kind {KIND_VERSION} could not be run or downloaded ({error}); "
            f"install it (https://kind.sigs.k8s.io/docs/user/quick-start/#installation), {_EMBEDDED}"
        ) from None


def _describe(node: str) -> NodeInfo:
    role = "control-plane" if "-control-plane" in node else "worker"
    template = "{{.State.Running}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    done = run_host([_engine(), "inspect", "--format", template, node], timeout=_ANSWER_SECONDS)
    words = done.stdout.split() if done.ok else []
    return NodeInfo(node, role, words[1] if len(words) > 1 else "", words[:1] == ["true"])


def _terminal(capture: bool) -> list[str]:
    if capture:
        return []
    return ["--interactive", "--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else ["--interactive"]


def _run(argv: list[str], capture: bool, timeout: float | None) -> Completed:
    if capture:
        return run_host(argv, timeout=timeout)
    try:
        return Completed(subprocess.run(argv, timeout=timeout, check=False).returncode)
    except subprocess.TimeoutExpired:
        return Completed(124)
    except FileNotFoundError:
        raise BackendError(f"{argv[0]} is not installed; install docker or podman, {_EMBEDDED}") from None


def _prove(cluster: KindCluster, config: ClusterConfig, fact: Callable[[str], None]) -> None:
    """See the API answer, the nodes Ready and the cluster DNS Ready. Raises BackendError."""
    deadline = time.monotonic() + _PROVE_SECONDS
    with cluster.client() as client:
        _await(lambda: bool(client.list("Node")), deadline, "its API server does not answer", cluster)
        fact("the API server answers")
        if not config.default_cni:
            return
        _await(lambda: _ready_nodes(client) == len(config.nodes), deadline, "its nodes are not all Ready", cluster)
        fact(f"{len(config.nodes)} nodes Ready")
        if config.proxy_mode == "none":
            return
        _await(lambda: _dns_ready(client), deadline, "its cluster DNS is not Ready", cluster)
        fact("the cluster DNS is Ready")


def _ready_nodes(client: SyncClient) -> int:
    return sum(meta.condition_is_true(node, "Ready") for node in client.list("Node"))


def _dns_ready(client: SyncClient) -> bool:
    pods = client.list("Pod", "kube-system", label_selector="k8s-app=kube-dns")
    return any(meta.condition_is_true(pod, "Ready") for pod in pods)


def _await(holds: Callable[[], bool], deadline: float, complaint: str, cluster: KindCluster) -> None:
    pause = 0.05
    while True:
        with contextlib.suppress(ApiError, OSError):
            if holds():
                return
        if time.monotonic() > deadline:
            after = f"after {_PROVE_SECONDS:.0f} s"
            raise BackendError(
                f"cluster {cluster.name}: {complaint} {after}; start it with --no-wait and look why, {_EMBEDDED}"
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
