"""What to feed ``iptables-restore --noflush`` so that the kernel's chains become the wanted ones.

Pure. Upstream (pkg/proxy/iptables/proxier.go) writes one transaction per sync. The kernel limits an unprivileged
netlink transaction to the socket's send buffer, which some fifty Services fill, so a big change is cut into several
here: callees before callers and removals last, so that every commit leaves rules that work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from podwalk.proxy import names, render
from podwalk.proxy.model import Node
from podwalk.proxy.render import Chains, Ruleset

# Chains and rules in one transaction. Of rules with a comment, which the kernel keeps in 256 bytes each whatever its
# length, 300 are too many.
BUDGET = 200

_TABLES = ("filter", "nat")
_CALLEES_FIRST = (
    names.ENDPOINT_PREFIX,
    names.SERVICE_PREFIX,
    names.LOCAL_PREFIX,
    names.EXTERNAL_PREFIX,
    names.FIREWALL_PREFIX,
)


@dataclass
class Existing:
    """What iptables-save shows: per table, the names of its chains and the rules of the kernel's own chains."""

    chains: dict[str, set[str]] = field(default_factory=lambda: {table: set() for table in (*_TABLES, "mangle")})
    rules: dict[str, set[str]] = field(default_factory=lambda: {table: set() for table in (*_TABLES, "mangle")})


def parse_save(text: str) -> Existing:
    """Read the output of iptables-save."""
    existing, table = Existing(), ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
            existing.chains.setdefault(table, set())
            existing.rules.setdefault(table, set())
        elif line.startswith(":"):
            existing.chains[table].add(line[1:].split()[0])
        elif line.startswith("-A "):
            existing.rules[table].add(line[3:])
    return existing


def base(existing: Existing) -> str:
    """Make what is missing of the canaries, the fixed chains and the jumps from the kernel's chains; "" if nothing is.

    Jumps are put in front of foreign rules, as kube-proxy does (EnsureRule with Prepend).
    """
    empty = render.render([], Node("", "0.0.0.0"), "0.0.0.0/0")
    out = []
    if names.CANARY not in existing.chains["mangle"]:
        out.append(_section("mangle", [f":{names.CANARY} - [0:0]"]))
    for table, wanted, jumps in (
        ("filter", empty.filter, render.FILTER_JUMPS),
        ("nat", empty.nat, render.NAT_JUMPS),
    ):
        lines = [f":{chain} - [0:0]" for chain in wanted if chain not in existing.chains[table]]
        for chain, rules in jumps.items():
            missing = [rule for rule in rules if f"{chain} {rule}" not in existing.rules[table]]
            lines += [f"-I {chain} {rule}" for rule in reversed(missing)]
        if lines:
            out.append(_section(table, lines))
    return "".join(out)


def changes(applied: Ruleset | None, wanted: Ruleset, existing: Existing | None = None, budget: int = BUDGET) -> str:
    """The input that brings ``applied`` (None: unknown, write everything) to ``wanted``; "" where they are equal.

    ``existing`` names the chains that a full write finds in the kernel, so that those of former Services go.
    """
    out = []
    for table in _TABLES:
        before: Chains = getattr(applied, table) if applied else {}
        after: Chains = getattr(wanted, table)
        changed = {chain: rules for chain, rules in after.items() if before.get(chain) != rules}
        stale = set(before) - set(after)
        if existing is not None:
            stale |= {c for c in existing.chains[table] if c.startswith(names.PREFIXES) and c not in after}
        out += [_section(table, lines) for lines in _packed(changed, sorted(stale, key=_rank), budget)]
    return "".join(out)


def _section(table: str, lines: Iterable[str]) -> str:
    return "\n".join([f"*{table}", *lines, "COMMIT", ""])


def _rank(chain: str) -> tuple[int, str]:
    """Sorts callees before callers: helpers, endpoints, Services, and last the chains where everybody enters."""
    for index, prefix in enumerate(_CALLEES_FIRST):
        if chain.startswith(prefix):
            return index + 1, chain
    entrance = chain in (names.SERVICES, names.NODEPORTS, names.EXTERNAL_SERVICES)
    return (len(_CALLEES_FIRST) + 1 if entrance else 0), chain


def _packed(changed: Chains, stale: list[str], budget: int) -> Iterator[list[str]]:
    """Cut the work into lists of lines of at most ``budget`` lines each.

    Only a chain that alone is longer than the budget is filled over several commits.
    """
    declared: list[str] = []
    rules: list[str] = []
    for chain in sorted(changed, key=_rank):
        fresh = [f"-A {chain} {rule}" for rule in changed[chain]]
        if declared and len(declared) + len(rules) + 1 + len(fresh) > budget:
            yield declared + rules
            declared, rules = [], []
        declared.append(f":{chain} - [0:0]")
        rules += fresh
        while len(declared) + len(rules) > budget:
            cut = max(budget - len(declared), 1)
            yield declared + rules[:cut]
            declared, rules = [], rules[cut:]
    callers_first = stale[::-1]
    # Emptied in the same commit as their callers' new rules where they fit, so that nothing points at them any more.
    while callers_first:
        room = max((budget - len(declared) - len(rules)) // 2, 0)
        now, callers_first = callers_first[:room], callers_first[room:]
        removals = [f"-X {chain}" for chain in now]
        yield [*declared, *(f":{chain} - [0:0]" for chain in now), *rules, *removals]
        declared, rules = [], []
    if declared or rules:
        yield declared + rules


_FAILED_LINE = re.compile(r"(?:line:? )(\d+)")


def failing_line(stderr: str, text: str) -> str | None:
    """The line of the input that an error message of iptables-restore names, if it names one."""
    found = _FAILED_LINE.search(stderr)
    lines = text.splitlines()
    if found is None or not 0 < int(found[1]) <= len(lines):
        return None
    return lines[int(found[1]) - 1]
