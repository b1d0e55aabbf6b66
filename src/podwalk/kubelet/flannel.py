"""The node's Pod network: the CNI configuration, the VXLAN device, a route for every other node.

Stands in for flanneld with the vxlan backend and Kubernetes as its store (flannel-io/flannel, pkg/backend/vxlan and
pkg/trafficmngr/iptables). Nodes tell each other their addresses through annotations, as there.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.rest import Client
from podwalk.netns import command
from podwalk.netns.netlink import Netlink, NetlinkError
from podwalk.netns.reaper import Reaper

log = logging.getLogger(__name__)

CONFLIST = Path("/etc/cni/net.d/10-flannel.conflist")
DEVICE = "flannel.1"
VNI = 1
PORT = 8472
MTU = 1450
_PREFIX = "flannel.alpha.coreos.com"
_SYSCTLS = {
    "/proc/sys/net/ipv4/ip_forward": "1",
    "/proc/sys/net/bridge/bridge-nf-call-iptables": "1",
}


def conflist(pod_cidr: str, cluster_cidr: str) -> dict[str, Any]:
    """The CNI network list. flannel's plugin would only delegate to such a bridge; here it is written directly."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "mtu": MTU,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": pod_cidr}]],
            # isDefaultGateway adds the default route itself and fails where ipam names it too.
            "routes": [{"dst": cluster_cidr}],
            "dataDir": "/var/lib/cni/networks",
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"name": "cbr0", "cniVersion": "1.0.0", "plugins": [bridge, portmap]}


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
class Peer:
    """Another node: its address, the MAC of its flannel.1, its Pods' network."""

    public_ip: str
    vtep_mac: str
    pod_cidr: str

    @property
    def gateway(self) -> str:
        """The address of the peer's flannel.1."""
        return self.pod_cidr.partition("/")[0]


def peer_of(node: Object) -> Peer | None:
    """What a Node's annotations say, or None while they are incomplete."""
    annotations = meta.annotations(node)
    cidr = node.get("spec", {}).get("podCIDR")
    ip = annotations.get(f"{_PREFIX}/public-ip")
    try:
        mac = json.loads(annotations.get(f"{_PREFIX}/backend-data") or "{}").get("VtepMAC")
    except (ValueError, AttributeError):
        return None
    if annotations.get(f"{_PREFIX}/backend-type") != "vxlan" or not (cidr and ip and mac):
        return None
    return Peer(str(ip), str(mac), str(cidr))


def announcement(node_ip: str, mac: str) -> dict[str, str]:
    """The annotations with which a node announces itself."""
    return {
        f"{_PREFIX}/backend-data": json.dumps({"VNI": VNI, "VtepMAC": mac}, separators=(",", ":")),
        f"{_PREFIX}/backend-type": "vxlan",
        f"{_PREFIX}/kube-subnet-manager": "true",
        f"{_PREFIX}/public-ip": node_ip,
    }


class Flannel:
    """Sets up this node and keeps the way to every other. Runs in the node's network namespace."""

    def __init__(self, client: Client, reaper: Reaper, node_name: str, node_ip: str, cluster_cidr: str) -> None:
        self._client = client
        self._reaper = reaper
        self._node_name = node_name
        self._node_ip = node_ip
        self._cluster_cidr = cluster_cidr
        self._netlink = Netlink()
        self._peers: dict[str, Peer] = {}
        self.conflist: dict[str, Any] | None = None

    async def start(self, pod_cidr: str) -> None:
        """Create flannel.1, announce it, write the rules, and last the CNI configuration: it makes the node ready."""
        for path, value in _SYSCTLS.items():
            try:
                Path(path).write_text(value)
            except OSError as error:
                log.warning("flannel: cannot set %s: %s", path, error)
        self._make_device(pod_cidr)
        mac = self._device_mac()
        patch = {"metadata": {"annotations": announcement(self._node_ip, mac)}}
        rules = masquerade_rules(pod_cidr, self._cluster_cidr).encode()
        _, restored = await asyncio.gather(
            self._client.patch("Node", self._node_name, patch),
            command.run(self._reaper, ["iptables-restore", "-w", "5", "--noflush"], stdin=rules),
        )
        if restored.returncode != 0:
            log.error("flannel: iptables-restore: %s", restored.stderr.decode(errors="replace").strip())
        self.conflist = conflist(pod_cidr, self._cluster_cidr)
        CONFLIST.parent.mkdir(parents=True, exist_ok=True)
        CONFLIST.write_text(json.dumps(self.conflist, indent=2) + "\n")

    def _make_device(self, pod_cidr: str) -> None:
        network = pod_cidr.partition("/")[0]
        self._netlink.add_vxlan(DEVICE, vni=VNI, port=PORT, local=self._node_ip, mtu=MTU)
        self._netlink.add_address(DEVICE, f"{network}/32")
        self._netlink.set_up(DEVICE)

    def _device_mac(self) -> str:
        return Path(f"/sys/class/net/{DEVICE}/address").read_text().strip()

    def node_changed(self, old: Object | None, new: Object | None) -> None:
        """Informer handler: another node came, changed or went."""
        node = new or old
        if node is None or meta.name(node) == self._node_name:
            return
        name = meta.name(node)
        fresh = peer_of(new) if new else None
        known = self._peers.get(name)
        if fresh == known:
            return
        if known is not None:
            self._forget(known)
            del self._peers[name]
        if fresh is not None:
            self._add(fresh)
            self._peers[name] = fresh

    def _add(self, peer: Peer) -> None:
        self._netlink.add_neighbour(DEVICE, peer.gateway, peer.vtep_mac)
        self._netlink.add_fdb(DEVICE, peer.vtep_mac, peer.public_ip)
        self._netlink.replace_route(peer.pod_cidr, via=peer.gateway, dev=DEVICE, onlink=True)

    def _forget(self, peer: Peer) -> None:
        steps: tuple[Callable[[], None], ...] = (
            lambda: self._netlink.delete_route(peer.pod_cidr, via=peer.gateway, dev=DEVICE),
            lambda: self._netlink.delete_fdb(DEVICE, peer.vtep_mac, peer.public_ip),
            lambda: self._netlink.delete_neighbour(DEVICE, peer.gateway),
        )
        for step in steps:
            try:
                step()
            except NetlinkError as error:
                log.warning("flannel: %s", error)
