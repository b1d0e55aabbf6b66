"""The Corefile: server blocks and the plugins in them.

Pure. Upstream: coredns/caddy's caddyfile and each plugin's setup.go; only the plugins that are named here are known.
Raises CorefileError with the texts CoreDNS prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

DEFAULT_PORT = 53
PLUGINS = frozenset(
    ("cache", "errors", "forward", "health", "kubernetes", "loadbalance", "log", "loop", "ready", "reload",
     "prometheus", "bind", "debug", "bufsize", "hosts", "rewrite", "template")
)  # fmt: skip


class CorefileError(ValueError):
    """The Corefile cannot be used."""


@dataclass(frozen=True, slots=True)
class Directive:
    """One plugin line: its arguments and, from its own braces, its options (each a list of words)."""

    name: str
    args: tuple[str, ...]
    options: tuple[tuple[str, ...], ...] = ()
    line: int = 0

    def option(self, name: str) -> tuple[str, ...] | None:
        """The arguments of an option, None where it is not set."""
        return next((words[1:] for words in self.options if words[0] == name), None)


@dataclass(frozen=True, slots=True)
class ServerBlock:
    """One ``ZONE… { … }``: its zones (with a final dot, lower case), its port, its plugins."""

    zones: tuple[str, ...]
    port: int
    directives: tuple[Directive, ...] = field(default=())

    def plugin(self, name: str) -> Directive | None:
        """The plugin of this name, None where the block does not use it."""
        return next((d for d in self.directives if d.name == name), None)

    def plugins(self, name: str) -> list[Directive]:
        """Every use of a plugin."""
        return [d for d in self.directives if d.name == name]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int
    first: bool


def parse(text: str, file: str = "Corefile") -> list[ServerBlock]:
    """Read a Corefile."""
    tokens = list(_tokens(text))
    blocks: list[ServerBlock] = []
    at = 0
    while at < len(tokens):
        keys: list[_Token] = []
        while at < len(tokens) and tokens[at].text != "{":
            keys.append(tokens[at])
            at += 1
        if at == len(tokens):
            raise CorefileError(f"{file}:{tokens[-1].line} - Error during parsing: Unexpected EOF, expecting '{{'")
        directives, at = _directives(tokens, at + 1, file)
        blocks += _server_blocks(keys, directives, file)
    taken: set[tuple[str, int]] = set()
    for block in blocks:
        for zone in block.zones:
            if (zone, block.port) in taken:
                raise CorefileError(f"cannot serve dns://{zone}:{block.port} - it is already defined")
            taken.add((zone, block.port))
    return blocks


def zone_name(text: str) -> str:
    """A zone as it is compared: lower case, final dot; reverse zones may be written as networks."""
    text = text.lower()
    if "/" in text and ":" not in text:
        address, _, bits = text.partition("/")
        octets = address.split(".")[: int(bits) // 8]
        return ".".join([*reversed(octets), "in-addr", "arpa", ""])
    return text if text.endswith(".") else text + "."


def seconds(text: str) -> float:
    """A Go duration such as ``5s``, ``500ms`` or ``1m30s``; a bare number is seconds. Raises ValueError."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    total, number = 0.0, ""
    rest = text
    while rest:
        if rest[0].isdigit() or rest[0] == ".":
            number, rest = number + rest[0], rest[1:]
            continue
        unit = "ms" if rest.startswith("ms") else rest[0]
        total, number, rest = total + float(number) * units.get(unit, float("nan")), "", rest[len(unit) :]
    if total != total:
        raise ValueError(f"time: unknown unit in duration {text!r}")
    return total + (float(number) if number else 0.0)


def _server_blocks(keys: list[_Token], directives: list[Directive], file: str) -> list[ServerBlock]:
    if not keys:
        raise CorefileError(f"{file}:1 - Error during parsing: a server block needs a zone")
    by_port: dict[int, list[str]] = {}
    for key in keys:
        name = key.text.rstrip(",").removeprefix("dns://")
        zone, colon, port = name.rpartition(":")
        if not colon:
            zone, port = name, str(DEFAULT_PORT)
        if not port.isdigit():
            raise CorefileError(f"{file}:{key.line} - Error during parsing: invalid port {port!r} in {key.text!r}")
        by_port.setdefault(int(port), []).append(zone_name(zone or "."))
    return [ServerBlock(tuple(zones), port, tuple(directives)) for port, zones in by_port.items()]


def _directives(tokens: list[_Token], at: int, file: str) -> tuple[list[Directive], int]:
    out: list[Directive] = []
    while True:
        if at >= len(tokens):
            raise CorefileError(f"{file}:{tokens[-1].line} - Error during parsing: Unexpected EOF, expecting '}}'")
        token = tokens[at]
        if token.text == "}":
            return out, at + 1
        if token.text not in PLUGINS:
            raise CorefileError(f"{file}:{token.line} - Error during parsing: Unknown directive '{token.text}'")
        args, at = _words(tokens, at + 1)
        options: list[tuple[str, ...]] = []
        if at < len(tokens) and tokens[at].text == "{":
            options, at = _options(tokens, at + 1, file)
        out.append(Directive(token.text, args, tuple(options), token.line))


def _words(tokens: list[_Token], at: int) -> tuple[tuple[str, ...], int]:
    words = []
    while at < len(tokens) and not tokens[at].first and tokens[at].text not in ("{", "}"):
        words.append(tokens[at].text)
        at += 1
    return tuple(words), at


def _options(tokens: list[_Token], at: int, file: str) -> tuple[list[tuple[str, ...]], int]:
    out: list[tuple[str, ...]] = []
    while at < len(tokens):
        if tokens[at].text == "}":
            return out, at + 1
        head = tokens[at].text
        rest, at = _words(tokens, at + 1)
        out.append((head, *rest))
    raise CorefileError(f"{file}:{tokens[-1].line} - Error during parsing: Unexpected EOF, expecting '}}'")


def _tokens(text: str) -> Iterator[_Token]:
    for number, line in enumerate(text.splitlines(), 1):
        first, word, quoted, begun = True, "", False, False
        for char in line + "\n":
            if quoted:
                quoted = char not in '"\n'
                word += char if quoted else ""
            elif char == '"':
                quoted = begun = True
            elif char.isspace() or (char == "#" and not word):
                if word or begun:
                    yield _Token(word, number, first)
                    first, word, begun = False, "", False
                if char == "#":
                    break
            else:
                word += char
