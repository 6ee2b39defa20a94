"""Durable handlers under load, while the runtime and the endpoint are killed again and again.

Each invocation takes four steps whose results depend on one another; every step that is performed
leaves a line in a file. So the file shows whether one was repeated though it was recorded: a later
step had seen its result by then.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import pytest

from tests.cli.factory import LOG, STEPS
from tests.cli.process import Server
from tests.tools.lab.server import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

KILLS = int(os.environ.get("KILLS", "6"))
CLIENTS = 8
ANSWERS_BEFORE_KILL = 12
PATIENCE_S = 60
ENDPOINT = """\
kind: io.statefun.endpoints.v2/http
spec:
  functions: durable/*
  urlPathTemplate: http://127.0.0.1:{port}/statefun
  transport: {{type: io.statefun.transports.v1/async, call: 10min}}
"""
NO_MESSAGES = "kind: io.statefun.playground.v1/ingress\nspec: {port: 0}"


class Step(NamedTuple):
    """A step as it was performed."""

    invocation: str
    number: int
    seen: str
    result: str


class Clients:
    """Clients that ask until they are answered, and ask again under the same key if they are not.

    Attributes:
        asked: How many invocations there are.
        answers: Number of an invocation → its id and its result.
    """

    def __init__(self, port: int) -> None:
        self.asked = 0
        self.answers: dict[int, tuple[str, list[str]]] = {}
        self.is_over = False
        self._url = f"http://127.0.0.1:{port}/Factory/make"
        self._news = asyncio.Condition()

    async def until_answered(self, more: int) -> None:
        goal = len(self.answers) + more
        async with self._news:
            await self._news.wait_for(lambda: len(self.answers) >= goal)

    async def work(self, session: aiohttp.ClientSession) -> None:
        """One client."""
        while not self.is_over:
            self.asked += 1
            await self._ask(session, self.asked)

    async def _ask(self, session: aiohttp.ClientSession, number: int) -> None:
        headers = {"idempotency-key": f"order {number}"}
        while True:
            try:
                async with session.post(self._url, json=number, headers=headers) as answer:
                    if answer.status == 200:
                        told = answer.headers["x-restate-id"], await answer.json()
                        break
                    assert answer.status in (404, 503), await answer.text()
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.02)  # nobody is there
        async with self._news:
            self.answers[number] = told
            self._news.notify_all()


class World:
    """The processes: what may be killed, and how each is started again."""

    def __init__(self, folder: Path, *, is_remote: bool) -> None:
        self.port = free_port()
        self._folder = folder
        self._running: dict[str, Server] = {}
        self._starts: dict[str, Callable[[], Server]] = {}
        ingress = ("--ingress-port", str(self.port))
        if is_remote:
            port = free_port()
            (folder / "module.yaml").write_text(ENDPOINT.format(port=port))
            self._starts["endpoint"] = lambda: self._server(
                "serve", "factory:app", "--port", str(port)
            )
            self._starts["runtime"] = lambda: self._server("run", "module.yaml", *ingress)
        else:
            (folder / "module.yaml").write_text(NO_MESSAGES)
            self._starts["runtime"] = lambda: self._server(
                "run", "module.yaml", "--functions", "factory:app", *ingress
            )

    def _server(self, *arguments: str) -> Server:
        return Server(*arguments, cwd=self._folder).wait_until_ready()

    @property
    def names(self) -> list[str]:
        return list(self._starts)

    def start(self, name: str) -> None:
        self._running[name] = self._starts[name]()

    def kill(self, name: str) -> None:
        self._running.pop(name).close()

    def close(self) -> None:
        for server in self._running.values():
            server.close()


@pytest.mark.parametrize("is_remote", [False, True], ids=["in process", "remote"])
@pytest.mark.timeout(180 + 8 * KILLS)
async def test_kills_lose_no_result_and_repeat_no_recorded_step(
    tmp_path: Path, *, is_remote: bool
) -> None:
    """Everybody is answered in the end; each result is the one that all later steps have seen."""
    shutil.copy(Path(__file__).with_name("factory.py"), tmp_path)
    moments = random.Random(11)
    world = World(tmp_path, is_remote=is_remote)
    clients = Clients(world.port)
    with ExitStack() as stack:
        stack.callback(world.close)
        for name in world.names:
            await asyncio.to_thread(world.start, name)
        async with aiohttp.ClientSession() as session:
            working = [asyncio.create_task(clients.work(session)) for _ in range(CLIENTS)]
            for _ in range(KILLS):
                for name in world.names:
                    await clients.until_answered(moments.randrange(1, ANSWERS_BEFORE_KILL))
                    await asyncio.sleep(moments.random() * 0.02)  # anywhere in a step
                    await asyncio.to_thread(world.kill, name)
                    await asyncio.to_thread(world.start, name)
            clients.is_over = True
            await asyncio.wait_for(asyncio.gather(*working), PATIENCE_S)
            async with session.post(f"http://127.0.0.1:{world.port}/Shelf/shelf/put", json=0) as at:
                total = await at.json()

    assert len(clients.answers) == clients.asked == total
    assert broken(clients, (tmp_path / LOG).read_text()) == []


def broken(clients: Clients, log: str) -> list[str]:
    """What the steps tell that must not be."""
    performed: dict[str, list[Step]] = defaultdict(list)
    for line in log.splitlines():
        invocation, number, seen, result = line.split()
        performed[invocation].append(Step(invocation, int(number), seen, result))
    wrong = []
    for asked, (invocation, results) in clients.answers.items():
        steps = performed.pop(invocation)
        latest = 0
        for step in steps:
            if step.number < latest:
                wrong.append(f"{step} was recorded and performed again")
            latest = max(latest, step.number)
            expected = [str(asked), *results][step.number]
            if step.seen != expected:
                wrong.append(f"{step} has seen what was not recorded, which is {expected}")
        given = {(step.number, step.result) for step in steps}
        if not set(enumerate(results)) <= given or len(results) != STEPS:
            wrong.append(f"{invocation} was answered with {results}, which no step gave")
    return [*wrong, *(f"{each} was performed for nobody" for each in performed)]


def test_a_step_that_is_repeated_would_be_found() -> None:
    """The check can fail: a recorded step again, and a result that changed after it was seen."""
    clients = Clients(1)
    clients.answers[1] = "i", ["a", "b", "c", "d"]
    good = ["i 0 1 a", "i 1 a b", "i 1 a b", "i 2 b c", "i 3 c d"]
    again = [*good, "i 1 a x"]
    changed = ["i 0 1 a", "i 1 a x", "i 2 x c", "i 1 a b", "i 2 b c", "i 3 c d"]

    assert broken(clients, "\n".join(good)) == []
    assert len(broken(clients, "\n".join(again))) == 1
    assert len(broken(clients, "\n".join(changed))) == 2
