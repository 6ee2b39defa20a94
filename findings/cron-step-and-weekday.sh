#!/usr/bin/env bash
# `0 12 */2 * 1` has four meanings in four Python libraries for cron expressions. cronsim 2.8 and
# crontab 1.0.5 want both (a Monday on an odd day: `*/2` begins with a star, so it does not count as
# "restricted"), as Debian's cron. croniter 7.0.0 wants either. APScheduler 3.11.3 wants both, but takes 1
# for Tuesday, also in `CronTrigger.from_crontab`. Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  cronsim==2.8 crontab==1.0.5 croniter==7.0.0 apscheduler==3.11.3

found=$("$folder/venv/bin/python" - <<'PYTHON'
from datetime import datetime, timedelta, timezone

from apscheduler.triggers.cron import CronTrigger
from croniter import croniter
from cronsim import CronSim
from crontab import CronTab

EXPRESSION = "0 12 */2 * 1"
START = datetime(2026, 3, 1, tzinfo=timezone.utc)  # a Sunday


def first_days(following):
    days, now = [], START
    for _ in range(4):
        now = following(now)
        days.append(f"{now:%a %d.%m.}")
    return ", ".join(days)


trigger = CronTrigger.from_crontab(EXPRESSION, timezone=timezone.utc)
print("cronsim:", first_days(lambda now: next(CronSim(EXPRESSION, now))))
print("crontab:", first_days(lambda now: CronTab(EXPRESSION).next(now=now, default_utc=True, return_datetime=True)))
print("croniter:", first_days(lambda now: croniter(EXPRESSION, now).get_next(datetime)))
print("APScheduler:", first_days(lambda now: trigger.get_next_fire_time(None, now + timedelta(seconds=1))))
PYTHON
)
echo "$found"
[ "$found" = "cronsim: Mon 09.03., Mon 23.03., Mon 13.04., Mon 27.04.
crontab: Mon 09.03., Mon 23.03., Mon 13.04., Mon 27.04.
croniter: Sun 01.03., Mon 02.03., Tue 03.03., Thu 05.03.
APScheduler: Tue 03.03., Tue 17.03., Tue 31.03., Tue 07.04." ]
