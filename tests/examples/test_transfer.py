"""The transfers of `examples/transfer`: what becomes of them, with skipped time."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from statefun.workflows.client import WorkflowFailureError
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.workflows.client import Client

FOLDER = Path(__file__).parents[2] / "examples" / "transfer"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, with a bank of its own."""
    monkeypatch.setenv("BANK", str(tmp_path / "bank.jsonl"))
    spec = importlib.util.spec_from_file_location("transfer", FOLDER / "transfer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "transfer", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def client(example: Any) -> AsyncIterator[Client]:
    """A client of a service with a worker of the example; no run stays in memory."""
    async with await WorkflowEnvironment.start_time_skipping() as env:
        worker = Worker(
            env.client,
            task_queue=example.TASK_QUEUE,
            workflows=[example.MoneyTransfer],
            activities=[example.withdraw, example.deposit, example.give_back],
            max_cached_workflows=0,
        )
        async with worker:
            yield env.client


def booked(tmp_path: Path) -> list[tuple[str, int]]:
    """What stands in the book of the bank."""
    lines = [json.loads(line) for line in (tmp_path / "bank.jsonl").read_text().splitlines()]
    return [(line["account"], line["cents"]) for line in lines]


async def move(example: Any, client: Client, *args: Any) -> Any:
    """Start a transfer."""
    return await client.start_workflow(
        example.MoneyTransfer.run,
        example.Transfer(*args),
        id="transfer-1",
        task_queue=example.TASK_QUEUE,
    )


async def test_money_is_moved(example: Any, client: Client, tmp_path: Path) -> None:
    """What one has less, the other has more."""
    handle = await move(example, client, "ada", "bob", 500)
    assert await handle.result() == "500 moved from ada to bob"
    assert await handle.query(example.MoneyTransfer.status) == "done"
    assert booked(tmp_path) == [("ada", -500), ("bob", 500)]


async def test_money_comes_back_if_it_cannot_be_given(
    example: Any, client: Client, tmp_path: Path
) -> None:
    """The reason is told."""
    handle = await move(example, client, "ada", "closed", 500)
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert str(failed.value.cause.__cause__) == "Closed: the account is closed"
    assert booked(tmp_path) == [("ada", -500), ("ada", 500)]


async def test_a_large_sum_waits_for_approval(example: Any, client: Client, tmp_path: Path) -> None:
    """And goes on by a signal."""
    handle = await move(example, client, "ada", "bob", 100_000)
    assert await handle.query("status") == "waiting for approval"
    await handle.signal(example.MoneyTransfer.approve)
    await handle.result()
    assert booked(tmp_path) == [("ada", -100_000), ("bob", 100_000)]


async def test_a_large_sum_that_nobody_approves_stays(example: Any, client: Client) -> None:
    """A day is over at once, since nothing runs."""
    handle = await move(example, client, "ada", "bob", 100_000)
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert str(failed.value.cause) == "Expired: nobody approved the transfer"
