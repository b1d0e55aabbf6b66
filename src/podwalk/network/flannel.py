"""flannel: one subnet a node, and a backend that carries packets between the nodes.

Stands in for flanneld with Kubernetes as its store (flannel-io/flannel, pkg/subnet/kube, pkg/backend/vxlan, hostgw, udp
and pkg/trafficmngr/iptables). Nodes tell each other their addresses through annotations, as there.
"""

from __future__ import annotations

import asyncio
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.netns.netlink import Netlink
from podwalk.network.profile import (
    PORTMAP,
    UPLINK,
    Json,
    NetworkConfig,
    PeerRoutes,
    Profile,
    attempt,
    forwarding,
    host_local,
    write_conflist,
)

log = logging.getLogger(__name__)

DEVICE = "flannel.1"
VNI = 1
PORT = 8472
VXLAN_OVERHEAD = 50
_PREFIX = "flannel.alpha.coreos.com"
_SUBNET_FILE = Path("/run/flannel/subnet.env")


def conflist(pod_cidr: str, cluster_cidr: str, mtu: int) -> Json:
    """The CNI network list. flannel's plugin would only delegate to such a bridge; here it is written directly."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "mtu": mtu,
        # isDefaultGateway adds the default route itself and fails where ipam names it too.
        "ipam": host_local(pod_cidr, cluster_cidr),
    }
    return {"name": "cbr0", "cniVersion": "1.0.0", "plugins": [bridge, PORTMAP]}


def masquerade_rules(pod_cidr: str, cluster_cidr: str) -> str:
    """flannel's rules, as iptables-restore reads them: traffic that leaves the Pod network is masqueraded."""
    comment = '-m comment --comment "flanneld masq"'
    rules = [
        f"-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 {comment} -j RETURN",
        f"-A FLANNEL-POSTRTG -s {pod_cidr} -d {cluster_cidr} {comment} -j RETURN",
        f"-A FLANNEL-POSTRTG -s {cluster_cidr} -d {pod_cidr} {comment} -j RETURN",
        f"-A FLANNEL-POSTRTG ! -s {cluster_cidr} -d {pod_cidr} {comment} -j RETURN",
        f"-A FLANNEL-POSTRTG -s {cluster_cidr} ! -d 224.0.0.0/4 {comment} -j MASQUERADE --random-fully",
        f"-A FLANNEL-POSTRTG ! -s {cluster_cidr} -d {cluster_cidr} {comment} -j MASQUERADE --random-fully",
    ]
    nat = [":FLANNEL-POSTRTG - [0:0]", f"-A POSTROUTING {comment} -j FLANNEL-POSTRTG", *rules]
    forward = '-m comment --comment "flanneld forward"'
    filters = [
        ":FLANNEL-FWD - [0:0]",
        f"-A FORWARD {forward} -j FLANNEL-FWD",
        f"-A FLANNEL-FWD -s {cluster_cidr} {forward} -j ACCEPT",
        f"-A FLANNEL-FWD -d {cluster_cidr} {forward} -j ACCEPT",
    ]
    return "\n".join(["*nat", *nat, "COMMIT", "*filter", *filters, "COMMIT", ""])


@dataclass(frozen=True, slots=True)
class Lease:
    """What another node says about itself: its address, its Pods' network, and what its backend needs."""

    public_ip: str
    pod_cidr: str
    vtep_mac: str = ""

    @property
    def gateway(self) -> str:
        """The address of the other node's tunnel device."""
        return self.pod_cidr.partition("/")[0]


def lease_of(node: Object, backend: str) -> Lease | None:
    """What a Node's annotations say, or None while they are incomplete or tell of another backend."""
    annotations = meta.annotations(node)
    cidr = (node.get("spec") or {}).get("podCIDR")
    ip = annotations.get(f"{_PREFIX}/public-ip")
    if annotations.get(f"{_PREFIX}/backend-type") != backend or not (cidr and ip):
        return None
    mac = ""
    if backend == "vxlan":
        try:
            mac = str(json.loads(annotations.get(f"{_PREFIX}/backend-data") or "{}").get("VtepMAC") or "")
        except (ValueError, AttributeError):
            return None
        if not mac:
            return None
    return Lease(str(ip), str(cidr), mac)


def announcement(node_ip: str, backend: str, data: Any) -> dict[str, str]:
    """The annotations with which a node announces itself."""
    return {
        f"{_PREFIX}/backend-data": json.dumps(data, separators=(",", ":")),
        f"{_PREFIX}/backend-type": backend,
        f"{_PREFIX}/kube-subnet-manager": "true",
        f"{_PREFIX}/public-ip": node_ip,
    }


def subnet_env(pod_cidr: str, cluster_cidr: str, mtu: int) -> str:
    """The file that flanneld leaves for its CNI plugin."""
    network, _, length = pod_cidr.partition("/")
    first = f"{network.rpartition('.')[0]}.{int(network.rpartition('.')[2]) + 1}/{length}"
    lines = (f"NETWORK={cluster_cidr}", f"SUBNET={first}", f"MTU={mtu}", "IPMASQ=true")
    return "".join(f"FLANNEL_{line}\n" for line in lines)


class Backend(ABC):
    """How packets get from one node to the other."""

    type: str

    @abstractmethod
    async def prepare(self, pod_cidr: str) -> Any:
        """Make what this node needs; the value is its ``backend-data``. Called again after an error."""

    @abstractmethod
    def set_lease(self, name: str, lease: Lease | None) -> None:
        """Another node is to be reached like this, or no more."""

    def resync(self) -> None:  # noqa: B027
        """Repair what somebody else changed."""

    async def stop(self) -> None:  # noqa: B027
        """Let go of processes and sockets."""


class Vxlan(Backend):
    """Frames in UDP by the kernel: for each node one route, one neighbour and one entry of the forwarding table."""

    type = "vxlan"

    def __init__(self, netlink: Netlink, config: NetworkConfig, mtu: int) -> None:
        self._netlink, self._config, self._mtu = netlink, config, mtu
        self._leases: dict[str, Lease] = {}

    async def prepare(self, pod_cidr: str) -> Json:
        """Create flannel.1 with the node's own hardware address."""
        if self._netlink.link(DEVICE) is None:
            self._netlink.add_vxlan(DEVICE, vni=VNI, port=PORT, local=self._config.node_ip, mtu=self._mtu)
            self._netlink.add_address(DEVICE, f"{pod_cidr.partition('/')[0]}/32")
        self._netlink.set_up(DEVICE)
        mac = Path(f"/sys/class/net/{DEVICE}/address").read_text().strip()
        return {"VNI": VNI, "VtepMAC": mac}

    def set_lease(self, name: str, lease: Lease | None) -> None:
        """Add or remove the three entries."""
        known = self._leases.pop(name, None)
        if known is not None and known != lease:
            self._forget(known)
        if lease is None:
            return
        self._leases[name] = lease
        if lease != known:
            attempt(lambda: self._netlink.add_neighbour(DEVICE, lease.gateway, lease.vtep_mac))
            attempt(lambda: self._netlink.add_fdb(DEVICE, lease.vtep_mac, lease.public_ip))
            attempt(lambda: self._netlink.replace_route(lease.pod_cidr, via=lease.gateway, dev=DEVICE, onlink=True))

    def _forget(self, lease: Lease) -> None:
        attempt(lambda: self._netlink.delete_route(lease.pod_cidr, via=lease.gateway, dev=DEVICE))
        attempt(lambda: self._netlink.delete_fdb(DEVICE, lease.vtep_mac, lease.public_ip))
        attempt(lambda: self._netlink.delete_neighbour(DEVICE, lease.gateway))


class HostGateway(Backend):
    """No tunnel: the other node's address is the next hop, which needs all nodes on one link."""

    type = "host-gw"

    def __init__(self, netlink: Netlink, config: NetworkConfig, mtu: int) -> None:
        self._routes = PeerRoutes(netlink)

    async def prepare(self, pod_cidr: str) -> None:
        """Nothing to prepare."""

    def set_lease(self, name: str, lease: Lease | None) -> None:
        """Set the route."""
        self._routes.set(name, (lease.pod_cidr, lease.public_ip) if lease else None)

    def resync(self) -> None:
        """As flannel's routeCheck does every ten seconds; the vxlan backend has no such thing."""
        self._routes.resync()


class Flannel(Profile):
    """flanneld with one of its backends."""

    condition = ("FlannelIsUp", "Flannel is running on this node")

    def __init__(
        self, config: NetworkConfig, backend: Callable[[Netlink, NetworkConfig, int], Backend], overhead: int
    ) -> None:
        super().__init__(config)
        uplink = self.netlink.link(UPLINK)
        self.mtu = (uplink.mtu if uplink else 1500) - overhead
        self._backend = backend(self.netlink, config, self.mtu)

    async def start(self, pod_cidr: str) -> None:
        """Prepare the backend, announce it, write the rules, and last the CNI configuration."""
        config = self.config
        forwarding(bridge=True)
        data = await self._backend.prepare(pod_cidr)
        patch = {"metadata": {"annotations": announcement(config.node_ip, self._backend.type, data)}}
        await asyncio.gather(
            config.client.patch("Node", config.node_name, patch),
            self.write_rules(masquerade_rules(pod_cidr, config.cluster_cidr)),
        )
        _SUBNET_FILE.parent.mkdir(parents=True, exist_ok=True)
        _SUBNET_FILE.write_text(subnet_env(pod_cidr, config.cluster_cidr, self.mtu))
        write_conflist("10-flannel.conflist", conflist(pod_cidr, config.cluster_cidr, self.mtu))

    def node_changed(self, name: str, node: Object | None) -> None:
        """Follow another node's lease."""
        self._backend.set_lease(name, lease_of(node, self._backend.type) if node else None)

    def resync(self) -> None:
        """Repair what the backend repairs."""
        self._backend.resync()

    async def stop(self) -> None:
        """Stop the backend."""
        await self._backend.stop()
        await super().stop()
