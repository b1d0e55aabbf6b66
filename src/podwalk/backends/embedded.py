"""The embedded cluster behind the backend interface: starts its supervisor, finds it again, proves it, ends it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from podwalk.api import meta
from podwalk.api.clusterconfig import ClusterConfig
from podwalk.api.errors import ApiError
from podwalk.backends import proof
from podwalk.backends.base import (
    AlreadyRunningError,
    BackendError,
    ClusterStatus,
    Completed,
    Fact,
    NodeInfo,
    NotFoundError,
    Progress,
    home,
    run_kubectl,
)
from podwalk.client.sync import SyncClient, SyncConfig
from podwalk.cluster.kubeconfig import context_name
from podwalk.cluster.messages import DETACH, Reader
from podwalk.cluster.state import ClusterDir, State, all_dirs
from podwalk.netns import enter

_BOOT_SECONDS = 60.0
_DOWN_SECONDS = 10.0
_PROVE_SECONDS = 45.0
# How long a supervisor may take to follow its sandbox.
_LAST_BREATH = 2.0


class EmbeddedCluster:
    """A running embedded cluster."""

    backend = "embedded"

    def __init__(self, directory: ClusterDir, state: State) -> None:
        self._dir = directory
        self._state = state
        self.name = state.name
        self.context = context_name(state.name)
        self.kubeconfig_path: Path = directory.kubeconfig

    def status(self) -> ClusterStatus:
        """Its status, from the state that its supervisor keeps."""
        state = self._dir.read() or dataclasses.replace(self._state, node_pids={})
        nodes = tuple(
            NodeInfo(name, state.node_roles[name], address, name in state.node_pids)
            for name, address in state.node_addresses.items()
        )
        server = f"https://127.0.0.1:{state.api_port}"
        details = {
            "pid": state.init_pid,
            "started": state.started,
            "log": str(self._dir.log),
            "options": dict(state.options),
        }
        return ClusterStatus(self.name, self.backend, bool(state.node_pids), self.context, server, nodes, details)

    def client(self) -> SyncClient:
        """A client with the kubeconfig's credentials. Raises BackendError where the cluster has no kubeconfig yet."""
        import yaml

        try:
            config = yaml.load(self.kubeconfig_path.read_text(), Loader=yaml.CSafeLoader)
        except OSError as error:
            raise BackendError(
                f"cluster {self.name} has no kubeconfig ({error.strerror}); is it up? podwalk status --name {self.name}"
            ) from None
        return SyncClient(SyncConfig.from_kubeconfig(config))

    def kubectl(self, *args: str, input: str | None = None, timeout: float = 60) -> Completed:
        """Run kubectl against this cluster."""
        return run_kubectl(self.kubeconfig_path, self.context, args, input, timeout)

    def for_labs(self) -> EmbeddedCluster:
        """Itself: the labs have the cluster to themselves."""
        return self

    def shown(self, text: str) -> str:
        """As it is."""
        return text

    def node(self, node: str, argv: Sequence[str], *, capture: bool = True, timeout: float | None = None) -> Completed:
        """Run a command in a node's namespaces."""
        state = self._running()
        return _enter(state, argv, self._pid(state, node), capture, timeout)

    def outside(self, argv: Sequence[str], *, capture: bool = True, timeout: float | None = None) -> Completed:
        """Run a command in the fabric: the host that the nodes are plugged into."""
        return _enter(self._running(), argv, None, capture, timeout)

    def start(self, node: str | None, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command in a node's namespaces (None: in the fabric) with pipes to it."""
        state = self._running()
        return enter.start_in_sandbox(state.init_pid, argv, node_pid=self._pid(state, node) if node else None)

    def down(self) -> None:
        """End the cluster. Raises BackendError where the supervisor does not go."""
        state = self._dir.read()
        if state is not None:
            _terminate(state.supervisor_pid)
            if not self._dir.wait_unlocked(_DOWN_SECONDS):
                raise BackendError(f"cluster {self.name}: its supervisor (pid {state.supervisor_pid}) does not end")
        self._dir.remove()

    def _pid(self, state: State, node: str) -> int:
        if node in state.beside_pids:
            return state.beside_pids[node]
        if node not in state.node_addresses:
            names = ", ".join((*state.node_addresses, *state.beside_pids))
            raise NotFoundError(f"node/{node}: not found in cluster {self.name}; it has: {names}")
        pid = state.node_pids.get(node)
        if pid is None:
            raise BackendError(f"node/{node}: is dead; start over: podwalk down --name {self.name} && podwalk up")
        return pid

    def _running(self) -> State:
        state = self._dir.read()
        if state is None or not state.init_pid:
            raise BackendError(f"cluster {self.name} is not running; start it: podwalk up --name {self.name}")
        return state


def _terminate(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _enter(state: State, argv: Sequence[str], node_pid: int | None, capture: bool, timeout: float | None) -> Completed:
    done = enter.run_in_sandbox(state.init_pid, list(argv), node_pid=node_pid, capture=capture, timeout=timeout)
    return Completed(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


class EmbeddedBackend:
    """Embedded clusters of this user."""

    name = "embedded"

    def find(self, name: str) -> EmbeddedCluster | None:
        """The running (or starting) cluster of this name."""
        directory = ClusterDir(home(), name)
        state = directory.read()
        return EmbeddedCluster(directory, state) if state is not None else None

    def clusters(self) -> list[EmbeddedCluster]:
        """All running clusters."""
        found = ((d, d.read()) for d in all_dirs(home()))
        return [EmbeddedCluster(d, state) for d, state in found if state is not None]

    def up(self, config: ClusterConfig, *, progress: Progress, wait: bool = True) -> EmbeddedCluster:
        """Boot, and prove what a learner relies on. Raises BackendError; then nothing is left behind."""
        boot = _Boot(config, progress)
        try:
            cluster = boot.run()
            if wait:
                _prove(cluster, config, boot)
            boot.detach()
        finally:
            boot.let_go()
        return cluster


class _Boot:
    """Starting one supervisor and listening to it until the API server answers."""

    def __init__(self, config: ClusterConfig, progress: Progress) -> None:
        self.config = config
        self.began = time.monotonic()
        self._progress = progress
        self._dir = ClusterDir(home(), config.name)
        self._lifeline: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.log = self._dir.log

    def fact(self, text: str) -> None:
        """Report a fact with the time since the boot began."""
        self._progress(Fact(text, time.monotonic() - self.began))

    def run(self) -> EmbeddedCluster:
        try:
            self._dir.make()
        except OSError as error:
            raise BackendError(f"{self._dir.path}: {error.strerror}; set PODWALK_HOME to a writable folder") from None
        report_read, report_write = os.pipe()
        lifeline_read, self._lifeline = os.pipe()
        try:
            self._process = self._spawn(report_write, lifeline_read)
        finally:
            os.close(report_write)
            os.close(lifeline_read)
        try:
            with contextlib.closing(_messages(report_read)) as messages:
                self._listen(messages)
        finally:
            os.close(report_read)
        state = self._dir.read()
        if state is None:
            raise self.taken_down()
        return EmbeddedCluster(self._dir, state)

    def detach(self) -> None:
        """Let the cluster outlive us. Raises BackendError where somebody else has ended it meanwhile."""
        assert self._lifeline is not None
        assert self._process is not None
        try:
            os.write(self._lifeline, DETACH)
        except BrokenPipeError:
            raise self.taken_down() from None
        # The supervisor outlives us on purpose; do not let the interpreter warn that we never waited for it.
        self._process.returncode = 0

    def let_go(self) -> None:
        """Close the lifeline. Without `detach` this ends the cluster, as our sudden death would; its log stays."""
        lifeline, self._lifeline = self._lifeline, None
        if lifeline is None:
            return
        os.close(lifeline)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_DOWN_SECONDS)

    def refuse_if_down(self, seconds: float = 0.0) -> None:
        """Raise BackendError where the cluster has ended meanwhile, or does so within ``seconds``."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        if self._process.returncode is None:
            return
        if self._process.returncode in (0, -signal.SIGTERM):
            raise self.taken_down()
        raise BackendError(f"cluster {self.config.name} ended while it was starting; see {self.log}")

    def taken_down(self) -> BackendError:
        """What to say where somebody ended the cluster while we were starting it."""
        return BackendError(
            f"cluster {self.config.name} was taken down while it was starting; start it again: podwalk up"
        )

    def _spawn(self, report_fd: int, lifeline_fd: int) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "podwalk.cluster", str(home()), self.config.name]
        argv += [str(report_fd), str(lifeline_fd)]
        with self._dir.log.open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(report_fd, lifeline_fd),
                start_new_session=True,
            )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(
                json.dumps({"kind": _kind_config(self.config), "options": self.config.options()}).encode()
            )
            process.stdin.close()
        return process

    def _listen(self, messages: Iterator[dict[str, Any]]) -> None:
        """Return when the API server answers and every node has told its pid; they come in any order."""
        failure = None
        missing = {"api-ready", *(n.name for n in self.config.nodes)}
        for message in messages:
            if message["kind"] == "already-running":
                raise AlreadyRunningError(message["message"])
            if message["kind"] == "failed":
                failure = message["message"]
            elif message["kind"] == "node":
                missing.discard(message["name"])
            elif message["kind"] == "api-ready":
                self.fact("the API server answers")
                missing.discard("api-ready")
            if not missing:
                return
        if failure is None:
            self.refuse_if_down(_LAST_BREATH)
        raise BackendError(
            failure or f"cluster {self.config.name} did not answer in {_BOOT_SECONDS:g} s; see {self.log}"
        )


def _messages(fd: int) -> Generator[dict[str, Any]]:
    reader = Reader()
    deadline = time.monotonic() + _BOOT_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                data = os.read(fd, 65536)
                if not data:
                    return
                yield from reader.feed(data)


def _kind_config(config: ClusterConfig) -> dict[str, Any]:
    return {
        "nodes": [{"role": n.role, "labels": dict(n.labels)} for n in config.nodes],
        "networking": {
            "podSubnet": config.pod_subnet,
            "serviceSubnet": config.service_subnet,
            "kubeProxyMode": config.proxy_mode,
            "disableDefaultCNI": not config.default_cni,
            "apiServerPort": config.api_port,
        },
    }


def _prove(cluster: EmbeddedCluster, config: ClusterConfig, boot: _Boot) -> None:
    """Nodes Ready; a name resolved; a Service answered across nodes. Raises BackendError."""
    deadline = boot.began + _PROVE_SECONDS
    if not config.default_cni:
        return
    with ThreadPoolExecutor(len(config.nodes)) as pool:
        try:
            asked = {}
            if config.serves_services:
                asked = {n.name: pool.submit(_ask_dns, cluster, n.name, config, deadline) for n in config.nodes}
            with cluster.client() as client:
                _await(lambda: _ready_nodes(client) == len(config.nodes), deadline, "its nodes are not all Ready", boot)
                boot.fact(f"{len(config.nodes)} nodes Ready")
                if config.services_by_ebpf:
                    boot.fact("no kube-proxy: BPF programs at the Pods' devices serve Services")
                if asked:
                    _prove_dns(client, {node: future.result() for node, future in asked.items()}, config, boot)
        except BaseException as error:
            try:
                if isinstance(error, Exception):
                    boot.refuse_if_down(_LAST_BREATH)
            finally:
                # Ends the questions too, which the pool would otherwise wait for.
                boot.let_go()
            raise


def _prove_dns(client: SyncClient, answers: dict[str, str | None], config: ClusterConfig, boot: _Boot) -> None:
    silent = [node for node, answer in answers.items() if answer != config.api_service_ip]
    if silent:
        raise BackendError(f"the cluster DNS does not answer on {', '.join(silent)}; see {boot.log}")
    boot.fact(f"a name resolved: kubernetes.default.svc.cluster.local is {config.api_service_ip}")
    pods = client.list("Pod", "kube-system", label_selector="k8s-app=kube-dns")
    homes = {p["spec"].get("nodeName") for p in pods if meta.condition_is_true(p, "Ready")}
    others = sorted(set(answers) - homes)
    if others and homes:
        route = f"{others[-1]} → {config.dns_service_ip} → {sorted(homes)[0]}"
        boot.fact(f"a Service answered across nodes: {route}")


def _ask_dns(cluster: EmbeddedCluster, node: str, config: ClusterConfig, deadline: float) -> str | None:
    seconds = max(deadline - time.monotonic(), 1.0)
    # The node has the interpreter where it is, not every way that leads there.
    argv = [os.path.abspath(sys.executable), "-I", "-S", "-c", proof.SCRIPT, config.dns_service_ip]
    argv += ["kubernetes.default.svc.cluster.local", f"{seconds:.1f}"]
    done = cluster.node(node, argv, timeout=seconds + 5)
    try:
        return str(json.loads(done.stdout)["answer"])
    except (ValueError, KeyError):
        return None


def _ready_nodes(client: SyncClient) -> int:
    return sum(meta.condition_is_true(n, "Ready") for n in client.list("Node"))


def _await(holds: Callable[[], bool], deadline: float, complaint: str, boot: _Boot) -> None:
    pause = 0.005
    while True:
        with contextlib.suppress(ApiError, OSError):
            if holds():
                return
        boot.refuse_if_down()
        if time.monotonic() > deadline:
            raise BackendError(f"cluster {boot.config.name}: {complaint}; see {boot.log}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
