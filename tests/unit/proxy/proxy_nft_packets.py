"""A packet on its way through kube-proxy's nftables table, read from the text that nft is fed, without a kernel.

Understands the statements that kube-proxy uses, and fails on any other. Where chance decides, every way is taken.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from proxy_packets import Outcome, Packet

_LOCAL = "local"


@dataclass
class Ruleset:
    """The table as commands built it: chain -> rules, set or map -> key -> verdict (empty for a set)."""

    chains: dict[str, list[str]] = field(default_factory=dict)
    elements: dict[str, dict[str, str]] = field(default_factory=dict)

    def run(self, script: str) -> None:
        """Obey the commands of one transaction as far as they concern the table ip kube-proxy."""
        for line in script.splitlines():
            verb, what, family, _, *rest = [*line.split(None, 5), "", ""]
            if family != "ip" or what == "table":
                continue
            name, body = rest[0], rest[1]
            if what == "chain":
                self._chain(verb, name)
            elif what in ("set", "map"):
                self.elements[name] = {}
                if verb == "delete":
                    del self.elements[name]
                    used = [c for c, rules in self.chains.items() if any(f"@{name} " in rule for rule in rules)]
                    assert not used, f"{name} is in use by {used}"
            elif what == "rule":
                self._check_references(body)
                self.chains[name].append(body)
            else:
                self._element(verb, name, body.strip("{} "))

    def _chain(self, verb: str, name: str) -> None:
        if verb == "delete":
            assert not self.chains.pop(name), f"{name} is not empty"
        elif verb == "flush":
            self.chains[name] = []
        else:
            self.chains.setdefault(name, [])

    def _check_references(self, rule: str) -> None:
        """As nft: what a rule speaks of must exist."""
        for name in re.findall(r"(?:goto|jump) ([^ ,]+)", rule):
            assert name in self.chains, f"no chain {name}"
        for name in re.findall(r"@([^ ]+)", rule):
            assert name in self.elements, f"no set {name}"

    def _element(self, verb: str, name: str, body: str) -> None:
        found = re.fullmatch(r'(.*?)( comment "[^"]*")?( : (.*))?', body)
        assert found
        key = found[1].strip()
        if verb == "delete":
            del self.elements[name][key]
        else:
            self.elements[name][key] = found[4] or ""


def trace(rules: Ruleset, packet: Packet, node_ip: str) -> set[Outcome]:
    """Every outcome that is possible for a new connection."""
    local = packet.source == node_ip
    walker = _Walker(rules, node_ip)
    out = set()
    before = "filter-output-pre-dnat" if local else "filter-prerouting-pre-dnat"
    if _verdict(walker, before, packet) == "drop":
        return {Outcome("dropped", False)}
    for verdict, after in walker.walk(rules.chains["nat-output" if local else "nat-prerouting"], packet):
        translated = verdict.startswith("dnat ")
        arrived = after
        if translated:
            ip, _, port = verdict.removeprefix("dnat ").partition(":")
            arrived = replace(after, destination=ip, port=int(port))
        here = arrived.destination == node_ip or arrived.destination.startswith("127.")
        hook = "filter-output" if local else "filter-input" if here else "filter-forward"
        filtered = _verdict(walker, hook, arrived)
        if filtered in ("reject", "drop"):
            out.add(Outcome("refused" if filtered == "reject" else "dropped", False))
            continue
        masqueraded = translated and _verdict(walker, "nat-postrouting", replace(arrived, translated=True)) != ""
        out.add(Outcome(arrived.destination if translated else "untouched", masqueraded))
    return out


def _verdict(walker: _Walker, chain: str, packet: Packet) -> str:
    (found,) = {verdict for verdict, _ in walker.walk(walker.rules.chains[chain], packet)}
    return found


class _Walker:
    def __init__(self, rules: Ruleset, node_ip: str) -> None:
        self.rules = rules
        self._local = {node_ip, "127.0.0.1"}

    def walk(self, rules: list[str], packet: Packet) -> Iterator[tuple[str, Packet]]:
        """Yield (verdict, packet) of every way through; a verdict is "" where the packet falls off the end."""
        for index, text in enumerate(rules):
            for verdict, after in self._rule(text, packet):
                if verdict.startswith(("goto ", "jump ")):
                    kind, chain = verdict.split()
                    for inner, last in self.walk(self.rules.chains[chain], after):
                        if inner or kind == "goto":
                            yield inner, last
                        else:
                            yield from self.walk(rules[index + 1 :], last)
                    return_here = True
                elif verdict:
                    yield verdict, after
                    return_here = True
                else:
                    packet, return_here = after, False
            if return_here:
                return
        yield "", packet

    def _rule(self, text: str, packet: Packet) -> list[tuple[str, Packet]]:
        """What one rule does: the possible (verdict, packet); verdict "" lets the packet go on."""
        words = shlex.split(text)
        while words:
            took, holds = self._match(words, packet)
            if took:
                if not holds:
                    return [("", packet)]
                words = words[took:]
            elif words[:4] == ["meta", "mark", "set", "meta"]:
                packet = replace(packet, marked=words[5] == "or")
                words = words[7:]
            elif words[0] == "update":
                words = words[words.index("}") + 1 :]
            elif words[0] == "comment":
                words = words[2:]
            else:
                return self._verdicts(words, packet)
        return [("", packet)]

    def _verdicts(self, words: list[str], packet: Packet) -> list[tuple[str, Packet]]:
        if "vmap" in words and "numgen" not in words:
            at = words.index("vmap")
            found = self.rules.elements[words[at + 1].lstrip("@")].get(self._key(words[:at], packet))
            return [(found or "", packet)]
        if "numgen" in words:
            inside = " ".join(words[words.index("{") + 1 : -1])
            targets = [part.split(" : ")[1].strip() for part in inside.split(",")]
            assert int(words[words.index("mod") + 1]) == len(targets)
            if words[0] == "dnat":
                targets = [f"dnat {target.replace(' . ', ':')}" for target in targets]
            return [(target, packet) for target in targets]
        if words[:2] == ["dnat", "to"]:
            return [(f"dnat {words[2]}", packet)]
        if words[0] in ("goto", "jump"):
            return [(f"{words[0]} {words[1]}", packet)]
        assert words[0] in ("drop", "reject", "masquerade"), f"the simulator does not know {words}"
        return [(words[0], packet)]

    def _match(self, words: list[str], packet: Packet) -> tuple[int, bool]:
        """(how many words the match at the front takes, whether it holds); 0 words where there is no match."""
        if words[:3] == ["ct", "state", "new"]:
            return 3, True
        if words[:3] == ["ct", "status", "dnat"]:
            return 3, packet.translated
        if words[:3] == ["meta", "mark", "and"]:
            return 6, packet.marked
        if words[0] == "fib":
            assert words[2:4] == ["type", _LOCAL]
            return 4, (packet.source if words[1] == "saddr" else packet.destination) in self._local
        if words[0] == "ip" and "vmap" not in words[2:4] and words[2] != ".":
            return self._address(words, packet)
        if words[:2] == ["meta", "l4proto"] and words[2] != ".":
            return 3, words[2] == packet.protocol
        if words[:2] == ["ip", "saddr"] and words[2] == ".":
            at = next(i for i, word in enumerate(words) if word.startswith("@"))
            return at + 1, self._key(words[:at], packet) in self.rules.elements[words[at][1:]]
        return 0, True

    def _address(self, words: list[str], packet: Packet) -> tuple[int, bool]:
        address = packet.source if words[1] == "saddr" else packet.destination
        rest = words[2:]
        inverted = rest[0] == "!="
        took = 3 if inverted else 2
        rest = rest[inverted:]
        if rest[0] == "{":
            end = rest.index("}")
            networks = [word.rstrip(",") for word in rest[1:end]]
            took, holds = took + end + 1, any(_inside(address, network) for network in networks)
        elif rest[0].startswith("@"):
            took, holds = took + 1, address in self.rules.elements[rest[0][1:]]
        else:
            took, holds = took + 1, _inside(address, rest[0])
        return took, holds != inverted

    def _key(self, words: list[str], packet: Packet) -> str:
        values = {
            "ip saddr": packet.source,
            "ip daddr": packet.destination,
            "meta l4proto": packet.protocol,
            "th dport": str(packet.port),
        }
        return " . ".join(values[part.strip()] for part in " ".join(words).split(" . "))


def _inside(address: str, network: str) -> bool:
    return ipaddress.IPv4Address(address) in ipaddress.IPv4Network(network)
