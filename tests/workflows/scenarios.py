"""Scenarios as data: what is done, and what observers see of it.

What is seen was seen with Temporal's development server, too, unless a row of the page "Coming from
Temporal" says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from statefun.workflows.client import (
    WithStartWorkflowOperation,
    WorkflowUpdateStage,
)
from statefun.workflows.common import (
    QueryRejectCondition,
    RetryPolicy,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from tests.workflows.programs import (
    TOKENS,
    Buffers,
    Calls,
    Cancels,
    CancelsActivity,
    CancelsEarly,
    Chance,
    Concurrent,
    Continues,
    Desk,
    Dynamic,
    Greeting,
    Initialised,
    LocalCalls,
    Memos,
    Named,
    Order,
    Parent,
    ParentThatCancels,
    ParentThatEnds,
    ParentThatHandles,
    Patched,
    Raises,
    RaisesOwn,
    Retried,
    Sleeps,
    Sum,
    Times,
)
from tests.workflows.stage import Stage, failure_of

Script = Callable[[Stage], Awaitable[Any]]


@dataclass(frozen=True)
class Scenario:
    """A scenario.

    Attributes:
        name: What happens, in a sentence.
        script: Does it, and returns what is seen.
        expected: What is seen.
        has_own_time: Whether it needs a clock that stands still while nobody waits.
    """

    name: str
    script: Script
    expected: Any
    has_own_time: bool = False


SCENARIOS: list[Scenario] = []
FAILED = ("WorkflowFailureError", "Workflow execution failed")


def scenario(name: str, expected: Any, *, has_own_time: bool = False) -> Callable[[Script], Script]:
    """Add a scenario."""

    def add(script: Script) -> Script:
        SCENARIOS.append(Scenario(name, script, expected, has_own_time))
        return script

    return add


def calls(name: str, args: list[Any], how: dict[str, Any]) -> Script:
    """A workflow that calls an activity: its result, or how it fails."""

    async def script(stage: Stage) -> Any:
        return await failure_of(stage.execute(Calls.run, name, args, how))

    return script


def activity_failed(*chain: Any, state: str = "MAXIMUM_ATTEMPTS_REACHED") -> list[Any]:
    """What is seen when an activity failed."""
    return [FAILED, ("ActivityError", "Activity task failed", state), *chain]


def activity_timed_out(kind: str, state: str, *chain: Any) -> list[Any]:
    """What is seen when an activity took too long."""
    words = {
        "START_TO_CLOSE": "StartToClose",
        "SCHEDULE_TO_CLOSE": "ScheduleToClose",
        "SCHEDULE_TO_START": "ScheduleToStart",
        "HEARTBEAT": "Heartbeat",
    }
    timeout = ("TimeoutError", f"activity {words[kind]} timeout", kind)
    return [FAILED, ("ActivityError", "Activity task timed out", state), timeout, *chain]


_NOBODY = (
    "Activity function nobody for workflow workflow-1 is not registered on this worker, "
    "available activities: attempts, beating, completed_outside, facts, failing, greet, "
    "in_thread, nothing, slow, until_cancelled, unwritable, your_add"
)
_NO_QUERY = (
    "Query handler for 'x' expected but not found, known queries: [__enhanced_stack_trace "
    "__stack_trace __temporal_workflow_metadata bad read read_from]"
)
_NO_UPDATE = (
    "Update handler for 'x' expected but not found, and there is no dynamic handler. known "
    "updates: [put put_and_end put_later]"
)
_YES = True

# --- activities and their failures ----------------------------------------------------------------

for _name, _script, _expected in (
    ("an activity takes several arguments", calls("your_add", [1, 2], {}), ("returned", 3)),
    ("an activity without a result gives None", calls("nothing", [], {}), ("returned", None)),
    (
        "an activity that is not async runs in a thread",
        calls("in_thread", ["Ada"], {}),
        ("returned", "Ada on attempt 1"),
    ),
    ("a failed attempt is followed by others", calls("attempts", [3], {}), ("returned", 3)),
    (
        "an exception is told by its text and its class",
        calls("failing", ["value"], {"once": True}),
        activity_failed(("ApplicationError", "x", "ValueError")),
    ),
    (
        "an exception without a text is an application error",
        calls("failing", ["empty"], {"once": True}),
        activity_failed(("ApplicationError", "Application error", "RuntimeError")),
    ),
    (
        "an own exception is told by its class without its module",
        calls("failing", ["own"], {"once": True}),
        activity_failed(("ApplicationError", "('m', 3)", "OwnError")),
    ),
    (
        "the causes of an exception are kept",
        calls("failing", ["from"], {"once": True}),
        activity_failed(
            ("ApplicationError", "second", "ValueError"),
            ("ApplicationError", "'first'", "KeyError"),
        ),
    ),
    (
        "what was merely being handled is dropped",
        calls("failing", ["context"], {"once": True}),
        activity_failed(("ApplicationError", "second", "ValueError")),
    ),
    (
        "an application error keeps its type and details",
        calls("failing", ["application"], {"once": True}),
        activity_failed(("ApplicationError", "m", "T", 1, {"a": [2]})),
    ),
    (
        "an error that is not retryable ends the activity",
        calls("failing", ["final"], {}),
        activity_failed(("ApplicationError", "m", "T"), state="NON_RETRYABLE_FAILURE"),
    ),
    (
        "a type of errors that is not retryable ends the activity",
        calls("failing", ["value"], {"final": ["ValueError"]}),
        activity_failed(("ApplicationError", "x", "ValueError"), state="NON_RETRYABLE_FAILURE"),
    ),
    (
        "a cancel that nobody asked for is a failure",
        calls("failing", ["cancelled"], {"once": True}),
        activity_failed(("ApplicationError", "Application error", "CancelledError")),
    ),
    (
        "a result that cannot be written fails the attempt",
        calls("unwritable", [], {"once": True}),
        activity_failed(
            (
                "ApplicationError",
                "Object of type object is not JSON serializable",
                "TypeError",
            )
        ),
    ),
    (
        "arguments that cannot be read fail the attempt",
        calls("attempts", ["one"], {"once": True}),
        activity_failed(
            ("ApplicationError", "Failed decoding arguments", None),
            (
                "ApplicationError",
                "Expected value to be int|float, was <class 'str'>",
                "TypeError",
            ),
        ),
    ),
    (
        "too few arguments fail the attempt",
        calls("your_add", [1], {"once": True}),
        activity_failed(
            (
                "ApplicationError",
                "add() missing 1 required positional argument: 'right'",
                "TypeError",
            )
        ),
    ),
    (
        "an attempt that takes too long is timed out",
        calls("slow", [30], {"once": True, "start_to_close": 0.2}),
        activity_timed_out("START_TO_CLOSE", "MAXIMUM_ATTEMPTS_REACHED"),
    ),
    (
        "a second attempt that takes too long tells of the first",
        calls("slow", [30], {"start_to_close": 0.2, "initial": 0.01, "attempts": 2}),
        activity_timed_out(
            "START_TO_CLOSE",
            "MAXIMUM_ATTEMPTS_REACHED",
            ("TimeoutError", "activity StartToClose timeout", "START_TO_CLOSE"),
        ),
    ),
    (
        "all attempts together may take too long",
        calls("slow", [30], {"start_to_close": None, "schedule_to_close": 0.3}),
        activity_timed_out("SCHEDULE_TO_CLOSE", "NON_RETRYABLE_FAILURE"),
    ),
    (
        "the next attempt may be too late",
        calls("failing", ["value"], {"schedule_to_close": 5, "initial": 10}),
        activity_failed(("ApplicationError", "x", "ValueError"), state="TIMEOUT"),
    ),
    (
        "an activity that is silent for too long is timed out",
        calls("beating", [30], {"once": True, "heartbeat": 0.2}),
        activity_timed_out("HEARTBEAT", "MAXIMUM_ATTEMPTS_REACHED"),
    ),
    (
        "the next attempt sees what the last heartbeat said",
        calls("beating", [30], {"heartbeat": 0.2}),
        ("returned", ["half", 1]),
    ),
    (
        "an attempt knows what it is",
        calls("facts", [], {}),
        (
            "returned",
            ["1", "facts", 1, False, "default", "scenarios", "Calls", True, None],
        ),
    ),
    (
        "an activity that nobody has fails the attempt",
        calls("nobody", [], {"once": True}),
        activity_failed(
            (
                "ApplicationError",
                _NOBODY,
                "NotFoundError",
            )
        ),
    ),
    (
        "an activity that no worker takes is timed out",
        calls("nothing", [], {"schedule_to_start": 60, "queue": "nobody"}),
        activity_timed_out("SCHEDULE_TO_START", "NON_RETRYABLE_FAILURE"),
    ),
    (
        "an activity that no worker takes runs out of all its time",
        calls("nothing", [], {"schedule_to_close": 60, "queue": "nobody"}),
        activity_timed_out("SCHEDULE_TO_START", "NON_RETRYABLE_FAILURE"),
    ),
):
    scenario(_name, _expected)(_script)


@scenario("a workflow calls an activity", "Hello, Ada!")
async def _greeting(stage: Stage) -> Any:
    return await stage.execute(Greeting.run, "Ada")


@scenario("a workflow has the name it was given", "your-workflow-name")
async def _named(stage: Stage) -> Any:
    return await stage.execute(Named.run)


@scenario("a workflow is started by its name", "Hello, Ada!")
async def _by_name(stage: Stage) -> Any:
    return await stage.execute("Greeting", "Ada")


@scenario("activities run side by side", 5)
async def _sum(stage: Stage) -> Any:
    return await stage.execute(Sum.run, 1, 2)


@scenario("an activity is completed from outside", "from outside", has_own_time=True)
async def _outside(stage: Stage) -> Any:
    TOKENS.queue = asyncio.Queue()
    handle = await stage.start(Calls.run, "completed_outside", [], {})
    token = await TOKENS.queue.get()
    outside = stage.client.get_async_activity_handle(task_token=token)
    await outside.heartbeat("alive")
    await outside.complete("from outside")
    return await handle.result()


@scenario(
    "an activity that is completed from outside is completed once",
    [("RPCError", "activity not found")],
    has_own_time=True,
)
async def _outside_twice(stage: Stage) -> Any:
    TOKENS.queue = asyncio.Queue()
    handle = await stage.start(Calls.run, "completed_outside", [], {})
    await TOKENS.queue.get()
    outside = stage.client.get_async_activity_handle(
        workflow_id=handle.id, run_id=handle.result_run_id, activity_id="1"
    )
    await outside.fail(ValueError("once"))
    await asyncio.sleep(0)
    return await failure_of(
        stage.client.get_async_activity_handle(
            workflow_id=handle.id, run_id=handle.result_run_id, activity_id="2"
        ).complete(1)
    )


for _name, _args, _expected in (
    ("a local activity runs in the worker", ("your_add", [1, 2], 5), ("returned", 3)),
    ("a local activity is tried again", ("attempts", [3], 5), ("returned", 3)),
    (
        "a local activity fails by its own error",
        ("failing", ["value"], 5),
        [FAILED, ("ApplicationError", "x", "ValueError")],
    ),
):

    def _local(args: tuple[Any, ...]) -> Script:
        async def script(stage: Stage) -> Any:
            return await failure_of(stage.execute(LocalCalls.run, *args))

        return script

    scenario(_name, _expected)(_local(_args))


# --- how workflows end ----------------------------------------------------------------------------

for _name, _how, _expected in (
    (
        "a workflow fails by an application error",
        "application",
        [
            FAILED,
            ("ApplicationError", "m", "T", 1),
            ("ApplicationError", "inner", "ValueError"),
        ],
    ),
    (
        "a workflow fails by a time-out of asyncio",
        "timeout",
        [FAILED, ("ApplicationError", "too late", "TimeoutError")],
    ),
    (
        "a cancel that nobody asked for fails the workflow",
        "cancelled",
        [FAILED, ("CancelledError", "Cancelled")],
    ),
):

    def _raises(how: str) -> Script:
        async def script(stage: Stage) -> Any:
            return await stage.failure(Raises.run, how)

        return script

    scenario(_name, _expected)(_raises(_how))


@scenario(
    "an exception that counts as a failure ends the workflow",
    [FAILED, ("ApplicationError", "m", "OwnError")],
)
async def _own(stage: Stage) -> Any:
    return await stage.failure(RaisesOwn.run)


@scenario(
    "a workflow runs out of its time",
    [[FAILED, ("TimeoutError", "Workflow timed out", "START_TO_CLOSE")], "TIMED_OUT"],
)
async def _timed_out(stage: Stage) -> Any:
    handle = await stage.start(Desk.run, execution_timeout=timedelta(seconds=5))
    return [await failure_of(handle.result()), await stage.status(handle)]


@scenario(
    "a workflow is terminated",
    [[FAILED, ("TerminatedError", "enough")], "TERMINATED"],
)
async def _terminated(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    await handle.terminate("detail", reason="enough")
    return [await failure_of(handle.result()), await stage.status(handle)]


@scenario(
    "a workflow that has ended takes no signal, and a cancel without a word",
    [
        [("RPCError", "workflow execution already completed")],
        ("returned", None),
        [("RPCError", "workflow execution already completed")],
        [("RPCError", "workflow not found for ID: nobody")],
        [("RPCError", "workflow not found for ID: nobody")],
        [("RPCError", "workflow not found for ID: nobody")],
    ],
)
async def _over(stage: Stage) -> Any:
    handle = await stage.start(Named.run)
    await handle.result()
    nobody = stage.client.get_workflow_handle("nobody")
    return [
        await failure_of(handle.signal("note", "x")),
        await failure_of(handle.cancel()),
        await failure_of(handle.terminate()),
        await failure_of(nobody.signal("note")),
        await failure_of(nobody.cancel()),
        await failure_of(nobody.result()),
    ]


@scenario("a workflow is started with what it was initialised with", "Ada Ada")
async def _initialised(stage: Stage) -> Any:
    return await stage.execute(Initialised.run, "Ada")


@scenario("a failed workflow is tried again", [3, "T: attempt 2"])
async def _retried(stage: Stage) -> Any:
    policy = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=5)
    return await stage.execute(Retried.run, retry_policy=policy)


@scenario(
    "the last attempt of a workflow is what is seen",
    [FAILED, ("ApplicationError", "attempt 2", "T")],
)
async def _retried_out(stage: Stage) -> Any:
    policy = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=2)
    return await stage.failure(Retried.run, retry_policy=policy)


# --- time and the loop ----------------------------------------------------------------------------


@scenario("sleeping takes the time of the workflow", _YES)
async def _sleeps(stage: Stage) -> Any:
    return 7200 <= await stage.execute(Sleeps.run, 3600.0) < 7300


@scenario(
    "what takes too long is told as asyncio tells it",
    [
        ["TimeoutError", ""],
        ["TimeoutError", ""],
        ["TimeoutError", ""],
        "ActivityError",
        "Attempting to schedule timer with negative delay",
        True,
    ],
)
async def _times(stage: Stage) -> Any:
    return await stage.execute(Times.run)


@scenario("conditions are looked at in rounds", ["w2", "w3", "w0", "w1"])
async def _order(stage: Stage) -> Any:
    return await stage.execute(Order.run)


@scenario("asyncio works as anywhere", [0, 10, 1, 11, 1, 2, 3, 1, 1])
async def _concurrent(stage: Stage) -> Any:
    return await stage.execute(Concurrent.run)


@scenario("chance is new each time it is asked", _YES)
async def _chance(stage: Stage) -> Any:
    return await stage.execute(Chance.run)


# --- messages -------------------------------------------------------------------------------------


@scenario("signals are handled in order", ["run", "a", "before b", "c", "after b"])
async def _signals(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    await handle.query(Desk.read)
    await handle.signal(Desk.note, "a")
    await handle.signal(Desk.note_later, "b")
    await handle.signal(Desk.note, "c")
    await stage.env.sleep(2)
    await handle.signal(Desk.done)
    return await handle.result()


@scenario("a signal that came with the start is handled before the main method", ["first", "run"])
async def _signal_with_start(stage: Stage) -> Any:
    handle = await stage.start(Desk.run, start_signal="note", start_signal_args=["first"])
    await handle.signal("done")
    return await handle.result()


@scenario("a start with a signal signals the workflow that runs", [["run", "x"], None])
async def _signal_with_start_again(stage: Stage) -> Any:
    first = await stage.start(Desk.run)
    await first.query(Desk.read)
    again = await stage.start(Desk.run, id=first.id, start_signal="note", start_signal_args=["x"])
    await first.signal("done")
    return [await again.result(), again.first_execution_run_id]


@scenario(
    "an application error in a handler of a signal fails the workflow",
    [FAILED, ("ApplicationError", "by a signal", "OfASignal")],
)
async def _failing_signal(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    await handle.signal(Desk.fail, "by a signal")
    return await failure_of(handle.result())


@scenario("a signal of a wrong type is dropped", ["run", "fine"])
async def _wrong_signal(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    await handle.query(Desk.read)
    await handle.signal("note", 7)
    await handle.signal("note", "fine")
    await handle.signal("done")
    return await handle.result()


@scenario("signals wait for a handler", ["a", "b"])
async def _buffered(stage: Stage) -> Any:
    handle = await stage.start(Buffers.run)
    await handle.signal("late", "a")
    await handle.signal("late", "b")
    return await handle.result()


@scenario(
    "a signal is named by its handler",
    [
        (
            "RuntimeError",
            "Signal definition not found on Desk.read, is it decorated with @workflow.signal?",
        )
    ],
)
async def _named_signal(stage: Stage) -> Any:
    return await failure_of(stage.client.get_workflow_handle("x").signal(Desk.read))


@scenario(
    "dynamic handlers take what has no handler",
    ["q of 1", "u of 0", [["s", [1, "two"]], "u"]],
)
async def _dynamic(stage: Stage) -> Any:
    handle = await stage.start(Dynamic.run)
    await handle.signal("s", args=[1, "two"])
    seen = [await handle.query("q", 1), await handle.execute_update("u")]
    return [*seen, await handle.result()]


@scenario(
    "queries are answered while it runs and once it has ended",
    [["run"], ["run", "a"], ["a"], ["run", "a"]],
)
async def _queries(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    seen = [await handle.query(Desk.read)]
    await handle.signal(Desk.note, "a")
    seen.append(await handle.query("read"))
    seen.append(await handle.query(Desk.read_from, 1))
    await handle.signal(Desk.done)
    await handle.result()
    return [*seen, await handle.query(Desk.read)]


_READ_ONLY = "While in read-only function, action attempted: "


@scenario(
    "a query that fails is told by its text",
    [
        [("WorkflowQueryFailedError", "no answer")],
        [("WorkflowQueryFailedError", f"{_READ_ONLY}random")],
        [("WorkflowQueryFailedError", f"{_READ_ONLY}start activity")],
        ("returned", "20"),
        [
            (
                "WorkflowQueryFailedError",
                _NO_QUERY,
            )
        ],
    ],
)
async def _failing_queries(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    seen = [
        await failure_of(handle.query(Desk.bad, how))
        for how in ("raise", "random", "activity", "now")
    ]
    return [*seen, await failure_of(handle.query("x"))]


@scenario(
    "a query is rejected for the status of its workflow",
    [[("WorkflowQueryRejectedError", "Query rejected, status: 2")], ("returned", ["run"])],
)
async def _rejected(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    await handle.query(Desk.read)
    await handle.signal(Desk.done)
    await handle.result()
    return [
        await failure_of(handle.query(Desk.read, reject_condition=condition))
        for condition in (
            QueryRejectCondition.NOT_OPEN,
            QueryRejectCondition.NOT_COMPLETED_CLEANLY,
        )
    ]


@scenario(
    "updates return what their handlers return, or fail as they do",
    [
        2,
        "put b",
        [
            ("WorkflowUpdateFailedError", "Workflow update failed"),
            ("ApplicationError", "refused", "ValueError"),
        ],
        [
            ("WorkflowUpdateFailedError", "Workflow update failed"),
            ("ApplicationError", "of an update", "T"),
        ],
        [
            ("WorkflowUpdateFailedError", "Workflow update failed"),
            (
                "ApplicationError",
                _NO_UPDATE,
                "RuntimeError",
            ),
        ],
        [
            ("WorkflowUpdateFailedError", "Workflow update failed"),
            ("ApplicationError", "Failed decoding arguments", "RuntimeError"),
            ("ApplicationError", "Expected value to be str, was <class 'int'>", "TypeError"),
        ],
        ["run", "a", "b"],
    ],
)
async def _updates(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    await handle.query(Desk.read)
    return [
        await handle.execute_update(Desk.put, "a"),
        await handle.execute_update(Desk.put_later, "b"),
        await failure_of(handle.execute_update(Desk.put, "bad")),
        await failure_of(handle.execute_update(Desk.put_later, "fail")),
        await failure_of(handle.execute_update("x", 1)),
        await failure_of(handle.execute_update("put", 1)),
        await handle.query(Desk.read),
    ]


@scenario(
    "an update is waited for in stages",
    [
        "put a",
        "put a",
        [
            ("WorkflowUpdateFailedError", "Workflow update failed"),
            ("ApplicationError", "refused", "ValueError"),
        ],
        [("ValueError", "ADMITTED wait stage not supported")],
    ],
)
async def _stages(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    accepted = WorkflowUpdateStage.ACCEPTED
    update = await handle.start_update(Desk.put_later, "a", wait_for_stage=accepted, id="u1")
    again = handle.get_update_handle("u1")
    seen = [await update.result(), await again.result()]
    refused = await handle.start_update(Desk.put, "bad", wait_for_stage=accepted)
    seen.append(await failure_of(refused.result()))
    admitted = WorkflowUpdateStage.ADMITTED
    update = handle.start_update(Desk.put, "a", wait_for_stage=admitted)
    return [*seen, await failure_of(update)]


@scenario("updates of one id are one", [2, 2, ["run", "a"]])
async def _same_update(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    await handle.query(Desk.read)
    return [
        await handle.execute_update(Desk.put, "a", id="u"),
        await handle.execute_update(Desk.put, "b", id="u"),
        await handle.query(Desk.read),
    ]


@scenario(
    "an update whose workflow ends fails",
    [
        ("WorkflowUpdateFailedError", "Workflow update failed"),
        (
            "ApplicationError",
            "Workflow Update failed because the Workflow completed before the Update completed.",
            "AcceptedUpdateCompletedWorkflow",
        ),
    ],
)
async def _abandoned(stage: Stage) -> Any:
    handle = await stage.start(Desk.run)
    return await failure_of(handle.execute_update(Desk.put_and_end, "x"))


@scenario(
    "an update starts its workflow unless that runs",
    [1, ["a", "run"], 3, [("WorkflowAlreadyStartedError", "Workflow execution already started")]],
)
async def _update_with_start(stage: Stage) -> Any:
    def operation(policy: WorkflowIDConflictPolicy) -> WithStartWorkflowOperation[Any, Any]:
        return WithStartWorkflowOperation(
            Desk.run, id="desk", task_queue=stage.queue, id_conflict_policy=policy
        )

    existing = WorkflowIDConflictPolicy.USE_EXISTING
    first = operation(existing)
    update = stage.client.execute_update_with_start_workflow
    seen: list[Any] = [await update(Desk.put, "a", start_workflow_operation=first)]
    handle = await first.workflow_handle()
    seen.append(await handle.query(Desk.read))
    seen.append(await update(Desk.put, "b", start_workflow_operation=operation(existing)))
    failing = operation(WorkflowIDConflictPolicy.FAIL)
    return [*seen, await failure_of(update(Desk.put, "c", start_workflow_operation=failing))]


# --- cancelling -----------------------------------------------------------------------------------

for _name, _how, _expected in (
    (
        "a workflow is cancelled",
        "raise",
        [[FAILED, ("CancelledError", "Workflow cancelled")], "CANCELED"],
    ),
    (
        "a workflow may go on though it is asked to cancel",
        "swallow",
        [("returned", "swallowed 'because'"), "COMPLETED"],
    ),
    (
        "a workflow may fail while it is cancelled",
        "other",
        [[FAILED, ("ApplicationError", "while cancelling", "T")], "FAILED"],
    ),
    (
        "a cancelled workflow may clean up",
        "cleanup",
        [[FAILED, ("CancelledError", "Workflow cancelled")], "CANCELED"],
    ),
):

    def _cancels(how: str) -> Script:
        async def script(stage: Stage) -> Any:
            handle = await stage.start(Cancels.run, how)
            await handle.cancel(reason="because")
            await handle.cancel(reason="again")
            return [await failure_of(handle.result()), await stage.status(handle)]

        return script

    scenario(_name, _expected)(_cancels(_how))

for _kind, _name in enumerate(("tried", "waited for", "abandoned")):

    def _cancels_activity(kind: int) -> Script:
        async def script(stage: Stage) -> Any:
            return await stage.execute(CancelsActivity.run, kind)

        return script

    scenario(
        f"an activity is cancelled, and that is {_name}",
        ["Activity cancelled", "CancelledError", "Cancelled"],
    )(_cancels_activity(_kind))


@scenario(
    "an activity that is cancelled before it was scheduled never runs",
    ["CancelledError", "because"],
)
async def _cancels_early(stage: Stage) -> Any:
    return await stage.execute(CancelsEarly.run)


# --- children and other workflows -----------------------------------------------------------------


@scenario("a child gives its result", "Hello, Ada!")
async def _child(stage: Stage) -> Any:
    return await stage.execute(Parent.run, "Greeting", ["Ada"])


@scenario(
    "a child that fails is the cause of its parent's failure",
    [
        FAILED,
        ("ChildWorkflowError", "Child Workflow execution failed", "RETRY_POLICY_NOT_SET"),
        ("ApplicationError", "m", "T", 1),
        ("ApplicationError", "inner", "ValueError"),
    ],
)
async def _failing_child(stage: Stage) -> Any:
    return await stage.failure(Parent.run, "Raises", ["application"])


@scenario(
    "a parent signals its child and others",
    [
        "run",
        "from the parent",
        "from outside",
        "WorkflowAlreadyStartedError",
        [
            "ExternalWorkflowExecutionNotFound",
            "Unable to signal external workflow because it was not found",
        ],
    ],
)
async def _handled_child(stage: Stage) -> Any:
    return await stage.execute(ParentThatHandles.run)


@scenario("a child is cancelled", ["Child Workflow execution cancelled", "CancelledError"])
async def _cancelled_child(stage: Stage) -> Any:
    return await stage.execute(ParentThatCancels.run, "raise")


@scenario("a child may ignore that it is cancelled", "swallowed ''")
async def _ignoring_child(stage: Stage) -> Any:
    return await stage.execute(ParentThatCancels.run, "swallow")


for _policy, _status in ((1, "TERMINATED"), (2, "RUNNING"), (3, "CANCELED")):

    def _closes(policy: int) -> Script:
        async def script(stage: Stage) -> Any:
            await stage.execute(ParentThatEnds.run, policy)
            child = stage.client.get_workflow_handle("child")
            if policy != 2:
                await failure_of(child.result())
            return await stage.status(child)

        return script

    scenario(f"a parent that ends leaves its child {_status}", _status)(_closes(_policy))


# --- runs and ids ---------------------------------------------------------------------------------


@scenario("a run continues as a new one", "0 False True {'a': 1}")
async def _continues(stage: Stage) -> Any:
    return await stage.execute(Continues.run, 2, memo={"a": 1})


@scenario(
    "a run that continues is not followed if nobody wants that",
    [("WorkflowContinuedAsNewError", "Workflow continued as new")],
)
async def _not_followed(stage: Stage) -> Any:
    handle = await stage.start(Continues.run, 1)
    return await failure_of(handle.result(follow_runs=False))


_TAKEN = [("WorkflowAlreadyStartedError", "Workflow execution already started")]


@scenario("an id is taken while its workflow runs", [_TAKEN, True, True])
async def _taken(stage: Stage) -> Any:
    first = await stage.start(Desk.run)
    seen: list[Any] = [await failure_of(stage.start(Desk.run, id=first.id))]
    use = await stage.start(
        Desk.run, id=first.id, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
    )
    seen.append(use.result_run_id == first.result_run_id)
    new = await stage.start(
        Desk.run, id=first.id, id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING
    )
    return [*seen, new.result_run_id != first.result_run_id]


@scenario(
    "a workflow is terminated for another one",
    [FAILED, ("TerminatedError", "TerminateIfRunning WorkflowIdReusePolicy")],
)
async def _replaced(stage: Stage) -> Any:
    first = await stage.start(Desk.run)
    reuse = WorkflowIDReusePolicy.TERMINATE_IF_RUNNING
    await stage.start(Desk.run, id=first.id, id_reuse_policy=reuse)
    return await failure_of(first.result())


@scenario("an id is used again as its policy says", ["ok", _TAKEN, _TAKEN, "ok"])
async def _reused(stage: Stage) -> Any:
    seen: list[Any] = []
    await stage.execute(Named.run, id="again")
    for policy in (
        WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        WorkflowIDReusePolicy.REJECT_DUPLICATE,
        WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    ):
        tried = await failure_of(stage.execute(Named.run, id="again", id_reuse_policy=policy))
        seen.append("ok" if tried[0] == "returned" else tried)
    await stage.failure(Raises.run, "application", id="again")
    tried = await failure_of(
        stage.execute(
            Named.run,
            id="again",
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        )
    )
    return [*seen, "ok" if tried[0] == "returned" else tried]


@scenario(
    "a start that makes no sense is refused",
    [
        [("RPCError", "WorkflowId is not set on request.")],
        [("RPCError", "WorkflowId length exceeds limit.")],
        [("RPCError", "missing task queue name")],
        [("RPCError", "invalid CronSchedule.")],
        [("ValueError", "Maximum attempts cannot be negative")],
    ],
)
async def _refused(stage: Stage) -> Any:
    return [
        await failure_of(stage.start(Named.run, **options))
        for options in (
            {"id": ""},
            {"id": "x" * 1001},
            {"task_queue": ""},
            {"cron_schedule": "nonsense"},
            {"retry_policy": RetryPolicy(maximum_attempts=-1)},
        )
    ]


@scenario("a start may wait", [1, True, "your-workflow-name"])
async def _delayed(stage: Stage) -> Any:
    before = await stage.env.get_current_time()
    handle = await stage.start(Named.run, start_delay=timedelta(hours=1))
    described = await handle.describe()
    result = await handle.result()
    waited = (await stage.env.get_current_time()) - before
    return [described.status, waited >= timedelta(hours=1), result]


@scenario(
    "a workflow is described",
    ["workflow-1", "Memos", "scenarios", "default", 1, {"a": 1, "b": 2}, "short"],
)
async def _described(stage: Stage) -> Any:
    with stage.env.auto_time_skipping_disabled():
        handle = await stage.start(
            Memos.run,
            memo={"a": 1, "b": 2},
            static_summary="short",
            start_delay=timedelta(hours=1),  # before it changes its memo
        )
        described = await handle.describe()
    return [
        described.id,
        described.workflow_type,
        described.task_queue,
        described.namespace,
        described.status,
        await described.memo(),
        await described.static_summary(),
    ]


@scenario(
    "a memo is read and changed",
    [
        [
            {"a": 1, "b": 2},
            {"b": 2, "c": 3},
            2,
            "'Memo does not have a value for key x'",
        ],
        {"b": 2, "c": 3},
    ],
)
async def _memo(stage: Stage) -> Any:
    handle = await stage.start(Memos.run, memo={"a": 1, "b": 2})
    result = await handle.result()
    return [result, dict(await (await handle.describe()).memo())]


@scenario("a new run has every patch", [True, True, True, True])
async def _patched(stage: Stage) -> Any:
    return await stage.execute(Patched.run)
