"""What becomes of messages when the process ends without a word, again and again."""

from __future__ import annotations

import asyncio
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from statefun.runtime.engine.records import Recovered
from statefun.runtime.stores.sqlite import SqliteReader

if TYPE_CHECKING:
    from pathlib import Path

DEADLY = """
import asyncio, os, sys
from datetime import timedelta
from statefun import IntType, StatefulFunctions, ValueSpec, message_builder
from statefun.runtime import Runtime
from statefun.runtime.engine.policy import FailurePolicy
from statefun.runtime.engine.retry import Backoff

functions, are_sent = StatefulFunctions(), asyncio.Event()

@functions.bind("t/a", specs=[ValueSpec("done", IntType)])
async def deadly(context, message):
    await are_sent.wait()
    await asyncio.sleep(0)
    if message.as_string() == "deadly":
        os._exit(9)
    context.storage.done = (context.storage.done or 0) + 1

async def main(data, *messages):
    policy = FailurePolicy(retry=Backoff(first=timedelta(milliseconds=1), attempts=3, jitter=0))
    async with Runtime(functions, data=data, failure=policy) as runtime:
        for number, each in enumerate(messages):
            target_id = "deadly" if number % 2 else str(number)
            await runtime.send(message_builder("t/a", target_id, str_value=each))
        are_sent.set()
        await runtime.idle()

asyncio.run(main(*sys.argv[1:]))
"""


async def start(data: Path, *messages: str) -> tuple[int | None, str]:
    """Run the program to its end; returns its exit code and what it logged."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DEADLY, str(data), *messages), stderr=asyncio.subprocess.PIPE
    )
    _, log = await process.communicate()
    return process.returncode, log.decode()


async def test_a_message_that_ends_the_process_is_given_up_by_its_policy(tmp_path: Path) -> None:
    """Its attempts count over restarts, the log names it, and no other message suffers."""
    messages = ("good", "deadly", "good", "good")
    exit_code, log = await start(tmp_path, *messages)
    starts = 1
    while exit_code == 9 and starts < 20:
        exit_code, log = await start(tmp_path)
        starts += 1

    with closing(SqliteReader(tmp_path)) as reader:
        letters = [(each.target.id, each.attempts) for each in reader.dead_letters()]
        done = {
            each.id: int.from_bytes(reader.load(each)["done"].data[1:], "little")
            for each in reader.addresses("t/a")
        }
        recovered = reader.recover()
    assert exit_code == 0
    assert letters == [("deadly", 3)]
    assert done == {"0": 1, "2": 1, "deadly": 1}
    assert recovered == Recovered(recovered.next_seq, (), 0, (), 1, recovered.letter_times)
    assert "the process ended while t/a 'deadly' worked on message" in log
