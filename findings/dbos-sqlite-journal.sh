#!/usr/bin/env bash
# DBOS 3.4.0 on SQLite keeps the rollback journal (`journal_mode=delete`, `synchronous=2`) and sets no pragma
# but `foreign_keys`: not WAL, which an embedded store would be expected to use. Each step of a workflow
# commits on its own there. A benchmark against it has to say so. Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dbos==3.4.0

found=$(cd "$folder" && venv/bin/python - 2>/dev/null <<'PYTHON'
import sqlite3

import sqlalchemy
from dbos import DBOS

pragmas, commits = set(), 0


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "before_cursor_execute")
def statement(connection, cursor, text, parameters, context, many):
    if text.strip().upper().startswith("PRAGMA"):
        pragmas.add(text.strip())


@DBOS.step()
def step(number):
    return number


@DBOS.workflow()
def workflow(steps):
    return [step(number) for number in range(steps)]


DBOS(config={"name": "journal", "system_database_url": "sqlite:///steps.sqlite"})
DBOS.launch()


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "commit")
def commit(connection):
    global commits
    commits += 1


def commits_of(steps):
    before = commits
    workflow(steps)
    return commits - before


commits_of(1)
print(f"pragmas set: {', '.join(sorted(pragmas))}")
print(f"a commit or more for each step: {commits_of(10) - commits_of(2) >= 8}")
DBOS.destroy()
with sqlite3.connect("steps.sqlite") as database:
    print(f"journal_mode {database.execute('PRAGMA journal_mode').fetchone()[0]}")
PYTHON
)
echo "$found"
[ "$found" = "pragmas set: PRAGMA foreign_keys = ON
a commit or more for each step: True
journal_mode delete" ]
