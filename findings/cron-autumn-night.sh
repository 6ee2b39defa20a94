#!/usr/bin/env bash
# In the night in which clocks go back, 02:30 comes twice. A daily job at 02:30 runs once by cronsim 2.8 and
# crontab 1.0.5, and twice by croniter 7.0.0. A job of every half hour runs through that night by cronsim and
# croniter; crontab leaves out the hour that is repeated. In spring crontab names 02:30, which no clock shows.
# Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  cronsim==2.8 crontab==1.0.5 croniter==7.0.0 tzdata==2026.1

found=$("$folder/venv/bin/python" - <<'PYTHON'
from datetime import datetime
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim
from crontab import CronTab

BERLIN = ZoneInfo("Europe/Berlin")
FOLLOWING = {
    "cronsim": lambda expression, now: next(CronSim(expression, now)),
    "crontab": lambda expression, now: CronTab(expression).next(now=now, default_utc=True, return_datetime=True),
    "croniter": lambda expression, now: croniter(expression, now).get_next(datetime),
}


def times(name, expression, now, count):
    found = []
    for _ in range(count):
        now = FOLLOWING[name](expression, now)
        found.append(f"{now:%d. %H:%M%z}")
    return ", ".join(found)


for name in FOLLOWING:
    print(name, "autumn, daily:", times(name, "30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=BERLIN), 2))
    print(name, "autumn, half-hourly:", times(name, "*/30 * * * *", datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN), 2))
    print(name, "spring, daily:", times(name, "30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=BERLIN), 1))
PYTHON
)
echo "$found"
[ "$found" = "cronsim autumn, daily: 25. 02:30+0200, 26. 02:30+0100
cronsim autumn, half-hourly: 25. 02:30+0200, 25. 02:00+0100
cronsim spring, daily: 29. 03:00+0200
crontab autumn, daily: 25. 02:30+0200, 26. 02:30+0100
crontab autumn, half-hourly: 25. 02:30+0200, 25. 03:00+0100
crontab spring, daily: 29. 02:30+0100
croniter autumn, daily: 25. 02:30+0200, 25. 02:30+0100
croniter autumn, half-hourly: 25. 02:30+0200, 25. 02:00+0100
croniter spring, daily: 29. 03:00+0200" ]
