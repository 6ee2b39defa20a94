"""The whole way: Kafka → Apache StateFun → a function behind HTTP → Kafka, records a second.

One engine runs two jobs that differ in where they find the function: at `statefun serve`, or at
flink-statefun behind aiohttp. Only one of them has work at a time.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.environment import Unavailable, upstream_python
from bench.figure import Sample, compared, in_turns
from bench.server_process import aiohttp_endpoint, cpu_seconds, statefun_serve
from bench.told_process import ToldProcess
from tests.tools.lab import Flink, Kafka, LabError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.figure import Row
    from bench.server_process import ServerProcess

__all__ = ["FIGURE"]

PROGRAM = "kafka_greeter"

_PEER = "flink-statefun + aiohttp"


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent, and what the ratio should reach.

    Attributes:
        name: What the table calls it.
        keys: How many keys there are.
        each: How many messages each of them gets.
        mixed: How many keys get theirs in turns before the next ones do.
        goal: What the ratio should reach.
    """

    name: str
    keys: int
    each: int
    mixed: int
    goal: float

    @property
    def records(self) -> int:
        """How many records go in, and come out."""
        return self.keys * self.each


CASES = (
    Case("1 message a key", keys=20_000, each=1, mixed=20_000, goal=2.0),
    Case("20 messages a key", keys=5_000, each=20, mixed=1_000, goal=1.3),
)

# The engine is slower until its JVM has compiled what is busy.
_WARMING = CASES * 2

# State on the heap, Flink's own default: with RocksDB, which the lab sets, more of the time is the
# engine's. A checkpoint every second, as in the lab.
_SETTINGS = {"state.backend": "hashmap"}

MODULE = """\
kind: io.statefun.endpoints.v2/http
spec:
  functions: bench/*
  urlPathTemplate: http://127.0.0.1:{port}/statefun
  transport: {{type: io.statefun.transports.v1/async}}
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: bench/names
  address: {kafka}
  consumerGroupId: {topic}
  startupPosition: {{type: earliest}}
  topics:
    - topic: {topic}
      valueType: io.statefun.types/string
      targets: [bench/greeter]
---
kind: io.statefun.kafka.v1/egress
spec:
  id: bench/greetings
  address: {kafka}
  deliverySemantic: {{type: at-least-once}}
"""


class EngineFigure:
    """Records that went all the way, a second on the clock.

    The engine, the broker and the load share the machine with the server, and whoever else is on
    it: so what a record cost all of them in CPU time is compared too, and the share of each is
    told on stderr.
    """

    name = "engine"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Many keys, where every request has one message; and fewer, where requests have more."""
        peer = upstream_python()
        if find_spec("confluent_kafka") is None:
            raise Unavailable("confluent-kafka is missing: run `pip install -e '.[test]'`")
        try:
            with TemporaryDirectory() as folder, _sides(Path(folder), peer) as (ours, theirs):
                for case in CASES:
                    yield from _rows(rounds, case, ours, theirs)
        except LabError as error:
            raise Unavailable(str(error)) from error


@dataclass(frozen=True, slots=True)
class Slice:
    """What came of one load.

    Attributes:
        seconds: From the first record in to the last record out.
        requests: How many the server answered.
        cpu_seconds: Part → its CPU time.
    """

    seconds: float
    requests: int
    cpu_seconds: Mapping[str, float]


@dataclass(slots=True)
class Side:
    """A server and the job that calls it.

    Attributes:
        topic: Where its job reads.
        server: Where the function is.
        load: What sends the records, and waits.
        shared: Part → process, of what the other side uses too.
        requests: How many the server has answered so far.
        slices: What came of each load.
    """

    topic: str
    server: ServerProcess
    load: ToldProcess
    shared: Mapping[str, int]
    requests: int = 0
    slices: list[Slice] = field(default_factory=list)

    def seconds_each(self, case: Case) -> float:
        """Seconds for a record."""
        before = self._cpu_seconds()
        seconds, requests = self.load.do("run", self.topic, case.keys, case.each, case.mixed)
        spent = {part: after - before[part] for part, after in self._cpu_seconds().items()}
        self.slices.append(Slice(seconds, requests - self.requests, spent))
        self.requests = requests
        return float(seconds) / case.records

    def cpu_seconds_each(self, case: Case) -> list[float]:
        """CPU seconds that a record took of all parts together, for each slice."""
        return [sum(each.cpu_seconds.values()) / case.records for each in self.slices]

    def batch_size(self, case: Case) -> float:
        """How many messages a request had, on average."""
        return case.records / mean(each.requests for each in self.slices)

    def _cpu_seconds(self) -> dict[str, float]:
        shared = {part: cpu_seconds(pid) for part, pid in self.shared.items()}
        return {"server": self.server.cpu_seconds(), **shared}


def _rows(rounds: int, case: Case, ours: Side, theirs: Side) -> Iterator[Row]:
    on_the_clock = in_turns(
        rounds, partial(ours.seconds_each, case), partial(theirs.seconds_each, case)
    )
    for side in (ours, theirs):
        del side.slices[:-rounds]
        sys.stderr.write(f"{FIGURE.name}: {case.name}: {side.topic}: {_shares(case, side)}\n")
    batches = f"batches of {ours.batch_size(case):.1f}, theirs {theirs.batch_size(case):.1f}"
    yield compared(
        FIGURE.name,
        f"{case.name}, {batches}",
        on_the_clock,
        unit=lambda each: f"{1 / each / 1000:.1f}k/s",
        peer=_PEER,
        goal=case.goal,
    )
    yield compared(
        FIGURE.name,
        f"{case.name}, CPU of all parts",
        Sample(ours.cpu_seconds_each(case), theirs.cpu_seconds_each(case)),
        unit=lambda each: f"{each * 1e6:.0f} µs",
        peer=_PEER,
        goal=None,
    )


def _shares(case: Case, side: Side) -> str:
    """What a record cost in each part, and how busy that kept the server and all of them."""
    seconds = mean(each.seconds for each in side.slices)
    spent = {
        part: mean(each.cpu_seconds[part] for each in side.slices)
        for part in side.slices[0].cpu_seconds
    }
    parts = [f"{part} {1e6 * cpu / case.records:.0f}" for part, cpu in spent.items()]
    return (
        f"µs of CPU a record: {', '.join(parts)}; the server kept {spent['server'] / seconds:.2f} "
        f"cores busy, all parts {sum(spent.values()) / seconds:.2f} of {os.cpu_count()}"
    )


@contextmanager
def _sides(folder: Path, peer: str) -> Iterator[tuple[Side, Side]]:
    """Both sides, warm; a job that fails meanwhile is an error."""
    with ExitStack() as stack:
        kafka = stack.enter_context(Kafka(folder / "kafka"))
        flink = stack.enter_context(
            Flink(folder / "flink", mode="cluster", slots=2, settings=_SETTINGS)
        )
        load = stack.enter_context(ToldProcess(sys.executable, "kafka_load.py", kafka.bootstrap))
        shared = {
            "TaskManager": flink.processes["taskmanager"].pid,
            "JobManager": flink.processes["jobmanager"].pid,
            "broker": kafka.processes["kafka"].pid,
            "load": load.pid,
        }
        ours = Side("ours", stack.enter_context(statefun_serve(PROGRAM)), load, shared)
        server = stack.enter_context(aiohttp_endpoint(peer, PROGRAM))
        theirs = Side("theirs", server, load, shared)
        load.do("open", ours.topic, theirs.topic)
        jobs = [flink.submit(side.topic, _module(side, kafka)) for side in (ours, theirs)]
        for case in _WARMING:
            ours.seconds_each(case)
            theirs.seconds_each(case)
        yield ours, theirs
        failures = [each.trace for job in jobs for each in job.failures()]
        if failures:
            raise AssertionError(f"a job failed while it was measured:\n{failures[0]}")


def _module(side: Side, kafka: Kafka) -> str:
    return MODULE.format(port=side.server.port, kafka=kafka.bootstrap, topic=side.topic)


FIGURE = EngineFigure()
