"""Durable answers over HTTP: `statefun run` against Restate, DBOS and an earlier build, wall time.

Each client sends its next request when the last one is answered, and an answer means that the disk
has it. The load comes from wrk, a generator in C in a process of its own. The peers do more than we
for each answer: Restate keeps the journal and the result of an invocation, DBOS the history of a
workflow; DBOS is not even asked over HTTP here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

from bench.environment import (
    BEFORE_PYTHON,
    DBOS_PYTHON,
    PROGRAMS,
    RESTATE,
    ROOT,
    Unavailable,
    python_of,
)
from bench.figure import Sample, compared
from bench.server_process import ServerProcess, cpu_seconds, free_port
from bench.told_process import ToldProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.figure import Row

__all__ = ["FIGURE", "Cost", "Target", "restate"]

CLIENTS = 64
KEYS = 20_000
ROUNDS = 5
SECONDS = 3.0

_PATIENCE_S = 30.0
_COUNTER_BODY = b"\n\x03Ada"  # a StringType

# Seconds of the clock for one answer, the 99th percentile of those that a client waits, and seconds
# of CPU time of all processes of the side for one answer.
Cost: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, in front of the key and behind it; each key once if it `is_once`.

    The servers are the processes that answer them.
    """

    port: int
    method: str
    before_key: str
    behind_key: str
    content_type: str
    body: str
    clients: int = CLIENTS
    is_once: bool = False
    servers: tuple[ServerProcess, ...] = ()

    def cost(self, keys: int) -> Cost:
        """What answers cost over some seconds of load.

        One hot key is another one each time: Restate goes on for long with what clients that have
        left have asked of a key, and answers nobody else meanwhile.
        """
        name = f"hot-{time.monotonic_ns()}-" if self.is_once or keys == 1 else "guest-"
        before_key = self.before_key + name
        self.wait_for_an_answer(f"{before_key}0{self.behind_key}")
        command = ["wrk", "-t1", f"-c{self.clients}", f"-d{SECONDS:g}s", "-s", "keys.lua"]
        environment = {
            "KEYS": str(keys),
            "METHOD": self.method,
            "BEFORE_KEY": before_key,
            "BEHIND_KEY": self.behind_key,
            "CONTENT_TYPE": self.content_type,
            "BODY": self.body,
        }
        before_s = self._cpu_seconds()
        shown = subprocess.run(
            [*command, f"http://127.0.0.1:{self.port}"],
            cwd=PROGRAMS,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        spent_s = self._cpu_seconds() - before_s
        told = json.loads(shown.splitlines()[-1])
        if told["failed"]:
            raise AssertionError(f"{self.before_key} did not answer everything with 200: {told}")
        if not told["count"]:  # the first answer takes longer than that
            return told["seconds"], told["seconds"], spent_s
        return told["seconds"] / told["count"], told["p99"], spent_s / told["count"]

    def _cpu_seconds(self) -> float:
        return sum(each.cpu_seconds() for each in self.servers)

    def wait_for_an_answer(self, path: str) -> None:
        """Send one request, until it is answered 200."""
        url = f"http://127.0.0.1:{self.port}{path}"
        headers = {"Content-Type": self.content_type} if self.content_type else {}
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            request = urllib.request.Request(
                url, self.body.encode() or None, headers, method=self.method
            )
            try:
                urllib.request.urlopen(request, timeout=_PATIENCE_S).close()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise Unavailable(f"{url} does not answer: {error}") from error
                time.sleep(0.2)
            else:
                return


class IngressFigure:
    """Durable answers a second, and how long a client waits for one."""

    name = "ingress"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Random keys and one hot key, against each peer in turns.

        Raises:
            Unavailable: If wrk is not installed, or no peer is.
        """
        if shutil.which("wrk") is None:
            raise Unavailable("the load comes from wrk: install the package wrk of your system")
        missing = []
        for rows in (_against_before, _against_restate, _against_dbos):
            try:
                yield from rows(min(rounds, ROUNDS))
            except Unavailable as reason:
                missing.append(str(reason))
        if missing:
            raise Unavailable("; ".join(missing))


def _against_before(rounds: int) -> Iterator[Row]:
    python = python_of(BEFORE_PYTHON)
    with _statefun(sys.executable) as ours, _statefun(python) as theirs:
        for keys, goal in ((KEYS, 3.0), (1, None)):
            costs = (partial(ours.cost, keys), partial(theirs.cost, keys))
            yield from _rows(rounds, keys, costs, "the build before", (goal, None))


def _against_restate(rounds: int) -> Iterator[Row]:
    with (
        restate("restate_counter:app", Target(0, "POST", "/counter/", "/add", "", "")) as theirs,
        _statefun(sys.executable) as ours,
    ):
        for keys, goals in ((KEYS, (12.0, 4.0)), (1, (40.0, None))):
            costs = (partial(ours.cost, keys), partial(theirs.cost, keys))
            yield from _rows(rounds, keys, costs, "Restate 1.7.12", goals)


def _against_dbos(rounds: int) -> Iterator[Row]:
    with (
        TemporaryDirectory() as folder,
        ToldProcess(python_of(DBOS_PYTHON), "dbos_counter.py", folder) as dbos,
        _statefun(sys.executable) as ours,
    ):

        def theirs() -> Cost:
            before_s = cpu_seconds(dbos.pid)
            seconds, p99 = dbos.do("load", CLIENTS, SECONDS)
            spent_s = cpu_seconds(dbos.pid) - before_s
            return seconds, p99, spent_s * seconds / SECONDS

        costs = (partial(ours.cost, KEYS), theirs)
        yield from _rows(rounds, KEYS, costs, "DBOS 3.4 on SQLite", (100.0, None))


def _rows(
    rounds: int,
    keys: int,
    sides: tuple[Callable[[], Cost], Callable[[], Cost]],
    peer: str,
    goals: tuple[float | None, float | None],
) -> Iterator[Row]:
    """How many answers there are, how long the slowest of a hundred take, and what one costs.

    On a machine that others use, too, the CPU time is the figure that moves least.
    """
    ours, theirs = sides
    pairs = [(ours(), theirs()) for _ in range(rounds + 1)][1:]
    case = f"{keys:,} random keys" if keys > 1 else "one hot key"
    kinds: tuple[tuple[str, Callable[[float], str]], ...] = (
        (f"durable answers, {case}", lambda each: f"{1 / each:,.0f}/s"),
        (f"p99 of an answer, {case}", lambda each: f"{each * 1000:.1f} ms"),
        (f"CPU time of an answer, {case}", lambda each: f"{each * 1e6:.0f} µs"),
    )
    for index, (text, unit) in enumerate(kinds):
        sample = Sample([each[0][index] for each in pairs], [each[1][index] for each in pairs])
        goal = goals[index] if index < len(goals) else None
        yield compared(FIGURE.name, text, sample, unit=unit, peer=peer, goal=goal)


@contextmanager
def _statefun(python: str) -> Iterator[Target]:
    """`statefun run` with a counter in process and the durability `full`."""
    port = free_port()
    with TemporaryDirectory() as folder:
        module = Path(folder) / "module.yaml"
        module.write_text(f"kind: io.statefun.playground.v1/ingress\nspec: {{port: {port}}}\n")
        data = str(Path(folder) / "data")
        command = [python, "-m", "statefun", "run", str(module), "--data", data]
        with ServerProcess([*command, "--functions", "counter:functions"], port) as server:
            yield Target(
                port,
                "PUT",
                "/bench/counter/",
                "",
                "application/vnd.io.statefun.types/string",
                _COUNTER_BODY.decode(),
                servers=(server,),
            )


@contextmanager
def restate(app: str, target: Target) -> Iterator[Target]:
    """Restate's server with a program in Python behind it; every write is synced."""
    server = RESTATE / "node_modules" / ".bin" / "restate-server"
    hypercorn = RESTATE / "bin" / "hypercorn"
    if not (server.exists() and hypercorn.exists()):
        raise Unavailable(
            f"there is no {RESTATE.relative_to(ROOT)}: run `make {RESTATE.name}/.done`"
        )
    endpoint, ingress, admin, node = (free_port() for _ in range(4))
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        settings = {
            "RESTATE_BASE_DIR": folder,
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
            "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}",
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
            "RESTATE_ROCKSDB_DISABLE_WAL_FSYNC": "false",
            "RESTATE_LOG_FILTER": "error",
        }
        command = ["env", *(f"{name}={value}" for name, value in settings.items()), str(server)]
        bind = ["--bind", f"127.0.0.1:{endpoint}"]
        servers = (
            stack.enter_context(ServerProcess([str(hypercorn), *bind, app], endpoint)),
            stack.enter_context(ServerProcess(command, ingress)),
        )
        _register(f"http://127.0.0.1:{admin}/deployments", f"http://127.0.0.1:{endpoint}")
        yield replace(target, port=ingress, servers=servers)


def _register(admin: str, uri: str) -> None:
    """Tell Restate where the counter is."""
    body = json.dumps({"uri": uri}).encode()
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        request = urllib.request.Request(
            admin, body, {"Content-Type": "application/json"}, method="POST"
        )
        try:
            urllib.request.urlopen(request).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise Unavailable(f"Restate does not take the counter: {error}") from error
            time.sleep(0.2)
        else:
            return


FIGURE = IngressFigure()
