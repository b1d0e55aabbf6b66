"""kindnet: a cable from each Pod straight into the node, and one route a node.

Stands in for kindnetd (kubernetes-sigs/kind, images/kindnetd/cmd/kindnetd: cni.go, routes.go, masq.go).
"""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.network.profile import (
    PORTMAP,
    UPLINK,
    Json,
    NetworkConfig,
    PeerRoutes,
    Profile,
    forwarding,
    host_local,
    pod_route,
    write_conflist,
)

CHAIN = "KIND-MASQ-AGENT"


def conflist(pod_cidr: str, mtu: int, name: str = "kindnet") -> Json:
    """The network list that kindnetd writes: ptp and portmap."""
    ipam = {**host_local(pod_cidr, "0.0.0.0/0"), "dataDir": "/run/cni-ipam-state"}
    ptp = {"type": "ptp", "ipMasq": False, "mtu": mtu, "ipam": ipam}
    return {"name": name, "cniVersion": "0.3.1", "plugins": [ptp, PORTMAP]}


def masquerade_rules(cluster_cidr: str) -> str:
    """The rules of kindnetd's masquerade agent: everything that leaves the Pod network, and is not for the node."""
    jump = (
        f"kind-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom {CHAIN} chain"
    )
    local = "kind-masq-agent: local traffic is not subject to MASQUERADE"
    last = "ip-masq-agent: outbound traffic is subject to MASQUERADE (must be last in chain)"
    lines = (
        "*nat",
        f":{CHAIN} - [0:0]",
        f'-A POSTROUTING -m comment --comment "{jump}" -m addrtype ! --dst-type LOCAL -j {CHAIN}',
        f'-A {CHAIN} -m comment --comment "{local}" -d {cluster_cidr} -j RETURN',
        f'-A {CHAIN} -m comment --comment "{last}" -j MASQUERADE',
        "COMMIT",
    )
    return "\n".join((*lines, ""))


class Kindnet(Profile):
    """kindnetd on one node. It writes no condition: a node is ready when its CNI configuration is there."""

    network_name = "kindnet"
    file = "10-kindnet.conflist"

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self._routes = PeerRoutes(self.netlink)
        uplink = self.netlink.link(UPLINK)
        self._mtu = uplink.mtu if uplink else 1500

    async def start(self, pod_cidr: str) -> None:
        """Write the rules, then the CNI configuration."""
        forwarding()
        await self.write_rules(masquerade_rules(self.config.cluster_cidr))
        write_conflist(self.file, conflist(pod_cidr, self._mtu, self.network_name))

    def node_changed(self, name: str, node: Object | None) -> None:
        """Follow another node's Pod CIDR."""
        self._routes.set(name, pod_route(node) if node else None)

    def resync(self) -> None:
        """As kindnetd does every ten seconds."""
        self._routes.resync()
