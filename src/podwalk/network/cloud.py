"""The network of a managed cloud cluster: the nodes know nothing of each other, the cloud's router does.

Stands in for GKE's routes-based clusters and for clusters whose cloud controller keeps a route table (AWS, OpenStack):
on the node the ptp plugin and the rules of ip-masq-agent (kubernetes-sigs/ip-masq-agent); in the network of the nodes
the route controller (k8s.io/cloud-provider, controllers/route/route_controller.go), see cloud_controller.
"""

from __future__ import annotations

from podwalk.network.profile import (
    PORTMAP,
    UPLINK,
    Json,
    Profile,
    forwarding,
    host_local,
    write_conflist,
)

CHAIN = "IP-MASQ-AGENT"
NODE_NETWORK = "172.18.0.0/16"


def conflist(pod_cidr: str, mtu: int) -> Json:
    """A cable from each Pod into the node; the node's default route does the rest."""
    ptp = {"type": "ptp", "ipMasq": False, "mtu": mtu, "ipam": host_local(pod_cidr, "0.0.0.0/0")}
    return {"name": "k8s-pod-network", "cniVersion": "1.0.0", "plugins": [ptp, PORTMAP]}


def masquerade_rules(*networks: str) -> str:
    """ip-masq-agent's rules: what stays within these networks keeps its Pod's address, for the router knows the way."""
    jump = (
        f"ip-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom {CHAIN} chain"
    )
    local = "ip-masq-agent: local traffic is not subject to MASQUERADE"
    last = "ip-masq-agent: outbound traffic is subject to MASQUERADE (must be last in chain)"
    lines = (
        "*nat",
        f":{CHAIN} - [0:0]",
        f'-A POSTROUTING -m comment --comment "{jump}" -m addrtype ! --dst-type LOCAL -j {CHAIN}',
        *(f'-A {CHAIN} -d {network} -m comment --comment "{local}" -j RETURN' for network in networks),
        f'-A {CHAIN} -m comment --comment "{last}" -j MASQUERADE',
        "COMMIT",
    )
    return "\n".join((*lines, ""))


class Cloud(Profile):
    """The node's part. NetworkUnavailable is the route controller's to clear."""

    async def start(self, pod_cidr: str) -> None:
        """Write the rules, then the CNI configuration."""
        forwarding()
        await self.write_rules(masquerade_rules(self.config.cluster_cidr, NODE_NETWORK))
        uplink = self.netlink.link(UPLINK)
        write_conflist("10-cloud.conflist", conflist(pod_cidr, uplink.mtu if uplink else 1500))
