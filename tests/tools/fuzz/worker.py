"""One core under random requests: what it answers to each seed, as text.

Started once for each core. Each line on stdin is JSON: `["digests", first, count]` is answered by
one digest for each group of seeds, `["answers", first, count]` by all the answers of the seeds. A
seed as an argument plants a wrong answer there, to see that it is found.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from random import Random
from typing import Any

from statefun import RequestReplyHandler
from statefun.sdk.wire import decode_reply
from tests.protocol import captured_functions
from tests.protocol.mutations import mutated
from tests.protocol.observer import REPLY_STOCK, STOCK, Observer, expected
from tests.tools.compat import generate, program

GROUP = 500
"""Seeds in one digest."""

SCRIPTED_EVERY = 10
"""One seed in so many is a request whose messages say what the function does."""

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


class Core:
    """The core that this process has chosen.

    Args:
        planted: The seed that gets a wrong answer; None for none.
    """

    def __init__(self, planted: int | None) -> None:
        self._planted = planted
        self._observer = Observer()
        self._captured = RequestReplyHandler(captured_functions.functions)
        program.plays_twins = False

    async def answers(self, first: int, count: int) -> list[str]:
        """What the core does with each seed.

        Raises:
            AssertionError: If a function saw something else than protobuf's own parser reads.
        """
        seeds = range(first, first + count)
        answers = [await self._answer(seed) for seed in seeds]
        if self._planted is not None and self._planted in seeds:
            answers[seeds.index(self._planted)] = "planted"
        return answers

    async def _answer(self, seed: int) -> str:
        if seed % SCRIPTED_EVERY == 0:
            return await self._scripted(seed)
        kind, body = mutated(STOCK, seed)
        seen, told = await self._observer.outcome(body), expected(body)
        assert seen == told, f"seed {seed}, {kind}: {body.hex()}: saw {seen!r}, not {told!r}"
        _, reply = mutated(REPLY_STOCK, seed)
        return f"{seen!r} {await _outcome(self._captured, body)} {_decoded(reply)}"

    async def _scripted(self, seed: int) -> str:
        """A request as it is, and with a few bits changed."""
        body = generate.request(f"fuzz/{seed}").body
        chance = Random(seed)
        changed = bytearray(body or b"\0")
        for _ in range(chance.randint(1, 3)):
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        as_it_is = await _outcome(program.handler, body)
        return f"{as_it_is} {await _outcome(program.handler, bytes(changed))}"


async def _outcome(handler: RequestReplyHandler, body: bytes) -> str:
    """The reply, or the error with its notes and its causes."""
    try:
        reply = await handler.handle_async(body)
    except Exception as error:  # noqa: BLE001 - what is raised is the result
        return _told(error)
    return f"{reply.hex()} {_decoded(reply)}"


def _told(error: BaseException | None) -> str:
    if error is None:
        return ""
    notes = getattr(error, "__notes__", [])
    text = f"{type(error).__name__}: {error} {notes} {_told(error.__cause__)}"
    return _ADDRESS.sub("0x", text)


def _decoded(reply: bytes) -> str:
    try:
        return repr(decode_reply(reply))
    except Exception as error:  # noqa: BLE001 - likewise
        return _told(error)


def _digests(answers: list[str]) -> list[str]:
    groups = (answers[at : at + GROUP] for at in range(0, len(answers), GROUP))
    return [hashlib.sha256("\n".join(each).encode(errors="replace")).hexdigest() for each in groups]


async def _main() -> None:
    core = Core(int(sys.argv[1]) if sys.argv[1:] else None)
    for line in sys.stdin:
        verb, first, count = json.loads(line)
        answers = await core.answers(first, count)
        told: Any = _digests(answers) if verb == "digests" else answers
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main())
