"""The rewrite plugin: another question is asked than the client's, and the answer is turned back.

Stands in for plugin/rewrite of CoreDNS (name, type, class, ttl); pure. Regular expressions are Python's, which differ
from Go's only where a Corefile hardly goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from podwalk.dns import message
from podwalk.dns.corefile import CorefileError, Directive
from podwalk.dns.message import Message, Question, Record

_MATCHES = ("exact", "prefix", "suffix", "substring", "regex")
_TYPES = {name: number for number, name in message.TYPE_NAMES.items()}
_CLASSES = {name: number for number, name in message.CLASS_NAMES.items()}

# Turns a text (a name) into another; None where it does not apply.
Map = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class _Undo:
    """What a rule does to an answer's records: to their names, to the names in their data, to their time to live."""

    names: tuple[Map, ...] = ()
    values: tuple[Map, ...] = ()
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class _Rule:
    field: str
    last: bool
    change: Map
    auto: bool = False
    names: tuple[Map, ...] = ()
    values: tuple[Map, ...] = ()
    ttl: int | None = None


class Rewriter:
    """The rules of a server block, in their order."""

    def __init__(self, directives: Sequence[Directive]) -> None:
        self._rules = [_rule(directive) for directive in directives]

    def rewrite(self, question: Question) -> tuple[Question, Callable[[Message], Message]]:
        """The question to ask instead, and what turns its answer into one to the question that was asked."""
        asked, undos = question, []
        for rule in self._rules:
            changed, undo = _apply(rule, question)
            if undo is None:
                continue
            undos.append(undo)
            question = changed
            if rule.last:
                break

        def back(answer: Message) -> Message:
            for undo in reversed(undos):
                answer = _turned_back(answer, undo)
            return replace(answer, question=asked)

        return question, back


def _apply(rule: _Rule, question: Question) -> tuple[Question, _Undo | None]:
    if rule.field in ("type", "class"):
        old = question.type if rule.field == "type" else question.cls
        new = rule.change(str(old))
        if new is None:
            return question, None
        changed = replace(question, type=int(new)) if rule.field == "type" else replace(question, cls=int(new))
        return changed, _Undo()
    name = rule.change(question.name.lower())
    if name is None:
        return question, None
    if rule.field == "ttl":
        return question, _Undo(ttl=rule.ttl)
    undo = _Undo(rule.names, rule.values)
    if rule.auto:
        back = _replaced_by(name, question.name)
        undo = _Undo((back, *rule.names), (back, *rule.values))
    return replace(question, name=name), undo


def _turned_back(answer: Message, undo: _Undo) -> Message:
    def turned(records: tuple[Record, ...]) -> tuple[Record, ...]:
        return tuple(_record(record, undo) for record in records)

    return replace(
        answer,
        answers=turned(answer.answers),
        authority=turned(answer.authority),
        additional=turned(answer.additional),
    )


def _record(record: Record, undo: _Undo) -> Record:
    ttl = record.ttl if undo.ttl is None else undo.ttl
    return replace(record, name=_mapped(record.name, undo.names), data=_data(record, undo.values), ttl=ttl)


def _data(record: Record, maps: tuple[Map, ...]) -> Any:
    if record.type in (message.CNAME, message.NS, message.PTR):
        return _mapped(record.data, maps)
    if record.type == message.SRV:
        return (*record.data[:3], _mapped(record.data[3], maps))
    return record.data


def _mapped(name: str, maps: tuple[Map, ...]) -> str:
    for change in maps:
        changed = change(name.lower())
        if changed is not None:
            return changed
    return name


def _rule(directive: Directive) -> _Rule:
    words = list(directive.args)
    mode = words.pop(0) if words and words[0] in ("continue", "stop") else "stop"
    if directive.options:
        words = [word for line in directive.options for word in line]
    if len(words) < 3:
        raise CorefileError(
            f"plugin/rewrite: {directive.name} needs FIELD FROM TO, has: {' '.join(words) or 'nothing'}"
        )
    field, last = words.pop(0), mode == "stop"
    if field in ("type", "class"):
        numbers = _TYPES if field == "type" else _CLASSES
        if not {word.upper() for word in words} <= set(numbers) or len(words) != 2:
            raise CorefileError(f"plugin/rewrite: invalid {field} {' '.join(words)!r}")
        return _Rule(field, last, _replaced_by(*(str(numbers[word.upper()]) for word in words)))
    if field == "ttl":
        kind = words.pop(0) if words[0] in _MATCHES else "exact"
        if len(words) != 2 or not words[1].isdigit():
            raise CorefileError(f"plugin/rewrite: invalid TTL {' '.join(words)!r}; write NAME SECONDS")
        return _Rule(field, last, _matcher(kind, words[0], words[0]), ttl=int(words[1]))
    if field != "name":
        raise CorefileError(f"plugin/rewrite: invalid rule type {field!r} (known: name, type, class, ttl)")
    return _name_rule(words, last)


def _name_rule(words: list[str], last: bool) -> _Rule:
    kind = words.pop(0) if words[0] in _MATCHES else "exact"
    if len(words) < 2:
        raise CorefileError("plugin/rewrite: a name rule must have FROM and TO")
    change = _matcher(kind, words.pop(0), words.pop(0))
    auto = kind == "exact"
    names: list[Map] = []
    values: list[Map] = []
    while words:
        if words[:2] == ["answer", "auto"]:
            if kind not in ("exact", "prefix", "suffix"):
                raise CorefileError("plugin/rewrite: answer auto goes with exact, prefix and suffix only")
            auto, words = True, words[2:]
        elif words[0] == "answer" and len(words) >= 4 and words[1] in ("name", "value"):
            (names if words[1] == "name" else values).append(_regex(words[2], words[3]))
            words = words[4:]
        else:
            raise CorefileError(f"plugin/rewrite: invalid arguments: {' '.join(words)!r}")
    return _Rule("name", last, change, auto, tuple(names), tuple(values))


def _matcher(kind: str, old: str, new: str) -> Map:
    if kind == "regex":
        return _regex(old, new)
    old, new = old.lower(), new.lower()
    if kind == "exact":
        return _replaced_by(_absolute(old), _absolute(new))
    if kind == "prefix":
        return lambda name: new + name.removeprefix(old) if name.startswith(old) else None
    if kind == "suffix":
        # CoreDNS: both sides end where a name does.
        old, new = _absolute(old), _absolute(new)
        return lambda name: name.removesuffix(old) + new if name.endswith(old) else None
    return lambda name: name.replace(old, new, 1) if old in name else None


def _replaced_by(old: str, new: str) -> Map:
    key = old.lower()
    return lambda text: new if text == key else None


def _regex(pattern: str, replacement: str) -> Map:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise CorefileError(f"plugin/rewrite: invalid regex {pattern!r}: {error}") from None

    def change(name: str) -> str | None:
        # Patterns are written with the final dot and without.
        found = compiled.search(name) or compiled.search(name.removesuffix("."))
        if found is None:
            return None
        groups = [found[0], *(group or "" for group in found.groups())]
        text = re.sub(r"\{(\d+)\}", lambda m: groups[int(m[1])] if int(m[1]) < len(groups) else "", replacement)
        return _absolute(text)

    return change


def _absolute(name: str) -> str:
    return name if name.endswith(".") else name + "."
