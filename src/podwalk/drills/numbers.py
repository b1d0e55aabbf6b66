"""Numbers that a question draws: expressions of its parameters, evaluated without eval, and numbers people write."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "ceil": math.ceil,
    "floor": math.floor,
    "log2": math.log2,
    "round": round,
}
_MOST = 1e15
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?|[+-]?\.\d+)(?:\s*/\s*(\d+(?:\.\d+)?))?\s*(%?)")
_THOUSANDS = re.compile(r"(?<=\d)[,_ ’'](?=\d{3}(?!\d))")


class ExpressionError(ValueError):
    """An expression has no value: it does not parse, or uses what is not allowed."""


def evaluate(expression: str, values: Mapping[str, float] | None = None) -> float:
    """The value of an arithmetic expression: numbers, parameters, + - * / // % **, min max ceil floor log2 round.

    Raises ExpressionError.
    """
    try:
        tree = ast.parse(expression, mode="eval")
        found = float(_value(tree.body, values or {}))
    except (SyntaxError, ArithmeticError, TypeError, ValueError, RecursionError) as error:
        raise ExpressionError(f"{expression!r} has no value: {error}") from None
    return found


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _bounded(type(op), _value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(a, values) for a in args))
    raise ExpressionError(f"{ast.unparse(node)} is not allowed or not known")


def _bounded(op: type[ast.operator], left: float, right: float) -> float:
    if op is ast.Pow and (abs(right) > 64 or abs(left) > 1e6):
        raise ExpressionError("the power is too large")
    found = _BINARY[op](left, right)
    if abs(found) > _MOST:
        raise ExpressionError("the number is too large")
    return found


def parse(text: str) -> float | None:
    """The number that somebody wrote: ``1450``, ``1,450 bytes``, ``1/3``, ``33 %``; None where there is none."""
    found = _NUMBER.search(_THOUSANDS.sub("", text.strip()[:200]))
    if found is None:
        return None
    try:
        number = Fraction(found[1]) / Fraction(found[2] or "1")
    except ZeroDivisionError:
        return None
    return float(number / 100 if found[3] else number)


def show(number: float) -> str:
    """A number as one writes it: no ".0", no more digits than say something."""
    if number == int(number):
        return str(int(number))
    return f"{number:.10g}" if abs(number) >= 1 else f"{number:.4g}"
