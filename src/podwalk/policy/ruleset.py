"""A node's nftables table as data, and the commands that turn one state of it into the next. Pure.

Only differences are written, so that counters live on and a change of one label costs one element. Every group of
commands is one thing that must not be torn apart; groups are packed into transactions that the kernel accepts from an
ordinary user too (its netlink buffer is limited without CAP_NET_ADMIN in the first user namespace).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

TABLE = "podwalk-policy"
# nft's own limits: 255 bytes for a name, 127 for a comment.
_MAX_NAME = 200
_MAX_COMMENT = 120
# What fits the default send buffer of 208 KiB with room to spare, counted in rules; an element weighs a quarter.
_TRANSACTION = 120
_ELEMENTS_A_LINE = 100
# The priorities put policy before the filter table's own FORWARD chain, so that nothing accepts earlier.
_EGRESS_PRIORITY, _INGRESS_PRIORITY = -20, -19


@dataclass(frozen=True, slots=True)
class Set:
    """A named set: its type, what it holds in words, its elements."""

    type: str
    comment: str
    elements: frozenset[str]


@dataclass(slots=True)
class Ruleset:
    """The whole table. ``egress`` and ``ingress`` are the verdict maps: Pod address to that Pod's chain."""

    sets: dict[str, Set] = field(default_factory=dict)
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    counters: set[str] = field(default_factory=set)
    egress: dict[str, str] = field(default_factory=dict)
    ingress: dict[str, str] = field(default_factory=dict)

    @property
    def rules(self) -> int:
        """How many rules there are."""
        return sum(len(lines) for lines in self.chains.values())


def name(*parts: str) -> str:
    """An nft identifier: the parts joined by slashes, shortened by a hash where nft would refuse its length."""
    joined = "/".join(parts)
    return joined if len(joined) <= _MAX_NAME else f"{joined[: _MAX_NAME - 11]}-{digest(joined)}"


def digest(text: str) -> str:
    """Ten characters that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def comment(text: str) -> str:
    """A comment as nft takes it: quoted, and short enough."""
    clean = "".join(c if c.isprintable() else " " for c in text.replace('"', "'").replace("\\", "/"))
    return f'"{clean if len(clean) <= _MAX_COMMENT else clean[: _MAX_COMMENT - 3] + "..."}"'


def changes(old: Ruleset | None, new: Ruleset) -> list[str]:
    """The transactions (texts for ``nft -f -``) that lead from ``old`` to ``new``; without ``old`` from nothing.

    The order keeps what is denied denied between two transactions: what rules refer to comes first, then the rules,
    then the maps that lead to them; what nobody refers to any more goes last.
    """
    groups: list[list[str]] = []
    if old is None:
        groups.append(_base())
    before = old or Ruleset()
    groups += _added_objects(before, new)
    groups += _chains(before, new)
    groups += _map("egress-pods", before.egress, new.egress)
    groups += _map("ingress-pods", before.ingress, new.ingress)
    groups += _removed_objects(before, new)
    return _pack(groups)


def _base() -> list[str]:
    """An empty table: two chains, so that accepting what leaves one Pod does not yet accept what enters another."""
    table = f"table ip {TABLE}"
    lines = [f"add {table}", f"delete {table}", f"add {table}"]
    for way, address, priority in (("egress", "saddr", _EGRESS_PRIORITY), ("ingress", "daddr", _INGRESS_PRIORITY)):
        lines += [
            f"add map ip {TABLE} {way}-pods {{ type ipv4_addr : verdict; }}",
            f"add chain ip {TABLE} {way} {{ type filter hook forward priority {priority}; policy accept; }}",
            f"add rule ip {TABLE} {way} ct state established,related accept",
            f"add rule ip {TABLE} {way} ip {address} vmap @{way}-pods",
        ]
    return lines


def _added_objects(old: Ruleset, new: Ruleset) -> list[list[str]]:
    groups = [[f"add counter ip {TABLE} {c}"] for c in sorted(new.counters - old.counters)]
    for set_name, wanted in sorted(new.sets.items()):
        known = old.sets.get(set_name)
        if known is None:
            head = f"type {wanted.type}; comment {comment(wanted.comment)};"
            groups.append([f"add set ip {TABLE} {set_name} {{ {head} }}"])
        present = known.elements if known else frozenset()
        groups += _elements("add", set_name, wanted.elements - present)
    return groups


def _elements(verb: str, set_name: str, elements: Iterable[str]) -> list[list[str]]:
    ordered = sorted(elements)
    slices = (ordered[i : i + _ELEMENTS_A_LINE] for i in range(0, len(ordered), _ELEMENTS_A_LINE))
    return [[f"{verb} element ip {TABLE} {set_name} {{ {', '.join(part)} }}"] for part in slices]


def _chains(old: Ruleset, new: Ruleset) -> list[list[str]]:
    changed = [c for c, lines in new.chains.items() if old.chains.get(c) != lines]
    groups = [[f"add chain ip {TABLE} {c}"] for c in changed if c not in old.chains]
    for chain in changed:
        flush = [f"flush chain ip {TABLE} {chain}"] if chain in old.chains else []
        rules = [f"add rule ip {TABLE} {chain} {line}" for line in new.chains[chain]]
        # A policy only allows, so half of one is stricter than all of it; other chains must not be seen half written.
        step = _TRANSACTION - 1 if chain.startswith("policy-") else max(len(rules), 1)
        groups.append(flush + rules[:step])
        groups += [rules[i : i + step] for i in range(step, len(rules), step)]
    return groups


def _map(map_name: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[list[str]]:
    groups = []
    for ip in sorted({*old, *new}):
        if old.get(ip) == new.get(ip):
            continue
        group = [f"delete element ip {TABLE} {map_name} {{ {ip} }}"] if ip in old else []
        if ip in new:
            group.append(f"add element ip {TABLE} {map_name} {{ {ip} : jump {new[ip]} }}")
        groups.append(group)
    return groups


def _removed_objects(old: Ruleset, new: Ruleset) -> list[list[str]]:
    gone = [c for c in old.chains if c not in new.chains]
    groups = [[f"flush chain ip {TABLE} {c}"] for c in gone]
    groups += [[f"delete chain ip {TABLE} {c}"] for c in gone]
    for set_name, known in sorted(old.sets.items()):
        if set_name not in new.sets:
            groups.append([f"delete set ip {TABLE} {set_name}"])
        else:
            groups += _elements("delete", set_name, known.elements - new.sets[set_name].elements)
    return groups + [[f"delete counter ip {TABLE} {c}"] for c in sorted(old.counters - new.counters)]


def _pack(groups: Sequence[Sequence[str]]) -> list[str]:
    transactions: list[list[str]] = []
    weight = float(_TRANSACTION)
    for group in groups:
        own = sum(1 + line.count(",") / 4 for line in group)
        if weight + own > _TRANSACTION:
            transactions.append([])
            weight = 0.0
        transactions[-1] += group
        weight += own
    return ["\n".join(lines) + "\n" for lines in transactions]
