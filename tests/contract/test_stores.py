"""What every store promises, on each of them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statefun.errors import SchemaTooNewError, StoreDamagedError, StoreError, StoreLockedError
from statefun.runtime.engine.records import (
    Delta,
    OutboxRecord,
    Recovered,
    StoredEntry,
    ValueCount,
)
from statefun.runtime.stores.memory import MemoryStore
from statefun.runtime.stores.migrations import MIGRATIONS
from statefun.runtime.stores.sqlite import FILE_NAME, DiskDurability, SqliteReader, SqliteStore
from statefun.sdk.address import Address
from statefun.testing.contracts.store import (
    AWAY,
    ENTRY,
    HERE,
    StoreContract,
    letter,
    message,
    timer,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from statefun.runtime.stores.base import Store


class TestMemoryStore(StoreContract):
    """Nothing outlives the object."""

    is_durable = False

    def open(self, folder: Path) -> Store:  # noqa: ARG002 - it needs none
        return MemoryStore()


class TestFullStore(StoreContract):
    """SQLite, with each commit on disk."""

    def open(self, folder: Path) -> Store:
        return SqliteStore(folder, "full")


class TestNormalStore(StoreContract):
    """SQLite, which may lose the last commits with the machine."""

    def open(self, folder: Path) -> Store:
        return SqliteStore(folder, "normal")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


VALUES = st.dictionaries(
    st.tuples(
        st.builds(Address, st.sampled_from(["t/a", "t/b"]), st.sampled_from("12")),
        st.sampled_from(["n", "m"]),
    ),
    st.none()
    | st.builds(StoredEntry, st.sampled_from(["x/x", "x/y"]), st.just(b""), st.just(0), st.just(0)),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(VALUES, st.booleans()), max_size=8))
def test_values_are_counted_by_function_name_and_type(
    deltas: list[tuple[dict[tuple[Address, str], StoredEntry | None], bool]],
) -> None:
    """The counts are right after every commit, also after one that is repeated."""
    with TemporaryDirectory() as directory:
        stores: list[Store] = [MemoryStore(), SqliteStore(directory, "normal")]
        known: dict[tuple[Address, str], StoredEntry] = {}
        for values, is_repeated in deltas:
            known = {at: each for at, each in (known | values).items() if each is not None}
            expected = Counter((at[0].typename, at[1], each.typename) for at, each in known.items())
            for store in stores:
                for _ in range(1 + is_repeated):
                    store.commit(Delta(1, values))
                assert store.value_counts() == sorted(
                    ValueCount(*key, count) for key, count in expected.items()
                )
        for store in stores:
            store.close()


# --- on disk --------------------------------------------------------------------------------------

HOLD = """
import sys
from statefun.runtime.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_directory_belongs_to_one_process(directory: Path) -> None:
    """A second one is refused at once, and gets it when the first has been killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)], stdin=-1, stdout=-1, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "ready\n"

        with pytest.raises(StoreLockedError) as refusal:
            SqliteStore(directory)
        first.kill()

    assert str(refusal.value) == (
        f"the data directory {directory} is in use by another process: stop that one, or give "
        "this one a directory of its own"
    )
    SqliteStore(directory).close()


def test_a_directory_belongs_to_one_store_of_a_process(directory: Path) -> None:
    """Two stores in one process are two."""
    store = SqliteStore(directory)

    with pytest.raises(StoreLockedError):
        SqliteStore(directory)

    store.close()
    SqliteStore(directory).close()


def test_the_schema_version_of_a_file_is_its_user_version(directory: Path) -> None:
    """Anybody can look it up with SQLite."""
    SqliteStore(directory).close()

    with sqlite3.connect(directory / FILE_NAME) as connection:
        [version] = connection.execute("PRAGMA user_version").fetchone()
    connection.close()

    assert version == len(MIGRATIONS)


@pytest.mark.parametrize("opener", [SqliteStore, SqliteReader])
def test_a_newer_schema_is_refused_and_left_alone(
    directory: Path, opener: type[SqliteStore | SqliteReader]
) -> None:
    """Neither a runtime nor a reader guesses what a newer version meant."""
    SqliteStore(directory).close()
    with sqlite3.connect(directory / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 1000")
    connection.close()
    before = (directory / FILE_NAME).read_bytes()

    with pytest.raises(SchemaTooNewError) as refusal:
        opener(directory)

    assert str(refusal.value) == (
        f"{directory / FILE_NAME} has the schema version 1000, and this version of statefun knows "
        f"those up to {len(MIGRATIONS)}: install the version that wrote it, or a newer one"
    )
    assert (directory / FILE_NAME).read_bytes() == before


def test_values_are_loaded_while_a_commit_is_under_way(directory: Path) -> None:
    """Another thread may load: it sees whole commits, one by one."""
    delta = Delta(9, values={(Address("t/a", str(each)), "n"): ENTRY for each in range(500)})
    keys = [address for address, _ in delta.values]
    store = SqliteStore(directory)
    with closing(store), ThreadPoolExecutor(1) as writer:
        for _ in range(10):
            writing = writer.submit(store.commit, delta)
            while not writing.done():
                assert len({len(each) for each in store.load_many(keys).values()}) == 1
            writing.result()
        assert all(store.load_many(keys).values())


def test_a_file_that_is_no_database_is_refused(directory: Path) -> None:
    """With a sentence that says which file and what to do; the file is left alone."""
    directory.mkdir()
    (directory / FILE_NAME).write_bytes(b"not a database, but long enough to look at" * 100)

    with pytest.raises(StoreDamagedError) as refusal:
        SqliteStore(directory)

    assert str(refusal.value) == (
        f"{directory / FILE_NAME} cannot be used: it is not a SQLite database, or its beginning is "
        "damaged. Put a backup in its place, with statefun.db-wal and statefun.db-shm moved away, "
        "or save what can be saved: docs/embedded-runtime.md, 'A damaged file', says how (file is "
        "not a database)"
    )


@pytest.mark.parametrize("look", [SqliteStore, SqliteReader])
def test_a_directory_in_the_place_of_the_file_is_refused(
    directory: Path, look: Callable[[Path], object]
) -> None:
    """With a sentence that says so, and what to do; it is left alone."""
    (directory / FILE_NAME).mkdir(parents=True)

    with pytest.raises(StoreError) as refusal:
        look(directory)

    assert str(refusal.value) == (
        f"{directory / FILE_NAME} is a directory, and the runtime keeps its data in a file of this "
        "name: move it away, or choose another data directory"
    )
    assert list((directory / FILE_NAME).iterdir()) == []


def test_what_is_no_file_is_refused(directory: Path) -> None:
    """It is not waited for."""
    directory.mkdir()
    os.mkfifo(directory / FILE_NAME)

    with pytest.raises(
        StoreError, match=r"statefun.db is not a regular file, and the runtime keeps"
    ):
        SqliteStore(directory)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """With a sentence that says which directory."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError, match=r"the data directory .*/file/data cannot be used: "):
        SqliteStore(tmp_path / "file" / "data")


def test_a_directory_that_was_refused_is_not_held(directory: Path) -> None:
    """Whoever fails to open it lets it go."""
    directory.mkdir()
    (directory / FILE_NAME).write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(StoreError) as refusal:  # keeping the error keeps what it refers to
        SqliteStore(directory)
    (directory / FILE_NAME).unlink()

    SqliteStore(directory).close()
    assert refusal.value


def test_a_reader_sees_commits_while_a_runtime_makes_them(directory: Path) -> None:
    """Each as soon as it is durable, and it needs no lock."""
    store = SqliteStore(directory)
    store.commit(Delta(2, {(HERE, "n"): ENTRY}))
    reader = SqliteReader(directory)
    before = dict(reader.load(HERE))

    store.commit(Delta(2, {(HERE, "n"): None}, timers=(timer(1),)))

    assert (before, dict(reader.load(HERE)), list(reader.timers())) == (
        {"n": ENTRY},
        {},
        [timer(1)],
    )
    reader.close()
    store.close()


def test_a_reader_sees_what_a_stopped_runtime_left(directory: Path) -> None:
    """Reading does not change the file."""
    store = SqliteStore(directory)
    store.commit(Delta(2, {(HERE, "n"): ENTRY}))
    store.close()
    before = (directory / FILE_NAME).read_bytes()

    reader = SqliteReader(directory)

    assert dict(reader.load(HERE)) == {"n": ENTRY}
    reader.close()
    assert (directory / FILE_NAME).read_bytes() == before


KILLED = """
import os, signal, sys
from statefun.runtime.engine.records import Delta, StoredEntry
from statefun.runtime.stores.sqlite import SqliteStore
from statefun.sdk.address import Address
store = SqliteStore(sys.argv[1])
store.commit(Delta(2, {(Address("t/a", "1"), "n"): StoredEntry("t/text", b"\\x00\\xff", 17, 0)}))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_reader_sees_what_a_killed_runtime_left(directory: Path) -> None:
    """What was committed is in the log beside the file; the next runtime finds it too."""
    subprocess.run([sys.executable, "-c", KILLED, str(directory)], check=False)

    reader = SqliteReader(directory)
    seen = dict(reader.load(HERE))
    reader.close()
    store = SqliteStore(directory)

    assert (seen, dict(store.load(HERE))) == ({"n": ENTRY}, {"n": ENTRY})
    store.close()


def test_a_reader_of_an_unused_directory_says_so(directory: Path) -> None:
    """It does not make the file."""
    with pytest.raises(StoreError) as refusal:
        SqliteReader(directory)

    assert str(refusal.value) == (
        f"there is no {directory / FILE_NAME}: no runtime has used this directory yet. "
        "Check the name of the data directory"
    )
    assert not directory.exists()


@pytest.mark.parametrize("open_store", [SqliteStore, SqliteReader])
@pytest.mark.parametrize("version", [0, 1])
def test_the_database_of_another_program_is_refused_and_left_alone(
    directory: Path, open_store: type[SqliteStore | SqliteReader], version: int
) -> None:
    """Whatever that program has written into its `user_version`."""
    directory.mkdir()
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection:
        connection.execute("CREATE TABLE songs (title)")
        connection.execute(f"PRAGMA user_version = {version}")

    with pytest.raises(StoreError) as refusal:
        open_store(directory)

    assert str(refusal.value) == (
        f"{directory / FILE_NAME} is the database of another program (its tables: 'songs'): "
        "choose another data directory"
    )
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema").fetchall()
    assert tables == [("songs",)]


def test_a_database_without_tables_holds_nothing_to_read(directory: Path) -> None:
    """A runtime may use it; until then there is nothing to look at."""
    directory.mkdir()
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection:
        connection.execute("VACUUM")

    with pytest.raises(StoreError, match="is empty: no runtime has used this directory yet"):
        SqliteReader(directory)

    SqliteStore(directory).close()


@pytest.mark.parametrize("open_store", [SqliteStore, SqliteReader])
def test_a_file_is_no_directory(
    tmp_path: Path, open_store: type[SqliteStore | SqliteReader]
) -> None:
    """The sentence says so."""
    (tmp_path / "afile").touch()

    with pytest.raises(StoreError) as refusal:
        open_store(tmp_path / "afile")

    assert str(refusal.value) == (
        f"the data directory {tmp_path / 'afile'} is a file: name a directory, or one that can be "
        "made"
    )


def test_a_reader_that_cannot_look_says_why(tmp_path: Path) -> None:
    """Whatever the system says becomes part of the sentence."""
    with pytest.raises(StoreError, match="cannot be looked at: File name too long"):
        SqliteReader(tmp_path / ("x" * 300))


def test_only_the_writing_connection_can_write(directory: Path) -> None:
    """A reader's connection refuses, so it cannot checkpoint either."""
    store = SqliteStore(directory)
    reader = SqliteReader(directory)

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM state")

    reader.close()
    store.close()


def test_what_no_store_could_ever_keep_is_no_passing_failure(directory: Path) -> None:
    """A `StoreError` is tried again; a number too large for a table would never be stored."""
    store = SqliteStore(directory)

    with pytest.raises(OverflowError):
        store.commit(Delta(5, messages=(message(1),), timers=(timer(2, 2**63),)))

    assert store.recover() == Recovered()
    store.close()


def test_a_delta_that_cannot_be_stored_leaves_nothing_behind(directory: Path) -> None:
    """A commit is whole or not at all; the next one succeeds."""
    store = SqliteStore(directory)
    store.commit(Delta(2, {(HERE, "n"): ENTRY}, (message(1),)))
    broken = OutboxRecord(4, "e/out", None)  # type: ignore[arg-type]

    with pytest.raises(StoreError, match="NOT NULL constraint failed"):
        store.commit(
            Delta(9, {(HERE, "n"): None}, (message(3),), (1,), (timer(5),), egress=(broken,))
        )

    assert store.recover() == Recovered(2, (message(1),))
    assert dict(store.load(HERE)) == {"n": ENTRY}
    store.commit(Delta(3, consumed=(1,)))
    assert store.recover() == Recovered(3)
    store.close()


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
def test_the_durability_decides_when_the_disk_is_waited_for(
    directory: Path, durability: DiskDurability, synchronous: int
) -> None:
    """`full` waits at each commit, `normal` at checkpoints; both write ahead."""
    store = SqliteStore(directory, durability)

    def pragma(name: str) -> object:
        return store._writer.execute(f"PRAGMA {name}").fetchone()[0]

    assert (pragma("journal_mode"), pragma("synchronous")) == ("wal", synchronous)
    assert (pragma("fullfsync"), pragma("checkpoint_fullfsync")) == (1, 1)
    store.close()


def test_a_file_of_the_first_schema_is_brought_up_to_date(directory: Path) -> None:
    """What it holds stays; until then a reader finds nothing of what came later."""
    directory.mkdir()
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection, connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("INSERT INTO message VALUES (5, 't/a', '1', NULL, NULL, x'6d35')")
        connection.execute("PRAGMA user_version = 1")
    with closing(SqliteReader(directory)) as reader:
        before = [*reader.dead_letters(), *reader.paused()], reader.dead_letter(1)
        waiting = list(reader.messages(HERE))

    with closing(SqliteStore(directory)) as store:
        store.commit(Delta(9, dead_letters={1: letter(1)}))
        after = store.recover().messages, list(store.dead_letters())

    assert (before, waiting) == (([], None), [message(5)])
    assert after == ((message(5),), [letter(1)])


def test_a_file_from_before_there_were_topics_is_read_and_brought_up_to_date(
    directory: Path,
) -> None:
    """Its messages and dead letters have none."""
    directory.mkdir()
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection, connection:
        for statement in (*MIGRATIONS[0], *MIGRATIONS[1]):
            connection.execute(statement)
        connection.execute("INSERT INTO message VALUES (5, 't/a', '1', NULL, NULL, x'6d35')")
        connection.execute(
            "INSERT INTO dead_letter VALUES (1, ?, ?, NULL, NULL, x'6c31', ?, 8, 3, 9)",
            (*AWAY, letter(1).error),
        )
        connection.execute("PRAGMA user_version = 2")

    with closing(SqliteReader(directory)) as reader:
        before = list(reader.messages(HERE)), list(reader.dead_letters())
    with closing(SqliteStore(directory)) as store:
        after = list(store.recover().messages), list(store.dead_letters())

    assert before == after == ([message(5)], [letter(1)])


# --- damage ---------------------------------------------------------------------------------------

COMMITS = 20
LOG_NAME = f"{FILE_NAME}-wal"


def commit(store: SqliteStore, number: int, length: int = 2) -> None:
    store.commit(Delta(2, {(Address("t/a", str(number)), "n"): StoredEntry("t", b"x" * length, 0)}))


def kept_by(store: SqliteStore) -> int:
    return len(list(store.addresses("t/a")))


def kill(directory: Path, left: Path) -> Path:
    """What a kill would leave of the directory of a store that is open."""
    shutil.copytree(directory, left)
    return left


@pytest.fixture
def killed(directory: Path, tmp_path: Path) -> Path:
    """A directory whose runtime was killed after some commits; all of them are in the log."""
    with closing(SqliteStore(directory)) as store:
        for number in range(COMMITS):
            commit(store, number)
        return kill(directory, tmp_path / "killed")


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("look", [SqliteStore, SqliteReader])
def test_a_log_whose_file_is_gone_is_refused_and_left_alone(
    killed: Path, look: Callable[[Path], object]
) -> None:
    """SQLite would apply it to whatever file comes next; moved away, it is in nobody's way."""
    (killed / FILE_NAME).unlink()
    log = (killed / LOG_NAME).read_bytes()

    with pytest.raises(StoreDamagedError) as refusal:
        look(killed)

    assert str(refusal.value) == (
        f"there is no {killed / FILE_NAME}, but there is statefun.db-wal, which holds commits of "
        "it. Put it back; or move statefun.db-wal and statefun.db-shm away, and put a "
        "backup in its place or begin with nothing"
    )
    assert (killed / LOG_NAME).read_bytes() == log
    (killed / LOG_NAME).unlink()
    with closing(SqliteStore(killed)) as store:
        assert store.recover() == Recovered()


def test_a_flipped_bit_in_the_log_that_takes_commits_along_is_noticed(
    killed: Path, tmp_path: Path
) -> None:
    """Wherever it is, but near the end; at each start, and the files are left alone."""
    log = (killed / LOG_NAME).read_bytes()
    for position in (*range(0, 56, 5), *range(56, len(log) * 8 // 10, len(log) // 29)):
        directory = tmp_path / str(position)
        shutil.copytree(killed, directory)
        flip(directory / LOG_NAME, position)
        before = {each: (directory / each).read_bytes() for each in (FILE_NAME, LOG_NAME)}

        for _ in range(2):
            with pytest.raises(StoreDamagedError, match=r"statefun.db-wal is damaged near byte"):
                SqliteStore(directory)

        assert {each: (directory / each).read_bytes() for each in before} == before


def test_the_damage_of_a_log_is_told_with_the_ways_out(killed: Path) -> None:
    """Where it is, what it took along, and what to do."""
    flip(killed / LOG_NAME, 40)

    with pytest.raises(StoreDamagedError) as refusal:
        SqliteStore(killed)

    assert str(refusal.value) == (
        f"{killed / LOG_NAME} is damaged near byte 32, and commits that were acknowledged stand "
        "behind the damage. Put a backup of statefun.db in its place, with statefun.db-wal and "
        "statefun.db-shm moved away, or start once with the durability 'normal' to go on without "
        "those commits: docs/embedded-runtime.md, 'A damaged file', says how"
    )


def test_the_durability_normal_goes_on_without_what_is_behind_a_damage(
    killed: Path, tmp_path: Path
) -> None:
    """Once is enough: what it left behind is not met again, not even after another kill."""
    flip(killed / LOG_NAME, (killed / LOG_NAME).stat().st_size // 3)

    with closing(SqliteStore(killed, "normal")) as store:
        kept = kept_by(store)
        commit(store, 100)
        killed_again = kill(killed, tmp_path / "again")

    assert 0 < kept < COMMITS
    with closing(SqliteStore(killed_again)) as store:
        assert kept_by(store) == kept + 1


def test_what_a_log_lost_at_its_end_is_not_noticed(killed: Path) -> None:
    """A damage in the last commit looks like a commit that a power failure cut short."""
    flip(killed / LOG_NAME, (killed / LOG_NAME).stat().st_size - 1)

    with closing(SqliteStore(killed)) as store:
        assert kept_by(store) == COMMITS - 1


def test_what_a_transaction_that_was_taken_back_left_in_the_log_is_no_damage(
    directory: Path, tmp_path: Path
) -> None:
    """It had been written in part, and a shorter one came over it."""
    with closing(SqliteStore(directory)) as store:
        commit(store, 0)
        store._writer.execute("PRAGMA cache_size = 1")
        store._writer.execute("BEGIN")
        for number in range(COMMITS):
            row = "t/b", str(number), "n", "t", b"x" * 9000, 0, 0
            store._writer.execute("INSERT INTO state VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        store._writer.execute("ROLLBACK")
        written = (directory / LOG_NAME).stat().st_size
        commit(store, 1)
        killed = kill(directory, tmp_path / "killed")

    assert (killed / LOG_NAME).stat().st_size == written > COMMITS * 9000
    with closing(SqliteStore(killed)) as store:
        assert kept_by(store) == 2


def test_commits_that_failed_at_their_end_and_were_overwritten_are_no_damage(
    killed: Path, tmp_path: Path
) -> None:
    """All of it was written but never acknowledged; behind shorter ones its end is still there."""
    logs = []
    for length in (1, 90_000, 180_000):
        directory = tmp_path / str(length)
        shutil.copytree(killed, directory)
        with closing(SqliteStore(directory)) as store:
            commit(store, 100, length)
            logs.append((directory / LOG_NAME).read_bytes())
    acknowledged, failed, failed_before = logs
    assert len(acknowledged) < len(failed) < len(failed_before)

    left = acknowledged + failed[len(acknowledged) :] + failed_before[len(failed) :]
    (killed / LOG_NAME).write_bytes(left)

    with closing(SqliteStore(killed)) as store:
        assert kept_by(store) == COMMITS + 1


def test_a_log_that_was_begun_again_is_no_damage(directory: Path, tmp_path: Path) -> None:
    """Behind its commits stand those of before, which are in the file."""
    with closing(SqliteStore(directory)) as store:
        for number in range(COMMITS):
            commit(store, number)
        store._writer.execute("PRAGMA wal_checkpoint(RESTART)")
        commit(store, COMMITS)
        killed = kill(directory, tmp_path / "killed")

    with closing(SqliteStore(killed)) as store:
        assert kept_by(store) == COMMITS + 1


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_file_that_is_removed_or_replaced_while_it_is_in_use_takes_no_commit(
    directory: Path, how: str
) -> None:
    """Nothing would be left of it, and trying again is no use; a new file is left alone."""
    with closing(SqliteStore(directory)) as store:
        commit(store, 0)
        (directory / FILE_NAME).rename(directory / "moved.db")
        if how == "replaced":
            (directory / FILE_NAME).write_bytes(b"a backup")

        with pytest.raises(StoreDamagedError) as refusal:
            commit(store, 1)

    assert str(refusal.value) == (
        f"{directory / FILE_NAME} was removed or replaced while it was in use, and takes no more "
        "commits. Put it back; or put a backup in its place, with statefun.db-wal and "
        "statefun.db-shm moved away"
    )
    assert (directory / FILE_NAME).exists() == (how == "replaced")


def test_a_store_is_in_use_where_it_was_opened(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may go to another directory, though it named its own as seen from the first."""
    monkeypatch.chdir(tmp_path)
    with closing(SqliteStore(directory.name)) as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")

        commit(store, 0)

        assert kept_by(store) == 1


def test_what_a_stopped_runtime_left_is_read_where_nothing_can_be_written(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There reading makes no file; SQLite cannot make its two, and would read nothing."""
    with closing(SqliteStore(directory)) as store:
        commit(store, 0)
    (directory / f"{FILE_NAME}-shm").symlink_to("nowhere")  # SQLite cannot open it
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (directory, os.W_OK))

    with closing(SqliteReader(directory)) as reader:
        assert list(reader.addresses("t/a")) == [Address("t/a", "0")]

    assert not (directory / LOG_NAME).exists()
