#!/usr/bin/env bash
# A time span of a year or more, written as JSON by pydantic 2.14.4, cannot be read by msgspec 0.23.0:
# pydantic counts a year as 365 days ("P1Y35D" for 400 days), and msgspec reads days, hours, minutes and
# seconds only. Up to 364 days, and for negative spans, each reads the other. Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 msgspec==0.23.0

found=$("$folder/venv/bin/python" - <<'PYTHON'
from datetime import timedelta

import msgspec
from pydantic import TypeAdapter

adapter = TypeAdapter(timedelta)
for span in (timedelta(days=364), timedelta(hours=-1), timedelta(days=400)):
    written = adapter.dump_json(span)
    try:
        read = "equal" if msgspec.json.decode(written, type=timedelta) == span else "different"
    except msgspec.ValidationError:
        read = "refused"
    back = adapter.validate_json(msgspec.json.encode(span)) == span
    print(f"{span.days} days: pydantic writes {written.decode()}, msgspec: {read}; the other way: {'equal' if back else 'different'}")
PYTHON
)
echo "$found"
[ "$found" = '364 days: pydantic writes "P364D", msgspec: equal; the other way: equal
-1 days: pydantic writes "-PT1H", msgspec: equal; the other way: equal
400 days: pydantic writes "P1Y35D", msgspec: refused; the other way: equal' ]
