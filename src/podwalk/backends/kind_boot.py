"""What follows once kind has made the nodes: images, the network plugin, load balancers, and the proof."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from podwalk.api import meta
from podwalk.api.clusterconfig import ClusterConfig
from podwalk.api.errors import ApiError
from podwalk.backends import kind_engine, kind_networks
from podwalk.backends.base import BackendError, Cluster, run_host
from podwalk.backends.kind_networks import Chart, Network
from podwalk.client.sync import SyncClient

# What the labs run. An image that the engine has is copied to the nodes once; any other is pulled by each node.
LAB_IMAGES = ("registry.k8s.io/e2e-test-images/agnhost:2.53", "docker.io/library/busybox:1.37")
PROVE_SECONDS = 180.0
_APPLY_SECONDS = 120.0
_RENDER_SECONDS = 300.0
_NOT_BEHIND_BALANCERS = "node.kubernetes.io/exclude-from-external-load-balancers-"


def load_images(load: Callable[[str], None], fact: Callable[[str], None]) -> None:
    """Copy the labs' images that the engine has to the nodes, by ``load``; an image that cannot be is pulled later."""
    loaded = []
    for image in LAB_IMAGES:
        if kind_engine.has_image(image):
            with contextlib.suppress(BackendError):
                load(image)
                loaded.append(image.rpartition("/")[2])
    if loaded:
        fact(f"the nodes have {', '.join(loaded)}")


def install_network(cluster: Cluster, config: ClusterConfig, fact: Callable[[str], None]) -> None:
    """Apply what makes the Pod network, where kind itself brings none. Raises BackendError."""
    network = kind_networks.of(config)
    if not network.installed:
        return
    for node in config.nodes:
        _prepare(cluster, node.name, network)
    for manifest in network.manifests:
        _apply(cluster, network, ["-f", manifest])
    if network.chart:
        _apply(cluster, network, ["-f", "-"], _rendered(network.chart, config, network))
    fact(f"{network.name} {network.version} is applied")


def _prepare(cluster: Cluster, node: str, network: Network) -> None:
    """Put on a node what the plugin expects there. Raises BackendError."""
    for module in network.modules:
        done = cluster.node(node, ["modprobe", module], timeout=30)
        if not done.ok:
            raise BackendError(
                f"node/{node}: {network.name} needs the kernel module {module} ({kind_engine.last_words(done)}); "
                f"load it on this machine: sudo modprobe {module}"
            )
    if network.plugins:
        script = kind_networks.plugin_script(network.plugins)
        done = cluster.node(node, ["sh", "-c", script], timeout=_RENDER_SECONDS)
        if not done.ok:
            raise BackendError(
                f"node/{node}: cannot fetch CNI plugins for {network.name} ({kind_engine.last_words(done)}); "
                "see whether the node reaches github.com, or use --cni kindnet"
            )


def _apply(cluster: Cluster, network: Network, what: list[str], text: str | None = None) -> None:
    arguments = ["apply", "--server-side", "--force-conflicts", *what]
    done = cluster.kubectl(*arguments, input=text, timeout=_APPLY_SECONDS)
    if not done.ok:
        raise BackendError(
            f"{network.name} {network.version} cannot be applied ({kind_engine.last_words(done)}); see whether this "
            "machine reaches the network, or use --cni kindnet, which kind brings along"
        )


def _rendered(chart: Chart, config: ClusterConfig, network: Network) -> str:
    """The manifests of a chart, by Helm in a container. Raises BackendError."""
    version = kind_networks.kubernetes_version(network.node_image)
    image, arguments = kind_networks.chart_command(chart, config, version)
    done = run_host([kind_engine.engine(), "run", "--rm", image, *arguments], timeout=_RENDER_SECONDS)
    if not done.ok:
        raise BackendError(
            f"{chart.name} {chart.version}: Helm does not render it ({kind_engine.last_words(done)}); see whether "
            f"{kind_engine.engine()} can pull {image} and it reaches {chart.repository}, or use --cni calico"
        )
    return done.stdout


def start_load_balancers(cluster: Cluster, fact: Callable[[str], None]) -> None:
    """Start cloud-provider-kind, and let a control-plane node take part. Raises BackendError."""
    kind_engine.start_provider()
    cluster.kubectl("label", "nodes", "--all", _NOT_BEHIND_BALANCERS)
    fact("cloud-provider-kind serves load balancers, Ingress and Gateway API")


def prove(cluster: Cluster, config: ClusterConfig, fact: Callable[[str], None]) -> None:
    """See the API answer, the nodes Ready and the cluster DNS Ready. Raises BackendError."""
    network = kind_networks.of(config)
    deadline = time.monotonic() + PROVE_SECONDS
    with cluster.client() as client:
        _await(lambda: bool(client.list("Node")), deadline, "its API server does not answer", cluster)
        fact("the API server answers")
        if network.name == kind_networks.NONE:
            return
        _await(lambda: _ready_nodes(client) == len(config.nodes), deadline, "its nodes are not all Ready", cluster)
        fact(f"{len(config.nodes)} nodes Ready")
        if not network.serves_services(config):
            return
        _await(lambda: _dns_ready(client), deadline, "its cluster DNS is not Ready", cluster)
        fact("the cluster DNS is Ready")


def _ready_nodes(client: SyncClient) -> int:
    return sum(meta.condition_is_true(node, "Ready") for node in client.list("Node"))


def _dns_ready(client: SyncClient) -> bool:
    pods = client.list("Pod", "kube-system", label_selector="k8s-app=kube-dns")
    return any(meta.condition_is_true(pod, "Ready") for pod in pods)


def _await(holds: Callable[[], bool], deadline: float, complaint: str, cluster: Cluster) -> None:
    pause = 0.05
    while True:
        with contextlib.suppress(ApiError, OSError):
            if holds():
                return
        if time.monotonic() > deadline:
            raise BackendError(
                f"cluster {cluster.name}: {complaint} after {PROVE_SECONDS:.0f} s; start it with --no-wait and look "
                f"why, {kind_engine.EMBEDDED}"
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
