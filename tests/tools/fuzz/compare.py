"""Random requests, through both cores: byte-equal replies, and the same errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tools.fuzz.worker import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Side", "differences", "side"]

ROOT = Path(__file__).parents[3]


class Side:
    """A process with one core.

    Args:
        process: It, with pipes.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._told = process.stdin, process.stdout

    def ask(self, verb: str, first: int, count: int) -> None:
        """Begin something; see `worker`."""
        self._orders.write(json.dumps([verb, first, count]) + "\n")
        self._orders.flush()

    def told(self) -> list[str]:
        """What came of it.

        Raises:
            RuntimeError: If the process has ended; its stderr says why.
        """
        line = self._told.readline()
        if not line:
            raise RuntimeError("a worker has ended, and says why on stderr")
        answers: list[str] = json.loads(line)
        return answers


@contextmanager
def side(core: str, *arguments: str) -> Iterator[Side]:
    """A process with a core: `python`, or `native`; empty for the one it would choose."""
    environment: dict[str, Any] = {**os.environ, "STATEFUN_CORE": core, "PYTHONHASHSEED": "0"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.tools.fuzz.worker", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    ) as process:
        yield Side(process)  # leaving closes stdin, which ends the worker


def differences(
    first: int, count: int, core: str, planted: int | None = None
) -> Iterator[str | None]:
    """Compare a core with the reference; for each group of seeds what differs, None for nothing.

    Args:
        first: The first seed.
        count: How many.
        core: The core.
        planted: A seed to which the core gives a wrong answer, whatever it is; None for none.
    """
    with ExitStack() as stack:
        wrong = [] if planted is None else [str(planted)]
        sides = [stack.enter_context(side("python")), stack.enter_context(side(core, *wrong))]
        for at in range(first, first + count, GROUP):
            size = min(GROUP, first + count - at)
            for each in sides:
                each.ask("digests", at, size)
            ours, theirs = (each.told() for each in sides)
            yield None if ours == theirs else _first_difference(sides, at, size)


def _first_difference(sides: list[Side], first: int, count: int) -> str:
    for each in sides:
        each.ask("answers", first, count)
    answers = zip(*(each.told() for each in sides), strict=True)
    for seed, (reference, other) in enumerate(answers, first):
        if reference != other:
            return f"seed {seed}\n  the reference: {reference}\n  the other core: {other}"
    return f"seeds from {first} on: the answers differ from one time to the next"
