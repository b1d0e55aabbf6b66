"""One interface over every kind of cluster; what the labs, the checkers and the CLI may ask of one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from podwalk.api.clusterconfig import ClusterConfig
from podwalk.client.sync import SyncClient


class BackendError(Exception):
    """The machine or the cluster is at fault; the message is one line and ends with a cure."""


class NotFoundError(BackendError):
    """There is no such cluster or node."""


class NoNodesError(BackendError):
    """The nodes are somebody else's: only the API of this cluster can be reached."""


class AlreadyRunningError(BackendError):
    """A cluster of this name runs or starts already."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished command: exit code and what it printed (empty where it had the terminal)."""

    returncode: int
    stdout: str = ""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """Whether it exited with 0."""
        return self.returncode == 0


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A node as `podwalk status` shows it. ``address`` is IPv4."""

    name: str
    role: str
    address: str
    alive: bool


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """What is known of a cluster without asking its API."""

    name: str
    backend: str
    running: bool
    context: str
    server: str
    nodes: tuple[NodeInfo, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for --json."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Fact:
    """One proven fact of a boot: what holds, and after how many seconds since the command began."""

    text: str
    seconds: float


Progress = Callable[[Fact], None]


class Cluster(Protocol):
    """A running cluster."""

    name: str
    backend: str
    context: str
    kubeconfig_path: Path

    def status(self) -> ClusterStatus:
        """Its status."""

    def client(self) -> SyncClient:
        """A fresh client with the learner's credentials; the caller closes it."""

    def kubectl(self, *args: str, input: str | None = None, timeout: float = 60) -> Completed:
        """Run kubectl against this cluster; never raises on a non-zero exit. Raises BackendError without kubectl."""

    def for_labs(self) -> Cluster:
        """The same cluster with namespaces called as labs call them; elsewhere they may have a learner's prefix."""

    def shown(self, text: str) -> str:
        """What a lab says, with the names of namespaces as the learner types them on this cluster."""

    def node(self, node: str, argv: Sequence[str], *, capture: bool = True, timeout: float | None = None) -> Completed:
        """Run a command on a node (capture=False: on the caller's terminal). Raises NotFoundError."""

    def outside(self, argv: Sequence[str], *, capture: bool = True, timeout: float | None = None) -> Completed:
        """Run a command in the world beyond the cluster, on the nodes' network."""

    def start(self, node: str | None, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command on a node (None: outside) with pipes to it; the caller ends it. Raises NotFoundError.

        It ends with the thread that started it at the latest.
        """

    def down(self) -> None:
        """End the cluster and remove what it left on the host."""


class Backend(Protocol):
    """A way to run clusters."""

    name: str

    def up(self, config: ClusterConfig, *, progress: Progress, wait: bool = True) -> Cluster:
        """Start a cluster and (``wait``) prove it. Raises BackendError."""

    def find(self, name: str) -> Cluster | None:
        """The running cluster of this name."""

    def clusters(self) -> Sequence[Cluster]:
        """All running clusters of this backend."""


def home() -> Path:
    """$PODWALK_HOME: where state of clusters and the learner's progress live."""
    chosen = os.environ.get("PODWALK_HOME")
    return Path(chosen) if chosen else Path.home() / ".local" / "share" / "podwalk"


def kubectl_path() -> str:
    """The kubectl to run: $PODWALK_KUBECTL, or the first on PATH. Raises BackendError with the cure."""
    found = os.environ.get("PODWALK_KUBECTL") or shutil.which("kubectl")
    if not found:
        raise BackendError(
            "kubectl is not installed; scripts/get-kubectl puts one into the virtual environment (./start does it too)"
        )
    return found


def run_kubectl(kubeconfig: Path, context: str, args: Sequence[str], input: str | None, timeout: float) -> Completed:
    """Run kubectl with a kubeconfig and context of ours; a timeout is exit code 124."""
    argv = [kubectl_path(), f"--kubeconfig={kubeconfig}", f"--context={context}", *args]
    return run_host(argv, input=input, timeout=timeout)


def start_host(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a command on the host with pipes to it. Raises BackendError where there is no such program."""
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(list(argv), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    except FileNotFoundError:
        raise BackendError(f"{argv[0]} is not installed; podwalk doctor says how to install it") from None


def run_host(argv: Sequence[str], *, input: str | None = None, timeout: float | None = None) -> Completed:
    """Run a command on the host and capture its output; a timeout is exit code 124, a missing program 127."""
    try:
        done = subprocess.run(
            list(argv),
            input=input or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Completed(124, "", f"{argv[0]}: no answer within {timeout:g} s")
    except FileNotFoundError:
        return Completed(127, "", f"{argv[0]}: not found")
    return Completed(done.returncode, done.stdout, done.stderr)
