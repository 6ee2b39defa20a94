"""Law: a history is replayed by the code that made it; other code is told where it differs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.workflows import workflow
from statefun.workflows.client import WorkflowHistory
from statefun.workflows.testing import WorkflowEnvironment
from statefun.workflows.worker import Replayer, Worker
from tests.workflows.programs import ACTIVITIES, WORKFLOWS, Desk, Greeting, Patched, Sum, nothing
from tests.workflows.stage import staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECOND = timedelta(seconds=1)


@workflow.defn(name="Greeting")
class ChangedGreeting:
    """Sleeps where the other one calls an activity."""

    @workflow.run
    async def run(self, name: str) -> str:
        """Main."""
        await workflow.sleep(1)
        return name


@workflow.defn(name="Greeting")
class FailingGreeting:
    """Fails where the other one did not."""

    @workflow.run
    async def run(self, name: str) -> str:
        """Main."""
        raise KeyError(name)


async def history_of(handle_of: Any) -> WorkflowHistory:
    """The history of a run, as it is read from a file."""
    history = await handle_of.fetch_history()
    return WorkflowHistory.from_json(handle_of.id, history.to_json())


async def histories() -> list[WorkflowHistory]:
    """Histories of runs that have ended, and of one that has not."""
    async with staged("one worker", WORKFLOWS, ACTIVITIES) as stage:
        greeting = await stage.start(Greeting.run, "Ada")
        await greeting.result()
        total = await stage.start(Sum.run, 1, 2)
        await total.result()
        desk = await stage.start(Desk.run)
        await desk.execute_update(Desk.put, "a")
        return [await history_of(each) for each in (greeting, total, desk)]


async def test_the_same_code_replays_every_history() -> None:
    """Ended or not, by one call or several."""
    replayer = Replayer(workflows=[Greeting, Sum, Desk])
    made = await histories()

    async def one_by_one() -> AsyncIterator[WorkflowHistory]:
        for each in made:
            yield each

    assert (await replayer.replay_workflow(made[0])).replay_failure is None
    assert (await replayer.replay_workflows(one_by_one())).replay_failures == {}


async def test_changed_code_is_told_where_it_differs() -> None:
    """By an exception, or as a result."""
    history = (await histories())[0]
    replayer = Replayer(workflows=[ChangedGreeting])
    with pytest.raises(workflow.NondeterminismError, match=r"\[TMPRL1100\].*activity greet"):
        await replayer.replay_workflow(history)
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    assert isinstance(result.replay_failure, workflow.NondeterminismError)


async def test_code_that_fails_is_told() -> None:
    """So is a type that is missing."""
    history = (await histories())[0]
    with pytest.raises(RuntimeError, match="KeyError"):
        await Replayer(workflows=[FailingGreeting]).replay_workflow(history)
    with pytest.raises(RuntimeError, match="Workflow class Greeting is not registered"):
        await Replayer(workflows=[Desk]).replay_workflow(history)


@workflow.defn(name="Patched")
class BeforePatched:
    """The code before the changes."""

    @workflow.run
    async def run(self) -> list[bool]:
        """Main."""
        await workflow.sleep(1)
        await workflow.sleep(1)
        return []


@workflow.defn(name="Changes")
class Changes:
    """A workflow before a change."""

    @workflow.run
    async def run(self) -> str:
        """Main."""
        await workflow.wait_condition(lambda: self.is_done)
        return "old"

    def __init__(self) -> None:
        self.is_done = False

    @workflow.signal
    def done(self) -> None:
        """Let it end."""
        self.is_done = True


@workflow.defn(name="Changes")
class ChangesPatched:
    """The same after the change."""

    def __init__(self) -> None:
        self.is_done = False

    @workflow.run
    async def run(self) -> str:
        """Main."""
        if workflow.patched("new"):
            await workflow.execute_activity(nothing, start_to_close_timeout=SECOND)
        await workflow.wait_condition(lambda: self.is_done)
        return "new" if workflow.patched("later") else "old"

    @workflow.signal
    def done(self) -> None:
        """Let it end."""
        self.is_done = True


async def test_a_run_from_before_a_change_goes_on_as_it_was() -> None:
    """A later patch, met in new territory, is there."""
    async with await WorkflowEnvironment.start_time_skipping() as env:
        async with Worker(env.client, task_queue="q", workflows=[Changes]):
            handle = await env.client.start_workflow(Changes.run, id="c", task_queue="q")
            await handle.query("__stack_trace")
        async with Worker(
            env.client, task_queue="q", workflows=[ChangesPatched], activities=[nothing]
        ):
            await handle.signal("done")
            assert await handle.result() == "new"
            history = await handle.fetch_history()
    assert all("activity" not in step for event in history.events for step in event.commands)


async def test_code_without_patches_replays_runs_from_before_them() -> None:
    """And not those that have them."""
    async with staged("one worker", [*WORKFLOWS], ACTIVITIES) as stage:
        handle = await stage.start(Patched.run)
        await handle.result()
        history = await handle.fetch_history()
    await Replayer(workflows=[Patched]).replay_workflow(history)
    with pytest.raises(workflow.NondeterminismError):
        await Replayer(workflows=[BeforePatched]).replay_workflow(history)


def test_something_else_is_not_a_history() -> None:
    """The reason says what to pass."""
    with pytest.raises(ValueError, match="the history has no events"):
        WorkflowHistory.from_json("x", '{"records": []}')
    with pytest.raises(ValueError, match="cannot be read"):
        WorkflowHistory.from_json("x", {"events": [{"eventId": "1"}]})
    with pytest.raises(ValueError, match="At least one workflow must be specified"):
        Replayer(workflows=[])
