"""Resource quantities ("100m", "64Mi"), as k8s.io/apimachinery/pkg/api/resource reads them."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([A-Za-z]*))$")
_SUFFIXES: dict[str, Decimal] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def parse(text: str | int | float) -> Decimal:
    """The value of a quantity in its base unit. Raises ValueError."""
    found = _QUANTITY.match(str(text).strip())
    if found is None or (found[3] or "") not in _SUFFIXES:
        raise ValueError(f"unable to parse quantity's suffix: {text!r}")
    number = Decimal(found[1] + (found[2] or ""))
    return number * _SUFFIXES[found[3] or ""]


def divide(value: str | int, divisor: str | int) -> str:
    """``value / divisor``, rounded up to a whole number: what a resourceFieldRef becomes."""
    by = parse(divisor)
    if by == 0:
        by = Decimal(1)
    return str(int((parse(value) / by).to_integral_value(ROUND_CEILING)))
