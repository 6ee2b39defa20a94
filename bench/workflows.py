"""Workflows and activities against Temporal's development server: time on the clock.

Both sides run the same program, worker and clients in one process; each server keeps everything in
a file of its own, and answers for what is there.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.environment import TEMPORAL, Unavailable
from bench.figure import Row, compared, in_turns
from bench.server_process import ServerProcess, free_port
from bench.told_process import ToldProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FIGURE"]

PROGRAM = "workflows_load.py"
RUNNING_PROGRAM = "running_workflows.py"
RUNNING = (100, 1_000, 10_000)
PEER = "Temporal's development server"
SECONDS = 3.0
CASES = (
    ("one activity, 32 at once", ("one", 32, SECONDS), 20.0, "/s"),
    ("ten activities, 16 at once", ("ten", 16, SECONDS), 20.0, "/s"),
    ("signals and queries of 100 running", ("messages", 32, SECONDS), 12.0, "/s"),
    ("one activity, from start to result", ("latency", 30, 0), 5.0, " ms"),
)


class WorkflowsFigure:
    """Workflows with activities, messages to them, and how long one takes."""

    name = "workflows"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Each in turns with the peer.

        Raises:
            Unavailable: If the peer is not installed.
        """
        with _ours() as ours, _theirs() as theirs:
            for case, told, goal, unit in CASES:
                sample = in_turns(
                    rounds, partial(_seconds, ours, told), partial(_seconds, theirs, told)
                )
                shown = _per_second if unit == "/s" else _milliseconds
                yield compared(self.name, case, sample, unit=shown, peer=PEER, goal=goal)
        yield from _restarted(self.name, rounds)


def _restarted(name: str, rounds: int) -> Iterator[Row]:
    """How soon a worker that begins anew serves one of many running workflows."""
    fewest = None
    for count in RUNNING:
        seconds, megabytes = zip(*_served(count, rounds), strict=True)
        fewest = fewest or median(seconds)
        ratios = sorted(fewest / each for each in seconds)
        yield Row(
            figure=name,
            case=f"a worker restarted with {count:,} running: signal and query",
            ours=f"{_milliseconds(median(seconds))}, {median(megabytes):.0f} MB",
            peer=f"{_milliseconds(fewest)} with {RUNNING[0]:,} running",
            ratio=median(ratios),
            lowest=ratios[0],
            highest=ratios[-1],
            goal=0.5,
        )


def _served(count: int, rounds: int) -> list[tuple[float, float]]:
    """Seconds and megabytes of workers that begin anew, each with another workflow."""
    port = free_port()
    found = []
    with TemporaryDirectory() as folder, ExitStack() as stack:
        command = [sys.executable, "-m", "statefun", "run", "--data", folder]
        command += ["--listen", f"127.0.0.1:{port}"]
        stack.enter_context(ServerProcess(command, port))
        with ToldProcess(sys.executable, RUNNING_PROGRAM, f"127.0.0.1:{port}") as process:
            process.do("start", count)
        for number in range(rounds):
            with ToldProcess(sys.executable, RUNNING_PROGRAM, f"127.0.0.1:{port}") as process:
                seconds, megabytes = process.do("serve", number * count // rounds)
            found.append((float(seconds), float(megabytes)))
    return found


def _seconds(process: ToldProcess, told: tuple[str, int, float]) -> float:
    what, number, seconds = told
    return float(process.do(what, number, seconds))


def _per_second(seconds: float) -> str:
    return f"{1 / seconds:,.0f}/s"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


@contextmanager
def _ours() -> Iterator[ToldProcess]:
    port = free_port()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        command = [sys.executable, "-m", "statefun", "run", "--data", folder]
        command += ["--listen", f"127.0.0.1:{port}"]
        stack.enter_context(ServerProcess(command, port))
        address = f"127.0.0.1:{port}"
        yield stack.enter_context(
            ToldProcess(sys.executable, PROGRAM, address, "statefun.workflows")
        )


@contextmanager
def _theirs() -> Iterator[ToldProcess]:
    server, python = TEMPORAL / "bin" / "temporal", TEMPORAL / "bin" / "python"
    if not server.exists():
        raise Unavailable("there is no .venv-temporal: run `make .venv-temporal/.done`")
    port, ui = free_port(), free_port()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        command = [
            *(str(server), "server", "start-dev", "--headless", "--log-level", "never"),
            *("--port", str(port), "--http-port", str(ui)),
            *("--db-filename", str(Path(folder) / "temporal.db")),
            *("--sqlite-pragma", "journal_mode=WAL"),
        ]
        stack.enter_context(ServerProcess(command, port))
        time.sleep(2)  # it listens before it is ready
        yield stack.enter_context(
            ToldProcess(str(python), PROGRAM, f"127.0.0.1:{port}", "temporalio")
        )


FIGURE = WorkflowsFigure()
