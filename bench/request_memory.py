"""The memory that one request of 30 MB takes at most, against an earlier build."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.environment import BEFORE_PYTHON, python_of
from bench.figure import compared, in_turns
from bench.told_process import ToldProcess
from bench.workloads import READING
from statefun.sdk.builders import message_builder
from statefun.sdk.wire import CORE, Invocation, encode_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.figure import Row

__all__ = ["FIGURE"]

MESSAGES, MESSAGE_BYTES = 3000, 10_000
GOAL = {"native": 2.0, "python": None}[CORE]


class RequestMemoryFigure:
    """How much memory a process needs on top of its own for one large request."""

    name = "request-memory"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Three thousand messages of ten kilobytes in one request."""
        before = python_of(BEFORE_PYTHON)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "request"
            path.write_bytes(_request())
            sides = (partial(_peak_bytes, python, path) for python in (sys.executable, before))
            sample = in_turns(min(rounds, 3), *sides)
        yield compared(
            self.name,
            "one request of 30 MB",
            sample,
            unit=lambda each: f"{each / 1e6:.0f} MB",
            peer="the build before",
            goal=GOAL,
        )


def _request() -> bytes:
    message = message_builder(READING.typename, "joe", str_value="x" * MESSAGE_BYTES).argument()
    address = READING.address
    return encode_request(address, READING.state, [Invocation(None, message)] * MESSAGES)


def _peak_bytes(python: str, path: Path) -> float:
    with ToldProcess(python, "handler_worker.py", READING.program) as process:
        return float(process.do("peak", str(path)))


FIGURE = RequestMemoryFigure()
