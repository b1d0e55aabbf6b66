"""Resource quantities: ``500m``, ``1Gi``, ``2``.

Upstream: k8s.io/apimachinery/pkg/api/resource. Quantities are stored in canonical form, and compared by value.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Any

_PATTERN = re.compile(r"^([+-]?[0-9]*\.?[0-9]*)([eE][-+]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


_MAX_EXPONENT = 60
_MAX = Decimal(2**63 - 1)  # larger amounts are capped


def _parts(text: str) -> tuple[Decimal, str]:
    found = _PATTERN.match(text)
    if found is None or not any(c.isdigit() for c in found[1]):
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    number = Decimal(found[1])
    if number and number.adjusted() > _MAX_EXPONENT:  # capped anyway; a million digits are not calculated with
        number = _MAX.copy_sign(number)
    return number, found[2] or ""


def value(quantity: Any) -> Decimal:
    """The value of a quantity. Raises ValueError with Kubernetes' text where it is none."""
    number, suffix = _parts(str(quantity))
    if suffix in _BINARY:
        return number * (1 << _BINARY[suffix])
    if suffix in _DECIMAL:
        return number.scaleb(_DECIMAL[suffix])
    exponent = int(suffix[1:])
    if abs(exponent) > _MAX_EXPONENT:  # far beyond what is capped; a number of that many digits is not made
        return Decimal(0) if exponent < 0 or not number else _MAX.copy_sign(number)
    return number.scaleb(exponent)


def canonical(quantity: Any) -> str:
    """The canonical form: the largest suffix that leaves a whole number, at least one thousandth.

    Raises ValueError with Kubernetes' text where it is no quantity.
    """
    _, suffix = _parts(str(quantity))
    amount = max(min(value(quantity), _MAX), -_MAX)
    if suffix in _BINARY and abs(amount) >= 1024 and amount == int(amount):
        whole = int(amount)
        sign = next(s for s in reversed(_BINARY) if whole % (1 << _BINARY[s]) == 0 or s == "Ki")
        if whole % (1 << _BINARY[sign]) == 0:
            return f"{whole >> _BINARY[sign]}{sign}"
        return str(whole)
    thousandths = int(amount.scaleb(3).to_integral_value(ROUND_CEILING))
    if thousandths == 0:
        return "0"
    exponent = -3
    while thousandths % 1000 == 0 and exponent < 18:
        thousandths //= 1000
        exponent += 3
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        return f"{thousandths}e{exponent}" if exponent else str(thousandths)
    return f"{thousandths}{next(s for s, e in _DECIMAL.items() if e == exponent)}"


def divide(quantity: Any, divisor: Any) -> str:
    """``quantity / divisor``, rounded up to a whole number: what a resourceFieldRef becomes."""
    return str(int((value(quantity) / (value(divisor) or 1)).to_integral_value(ROUND_CEILING)))
