"""Durable handlers against Restate, DBOS and Temporal: time on the clock, memory, and replay.

Everybody syncs each commit to disk. Ours is `statefun run` in pure Python; Restate's server has the
same program behind it; DBOS keeps its history in SQLite; Temporal's development server has a file
of SQLite in WAL mode, and its workflow takes activities.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.environment import (
    BEFORE_PYTHON,
    DBOS_PYTHON,
    PROGRAMS,
    TEMPORAL,
    Unavailable,
    python_of,
)
from bench.figure import Row, compared, in_turns
from bench.ingress import Target, restate
from bench.server_process import ServerProcess, free_port
from bench.told_process import ToldProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["FIGURE"]

ROUNDS = 5
KEYS = 20_000
AT_ONCE = 32
SECONDS = 3.0
ALONE = 20
ENDLESS = 10**12
SUSPENDED = 100_000
STEPS = 1_000
GROWTH = (2_000, 4_000, 8_000)
APP = "durable_services:app"

ADD = Target(0, "POST", "/Counter/", "/add", "", "")
RUN = Target(0, "POST", "/Steps/", "/run", "", "", clients=AT_ONCE, is_once=True)


class DurableFigure:
    """Answers of objects, workflows of ten steps, memory of what is suspended, and replay."""

    name = "durable"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Each against the peers in turns.

        Raises:
            Unavailable: If wrk is not installed, or a peer is not.
        """
        if shutil.which("wrk") is None:
            raise Unavailable("the load comes from wrk: install the package wrk of your system")
        missing = []
        for rows in (_replay, _against_restate, _against_dbos, _against_temporal, _memory):
            try:
                yield from rows(min(rounds, ROUNDS))
            except Unavailable as reason:
                missing.append(str(reason))
        if missing:
            raise Unavailable("; ".join(missing))


@contextmanager
def _ours(target: Target) -> Iterator[Target]:
    port = free_port()
    with TemporaryDirectory() as folder:
        module = Path(folder) / "module.yaml"
        module.write_text("kind: io.statefun.playground.v1/ingress\nspec: {port: 0}\n")
        command = [sys.executable, "-m", "statefun", "run", str(module), "--functions", APP]
        options = ["--data", str(Path(folder) / "data"), "--ingress-port", str(port)]
        with ServerProcess(["env", "STATEFUN_CORE=python", *command, *options], port):
            yield Target(
                port,
                target.method,
                target.before_key,
                target.behind_key,
                target.content_type,
                target.body,
                target.clients,
                target.is_once,
            )


def _against_restate(rounds: int) -> Iterator[Row]:
    os.environ["BENCH_SIDE"] = "restate"  # for the peer's program
    with ExitStack() as stack:
        theirs = {each: stack.enter_context(restate(APP, each)) for each in (ADD,)}[ADD]
        del os.environ["BENCH_SIDE"]
        ours = stack.enter_context(_ours(ADD))
        peer = "Restate 1.7.12"
        for keys, goal, case in ((KEYS, 8.0, "20,000 random keys"), (1, 20.0, "one hot key")):
            yield _row(
                f"object add, {case}, 64 clients",
                rounds,
                partial(_seconds, ours, keys),
                partial(_seconds, theirs, keys),
                lambda each: f"{1 / each:,.0f}/s",
                peer,
                goal,
            )
        our_run, their_run = (_with(each, RUN) for each in (ours, theirs))
        yield _row(
            f"workflow of 10 steps, {AT_ONCE} at once",
            rounds,
            partial(_seconds, our_run, ENDLESS),
            partial(_seconds, their_run, ENDLESS),
            lambda each: f"{1 / each:,.0f}/s",
            peer,
            4.0,
        )
        yield _row(
            "workflow of 10 steps, alone, median",
            rounds,
            partial(_alone, our_run),
            partial(_alone, their_run),
            lambda each: f"{each * 1000:.1f} ms",
            peer,
            2.0,
        )


def _with(server: Target, what: Target) -> Target:
    """A request at a server that another one was started with."""
    return Target(
        server.port,
        what.method,
        what.before_key,
        what.behind_key,
        what.content_type,
        what.body,
        what.clients,
        what.is_once,
    )


def _seconds(target: Target, keys: int) -> float:
    return target.cost(keys)[0]


def _alone(target: Target) -> float:
    """The median of workflows one after another, by one client."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port)
    times = []
    for number in range(ALONE):
        began = time.perf_counter()
        path = f"{target.before_key}alone-{time.monotonic_ns()}-{number}{target.behind_key}"
        connection.request(target.method, path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise AssertionError(f"{path} was answered with {answer.status}")
        times.append(time.perf_counter() - began)
    connection.close()
    return median(times)


def _against_dbos(rounds: int) -> Iterator[Row]:
    with (
        TemporaryDirectory() as folder,
        ToldProcess(python_of(DBOS_PYTHON), "dbos_steps.py", folder) as dbos,
        _ours(RUN) as ours,
    ):
        yield _told(rounds, ours, dbos, "DBOS 3.4 on SQLite", 20.0)


def _against_temporal(rounds: int) -> Iterator[Row]:
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
        address = f"127.0.0.1:{port}"
        temporal = stack.enter_context(ToldProcess(str(python), "temporal_steps.py", address))
        ours = stack.enter_context(_ours(RUN))
        yield _told(rounds, ours, temporal, "Temporal's development server", 40.0)


def _told(rounds: int, ours: Target, peer: ToldProcess, name: str, goal: float) -> Row:
    return _row(
        f"workflow of 10 steps, {AT_ONCE} at once",
        rounds,
        partial(_seconds, ours, ENDLESS),
        lambda: float(peer.do("load", AT_ONCE, SECONDS)),
        lambda each: f"{1 / each:,.0f}/s",
        name,
        goal,
    )


def _replay(rounds: int) -> Iterator[Row]:
    """Bringing a handler back, against the least that can be done with its records."""
    with ToldProcess(sys.executable, "replay_worker.py") as worker:
        yield _row(
            f"replay of {STEPS:,} steps",
            rounds,
            lambda: float(worker.do("replay", STEPS)),
            lambda: float(worker.do("parse", STEPS)),
            lambda each: f"{each * 1000:.2f} ms",
            "parsing the records, awaiting as many futures",
            1 / 3,
        )
        for steps in GROWTH:
            yield _row(
                f"replay of {steps:,} steps, each step",
                rounds,
                lambda steps=steps: float(worker.do("replay", steps)) / steps,  # type: ignore[misc]
                lambda: float(worker.do("replay", STEPS)) / STEPS,
                lambda each: f"{each * 1e6:.2f} us",
                f"a step of {STEPS:,}",
                0.7,
            )


def _memory(rounds: int) -> Iterator[Row]:
    before = python_of(BEFORE_PYTHON)
    yield _row(
        f"resident memory of a suspended workflow, {SUSPENDED:,} of them",
        min(rounds, 1),
        partial(_resident, sys.executable, "workflows"),
        partial(_resident, before, "keys"),
        lambda each: f"{each:,.0f} B",
        "an idle key with 100 B, the build before",
        1 / 3,
    )


def _resident(python: str, what: str) -> float:
    with TemporaryDirectory() as folder:
        command = [python, str(PROGRAMS / "resident.py"), what, f"{folder}/data", str(SUSPENDED)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        return float(told.stdout)


def _row(
    case: str,
    rounds: int,
    ours: Callable[[], float],
    peer: Callable[[], float],
    unit: Callable[[float], str],
    name: str,
    goal: float,
) -> Row:
    return compared(
        FIGURE.name, case, in_turns(rounds, ours, peer), unit=unit, peer=name, goal=goal
    )


FIGURE = DurableFigure()
