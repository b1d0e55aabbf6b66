"""Lists of indexes of an Indexed Job: ``0-3,5``.

Upstream: validateIndexesFormat in pkg/apis/batch/validation.
"""

from __future__ import annotations

import re


def _number(text: str, completions: int) -> int:
    if not re.fullmatch(r"[+-]?\d+", text):
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    value = int(text)
    if value >= completions:
        raise ValueError(f'too large index: "{text}"')
    return value


def count_indexes(text: str, completions: int) -> int:
    """How many indexes a list names. Raises ValueError in upstream's words."""
    total, last = 0, None
    for interval in text.split(",") if text else ():
        ends = interval.split("-")
        if len(ends) > 2:
            raise ValueError(
                f'the fragment "{interval}" violates the requirement that an index interval can have at most two parts '
                "separated by '-'"
            )
        first = _number(ends[0], completions)
        end = first
        if len(ends) == 2:
            end = _number(ends[1], completions)
            if first >= end:
                raise ValueError(f"non-increasing order, previous: {first}, current: {end}")
        if last is not None and last >= first:
            raise ValueError(f"non-increasing order, previous: {last}, current: {first}")
        total, last = total + end - first + 1, end
    return total
