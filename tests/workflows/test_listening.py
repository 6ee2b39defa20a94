"""Law: clients and workers reach a service by its socket, and outlive it and one another."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statefun.workflows.client import Client
from statefun.workflows.service import RPCError
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import Worker
from tests.workflows.programs import ACTIVITIES, Desk, Greeting, Named, Sleeps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASYNC_ACTIVITIES = [each for each in ACTIVITIES if each.__name__ != "in_thread"]


class Service:
    """`statefun run --listen` as a process."""

    def __init__(self, data: Path, port: int = 0) -> None:
        self.data = data
        self.port = port
        self.process: subprocess.Popen[str]

    def start(self) -> None:
        """Start it, and learn the port."""
        command = [sys.executable, "-m", "statefun", "run", "--data", str(self.data)]
        command += ["--listen", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        ready = self.process.stdout.readline()
        self.port = int(ready.partition("workflows http://127.0.0.1:")[2].partition(",")[0])

    def kill(self) -> None:
        """End it as a power failure does."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service on a port of its own."""
    started = Service(tmp_path / "data")
    started.start()
    yield started
    started.kill()


async def test_a_program_connects_runs_a_worker_and_executes_a_workflow(service: Service) -> None:
    """Nothing but the address is needed."""
    client = await Client.connect(f"127.0.0.1:{service.port}")
    worker = Worker(client, task_queue="q", workflows=[Greeting], activities=ASYNC_ACTIVITIES)
    running = asyncio.create_task(worker.run())
    result = await client.execute_workflow(Greeting.run, "Ada", id="g", task_queue="q")
    assert result == "Hello, Ada!"
    await worker.shutdown()
    await running
    assert worker.is_shutdown
    await client.close()


async def test_a_workflow_goes_on_when_the_service_was_killed(service: Service) -> None:
    """The worker connects again, and what was answered for is there."""
    client = await Client.connect(f"127.0.0.1:{service.port}")
    async with Worker(client, task_queue="q", workflows=[Desk, Sleeps]):
        handle = await client.start_workflow(Desk.run, id="d", task_queue="q")
        await handle.signal(Desk.note, "before")
        sleeping = await client.start_workflow(Sleeps.run, 0.5, id="s", task_queue="q")
        waiting = asyncio.create_task(sleeping.result())
        await asyncio.sleep(0)
        service.kill()
        service.start()
        assert (await waiting) >= 1.0
        await handle.signal(Desk.done)
        assert await handle.result() == ["run", "before"] or await handle.result() == [
            "before",
            "run",
        ]
    await client.close()


async def test_a_task_queue_without_a_worker_waits(service: Service) -> None:
    """Nothing fails; the workflow runs once somebody serves its queue."""
    client = await Client.connect(f"127.0.0.1:{service.port}")
    handle = await client.start_workflow(Named.run, id="n", task_queue="late")
    with pytest.raises(RPCError, match="Timeout expired"):
        await handle.result(rpc_timeout=timedelta(seconds=0.2))
    async with Worker(client, task_queue="late", workflows=[Named]):
        assert await handle.result() == "your-workflow-name"
    await client.close()


async def test_another_worker_takes_over_from_one_that_was_killed(
    service: Service, tmp_path: Path
) -> None:
    """What it was called for goes to the other one; the run is replayed there."""
    program = (
        "import asyncio\n"
        "from statefun.workflows.client import Client\n"
        "from statefun.workflows.worker import Worker\n"
        "from tests.workflows.programs import Desk\n"
        "async def main():\n"
        f"    client = await Client.connect('127.0.0.1:{service.port}')\n"
        "    async with Worker(client, task_queue='q', workflows=[Desk]):\n"
        "        print('attached', flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    del tmp_path
    worker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert worker.stdout is not None
    assert worker.stdout.readline() == "attached\n"
    client = await Client.connect(f"127.0.0.1:{service.port}")
    handle = await client.start_workflow(Desk.run, id="d", task_queue="q")
    assert await handle.query(Desk.read) == ["run"]
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    await handle.signal(Desk.note, "after")
    async with Worker(client, task_queue="q", workflows=[Desk]):
        assert await handle.query(Desk.read) == ["run", "after"]
        await handle.signal(Desk.done)
        assert await handle.result() == ["run", "after"]
    await client.close()


async def test_a_service_that_is_not_there_is_told_at_once() -> None:
    """The sentence says how to start one."""
    with pytest.raises(RuntimeError, match=r"Failed client connect.*statefun run --listen"):
        await Client.connect("127.0.0.1:1")


async def test_a_connection_may_wait_for_its_first_use() -> None:
    """`lazy` connects with the first request."""
    client = await Client.connect("127.0.0.1:1", lazy=True)
    with pytest.raises(RuntimeError, match="Failed client connect"):
        await client.get_workflow_handle("x").describe()


async def test_a_namespace_that_is_not_there_is_refused() -> None:
    """So is a worker of it."""
    async with await WorkflowEnvironment.start_local() as env:
        assert env.service is not None
        listener = env.service.listener()
        await listener.start()
        client = await Client.connect(f"127.0.0.1:{listener.port}", namespace="other")
        with pytest.raises(RPCError, match="is not found"):
            await client.get_workflow_handle("x").describe()
        with pytest.raises(RPCError, match="is not found"):
            await Worker(client, task_queue="q", workflows=[Named]).run()
        await client.close()
        await listener.stop()
