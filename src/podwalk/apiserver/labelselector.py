"""Refusing label selectors in the words of upstream's parser (k8s.io/apimachinery/pkg/labels/selector.go).

Matching is podwalk.api.selectors' part; this only tells a client what is wrong with the text that it sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SPECIAL = "=!(),><"
_SYMBOLS = ("==", "!=", "=", "!", "(", ")", ",", ">", "<")
_BINARY = ("in", "notin", "=", "==", "!=", "gt", "lt", ">", "<")
_OPERATORS = "in, notin, =, ==, !=, gt, lt"
_END = ""

_NAME = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_PREFIX = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")

_NAME_WRONG = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_WRONG = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def _tokens(text: str) -> list[str]:
    out, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        symbol = next((s for s in _SYMBOLS if text.startswith(s, at)), None)
        end = at + len(symbol) if symbol else at
        while symbol is None and end < len(text) and text[end] not in _SPECIAL and not text[end].isspace():
            end += 1
        out.append(text[at:end])
        at = end
    return out


@dataclass(slots=True)
class _Parser:
    tokens: list[str]
    at: int = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else _END

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def requirement(self) -> None:
        absent = self.peek() == "!"
        if absent:
            self.take()
        key = self.take()
        if not _is_identifier(key):
            raise ValueError(f"found '{key}', expected: identifier")
        _check_key(key)
        if absent or self.peek() in (_END, ","):
            return
        operator = self.take()
        if operator not in _BINARY:
            raise ValueError(f"found '{operator}', expected: {_OPERATORS}")
        values = self._set() if operator in ("in", "notin") else [self._exact()]
        for index, value in enumerate(values):
            if not _VALUE.match(value) or len(value) > 63:
                shown = f'Invalid value: "{value}"'
                why = _VALUE_WRONG if len(value) <= 63 else "must be no more than 63 bytes"
                raise ValueError(f"values[{index}][{key}]: {shown}: {why}")

    def _exact(self) -> str:
        if self.peek() in (_END, ","):
            return ""
        value = self.take()
        if not _is_identifier(value):
            raise ValueError(f"found '{value}', expected: identifier")
        return value

    def _set(self) -> list[str]:
        opened = self.take()
        if opened != "(":
            raise ValueError(f"found '{opened}' expected: '('")
        values = []
        while self.peek() not in (")", _END):
            if self.peek() == ",":
                self.take()
                continue
            value = self.take()
            if not _is_identifier(value):
                raise ValueError(f"found '{value}', expected: ',', ')' or identifier")
            values.append(value)
            if self.peek() not in (",", ")"):
                raise ValueError(f"found '{self.peek()}', expected: ',' or ')'")
        closed = self.take()
        if closed != ")":
            raise ValueError(f"found '{closed}', expected: ')'")
        return values


def _is_identifier(token: str) -> bool:
    return bool(token) and token not in _SYMBOLS


def _check_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if slash and not _PREFIX.match(prefix):
        why = (
            "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
            "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
            "validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
        raise ValueError(f'key: Invalid value: "{key}": {why}')
    if len(name) > 63:
        raise ValueError(f'key: Invalid value: "{key}": name part must be no more than 63 bytes')
    if not _NAME.match(name):
        raise ValueError(f'key: Invalid value: "{key}": {_NAME_WRONG}')


def check(text: str) -> None:
    """Raise ValueError with upstream's message where a selector does not parse."""
    parser = _Parser(_tokens(text))
    while parser.peek() != _END:
        if parser.peek() != "!" and not _is_identifier(parser.peek()):
            raise ValueError(f"found '{parser.peek()}', expected: !, identifier, or 'end of string'")
        try:
            parser.requirement()
        except ValueError as error:
            raise ValueError(f"unable to parse requirement: {error}") from None
        following = parser.take()
        if following == _END:
            return
        if following != ",":
            raise ValueError(f"found '{following}', expected: ',' or 'end of string'")
        if parser.peek() != "!" and not _is_identifier(parser.peek()):
            raise ValueError(f"found '{parser.peek()}', expected: identifier after ','")
