"""From the handle of a rule, which is all that a trace names, to the text a learner can find again.

Tables that iptables-nft manages are told in the words of iptables-save: the rules of a chain have the same order in
both listings. Everything else is told as nft lists it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from podwalk.trace.model import Rule

_HOOK = re.compile(r"type (\w+) hook (\w+) .*?priority ([^;]+);")
_HANDLE = re.compile(r"\s*# handle (\d+)$")
_CHAIN = re.compile(r"chain (\S+) \{")
_COUNTERS = re.compile(r" ?counter packets \d+ bytes \d+")
_IPTABLES_COMMENT = re.compile(r'--comment (?:"((?:[^"\\]|\\.)*)"|(\S+))')
_NFT_COMMENT = re.compile(r'comment "([^"]*)"')
_DNAT = re.compile(r"(?:--to-destination|dnat (?:ip )?to) (\d+\.\d+\.\d+\.\d+)(?::(\d+))?")
_KUBE_PROXY_FILTERS = ("has no endpoints",)


class Rules:
    """The rules of one network namespace, by table, chain and handle."""

    def __init__(self, listings: Mapping[str, str]) -> None:
        self._text: dict[tuple[str, str, int], str] = {}
        self._hooks: dict[tuple[str, str], str] = {}
        for key, listing in listings.items():
            kind, _, rest = key.partition(" ")
            if kind == "nft":
                table = rest.partition(" ")[2]
                self._read(table, listing, listings.get(f"iptables {table}", ""))

    def _read(self, table: str, listing: str, iptables: str) -> None:
        legible = _iptables_chains(iptables)
        chains: dict[str, list[tuple[int, str]]] = {}
        chain = ""
        for line in listing.splitlines():
            if found := _CHAIN.search(line):
                chain = found[1]
                chains[chain] = []
            elif chain and (found := _HOOK.search(line)):
                self._hooks[table, chain] = found[2]
            elif chain and (found := _HANDLE.search(line)):
                words = _COUNTERS.sub("", _HANDLE.sub("", line)).strip()
                chains[chain].append((int(found[1]), " ".join(words.split())))
            elif line.strip() == "}":
                chain = ""
        for name, rules in chains.items():
            lines = legible.get(name, [])
            for index, (handle, words) in enumerate(rules):
                self._text[table, name, handle] = lines[index] if len(lines) == len(rules) else words

    def hook(self, table: str, chain: str) -> str:
        """The hook of a base chain; the chain itself in lower case where it is not known (iptables names it so)."""
        return self._hooks.get((table, chain)) or chain.lower()

    def rule(self, table: str, chain: str, handle: int, verdict: str, to: str) -> Rule:
        """The rule with this handle."""
        words = self._text.get((table, chain, handle), f"rule {handle} (not listed any more)")
        return Rule(table, chain, words, verdict, to, comment_of(words))


def _iptables_chains(saved: str) -> dict[str, list[str]]:
    chains: dict[str, list[str]] = {}
    for line in saved.splitlines():
        if line.startswith("-A "):
            chains.setdefault(line.split(" ", 2)[1], []).append(line)
    return chains


def comment_of(words: str) -> str:
    """The comment of a rule; empty where it has none."""
    found = _IPTABLES_COMMENT.search(words)
    if found:
        return (found[1] or found[2]).replace('\\"', '"')
    found = _NFT_COMMENT.search(words)
    return found[1] if found else ""


def dnat_of(rule: Rule) -> tuple[str, int] | None:
    """The new destination in a DNAT rule; port 0 where it keeps the port."""
    found = _DNAT.search(rule.text)
    return (found[1], int(found[2] or 0)) if found else None


def rejects(rule: Rule) -> bool:
    """Whether a rule answers instead of being silent."""
    words = rule.text.lower()
    return "-j reject" in words or re.search(r"\breject\b", words) is not None


def is_no_endpoints(rule: Rule) -> bool:
    """Whether it is kube-proxy's answer for a Service without endpoints."""
    return any(w in rule.text for w in _KUBE_PROXY_FILTERS) or "no-endpoint" in f"{rule.chain} {rule.text}"


def masquerades(rule: Rule) -> bool:
    """Whether it gives the packet this node's own address as source."""
    return "masquerade" in rule.text.lower()
