"""When scheduled handlers start: cron expressions, read by cronsim (extra `schedule`)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from statefun.errors import DefinitionError

if TYPE_CHECKING:
    from statefun.durable.options import Schedule
    from statefun.durable.place import Place

__all__ = ["check_schedule", "next_start"]


def check_schedule(schedule: Schedule, place: Place) -> None:
    """See that a schedule names times that come.

    Raises:
        DefinitionError: If it does not, or if cronsim is not installed.
    """
    try:
        next_start(schedule, 0.0)
    except DefinitionError as error:
        raise DefinitionError(f"{error} ({place})", place=str(place)) from error


def next_start(schedule: Schedule, after: float) -> float:
    """When a scheduled handler starts next.

    Args:
        schedule: The schedule.
        after: A time in seconds since 1970.

    Returns:
        The first time of the schedule after that, in seconds since 1970.

    Raises:
        DefinitionError: If the expression or the time zone is not valid, or no such time ever
            comes.
    """
    try:
        from cronsim import CronSim, CronSimError  # noqa: PLC0415 - of the extra `schedule`
    except ImportError as error:
        raise DefinitionError(
            "schedules are read by cronsim, which is not installed: "
            "pip install 'statefun[schedule]'"
        ) from error
    try:
        zone = ZoneInfo(schedule.timezone)
        start: datetime = next(CronSim(schedule.cron, datetime.fromtimestamp(after, zone)))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise DefinitionError(
            f"{schedule.timezone!r} is not a time zone: write for example 'Europe/Berlin'"
        ) from error
    except (CronSimError, StopIteration) as error:
        raise DefinitionError(
            f"{schedule.cron!r} is not a schedule ({error or 'it names no time'}): write minute, "
            "hour, day, month and day of the week, as in '0 9 * * MON-FRI'"
        ) from error
    return start.timestamp()
