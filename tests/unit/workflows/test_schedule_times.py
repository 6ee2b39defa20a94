"""Law: the times of a schedule are those that its spec describes, each once, in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from statefun.workflows import _proto
from statefun.workflows.crons import next_run_ms
from statefun.workflows.schedule_times import Times, compiled

START = datetime(2026, 11, 30, 13, 7, 30, tzinfo=UTC)
HOUR_MS = 3_600_000


def ms(moment: datetime) -> int:
    """A time in milliseconds."""
    return int(moment.timestamp() * 1000)


def times(spec: _proto.ScheduleSpec, after: datetime = START, count: int = 4) -> list[str]:
    """The first times of a spec."""
    found = Times(compiled(spec), "id").following(ms(after), count)
    return [datetime.fromtimestamp(each / 1000, UTC).isoformat()[:19] for each in found]


def cron(*texts: str, **more: Any) -> _proto.ScheduleSpec:
    """A spec with cron expressions."""
    return _proto.ScheduleSpec(cron_expressions=texts, **more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 9 * * MON-FRI", ["2026-12-01T09:00:00", "2026-12-02T09:00:00", "2026-12-03T09:00:00"]),
        ("@every 1h", ["2026-11-30T14:00:00", "2026-11-30T15:00:00", "2026-11-30T16:00:00"]),
        ("@every 7m/2m", ["2026-11-30T13:14:00", "2026-11-30T13:21:00", "2026-11-30T13:28:00"]),
        ("@daily", ["2026-12-01T00:00:00", "2026-12-02T00:00:00", "2026-12-03T00:00:00"]),
        (
            "CRON_TZ=Europe/Berlin 0 9 1,15 * *",
            ["2026-12-01T08:00:00", "2026-12-15T08:00:00", "2027-01-01T08:00:00"],
        ),
        ("0 0 13 * FRI", ["2027-08-13T00:00:00", "2028-10-13T00:00:00", "2029-04-13T00:00:00"]),
        ("30 9 * * * 2027", ["2027-01-01T09:30:00", "2027-01-02T09:30:00", "2027-01-03T09:30:00"]),
        (
            "5 30 9 * * * 2027",
            ["2027-01-01T09:30:05", "2027-01-02T09:30:05", "2027-01-03T09:30:05"],
        ),
        ("0 9 * * 7", ["2026-12-06T09:00:00", "2026-12-13T09:00:00", "2026-12-20T09:00:00"]),
        (
            "*/20 9 * JAN,JUN mon # note",
            ["2027-01-04T09:00:00", "2027-01-04T09:20:00", "2027-01-04T09:40:00"],
        ),
        ("0 0 29 2 *", ["2028-02-29T00:00:00", "2032-02-29T00:00:00", "2036-02-29T00:00:00"]),
        ("0 0 31 2 *", []),
    ],
)
def test_a_cron_expression_names_the_times_that_the_peer_names(
    text: str, expected: list[str]
) -> None:
    """As seen with Temporal's development server: both days must fit, and years may stand last."""
    assert times(cron(text), count=3) == expected


def test_the_second_of_two_equal_times_comes_and_one_that_is_leapt_over_does_not() -> None:
    """Summer time in Berlin: 2:30 is missing in March, and twice there in October."""
    spec = cron("30 2 * * *", time_zone_name="Europe/Berlin")
    assert times(spec, datetime(2027, 3, 27, tzinfo=UTC), 2) == [
        "2027-03-27T01:30:00",
        "2027-03-29T00:30:00",
    ]
    assert times(spec, datetime(2027, 10, 30, tzinfo=UTC), 3) == [
        "2027-10-30T00:30:00",
        "2027-10-31T01:30:00",
        "2027-11-01T01:30:00",
    ]


def test_times_are_the_union_of_everything_without_what_is_skipped_and_within_limits() -> None:
    """Calendars, intervals and cron expressions beside one another; equal times are one."""
    spec = cron(
        "0 12 * * *",
        intervals=[_proto.ScheduleInterval(every_ms=6 * HOUR_MS)],
        skip=[_proto.ScheduleCalendar(hour=[_proto.ScheduleRange(start=6)])],
        start_ms=ms(datetime(2026, 12, 1, tzinfo=UTC)),
        end_ms=ms(datetime(2026, 12, 1, 18, tzinfo=UTC)),
    )
    assert times(spec, count=9) == [
        "2026-12-01T00:00:00",
        "2026-12-01T12:00:00",
        "2026-12-01T18:00:00",
    ]


def test_jitter_lets_each_time_be_later_but_not_after_the_next_one() -> None:
    """It is the same whenever it is asked, and differs between schedules."""
    spec = _proto.ScheduleSpec(
        intervals=[_proto.ScheduleInterval(every_ms=60_000)], jitter_ms=HOUR_MS
    )
    here, there = Times(spec, "here"), Times(spec, "there")
    nominal = [ms(START + timedelta(minutes=each, seconds=30)) for each in range(50)]
    due = [here.due_ms(each) for each in nominal]
    assert all(0 <= late - each < 60_000 for late, each in zip(due, nominal, strict=True))
    assert all(left <= right for left, right in pairwise(due))
    assert due == [here.due_ms(each) for each in nominal]
    assert due != [there.due_ms(each) for each in nominal]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (cron("bogus"), "CronString does not have 5-7 fields"),
        (cron("99 * * * *"), r"Minute is not in range \[0-59\]"),
        (cron("5-3 * * * *"), r"Minute is not in range \[0-59\]"),
        (cron("x * * * *"), "Minute 'x' is not a number"),
        (cron("@every soon"), "'soon' is not a span"),
        (cron("CRON_TZ=UTC @daily", "CRON_TZ=Europe/Berlin @daily"), "conflicting time zones"),
        (cron("@daily", time_zone_name="Mars/X"), "unknown time zone Mars/X"),
        (
            _proto.ScheduleSpec(
                calendars=[_proto.ScheduleCalendar(hour=[_proto.ScheduleRange(start=25, end=25)])]
            ),
            r"invalid calendar spec: Hour Start is not in range \[0-23\], Hour End is before",
        ),
        (
            _proto.ScheduleSpec(intervals=[_proto.ScheduleInterval(every_ms=0)]),
            "interval is too small",
        ),
        (
            _proto.ScheduleSpec(intervals=[_proto.ScheduleInterval(every_ms=1000, offset_ms=2000)]),
            "phase cannot be greater than Interval",
        ),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(spec: _proto.ScheduleSpec, sentence: str) -> None:
    """With the words of the peer."""
    with pytest.raises(ValueError, match=sentence):
        compiled(spec)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 12 * * *", datetime(2026, 12, 1, 12, tzinfo=UTC)),
        ("@hourly", datetime(2026, 11, 30, 14, tzinfo=UTC)),
        ("CRON_TZ=Europe/Berlin 0 12 * * *", datetime(2026, 12, 1, 11, tzinfo=UTC)),
        ("@every 1h30m", START + timedelta(minutes=90)),
    ],
)
def test_a_cron_expression_of_a_workflow_names_the_next_run(
    expression: str, expected: datetime
) -> None:
    """With macros, spans and time zones, as its peer has them; `@every` counts from the start."""
    assert next_run_ms(expression, ms(START), ms(START)) == ms(expected)
    late = ms(START) + 1000
    assert next_run_ms(expression, ms(START), late) == ms(expected)


def test_cron_expressions_of_workflows_are_read_otherwise_than_by_the_peer_in_three_points() -> (
    None
):
    """Both days count with `*/2`, a time that is leapt over comes later, a double one once."""

    def runs(expression: str, after: datetime) -> list[str]:
        found, at_ms = [], ms(after)
        for _ in range(3):
            at_ms = next_run_ms(expression, at_ms, at_ms)
            found.append(datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%m-%d %H:%M"))
        return found

    december = datetime(2026, 12, 1, tzinfo=UTC)
    assert runs("0 12 */2 * 1", december) == ["12-07 12:00", "12-21 12:00", "01-11 12:00"]
    assert runs("0 12 13 * 5", december) == ["12-04 12:00", "12-11 12:00", "12-13 12:00"]
    night = "CRON_TZ=Europe/Berlin 30 2 * * *"
    spring, autumn = datetime(2027, 3, 27, tzinfo=UTC), datetime(2027, 10, 30, tzinfo=UTC)
    assert runs(night, spring) == ["03-27 01:30", "03-28 01:00", "03-29 00:30"]
    assert runs(night, autumn) == ["10-30 00:30", "10-31 00:30", "11-01 01:30"]
