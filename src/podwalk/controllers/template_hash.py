"""The value of ``pod-template-hash``: the hash that Kubernetes itself gives a Pod template. Pure.

Upstream: ComputeHash of pkg/controller, which hashes what go-spew prints of the PodTemplateSpec (apimachinery's
dump.ForHash). So the print is rebuilt here, field by field in the order of the Go structs of Kubernetes v1.36, which
``template_shapes.json`` lists: for each struct its fields as [Go name, Go type, JSON name or null where it is inlined].
A type ``v1.Name=kind`` is a named type over a kind; ``core.`` and ``meta.`` structs both print as ``v1.``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

from podwalk.api import quantity
from podwalk.api.meta import Object

_TIME = "{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}"
_ZERO = {"string": "", "bool": "false"}


@functools.cache
def _shapes() -> dict[str, list[tuple[str, str, str | None]]]:
    text = resources.files(__package__).joinpath("template_shapes.json").read_text()
    return {name: [(f[0], f[1], f[2]) for f in fields] for name, fields in json.loads(text).items()}


def printed(template: Object) -> str:
    """What go-spew prints of a template."""
    return "".join(_typed("core.PodTemplateSpec", template))


def _shown(kind: str) -> str:
    """The type as Go prints it."""
    if kind.startswith("*"):
        return f"*{_shown(kind[1:])}"
    if kind.startswith("[]"):
        return f"[]{_shown(kind[2:])}"
    if "=" in kind and not kind.startswith("map["):
        return kind.partition("=")[0]
    if kind.startswith("map["):
        key, _, value = kind[4:].partition("]")
        return f"map[{_shown(key)}]{_shown(value)}"
    return "v1." + kind.partition(".")[2] if kind.startswith(("core.", "meta.")) else kind


def _typed(kind: str, value: Any) -> Iterator[str]:
    """A value with its type in front, as fields are printed."""
    yield f"({_shown(kind)})"
    if kind.startswith("*"):
        if value is None:
            yield "<nil>"
        else:
            yield from _bare(kind[1:], value)
    else:
        yield from _bare(kind, value)


def _bare(kind: str, value: Any) -> Iterator[str]:
    if "=" in kind and not kind.startswith("map["):
        kind = kind.partition("=")[2]
    if kind in _shapes():
        yield from _struct(kind, value or {})
    elif kind == "meta.Time":
        yield _TIME
    elif kind.startswith("[]"):
        yield from _list(kind[2:], value)
    elif kind.startswith("map["):
        yield from _map(kind, value)
    elif kind == "intstr.IntOrString":
        yield from _int_or_string(value)
    elif kind == "resource.Quantity":
        yield _quantity(value)
    elif value is None:
        yield _ZERO.get(kind, "0")
    else:
        yield str(value).lower() if isinstance(value, bool) else str(value)


def _struct(kind: str, value: Object) -> Iterator[str]:
    yield "{"
    for index, (name, field, key) in enumerate(_shapes()[kind]):
        yield f" {name}:" if index else f"{name}:"
        yield from _typed(field, value if key is None else value.get(key))
    yield "}"


def _list(kind: str, value: Any) -> Iterator[str]:
    if not value:
        yield "<nil>"
        return
    yield "["
    for index, one in enumerate(value):
        if index:
            yield " "
        yield from _bare(kind, one)
    yield "]"


def _map(kind: str, value: Any) -> Iterator[str]:
    if not value:
        yield "<nil>"
        return
    of = kind[4:].partition("]")[2]
    yield "map["
    for index, key in enumerate(sorted(value, key=str.encode)):
        yield f" {key}:" if index else f"{key}:"
        yield from _bare(of, value[key])
    yield "]"


def _int_or_string(value: Any) -> Iterator[str]:
    text = isinstance(value, str)
    number = 0 if text or value is None else int(value)
    yield f"{{Type:(intstr.Type){int(text)} IntVal:(int32){number} StrVal:(string){value if text else ''}}}"


def _quantity(value: Any) -> str:
    """A Quantity as ParseQuantity leaves it: the digits, their power of ten, the text, the notation."""
    text = quantity.canonical(value)
    digits = text.rstrip("numkMGTPEi")
    suffix = text[len(digits) :]
    amount, scale, notation = int(quantity.value(text)), 0, "DecimalSI"
    if suffix.endswith("i"):
        notation = "BinarySI"
    else:
        scale = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}.get(suffix, 0)
        amount = int(digits)
    return (
        f"{{i:(resource.int64Amount){{value:(int64){amount} scale:(resource.Scale){scale}}} "
        f"d:(resource.infDecAmount){{Dec:(*inf.Dec)<nil>}} s:(string){text} Format:(resource.Format){notation}}}"
    )


def _fnv32a(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def number(template: Object, collisions: int | None = None) -> int:
    """The 32-bit hash of a template, salted by the count of collisions where there were any."""
    data = printed(template).encode()
    if collisions is not None:
        data += collisions.to_bytes(8, "little")
    return _fnv32a(data)
