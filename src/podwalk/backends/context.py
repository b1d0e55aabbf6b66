"""A cluster that somebody else runs, by a context of a kubeconfig: for the labs that need no node.

Its owner gives a learner namespaces and an identity (:mod:`podwalk.backends.grants`); with a kubeconfig that may not
give, but was given by ``podwalk kubeconfig``, one joins as that learner. What is kept on this machine is
``$PODWALK_HOME/context/NAME`` with ``state.json`` and ``kubeconfig`` (mode 0600), which is the learner's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from podwalk.api import meta
from podwalk.api.clusterconfig import ClusterConfig
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends import grants
from podwalk.backends.base import (
    AlreadyRunningError,
    BackendError,
    ClusterStatus,
    Completed,
    Fact,
    NodeInfo,
    NoNodesError,
    Progress,
    home,
    run_kubectl,
)
from podwalk.backends.grants import Grant, Owner
from podwalk.backends.names import Names
from podwalk.backends.tenant import TenantClient
from podwalk.client.sync import SyncClient, SyncConfig

_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_INPUT = ("-f", "--filename")


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a joined cluster. ``owner``: kubeconfig and context that gave it; empty where it was given."""

    learner: str
    namespaces: tuple[str, ...]
    server: str
    owner: tuple[str, str] | tuple[()] = ()

    @property
    def grant(self) -> Grant:
        """What the learner has."""
        return Grant(self.learner, Names(f"{self.learner}-", frozenset(self.namespaces)))


class ContextCluster:
    """A joined cluster, of which only the learner's namespaces are seen; :meth:`for_labs` without their prefix."""

    backend = "context"

    def __init__(self, directory: Path, state: State, names: Names | None = None) -> None:
        self.name = directory.name
        self.context = f"podwalk-{self.name}"
        self.kubeconfig_path = directory / "kubeconfig"
        self._dir = directory
        self._state = state
        self._names = names or state.grant.names.as_they_are()

    def for_labs(self) -> ContextCluster:
        """The same cluster, in which Ada's ``ada-bakery`` is called ``bakery``."""
        return ContextCluster(self._dir, self._state, self._state.grant.names)

    def status(self) -> ClusterStatus:
        """Its status, as the API server tells it; one that does not answer is a cluster that does not run."""
        details = {"learner": self._state.learner, "namespaces": sorted(map(self._names.real, self._names.namespaces))}
        try:
            with self.client() as client:
                nodes = tuple(_describe(node) for node in client.list("Node"))
        except (ApiError, OSError, BackendError):
            nodes = ()
        return ClusterStatus(self.name, self.backend, bool(nodes), self.context, self._state.server, nodes, details)

    def client(self) -> SyncClient:
        """A client with the learner's token. Raises BackendError."""
        try:
            config = yaml.load(self.kubeconfig_path.read_text(), Loader=yaml.CSafeLoader)
        except OSError as error:
            raise BackendError(f"{self.kubeconfig_path}: {error.strerror}; {self._again()}") from None
        return TenantClient(SyncConfig.from_kubeconfig(config), self._names)

    def kubectl(self, *args: str, input: str | None = None, timeout: float = 60) -> Completed:
        """Run kubectl as the learner; for labs, namespaces in arguments and in manifests on its input are theirs."""
        done = run_kubectl(self.kubeconfig_path, self.context, self._told(args), self._manifests(args, input), timeout)
        return Completed(done.returncode, self._names.incoming(done.stdout), self._names.incoming(done.stderr))

    def shown(self, text: str) -> str:
        """A text with the namespaces as the learner types them."""
        return self._names.shown(text)

    def node(self, node: str, argv: Sequence[str], *, capture: bool = True, timeout: float | None = None) -> NoReturn:
        """Raises NoNodesError."""
        self._refuse(f"node/{node}")

    def outside(self, argv: Sequence[str], *, capture: bool = True, timeout: float | None = None) -> NoReturn:
        """Raises NoNodesError: the network around them is somebody else's as well."""
        self._refuse("the outside")

    def start(self, node: str | None, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Raises NoNodesError."""
        self._refuse(f"node/{node}" if node else "the outside")

    def down(self) -> None:
        """Leave the cluster: who gave takes it all back, who was given empties what is theirs. Raises BackendError."""
        if self._state.owner:
            Owner(Path(self._state.owner[0]), self._state.owner[1]).remove(self._state.learner)
        else:
            self._empty()
        shutil.rmtree(self._dir, ignore_errors=True)

    def _empty(self) -> None:
        try:
            with self.client() as client:
                for name in sorted(self._names.namespaces):
                    if client.find("Namespace", name) is not None:
                        client.delete("Namespace", name)
        except (ApiError, OSError) as error:
            raise BackendError(f"cluster {self.name}: what you made there could not be removed: {error}") from None

    def _told(self, args: Sequence[str]) -> list[str]:
        """The arguments with real names: the one after -n, and texts that name Services."""
        found = [self._names.addressed(arg) for arg in args]
        for place in range(1, len(args)):
            if args[place - 1] in ("-n", "--namespace"):
                found[place] = self._names.real(args[place])
            elif args[place - 1] == "--":
                break
        return found

    def _manifests(self, args: Sequence[str], text: str | None) -> str | None:
        if text is None or not any(args[i] in _INPUT and args[i + 1 : i + 2] == ("-",) for i in range(len(args))):
            return text
        documents = [self._names.outgoing(d) for d in yaml.load_all(text, Loader=yaml.CSafeLoader) if d is not None]
        return yaml.safe_dump_all(documents)

    def _refuse(self, what: str) -> NoReturn:
        raise NoNodesError(
            f"{what}: cluster {self.name} is somebody else's, only its API is yours; "
            f"on an embedded cluster it works: podwalk up --name mine"
        )

    def _again(self) -> str:
        return f"start over: podwalk down --name {self.name} && podwalk up --backend context --name {self.name}"


@dataclass(frozen=True)
class ContextBackend:
    """The clusters that this user has joined.

    To join one: ``kubeconfig`` (else $KUBECONFIG, else ~/.kube/config) and its ``context`` (else the current one), the
    ``learner``, and the ``namespaces`` that labs will ask for.
    """

    kubeconfig: Path | None = None
    context: str = ""
    learner: str = ""
    namespaces: Collection[str] = ()
    name = "context"

    def find(self, name: str) -> ContextCluster | None:
        """The cluster of this name. Nothing is asked over the network."""
        directory = _home() / name
        try:
            found: dict[str, Any] = json.loads((directory / "state.json").read_text())
        except (OSError, ValueError):
            return None
        state = State(found["learner"], tuple(found["namespaces"]), found["server"], tuple(found["owner"]))
        return ContextCluster(directory, state)

    def clusters(self) -> list[ContextCluster]:
        """All of them."""
        entries = sorted(_home().iterdir()) if _home().is_dir() else []
        return [cluster for entry in entries if (cluster := self.find(entry.name)) is not None]

    def up(self, config: ClusterConfig, *, progress: Progress, wait: bool = True) -> ContextCluster:
        """Join: of the configuration only the name counts. Raises BackendError; then nothing is left behind."""
        began = time.monotonic()

        def fact(text: str) -> None:
            progress(Fact(text, time.monotonic() - began))

        if self.find(config.name) is not None:
            raise AlreadyRunningError(f"cluster {config.name} is already joined; leave it: podwalk down")
        source, context = self._source()
        owner = Owner(source, context)
        entry = owner.cluster()
        fact(f"context {context} leads to {entry['server']}")
        given = _given(source, context)
        if given is None:
            state, token = self._granted(owner, entry, fact)
        else:
            state, token = given
            state = State(state.learner, state.namespaces, entry["server"])
        cluster = _keep(_home() / config.name, state, entry, token)
        try:
            _prove(cluster, state, fact)
        except BaseException:
            cluster.down()
            raise
        return cluster

    def _granted(self, owner: Owner, entry: Object, fact: Any) -> tuple[State, str]:
        learner = grants.check_learner(self.learner)
        if not owner.may_grant():
            raise BackendError(
                f"context {owner.context} may not make namespaces and give rights in them; ask the cluster's owner for "
                f"what these two print: podwalk up --backend context --learner {learner}; podwalk kubeconfig"
            )
        where = (str(owner.kubeconfig), owner.context)
        state = State(learner, tuple(sorted(self.namespaces)), str(entry["server"]), where)
        owner.make(state.grant)
        fact(f"{learner} has {len(self.namespaces)} namespaces that begin with {learner}-")
        return state, owner.token(state.grant)

    def _source(self) -> tuple[Path, str]:
        listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
        source = self.kubeconfig or next(iter(listed), Path.home() / ".kube" / "config")
        config = _kubeconfig(source)
        context = self.context or str(config.get("current-context") or "")
        known = [str(entry.get("name")) for entry in config.get("contexts") or ()]
        if context not in known:
            has = ", ".join(known) or "none"
            raise BackendError(f"{source}: has no context {context or '(and no current one)'}; it has: {has}")
        return source.absolute(), context


def _home() -> Path:
    return home() / "context"


def _kubeconfig(source: Path) -> Object:
    try:
        found = yaml.load(source.read_text(), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise BackendError(f"{source}: {error.strerror}; name one with --kubeconfig") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise BackendError(f"{source}: is no kubeconfig; name one with --kubeconfig")
    return found


def _given(source: Path, context: str) -> tuple[State, str] | None:
    """Whose learner's kubeconfig this is, if it is one that podwalk wrote."""
    config = _kubeconfig(source)
    chosen: Object = next((c["context"] for c in config["contexts"] if c["name"] == context), {})
    for extension in chosen.get("extensions") or ():
        if extension.get("name") == "podwalk":
            said = extension["extension"]
            token = next((u["user"].get("token") for u in config["users"] if u["name"] == chosen["user"]), "")
            return State(said["learner"], tuple(said["namespaces"]), ""), str(token)
    return None


def _keep(directory: Path, state: State, entry: Object, token: str) -> ContextCluster:
    """Write what is to be known later. Raises BackendError."""
    context = f"podwalk-{directory.name}"
    said = {"learner": state.learner, "namespaces": list(state.namespaces)}
    first = state.grant.names.real(min(state.namespaces, default="default"))
    chosen: Object = {"cluster": context, "user": context, "namespace": first}
    chosen["extensions"] = [{"name": "podwalk", "extension": said}]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": entry}],
        "users": [{"name": context, "user": {"token": token}}],
        "contexts": [{"name": context, "context": chosen}],
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
        (directory / "kubeconfig").touch(0o600)
        (directory / "kubeconfig").write_text(yaml.safe_dump(config, sort_keys=False))
        (directory / "state.json").write_text(json.dumps(asdict(state)))
    except OSError as error:
        raise BackendError(f"{directory}: {error.strerror}; set PODWALK_HOME to a writable folder") from None
    return ContextCluster(directory, state)


def _prove(cluster: ContextCluster, state: State, fact: Any) -> None:
    """The API answers to the learner, who may work in what is theirs and not elsewhere. Raises BackendError."""
    try:
        with cluster.client() as client:
            nodes = client.list("Node")
            fact(f"the API server answers to {state.grant.user}: {len(nodes)} nodes")
            mine = state.grant.names.real(min(state.namespaces))
            if not grants.may(client, "create", "pods", mine):
                raise BackendError(f"learner {state.learner} may not make Pods in {mine}; ask the cluster's owner")
            if grants.may(client, "get", "secrets", "kube-system"):
                raise BackendError(f"learner {state.learner} may read Secrets of kube-system, which is too much")
            fact(f"{state.learner} may make Pods in {mine}, and may not read Secrets in kube-system")
    except (ApiError, OSError) as error:
        raise BackendError(f"cluster {cluster.name}: its API server says to the learner: {error}") from None


def _describe(node: Object) -> NodeInfo:
    role = "control-plane" if _CONTROL_PLANE in meta.labels(node) else "worker"
    addresses = (node.get("status") or {}).get("addresses") or ()
    address = next((str(a["address"]) for a in addresses if a.get("type") == "InternalIP"), "")
    return NodeInfo(meta.name(node), role, address, meta.condition_is_true(node, "Ready"))
