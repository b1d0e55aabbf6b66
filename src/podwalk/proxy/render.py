"""Service ports become iptables rules, written as iptables-save prints them.

Pure and deterministic. Stands in for syncProxyRules of pkg/proxy/iptables/proxier.go (kube-proxy v1.36, defaults of
kubeadm: detectLocalMode ClusterCIDR, no masqueradeAll, node ports on 127.0.0.1). Left out: the rules that only count
(``-m nfacct``), which need a kernel option that many kernels lack.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from podwalk.proxy import names
from podwalk.proxy.model import Endpoint, Node, ServicePort

# Above this many endpoints kube-proxy leaves the comments out: they are most of the text that the kernel must copy.
LARGE_CLUSTER_ENDPOINTS = 1000

MASQUERADE_MARK = "0x4000/0x4000"

Chains = dict[str, list[str]]


@dataclass
class Ruleset:
    """The wanted content: per table, chain name -> rules without the leading ``-A CHAIN``."""

    filter: Chains = field(default_factory=dict)
    nat: Chains = field(default_factory=dict)


# The jumps from the kernel's chains, in the order in which they stand; foreign rules follow after them.
FILTER_JUMPS: dict[str, list[str]] = {
    "INPUT": [
        f"-j {names.FIREWALL}",
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" '
        f"-j {names.PROXY_FIREWALL}",
        f'-m comment --comment "kubernetes health check service ports" -j {names.NODEPORTS}',
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" '
        f"-j {names.EXTERNAL_SERVICES}",
    ],
    "FORWARD": [
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" '
        f"-j {names.PROXY_FIREWALL}",
        f'-m comment --comment "kubernetes forwarding rules" -j {names.FORWARD}',
        f'-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j {names.SERVICES}',
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" '
        f"-j {names.EXTERNAL_SERVICES}",
    ],
    "OUTPUT": [
        f"-j {names.FIREWALL}",
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" '
        f"-j {names.PROXY_FIREWALL}",
        f'-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j {names.SERVICES}',
    ],
}
NAT_JUMPS: dict[str, list[str]] = {
    "PREROUTING": [f'-m comment --comment "kubernetes service portals" -j {names.SERVICES}'],
    "OUTPUT": [f'-m comment --comment "kubernetes service portals" -j {names.SERVICES}'],
    "POSTROUTING": [f'-m comment --comment "kubernetes postrouting rules" -j {names.POSTROUTING}'],
}


def render(ports: Iterable[ServicePort], node: Node, cluster_cidr: str) -> Ruleset:
    """The whole content of kube-proxy's chains on this node."""
    ports = list(ports)
    rules = _base()
    total = sum(p.endpoints.known for p in ports)
    for port in ports:
        _PortWriter(rules, port, node, cluster_cidr, comments=total <= LARGE_CLUSTER_ENDPOINTS).write()
    rules.nat[names.SERVICES].append(
        '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" '
        f"-m addrtype --dst-type LOCAL -j {names.NODEPORTS}"
    )
    return rules


def _base() -> Ruleset:
    forward = [
        f'-m comment --comment "kubernetes forwarding rules" -m mark --mark {MASQUERADE_MARK} -j ACCEPT',
        '-m comment --comment "kubernetes forwarding conntrack rule" '
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ]
    # Node ports on 127.0.0.1 need route_localnet, which would let neighbours reach what listens on loopback.
    firewall = [
        '! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" '
        "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
    ]
    postrouting = [
        f"-m mark ! --mark {MASQUERADE_MARK} -j RETURN",
        # The mark has done its work; a packet that passes here again must not be masqueraded for it.
        "-j MARK --set-xmark 0x4000/0x0",
        '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
    ]
    return Ruleset(
        filter={
            names.CANARY: [],
            names.EXTERNAL_SERVICES: [],
            names.FIREWALL: firewall,
            names.FORWARD: forward,
            names.NODEPORTS: [],
            names.PROXY_FIREWALL: [],
            names.SERVICES: [],
        },
        nat={
            names.CANARY: [],
            names.MARK_MASQ: [f"-j MARK --set-xmark {MASQUERADE_MARK}"],
            names.POSTROUTING: postrouting,
            names.NODEPORTS: [],
            names.SERVICES: [],
        },
    )


def _comment(text: str) -> str:
    return f'-m comment --comment "{text}"'


class _PortWriter:
    """Writes the rules of one Service port."""

    def __init__(self, rules: Ruleset, port: ServicePort, node: Node, cluster_cidr: str, *, comments: bool) -> None:
        self.filter, self.nat = rules.filter, rules.nat
        self.port, self.node, self.cidr, self.comments = port, node, cluster_cidr, comments
        self.name = port.full_name
        self.svc = names.SERVICE_PREFIX + port.hash
        self.svl = names.LOCAL_PREFIX + port.hash
        self.ext = names.EXTERNAL_PREFIX + port.hash
        self.fw = names.FIREWALL_PREFIX + port.hash
        sets = port.endpoints
        self.has_internal = bool(sets.local if port.internal_local else sets.cluster)
        self.has_external = bool(sets.local if port.external_local else sets.cluster)
        self.internal_chain = self.svl if port.internal_local else self.svc

    def write(self) -> None:
        self._cluster_ip()
        self._external_ips()
        self._load_balancer()
        self._node_port()
        if self.port.endpoints.any_usable:
            if self.port.externally_accessible:
                self._external_chain()
            self._policy_chains()

    def _match(self, comment: str, destination: str | None, dport: int, more: str = "") -> str:
        """The match on a destination, in the order in which iptables-save prints it."""
        protocol = self.port.protocol
        to = f"-d {destination}/32 " if destination else ""
        return f"{to}-p {protocol} {_comment(comment)} {more}-m {protocol} --dport {dport}"

    def _refusal(self, destination: str | None, dport: int, more: str = "") -> str:
        """The filter rule for traffic that no endpoint may take: refused where there is none at all, else dropped."""
        if self.port.endpoints.any_usable:
            return self._match(f"{self.name} has no local endpoints", destination, dport, more) + " -j DROP"
        match = self._match(f"{self.name} has no endpoints", destination, dport, more)
        return f"{match} -j REJECT --reject-with icmp-port-unreachable"

    def _cluster_ip(self) -> None:
        port = self.port
        if not self.has_internal:
            self.filter[names.SERVICES].append(self._refusal(port.cluster_ip, port.port))
            return
        match = self._match(f"{self.name} cluster IP", port.cluster_ip, port.port)
        self.nat[names.SERVICES].append(f"{match} -j {self.internal_chain}")
        self.nat.setdefault(self.internal_chain, []).append(f"! -s {self.cidr} {match} -j {names.MARK_MASQ}")

    def _external_ips(self) -> None:
        for ip in self.port.external_ips:
            self._external_address(ip, "external IP", self.ext)

    def _load_balancer(self) -> None:
        port = self.port
        guarded = bool(port.source_ranges) and port.endpoints.any_usable
        for ip in port.load_balancer_ips:
            self._external_address(ip, "loadbalancer IP", self.fw if guarded else self.ext)
            if guarded:
                match = self._match(f"{self.name} traffic not accepted by {self.fw}", ip, port.port)
                self.filter[names.PROXY_FIREWALL].append(f"{match} -j DROP")
        if guarded and port.load_balancer_ips:
            self._firewall_chain()
        if port.health_check_node_port:
            comment = _comment(f"{self.name} health check node port")
            self.filter[names.NODEPORTS].append(
                f"-p tcp {comment} -m tcp --dport {port.health_check_node_port} -j ACCEPT"
            )

    def _external_address(self, ip: str, what: str, chain: str) -> None:
        if self.port.endpoints.any_usable:
            self.nat[names.SERVICES].append(f"{self._match(f'{self.name} {what}', ip, self.port.port)} -j {chain}")
        if not self.has_external:
            self.filter[names.EXTERNAL_SERVICES].append(self._refusal(ip, self.port.port))

    def _firewall_chain(self) -> None:
        """Who may use the load balancer's address; the others fall through, undelivered, to KUBE-PROXY-FIREWALL."""
        comment = _comment(f"{self.name} loadbalancer IP")
        sources = list(self.port.source_ranges)
        node_ip = ipaddress.IPv4Address(self.node.ip)
        if any(node_ip in ipaddress.IPv4Network(r) for r in sources):
            # The address may be one of this node's own: what the node sends to it then comes from it.
            sources += [f"{ip}/32" for ip in self.port.load_balancer_ips]
        rules = [f"-s {source} {comment} -j {self.ext}" for source in sources]
        rules.append(_comment(f"other traffic to {self.name} will be dropped by {names.PROXY_FIREWALL}"))
        self.nat[self.fw] = rules

    def _node_port(self) -> None:
        port = self.port
        if not port.node_port:
            return
        if port.endpoints.any_usable:
            self.nat[names.NODEPORTS].append(f"{self._match(self.name, None, port.node_port)} -j {self.ext}")
        if not self.has_external:
            self.filter[names.EXTERNAL_SERVICES].append(
                self._refusal(None, port.node_port, "-m addrtype --dst-type LOCAL ")
            )

    def _external_chain(self) -> None:
        """Where all traffic to external addresses comes together before the traffic policy decides."""
        where = f"{self.name} external destinations"
        if not self.port.external_local:
            # The endpoint may be on another node, whose answer must come back through this one.
            rules = [f"{_comment(f'masquerade traffic for {where}')} -j {names.MARK_MASQ}"]
        else:
            from_here = "-m addrtype --src-type LOCAL"
            rules = [
                f"-s {self.cidr} {_comment(f'pod traffic for {where}')} -j {self.svc}",
                f"{_comment(f'masquerade LOCAL traffic for {where}')} {from_here} -j {names.MARK_MASQ}",
                f"{_comment(f'route LOCAL traffic for {where}')} {from_here} -j {self.svc}",
            ]
        if self.has_external:
            rules.append(f"-j {self.svl if self.port.external_local else self.svc}")
        self.nat[self.ext] = rules

    def _policy_chains(self) -> None:
        sets = self.port.endpoints
        if sets.cluster and self.port.uses_cluster_endpoints:
            self.nat.setdefault(self.svc, []).extend(self._choice(sets.cluster))
        if sets.local and self.port.uses_local_endpoints:
            self.nat.setdefault(self.svl, []).extend(self._choice(sets.local))
        for endpoint in sets.reachable:
            self.nat[self._sep(endpoint)] = self._endpoint(endpoint)

    def _sep(self, endpoint: Endpoint) -> str:
        return names.endpoint_chain(self.name, self.port.protocol, str(endpoint))

    def _choice(self, endpoints: Sequence[Endpoint]) -> list[str]:
        """First who has been here before (session affinity), then one of the endpoints at random.

        n endpoints make a ladder: the first takes 1/n, the second 1/(n-1) of the rest, the last all that is left.
        """
        rules = []
        if self.port.affinity_seconds is not None:
            for endpoint in endpoints:
                chain = self._sep(endpoint)
                rules.append(
                    f"{self._arrow(endpoint)}-m recent --rcheck --seconds {self.port.affinity_seconds} --reap "
                    f"--name {chain} --mask 255.255.255.255 --rsource -j {chain}"
                )
        for index, endpoint in enumerate(endpoints):
            left = len(endpoints) - index
            chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
            rules.append(f"{self._arrow(endpoint)}{chance}-j {self._sep(endpoint)}")
        return rules

    def _arrow(self, endpoint: Endpoint) -> str:
        return _comment(f"{self.name} -> {endpoint}") + " " if self.comments else ""

    def _endpoint(self, endpoint: Endpoint) -> list[str]:
        protocol = self.port.protocol
        comment = _comment(self.name) + " " if self.comments else ""
        remember = ""
        if self.port.affinity_seconds is not None:
            remember = f"-m recent --set --name {self._sep(endpoint)} --mask 255.255.255.255 --rsource "
        return [
            # A Pod that reaches itself through the Service: without another source it would answer itself directly.
            f"-s {endpoint.ip}/32 {comment}-j {names.MARK_MASQ}",
            f"-p {protocol} {comment}{remember}-m {protocol} -j DNAT --to-destination {endpoint}",
        ]
