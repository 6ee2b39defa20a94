"""A real process, killed again and again: nothing acknowledged is lost, nothing counts twice.

The second one fails on messages, holds addresses and keeps dead letters, while an operator edits
what it keeps through its control socket.
"""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from statefun.errors import StatefunError, StoreError
from statefun.runtime.admin import edits
from statefun.runtime.admin.control import make_edit
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.sdk.address import Address
from statefun.sdk.primitives import IntType, StringType, serialize
from statefun.sdk.wire import decode_typed_value
from tests.runtime.crash_edits_program import WORKERS
from tests.runtime.crash_program import FRONTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from statefun.runtime.admin.edits import Edit

PROGRAM = Path(__file__).parent / "crash_program.py"
EDITS_PROGRAM = Path(__file__).parent / "crash_edits_program.py"
KILLS = int(os.environ.get("KILLS", "8"))
EDITED_KILLS = int(os.environ.get("KILLS", "4"))
EDITS = {"SetValue", "Drop", "CancelTimers", "Replay", "Release"}
MOST_KILLS = EDITED_KILLS + 40
"""So many until every kind of edit has been answered; a few are enough, unless one never is."""

PATIENCE_S = 90


@dataclass
class Heard:
    """What the processes have written."""

    acknowledged: set[int] = field(default_factory=set)
    records: dict[int, set[int]] = field(default_factory=dict)  # number → ids it came under
    sent: dict[str, str] = field(default_factory=dict)  # name → target, id and name
    answered: set[str] = field(default_factory=set)
    named: dict[str, set[int]] = field(default_factory=dict)  # name → ids it came under

    def unanswered(self) -> list[str]:
        """What was sent by name and not acknowledged."""
        return [line for name, line in self.sent.items() if name not in self.answered]

    def take(self, output: bytes) -> None:
        for line in output.decode().splitlines():
            match line.split():
                case ["sent", *rest, name]:
                    self.sent[name] = " ".join((*rest, name))
                case ["ack", name] if "-" in name:
                    self.answered.add(name)
                case ["out", record_id, name] if "-" in name:
                    self.named.setdefault(name, set()).add(int(record_id))
                case ["ack", number]:
                    self.acknowledged.add(int(number))
                case ["out", record_id, number]:
                    self.records.setdefault(int(number), set()).add(int(record_id))


def run_and_kill(
    command: list[str], after_s: float, when_ready: Callable[[], object] = lambda: None
) -> bytes:
    """Run a program, kill it so long after its first line; returns what it wrote."""
    with subprocess.Popen([sys.executable, *command], stdout=-1, bufsize=0) as process:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
        assert ready, "the program wrote nothing"
        when_ready()
        chunks = []
        deadline = time.monotonic() + after_s
        while (left := deadline - time.monotonic()) > 0:
            if select.select([process.stdout], [], [], left)[0]:
                chunks.append(process.stdout.read(1 << 16) or b"")
        process.kill()
        chunks.append(process.stdout.read())
    return b"".join(chunks)


def counts(reader: SqliteReader, typename: str) -> Counter[str]:
    """Id → the count that the function has stored for it."""
    found: Counter[str] = Counter()
    for address in reader.addresses(typename):
        found[address.id] = IntType.serializer().deserialize(reader.load(address)["count"].data)
    return found


@pytest.mark.timeout(60 + 2 * KILLS)
def test_what_was_acknowledged_counts_exactly_once_after_any_number_of_kills(
    tmp_path: Path,
) -> None:
    """State, messages, delayed messages and egress agree, number by number."""
    chance, heard, were_in_flight = random.Random(7), Heard(), 0
    for kill in range(KILLS):
        command = [str(PROGRAM), str(tmp_path), str(kill * 1_000_000)]
        heard.take(run_and_kill(command, chance.uniform(0.005, 0.15)))
        reader = SqliteReader(tmp_path)
        were_in_flight += bool(reader.recover().messages)
        reader.close()
    finished = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), "finish"],
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    heard.take(finished.stdout)

    reader = SqliteReader(tmp_path)
    back, late = counts(reader, "c/back"), counts(reader, "c/late")
    fronts = counts(reader, "c/front")
    left = reader.recover()
    reader.close()

    assert were_in_flight > KILLS // 4
    assert {number for number in heard.acknowledged if back[str(number)] != 1} == set()
    assert set(back.values()) == {1}
    assert late == back
    assert set(fronts) == {Address("c/front", str(n)).id for n in range(FRONTS)}
    assert fronts.total() == back.total()
    assert {str(number) for number in heard.records} == set(back)
    assert max(map(len, heard.records.values())) == 1
    assert (left.messages, left.timers) == ((), 0)


# --- edits ----------------------------------------------------------------------------------------


class Operator:
    """Edits what a runtime keeps, and remembers what was answered.

    Attributes:
        flag: The last number that was set and answered.
        tried: The last number that was to be set.
        dropped: The dead letters that were dropped, by name.
        cancelled: The delayed messages that were cancelled, by name.
        doubtful: Those whose dropping or cancelling was not answered.
        answers: How many edits of each kind were answered.
    """

    def __init__(self, data: Path) -> None:
        self.flag = self.tried = 0
        self.dropped: set[str] = set()
        self.cancelled: set[str] = set()
        self.doubtful: set[str] = set()
        self.answers: Counter[str] = Counter()
        self._data = data
        self._chance = random.Random(11)

    def work(self, is_over: Event) -> None:
        """Edit one thing after another; what the runtime says no to is left."""
        while not is_over.is_set():
            for edit in (self._set_flag, self._permit, self._drop, self._cancel, self._go_on):
                edit()

    def _make(self, edit: Edit) -> bool | None:
        """Make an edit; returns whether it was made, None if nobody knows."""
        try:
            make_edit(self._data, edit, round(time.time() * 1000))
        except StoreError:
            return None  # the runtime has ended
        except StatefunError:
            return False  # what was there is there no more
        self.answers[type(edit).__name__] += 1
        return True

    def _set_flag(self) -> None:
        self.tried += 1
        number = serialize(IntType, self.tried)
        if self._make(edits.SetValue(FLAG, "number", IntType.typename, number)):
            self.flag = self.tried

    def _permit(self) -> None:
        worker = Address(self._chance.choice(WORKING), str(self._chance.randrange(WORKERS)))
        self._make(edits.SetValue(worker, "permits", IntType.typename, serialize(IntType, 2)))

    def _drop(self) -> None:
        junk = [each for each in letters(self._data).items() if each[1].startswith("junk")]
        if junk:
            letter_id, name = self._chance.choice(junk)
            self._make_about(name, edits.Drop([letter_id]), self.dropped)

    def _cancel(self) -> None:
        waiting = list(timers(self._data).items())
        if waiting:
            seq, name = self._chance.choice(waiting)
            self._make_about(name, edits.CancelTimers([seq]), self.cancelled)

    def _make_about(self, name: str, edit: Edit, made: set[str]) -> None:
        is_made = self._make(edit)
        if is_made is None:
            self.doubtful.add(name)
        elif is_made:
            made.add(name)

    def _go_on(self) -> None:
        self._make(edits.Replay(None))
        self._make(edits.Release(None))

    def finish(self) -> None:
        """Let everything go on that can, while no runtime runs."""
        for worker in (Address(name, str(n)) for name in WORKING for n in range(WORKERS)):
            permits = serialize(IntType, 1 << 20)
            assert self._make(edits.SetValue(worker, "permits", IntType.typename, permits))
        assert self._make(edits.Replay(None))
        assert self._make(edits.Release(None))


FLAG = Address("c/flag", "0")
WORKING = ("c/keeps", "c/holds")


@contextmanager
def reader_of(data: Path) -> Iterator[SqliteReader]:
    with closing(SqliteReader(data)) as reader:
        yield reader


def text(argument: bytes) -> str:
    return StringType.serializer().deserialize(decode_typed_value(argument).data)


def letters(data: Path) -> dict[int, str]:
    """Id → name of each dead letter."""
    with reader_of(data) as reader:
        return {each.id: text(each.argument) for each in reader.dead_letters()}


def timers(data: Path) -> dict[int, str]:
    """Number → name of each message that is to come in a day."""
    with reader_of(data) as reader:
        waiting = [each for each in reader.timers() if each.target.typename == "c/never"]
        return {each.seq: text(each.argument) for each in waiting}


@pytest.mark.timeout(60 + 4 * MOST_KILLS)
def test_what_was_answered_is_durable_whatever_fails_is_held_or_edited(tmp_path: Path) -> None:
    """Dead letters, paused addresses, keys, delayed messages and edits survive any number of kills.

    Every message that was sent is sent again under its key until it is acknowledged.
    """
    data, again = tmp_path / "data", tmp_path / "again"
    again.touch()
    chance, heard, operator = random.Random(7), Heard(), Operator(data)
    for kill in range(MOST_KILLS):
        if kill >= EDITED_KILLS and operator.answers.keys() == EDITS:
            break
        is_over = Event()
        operating = Thread(target=operator.work, args=[is_over])
        command = [str(EDITS_PROGRAM), str(data), str(kill * 1_000_000 + 1), str(again)]
        heard.take(run_and_kill(command, chance.uniform(0.1, 0.4), operating.start))
        is_over.set()
        operating.join(PATIENCE_S)
        again.write_text("".join(f"{line}\n" for line in heard.unanswered()))
    operator.finish()
    finished = subprocess.run(
        [sys.executable, str(EDITS_PROGRAM), str(data), "finish", str(again)],
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )
    heard.take(finished.stdout)

    with reader_of(data) as reader:
        back, late, left = counts(reader, "c/back"), counts(reader, "c/late"), reader.recover()
        flag = IntType.serializer().deserialize(reader.load(FLAG)["number"].data)
    kept, waiting = Counter(letters(data).values()), Counter(timers(data).values())
    junk = {name for name in heard.sent if name.startswith("junk")}
    assert heard.unanswered() == []
    assert back == late == dict.fromkeys(heard.sent.keys() - junk, 1)
    assert {name: len(ids) for name, ids in heard.named.items()} == back
    assert (left.messages, left.paused) == ((), ())
    assert operator.flag <= flag <= operator.tried
    assert kept.keys() | operator.dropped | (operator.doubtful & junk) == junk
    assert waiting.keys() | operator.cancelled | (operator.doubtful - junk) == back.keys()
    assert kept.keys() & operator.dropped == waiting.keys() & operator.cancelled == set()
    assert set(kept.values()) | set(waiting.values()) == {1}
    assert operator.answers.keys() == EDITS
