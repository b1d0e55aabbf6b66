"""Calico's selectors over labels: `all()`, `has(k)`, `k == 'v'`, `k != 'v'`, `k in {'a', 'b'}`, `!`, `&&`, `||`, `( )`.

See libcalico-go/lib/selector/parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Labels = Mapping[str, str]
Selector = Callable[[Labels], bool]

_TOKEN = re.compile(r"\s*(?:(&&|\|\||==|!=|[!(){},])|'([^']*)'|\"([^\"]*)\"|([A-Za-z0-9_./-]+))")


class SelectorError(ValueError):
    """The text is no selector; the message says where it stops to be one."""


def parse(text: str) -> Selector:
    """A function that says whether labels match. Raises SelectorError. The empty text matches everything."""
    parser = _Parser(text)
    if not parser.tokens:
        return lambda labels: True
    found = parser.either()
    if parser.tokens:
        raise parser.error()
    return found


class _Parser:
    """Recursive descent; a token is (kind, text) with kind `op`, `value` or `name`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise SelectorError(f"selector {text!r}: unexpected characters at {text[position:].strip()!r}")
            operator, single, double, name = match.groups()
            if operator is not None:
                self.tokens.append(("op", operator))
            elif name is not None:
                self.tokens.append(("name", name))
            else:
                self.tokens.append(("value", single if single is not None else double))
            position = match.end()

    def error(self) -> SelectorError:
        where = f"at {self.tokens[0][1]!r}" if self.tokens else "at its end"
        return SelectorError(f"selector {self.text!r}: not understood {where}")

    def accept(self, operator: str) -> bool:
        if self.tokens and self.tokens[0] == ("op", operator):
            self.tokens.pop(0)
            return True
        return False

    def expect(self, operator: str) -> None:
        if not self.accept(operator):
            raise self.error()

    def take(self, kind: str) -> str:
        if not self.tokens or self.tokens[0][0] != kind:
            raise self.error()
        return self.tokens.pop(0)[1]

    def either(self) -> Selector:
        options = [self.both()]
        while self.accept("||"):
            options.append(self.both())
        return lambda labels: any(option(labels) for option in options)

    def both(self) -> Selector:
        parts = [self.one()]
        while self.accept("&&"):
            parts.append(self.one())
        return lambda labels: all(part(labels) for part in parts)

    def one(self) -> Selector:
        if self.accept("!"):
            negated = self.one()
            return lambda labels: not negated(labels)
        if self.accept("("):
            inner = self.either()
            self.expect(")")
            return inner
        name = self.take("name")
        if name in ("all", "global") and self.accept("("):
            self.expect(")")
            return lambda labels: True
        if name == "has" and self.accept("("):
            key = self.take("name")
            self.expect(")")
            return lambda labels: key in labels
        return self.comparison(name)

    def comparison(self, key: str) -> Selector:
        if self.accept("=="):
            value = self.take("value")
            return lambda labels: labels.get(key) == value
        if self.accept("!="):
            value = self.take("value")
            return lambda labels: labels.get(key) != value
        negative = self.tokens[:1] == [("name", "not")]
        if negative:
            self.tokens.pop(0)
        if self.take("name") != "in":
            raise self.error()
        self.expect("{")
        values = {self.take("value")}
        while self.accept(","):
            values.add(self.take("value"))
        self.expect("}")
        return lambda labels: (labels.get(key) in values) != negative
