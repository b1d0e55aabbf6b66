"""The counters of a node's table, read back: which policy's rule, or which Pod's last one, has counted. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from podwalk.policy.ruleset import TABLE

LIST = ("nft", "-j", "list", "counters", "table", "ip", TABLE)


@dataclass(frozen=True, slots=True)
class Count:
    """One counter: what it means in words, and the packets it has seen."""

    name: str
    packets: int

    @property
    def meaning(self) -> str:
        """``NetworkPolicy shop/web ingress[0] allowed`` or ``ingress of shop/web dropped``."""
        kind, *rest = self.name.split("/")
        if kind == "allow" and len(rest) == 4:
            way, namespace, policy, index = rest
            return f"NetworkPolicy {namespace}/{policy} {way}[{index}] allowed"
        if kind == "drop" and len(rest) == 3:
            way, namespace, pod = rest
            return f"{way} of pod {namespace}/{pod} dropped, no policy's rule matched"
        tier, _, way = kind.partition("-")
        if way and len(rest) == 2:
            return f"ClusterNetworkPolicy {rest[0]} {way}[{rest[1]}] ({tier.capitalize()} tier) decided"
        return self.name


def parse(text: str) -> dict[str, int]:
    """Packets by counter, from the output of LIST; nothing where there is no table."""
    try:
        listed = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError):
        return {}
    found = (entry["counter"] for entry in listed if "counter" in entry)
    return {str(c["name"]): int(c["packets"]) for c in found if c.get("table") == TABLE}


def moved(before: Mapping[str, int], after: Mapping[str, int]) -> list[Count]:
    """The counters that have counted between two looks, and how many packets."""
    return [Count(name, n - before.get(name, 0)) for name, n in sorted(after.items()) if n > before.get(name, 0)]
