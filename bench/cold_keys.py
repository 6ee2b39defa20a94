"""Cold keys: messages for keys whose values are on disk only, against an earlier build."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.environment import BEFORE_PYTHON, PROGRAMS, python_of
from bench.figure import compared, in_turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.figure import Row

__all__ = ["FIGURE"]

_KEYS = 200_000


class ColdKeysFigure:
    """Messages a second by a process that has just started, one for each key; time on the clock."""

    name = "cold-keys"

    def measure(self, rounds: int) -> Iterator[Row]:
        """The round that does not count writes the values, so that each later one reads them."""
        before = python_of(BEFORE_PYTHON)
        with TemporaryDirectory() as ours, TemporaryDirectory() as theirs:
            yield compared(
                self.name,
                f"durable, {_KEYS:,} keys on disk",
                in_turns(
                    min(rounds, 3),
                    partial(_seconds_each, sys.executable, ours),
                    partial(_seconds_each, before, theirs),
                ),
                unit=lambda each: f"{1 / each / 1000:.1f}k/s",
                peer="the build before",
                goal=1.5,
            )


def _seconds_each(python: str, folder: str) -> float:
    """Send a message to each key in a process of its own."""
    program = str(PROGRAMS / "cold_keys.py")
    command = [python, program, str(Path(folder) / "data"), str(_KEYS)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return float(told.stdout) / _KEYS


FIGURE = ColdKeysFigure()
