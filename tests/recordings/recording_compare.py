"""What two answers must have in common: everything but names of chance, times and versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_VOLATILE = ("managedFields", "uid", "resourceVersion", "selfLink", "continue")
_RANDOM_PORTS = ("nodePort", "healthCheckNodePort")
_PATTERNS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"\bRV?\(\d+\)|current: \d+|record \(\d+\)"), "<version>"),
    (re.compile(r"^(\d+[smhdy])+$"), "<age>"),
    (re.compile(r"\((\d+[smhdy])+ ago\)"), "(<age> ago)"),
    (re.compile(r"-[a-z0-9]{8,10}-[a-z0-9]{5}\b|-[bcdfghjklmnpqrstvwxz2456789]{5}\b"), "-<random>"),
)
_SERVICE_ADDRESS = re.compile(r"10\.96\.\d+\.\d+")


def mask(value: Any, sent: str, key: str = "") -> Any:
    """The value without what differs from run to run. ``sent`` is the request: what it names is no chance."""
    if isinstance(value, dict):
        return {k: mask(v, sent, k) for k, v in value.items() if k not in _VOLATILE}
    if isinstance(value, list):
        return [mask(item, sent, key) for item in value]
    if isinstance(value, int) and key in _RANDOM_PORTS and str(value) not in sent:
        return "<port>"
    if not isinstance(value, str):
        return value
    for pattern, name in _PATTERNS:
        value = pattern.sub(name, value)
    return _SERVICE_ADDRESS.sub(lambda found: found[0] if found[0] in sent else "<address>", value)


def differences(real: Any, ours: Any, path: str = "") -> Iterator[str]:
    """One line for each place in which the two differ."""
    if type(real) is not type(ours):
        yield f"{path}: {str(real)[:200]!r} is {str(ours)[:200]!r} here"
    elif isinstance(real, dict):
        for key in sorted(real.keys() | ours.keys()):
            if key not in ours:
                yield f"{path}.{key}: missing here, {str(real[key])[:160]}"
            elif key not in real:
                yield f"{path}.{key}: only here, {str(ours[key])[:160]}"
            else:
                yield from differences(real[key], ours[key], f"{path}.{key}")
    elif isinstance(real, list):
        if len(real) != len(ours):
            yield f"{path}: {len(real)} items, {len(ours)} here"
        for index, (one, other) in enumerate(zip(real, ours, strict=False)):
            yield from differences(one, other, f"{path}[{index}]")
    elif real != ours:
        yield f"{path}: {str(real)[:600]!r} is {str(ours)[:600]!r} here"
