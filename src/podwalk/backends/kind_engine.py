"""The container engine under kind, docker or podman: nodes and their tools, the outside, the load balancers' program.

Only :mod:`podwalk.backends.kind` uses this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from podwalk.backends.base import BackendError, Completed, NodeInfo, run_host

EMBEDDED = "or leave out --backend kind: the embedded cluster needs no containers"
ANSWER_SECONDS = 20.0
# The pinned image of cloud-provider-kind, and the one container of it that serves all clusters of this machine.
PROVIDER_IMAGE = "registry.k8s.io/cloud-provider-kind/cloud-controller-manager:v0.11.1"
PROVIDER = "podwalk-cloud-provider-kind"
# Upstream: cloud-provider-kind/pkg/constants/constants.go, NodeCCMLabelKey.
_BALANCER_OF = "io.x-k8s.cloud-provider-kind.cluster"
# What kind's node image has not, comes from a toolbox container in the node's namespaces.
TOOLBOX_IMAGE = "docker.io/nicolaka/netshoot:v0.15"
_DNS_TOOLS = ("dig", "drill", "host", "nslookup")
_PATH_TOOLS = ("arping", "fping", "mtr", "ping", "tcptraceroute", "traceroute", "tracepath")
_WATCHING_TOOLS = ("ngrep", "tcpdump", "termshark", "tshark")
TOOLBOX = frozenset([*_DNS_TOOLS, *_PATH_TOOLS, *_WATCHING_TOOLS, "iperf3", "nc", "nmap", "nping", "python3"])
_WRAPPERS = ("timeout", "nice", "stdbuf")
_ENGINES = ("docker", "podman")
# Long enough for an image to be pulled.
_START_SECONDS = 300.0


def engine() -> str:
    """The container engine that kind uses too: the one it is told, else the first that is installed."""
    told = os.environ.get("KIND_EXPERIMENTAL_PROVIDER")
    return told or next((each for each in _ENGINES if shutil.which(each)), "docker")


def working_engine() -> str:
    """The engine, which answers. Raises BackendError."""
    name = engine()
    done = run_host([name, "info"], timeout=ANSWER_SECONDS)
    if done.returncode == 127:
        raise BackendError(
            f"{name} is not installed; install docker (https://docs.docker.com/engine/install/) or podman, {EMBEDDED}"
        )
    if not done.ok:
        raise BackendError(f"{name} does not answer ({last_words(done)}); start it, let your user use it, {EMBEDDED}")
    return name


def last_words(done: Completed) -> str:
    """The last line of what a command complained."""
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def describe(nodes: Sequence[str]) -> tuple[NodeInfo, ...]:
    """The nodes as the engine knows them; one that it does not know is not alive."""
    template = "{{.Name}} {{.State.Running}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    done = run_host([engine(), "inspect", "--format", template, *nodes], timeout=ANSWER_SECONDS)
    known = {words[0].lstrip("/"): words[1:] for words in map(str.split, done.stdout.splitlines()) if words}
    return tuple(_info(node, known.get(node, [])) for node in nodes)


def _info(node: str, words: list[str]) -> NodeInfo:
    role = "control-plane" if "-control-plane" in node else "worker"
    return NodeInfo(node, role, words[1] if len(words) > 1 else "", words[:1] == ["true"])


def start_nodes(nodes: Sequence[str]) -> None:
    """Start containers that stand still, as after a restart of the machine. Raises BackendError."""
    done = run_host([engine(), "start", *nodes], timeout=_START_SECONDS)
    if not done.ok:
        raise BackendError(f"node/{nodes[0]}: {engine()} does not start it ({last_words(done)}); podwalk down ends it")


def needs_toolbox(argv: Sequence[str]) -> bool:
    """Whether a command is one of the toolbox's: ``tcpdump …``, or ``timeout 5 tcpdump …``."""
    before = 3 if argv[0] in _WRAPPERS else 1
    return any(word in TOOLBOX for word in argv[:before])


def on_node(node: str, argv: Sequence[str], terminal: Sequence[str] = ()) -> list[str]:
    """The command line that runs a command on a node: in its container, or beside it from the toolbox."""
    if not needs_toolbox(argv):
        return [engine(), "exec", *terminal, node, *argv]
    # Its network and its processes, so that what Pods do on the node is seen too.
    return _run(["--privileged", "--network", f"container:{node}", "--pid", f"container:{node}"], terminal, argv)


def outside(argv: Sequence[str], node_image: str, terminal: Sequence[str] = ()) -> list[str]:
    """The command line that runs a command on the nodes' network; the image is the nodes' own, which is there."""
    network = os.environ.get("KIND_EXPERIMENTAL_DOCKER_NETWORK", "kind")
    image = TOOLBOX_IMAGE if needs_toolbox(argv) else node_image
    return _run(["--network", network], terminal, argv, image)


def _run(options: list[str], terminal: Sequence[str], argv: Sequence[str], image: str = TOOLBOX_IMAGE) -> list[str]:
    return [engine(), "run", "--rm", *options, *terminal, "--entrypoint", argv[0], image, *argv[1:]]


def terminal(capture: bool) -> list[str]:
    """The engine's options for a command that has the caller's terminal."""
    if capture:
        return []
    return ["--interactive", "--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else ["--interactive"]


def run(argv: list[str], capture: bool, timeout: float | None) -> Completed:
    """Run one of these command lines. Raises BackendError where the engine is not installed."""
    if capture:
        return run_host(argv, timeout=timeout)
    try:
        return Completed(subprocess.run(argv, timeout=timeout, check=False).returncode)
    except subprocess.TimeoutExpired:
        return Completed(124)
    except FileNotFoundError:
        raise BackendError(f"{argv[0]} is not installed; install docker or podman, {EMBEDDED}") from None


def have_tools(argv: Sequence[str]) -> None:
    """Pull the toolbox where a command needs it, before anybody waits for an answer. Raises BackendError."""
    if not needs_toolbox(argv) or has_image(TOOLBOX_IMAGE):
        return
    done = run_host([engine(), "pull", "--quiet", TOOLBOX_IMAGE], timeout=_START_SECONDS)
    if not done.ok:
        raise BackendError(
            f"{argv[0]}: kind's node image has none, and the toolbox {TOOLBOX_IMAGE} cannot be pulled "
            f"({last_words(done)}); see whether {engine()} reaches its registry"
        )


def has_image(image: str) -> bool:
    """Whether the engine has an image already."""
    return run_host([engine(), "image", "inspect", image], timeout=ANSWER_SECONDS).ok


def start_provider() -> None:
    """See that cloud-provider-kind runs; a second call finds it running. Raises BackendError."""
    found = run_host([engine(), "inspect", "--format", "{{.State.Running}}", PROVIDER], timeout=ANSWER_SECONDS)
    if found.stdout.strip() == "true":
        return
    end_provider()
    network = os.environ.get("KIND_EXPERIMENTAL_DOCKER_NETWORK", "kind")
    socket = _socket()
    options = ["--detach", "--name", PROVIDER, "--network", network, "--volume", f"{socket}:/var/run/docker.sock"]
    done = run_host([engine(), "run", *options, PROVIDER_IMAGE], timeout=_START_SECONDS)
    if not done.ok:
        raise BackendError(
            f"cloud-provider-kind does not start ({last_words(done)}); leave out --load-balancer, or see whether "
            f"{engine()} can pull {PROVIDER_IMAGE}"
        )


def _socket() -> str:
    """The engine's own socket, which cloud-provider-kind makes the load balancers with. Raises BackendError."""
    name = engine()
    if name != "docker":
        raise BackendError(f"cloud-provider-kind is run with docker only, not with {name}; leave out --load-balancer")
    told = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not told.startswith("unix://"):
        raise BackendError(f"DOCKER_HOST {told}: is no socket of this machine; leave out --load-balancer")
    return told.removeprefix("unix://")


def end_balancers(cluster: str) -> None:
    """Remove the containers that cloud-provider-kind has made for a cluster, which would outlive the cluster."""
    label = f"label={_BALANCER_OF}={cluster}"
    listed = run_host([engine(), "ps", "--all", "--quiet", "--filter", label], timeout=ANSWER_SECONDS)
    if listed.ok and listed.stdout.split():
        run_host([engine(), "rm", "--force", *listed.stdout.split()], timeout=_START_SECONDS)


def end_provider() -> None:
    """Remove cloud-provider-kind's container; harmless where there is none."""
    run_host([engine(), "rm", "--force", PROVIDER], timeout=ANSWER_SECONDS)
