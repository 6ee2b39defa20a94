"""`statefun workflows` on a running and on a stopped service."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from statefun.cli.program import main
from statefun.workflows.client import Client, WorkflowFailureError
from statefun.workflows.worker import Worker
from tests.workflows.programs import Desk, Named
from tests.workflows.test_listening import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service on a port of its own."""
    started = Service(tmp_path / "data")
    started.start()
    yield started
    started.kill()


async def say(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run a command beside the workers of this process; its code and what it prints."""
    code = await asyncio.to_thread(main, ["workflows", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


async def test_operators_look_at_workflows_and_act_on_them(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the service runs, and once it has stopped."""
    data = ("--data", str(service.data))
    client = await Client.connect(f"127.0.0.1:{service.port}")
    async with Worker(client, task_queue="q", workflows=[Desk, Named]):
        desk = await client.start_workflow(Desk.run, id="desk", task_queue="q")
        await client.execute_workflow(Named.run, id="named", task_queue="q")
        other = await client.start_workflow(Desk.run, id="other", task_queue="q")

        code, out, _ = await say(capsys, "list", "--json", *data)
        listed: list[dict[str, Any]] = json.loads(out)
        assert code == 0
        assert [(each["id"], each["type"], each["status"]) for each in listed] == [
            ("desk", "Desk", "running"),
            ("named", "your-workflow-name", "completed"),
            ("other", "Desk", "running"),
        ]
        _, out, _ = await say(capsys, "list", "--status", "completed", *data)
        assert out.startswith("named  your-workflow-name  completed  on q  started ")

        assert (await say(capsys, "signal", "desk", "note", '"hi"', *data))[0] == 0
        address = ("--address", f"127.0.0.1:{service.port}")
        _, out, _ = await say(capsys, "query", "desk", "read", *address, *data)
        assert sorted(json.loads(out)) == ["hi", "run"]
        _, out, _ = await say(capsys, "update", "desk", "put", '"x"', *address, *data)
        assert out == "3\n"
        code, _, err = await say(capsys, "update", "desk", "put", '"bad"', *address, *data)
        assert (code, err) == (
            1,
            "statefun workflows: Workflow update failed: ValueError: refused\n",
        )

        assert (await say(capsys, "terminate", "other", "--reason", "enough", *data))[0] == 0
        with pytest.raises(WorkflowFailureError):
            await other.result()
        code, _, err = await say(capsys, "cancel", "named", *data)
        assert (code, err) == (
            1,
            "statefun workflows: the workflow 'named' has ended (completed); nothing was changed\n",
        )
        await desk.signal(Desk.done)
        await desk.result()
    await client.close()
    service.kill()

    _, out, _ = await say(capsys, "history", "desk", *data)
    assert "-> complete" in out
    _, out, _ = await say(capsys, "describe", "other", "--json", *data)
    described = json.loads(out)
    assert (described["status"], described["failure"]) == ("terminated", "enough")
    code, _, err = await say(capsys, "describe", "nobody", *data)
    assert code == 1
    assert err.startswith("statefun workflows: there is no workflow 'nobody' in ")


async def test_operators_find_workflows_by_queries_and_let_them_go_back(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new run goes on from an event; what cannot be understood changes nothing."""
    data = ("--data", str(service.data))
    client = await Client.connect(f"127.0.0.1:{service.port}")
    async with Worker(client, task_queue="q", workflows=[Desk, Named]):
        desk = await client.start_workflow(Desk.run, id="desk", task_queue="q")
        await client.execute_workflow(Named.run, id="named", task_queue="q")
        await desk.signal(Desk.note, "kept")
        await desk.signal(Desk.done)
        assert await desk.result() == ["run", "kept"]

        query = "WorkflowType = 'Desk' AND ExecutionStatus = 'Completed'"
        _, out, _ = await say(capsys, "list", "--query", query, "--json", *data)
        assert [each["id"] for each in json.loads(out)] == ["desk"]
        for wrong, sentence in (
            ("WorkflowType =", "invalid query: malformed SQL query: syntax error"),
            ("ORDER BY StartTime", "--query has no ORDER BY and no GROUP BY here"),
        ):
            code, _, err = await say(capsys, "list", "--query", wrong, *data)
            assert (code, sentence in err) == (1, True)

        code, _, err = await say(capsys, "reset", "desk", "--event", "99", *data)
        assert code == 1
        assert "there are the events 1 to " in err
        assert "nothing was changed" in err
        code, out, _ = await say(capsys, "reset", "desk", "--event", "1", "--reason", "x", *data)
        assert (code, out) == (0, "reset desk\n")
        again = client.get_workflow_handle("desk")
        assert await again.result() == ["run", "kept"]
        _, out, _ = await say(capsys, "list", "--query", query, "--json", *data)
        runs = [each["run_id"] for each in json.loads(out)]
        assert len(set(runs)) == 2
    await client.close()
