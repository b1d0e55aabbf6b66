"""The JSONPaths of printer columns, of selectable fields and of the scale subresource.

Upstream: k8s.io/client-go/util/jsonpath, without recursive descent, unions and templates: fields, indexes, slices,
wildcards and filters such as ``.status.conditions[?(@.type=="Ready")].status``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

_FIELD = re.compile(r"\.((?:[^.\[\\]|\\.)+)")
_QUOTED = re.compile(r"""\[\s*(?:'([^']*)'|"([^"]*)")\s*\]""")
_INDEX = re.compile(r"\[\s*(-?\d+)\s*\]")
_SLICE = re.compile(r"\[\s*(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?\]")
_WILD = re.compile(r"\[\s*\*\s*\]|\.\*")
_FILTER = re.compile(r"\[\s*\?\s*\((.*?)\)\s*\]", re.DOTALL)
_COMPARISON = re.compile(r"^\s*(\S.*?)\s*(==|!=|<=|>=|<|>)\s*(.*?)\s*$", re.DOTALL)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_LONGEST = 1024
"""Filters are read by patterns that take the square of their length."""

Step = Callable[[Any], Iterable[Any]]


class BadPath(ValueError):
    """A JSONPath that cannot be read."""


@lru_cache(maxsize=1024)
def compiled(text: str) -> tuple[Step, ...]:
    """The steps of a path such as ``.spec.replicas``. Raises BadPath."""
    if len(text) > _LONGEST:
        raise BadPath(f"{text[:40]}…: a path has at most {_LONGEST} characters here")
    path = text.strip()
    if path.startswith("{") and path.endswith("}"):
        path = path[1:-1].strip()
    path = path.removeprefix("$").removeprefix("@")
    if path and path[0] not in ".[":
        raise BadPath(f"{text}: a path starts with a dot")
    steps: list[Step] = []
    at = 0
    while at < len(path):
        step, at = _step(path, at, text)
        steps.append(step)
    return tuple(steps)


def _step(path: str, at: int, text: str) -> tuple[Step, int]:
    if found := _WILD.match(path, at):
        return _wild, found.end()
    if found := _FIELD.match(path, at):
        return _field(re.sub(r"\\(.)", r"\1", found.group(1))), found.end()
    if found := _QUOTED.match(path, at):
        return _field(found.group(1) if found.group(1) is not None else found.group(2)), found.end()
    if found := _INDEX.match(path, at):
        return _index(int(found.group(1))), found.end()
    if found := _SLICE.match(path, at):
        return _slice(*(int(part) if part else None for part in found.groups())), found.end()
    if found := _FILTER.match(path, at):
        return _filter(found.group(1)), found.end()
    if path[at] == "." and at + 1 < len(path) and path[at + 1] == "[":
        return _step(path, at + 1, text)
    raise BadPath(f"{text}: cannot read {path[at:]!r}")


def _field(name: str) -> Step:
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _wild(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else []


def _index(number: int) -> Step:
    return lambda value: [value[number]] if isinstance(value, list) and -len(value) <= number < len(value) else []


def _slice(start: int | None, end: int | None, step: int | None = None) -> Step:
    return lambda value: value[start : end : step or None] if isinstance(value, list) else []


def _filter(text: str) -> Step:
    compared = _COMPARISON.match(text)
    if compared is None:
        exists = compiled(text.strip())
        return lambda value: [item for item in _wild(value) if _walk(exists, item)]
    left, right = _operand(compared.group(1)), _operand(compared.group(3))
    wanted = _OPERATORS[compared.group(2)]

    def keep(item: Any) -> bool:
        here, there = left(item), right(item)
        try:
            return bool(here) and bool(there) and wanted(here[0], there[0])
        except TypeError:
            return False

    return lambda value: [item for item in _wild(value) if keep(item)]


def _operand(text: str) -> Callable[[Any], list[Any]]:
    if text.startswith(("@", "$")):
        steps = compiled(text)
        return lambda item: _walk(steps, item)
    constant: Any
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        constant = text[1:-1]
    elif text in ("true", "false"):
        constant = text == "true"
    else:
        try:
            constant = float(text) if "." in text else int(text)
        except ValueError:
            raise BadPath(f"cannot read {text!r} in a filter") from None
    return lambda _: [constant]


def _walk(steps: tuple[Step, ...], value: Any) -> list[Any]:
    found = [value]
    for step in steps:
        found = [below for item in found for below in step(item)]
    return found


def find(path: str, obj: Any) -> list[Any]:
    """What a path leads to, in order; empty where there is nothing. Raises BadPath."""
    return _walk(compiled(path), obj)


def first(path: str, obj: Any) -> Any:
    """The first that a path leads to, or None."""
    found = find(path, obj)
    return found[0] if found else None
