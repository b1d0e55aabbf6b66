"""The hosts plugin: names from lines as in /etc/hosts, in the Corefile or in a file.

Stands in for plugin/hosts of CoreDNS (ttl, no_reverse, reload, fallthrough, ``*`` as the leftmost label).
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from podwalk.dns import message
from podwalk.dns.corefile import CorefileError, Directive, seconds, zone_name
from podwalk.dns.message import Question, Record
from podwalk.dns.records import within

_TTL = 3600
_RELOAD_SECONDS = 5.0
_OPTIONS = ("ttl", "no_reverse", "reload", "fallthrough")

Table = dict[str, list[str]]


class Hosts:
    """The plugin of one server block, whose zones are ``zones``. Raises CorefileError."""

    def __init__(
        self, directive: Directive, zones: tuple[str, ...], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = Path(directive.args[0] if directive.args else "/etc/hosts")
        self._zones = tuple(zone_name(word) for word in directive.args[1:]) or zones
        self._inline = [words for words in directive.options if words[0] not in _OPTIONS]
        for words in self._inline:
            if not _is_address(words[0]) or len(words) < 2:
                raise CorefileError(f"plugin/hosts: unknown property '{words[0]}'")
        try:
            self._ttl = int((directive.option("ttl") or (str(_TTL),))[0])
            self._reload = seconds((directive.option("reload") or (f"{_RELOAD_SECONDS}s",))[0])
        except (ValueError, IndexError) as error:
            raise CorefileError(f"plugin/hosts: {error}") from None
        through = directive.option("fallthrough")
        self._fallthrough = () if through is None else tuple(zone_name(word) for word in through) or (".",)
        self._reverse = directive.option("no_reverse") is None
        self._clock = clock
        self._looked = float("-inf")
        self._read: tuple[Table, Table] = ({}, {})

    def answer(self, question: Question) -> tuple[int, tuple[Record, ...]] | None:
        """The response code and records, or None where the next plugin is asked."""
        addresses, names = self._tables()
        name = question.name.lower()
        if question.type == message.PTR and (ip := _reversed(name)) is not None:
            found = tuple(Record(question.name, message.PTR, self._ttl, target) for target in names.get(ip, ()))
            return (message.NOERROR, found) if found and self._reverse else None
        if not any(within(name, zone) for zone in self._zones):
            return None
        known = addresses.get(name) or addresses.get(f"*.{name.partition('.')[2]}")
        if not known:
            through = any(within(name, zone) for zone in self._fallthrough)
            return None if through else (message.NXDOMAIN, ())
        kind = question.type
        return message.NOERROR, tuple(Record(question.name, kind, self._ttl, ip) for ip in known if _type(ip) == kind)

    def _tables(self) -> tuple[Table, Table]:
        """Name -> addresses and address -> names; the file is read again when it may have changed."""
        now = self._clock()
        if now - self._looked >= (self._reload or float("inf")) or self._looked == float("-inf"):
            self._looked = now
            self._read = _parse([*self._inline, *_lines(self._file)])
        return self._read


def _lines(file: Path) -> list[tuple[str, ...]]:
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return []  # as CoreDNS: what the Corefile holds is served all the same
    return [tuple(line.partition("#")[0].split()) for line in text.splitlines()]


def _parse(lines: Iterable[tuple[str, ...]]) -> tuple[Table, Table]:
    addresses: Table = {}
    names: Table = {}
    for words in lines:
        if len(words) < 2 or not _is_address(words[0]):
            continue
        for word in words[1:]:
            name = zone_name(word)
            known = addresses.setdefault(name, [])
            if words[0] not in known:
                known.append(words[0])
            if not name.startswith("*."):
                names.setdefault(words[0], []).append(name)
    return addresses, names


def _reversed(name: str) -> str | None:
    if not name.endswith(".in-addr.arpa."):
        return None
    ip = ".".join(reversed(name.removesuffix(".in-addr.arpa.").split(".")))
    return ip if _is_address(ip) else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _type(ip: str) -> int:
    return message.AAAA if ":" in ip else message.A
