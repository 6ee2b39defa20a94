"""An attempt of an activity: it runs in a task, a thread or a process, within its time-outs.

Law: an attempt has one ending, whatever happens to it: a result, a failure, a time-out, a cancel,
or that it is completed from outside.
"""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from statefun.workflows import _proto
from statefun.workflows.activity import (
    CONTEXT,
    ActivityCancellationDetails,
    ActivityContext,
    CompleteAsyncError,
    Flag,
    Info,
)
from statefun.workflows.activity_turn import NOT_REGISTERED, Attempt, timed_out
from statefun.workflows.common import Priority, RawValue
from statefun.workflows.exceptions import ApplicationError, CancelledError, TimeoutType
from statefun.workflows.interceptors import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
)
from statefun.workflows.logs import logger
from statefun.workflows.retrying import policy_of
from statefun.workflows.sizes import check_size
from statefun.workflows.spans import span
from statefun.workflows.threads import CancellableThread, in_process, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from statefun.workflows.client import Client
    from statefun.workflows.converter import DataConverter
    from statefun.workflows.definitions import ActivityDefinition
    from statefun.workflows.interceptors import Interceptor

__all__ = ["ActivitySurroundings", "RunningAttempt"]


@dataclass(frozen=True)
class ActivitySurroundings:
    """What all attempts of a worker share.

    Attributes:
        definitions: Name → activity; None for a dynamic one.
        converter: How values travel.
        executor: Where activities run that are not async.
        interceptors: What is put around them.
        now_ms: The time.
        slots: Bounds how many run at a time.
        client: The client of the worker, for activities.
        shutdown: Whether the worker stops.
    """

    definitions: Mapping[str | None, ActivityDefinition]
    converter: DataConverter
    executor: Executor | None
    interceptors: Sequence[Interceptor]
    now_ms: Callable[[], int]
    slots: asyncio.Semaphore
    client: Client | None
    shutdown: Flag


class RunningAttempt:
    """An attempt that has begun.

    Args:
        around: What it shares with the others.
        attempt: What is to be done.
        is_local: Whether it is one of a local activity.

    Attributes:
        task: Ends with its ending.
        heartbeat: The details of its last heartbeat; None if there was none.
    """

    def __init__(self, around: ActivitySurroundings, attempt: Attempt, *, is_local: bool) -> None:
        self._around = around
        self._attempt = attempt
        self._is_local = is_local
        self._context = ActivityContext(
            info=_no_info,
            heartbeat=_no_heartbeat,
            payload_converter=around.converter.payload_converter,
            worker_shutdown=around.shutdown,
        )
        self._is_cancel_wanted = False
        self._has_heartbeat = asyncio.Event()
        self._body: asyncio.Future[Any] | None = None
        self.thread: CancellableThread | None = None
        self.heartbeat: _proto.Payloads | None = None
        self.task = asyncio.get_running_loop().create_task(self._run())

    # --- cancelling -------------------------------------------------------------------------------

    def want_cancel(self) -> None:
        """The workflow has cancelled it: it learns of that with a heartbeat."""
        self._is_cancel_wanted = True
        if self.heartbeat is not None:
            self._learn_of_cancel()

    def _learn_of_cancel(self) -> None:
        if not self._context.cancelled.is_set:
            self.cancel(ActivityCancellationDetails(cancel_requested=True))

    def cancel(self, details: ActivityCancellationDetails) -> None:
        """Cancel it now.

        Args:
            details: Why.
        """
        context = self._context
        if context.details is None:
            context.details = details
        context.cancelled.set()
        if self.thread is not None:
            self.thread.cancel()
        elif self._body is not None:
            self._body.cancel()

    # --- its course -------------------------------------------------------------------------------

    async def _run(self) -> _proto.Ending:
        kind = await self._wait_for_slot()
        if kind is not None:
            return _proto.Ending(failure=timed_out(kind))
        try:
            return await self._run_in_slot()
        finally:
            self._around.slots.release()

    async def _wait_for_slot(self) -> TimeoutType | None:
        """Wait until it may begin; the time-out that runs out before, if one does."""
        attempt = self._attempt
        limits = [(attempt.task.schedule_to_start_ms, TimeoutType.SCHEDULE_TO_START)]
        if attempt.limit_kind == TimeoutType.SCHEDULE_TO_CLOSE:
            limits.append((attempt.limit_ms, TimeoutType.SCHEDULE_TO_CLOSE))
        limit_ms, kind = min((each for each in limits if each[0]), default=(None, None))
        try:
            async with asyncio.timeout(None if limit_ms is None else limit_ms / 1000):
                await self._around.slots.acquire()
        except TimeoutError:
            return kind
        return None

    async def _run_in_slot(self) -> _proto.Ending:
        try:
            definition, args = await self._opened()
            info = await self._info()
        except Exception as error:  # noqa: BLE001 - it is how the attempt failed
            return await self._failed(error)
        body = self._body = asyncio.ensure_future(self._execute(definition, args, info))
        watching = asyncio.ensure_future(self._watch())
        try:
            await asyncio.wait([body, watching], return_when=asyncio.FIRST_COMPLETED)
            if not body.done():
                kind = watching.result()
                self.cancel(ActivityCancellationDetails(timed_out=True))
                if definition.is_async:
                    await asyncio.wait([body], timeout=1)
                body.add_done_callback(_forget)
                return _proto.Ending(failure=timed_out(kind))
        finally:
            watching.cancel()
        return await self._ending(body)

    async def _opened(self) -> tuple[ActivityDefinition, list[Any]]:
        attempt = self._attempt
        name = attempt.task.activity_type
        definition = self._around.definitions.get(name) or self._around.definitions.get(None)
        if definition is None:
            known = ", ".join(sorted(each for each in self._around.definitions if each is not None))
            raise ApplicationError(
                f"Activity function {name} for workflow {attempt.task.workflow_id} is not "
                f"registered on this worker, available activities: {known}",
                type=NOT_REGISTERED,
            )
        payloads = list(attempt.task.arguments.payloads)
        try:
            if definition.name is None:
                plain = await self._around.converter.decoded(payloads)
                return definition, [[RawValue(each) for each in plain]]
            hints = definition.hints.of(len(payloads))
            return definition, await self._around.converter.decode(payloads, hints)
        except Exception as error:
            raise ApplicationError("Failed decoding arguments") from error

    async def _info(self) -> Info:
        attempt, task = self._attempt, self._attempt.task
        details = await self._around.converter.decode(list(attempt.heartbeat.payloads))
        start_to_close = task.start_to_close_ms or task.schedule_to_close_ms
        return Info(
            activity_id=task.activity_id,
            activity_type=task.activity_type,
            attempt=attempt.number,
            current_attempt_scheduled_time=_time(attempt.scheduled_ms),
            heartbeat_details=details,
            heartbeat_timeout=span(task.heartbeat_ms),
            is_local=self._is_local,
            namespace=task.namespace,
            schedule_to_close_timeout=span(task.schedule_to_close_ms),
            scheduled_time=_time(task.scheduled_ms),
            start_to_close_timeout=span(start_to_close),
            started_time=_time(self._around.now_ms()),
            task_queue=task.task_queue,
            task_token=f"{task.task_queue}\0{attempt.target_id}".encode(),
            workflow_id=task.workflow_id,
            workflow_namespace=task.namespace,
            workflow_run_id=task.run_id,
            workflow_type=task.workflow_type,
            priority=Priority(priority_key=task.priority_key or None),
            retry_policy=policy_of(task.retry_policy),
        )

    async def _execute(
        self, definition: ActivityDefinition, args: Sequence[Any], info: Info
    ) -> Any:
        around, context = self._around, self._context
        outbound = _Outbound(info, self._beats())
        inbound: ActivityInboundInterceptor = _Inbound(self, definition, context)
        for each in reversed(around.interceptors):
            inbound = each.intercept_activity(inbound)
        inbound.init(outbound)
        context.info = (context.outbound or outbound).info
        context.heartbeat = (context.outbound or outbound).heartbeat
        if definition.is_async:
            context.client = around.client
        CONTEXT.set(context)
        given = ExecuteActivityInput(
            definition.function,
            args,
            None if definition.is_async else around.executor,
            dict(self._attempt.task.headers),
        )
        return await inbound.execute_activity(given)

    def _beats(self) -> Callable[..., None]:
        """What a heartbeat calls, from whichever thread."""
        loop = asyncio.get_running_loop()

        def beat(*details: Any) -> None:
            payloads = self._around.converter.payload_converter.to_payloads(details)
            try:
                is_here = asyncio.get_running_loop() is loop
            except RuntimeError:
                is_here = False
            if is_here:
                self._heard(payloads)
            else:
                loop.call_soon_threadsafe(self._heard, payloads)

        return beat

    def _heard(self, payloads: Sequence[_proto.Payload]) -> None:
        self.heartbeat = _proto.Payloads(payloads=payloads)
        self._has_heartbeat.set()
        if self._is_cancel_wanted:
            self._learn_of_cancel()

    async def _watch(self) -> int:
        """Wait until a time-out runs out; which."""
        attempt, loop = self._attempt, asyncio.get_running_loop()
        ends = loop.time() + attempt.limit_ms / 1000 if attempt.limit_ms else None
        silence = attempt.task.heartbeat_ms / 1000
        while True:
            self._has_heartbeat.clear()
            left = None if ends is None else ends - loop.time()
            waits = [each for each in (left, silence or None) if each is not None]
            try:
                async with asyncio.timeout(min(waits) if waits else None):
                    await self._has_heartbeat.wait()
            except TimeoutError:
                if ends is not None and loop.time() >= ends:
                    return attempt.limit_kind
                return 4

    # --- how it ends ------------------------------------------------------------------------------

    async def _ending(self, body: asyncio.Future[Any]) -> _proto.Ending:
        details = self._context.details
        try:
            result = body.result()
        except CompleteAsyncError:
            return _proto.Ending(completes_later=True)
        except asyncio.CancelledError:
            return await self._cancelled(CancelledError("Cancelled"), details)
        except CancelledError as error:
            return await self._cancelled(error, details)
        except Exception as error:  # noqa: BLE001 - it is how the attempt failed
            return await self._failed(error)
        return await self._succeeded(result)

    async def _succeeded(self, result: Any) -> _proto.Ending:
        try:
            payloads = await self._around.converter.encode([result])
            check_size("the result", payloads)
        except Exception as error:  # noqa: BLE001 - it is how the attempt failed
            return await self._failed(error)
        return _proto.Ending(result=_proto.Payloads(payloads=payloads))

    async def _cancelled(
        self, error: CancelledError, details: ActivityCancellationDetails | None
    ) -> _proto.Ending:
        if details is not None and details.cancel_requested:
            ending = _proto.Ending()
            await self._around.converter.encode_failure(error, ending.canceled)
            return ending
        if details is not None and details.worker_shutdown:
            return await self._failed(
                ApplicationError(
                    "Worker is shutting down and this activity did not complete in time",
                    type="WorkerShutdown",
                )
            )
        return await self._failed(ApplicationError("Application error", type="CancelledError"))

    async def _failed(self, error: BaseException) -> _proto.Ending:
        ending = _proto.Ending()
        try:
            await self._around.converter.encode_failure(error, ending.failure)
        except Exception as second:  # noqa: BLE001 - its details cannot be converted
            logger.exception("a failure of an activity cannot be converted")
            ending = _proto.Ending()
            await self._around.converter.encode_failure(
                ApplicationError(f"Failed building exception result: {second}"), ending.failure
            )
        return ending


class _Inbound(ActivityInboundInterceptor):
    """The last of the inbound interceptors: calls the function."""

    def __init__(
        self, running: RunningAttempt, definition: ActivityDefinition, context: ActivityContext
    ) -> None:
        self._running = running
        self._definition = definition
        self._context = context

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._context.outbound = outbound

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        if self._definition.is_async:
            return await input.fn(*input.args)
        loop = asyncio.get_running_loop()
        if isinstance(input.executor, ProcessPoolExecutor):
            return await loop.run_in_executor(
                input.executor, in_process, self._context.info(), input.fn, input.args
            )
        thread = None if self._definition.no_thread_cancel_exception else CancellableThread()
        if thread is not None:
            self._context.shield = thread.shield
            self._running.thread = thread
        copied = contextvars.copy_context()
        return await loop.run_in_executor(
            input.executor, copied.run, in_thread, thread, input.fn, input.args
        )


class _Outbound(ActivityOutboundInterceptor):
    """The last of the outbound interceptors."""

    def __init__(self, info: Info, heartbeat: Callable[..., None]) -> None:
        self._info = info
        self._heartbeat = heartbeat

    def info(self) -> Info:
        return self._info

    def heartbeat(self, *details: Any) -> None:
        self._heartbeat(*details)


def _no_info() -> Info:
    raise RuntimeError("the attempt has not begun")


def _no_heartbeat(*_: Any) -> None:
    raise RuntimeError("the attempt has not begun")


def _forget(body: asyncio.Future[Any]) -> None:
    """Nobody wants to know any more how it ends."""
    if not body.cancelled():
        body.exception()


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
