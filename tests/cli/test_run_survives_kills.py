"""`statefun run` is killed again and again under load; nothing acknowledged is lost or repeated.

Clients send named messages over HTTP to a function that counts each name, tells another function,
and writes an egress record; a reader takes the records. The process gets SIGKILL at moments drawn
from a seed, and is started again on the same data directory. A message that got no answer is sent
again under its idempotency key. Each kill comes right behind an answer, and that answer counts as
lost on its way: its message is durable, and is sent again.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import re
import shutil
import time
from collections import Counter, defaultdict, deque
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from statefun.sdk.primitives import StringType, serialize
from statefun.serve import aiohttp_app
from tests.cli.ledger import functions
from tests.cli.process import PATIENCE_S, Server, statefun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pytest_aiohttp import AiohttpServer

KILLS = int(os.environ.get("KILLS", "5"))
CLIENTS = 48
ADDRESSES = 3
ACKNOWLEDGED_BEFORE_KILL = 100
STOPS = 3
STOPPED_WITHIN_S = 20

CONNECTORS = """\
kind: io.statefun.playground.v1/ingress
spec: {port: 0}
---
kind: io.statefun.playground.v1/egress
spec: {port: 0, topics: [accounts]}
"""
ENDPOINT = """\
kind: io.statefun.endpoints.v2/http
spec:
  functions: com.example/*
  urlPathTemplate: %s
"""


class Witness:
    """What the outside world knows: messages sent and acknowledged, records read."""

    def __init__(self) -> None:
        self.sent: dict[str, list[str]] = defaultdict(list)  # id of the account → messages
        self.unanswered: deque[tuple[str, str]] = deque()  # account and message, to be sent again
        self.acknowledged: set[str] = set()
        self.latest = ("", "")  # the account and message that were acknowledged last
        self.repeats = 0  # messages that a runtime said it had already
        self.records: dict[str, set[bytes]] = defaultdict(set)  # Record-Id → bodies
        self.news = asyncio.Event()

    async def send(self, session: aiohttp.ClientSession, url: str, client: str) -> None:
        """Send one message after another until the runtime goes away, at first those again."""
        await self.send_again(session, url)
        for number in count():
            account, name = str(number % ADDRESSES), f"{client}-{number}"
            self.sent[account].append(name)
            self.unanswered.append((account, name))
            await self.send_again(session, url)

    async def send_again(self, session: aiohttp.ClientSession, url: str) -> None:
        """Send what got no answer; what gets none now stays among it."""
        while self.unanswered:
            account, name = message = self.unanswered.popleft()
            status = 0
            try:
                async with session.put(
                    f"{url}/com.example/account/{account}",
                    data=serialize(StringType, name),
                    headers={
                        "Content-Type": "application/vnd.io.statefun.types/string",
                        "Idempotency-Key": name,
                    },
                ) as response:
                    status = response.status
                    assert status in (200, 503), await response.text()
            finally:
                if status != 200:
                    self.unanswered.append(message)
            if status == 503:
                raise aiohttp.ClientError("it is stopping")
            self.acknowledged.add(name)
            self.latest = message
            self.news.set()

    def lose_latest_answer(self) -> None:
        """What a client does whose answer got lost: it sends the message again."""
        self.unanswered.append(self.latest)

    async def count_repeats(self, session: aiohttp.ClientSession, url: str) -> None:
        """Add those that a runtime has recognised since it began."""
        async with session.get(f"{url}/metrics") as response:
            found = re.search(r"^statefun_repeats_total (\d+)", await response.text(), re.MULTILINE)
        assert found is not None
        self.repeats += int(found[1])

    async def read(self, session: aiohttp.ClientSession, url: str) -> None:
        """Read records until the runtime goes away."""
        while True:
            async with session.get(f"{url}/accounts") as response:
                if response.status == 200:
                    body = await response.read()
                    self.records[response.headers["Record-Id"]].add(body)
                    self.news.set()
                else:
                    await asyncio.sleep(0.001)  # nothing to read: ask again a little later

    async def until_acknowledged(self, more: int) -> None:
        enough = len(self.acknowledged) + more
        while len(self.acknowledged) < enough:
            await self.until_news()

    async def until_read(self) -> None:
        """Until there is a record of every acknowledged message."""
        while not {name.encode() for name in self.acknowledged} <= self.bodies().keys():
            await self.until_news()

    async def until_news(self) -> None:
        self.news.clear()
        await self.news.wait()

    def bodies(self) -> Counter[bytes]:
        """How many records there are of each message."""
        return Counter(body for bodies in self.records.values() for body in bodies)


@asynccontextmanager
async def traffic(
    witness: Witness, server: Server, name: str
) -> AsyncIterator[aiohttp.ClientSession]:
    """Clients and a reader, until the runtime goes away; answers on their way are still taken."""
    async with aiohttp.ClientSession() as session:
        tasks = [asyncio.create_task(witness.read(session, server.url("egress")))]
        tasks += [
            asyncio.create_task(witness.send(session, server.url("ingress"), f"{name}-{client}"))
            for client in range(CLIENTS)
        ]
        yield session
        ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE_S)
    assert [each for each in ended if not isinstance(each, aiohttp.ClientError)] == []


def state(folder: Path, typename: str, account: str) -> Any:
    outcome = statefun("state", "get", typename, account, "--json", cwd=folder)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)["values"]


@pytest.fixture(params=["in process", "remote"])
async def command(
    request: pytest.FixtureRequest, tmp_path: Path, aiohttp_server: AiohttpServer
) -> tuple[str, ...]:
    """How to run the functions: in the runtime's process, or behind an endpoint beside it."""
    shutil.copy(Path(__file__).with_name("ledger.py"), tmp_path)
    (tmp_path / "module.yaml").write_text(CONNECTORS)
    if request.param == "in process":
        return "run", "module.yaml", "--functions", "ledger:functions", "--admin-port", "0"
    endpoint = await aiohttp_server(aiohttp_app(functions))
    (tmp_path / "endpoint.yaml").write_text(ENDPOINT % endpoint.make_url("/statefun"))
    return "run", "module.yaml", "endpoint.yaml", "--admin-port", "0"


@pytest.mark.timeout(180 + 4 * KILLS)
async def test_kills_lose_and_repeat_nothing(command: tuple[str, ...], tmp_path: Path) -> None:
    """After SIGKILLs under load every message that was sent counts once, in state and in records.

    Those that are sent again though they are durable are recognised.
    """
    moments = random.Random(7)
    witness = Witness()
    for kill in range(KILLS):
        server = await start(command, tmp_path)
        try:
            async with traffic(witness, server, f"{kill}") as session:
                await witness.until_acknowledged(moments.randrange(ACKNOWLEDGED_BEFORE_KILL))
                await witness.count_repeats(session, server.url("admin"))
                await witness.until_acknowledged(1)
                server.kill()
                witness.lose_latest_answer()
        finally:
            server.close()

    await finish(command, tmp_path, witness)
    check(witness, tmp_path)
    assert len(witness.acknowledged) > KILLS
    assert witness.repeats > 0


@pytest.mark.timeout(180)
async def test_stopping_under_load_loses_and_repeats_nothing(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    """A SIGTERM under load ends the process in time, with exit code 0; each message counts once."""
    witness = Witness()
    for stop in range(STOPS):
        server = await start(command, tmp_path)
        try:
            async with traffic(witness, server, f"{stop}"):
                await witness.until_acknowledged(ACKNOWLEDGED_BEFORE_KILL)
                began = time.monotonic()
                code = await asyncio.to_thread(server.stop)
                assert (code, time.monotonic() - began < STOPPED_WITHIN_S) == (0, True)
        finally:
            server.close()

    await finish(command, tmp_path, witness)
    check(witness, tmp_path)


async def finish(command: tuple[str, ...], folder: Path, witness: Witness) -> None:
    """Run once more, until every message is acknowledged and its record has been read."""
    server = await start(command, folder)
    try:
        async with aiohttp.ClientSession() as session:
            reading = asyncio.create_task(witness.read(session, server.url("egress")))
            await witness.send_again(session, server.url("ingress"))
            await witness.count_repeats(session, server.url("admin"))
            with contextlib.suppress(TimeoutError):  # then `check` says what is missing
                await asyncio.wait_for(witness.until_read(), PATIENCE_S)
            await until_idle(session, server)
            reading.cancel()
        assert await asyncio.to_thread(server.stop) == 0
    finally:
        server.close()


async def start(command: tuple[str, ...], folder: Path) -> Server:
    return await asyncio.to_thread(Server(*command, cwd=folder).wait_until_ready)


async def until_idle(session: aiohttp.ClientSession, server: Server) -> None:
    """Until no function has anything to do any more."""
    metrics = ""
    while "\nstatefun_busy_addresses 0.0\n" not in metrics:
        async with session.get(server.url("admin") + "/metrics") as response:
            metrics = await response.text()


def check(witness: Witness, folder: Path) -> None:
    seen: Counter[str] = Counter()
    for account, sent in witness.sent.items():
        counts = json.loads(_decoded(state(folder, "com.example/account", account)["seen"]))
        assert set(counts) == set(sent)
        seen.update(counts)

    assert witness.acknowledged == seen.keys()
    assert {name.encode() for name in witness.acknowledged} - witness.bodies().keys() == set()
    assert set(seen.values()) == {1}
    total = state(folder, "com.example/total", "all")["total"]["value"]
    assert total == len(seen)
    assert {record: len(bodies) for record, bodies in witness.records.items()} == dict.fromkeys(
        witness.records, 1
    )
    assert set(witness.bodies().values()) == {1}
    assert witness.bodies().keys() <= {name.encode() for name in seen}


def _decoded(value: dict[str, str]) -> bytes:
    return base64.b64decode(value["base64"])
