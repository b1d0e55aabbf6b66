"""A walk as data: what `podwalk trace --json` prints and what drawings and checkers read.

`Walk.as_dict` is the schema, field by field as documented here; fields may be added, none changes its meaning.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Header:
    """Source and destination of a packet; ports are 0 where the protocol has none, the identifier for an echo."""

    src: str
    sport: int
    dst: str
    dport: int

    def __str__(self) -> str:
        if not self.dport and not self.sport:
            return f"{self.src} → {self.dst}"
        return f"{self.src}:{self.sport} → {self.dst}:{self.dport}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that the packet matched, in the words of iptables-save (tables of iptables) or of `nft list ruleset`."""

    table: str
    chain: str
    text: str
    verdict: str
    """accept, drop, continue, return, jump or goto; drop is also what a REJECT ends with."""
    to: str = ""
    """The chain of a jump or goto."""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Address translation: ``kind`` is DNAT or SNAT, ``back`` where a reply gets the old address again."""

    kind: str
    before: str
    after: str
    back: bool = False


@dataclass(frozen=True, slots=True)
class Encapsulation:
    """The outer header on the wire: ``kind`` is vxlan or ipip; ``vni`` 0 for the latter."""

    kind: str
    outer: Header
    vni: int = 0


@dataclass(frozen=True, slots=True)
class Route:
    """The kernel's answer to "where to?": a FIB entry, or the ``error`` with which it refuses (an errno name)."""

    to: str
    prefix: str = ""
    via: str = ""
    device: str = ""
    kind: str = ""
    """unicast, local, blackhole, unreachable, prohibit, …"""
    table: str = ""
    error: str = ""

    def __str__(self) -> str:
        if self.error:
            return f"{self.to}: {self.error}"
        kind = "" if self.kind == "unicast" else f"{self.kind} "
        return (
            f"{kind}{self.prefix}{f' via {self.via}' if self.via else ''}{f' dev {self.device}' if self.device else ''}"
        )


@dataclass(slots=True)
class Hop:
    """One station of the packet."""

    number: int
    micros: int
    """Since the first hop. Hooks have no clock of their own: theirs is that of the frame before them."""
    direction: str
    """request, reply, or error (an ICMP message about the request)."""
    place: str
    """A node's name, or "outside"."""
    namespace: str
    """The Pod as namespace/name; empty in the node's own network namespace."""
    kind: str
    """in (a frame arrives), out (a frame leaves), hook (netfilter), route."""
    packet: Header
    device: str = ""
    incoming: str = ""
    """The device a packet in a hook came in by."""
    hook: str = ""
    rules: list[Rule] = field(default_factory=list)
    rewrite: Rewrite | None = None
    encapsulation: Encapsulation | None = None
    route: Route | None = None
    neighbour: str = ""
    """Who the next receiver on the wire is, from the neighbour (ARP) and forwarding (FDB) tables."""
    macs: tuple[str, str] = ("", "")
    """Source and destination of the frame."""
    mark: int = 0
    dropped: bool = False
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One question to a name server, and its answer."""

    name: str
    server: str
    answer: str
    addresses: tuple[str, ...] = ()
    micros: int = 0


@dataclass(frozen=True, slots=True)
class Names:
    """How the URL's name became an address; all empty where the URL has an address."""

    name: str = ""
    address: str = ""
    file: str = ""
    """/etc/hosts, where that had the answer."""
    attempts: tuple[Attempt, ...] = ()
    search: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Connection:
    """A conntrack entry that remembers the walk."""

    place: str
    namespace: str
    original: Header
    reply: Header
    state: str
    replied: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it ended.

    ``outcome`` is answered, refused (a reset of the addressed kernel), rejected (by a rule), dropped (by a rule), lost
    (without a rule) or unresolved; ``cause`` is a word for machines: rule, no-listener, no-endpoints, no-route,
    no-rule, no-neighbour, no-tunnel-entry, no-tunnel-end, wrong-vtep, rp-filter, not-forwarding, dead-node, mtu,
    data-lost, silent, no-such-name, no-name-server, name-server-silent, unknown, or empty.
    """

    outcome: str
    sentence: str
    cause: str = ""
    direction: str = ""
    place: str = ""
    namespace: str = ""
    device: str = ""
    hook: str = ""
    rule: Rule | None = None
    hop: int = 0
    """The number of the last hop that the lost packet was seen at; 0 where none was."""
    see_it: str = ""
    """A command that shows the cause."""


@dataclass(slots=True)
class Walk:
    """One followed connection."""

    source: str
    url: str
    protocol: str
    """tcp, udp or icmp."""
    address: str
    port: int
    names: Names
    hops: list[Hop]
    verdict: Verdict
    connections: list[Connection] = field(default_factory=list)
    answer: str = ""
    """What the server said: the status line of HTTP and the beginning of its body, or the answer's text."""
    unseen: list[str] = field(default_factory=list)
    """What could not be seen, one sentence each."""
    owners: dict[str, str] = field(default_factory=dict)
    """Whose the addresses are: "pod ns/name", "service ns/name", "node name"."""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data for --json."""
        return asdict(self)
