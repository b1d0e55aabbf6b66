"""A Service's rules in iptables mode, read from ``iptables-save -c``: the chains of pkg/proxy/iptables as a tree."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from podwalk.views.rule_tree import Branch

_OURS = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-SEP-", "KUBE-FW-")
_DEEPEST = 6


@dataclass(frozen=True, slots=True)
class Saved:
    """One ``-A`` line: the packets it has met, its chain, target, options (``!`` in front of negated ones)."""

    packets: int
    chain: str
    target: str
    options: dict[str, str]

    @property
    def comment(self) -> str:
        """Its comment."""
        return self.options.get("--comment", "")


def parse(lines: Iterable[str]) -> list[Saved]:
    """The rules in what ``iptables-save -c`` printed; other lines are skipped."""
    rules = []
    for line in lines:
        found = re.match(r"\[(\d+):\d+\] (-A .*)", line)
        if found:
            rules.append(_rule(int(found[1]), shlex.split(found[2])))
    return rules


def tree(lines: Sequence[str], service: str) -> tuple[Branch, ...]:
    """The tree of a Service (``namespace/name``): from the nat hooks to the rewrites, and the masquerade at the end."""
    rules = parse(lines)
    chains: dict[str, list[Saved]] = {}
    for rule in rules:
        chains.setdefault(rule.chain, []).append(rule)
    named = re.compile(rf"{re.escape(service)}(:\S+)?( |$)")
    entries = [r for r in chains.get("KUBE-SERVICES", ()) if named.match(r.comment)]
    ports = [r for r in chains.get("KUBE-NODEPORTS", ()) if named.match(r.comment)]
    others = len(chains.get("KUBE-SERVICES", ())) - len(entries) - 1
    below = [Branch(f"{max(others, 0)} rules", "for the other Services, asked one after the other", "other")]
    below += [_branch(r, chains, 1) for r in entries]
    if not entries:
        below.append(Branch("no rule", f"nothing in KUBE-SERVICES names {service}", "end"))
    if ports:
        reached = tuple(_branch(r, chains, 2) for r in ports)
        below.append(Branch("KUBE-NODEPORTS", "any address of this node; the last rule", "chain", None, reached))
    services = Branch("KUBE-SERVICES", "the first rule that fits wins", "chain", None, tuple(below))
    there = Branch("nat PREROUTING, OUTPUT", "a Pod's packet, a process of the node", "hook", None, (services,))
    return (there, _leaving(chains))


def _leaving(chains: dict[str, list[Saved]]) -> Branch:
    rules = chains.get("KUBE-POSTROUTING", [])
    below = []
    for rule in rules:
        if rule.target == "RETURN":
            below.append(Branch("RETURN", "without the mark: the source stays as it is", "other", rule.packets))
        elif rule.target == "MASQUERADE":
            below.append(Branch("MASQUERADE", "with the mark 0x4000: the node's address", "mark", rule.packets))
    chain = Branch("KUBE-POSTROUTING", "after routing", "chain", None, tuple(below))
    return Branch("nat POSTROUTING", "on its way out", "hook", None, (chain,))


def _branch(rule: Saved, chains: dict[str, list[Saved]], depth: int) -> Branch:
    when = _when(rule)
    if rule.target == "KUBE-MARK-MASQ":
        who = {k: v for k, v in rule.options.items() if k in ("-s", "!-s", "--src-type")}
        said = _when(Saved(0, rule.chain, "", who))
        return Branch("KUBE-MARK-MASQ", f"{said}: mark it 0x4000", "mark", rule.packets)
    if rule.target == "DNAT":
        return Branch(f"DNAT {rule.options.get('--to-destination', '')}", when, "leg", rule.packets)
    if rule.target.startswith(_OURS) and depth < _DEEPEST:
        if rule.target.startswith("KUBE-SEP-"):
            return _endpoint(rule, chains, when)
        inside = tuple(_branch(r, chains, depth + 1) for r in chains.get(rule.target, ()))
        if not inside:
            inside = (Branch("empty", "nothing rewrites the packet", "end"),)
        return Branch(rule.target, when, "chain", rule.packets, inside)
    kind = "end" if rule.target in ("DROP", "REJECT") else "other"
    return Branch(rule.target or "no target", when, kind, rule.packets)


def _endpoint(rule: Saved, chains: dict[str, list[Saved]], when: str) -> Branch:
    """A leg and its two rules on one line: where it leads, and the mark for a Pod that calls itself."""
    to = next((r.options["--to-destination"] for r in chains.get(rule.target, ()) if r.target == "DNAT"), "")
    if not to:
        return Branch(rule.target, f"{when}; it rewrites nothing", "end", rule.packets)
    return Branch(f"{rule.target}  DNAT {to}", when, "leg", rule.packets)


def _when(rule: Saved) -> str:
    """The conditions of a rule, in few words."""
    o, said = rule.options, []
    for key, words in (("-s", "from {}"), ("!-s", "from anywhere but {}"), ("-d", "to {}")):
        if key in o:
            said.append(words.format(o[key].removesuffix("/32")))
    if "--dport" in o:
        said.append(f"{o.get('-p', '')} port {o['--dport']}".strip())
    if "--src-type" in o:
        said.append("from this node itself")
    if "--rcheck" in o:
        said.append(f"who came here in the last {o.get('--seconds', '?')} s")
    if "--probability" in o:
        said.append(f"probability {float(o['--probability']):.4g}")
    return ", ".join(said) or ("the rest" if rule.target.startswith("KUBE-SEP-") else "always")


def _rule(packets: int, words: list[str]) -> Saved:
    options: dict[str, str] = {}
    negated = ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "!":
            negated = "!"
        elif re.match(r"--?[A-Za-z]", word):
            options[f"{negated}{word}"] = following
            negated = ""
    return Saved(packets, options.get("-A", ""), options.get("-j", options.get("-g", "")), options)
