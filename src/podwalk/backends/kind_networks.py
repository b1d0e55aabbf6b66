"""What a kind cluster's Pod network can be: one table of plugins, versions and the node image that each supports.

Pure: nothing is run here. kind's own kindnet comes with the cluster; for the others kind is told to bring none
(``disableDefaultCNI``), and what stands in the table is applied afterwards. Versions are those of November 2026: kind
v0.33.0 names four node images; Calico 3.33 is tested on Kubernetes 1.35 to 1.37, Cilium 1.20 up to 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from podwalk.api import clusterconfig
from podwalk.api.clusterconfig import ClusterConfig

# The pair that was tested together: a kind release names the node images that it can start.
KIND_VERSION = "v0.33.0"
NODE_IMAGE = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
_NODE_1_36 = "kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed"

USUAL = "kindnet"
NONE = "none"

_PLUGINS_VERSION = "v1.9.1"
_PLUGINS = f"https://github.com/containernetworking/plugins/releases/download/{_PLUGINS_VERSION}"
_HELM_IMAGE = "alpine/helm:4.3.0"
_DEFAULT_PODS = "10.244.0.0/16"


@dataclass(frozen=True, slots=True)
class Chart:
    """A Helm chart, rendered by Helm in a container and applied as plain manifests."""

    name: str
    repository: str
    version: str
    values: tuple[str, ...]
    # Added where the cluster has no kube-proxy; {control_plane} is the node with the API server.
    without_proxy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """A network plugin on kind.

    ``manifests`` are URLs of one release. ``plugins`` are CNI programs that the node image lacks, ``modules`` kernel
    modules that must be there. ``pods`` is the one Pod range that the manifests are written for; empty: any.
    """

    name: str
    enforces: bool
    node_image: str = NODE_IMAGE
    version: str = ""
    manifests: tuple[str, ...] = ()
    chart: Chart | None = None
    plugins: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    pods: str = ""

    @property
    def installed(self) -> bool:
        """Whether it is installed after kind has made the nodes."""
        return bool(self.manifests or self.chart)

    def serves_services(self, config: ClusterConfig) -> bool:
        """Whether somebody makes Services' addresses answer."""
        return config.proxy_mode != "none" or bool(self.chart and self.chart.without_proxy)


NETWORKS = {
    network.name: network
    for network in (
        Network(USUAL, enforces=True),
        Network(
            "flannel",
            enforces=False,
            version="v0.28.9",
            manifests=("https://github.com/flannel-io/flannel/releases/download/v0.28.9/kube-flannel.yml",),
            # flannel delegates to bridge, which kind's image lacks; flanneld ends where br_netfilter is missing.
            plugins=("bridge",),
            modules=("br_netfilter",),
            pods=_DEFAULT_PODS,
        ),
        Network(
            "calico",
            enforces=True,
            version="v3.33.0",
            # The plain manifest finds kubeadm's Pod range by itself; the operator's has one of its own to be edited.
            manifests=("https://raw.githubusercontent.com/projectcalico/calico/v3.33.0/manifests/calico.yaml",),
        ),
        Network(
            "cilium",
            enforces=True,
            node_image=_NODE_1_36,
            version="1.20.3",
            chart=Chart(
                "cilium",
                "https://helm.cilium.io",
                "1.20.3",
                (
                    "ipam.mode=kubernetes",
                    "image.pullPolicy=IfNotPresent",
                    "operator.replicas=1",
                    "hubble.enabled=false",
                ),
                ("kubeProxyReplacement=true", "k8sServiceHost={control_plane}", "k8sServicePort=6443"),
            ),
        ),
        Network(NONE, enforces=False),
    )
}
PROFILES = tuple(NETWORKS)


def of(config: ClusterConfig) -> Network:
    """The network of a cluster: the one that was asked for, else kind's own. Raises ConfigError for another's."""
    if not config.default_cni:
        return NETWORKS[NONE]
    name = config.cni if "cni" in config.asked else USUAL
    if name not in NETWORKS:
        raise clusterconfig.ConfigError(f"option cni: {name} is not run on kind; use {', '.join(PROFILES)}")
    return NETWORKS[name]


def options(config: ClusterConfig) -> dict[str, Any]:
    """What a lab may ask of the cluster that kind makes of this, in the words of ClusterConfig.options."""
    network = of(config)
    return {
        "cni": network.name,
        "proxyMode": config.proxy_mode,
        "networkPolicy": network.enforces,
        "loadBalancer": load_balancer(config),
        "nodeLocalDNS": False,
    }


def load_balancer(config: ClusterConfig) -> bool:
    """Whether cloud-provider-kind is to run: only where it was asked for, because it is given the engine's socket."""
    return config.load_balancer and "loadBalancer" in config.asked


def checked(config: ClusterConfig) -> ClusterConfig:
    """The configuration. Raises ConfigError, with the cure, where kind cannot run what was asked for."""
    network = of(config)
    refuse = clusterconfig.ConfigError
    if config.node_local_dns:
        raise refuse("option nodeLocalDNS: is run by the embedded backend only; leave out --node-local-dns")
    if "networkPolicy" in config.asked and config.network_policy and not network.enforces:
        able = ", ".join(name for name, each in NETWORKS.items() if each.enforces)
        raise refuse(f"option networkPolicy: {network.name} does not enforce NetworkPolicies; use --cni {able}")
    if not config.network_policy and network.enforces:
        raise refuse(f"option networkPolicy: {network.name} always enforces NetworkPolicies; use --cni flannel")
    if network.pods and config.pod_subnet != network.pods:
        raise refuse(
            f"networking.podSubnet: {network.name}'s manifest is written for {network.pods}, not for "
            f"{config.pod_subnet}; leave the field out, or use --cni calico"
        )
    return config


def plugin_script(names: Iterable[str]) -> str:
    """A shell script that puts CNI plugins of the pinned release into a node's /opt/cni/bin, where they are missing."""
    wanted = " ".join(names)
    return f"""set -eu
case $(uname -m) in x86_64) cpu=amd64 ;; aarch64) cpu=arm64 ;; *) cpu=$(uname -m) ;; esac
for name in {wanted}; do
  [ -x "/opt/cni/bin/$name" ] && continue
  curl -fsSL --retry 3 "{_PLUGINS}/cni-plugins-linux-$cpu-{_PLUGINS_VERSION}.tgz" -o /tmp/cni-plugins.tgz
  tar -xzf /tmp/cni-plugins.tgz -C /opt/cni/bin "./$name"
  rm /tmp/cni-plugins.tgz
done
"""


def chart_command(chart: Chart, config: ClusterConfig, kubernetes: str) -> tuple[str, list[str]]:
    """Helm's image, and its arguments that print the chart's manifests for a Kubernetes version such as 1.36.4."""
    values = [*chart.values]
    if config.proxy_mode == "none":
        values += [value.format(control_plane=config.control_plane.name) for value in chart.without_proxy]
    settings = [word for value in values for word in ("--set", value)]
    where = ["--repo", chart.repository, "--version", chart.version, "--namespace", "kube-system"]
    return _HELM_IMAGE, ["template", chart.name, chart.name, *where, "--kube-version", kubernetes, *settings]


def kubernetes_version(node_image: str) -> str:
    """The Kubernetes version of a node image: kindest/node:v1.36.4@sha256:… is 1.36.4."""
    return node_image.partition(":v")[2].partition("@")[0]
