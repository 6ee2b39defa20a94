"""State in a SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import InvalidPathError, StateBackendError, TransactionConflictError
from statefun.reactive import ControllerAsync, ControllerSync, SqliteBackend
from statefun.reactive.backends.base import ForeignChange, Write
from tests.unit.reactive.recording import Recorder, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[ControllerSync, ControllerSync]]:
    """Two controllers of one file, as two processes have them."""
    path = tmp_path / "state.db"
    with SqliteBackend(path) as first, SqliteBackend(path) as second:
        yield ControllerSync(first), ControllerSync(second)


def test_state_survives_its_process(tmp_path: Path) -> None:
    """In the order of creation; an update keeps its place."""
    with SqliteBackend(tmp_path / "new folder" / "state.db") as backend:
        controller = ControllerSync(backend)
        for name in ("b", "a", "c", "b"):
            controller.set_state(f"/x/{name}", [name, object.__name__])

    with SqliteBackend(tmp_path / "new folder" / "state.db") as backend:
        assert list(ControllerSync(backend).get_state("/x")) == ["b", "a", "c"]


def test_each_sees_at_once_what_the_other_has_written(pair: Any) -> None:
    """A read always goes to the file."""
    one, other = pair

    one.set_state("/a/b", 1)

    assert other.get_state("/") == {"a": {"b": 1}}


def test_changes_of_others_are_announced_on_demand(pair: Any) -> None:
    """With the values before and after, and once; derivations run."""
    one, other = pair
    recorder = Recorder()
    other.subscribe("/a", recorder("a"))
    other.derive("/double", "/a/b", lambda value: 2 * (value or 0))
    one.set_state("/a/b", 1)
    one.set_state("/a/b", 2)
    other.set_state("/a/own", 0)
    one.del_state("/a/b")
    assert recorder.take() == [Seen("a", "/a/own", "/a", None, 0)]

    assert other.refresh() == 3
    assert other.refresh() == 0

    assert recorder.seen == [
        Seen("a", "/a/b", "/a", None, 1),
        Seen("a", "/a/b", "/a", 1, 2),
        Seen("a", "/a/b", "/a", 2, None),
    ]
    assert one.get_state("/double") == 0


def test_a_backend_that_nobody_shares_has_no_foreign_changes() -> None:
    """`refresh` does nothing there."""
    assert ControllerSync().refresh() == 0


def test_watching_announces_changes_of_others_again_and_again(pair: Any) -> None:
    """In a thread, as long as the block runs; what a callback raises comes out at its end."""
    one, other = pair
    seen = _Signal()
    other.subscribe("/a", seen)

    with other.watch(timedelta(milliseconds=1)):
        one.set_state("/a", 1)
        seen.wait_for(1)

    def fail(event: Any) -> None:
        seen(event)
        raise LookupError("mine")

    other.subscribe("/b", fail)
    with pytest.raises(LookupError, match="mine"):  # noqa: PT012, SIM117 - raised at the end
        with other.watch(timedelta(milliseconds=1)):
            one.set_state("/b", 2)
            seen.wait_for(2)


class _Signal:
    """A callback that a test waits for."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._values: list[Any] = []

    def __call__(self, event: Any) -> None:
        with self._condition:
            self._values.append(event.new_value)
            self._condition.notify_all()

    def wait_for(self, value: Any) -> None:
        """Wait until a value has been announced."""
        with self._condition:
            assert self._condition.wait_for(lambda: value in self._values, timeout=30)


async def test_the_async_controller_watches_in_a_task(tmp_path: Path) -> None:
    """A stream of it hears of another process."""
    path = tmp_path / "state.db"
    with SqliteBackend(path) as backend, SqliteBackend(path) as foreign:
        controller = ControllerAsync(backend)
        stream = controller.stream("/a")
        async with controller.watch(timedelta(milliseconds=1)):
            ControllerSync(foreign).set_state("/a", 1)
            event = await anext(stream)
    assert event.new_value == 1


def test_a_log_that_was_cut_says_that_anything_may_have_changed(pair: Any) -> None:
    """A change of the root comes first, then what the log still has."""
    one, other = pair
    backend = other.backend
    with one.backend._changing("/", "written"):
        for number in range(11_001):
            one.backend._put(f"/n/{number % 10}", str(number).encode())

    first, *rest = backend.changes()

    root = other.get_state("/")
    assert first == ForeignChange("/", None, root, is_delete=False, is_cut=True)
    assert rest[-1].path == "/n/0"
    assert len(rest) <= 11_000


def test_a_log_that_was_cut_is_a_conflict(pair: Any) -> None:
    """What a transaction has read may have changed, since the log does not go back to it."""
    one, other = pair
    one.set_state("/n", 1)

    with _conflict("'/n'"), one.transaction():
        one.set_state("/m", one.get_state("/n"))
        with other.backend._changing("/", "written"):
            for number in range(11_001):
                other.backend._put("/elsewhere", str(number).encode())

    assert one.get_state("/m") is None


def _conflict(path: str) -> pytest.RaisesExc[TransactionConflictError]:
    return pytest.raises(TransactionConflictError, match=path)


def test_two_that_count_in_transactions_lose_nothing(pair: Any) -> None:
    """Whoever has read what the other has changed since gets a conflict, and nothing is written."""
    one, other = pair
    one.set_state("/n", 1)
    one.set_state("/other", 1)

    with _conflict("'/n'"), one.transaction():
        one.set_state("/n", one.get_state("/n") + 1)
        one.set_state("/m", 1)
        other.set_state("/n", 10)
    assert one.get_state("/") == {"n": 10, "other": 1}

    with one.transaction():
        one.set_state("/n", one.get_state("/n") + 1)
        other.set_state("/other", 2)
    assert one.get_state("/") == {"n": 11, "other": 2}


def test_a_transaction_that_has_read_a_parent_minds_its_children(pair: Any) -> None:
    """And one that has read a child minds its parent."""
    one, other = pair
    one.set_state("/a/b", 1)

    with _conflict("'/a'"), one.transaction():
        one.set_state("/sum", len(one.get_state("/a")))
        other.set_state("/a/c", 2)
    with _conflict("'/a/b'"), one.transaction():
        one.set_state("/copy", one.get_state("/a/b"))
        other.del_state("/a")

    assert one.get_state("/") is None


def test_a_transaction_that_has_written_below_what_it_reads_minds_the_rest(pair: Any) -> None:
    """A node is read with its children, whatever of it the transaction itself has written."""
    one, other = pair
    one.set_state("/a", {"n": 1})

    with _conflict("'/a'"), one.transaction():
        one.write_state("/a/b", 2)
        one.write_state("/copy", one.get_state("/a"))
        other.set_state("/a/c", 3)
    with _conflict("'/a'"), one.transaction():
        one.write_state("/a", 2)
        one.write_state("/copy", one.get_state("/a"))
        other.set_state("/a/d", 3)

    assert one.get_state("/") == {"a": {"/": {"n": 1}, "c": 3, "d": 3}}


def test_a_derived_value_is_computed_of_what_is_still_there_at_the_end(pair: Any) -> None:
    """What a transform reads at the end of a transaction is a read of it, below the source too."""
    one, other = pair
    one.derive("/n/sum", "/n", lambda n: sum((n or {}).values()))
    one.derive("/last", "/n/sum", lambda n: n == 2 and other.set_state("/n/y", 5))
    one.set_state("/n/x", 1)

    with _conflict("'/n'"), one.transaction():
        one.set_state("/n/x", 2)
    one.refresh()

    assert one.get_state("/n") == {"x": 1, "y": 5, "sum": 6}


def test_a_transaction_that_only_reads_sees_one_moment(pair: Any) -> None:
    """Two values that never were together are a conflict, too."""
    one, other = pair
    one.set_state("/a", 1)

    with _conflict("'/a'"), one.transaction():
        one.get_state("/a")
        other.set_state("/a", 2)
        other.set_state("/b", 2)
        one.get_state("/b")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """So is a place where no file can be."""
    (tmp_path / "text").write_text("not a database, but long enough to look like a file" * 20)

    with pytest.raises(StateBackendError, match="could not be opened"):
        SqliteBackend(tmp_path / "text")
    with pytest.raises(StateBackendError, match="could not be opened"):
        SqliteBackend(tmp_path / "text" / "state.db")


def test_a_path_that_sqlite_cannot_keep_is_refused(tmp_path: Path) -> None:
    """A lone surrogate is refused; operations that were done before it are rolled back."""
    with SqliteBackend(tmp_path / "state.db") as backend:
        with pytest.raises(InvalidPathError):
            backend.write("/\ud800", 1)
        with pytest.raises(InvalidPathError):
            backend.apply([Write("/a", 1), Write("/\ud800", 1)])

        assert backend.read("/", 7) == 7


def test_a_closed_backend_says_so(tmp_path: Path) -> None:
    """Closing twice is fine."""
    backend = SqliteBackend(tmp_path / "state.db")
    backend.close()
    backend.close()

    with pytest.raises(StateBackendError, match="closed database"):
        backend.read("/a")


def test_a_new_file_can_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """Each waits for the one that is making it."""
    file = tmp_path / "state.db"
    maker = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    maker.execute("CREATE TABLE theirs (n)")
    maker.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.1, maker.execute, ["COMMIT"])
    timer.start()

    with SqliteBackend(file) as backend:
        backend.write("/a", 1)
        assert backend.read("/a") == 1
    timer.join()
    maker.close()
