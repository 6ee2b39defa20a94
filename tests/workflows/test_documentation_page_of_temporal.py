"""Every block of Temporal's page on the core of an application runs with its import changed."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Any

import pytest

from statefun.workflows import workflow
from statefun.workflows.client import Client
from statefun.workflows.testing import WorkflowEnvironment

PAGE = Path(__file__).with_name("documentation_page")


def block(name: str) -> str:
    """The text of a block."""
    return (PAGE / f"{name}.py.txt").read_text(encoding="utf-8")


def run(text: str, names: dict[str, Any]) -> None:
    """Run a block as a part of a module."""
    exec(compile(text, str(names["__name__"]), "exec", dont_inherit=True), names)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The module that the blocks of the page make."""
    module = ModuleType("your_dataobject_dacx")
    monkeypatch.setitem(sys.modules, "your_dataobject_dacx", module)
    run(block("01_dataclass"), vars(module))
    made: dict[str, Any] = {"__name__": "your_module", "timedelta": timedelta, "asyncio": asyncio}
    run(block("02_activity"), made)
    run(block("03_workflow"), made)
    options = indent(block("04_time_outs"), "        ")
    made["workflow"] = workflow
    run(
        "@workflow.defn\nclass Options:\n    @workflow.run\n"
        f"    async def run(self, greeting: str) -> str:\n{options}"
        "        return activity_timeout_result\n",
        made,
    )
    return made


async def test_the_program_of_the_page_runs(names: dict[str, Any]) -> None:
    """Its worker serves its workflow and its activity; a client executes them."""
    async with await WorkflowEnvironment.start_local() as env:
        assert env.service is not None
        listener = env.service.listener()
        await listener.start()
        address = f"localhost:{listener.port}"
        run(block("05_worker").replace("localhost:7233", address), names)
        running = asyncio.create_task(names["main"]())
        client = await Client.connect(address)
        result = await client.execute_workflow(
            names["YourWorkflow"].run, "Ada", id="y", task_queue="your-task-queue"
        )
        assert result == "Hello, Ada!"
        handle = await client.start_workflow(
            "YourWorkflow", "Bob", id="z", task_queue="your-task-queue"
        )
        assert await handle.result() == "Hello, Bob!"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await client.close()
        await listener.stop()


async def test_the_time_outs_of_the_page_are_options_of_the_call(names: dict[str, Any]) -> None:
    """The block is a part of a workflow."""
    from statefun.workflows.worker import Worker  # noqa: PLC0415 - as the page has it elsewhere

    async with await WorkflowEnvironment.start_time_skipping() as env:
        worker = Worker(
            env.client,
            task_queue="q",
            workflows=[names["Options"]],
            activities=[names["your_activity"]],
        )
        async with worker:
            result = await env.client.execute_workflow("Options", "Hi", id="o", task_queue="q")
    assert result == "Hi, Activity Timeout option!"
