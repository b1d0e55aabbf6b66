"""What to feed ``nft -f`` so that the kernel's kube-proxy table becomes the wanted one.

Pure. Upstream (pkg/proxy/nftables/proxier.go, setupNFTables and syncProxyRules) writes one transaction per sync. The
kernel limits an unprivileged netlink transaction to the socket's send buffer, so a big change is cut into several
here: chains before the map elements that lead to them, removals last, so that every commit leaves rules that work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podwalk.proxy import names
from podwalk.proxy.nftrender import MARK, Table

# Bytes of text in one transaction: about 40 Services of two endpoints, a third of what was seen to fail.
BUDGET = 24_000

_IN = f"ip {names.NFT_TABLE}"

_BASE_CHAINS = (
    ("filter-prerouting-pre-dnat", "filter", "prerouting", "-110"),
    ("filter-output-pre-dnat", "filter", "output", "-110"),
    ("filter-input", "filter", "input", "0"),
    ("filter-forward", "filter", "forward", "0"),
    ("filter-output", "filter", "output", "0"),
    ("nat-prerouting", "nat", "prerouting", "-100"),
    ("nat-output", "nat", "output", "-100"),
    ("nat-postrouting", "nat", "postrouting", "100"),
)
_JUMPS = (
    ("nodeport-endpoints-check", "filter-input", "ct state new "),
    ("service-endpoints-check", "filter-input", "ct state new "),
    ("service-endpoints-check", "filter-forward", "ct state new "),
    ("service-endpoints-check", "filter-output", "ct state new "),
    ("firewall-check", "filter-prerouting-pre-dnat", "ct state new "),
    ("firewall-check", "filter-output-pre-dnat", "ct state new "),
    ("services", "nat-output", ""),
    ("services", "nat-prerouting", ""),
    ("masquerading", "nat-postrouting", ""),
    ("cluster-ips-check", "filter-forward", "ct state new "),
    ("cluster-ips-check", "filter-output", "ct state new "),
)
_MAPS = (
    ("no-endpoint-services", True, "vmap to drop or reject packets to services with no endpoints"),
    ("no-endpoint-nodeports", False, "vmap to drop or reject packets to service nodeports with no endpoints"),
    ("firewall-ips", True, "destinations that are subject to LoadBalancerSourceRanges"),
    ("service-ips", True, "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
    ("service-nodeports", False, "NodePort traffic"),
)


def base(node_ip: str, cluster_cidr: str, service_cidr: str) -> str:
    """A transaction that makes the table anew with all that does not depend on Services."""
    return _base("ip", "ipv4_addr") + "\n".join(
        [
            f'add set {_IN} nodeport-ips {{ type ipv4_addr ; comment "IPs that accept NodePort traffic" ; }}',
            f"add element {_IN} nodeport-ips {{ {node_ip} }}",
            f"add rule {_IN} nodeport-endpoints-check "
            "ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports",
            f"add rule {_IN} services ip daddr @cluster-ips ip saddr != {cluster_cidr} "
            f'meta mark set meta mark or {MARK} comment "masquerade clusterIP traffic from outside cluster"',
            f"add rule {_IN} services ip daddr . meta l4proto . th dport vmap @service-ips",
            f"add rule {_IN} services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports",
            f'add rule {_IN} cluster-ips-check ip daddr {service_cidr} drop comment "Drop traffic to '
            'unallocated ClusterIPs"',
            "",
        ]
    )


def base6() -> str:
    """The table of the other family: kube-proxy makes it on every node, and here no Service ever fills it."""
    table = f"ip6 {names.NFT_TABLE}"
    return _base("ip6", "ipv6_addr") + "\n".join(
        [
            f"add rule {table} nodeport-endpoints-check "
            "ip6 daddr != ::1 meta l4proto . th dport vmap @no-endpoint-nodeports",
            f"add rule {table} services ip6 daddr . meta l4proto . th dport vmap @service-ips",
            f"add rule {table} services fib daddr type local ip6 daddr != ::1 "
            "meta l4proto . th dport vmap @service-nodeports",
            "",
        ]
    )


def _base(family: str, address: str) -> str:
    table = f"{family} {names.NFT_TABLE}"
    lines = [f"add table {table}", f"delete table {table}"]
    lines.append(f'add table {table} {{ comment "rules for kube-proxy" ; }}')
    for chain, kind, hook, priority in _BASE_CHAINS:
        lines.append(f"add chain {table} {chain} {{ type {kind} hook {hook} priority {priority} ; }}")
    lines += [f"add chain {table} {chain}" for chain in dict.fromkeys(chain for chain, _, _ in _JUMPS)]
    lines.append(
        f'add chain {table} reject-chain {{ comment "helper for @no-endpoint-services / @no-endpoint-nodeports" ; }}'
    )
    lines += [f"add rule {table} {source} {match}jump {chain}" for chain, source, match in _JUMPS]
    lines += [
        f"add rule {table} reject-chain reject",
        f"add set {table} hairpin-connections {{ type {address} . {address} . inet_proto . inet_service ; "
        'comment "service hairpin connections" ; }',
        f'add set {table} cluster-ips {{ type {address} ; comment "Active ClusterIPs" ; }}',
    ]
    for name, with_address, comment in _MAPS:
        key = f"{address} . " if with_address else ""
        lines.append(
            f'add map {table} {name} {{ type {key}inet_proto . inet_service : verdict ; comment "{comment}" ; }}'
        )
    lines += [
        # The mark has done its work; a packet that passes here again must not be masqueraded for it.
        f"add rule {table} masquerading meta mark and {MARK} != 0 meta mark set meta mark xor {MARK} "
        "masquerade fully-random",
        f"add rule {table} masquerading ct status dnat {family} saddr . {family} daddr . meta l4proto . th dport "
        "@hairpin-connections masquerade fully-random",
        f"add rule {table} service-endpoints-check {family} daddr . meta l4proto . th dport vmap @no-endpoint-services",
        f"add rule {table} firewall-check {family} daddr . meta l4proto . th dport vmap @firewall-ips",
        f"add rule {table} cluster-ips-check {family} daddr @cluster-ips reject "
        'comment "Reject traffic to invalid ports of ClusterIPs"',
        "",
    ]
    return "\n".join(lines)


def changes(applied: Table, wanted: Table, budget: int = BUDGET) -> list[str]:
    """The transactions that bring ``applied`` to ``wanted``; an empty list where they are equal.

    Chains of Services that went are emptied and not removed: see ``removal``.
    """
    return list(_packed(_steps(applied, wanted), budget))


def stale(applied: Table, wanted: Table) -> set[str]:
    """The chains that ``changes`` empties for good."""
    return set(applied.chains) - set(wanted.chains)


def removal(chains: Iterable[str]) -> str:
    """A transaction that removes empty chains.

    kube-proxy does that in a later sync than the one that emptied them: kernels before 6.2 notice late that no map
    element leads to a chain any more.
    """
    return "".join(f"delete chain {_IN} {chain}\n" for chain in sorted(chains))


def _steps(applied: Table, wanted: Table) -> Iterator[str]:
    """Pieces that each must stay in one transaction, in their order."""
    for name, seconds in wanted.affinity.items():
        if name not in applied.affinity:
            yield _affinity_set(name, seconds)
    retimed = [n for n, s in wanted.affinity.items() if applied.affinity.get(n, s) != s]
    for port in dict.fromkeys(_port_of(name) for name in retimed):
        yield _retimed(port, [n for n in retimed if _port_of(n) == port], applied, wanted)
    for chain, rules in wanted.chains.items():
        if applied.chains.get(chain) != rules:
            yield _filled(chain, rules)
    for where, elements in wanted.elements.items():
        yield from _element_steps(where, applied.elements[where], elements)
    for chain in applied.chains:
        if chain not in wanted.chains:
            yield f"flush chain {_IN} {chain}\n"
    for name in applied.affinity:
        if name not in wanted.affinity:
            yield f"delete set {_IN} {name}\n"


def _port_of(name: str) -> str:
    """The Service port (``namespace/name/protocol/port``) that a chain or an affinity set belongs to."""
    return name.split("-", 2)[2].partition("__")[0]


def _retimed(port: str, sets: list[str], applied: Table, wanted: Table) -> str:
    """Make a Service port's sets anew with another timeout, which is fixed once a set is there.

    Its chains look into them, so they are emptied before and filled after.
    """
    lines = [f"flush chain {_IN} {chain}\n" for chain in applied.chains if _port_of(chain) == port]
    for name in sets:
        lines += [f"delete set {_IN} {name}\n", _affinity_set(name, wanted.affinity[name])]
    lines += [_filled(chain, rules) for chain, rules in wanted.chains.items() if _port_of(chain) == port]
    return "".join(lines)


def _affinity_set(name: str, seconds: int) -> str:
    return f"add set {_IN} {name} {{ type ipv4_addr ; flags dynamic,timeout ; timeout {seconds}s ; }}\n"


def _filled(chain: str, rules: list[str]) -> str:
    lines = [f"add chain {_IN} {chain}", f"flush chain {_IN} {chain}"]
    return "\n".join(lines + [f"add rule {_IN} {chain} {rule}" for rule in rules] + [""])


def _element_steps(where: str, before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for key in before:
        if key not in after:
            yield f"delete element {_IN} {where} {{ {key} }}\n"
    for key, value in after.items():
        old = before.get(key)
        if old == value:
            continue
        delete = f"delete element {_IN} {where} {{ {key} }}\n" if old is not None else ""
        yield f"{delete}add element {_IN} {where} {{ {' '.join((key, value)).rstrip()} }}\n"


def _packed(steps: Iterable[str], budget: int) -> Iterator[str]:
    text: list[str] = []
    size = 0
    for step in steps:
        if text and size + len(step) > budget:
            yield "".join(text)
            text, size = [], 0
        text.append(step)
        size += len(step)
    if text:
        yield "".join(text)
