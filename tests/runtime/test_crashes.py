"""A real process, killed again and again: nothing acknowledged is lost, nothing counts twice."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from statefun.runtime.sqlite import SqliteReader
from statefun.sdk.address import Address
from statefun.sdk.valuetypes import IntType
from tests.runtime.crash_program import FRONTS

PROGRAM = Path(__file__).parent / "crash_program.py"
KILLS = int(os.environ.get("KILLS", "24"))
PATIENCE_S = 30


@dataclass
class Heard:
    """What the processes have written."""

    acknowledged: set[int] = field(default_factory=set)
    records: dict[int, set[int]] = field(default_factory=dict)  # number → ids it came under

    def take(self, output: bytes) -> None:
        for line in output.decode().splitlines():
            match line.split():
                case ["ack", number]:
                    self.acknowledged.add(int(number))
                case ["out", record_id, number]:
                    self.records.setdefault(int(number), set()).add(int(record_id))


def run_and_kill(directory: Path, first: int, after_s: float) -> bytes:
    """Run the program, kill it so long after its first acknowledgement; returns what it wrote."""
    command = [sys.executable, str(PROGRAM), str(directory), str(first)]
    with subprocess.Popen(command, stdout=-1, bufsize=0) as process:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
        assert ready, "the program wrote nothing"
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
        heard.take(run_and_kill(tmp_path, kill * 1_000_000, chance.uniform(0.005, 0.15)))
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

    assert were_in_flight > KILLS // 2
    assert {number for number in heard.acknowledged if back[str(number)] != 1} == set()
    assert set(back.values()) == {1}
    assert late == back
    assert set(fronts) == {Address("c/front", str(n)).id for n in range(FRONTS)}
    assert fronts.total() == back.total()
    assert {str(number) for number in heard.records} == set(back)
    assert max(map(len, heard.records.values())) == 1
    assert (left.messages, left.timers) == ((), ())
