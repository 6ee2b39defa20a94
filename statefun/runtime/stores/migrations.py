"""The tables of a data directory, as a list of numbered migrations.

Law: a migration that was released never changes; a change of the tables is a new one at the end.
The number of migrations a file has seen is its `PRAGMA user_version`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.errors import SchemaTooNewError, StoreError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["MIGRATIONS", "check_version", "migrate"]

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # next_seq: the first number that nothing in this file has ever had.
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO meta VALUES ('next_seq', 1)",
        # ttl_ms: the expiration under which the value was last touched, 0 for none.
        """CREATE TABLE state (
            typename TEXT NOT NULL,
            id TEXT NOT NULL,
            name TEXT NOT NULL,
            value_typename TEXT NOT NULL,
            data BLOB NOT NULL,
            touched_ms INTEGER NOT NULL,
            ttl_ms INTEGER NOT NULL,
            PRIMARY KEY (typename, id, name)
        ) WITHOUT ROWID""",
        # caller_…: NULL for a message from an ingress. argument: a serialized TypedValue.
        """CREATE TABLE message (
            seq INTEGER PRIMARY KEY,
            target_typename TEXT NOT NULL,
            target_id TEXT NOT NULL,
            caller_typename TEXT,
            caller_id TEXT,
            argument BLOB NOT NULL
        )""",
        """CREATE TABLE timer (
            seq INTEGER PRIMARY KEY,
            due_ms INTEGER NOT NULL,
            sender_typename TEXT NOT NULL,
            sender_id TEXT NOT NULL,
            target_typename TEXT NOT NULL,
            target_id TEXT NOT NULL,
            argument BLOB NOT NULL,
            token TEXT NOT NULL
        )""",
        """CREATE TABLE outbox (
            id INTEGER PRIMARY KEY,
            typename TEXT NOT NULL,
            argument BLOB NOT NULL
        )""",
    ),
    (
        # id: the number that the message had. attempts: those that count.
        """CREATE TABLE dead_letter (
            id INTEGER PRIMARY KEY,
            target_typename TEXT NOT NULL,
            target_id TEXT NOT NULL,
            caller_typename TEXT,
            caller_id TEXT,
            argument BLOB NOT NULL,
            error TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            first_failed_ms INTEGER NOT NULL,
            last_failed_ms INTEGER NOT NULL
        )""",
        # The messages of an address that is held stay in the table message.
        """CREATE TABLE parked (
            typename TEXT NOT NULL,
            id TEXT NOT NULL,
            error TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            first_failed_ms INTEGER NOT NULL,
            last_failed_ms INTEGER NOT NULL,
            PRIMARY KEY (typename, id)
        ) WITHOUT ROWID""",
        # A message from an ingress that came with an idempotency key. digest: of its argument.
        """CREATE TABLE receipt (
            typename TEXT NOT NULL,
            id TEXT NOT NULL,
            key TEXT NOT NULL,
            seq INTEGER NOT NULL,
            digest BLOB NOT NULL,
            taken_ms INTEGER NOT NULL,
            PRIMARY KEY (typename, id, key)
        ) WITHOUT ROWID""",
    ),
    (
        # topic: of the ingress that it came from, empty for none.
        "ALTER TABLE message ADD COLUMN topic TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE dead_letter ADD COLUMN topic TEXT NOT NULL DEFAULT ''",
    ),
    (
        # How far an ingress has come; the bytes are its own.
        "CREATE TABLE position (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    ),
    (
        # running: 1 while a process may be making calls that can end it.
        "INSERT INTO meta VALUES ('running', 0)",
        # parts: JSON, [messages, failed attempts] of the batch and of each part behind it.
        # deaths: how often the process ended while the first message was tried alone.
        """CREATE TABLE failure (
            typename TEXT NOT NULL,
            id TEXT NOT NULL,
            parts TEXT NOT NULL,
            first_failed_ms INTEGER,
            deaths INTEGER NOT NULL,
            PRIMARY KEY (typename, id)
        ) WITHOUT ROWID""",
        # The messages that are tried after an unclean end, to find the one that causes it.
        """CREATE TABLE trial (
            seq INTEGER PRIMARY KEY,
            typename TEXT NOT NULL,
            id TEXT NOT NULL
        )""",
    ),
    (
        # cause: 'failure', or 'unreadable-value' if it goes on by itself once that can be read.
        "ALTER TABLE parked ADD COLUMN cause TEXT NOT NULL DEFAULT 'failure'",
        # How many addresses of a function have a value of that name and type; kept by triggers, so
        # that it is right after every commit. They fire for rows that really come, go, or change
        # their type: state and dead_letter are written by upserts, never by INSERT OR REPLACE.
        """CREATE TABLE value_count (
            typename TEXT NOT NULL,
            name TEXT NOT NULL,
            value_typename TEXT NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (typename, name, value_typename)
        ) WITHOUT ROWID""",
        """INSERT INTO value_count
            SELECT typename, name, value_typename, count(*) FROM state GROUP BY 1, 2, 3""",
        """CREATE TRIGGER value_added AFTER INSERT ON state BEGIN
            INSERT INTO value_count VALUES (new.typename, new.name, new.value_typename, 1)
                ON CONFLICT DO UPDATE SET count = count + 1;
        END""",
        """CREATE TRIGGER value_removed AFTER DELETE ON state BEGIN
            UPDATE value_count SET count = count - 1 WHERE typename = old.typename
                AND name = old.name AND value_typename = old.value_typename;
        END""",
        """CREATE TRIGGER value_retyped AFTER UPDATE OF value_typename ON state
            WHEN old.value_typename <> new.value_typename BEGIN
            UPDATE value_count SET count = count - 1 WHERE typename = old.typename
                AND name = old.name AND value_typename = old.value_typename;
            INSERT INTO value_count VALUES (new.typename, new.name, new.value_typename, 1)
                ON CONFLICT DO UPDATE SET count = count + 1;
        END""",
        "INSERT INTO meta SELECT 'dead_letters', count(*) FROM dead_letter",
        """CREATE TRIGGER letter_added AFTER INSERT ON dead_letter BEGIN
            UPDATE meta SET value = value + 1 WHERE key = 'dead_letters';
        END""",
        """CREATE TRIGGER letter_removed AFTER DELETE ON dead_letter BEGIN
            UPDATE meta SET value = value - 1 WHERE key = 'dead_letters';
        END""",
    ),
    (
        # A start reads no timer: the next ones are found by their time, others by their token.
        "CREATE INDEX timer_due ON timer (due_ms)",
        "CREATE INDEX timer_token ON timer (sender_id, token) WHERE token <> ''",
        # As for dead letters: timers are never written by INSERT OR REPLACE.
        "INSERT INTO meta SELECT 'timers', count(*) FROM timer",
        """CREATE TRIGGER timer_added AFTER INSERT ON timer BEGIN
            UPDATE meta SET value = value + 1 WHERE key = 'timers';
        END""",
        """CREATE TRIGGER timer_removed AFTER DELETE ON timer BEGIN
            UPDATE meta SET value = value - 1 WHERE key = 'timers';
        END""",
    ),
)


def check_version(connection: sqlite3.Connection, where: object) -> int:
    """The schema version of a file; 0 if there is nothing in it.

    Args:
        connection: To the file.
        where: The file, for the error.

    Raises:
        SchemaTooNewError: If a newer version of this package wrote it.
        StoreError: If something else wrote it.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise SchemaTooNewError(
            f"{where} has the schema version {version}, and this version of statefun knows those "
            f"up to {len(MIGRATIONS)}: install the version that wrote it, or a newer one",
            path=str(where),
            version=version,
        )
    query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    tables = sorted(row[0] for row in connection.execute(query))
    if "meta" not in tables if version else tables:
        raise StoreError(
            f"{where} is the database of another program (its tables: "
            f"{', '.join(map(repr, tables)) or 'none'}): choose another data directory",
            path=str(where),
        )
    return version


def migrate(connection: sqlite3.Connection, where: object) -> None:
    """Bring a file up to date, one transaction for each migration it has not seen.

    Args:
        connection: To the file; in autocommit mode.
        where: The file, for errors.

    Raises:
        SchemaTooNewError: If a newer version of this package wrote it.
        StoreError: If something else wrote it.
        sqlite3.Error: If the file cannot be read or written.
    """
    for number in range(check_version(connection, where), len(MIGRATIONS)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in MIGRATIONS[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
