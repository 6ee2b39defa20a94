"""Workflows under load, while the service and its workers are killed again and again.

Each workflow takes steps whose results depend on one another; every attempt of an activity leaves a
line in a file. So the file shows whether one ran again though its result was recorded, and whether
attempts are counted as their policy says.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from statefun.workflows.client import Client
from tests.cli.mill import FAILURES, LOG, QUEUE, STEPS, Mill, Payment
from tests.cli.process import Server
from tests.tools.lab.server import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

KILLS = int(os.environ.get("KILLS", "6"))
CLIENTS = 8
ANSWERS_BEFORE_KILL = 8
PATIENCE_S = 90
NAMES = ("service", "worker", "service", "other worker")


class Step(NamedTuple):
    """A step as it was performed."""

    number: int
    seen: str
    result: str


class World:
    """The processes: what may be killed, and how each is started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._running: dict[str, Callable[[], None]] = {}

    def start(self, name: str) -> None:
        """Start a process, and wait until it is ready."""
        self._running[name] = self._service() if name == "service" else self._worker()

    def _service(self) -> Callable[[], None]:
        listen = f"127.0.0.1:{self.port}"
        server = Server("run", "--data", "data", "--listen", listen, cwd=self._folder)
        server.wait_until_ready()
        return server.close

    def _worker(self) -> Callable[[], None]:
        worker = subprocess.Popen(
            [sys.executable, "mill.py", str(self.port)], cwd=self._folder, stdout=subprocess.PIPE
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"attached\n"

        def kill() -> None:
            worker.kill()
            worker.wait()
            assert worker.stdout is not None
            worker.stdout.close()

        return kill

    def kill(self, name: str) -> None:
        """End a process as a power failure does."""
        self._running.pop(name)()

    def close(self) -> None:
        """End all."""
        for kill in self._running.values():
            kill()


class Clients:
    """Clients that start a workflow after the other.

    Attributes:
        started: How many there are.
        results: Id → what it gave.
    """

    def __init__(self) -> None:
        self.started = 0
        self.results: dict[str, list[str]] = {}
        self.approvals: dict[str, list[int]] = {}
        self.is_over = False
        self._news = asyncio.Condition()

    async def until_answered(self, more: int) -> None:
        """Wait for so many results."""
        goal = len(self.results) + more
        async with self._news:
            await self._news.wait_for(lambda: len(self.results) >= goal)

    async def work(self, client: Client) -> None:
        """One client."""
        while not self.is_over:
            self.started += 1
            number = self.started
            handle = await client.start_workflow(
                Mill.run, number, id=f"mill-{number}", task_queue=QUEUE
            )
            await handle.signal(Mill.approve, number)
            result = await handle.result()
            async with self._news:
                self.results[handle.id] = result
                self._news.notify_all()


@pytest.mark.timeout(180 + 8 * KILLS)
async def test_kills_lose_no_workflow_and_repeat_no_recorded_activity(tmp_path: Path) -> None:
    """Everything that was started ends as it must; attempts are those that the policies allow."""
    shutil.copy(Path(__file__).with_name("mill.py"), tmp_path)
    moments = random.Random(16)
    world, clients = World(tmp_path), Clients()
    with ExitStack() as stack:
        stack.callback(world.close)
        for name in dict.fromkeys(NAMES):
            await asyncio.to_thread(world.start, name)
        client = await Client.connect(f"127.0.0.1:{world.port}")
        working = [asyncio.create_task(clients.work(client)) for _ in range(CLIENTS)]
        for number in range(KILLS):
            await clients.until_answered(moments.randrange(1, ANSWERS_BEFORE_KILL))
            await asyncio.sleep(moments.random() * 0.02)  # anywhere in a step
            name = NAMES[number % len(NAMES)]
            await asyncio.to_thread(world.kill, name)
            await asyncio.to_thread(world.start, name)
        clients.is_over = True
        await asyncio.wait_for(asyncio.gather(*working), PATIENCE_S)
        for each in clients.results:
            approvals = await client.get_workflow_handle(each).query(Mill.approvals)
            assert approvals == [int(each.removeprefix("mill-"))]
        paid = [
            await client.get_workflow_handle_for(Payment.run, f"mill-{number}-p").result()
            for number in range(4, clients.started + 1, 4)
        ]
        await client.close()

    assert len(clients.results) == clients.started
    assert broken(clients.results, Counter(paid), (tmp_path / LOG).read_text()) == []


def broken(results: dict[str, list[str]], paid: Counter[str], log: str) -> list[str]:
    """What the lines tell that must not be."""
    steps: dict[str, list[Step]] = defaultdict(list)
    attempts: dict[str, list[int]] = defaultdict(list)
    once: Counter[str] = Counter()
    wrong = []
    for line in log.splitlines():
        match line.split():
            case "step", workflow, number, seen, result, attempt:
                steps[workflow].append(Step(int(number), seen, result))
                if attempt != "1":
                    wrong.append(f"{line}: it has not failed before")
            case "stumble", workflow, attempt:
                attempts[workflow].append(int(attempt))
            case "once", workflow:
                once[workflow] += 1
    wrong += [f"{each} was charged {count} times" for each, count in once.items() if count > 1]
    if paid["charged"] > len(once) or paid.total() - paid["unknown"] > len(once):
        wrong.append(f"{paid} was told, and {len(once)} were charged")
    for workflow, numbers in attempts.items():
        if sorted(numbers) != numbers or {*numbers} != {*range(1, FAILURES + 2)}:
            wrong.append(f"the attempts of {workflow} are {numbers}")
    for workflow, given in results.items():
        wrong += _wrong_steps(workflow, given, steps.pop(workflow))
    return [*wrong, *(f"{each} was performed for nobody" for each in steps)]


def _wrong_steps(workflow: str, results: list[str], steps: list[Step]) -> list[str]:
    wrong, latest = [], 0
    for step in steps:
        if step.number < latest:
            wrong.append(f"{step} of {workflow} was recorded and performed again")
        latest = max(latest, step.number)
        expected = [workflow.removeprefix("mill-"), *results][step.number]
        if step.seen != expected:
            wrong.append(f"{step} of {workflow} has seen what was not recorded: {expected}")
    given = {(step.number, step.result) for step in steps}
    if not set(enumerate(results)) <= given or len(results) != STEPS:
        wrong.append(f"{workflow} gave {results}, and no step did")
    return wrong


def test_an_activity_that_is_repeated_would_be_found() -> None:
    """The check can fail."""
    results = {"mill-1": ["a", "b", "c", "d"]}
    lines = ["0 1 a", "1 a b", "1 a b", "2 b c", "3 c d"]
    good = [f"step mill-1 {each} 1" for each in lines]
    bad = {
        "a recorded step again": [*good, "step mill-1 1 a x 1"],
        "a result that changed": [
            *good[:1],
            "step mill-1 1 a x 1",
            "step mill-1 2 x c 1",
            *good[1:],
        ],
        "an attempt too many": [*good, "step mill-1 3 c d 2"],
        "attempts out of order": [*good, *(f"stumble mill-1 {each}" for each in (1, 3, 2))],
        "charged twice": [*good, "once mill-4-p", "once mill-4-p"],
    }

    assert broken(results, Counter(), "\n".join(good)) == []
    assert [
        name for name, lines in bad.items() if not broken(results, Counter(), "\n".join(lines))
    ] == []
