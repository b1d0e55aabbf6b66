"""Kubernetes quantities ("100m", "1Gi") as numbers. Pure. Upstream: k8s.io/apimachinery/pkg/api/resource."""

from __future__ import annotations

_SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


def parse_quantity(value: str | int | float) -> float:
    """The number that a quantity stands for. Raises ValueError where it is none."""
    text = str(value).strip()
    try:
        return float(text)  # also the exponent form, 12e6
    except ValueError:
        pass
    digits = text.rstrip("KMGTPEkinum")
    suffix = text[len(digits) :]
    if suffix not in _SUFFIXES:
        raise ValueError(f"{value!r} is not a quantity")
    return float(digits) * _SUFFIXES[suffix]
