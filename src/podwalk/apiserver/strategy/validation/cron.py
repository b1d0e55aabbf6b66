"""Schedules of CronJobs, read as upstream's parser reads them.

Upstream: validateScheduleFormat and validateTimeZone of pkg/apis/batch/validation; ParseStandard of
github.com/robfig/cron/v3, whose complaints these are.
"""

from __future__ import annotations

import re
import zoneinfo

from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, _MONTHS), (0, 6, _DAYS),
)  # fmt: skip
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_DURATION = re.compile(
    r"[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*|[+-]?0"
)
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"[+-]?\d+", text):
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    value = int(text)
    if value < 0:
        raise ValueError(f"negative number ({value}) not allowed: {text}")
    return value


def _range(text: str, low: int, high: int, names: dict[str, int]) -> None:
    parts, step = text.split("/"), 1
    ends = parts[0].split("-")
    if ends[0] in ("*", "?"):
        start, end = low, high
    else:
        start = _number(ends[0], names)
        if len(ends) > 2:
            raise ValueError(f"too many hyphens: {text}")
        end = _number(ends[1], names) if len(ends) == 2 else start
    if len(parts) > 2:
        raise ValueError(f"too many slashes: {text}")
    if len(parts) == 2:
        step = _number(parts[1], {})
        if len(ends) == 1 and ends[0] not in ("*", "?"):
            end = high
    if start < low:
        raise ValueError(f"beginning of range ({start}) below minimum ({low}): {text}")
    if end > high:
        raise ValueError(f"end of range ({end}) above maximum ({high}): {text}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")


def parse_schedule(schedule: str) -> None:
    """Check a schedule of five fields or a descriptor. Raises ValueError in the parser's words."""
    text = schedule
    if not text:
        raise ValueError("empty spec string")
    if text.startswith(("TZ=", "CRON_TZ=")):
        zone, _, text = text.partition(" ")
        name = zone.partition("=")[2]
        if not _known_zone(name):
            raise ValueError(f"provided bad location {name}: unknown time zone {name}")
        text = text.strip()
    if text.startswith("@"):
        if text in _DESCRIPTORS:
            return
        if text.startswith("@every "):
            if not _DURATION.fullmatch(text.removeprefix("@every ")):
                duration = text.removeprefix("@every ")
                raise ValueError(f'failed to parse duration {text}: time: invalid duration "{duration}"')
            return
        raise ValueError(f"unrecognized descriptor: {text}")
    found = text.split()
    if len(found) != len(_FIELDS):
        shown = "[" + " ".join(found) + "]"
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(found)}: {shown}")
    for field, (low, high, names) in zip(found, _FIELDS, strict=True):
        for part in filter(None, field.split(",")):
            _range(part, low, high, names)


def validate_schedule(schedule: str, field: str, time_zone: object, old_schedule: str) -> list[Cause]:
    """The complaints about a schedule; ``old_schedule`` is empty on creation."""
    causes: list[Cause] = []
    try:
        parse_schedule(schedule)
    except ValueError as error:
        causes.append(fields.invalid(field, schedule, str(error)))
    if "TZ" in schedule:
        if "TZ" not in old_schedule:
            text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            causes.append(fields.invalid(field, schedule, text))
        elif time_zone is not None:
            text = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
            causes.append(fields.invalid(field, schedule, text))
    return causes


def _known_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return name in ("UTC", "Local")
    return True


def validate_time_zone(name: object, field: str) -> list[Cause]:
    """The complaints about a time zone; None is none."""
    if name is None:
        return []
    zone = str(name)
    if not zone:
        return [fields.invalid(field, zone, "timeZone must be nil or non-empty string")]
    for part in zone.split("/"):
        if part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part):
            return [fields.invalid(field, zone, f"unknown time zone {zone}")]
    causes: list[Cause] = []
    if zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        causes.append(fields.invalid(field, zone, text))
    if not _known_zone(zone):
        causes.append(fields.invalid(field, zone, f"unknown time zone {zone}"))
    return causes
