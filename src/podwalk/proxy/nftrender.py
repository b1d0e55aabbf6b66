"""Service ports become the content of kube-proxy's nftables table.

Pure and deterministic. Stands in for syncProxyRules of pkg/proxy/nftables/proxier.go (kube-proxy v1.36, defaults of
kubeadm: detectLocalMode ClusterCIDR, no masqueradeAll, node ports on the node's primary address only).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from podwalk.proxy import names
from podwalk.proxy.model import Endpoint, Node, ServicePort

REJECT = "goto reject-chain"
DROP = "drop"
MARK = "0x00004000"

# The sets and maps whose elements follow the Services; the rules that look into them never change.
HAIRPIN = "hairpin-connections"
CLUSTER_IPS = "cluster-ips"
NO_ENDPOINT_SERVICES = "no-endpoint-services"
NO_ENDPOINT_NODEPORTS = "no-endpoint-nodeports"
FIREWALL_IPS = "firewall-ips"
SERVICE_IPS = "service-ips"
SERVICE_NODEPORTS = "service-nodeports"
_DYNAMIC = (
    HAIRPIN,
    CLUSTER_IPS,
    NO_ENDPOINT_SERVICES,
    NO_ENDPOINT_NODEPORTS,
    FIREWALL_IPS,
    SERVICE_IPS,
    SERVICE_NODEPORTS,
)


@dataclass
class Table:
    """The wanted content that depends on Services.

    ``chains``: name -> rules, callees before callers. ``affinity``: set name -> timeout in seconds. ``elements``: set
    or map -> key -> what stands behind the key (a comment, a verdict, or nothing).
    """

    chains: dict[str, list[str]] = field(default_factory=dict)
    affinity: dict[str, int] = field(default_factory=dict)
    elements: dict[str, dict[str, str]] = field(default_factory=lambda: {name: {} for name in _DYNAMIC})


def render(ports: Iterable[ServicePort], node: Node, cluster_cidr: str) -> Table:
    """Everything that the table holds for these Service ports on this node."""
    table = Table()
    for port in ports:
        _PortWriter(table, port, node, cluster_cidr).write()
    return table


class _PortWriter:
    """Writes the chains, sets and elements of one Service port."""

    def __init__(self, table: Table, port: ServicePort, node: Node, cluster_cidr: str) -> None:
        self.table, self.port, self.node, self.cidr = table, port, node, cluster_cidr
        base = names.nft_service(port.namespace, port.name, port.protocol, port.port_name)
        self.service, self.local = f"service-{base}", f"local-{base}"
        self.external, self.firewall = f"external-{base}", f"firewall-{base}"
        sets = port.endpoints
        self.any = sets.any_usable
        self.has_internal = self.any and (bool(sets.local) or not port.internal_local)
        self.has_external = self.any and (bool(sets.local) or not port.external_local)
        self.guarded = bool(port.load_balancer_ips and port.source_ranges)

    def write(self) -> None:
        self._endpoints()
        self._policy_chains()
        if self.any and self.port.externally_accessible:
            self._external_chain()
        if self.guarded:
            self._firewall_chain()
        self._cluster_ip()
        self._external_addresses()
        self._node_port()

    def _element(self, where: str, key: str, value: str = "", *, explained: bool = False) -> None:
        comment = f'comment "{self.port.full_name}" ' if explained else ""
        self.table.elements[where][key] = f"{comment}: {value}" if value else ""

    def _key(self, ip: str) -> str:
        return f"{ip} . {self.port.protocol} . {self.port.port}"

    def _cluster_ip(self) -> None:
        port = self.port
        self._element(CLUSTER_IPS, port.cluster_ip)
        if self.has_internal:
            chain = self.local if port.internal_local else self.service
            self._element(SERVICE_IPS, self._key(port.cluster_ip), f"goto {chain}")
        else:
            verdict = DROP if self.any else REJECT
            self._element(NO_ENDPOINT_SERVICES, self._key(port.cluster_ip), verdict, explained=True)

    def _external_addresses(self) -> None:
        for ip in (*self.port.external_ips, *self.port.load_balancer_ips):
            if self.any:
                self._element(SERVICE_IPS, self._key(ip), f"goto {self.external}")
            if not self.has_external:
                verdict = DROP if self.any else REJECT
                self._element(NO_ENDPOINT_SERVICES, self._key(ip), verdict, explained=True)
        for ip in self.port.load_balancer_ips if self.guarded else ():
            self._element(FIREWALL_IPS, self._key(ip), f"goto {self.firewall}")

    def _node_port(self) -> None:
        if not self.port.node_port:
            return
        key = f"{self.port.protocol} . {self.port.node_port}"
        if self.any:
            self._element(SERVICE_NODEPORTS, key, f"goto {self.external}")
        if not self.has_external:
            self._element(NO_ENDPOINT_NODEPORTS, key, DROP if self.any else REJECT, explained=True)

    def _firewall_chain(self) -> None:
        sources = list(self.port.source_ranges)
        node_ip = ipaddress.IPv4Address(self.node.ip)
        if any(node_ip in ipaddress.IPv4Network(r) for r in sources):
            # The address may be one of this node's own: what the node sends to it then comes from it.
            sources += self.port.load_balancer_ips
        self.table.chains[self.firewall] = [f"ip saddr != {{ {', '.join(sources)} }} drop"]

    def _external_chain(self) -> None:
        """Where all traffic to external addresses comes together before the traffic policy decides."""
        masquerade = f"meta mark set meta mark or {MARK} comment"
        if not self.port.external_local:
            rules = [f'{masquerade} "masquerade"']
        else:
            rules = [
                f'ip saddr {self.cidr} goto {self.service} comment "short-circuit pod traffic"',
                f'fib saddr type local {masquerade} "masquerade local traffic"',
                f'fib saddr type local goto {self.service} comment "short-circuit local traffic"',
            ]
        if self.has_external:
            rules.append(f"goto {self.local if self.port.external_local else self.service}")
        self.table.chains[self.external] = rules

    def _policy_chains(self) -> None:
        sets = self.port.endpoints
        if sets.cluster and self.port.uses_cluster_endpoints:
            self.table.chains[self.service] = self._choice(sets.cluster)
        if sets.local and self.port.uses_local_endpoints:
            self.table.chains[self.local] = self._choice(sets.local)

    def _base(self, endpoint: Endpoint) -> str:
        port = self.port
        return names.nft_endpoint(port.namespace, port.name, port.protocol, port.port_name, endpoint.ip, endpoint.port)

    def _choice(self, endpoints: Sequence[Endpoint]) -> list[str]:
        """One endpoint at random; with session affinity first the one where this client was before."""
        count = len(endpoints)
        if self.port.affinity_seconds is None:
            targets = ", ".join(f"{i} : {e.ip} . {e.port}" for i, e in enumerate(endpoints))
            return [f"meta l4proto {self.port.protocol} dnat ip to numgen random mod {count} map {{ {targets} }}"]
        bases = [self._base(e) for e in endpoints]
        rules = [f"ip saddr @affinity-{base} goto endpoint-{base}" for base in bases]
        chains = ", ".join(f"{i} : goto endpoint-{base}" for i, base in enumerate(bases))
        return [*rules, f"numgen random mod {count} vmap {{ {chains} }}"]

    def _endpoints(self) -> None:
        port = self.port
        for endpoint in port.endpoints.reachable:
            if endpoint.local:
                # A Pod that reaches itself through the Service: without another source it would answer directly.
                key = f"{endpoint.ip} . {endpoint.ip} . {port.protocol} . {endpoint.port}"
                self._element(HAIRPIN, key)
            if port.affinity_seconds is not None:
                base = self._base(endpoint)
                self.table.affinity[f"affinity-{base}"] = port.affinity_seconds
                self.table.chains[f"endpoint-{base}"] = [
                    f"update @affinity-{base} {{ ip saddr }}",
                    f"meta l4proto {port.protocol} dnat to {endpoint}",
                ]
