"""Kubernetes quantities ("100m", "1Gi") as numbers. Pure. Upstream: k8s.io/apimachinery/pkg/api/resource."""

from __future__ import annotations

import re

# The exponent form (12e6) first: its "e" is no suffix, and the suffix E (exa) has no digits after it.
_QUANTITY = re.compile(r"^(?P<number>[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)(?P<suffix>[A-Za-z]*)$")
_SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


def parse_quantity(value: str | int | float) -> float:
    """The number that a quantity stands for. Raises ValueError where it is none."""
    found = _QUANTITY.match(str(value).strip())
    if found is None or found["suffix"] not in _SUFFIXES:
        raise ValueError(f"{value!r} is not a quantity")
    return float(found["number"]) * _SUFFIXES[found["suffix"]]
