"""A Service's rules in nftables mode, read from ``nft list table ip kube-proxy``: verdict maps and chains as a tree.

The table is that of pkg/proxy/nftables: one look-up in a map finds the Service, whatever their number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from podwalk.views.rule_tree import Branch

_BLOCK = re.compile(r"^\t(chain|map|set) (\S+) \{\n(.*?)^\t\}", re.MULTILINE | re.DOTALL)
_DICE = re.compile(r"numgen random mod (\d+) v?map \{ (.*) \}")
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Table:
    """The table's chains (their rules), maps (key to verdict) and sets (their members)."""

    chains: dict[str, list[str]]
    maps: dict[str, dict[str, str]]
    sets: dict[str, list[str]]


def parse(listing: str) -> Table:
    """Read what nft printed."""
    table = Table({}, {}, {})
    for kind, name, body in _BLOCK.findall(listing):
        if kind == "chain":
            lines = [line.strip() for line in body.splitlines()]
            table.chains[name] = [s for s in lines if s and not s.startswith(("type ", "comment "))]
            continue
        found = re.search(r"elements = \{(.*?)\}", body, re.DOTALL)
        elements = [e.strip() for e in found[1].split(",")] if found else []
        if kind == "set":
            table.sets[name] = elements
        else:
            table.maps[name] = dict(_element(e) for e in elements)
    return table


def tree(listing: str, service: str) -> tuple[Branch, ...]:
    """The tree of a Service (``namespace/name``): the maps that find it, the dice, the rewrites, the masquerade."""
    table = parse(listing)
    below = []
    for name, what in (("service-ips", "an address, a protocol and a port"), ("service-nodeports", "a node port")):
        elements = table.maps.get(name, {})
        mine = [
            Branch(key.replace(" . ", " · "), "", "chain", None, (_chain(to, table, 1),))
            for key, to in sorted(elements.items())
            if f"-{service}/" in to
        ]
        if mine or name == "service-ips":
            note = f"{what} → a chain: one look-up among {len(elements)}"
            below.append(Branch(f"map {name}", note, "map", None, tuple(mine)))
    for name in ("no-endpoint-services", "no-endpoint-nodeports"):
        elements = table.maps.get(name, {})
        if elements:
            note = f"filter hooks: {len(elements)} Services without endpoints are refused or dropped"
            below.append(Branch(f"map {name}", note, "map"))
    services = Branch("services", "", "chain", None, tuple(below))
    hooks = Branch("nat prerouting, output", "a Pod's packet, a process of the node", "hook", None, (services,))
    return (hooks, _leaving(table))


def _leaving(table: Table) -> Branch:
    hairpins = len(table.sets.get("hairpin-connections", []))
    below = (
        Branch("masquerade", "with the mark 0x4000: the node's address", "mark"),
        Branch("set hairpin-connections", f"a Pod that reached itself, {hairpins} known: masquerade", "mark"),
    )
    return Branch(
        "nat postrouting", "on its way out", "hook", None, (Branch("masquerading", "", "chain", None, below),)
    )


def _chain(name: str, table: Table, depth: int) -> Branch:
    lines = table.chains.get(name)
    if lines is None:
        return Branch(name, "there is no such chain", "end")
    if depth >= _DEEPEST:
        return Branch(name, "…", "other")
    below = tuple(b for line in lines for b in _rule(line, table, depth))
    return Branch(name, "" if below else "empty", "chain" if below else "end", None, below)


def _rule(line: str, table: Table, depth: int) -> list[Branch]:
    dice = _DICE.search(line)
    if dice:
        legs = [_leg(e, table, depth) for e in dice[2].split(",")]
        return [Branch(f"numgen random mod {dice[1]}", f"one throw, {dice[1]} equal sides", "map", None, tuple(legs))]
    onward = re.search(r"\b(?:goto|jump) (\S+)", line)
    when = re.sub(r'\s*comment ".*"|\b(?:goto|jump) \S+', "", line).strip()
    if onward and onward[1] in table.chains and not onward[1].startswith(("mark-", "reject-")):
        inner = _chain(onward[1], table, depth + 1)
        return [Branch(inner.head, when or inner.note, inner.kind, None, inner.below)]
    to = re.search(r"dnat (?:ip )?to (\S+)", line)
    if to:
        return [Branch(f"dnat to {to[1]}", "", "leg")]
    if "mark set" in line:
        return [Branch("mark 0x4000", _condition(line), "mark")]
    return [Branch(line, "", "end" if re.search(r"\b(drop|reject)\b", line) else "other")]


def _leg(element: str, table: Table, depth: int) -> Branch:
    number, _, to = (part.strip() for part in element.partition(" : "))
    if to.startswith("goto "):
        name = to.removeprefix("goto ")
        address = name.rpartition("__")[2].replace("/", ":")
        return Branch(f"{number} → dnat to {address}", name, "leg")
    return Branch(f"{number} → dnat to {to.replace(' . ', ':')}", "", "leg")


def _condition(line: str) -> str:
    return re.sub(r'\s*(meta mark set .*|comment ".*")', "", line).strip() or "always"


def _element(text: str) -> tuple[str, str]:
    key, _, verdict = text.partition(" : ")
    return key.strip(), verdict.strip().removeprefix("goto ").strip()
