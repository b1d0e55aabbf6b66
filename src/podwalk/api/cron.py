"""Schedules of CronJobs: the five fields of cron and the descriptors, and the times they mean. Pure.

Upstream: robfig/cron v3 (ParseStandard), which pkg/controller/cronjob uses; its error texts too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_YEARS = 5


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes, hours, days, months and weekdays of a schedule, or its interval in seconds (``@every``)."""

    fields: tuple[frozenset[int], ...] = ()
    any_day: bool = True
    any_weekday: bool = True
    every: float = 0

    def next(self, after: datetime) -> datetime | None:
        """The first time after ``after``, in its time zone; None where there is none within five years."""
        if self.every:
            return after.replace(microsecond=0) + timedelta(seconds=self.every)
        minutes, hours, _, months, _ = self.fields
        at = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
        last = at.year + _YEARS
        while at.year <= last:
            if at.month not in months:
                first = at.replace(day=1, hour=0, minute=0)
                at = first.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
            elif not self._is_day(at):
                at = at.replace(hour=0, minute=0) + timedelta(days=1)
            elif at.hour not in hours:
                at = at.replace(minute=0) + timedelta(hours=1)
            elif at.minute not in minutes:
                at += timedelta(minutes=1)
            else:
                return at
        return None

    def _is_day(self, at: datetime) -> bool:
        day = at.day in self.fields[2]
        weekday = at.isoweekday() % 7 in self.fields[4]
        # As in every cron: two restrictions mean either, one means itself.
        return day and weekday if self.any_day or self.any_weekday else day or weekday


def parse(text: str) -> Schedule:
    """A schedule. Raises ValueError with cron's own words where it is none."""
    if not text:
        raise ValueError("empty spec string")
    if text.startswith("@"):
        return _descriptor(text)
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    sets = tuple(_field(one, *bounds) for one, bounds in zip(fields, _BOUNDS, strict=True))
    return Schedule(sets, _is_star(fields[2]), _is_star(fields[4]))


def _is_star(field: str) -> bool:
    return any(part.split("/")[0] in ("*", "?") and part.partition("/")[2] in ("", "1") for part in field.split(","))


def _descriptor(text: str) -> Schedule:
    if text in _DESCRIPTORS:
        return parse(_DESCRIPTORS[text])
    if text.startswith("@every "):
        seconds, digits = 0.0, ""
        for char in text[len("@every ") :]:
            if char.isdigit() or char == ".":
                digits += char
            elif char in _UNITS and digits:
                seconds, digits = seconds + float(digits) * _UNITS[char], ""
            else:
                raise ValueError(f"failed to parse duration {text}")
        if digits or seconds <= 0:
            raise ValueError(f"failed to parse duration {text}")
        return Schedule(every=max(1.0, float(int(seconds))))
    raise ValueError(f"unrecognized descriptor: {text}")


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    out: set[int] = set()
    for part in text.split(","):
        out.update(_range(part, low, high, names))
    return frozenset(out)


def _range(text: str, low: int, high: int, names: dict[str, int]) -> range:
    span, *steps = text.split("/")
    first, *last = span.split("-")
    if first in ("*", "?"):
        start, end = low, high
    elif len(last) > 1:
        raise ValueError(f"too many hyphens: {text}")
    else:
        start = _number(first, names)
        end = _number(last[0], names) if last else start
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    step = _number(steps[0], {}) if steps else 1
    if steps and not last and first not in ("*", "?"):
        end = high
    if start < low:
        raise ValueError(f"beginning of range ({start}) below minimum ({low}): {text}")
    if end > high:
        raise ValueError(f"end of range ({end}) above maximum ({high}): {text}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")
    return range(start, end + 1, step)


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)
