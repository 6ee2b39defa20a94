#!/usr/bin/env bash
# With a busy time-out of 2 s, SQLite waits before it says "database is locked": but not in
# `PRAGMA journal_mode = WAL`, the first statement of many programs. Beside a writer it fails at once, so two
# processes that make the same new file at the same moment can fail although both have set a time-out.
# Seen with apsw 3.54.1.0 (its own SQLite). Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0

found=$("$folder/venv/bin/python" - "$folder/file.db" <<'PYTHON'
import sys
import time

import apsw


def connect():
    connection = apsw.Connection(sys.argv[1])
    connection.set_busy_timeout(2000)
    return connection


writer, other = connect(), connect()
writer.execute("CREATE TABLE t (a)")
writer.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
for statement in ("BEGIN IMMEDIATE", "PRAGMA journal_mode = WAL"):
    begin = time.monotonic()
    try:
        other.execute(statement)
        told = "done"
    except apsw.BusyError:
        told = "locked"
    waited = "after a wait" if time.monotonic() - begin > 1 else "at once"
    print(f"{statement}: {told}, {waited}")
PYTHON
)
echo "$found"
[ "$found" = "BEGIN IMMEDIATE: locked, after a wait
PRAGMA journal_mode = WAL: locked, at once" ]
