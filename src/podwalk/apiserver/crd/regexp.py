"""Regular expressions that always end: a schema's ``pattern`` comes from whoever may write a definition.

Go's regexp package (RE2) matches in time linear in the text. Python's ``re`` goes back and tries again, so that
``^(a+)+$`` on thirty letters keeps the whole server busy for minutes. Here Python's parser reads the pattern, and a
set of states walks the text once, as in Thompson's construction; steps are remembered, so that most are one look-up.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_parser: Any = importlib.import_module("re._parser")
_constants: Any = importlib.import_module("re._constants")

_MAX_STATES = 5000
_MAX_REPEAT = 1000
"""RE2 refuses to repeat more often."""

_REMEMBERED = 2000
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_CLASSES = {"DIGIT": frozenset("0123456789"), "SPACE": frozenset("\t\n\f\r "), "WORD": _WORD}

Test = Callable[[str], bool]


class UnsupportedError(ValueError):
    """The pattern holds what Go would not read, or what is too large for it or for us."""


@dataclass(slots=True)
class _State:
    """``test``: eats one character; ``at``: looks at the place; neither: goes on for nothing."""

    outs: list[int] = field(default_factory=list)
    test: Test | None = None
    at: str = ""


class Regexp:
    """A compiled pattern. Raises UnsupportedError."""

    def __init__(self, pattern: str) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = _parser.parse(pattern.replace(r"\z", r"\Z"))
        except (re.error, RecursionError, OverflowError) as error:
            raise UnsupportedError(str(error)) from None
        flags = tree.state.flags
        if flags & (re.MULTILINE | re.VERBOSE | re.ASCII | re.LOCALE):
            raise UnsupportedError("flags")
        self._fold, self._dot_all = bool(flags & re.IGNORECASE), bool(flags & re.DOTALL)
        self._states: list[_State] = []
        self._end = self._add(_State())
        self._start = self._sequence(tree, self._end)
        self._steps: dict[tuple[frozenset[int], str, str], frozenset[int] | None] = {}

    def search(self, text: str) -> bool:
        """Whether the pattern matches somewhere in a text, as Go's MatchString."""
        current: frozenset[int] = frozenset()
        before = ""
        for here in (*text, ""):
            key = (current, before if before == "" or before in _WORD else " ", here)
            following = self._steps.get(key, current)
            if key not in self._steps:
                if len(self._steps) >= _REMEMBERED:
                    self._steps.clear()
                following = self._steps[key] = self._step(current, before, here)
            if following is None:
                return True
            current, before = following, here
        return False

    def _step(self, current: frozenset[int], before: str, here: str) -> frozenset[int] | None:
        """The states after a character; None where the pattern has matched before it."""
        todo, seen = [*current, self._start], set[int]()
        following: set[int] = set()
        while todo:
            number = todo.pop()
            if number in seen:
                continue
            if number == self._end:
                return None
            seen.add(number)
            state = self._states[number]
            if state.test is not None:
                if here and state.test(here):
                    following.update(state.outs)
            elif not state.at or _holds(state.at, before, here):
                todo.extend(state.outs)
        return frozenset(following)

    def _add(self, state: _State) -> int:
        if len(self._states) >= _MAX_STATES:
            raise UnsupportedError("the pattern is too large")
        self._states.append(state)
        return len(self._states) - 1

    def _sequence(self, items: Any, following: int) -> int:
        for op, value in reversed(list(items)):
            following = self._node(str(op), value, following)
        return following

    def _node(self, op: str, value: Any, following: int) -> int:
        match op:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return self._add(_State([following], test=self._test(op, value)))
            case "BRANCH":
                return self._add(_State([self._sequence(branch, following) for branch in value[1]]))
            case "SUBPATTERN":
                _, added, removed, inner = value
                if added or removed:
                    raise UnsupportedError("flags in a group")
                return self._sequence(inner, following)
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, inner = value
                return self._repeat(least, most, inner, following)
            case "AT":
                return self._add(_State([following], at=str(value)))
        raise UnsupportedError(op)  # looking around, and back: RE2 has neither

    def _repeat(self, least: int, most: Any, inner: Any, following: int) -> int:
        if least > _MAX_REPEAT or (most != _constants.MAXREPEAT and most > _MAX_REPEAT):
            raise UnsupportedError("invalid repeat count")
        if most == _constants.MAXREPEAT:
            loop = self._add(_State([following]))
            self._states[loop].outs.append(self._sequence(inner, loop))
            following = loop
        else:
            done = following
            for _ in range(most - least):
                following = self._add(_State([done, self._sequence(inner, following)]))
        for _ in range(least):
            following = self._sequence(inner, following)
        return following

    def _test(self, op: str, value: Any) -> Test:
        if op == "ANY":
            return (lambda c: True) if self._dot_all else (lambda c: c != "\n")
        plain = _one_of(value) if op == "IN" else (lambda c: (ord(c) == value) == (op == "LITERAL"))
        if not self._fold:
            return plain
        return lambda c: plain(c.lower()) or plain(c.upper())


def _one_of(items: Any) -> Test:
    negated = False
    tests: list[Test] = []
    for op, value in items:
        match str(op):
            case "NEGATE":
                negated = True
            case "LITERAL":
                tests.append(lambda c, value=value: ord(c) == value)  # type: ignore[misc]
            case "RANGE":
                tests.append(lambda c, low=value[0], high=value[1]: low <= ord(c) <= high)  # type: ignore[misc]
            case "CATEGORY":
                _, _, name = str(value).rpartition("_")
                members, wanted = _CLASSES[name], "_NOT_" not in str(value)
                tests.append(lambda c, m=members, w=wanted: (c in m) == w)  # type: ignore[misc]
            case other:
                raise UnsupportedError(other)
    return lambda c: any(test(c) for test in tests) != negated


def _holds(at: str, before: str, here: str) -> bool:
    match at:
        case "AT_BEGINNING" | "AT_BEGINNING_STRING":
            return not before
        case "AT_END" | "AT_END_STRING":
            return not here
        case "AT_BOUNDARY" | "AT_NON_BOUNDARY":
            edge = (before in _WORD if before else False) != (here in _WORD if here else False)
            return edge == (at == "AT_BOUNDARY")
    raise UnsupportedError(at)
