"""What the network profiles show in the API: their Pods' names, their accounts, their configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass

from podwalk.api.meta import Object
from podwalk.cluster.spec import ClusterSpec

_NAMESPACE = "kube-system"


@dataclass(frozen=True, slots=True)
class Daemon:
    """The program that a profile runs on every node."""

    name: str
    image: str
    account: str


_FLANNEL = Daemon("kube-flannel", "ghcr.io/flannel-io/flannel:v0.28.0", "flannel")
_DAEMONS = {
    "flannel": _FLANNEL,
    "flannel-host-gw": _FLANNEL,
    "flannel-udp": _FLANNEL,
    "kindnet": Daemon("kindnet", "docker.io/kindest/kindnetd:v20260820-3b1dbb8c", "kindnet"),
    "calico": Daemon("calico-node", "quay.io/calico/node:v3.32.1", "calico-node"),
    "ebpf": Daemon("cilium", "quay.io/cilium/cilium:v1.18.0", "cilium"),
    "cloud": Daemon("ip-masq-agent", "registry.k8s.io/networking/ip-masq-agent:v2.12.3", "ip-masq-agent"),
}


def profile(spec: ClusterSpec) -> str:
    """The name of the cluster's profile."""
    return str(spec.config.options()["cni"])


def daemon(spec: ClusterSpec) -> Daemon | None:
    """The profile's program; None where there is none."""
    return _DAEMONS.get(profile(spec))


def objects(spec: ClusterSpec) -> list[Object]:
    """What the profile's manifest would bring besides its DaemonSet, in the order in which it is applied."""
    name = profile(spec)
    if name.startswith("flannel"):
        return [_flannel(spec, name.removeprefix("flannel").removeprefix("-") or "vxlan")]
    if name == "calico":
        return [_calico()]
    return []


def _config_map(name: str, data: dict[str, str], **labels: str) -> Object:
    metadata = {"name": name, "namespace": _NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _flannel(spec: ClusterSpec, backend: str) -> Object:
    delegate = {"type": "flannel", "delegate": {"hairpinMode": True, "isDefaultGateway": True}}
    plugins = [delegate, {"type": "portmap", "capabilities": {"portMappings": True}}]
    conflist = {"name": "cbr0", "cniVersion": "0.3.1", "plugins": plugins}
    network = {"Network": spec.config.pod_subnet, "EnableNFTables": False, "Backend": {"Type": backend}}
    data = {"cni-conf.json": json.dumps(conflist, indent=2), "net-conf.json": json.dumps(network, indent=2)}
    return _config_map("kube-flannel-cfg", {k: f"{v}\n" for k, v in data.items()}, tier="node", app="flannel")


_BGP = """\
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata:
  name: default
spec:
  asNumber: 64512
  nodeToNodeMeshEnabled: true
"""


def _calico() -> Object:
    data = {"calico_backend": "bird", "veth_mtu": "0", "bgpconfiguration.yaml": _BGP, "bgppeers.yaml": ""}
    return _config_map("calico-config", data)
