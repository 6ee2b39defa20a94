"""The workflows and activities of the scenarios."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence  # noqa: TC003 - types are read when it runs
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from statefun.workflows import activity, workflow
from statefun.workflows.common import (
    RawValue,
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
)
from statefun.workflows.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
)

SECOND = timedelta(seconds=1)
ONCE = RetryPolicy(maximum_attempts=1)
QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=10), maximum_attempts=3)


@dataclass
class Params:
    """The parameters of a greeting."""

    greeting: str
    name: str


class OwnError(Exception):
    """An error of the program itself."""


# --- activities -----------------------------------------------------------------------------------


@activity.defn
async def greet(params: Params) -> str:
    return f"{params.greeting}, {params.name}!"


@activity.defn(name="your_add")
async def add(left: int, right: int) -> int:
    return left + right


@activity.defn
async def nothing() -> None:
    pass


@activity.defn
def in_thread(name: str) -> str:
    return f"{name} on attempt {activity.info().attempt}"


@activity.defn
async def attempts(limit: int) -> int:
    if activity.info().attempt < limit:
        raise ValueError("not yet")
    return activity.info().attempt


@activity.defn
async def failing(how: str) -> str:  # noqa: C901 - one case after another
    match how:
        case "value":
            raise ValueError("x")
        case "empty":
            raise RuntimeError
        case "own":
            raise OwnError("m", 3)
        case "from":
            try:
                raise KeyError("first")  # noqa: TRY301 - it is what is told
            except KeyError as error:
                raise ValueError("second") from error
        case "context":
            try:
                raise KeyError("first")  # noqa: TRY301 - it is what is told
            except KeyError:
                raise ValueError("second")  # noqa: B904 - an implicit context is meant
        case "application":
            raise ApplicationError("m", 1, {"a": [2]}, type="T")
        case "final":
            raise ApplicationError("m", type="T", non_retryable=True)
        case "cancelled":
            raise asyncio.CancelledError
        case _:
            return how


@activity.defn
async def unwritable() -> Any:
    return object()


@activity.defn
async def slow(length: float) -> str:
    await asyncio.sleep(length)
    return "slept"


@activity.defn
async def beating(length: float) -> list[Any]:
    details = list(activity.info().heartbeat_details)
    if activity.info().attempt == 1:
        activity.heartbeat("half", 1)
        await asyncio.sleep(length)
    return details


@activity.defn
async def until_cancelled() -> str:
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        if activity.is_cancelled():
            raise
        return "not asked"


@activity.defn
async def facts() -> list[Any]:
    info = activity.info()
    return [
        info.activity_id,
        info.activity_type,
        info.attempt,
        info.is_local,
        info.namespace,
        info.task_queue,
        info.workflow_type,
        info.start_to_close_timeout == timedelta(seconds=7),
        info.schedule_to_close_timeout,
    ]


class Tokens:
    """The tokens of activities that are completed from outside."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()


TOKENS = Tokens()


@activity.defn
async def completed_outside() -> str:
    TOKENS.queue.put_nowait(activity.info().task_token)
    activity.raise_complete_async()


@activity.defn(dynamic=True)
async def any_activity(args: Sequence[RawValue]) -> str:
    converter = activity.payload_converter()
    values = [converter.from_payload(each.payload) for each in args]
    return f"{activity.info().activity_type} got {values}"


ACTIVITIES: list[Callable[..., Any]] = [
    *(greet, add, nothing, in_thread, attempts, failing, unwritable, slow, beating),
    *(until_cancelled, facts, completed_outside),
]


# --- workflows ------------------------------------------------------------------------------------


@workflow.defn
class Greeting:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(
            greet, Params("Hello", name), start_to_close_timeout=timedelta(seconds=10)
        )


@workflow.defn(name="your-workflow-name")
class Named:
    @workflow.run
    async def run(self) -> str:
        return workflow.info().workflow_type


@workflow.defn
class Sum:
    @workflow.run
    async def run(self, left: int, right: int) -> int:
        first = workflow.start_activity(add, args=[left, right], start_to_close_timeout=SECOND)
        second = workflow.start_activity("your_add", args=[1, 1], start_to_close_timeout=SECOND)
        total: int = await first + await second
        return total


@workflow.defn
class Calls:
    """Calls an activity as it is told."""

    @workflow.run
    async def run(self, name: str, args: list[Any], how: dict[str, Any]) -> Any:
        policy = ONCE if how.get("once") else QUICK
        if "final" in how:
            policy = RetryPolicy(non_retryable_error_types=how["final"])
        if "initial" in how:
            policy = RetryPolicy(
                initial_interval=timedelta(seconds=how["initial"]),
                maximum_attempts=how.get("attempts", 0),
            )

        def span(key: str, default: float | None) -> timedelta | None:
            value = how.get(key, default)
            return None if value is None else timedelta(seconds=value)

        return await workflow.execute_activity(
            name,
            args=args,
            start_to_close_timeout=span("start_to_close", 7),
            schedule_to_close_timeout=span("schedule_to_close", None),
            schedule_to_start_timeout=span("schedule_to_start", None),
            heartbeat_timeout=span("heartbeat", None),
            retry_policy=policy,
            task_queue=how.get("queue"),
        )


@workflow.defn
class LocalCalls:
    """Calls a local activity as it is told."""

    @workflow.run
    async def run(self, name: str, args: list[Any], start_to_close: float) -> Any:
        return await workflow.execute_local_activity(
            name,
            args=args,
            start_to_close_timeout=timedelta(seconds=start_to_close),
            retry_policy=QUICK,
        )


@workflow.defn
class Raises:
    @workflow.run
    async def run(self, how: str) -> str:
        match how:
            case "application":
                raise ApplicationError("m", 1, type="T") from ValueError("inner")
            case "timeout":
                raise TimeoutError("too late")
            case "cancelled":
                raise asyncio.CancelledError
        return how


@workflow.defn(failure_exception_types=[OwnError])
class RaisesOwn:
    @workflow.run
    async def run(self) -> None:
        raise OwnError("m")


@workflow.defn
class Sleeps:
    @workflow.run
    async def run(self, length: float) -> float:
        before = workflow.now()
        await workflow.sleep(length)
        await asyncio.sleep(length)
        return (workflow.now() - before).total_seconds()


@workflow.defn
class Times:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []
        for wait in (
            lambda: asyncio.wait_for(asyncio.Event().wait(), 5),
            lambda: workflow.wait_condition(lambda: False, timeout=timedelta(seconds=5)),
            lambda: workflow.wait_condition(lambda: False, timeout=0),
        ):
            try:
                await wait()
            except TimeoutError as error:
                seen.append(["TimeoutError", str(error)])
        try:
            async with asyncio.timeout(5):
                await workflow.execute_activity(slow, 60, start_to_close_timeout=2 * 60 * SECOND)
        except (ActivityError, TimeoutError) as error:
            seen.append(type(error).__name__)
        try:
            await workflow.sleep(-1)
        except RuntimeError as error:
            seen.append(str(error))
        seen.append(workflow.time() == time.time())
        return seen


@workflow.defn
class Desk:
    """Handles messages until it is told to stop."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.is_done = False

    @workflow.run
    async def run(self) -> list[Any]:
        self.seen.append("run")
        await workflow.wait_condition(lambda: self.is_done)
        return self.seen

    @workflow.signal
    def note(self, what: str) -> None:
        self.seen.append(what)

    @workflow.signal
    async def note_later(self, what: str) -> None:
        self.seen.append(f"before {what}")
        await workflow.sleep(1)
        self.seen.append(f"after {what}")

    @workflow.signal
    def done(self) -> None:
        self.is_done = True

    @workflow.signal
    def fail(self, message: str) -> None:
        raise ApplicationError(message, type="OfASignal")

    @workflow.query
    def read(self) -> list[Any]:
        return self.seen

    @workflow.query
    def read_from(self, position: int) -> list[Any]:
        return self.seen[position:]

    @workflow.query
    def bad(self, how: str) -> Any:
        match how:
            case "raise":
                raise ValueError("no answer")
            case "random":
                return workflow.random().random()
            case "activity":
                workflow.start_activity(nothing, start_to_close_timeout=SECOND)
        return workflow.now().isoformat()[:2]

    @workflow.update
    def put(self, what: str) -> int:
        self.seen.append(what)
        return len(self.seen)

    @put.validator
    def check(self, what: str) -> None:
        if what == "bad":
            raise ValueError("refused")

    @workflow.update
    async def put_later(self, what: str) -> str:
        await workflow.sleep(1)
        if what == "fail":
            raise ApplicationError("of an update", type="T")
        self.seen.append(what)
        return f"put {what}"

    @workflow.update
    async def put_and_end(self, what: str) -> str:
        self.is_done = True
        await workflow.sleep(60)
        return what


@workflow.defn
class Order:
    """Four waiters, woken one by another."""

    def __init__(self) -> None:
        self.counter = 0
        self.woken: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        tasks = [
            asyncio.create_task(self.waiter(f"w{index}", needed))
            for index, needed in enumerate((3, 2, 1, 1))
        ]
        await asyncio.sleep(0)
        self.counter = 1
        await asyncio.gather(*tasks)
        return self.woken

    async def waiter(self, name: str, needed: int) -> None:
        await workflow.wait_condition(lambda: self.counter >= needed)
        self.woken.append(name)
        self.counter += 1


@workflow.defn
class Dynamic:
    """Takes whatever comes."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @workflow.run
    async def run(self) -> list[Any]:
        await workflow.wait_condition(lambda: len(self.seen) >= 2)
        workflow.set_signal_handler("late", lambda what: self.seen.append(f"late {what}"))
        return self.seen

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        values = [workflow.payload_converter().from_payload(each.payload) for each in args]
        self.seen.append([name, values])

    @workflow.query(dynamic=True)
    def any_query(self, name: str, args: Sequence[RawValue]) -> str:
        return f"{name} of {len(args)}"

    @workflow.update(dynamic=True)
    def any_update(self, name: str, args: Sequence[RawValue]) -> str:
        self.seen.append(name)
        return f"{name} of {len(args)}"


@workflow.defn
class Buffers:
    """Sets a handler late; signals wait for it."""

    @workflow.run
    async def run(self) -> list[str]:
        seen: list[str] = []
        await workflow.sleep(10)
        workflow.set_signal_handler("late", seen.append)
        await workflow.wait_condition(lambda: len(seen) == 2)
        return seen


@workflow.defn
class Cancels:
    @workflow.run
    async def run(self, how: str) -> str:
        try:
            await workflow.sleep(3600)
        except asyncio.CancelledError:
            if how == "swallow":
                return f"swallowed {workflow.cancellation_reason()!r}"
            if how == "other":
                raise ApplicationError("while cancelling", type="T") from None
            if how == "cleanup":
                await workflow.execute_activity(nothing, start_to_close_timeout=SECOND)
            raise
        return "slept"


@workflow.defn
class CancelsActivity:
    @workflow.run
    async def run(self, kind: int) -> Any:
        handle = workflow.start_activity(
            until_cancelled,
            start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=5),
            cancellation_type=workflow.ActivityCancellationType(kind),
        )
        await asyncio.sleep(0.2)
        handle.cancel()
        try:
            return await handle
        except ActivityError as error:
            return [str(error), type(error.cause).__name__, str(error.cause)]


@workflow.defn
class CancelsEarly:
    @workflow.run
    async def run(self) -> list[str]:
        handle = workflow.start_activity(nothing, start_to_close_timeout=SECOND)
        handle.cancel("because")
        try:
            await handle
        except asyncio.CancelledError as error:
            return [type(error).__name__, str(error)]
        return ["ran"]


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, child: str, args: list[Any]) -> Any:
        return await workflow.execute_child_workflow(child, args=args, id="child")


@workflow.defn
class ParentThatHandles:
    @workflow.run
    async def run(self) -> list[Any]:
        handle = await workflow.start_child_workflow(Desk.run, id="desk")
        await handle.signal(Desk.note, "from the parent")
        other = workflow.get_external_workflow_handle("desk")
        await other.signal("note", "from outside")
        try:
            await workflow.start_child_workflow(Desk.run, id="desk")
        except FailureError as error:
            await handle.signal("note", type(error).__name__)
        await handle.signal(Desk.done)
        result: list[Any] = await handle
        try:
            await workflow.get_external_workflow_handle("nobody").signal("note", 1)
        except ApplicationError as error:
            result.append([error.type, error.message])
        return result


@workflow.defn
class ParentThatCancels:
    @workflow.run
    async def run(self, how: str) -> Any:
        handle = await workflow.start_child_workflow(Cancels.run, how, id="child")
        await asyncio.sleep(1)
        handle.cancel()
        try:
            return await handle
        except ChildWorkflowError as error:
            return [str(error), type(error.cause).__name__]


@workflow.defn
class ParentThatEnds:
    @workflow.run
    async def run(self, policy: int) -> str:
        await workflow.start_child_workflow(
            Cancels.run,
            "raise",
            id="child",
            parent_close_policy=workflow.ParentClosePolicy(policy),
        )
        return "ended"


@workflow.defn
class Continues:
    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            try:
                workflow.continue_as_new(left - 1)
            except Exception:  # noqa: BLE001 - that it does not catch it is the point
                return "caught"
        info = workflow.info()
        is_first = info.first_execution_run_id == info.run_id
        return f"{left} {is_first} {info.continued_run_id is not None} {workflow.memo()}"


@workflow.defn
class Retried:
    @workflow.run
    async def run(self) -> list[Any]:
        attempt = workflow.info().attempt
        if attempt < 3:
            raise ApplicationError(f"attempt {attempt}", type="T")
        return [attempt, str(workflow.get_last_failure())]


@workflow.defn
class Patched:
    @workflow.run
    async def run(self) -> list[bool]:
        seen = [workflow.patched("one")]
        await workflow.sleep(1)
        seen.append(workflow.patched("one"))
        seen.append(workflow.patched("two"))
        workflow.deprecate_patch("three")
        await workflow.sleep(1)
        seen.append(workflow.patched("two"))
        return seen


@workflow.defn
class Memos:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = [dict(workflow.memo())]
        workflow.upsert_memo({"a": None, "c": 3})
        await workflow.sleep(1)
        seen.append(dict(workflow.memo()))
        seen.append(workflow.memo_value("b", type_hint=int))
        try:
            workflow.memo_value("x")
        except KeyError as error:
            seen.append(str(error))
        return seen


@workflow.defn
class Initialised:
    @workflow.init
    def __init__(self, name: str) -> None:
        self.name = name

    @workflow.run
    async def run(self, name: str) -> str:
        return f"{self.name} {name}"


@workflow.defn
class Concurrent:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []
        queue: asyncio.Queue[int] = asyncio.Queue()
        lock = asyncio.Lock()

        async def produce(start: int) -> None:
            for each in range(start, start + 2):
                async with lock:
                    await asyncio.sleep(0.5)
                    queue.put_nowait(each)

        async with asyncio.TaskGroup() as group:
            group.create_task(produce(0))
            group.create_task(produce(10))
        while not queue.empty():
            seen.append(queue.get_nowait())
        tasks = [asyncio.create_task(asyncio.sleep(delay, delay)) for delay in (3, 1, 2)]
        seen.extend([await each for each in workflow.as_completed(tasks)])
        done, pending = await workflow.wait(
            [asyncio.create_task(asyncio.sleep(each)) for each in (5, 1)],
            return_when=asyncio.FIRST_COMPLETED,
        )
        return [*seen, len(done), len(pending)]


@workflow.defn
class Chance:
    @workflow.run
    async def run(self) -> bool:
        first = [workflow.random().random(), str(workflow.uuid4())]
        await workflow.sleep(1)
        second = [workflow.random().random(), str(workflow.uuid4())]
        return first != second


@workflow.defn(dynamic=True)
class AnyWorkflow:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        values = [workflow.payload_converter().from_payload(each.payload) for each in args]
        return f"{workflow.info().workflow_type} got {values}"


@workflow.defn
class Attributes:
    @workflow.run
    async def run(self, how: str) -> Any:
        before = _attributes()
        match how:
            case "change":
                workflow.upsert_search_attributes(
                    [
                        SearchAttributeKey.for_keyword("Customer").value_set("new"),
                        SearchAttributeKey.for_int("Amount").value_unset(),
                    ]
                )
            case "change as lists":
                workflow.upsert_search_attributes({"Customer": ["new"], "Amount": []})
            case "continue":
                workflow.continue_as_new("stay")
            case "have a child":
                pair = SearchAttributePair(SearchAttributeKey.for_keyword("Customer"), "kid")
                return await workflow.execute_child_workflow(
                    Attributes.run,
                    "stay",
                    id="child",
                    search_attributes=TypedSearchAttributes([pair]),
                )
        return [before, _attributes()]


def _attributes() -> Any:
    info = workflow.info()
    typed = [[pair.key.name, pair.value] for pair in info.typed_search_attributes]
    return [dict(info.search_attributes), typed]


SEEN: list[Any] = []
"""What the runs of a cron expression have seen."""


@workflow.defn
class Cron:
    @workflow.run
    async def run(self) -> int:
        last = None
        if workflow.has_last_completion_result():
            last = workflow.get_last_completion_result(int)
        failure = workflow.get_last_failure()
        info = workflow.info()
        if not workflow.unsafe.is_replaying():
            text = str(getattr(failure, "message", "none"))
            SEEN.append([info.attempt, info.continued_run_id is not None, last, text])
        if last is None and failure is None:
            raise ApplicationError("first")
        return (last or 0) + 1


WORKFLOWS: list[type[Any]] = [
    *(Greeting, Named, Sum, Calls, LocalCalls, Raises, RaisesOwn, Sleeps, Times, Desk, Order),
    *(Dynamic, Buffers, Cancels, CancelsActivity, CancelsEarly, Parent, ParentThatHandles),
    *(ParentThatCancels, ParentThatEnds, Continues, Retried, Patched, Memos, Initialised),
    *(Concurrent, Chance, Attributes, Cron),
]
