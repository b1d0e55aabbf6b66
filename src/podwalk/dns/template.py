"""The template plugin: records written from the question.

Stands in for plugin/template of CoreDNS. Of Go's templates it knows ``.Name .Zone .Class .Type .Remote .Group.NAME``,
``index .Match N`` and ``parseInt X BASE BITS``, which is what its examples use.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from podwalk.dns import message
from podwalk.dns.corefile import CorefileError, Directive, zone_name
from podwalk.dns.message import Question, Record
from podwalk.dns.records import within

_TYPES = {name: number for number, name in message.TYPE_NAMES.items()}
_SECTIONS = ("answer", "additional", "authority")
_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")

Value = Callable[[dict[str, Any]], str]


class TemplateError(ValueError):
    """A template's text is no record; the client gets SERVFAIL."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a template says."""

    rcode: int = message.NOERROR
    sections: dict[str, tuple[Record, ...]] = field(default_factory=dict)


class Template:
    """One ``template CLASS TYPE [ZONE…] { … }``. Raises CorefileError."""

    def __init__(self, directive: Directive, zones: tuple[str, ...]) -> None:
        if len(directive.args) < 2:
            raise CorefileError("plugin/template: Wrong argument count or unexpected line ending after 'template'")
        cls, kind, *scope = directive.args
        self._class = _number(cls, {name: n for n, name in message.CLASS_NAMES.items()}, "class")
        self._type = _number(kind, _TYPES, "RR type")
        self._zones = tuple(zone_name(word) for word in scope) or zones
        self._patterns: list[re.Pattern[str]] = []
        self._texts: dict[str, list[list[str | Value]]] = {section: [] for section in _SECTIONS}
        self._rcode = message.NOERROR
        self._fallthrough: tuple[str, ...] = ()
        for name, *words in directive.options:
            self._option(name, words)
        self._patterns = self._patterns or [re.compile(".*")]

    def _option(self, name: str, words: list[str]) -> None:
        if name == "match":
            try:
                self._patterns += [re.compile(word) for word in words]
            except re.error as error:
                raise CorefileError(f"plugin/template: could not parse regex: {words}, {error}") from None
        elif name in _SECTIONS:
            self._texts[name] += [_compile(word) for word in words]
        elif name == "rcode":
            if not words or words[0].upper() not in message.RCODE_NAMES:
                raise CorefileError(f"plugin/template: unknown rcode {' '.join(words)}")
            self._rcode = message.RCODE_NAMES.index(words[0].upper())
        elif name == "fallthrough":
            self._fallthrough = tuple(zone_name(word) for word in words) or (".",)
        elif name != "ederror":
            raise CorefileError(f"plugin/template: unknown property '{name}'")

    def answer(self, question: Question, client: str) -> Reply | None:
        """The reply, or None where the next plugin is asked. Raises TemplateError."""
        name = question.name.lower()
        zone = max((z for z in self._zones if within(name, z)), key=len, default=None)
        if zone is None or self._class not in (255, question.cls) or self._type not in (message.ANY, question.type):
            return None
        found = next((m for m in (pattern.search(name) for pattern in self._patterns) if m), None)
        if found is None:
            through = any(within(name, z) for z in self._fallthrough)
            return None if through else Reply(message.SERVFAIL)
        values = {
            "Name": name,
            "Zone": zone,
            "Class": question.class_name,
            "Type": question.type_name,
            "Remote": client,
            "Match": [found[0], *(group or "" for group in found.groups())],
            "Group": {key: value or "" for key, value in found.groupdict().items()},
        }
        sections = {s: tuple(parse_record(_fill(t, values)) for t in texts) for s, texts in self._texts.items()}
        return Reply(self._rcode, sections)


def _number(text: str, numbers: dict[str, int], what: str) -> int:
    if text.upper() not in numbers:
        raise CorefileError(f"plugin/template: invalid {what} {text}")
    return numbers[text.upper()]


def _compile(text: str) -> list[str | Value]:
    parts: list[str | Value] = []
    at = 0
    for action in _ACTION.finditer(text):
        parts += [text[at : action.start()], _value(action[1])]
        at = action.end()
    return [*parts, text[at:]]


def _value(action: str) -> Value:
    words = action.split()
    if words[:2] == ["index", ".Match"] and len(words) == 3 and words[2].isdigit():
        number = int(words[2])
        return lambda values: values["Match"][number] if number < len(values["Match"]) else ""
    if words[0] == "parseInt" and len(words) == 4 and words[2].isdigit():
        inner, radix = _value(words[1]), int(words[2])
        return lambda values: str(int(inner(values), radix))
    path = words[0].removeprefix(".").split(".") if len(words) == 1 and words[0].startswith(".") else []
    if len(path) == 2 and path[0] == "Group":
        return lambda values: str(values["Group"].get(path[1], ""))
    if len(path) == 1 and path[0] in ("Name", "Zone", "Class", "Type", "Remote"):
        return lambda values: str(values[path[0]])
    raise CorefileError(f"plugin/template: {{{{ {action} }}}} is not served here; see the limits in the documentation")


def _fill(parts: list[str | Value], values: dict[str, Any]) -> str:
    try:
        return "".join(part if isinstance(part, str) else part(values) for part in parts)
    except ValueError as error:
        raise TemplateError(str(error)) from None


def parse_record(text: str) -> Record:
    """A record in a zone file's form: ``NAME [TTL] [CLASS] TYPE DATA…``. Raises TemplateError."""
    name, *words = text.replace("(", " ").replace(")", " ").split() or [""]
    ttl = 3600
    while words and (words[0].isdigit() or words[0].upper() in ("IN", "CH", "HS", "ANY")):
        word = words.pop(0)
        ttl = int(word) if word.isdigit() else ttl
    kind, data = (words[0].upper(), words[1:]) if words else ("", [])
    try:
        return Record(zone_name(name), _TYPES[kind], ttl, _data(_TYPES[kind], data, text))
    except (KeyError, ValueError, IndexError, struct.error):
        raise TemplateError(f"not a resource record: {text!r}") from None


def _data(kind: int, words: list[str], text: str) -> Any:
    if kind in (message.A, message.AAAA):
        address = ipaddress.ip_address(words[0])
        if (address.version == 6) != (kind == message.AAAA):
            raise ValueError(words[0])
        return str(address)
    if kind in (message.CNAME, message.NS, message.PTR):
        return zone_name(words[0])
    if kind == message.SRV:
        return (*(int(word) for word in words[:3]), zone_name(words[3]))
    if kind == message.SOA:
        numbers = [int(word) for word in words[2:7]]
        if len(numbers) != 5:
            raise ValueError(text)
        return (zone_name(words[0]), zone_name(words[1]), *numbers)
    if kind == message.TXT:
        return text[text.upper().index("TXT") + 3 :].strip().strip('"')
    if kind == message.MX:
        labels = zone_name(words[1]).rstrip(".").split(".")
        return struct.pack("!H", int(words[0])) + b"".join(bytes([len(x)]) + x.encode() for x in labels) + b"\0"
    raise KeyError(kind)
