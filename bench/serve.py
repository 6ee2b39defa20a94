"""`statefun serve`: CPU time a request, against flink-statefun behind aiohttp and a C server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.environment import PROGRAMS, Unavailable, upstream_python
from bench.figure import Row, compared, in_turns
from bench.server_process import (
    Load,
    ServerProcess,
    aiohttp_adapter,
    aiohttp_endpoint,
    free_port,
    statefun_serve,
)
from bench.workloads import GREETER
from statefun.sdk.wire import CORE

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FIGURE"]

GOALS = {"native": {1: 5.0, 100: 10.0}, "python": {1: 3.0, 100: 3.5}}[CORE]
ADAPTER_GOALS = {"native": {1: 1.8, 100: 8.0}, "python": {1: None, 100: None}}[CORE]

# CPU time is told in hundredths of a second.
_SLICE_SECONDS = 0.6


class ServeFigure:
    """What a request costs `statefun serve` with one worker, in CPU time of all its processes."""

    name = "serve"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Against the old SDK behind aiohttp, then as a share of the least there could be."""
        peer = upstream_python()
        with ExitStack() as stack:
            ours = stack.enter_context(statefun_serve(GREETER.program))
            theirs = stack.enter_context(aiohttp_endpoint(peer, GREETER.program))
            for batch_size, goal in GOALS.items():
                sides = (ours, theirs)
                yield _row(rounds, batch_size, sides, "flink-statefun + aiohttp", goal)
            adapter = stack.enter_context(aiohttp_adapter(GREETER.program))
            for batch_size, goal in ADAPTER_GOALS.items():
                sides, peer_name = (adapter, theirs), "flink-statefun + aiohttp"
                yield _row(rounds, batch_size, sides, peer_name, goal, "aiohttp adapter")
            for batch_size in GOALS:
                with TemporaryDirectory() as folder, _echo(Path(folder), batch_size) as echo:
                    yield _row(rounds, batch_size, (ours, echo), "C echo server", None)


def _row(
    rounds: int,
    batch_size: int,
    sides: tuple[ServerProcess, ServerProcess],
    peer: str,
    goal: float | None,
    server: str = "1 worker",
) -> Row:
    load = Load(GREETER.request(batch_size))
    ours, theirs = (partial(load.seconds_each, side, _SLICE_SECONDS) for side in sides)
    return compared(
        FIGURE.name,
        f"greeter, batch {batch_size}, {server}",
        in_turns(rounds, ours, theirs),
        unit=lambda each: f"{each * 1e6:.1f} µs",
        peer=peer,
        goal=goal,
    )


def _echo(folder: Path, batch_size: int) -> ServerProcess:
    """A server that answers with as many bytes as ours does, without looking at what it got."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        raise Unavailable("the C echo server needs Linux and a C compiler called cc")
    program = str(folder / "echo")
    source = str(PROGRAMS / "echo.c")
    subprocess.run([compiler, "-O2", "-o", program, source], check=True)
    port = free_port()
    answer_bytes = 150 * batch_size
    return ServerProcess([program, str(port), str(answer_bytes)], port)


FIGURE = ServeFigure()
