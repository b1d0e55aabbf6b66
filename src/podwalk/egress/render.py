"""A plan as nft and ip are told it. Pure.

Packets of chosen Pods get a mark when the address of a Service has been translated already (priority dstnat + 10), the
mark chooses a routing table whose only route leads to the gateway node, and there the source is rewritten before the
network plugin's own masquerading could do so (srcnat - 10). On the way a node keeps the Pod's address: a source NAT to
itself counts as done, so that no later chain masquerades. The mark goes once the packet is routed: a tunnel would look
for the way of its outer packet by it, and find itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from podwalk.egress.plan import Gateway, Plan, Way

TABLE = "podwalk-egress"
# kube-proxy marks with 0x4000 and 0x8000; these eight bits are ours.
MARK_MASK = 0x00FF0000
MARK_SHIFT = 16
_KEEP = ~MARK_MASK & 0xFFFFFFFF
FIRST_TABLE = 2000
FIRST_PREFERENCE = 20000
_ALL = "0.0.0.0/0"
# iproute2 prints the mask of a rule's mark like this.
_MASK_TEXT = "0xff0000"


def mark(index: int) -> int:
    """The mark of a gateway, by its place in the plan's list."""
    return (index + 1) << MARK_SHIFT


def nft(plan: Plan) -> str:
    """One transaction that makes the table anew, or takes it away where there is nothing to do."""
    lines = [f"add table ip {TABLE}", f"delete table ip {TABLE}"]
    if not plan.ways:
        return "\n".join([*lines, ""])
    places = {gateway.name: index for index, gateway in enumerate(plan.gateways)}
    marking = [rule for way in plan.ways if (rule := _prerouting(way, places))]
    leaving = [rule for way in plan.ways if (rule := _postrouting(way))]
    lines += [
        f"table ip {TABLE} {{",
        "  chain prerouting {",
        "    type filter hook prerouting priority -90; policy accept;",
        *(f"    {rule}" for rule in marking),
        "  }",
        "  chain postrouting {",
        "    type nat hook postrouting priority 90; policy accept;",
        *(f"    {rule}" for rule in leaving),
        "  }",
        "  chain routed {",
        "    type filter hook postrouting priority 95; policy accept;",
        f"    meta mark & {MARK_MASK:#010x} != 0 meta mark set meta mark & {_KEEP:#010x}",
        "  }",
        "}",
        "",
    ]
    return "\n".join(lines)


def _prerouting(way: Way, places: dict[str, int]) -> str:
    if not way.egress_ip:
        return f'{_match(way)} counter drop comment "{way.policy}: no gateway"'
    if way.here or way.gateway is None:
        return ""
    # The old mark stays in the other bits; the first policy that matches decides.
    value = mark(places[way.gateway.name])
    return (
        f'{_match(way)} counter meta mark set meta mark & {_KEEP:#010x} | {value:#010x} accept comment "{way.policy}"'
    )


def _postrouting(way: Way) -> str:
    if not way.egress_ip:
        return ""
    if way.here:
        return f'{_match(way)} counter snat to {way.egress_ip} comment "{way.policy}"'
    same = ", ".join(f"{a} : {a}" for a in way.sources)
    return f'{_match(way)} counter snat to ip saddr map {{ {same} }} comment "{way.policy}"'


def _match(way: Way) -> str:
    parts = [f"ip saddr {_set(way.sources)}"]
    if way.destinations != (_ALL,):
        parts.append(f"ip daddr {_set(way.destinations)}")
    if way.excluded:
        parts.append(f"ip daddr != {_set(way.excluded)}")
    return " ".join(parts)


def _set(values: Iterable[str]) -> str:
    return f"{{ {', '.join(values)} }}"


def next_hop(gateway: Gateway, *, tunnel: str) -> list[str]:
    """The way to a gateway node in ip's words: through flannel's VXLAN where there is one, else over the fabric."""
    if tunnel:
        return ["via", str(ipaddress.ip_network(gateway.pod_cidr).network_address), "dev", tunnel, "onlink"]
    return ["via", gateway.address, "dev", "eth0"]


def routing(gateways: Sequence[Gateway], *, tunnel: str) -> list[str]:
    """The lines for ``ip -batch -`` that make the tables of these gateways and the rules that lead to them."""
    lines = []
    for index, gateway in enumerate(gateways):
        table = FIRST_TABLE + index
        lines.append(f"route replace default {' '.join(next_hop(gateway, tunnel=tunnel))} table {table}")
        lines.append(
            f"rule add preference {FIRST_PREFERENCE + index} fwmark {mark(index):#x}/{_MASK_TEXT} lookup {table}"
        )
    return lines


def unrouting(preferences: Iterable[int]) -> list[str]:
    """The lines that take the rules of these preferences, and their tables, away."""
    lines = []
    for preference in preferences:
        lines.append(f"rule del preference {preference}")
        lines.append(f"route flush table {FIRST_TABLE + preference - FIRST_PREFERENCE}")
    return lines


def ours(preference: int) -> bool:
    """Whether a rule of this preference is one of ours."""
    return FIRST_PREFERENCE <= preference < FIRST_PREFERENCE + (MARK_MASK >> MARK_SHIFT)
