"""When schedules take their actions: calendars, intervals and cron expressions. Pure.

Times are milliseconds since 1970, and whole seconds. A calendar is in the time zone of its spec: a
time that the clocks leap over does not come, and of two equal ones the second does.
"""

from __future__ import annotations

import hashlib
from calendar import monthrange
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from statefun.workflows import _proto
from statefun.workflows.crons import MACROS, span_ms, split_zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Times", "compiled"]

_LAST_YEAR = 2100
_MOST_SKIPPED = 10_000
_SECOND_MS = 1000

# The fields of a calendar, from the coarsest: name, first value, last value, what none given means.
_FIELDS = (
    ("year", 2000, _LAST_YEAR, (2000, _LAST_YEAR)),
    ("month", 1, 12, (1, 12)),
    ("day_of_month", 1, 31, (1, 31)),
    ("day_of_week", 0, 7, (0, 6)),
    ("hour", 0, 23, (0, 0)),
    ("minute", 0, 59, (0, 0)),
    ("second", 0, 59, (0, 0)),
)
_WORDS = {
    "year": "Year",
    "month": "Month",
    "day_of_month": "DayOfMonth",
    "day_of_week": "DayOfWeek",
    "hour": "Hour",
    "minute": "Minute",
    "second": "Second",
}
_CRON_FIELDS = ("second", "minute", "hour", "day_of_month", "month", "day_of_week", "year")
_MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}


class _Calendar:
    """A calendar, as sets of the values of its fields."""

    def __init__(self, spec: _proto.ScheduleCalendar) -> None:
        values = {name: _values(getattr(spec, name), default) for name, _, _, default in _FIELDS}
        self.years = values["year"]
        self.months = values["month"]
        self.days = values["day_of_month"]
        self.weekdays = frozenset(each % 7 for each in values["day_of_week"])
        self.hours = values["hour"]
        self.minutes = values["minute"]
        self.seconds = values["second"]
        self.times = [
            (hour, minute, second)
            for hour in sorted(self.hours)
            for minute in sorted(self.minutes)
            for second in sorted(self.seconds)
        ]

    def fits(self, at: datetime) -> bool:
        """Whether a time fits."""
        return (
            self._fits_day(at.year, at.month, at.day)
            and at.hour in self.hours
            and at.minute in self.minutes
            and at.second in self.seconds
        )

    def _fits_day(self, year: int, month: int, day: int) -> bool:
        return (
            year in self.years
            and month in self.months
            and day in self.days
            and datetime(year, month, day, tzinfo=UTC).isoweekday() % 7 in self.weekdays
        )

    def after(self, at: datetime) -> Iterator[datetime]:
        """The local times from one on, in order, without a time zone."""
        year, month, day = at.year, at.month, at.day
        while year <= _LAST_YEAR:
            if year not in self.years:
                year, month, day = year + 1, 1, 1
            elif month not in self.months or day > monthrange(year, month)[1]:
                year, month, day = (year + month // 12), month % 12 + 1, 1
            else:
                if self._fits_day(year, month, day):
                    for hour, minute, second in self.times:
                        yield datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - local
                day += 1


def _values(ranges: Sequence[_proto.ScheduleRange], default: tuple[int, int]) -> frozenset[int]:
    if not ranges:
        return frozenset(range(default[0], default[1] + 1))
    found: set[int] = set()
    for each in ranges:
        found.update(range(each.start, max(each.end, each.start) + 1, max(each.step, 1)))
    return frozenset(found)


class Times:
    """The times of a spec.

    Args:
        spec: The spec, as `compiled` gives it.
        schedule_id: The schedule, for jitter that is not that of others.
    """

    def __init__(self, spec: _proto.ScheduleSpec, schedule_id: str) -> None:
        self._spec = spec
        self._id = schedule_id
        self._zone = _zone(spec.time_zone_name)
        self._calendars = [_Calendar(each) for each in spec.calendars]
        self._skipped = [_Calendar(each) for each in spec.skip]

    def after(self, ms: int) -> int | None:
        """The first time after one; None if there is none any more."""
        at_ms = max(ms, self._spec.start_ms - 1)
        for _ in range(_MOST_SKIPPED):
            found = [self._after_interval(each, at_ms) for each in self._spec.intervals]
            found += [
                each
                for each in (self._after_calendar(each, at_ms) for each in self._calendars)
                if each is not None
            ]
            at_ms = min(found, default=-1)
            if at_ms < 0 or (self._spec.end_ms and at_ms > self._spec.end_ms):
                return None
            if not self._is_skipped(at_ms):
                return at_ms
        return None

    def due_ms(self, nominal_ms: int) -> int:
        """When an action is taken whose time this is: later by the jitter."""
        jitter_ms = self._spec.jitter_ms
        if not jitter_ms:
            return nominal_ms
        following = self.after(nominal_ms)
        if following is not None:
            jitter_ms = min(jitter_ms, following - nominal_ms)
        digest = hashlib.sha256(f"{self._id}:{nominal_ms}".encode()).digest()
        return nominal_ms + int.from_bytes(digest[:8], "big") % jitter_ms

    def following(self, ms: int, count: int) -> list[int]:
        """So many times after one, as actions are taken."""
        found: list[int] = []
        nominal_ms = self.after(ms)
        while nominal_ms is not None and len(found) < count:
            found.append(self.due_ms(nominal_ms))
            nominal_ms = self.after(nominal_ms)
        return found

    def _after_interval(self, interval: _proto.ScheduleInterval, ms: int) -> int:
        every, offset = interval.every_ms, interval.offset_ms
        return int((ms - offset) // every * every + every + offset)

    def _after_calendar(self, calendar: _Calendar, ms: int) -> int | None:
        local = datetime.fromtimestamp(ms / 1000, self._zone).replace(tzinfo=None)
        for each in calendar.after(local):
            at_ms = self._ms(each)
            if at_ms is not None and at_ms > ms:
                return at_ms
        return None

    def _ms(self, local: datetime) -> int | None:
        """The moment of a local time; None if the clocks leap over it."""
        moment = local.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        if moment.astimezone(self._zone).replace(tzinfo=None) != local:
            return None
        return int(moment.timestamp()) * _SECOND_MS

    def _is_skipped(self, ms: int) -> bool:
        if not self._skipped:
            return False
        at = datetime.fromtimestamp(ms / 1000, self._zone)
        return any(each.fits(at) for each in self._skipped)


# --- checking and compiling -----------------------------------------------------------------------


def compiled(spec: _proto.ScheduleSpec) -> _proto.ScheduleSpec:
    """A spec with calendars and intervals in place of cron expressions.

    Raises:
        ValueError: If it makes no sense.
    """
    made = _proto.ScheduleSpec()
    made.CopyFrom(spec)
    del made.cron_expressions[:]
    for text in spec.cron_expressions:
        _compile(text, made)
    _zone(made.time_zone_name)
    for interval in made.intervals:
        if interval.every_ms < _SECOND_MS:
            raise ValueError("interval is too small")
        if interval.offset_ms >= interval.every_ms:
            raise ValueError("phase cannot be greater than Interval")
    for calendar in (*made.calendars, *made.skip):
        _check(calendar)
    return made


def _check(calendar: _proto.ScheduleCalendar) -> None:
    faults = []
    for name, first, last, _ in _FIELDS:
        for each in getattr(calendar, name):
            limits = f"not in range [{first}-{last}]"
            if not first <= each.start <= last:
                faults.append(f"{_WORDS[name]} Start is {limits}")
            if each.end and not each.start <= each.end <= last:
                faults.append(f"{_WORDS[name]} End is before Start or {limits}")
            if each.step < 0:
                faults.append(f"{_WORDS[name]} has invalid Step")
    if faults:
        raise ValueError(f"invalid calendar spec: {', '.join(faults)}")


@lru_cache(64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name}") from error


def _compile(text: str, into: _proto.ScheduleSpec) -> None:
    """Add a cron expression to a spec: five to seven fields, a macro, or `@every`."""
    words, _, comment = text.partition("#")
    zone, words = split_zone(words)
    if zone:
        if into.time_zone_name not in ("", zone):
            raise ValueError("conflicting time zones in one schedule: write one schedule for each")
        into.time_zone_name = zone
    if words.startswith("@every"):
        every, _, offset = words.removeprefix("@every").strip().partition("/")
        into.intervals.add(every_ms=span_ms(every), offset_ms=span_ms(offset) if offset else 0)
        return
    fields = MACROS.get(words.lower(), words).split()
    if not 5 <= len(fields) <= 7:
        raise ValueError("CronString does not have 5-7 fields")
    if len(fields) < 7:
        fields = ["0", *fields]
    if len(fields) < 7:
        fields.append("*")
    calendar = into.calendars.add(comment=comment.strip())
    for name, field in zip(_CRON_FIELDS, fields, strict=True):
        _parse(name, field, getattr(calendar, name))


def _parse(name: str, field: str, into: object) -> None:
    """Add a field of a cron expression to a calendar."""
    ranges: list[_proto.ScheduleRange] = into  # type: ignore[assignment]
    first, last = next((low, high) for each, low, high, _ in _FIELDS if each == name)
    for part in field.split(","):
        span, slash, step = part.partition("/")
        low, dash, high = span.partition("-")
        if span in ("*", "?"):
            start, end = first, 6 if name == "day_of_week" else last
        else:
            start = _number(name, low)
            end = _number(name, high) if dash else last if slash else start
        size = _number(name, step) if slash else 1
        if not (first <= start <= last and start <= end <= last) or size < 1:
            raise ValueError(f"{_WORDS[name]} is not in range [{first}-{last}]")
        if span in ("*", "?") and name == "year" and size == 1:
            continue
        ranges.append(_proto.ScheduleRange(start=start, end=end, step=size))


def _number(name: str, text: str) -> int:
    names = {"month": _MONTHS, "day_of_week": _DAYS}.get(name, {})
    found = names.get(text.lower()[:3]) if text.isalpha() else None
    if found is not None:
        return found
    if not text.isdecimal():
        raise ValueError(f"{_WORDS[name]} {text!r} is not a number")
    return int(text)
