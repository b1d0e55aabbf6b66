"""Ages as kubectl shows them: the server writes them into the Table.

Upstream: k8s.io/apimachinery/pkg/util/duration (HumanDuration), pkg/printers/internalversion (translateTimestampSince).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from podwalk.api import meta

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 24 * 3600, 365 * 24 * 3600


def _two_units(seconds: int, big: int, big_sign: str, small: int, small_sign: str) -> str:
    rest = seconds % big // small
    return f"{seconds // big}{big_sign}{rest}{small_sign}" if rest else f"{seconds // big}{big_sign}"


def human_duration(seconds: float) -> str:
    """A duration as two or three significant digits: ``95s``, ``4m10s``, ``5h``, ``3d4h``.

    A little time in the future is ``0s`` (clocks differ); more than a second is ``<invalid>``.
    """
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 10 * _MINUTE:
        return _two_units(whole, _MINUTE, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two_units(whole, _HOUR, "h", _MINUTE, "m")
    if whole < 48 * _HOUR:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two_units(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _two_units(whole, _YEAR, "y", _DAY, "d")
    return f"{whole // _YEAR}y"


def since(timestamp: Any, now: datetime | None = None) -> str:
    """The time since an RFC 3339 timestamp, or ``<unknown>`` where there is none."""
    if not timestamp:
        return "<unknown>"
    try:
        then = meta.parse_time(str(timestamp))
    except ValueError:
        return "<unknown>"
    return human_duration(((now or datetime.now(UTC)) - then).total_seconds())


def age(obj: meta.Object) -> str:
    """The AGE cell of an object."""
    return since(obj.get("metadata", {}).get("creationTimestamp"))
