"""The cache plugin: answers are given again until their time to live is over.

Stands in for plugin/cache of CoreDNS (success, denial, servfail, disable); it neither prefetches nor serves stale
answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from podwalk.dns import message
from podwalk.dns.corefile import CorefileError, Directive, seconds, zone_name
from podwalk.dns.message import Message, Record
from podwalk.dns.records import within

_SUCCESS_TTL, _DENIAL_TTL, _SERVFAIL_TTL, _MIN_TTL = 3600, 1800, 5.0, 5
_CAPACITY = 9984

Key = tuple[str, int, int, bool]


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """One ``cache [TTL] [ZONE…] { … }``: the longest times, and the zones that are left out."""

    zones: tuple[str, ...]
    success: int = _SUCCESS_TTL
    denial: int = _DENIAL_TTL
    servfail: float = _SERVFAIL_TTL
    no_success: tuple[str, ...] = ()
    no_denial: tuple[str, ...] = ()


def configure(directive: Directive, zones: tuple[str, ...]) -> CacheConfig:
    """Read the plugin's lines; ``zones`` are the server block's. Raises CorefileError."""
    args = list(directive.args)
    success, denial, servfail = _SUCCESS_TTL, _DENIAL_TTL, _SERVFAIL_TTL
    disabled: dict[str, tuple[str, ...]] = {"success": (), "denial": ()}
    try:
        if args and args[0].isdigit():
            success = denial = int(args.pop(0))
        for name, *words in directive.options:
            if name == "success" and len(words) > 1:
                success = int(words[1])
            elif name == "denial" and len(words) > 1:
                denial = int(words[1])
            elif name == "servfail":
                servfail = seconds(words[0])
            elif name == "disable":
                disabled[words[0]] = tuple(zone_name(word) for word in words[1:]) or (".",)
    except (ValueError, IndexError) as error:
        raise CorefileError(f"plugin/cache: {error}") from error
    served = tuple(zone_name(word) for word in args) or zones
    return CacheConfig(served, success, denial, servfail, disabled["success"], disabled["denial"])


class Cache:
    """The answers of one server block."""

    def __init__(self, config: CacheConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self._kept: dict[Key, tuple[Message, float, float]] = {}

    def get(self, query: Message) -> Message | None:
        """The kept answer to a query, its records older by the time it was kept."""
        key = _key(query)
        answer, since, until = self._kept.get(key, (query, 0.0, 0.0))
        now = self._clock()
        if now >= until:
            self._kept.pop(key, None)
            return None
        age = int(now - since)
        return replace(
            answer,
            id=query.id,
            question=query.question,
            udp_size=query.udp_size,
            dnssec_ok=query.dnssec_ok,
            answers=_aged(answer.answers, age),
            authority=_aged(answer.authority, age),
            additional=_aged(answer.additional, age),
        )

    def put(self, query: Message, answer: Message) -> None:
        """Keep an answer for as long as it and the configuration allow."""
        lifetime = self._lifetime(query, answer)
        if lifetime > 0:
            if len(self._kept) >= _CAPACITY:
                self._kept.pop(next(iter(self._kept)))
            now = self._clock()
            self._kept[_key(query)] = (answer, now, now + lifetime)

    def _lifetime(self, query: Message, answer: Message) -> float:
        config, name = self._config, query.question.name if query.question else ""
        if answer.flags & message.TC or not _in(name, config.zones):
            return 0
        if answer.rcode == message.SERVFAIL:
            return config.servfail
        if answer.rcode not in (message.NOERROR, message.NXDOMAIN):
            return 0
        denial = answer.rcode == message.NXDOMAIN or not answer.answers
        if _in(name, config.no_denial if denial else config.no_success):
            return 0
        ttls = [r.ttl for r in (*answer.answers, *answer.authority)]
        longest = config.denial if denial else config.success
        return max(min([longest, *ttls]), _MIN_TTL) if ttls else 0


def _key(query: Message) -> Key:
    question = query.question
    assert question is not None
    return question.name.lower(), question.type, question.cls, query.dnssec_ok


def _in(name: str, zones: tuple[str, ...]) -> bool:
    return any(within(name, zone) for zone in zones)


def _aged(records: tuple[Record, ...], age: int) -> tuple[Record, ...]:
    return tuple(replace(record, ttl=max(record.ttl - age, 0)) for record in records)
