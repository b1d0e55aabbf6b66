"""A packet on its way through rendered rules, without a kernel.

Understands the matches and targets that kube-proxy uses, and fails on any other. Where chance decides, every
way is taken.
"""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace

from podwalk.proxy import render
from podwalk.proxy.render import Chains, Ruleset


@dataclass(frozen=True)
class Packet:
    """The first packet of a connection."""

    source: str
    destination: str
    port: int
    protocol: str = "tcp"
    marked: bool = False
    translated: bool = False


@dataclass(frozen=True)
class Outcome:
    """``target`` is the address where the packet goes, or ``refused``, ``dropped``, ``untouched``."""

    target: str
    masqueraded: bool


def trace(rules: Ruleset, packet: Packet, node_ip: str) -> set[Outcome]:
    """Every outcome that is possible for a new connection."""
    walker = _Walker(node_ip)
    out = set()
    for verdict, after in walker.walk(rules.nat, render.NAT_JUMPS["PREROUTING"], packet):
        translated = verdict.startswith("DNAT ")
        if translated:
            target, _, port = verdict.removeprefix("DNAT ").partition(":")
            after = replace(after, destination=target, port=int(port))
        hook = "FORWARD"
        if packet.source == node_ip:
            hook = "OUTPUT"
        elif after.destination == node_ip:
            hook = "INPUT"
        for filtered, _ in walker.walk(rules.filter, render.FILTER_JUMPS[hook], after):
            if filtered in ("REJECT", "DROP"):
                out.add(Outcome("refused" if filtered == "REJECT" else "dropped", False))
            else:
                out.add(Outcome(after.destination if translated else "untouched", translated and after.marked))
    return out


class _Walker:
    def __init__(self, node_ip: str) -> None:
        self._local = {node_ip, "127.0.0.1"}

    def walk(self, chains: Chains, rules: list[str], packet: Packet) -> Iterator[tuple[str, Packet]]:
        """Yield (verdict, packet) of every way through; a verdict is "" where the packet falls off the end."""
        for index, text in enumerate(rules):
            rest = rules[index + 1 :]
            matches, sure, target = self._match(shlex.split(text), packet)
            if not matches:
                continue
            if target == "MARK":
                packet = replace(packet, marked=text.endswith("0x4000/0x4000"))
                continue
            if target == "":
                continue
            if target == "RETURN":
                yield "", packet
                return
            if target in chains:
                for verdict, after in self.walk(chains, chains[target], packet):
                    if verdict:
                        yield verdict, after
                    else:
                        yield from self.walk(chains, rest, after)
            else:
                yield target, packet
            if sure:
                return
        yield "", packet

    def _match(self, words: list[str], packet: Packet) -> tuple[bool, bool, str]:
        """(whether the rule matches, whether that is certain, its target)."""
        sure, inverted, target = True, False, ""
        at = iter(words)
        for word in at:
            if word == "!":
                inverted = True
                continue
            holds = True
            if word in ("-s", "-d"):
                address = packet.source if word == "-s" else packet.destination
                holds = ipaddress.IPv4Address(address) in ipaddress.IPv4Network(next(at))
            elif word == "-p":
                holds = next(at) == packet.protocol
            elif word == "--dport":
                holds = int(next(at)) == packet.port
            elif word == "--ctstate":
                holds = "NEW" in next(at).split(",")
            elif word == "--mark":
                next(at)
                holds = packet.marked
            elif word in ("--dst-type", "--src-type"):
                assert next(at) == "LOCAL"
                holds = (packet.destination if word == "--dst-type" else packet.source) in self._local
            elif word == "--rcheck":
                holds = False  # nobody has been here before
            elif word == "--probability":
                next(at)
                sure = False
            elif word == "-j":
                target = next(at)
            elif word == "--to-destination":
                target = f"DNAT {next(at)}"
            elif word in ("-m", "--comment", "--mode", "--seconds", "--name", "--mask", "--reject-with", "--set-xmark"):
                next(at)
            elif word not in ("--set", "--reap", "--rsource", "--random-fully"):
                raise AssertionError(f"the simulator does not know {word!r} in {words}")
            if holds == inverted:
                return False, True, ""
            inverted = False
        return True, sure, target
