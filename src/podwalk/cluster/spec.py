"""What a boot is made of: the configuration, the addresses it implies, and the identities of the components."""

from __future__ import annotations

from dataclasses import dataclass, field

from podwalk.api.clusterconfig import ClusterConfig, NodeConfig
from podwalk.cluster.pki import Pki, make, new_token

BRIDGE = "kind0"
GATEWAY = "172.18.0.1"
GATEWAY_MAC = "02:42:ac:12:00:01"
FABRIC_PREFIX = 16
API_PORT = 6443
KUBERNETES_VERSION = "v1.36.2"
CLUSTER_DOMAIN = "cluster.local"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Bearer tokens, one an identity; only the learner's leaves memory (in the kubeconfig, mode 0600)."""

    admin: str = field(default_factory=new_token)
    controller_manager: str = field(default_factory=new_token)
    kube_proxy: str = field(default_factory=new_token)
    network: str = field(default_factory=new_token)
    cloud: str = field(default_factory=new_token)
    network_policy: str = field(default_factory=new_token)
    load_balancer: str = field(default_factory=new_token)
    egress: str = field(default_factory=new_token)
    kubelet_server: str = field(default_factory=new_token)
    nodes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """Everything that the processes of a cluster inherit when they are forked."""

    config: ClusterConfig
    pki: Pki
    tokens: Tokens
    images_file: str

    @property
    def api_address(self) -> str:
        """IPv4 address of the control-plane node."""
        return self.node_address(self.config.control_plane)

    @property
    def api_server(self) -> str:
        """The URL of the API server from inside."""
        return f"https://{self.api_address}:{API_PORT}"

    def node_index(self, node: NodeConfig) -> int:
        """The node's place in the configuration, from 0."""
        return self.config.nodes.index(node)

    def node_address(self, node: NodeConfig) -> str:
        """The node's IPv4 address on the fabric: 172.18.0.2 and up, in the order of the configuration."""
        return f"172.18.0.{self.node_index(node) + 2}"

    def node_mac(self, node: NodeConfig) -> str:
        """The MAC of the node's eth0, made from its address as Docker does."""
        return f"02:42:ac:12:00:{self.node_index(node) + 2:02x}"


def make_spec(config: ClusterConfig, images_file: str) -> ClusterSpec:
    """A spec with fresh certificates and tokens."""
    tokens = Tokens(nodes={n.name: new_token() for n in config.nodes})
    names = [
        "localhost",
        config.control_plane.name,
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
    ]
    index = config.nodes.index(config.control_plane)
    addresses = ["127.0.0.1", f"172.18.0.{index + 2}", config.api_service_ip]
    return ClusterSpec(config, make(names, addresses), tokens, images_file)
