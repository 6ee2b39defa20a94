"""The runner of activities: attempts in tasks, threads and processes, with their time-outs.

Law: an attempt that has begun goes on while turns come and go, until it ends or this process does.
A turn waits for it for a while, and finds it again by the id of its address.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from statefun.workflows.activity_turn import Attempt, timed_out
from statefun.workflows.common import Priority, RawValue
from statefun.workflows.exceptions import (
    ApplicationError,
    CancelledError,
)
from statefun.workflows.interceptors import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
)
from statefun.workflows.logs import logger
from statefun.workflows.retrying import policy_of
from statefun.workflows.sizes import check_size
from statefun.workflows.spans import span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from statefun.workflows.client import Client
    from statefun.workflows.converter import DataConverter
    from statefun.workflows.definitions import ActivityDefinition
    from statefun.workflows.interceptors import Interceptor

__all__ = ["ActivityRunner"]


@dataclass(eq=False)
class _Running:
    """An attempt that has begun."""

    task: asyncio.Task[_proto.Ending]
    context: ActivityContext
    heartbeats: bool = False
    is_cancel_wanted: bool = False
    has_heartbeat: asyncio.Event = field(default_factory=asyncio.Event)
    heartbeat: _proto.Payloads | None = None
    body: asyncio.Future[Any] | None = None
    thread: _CancellableThread | None = None


class _CancellableThread:
    """A thread in which an exception can be raised, unless it is shielded."""

    def __init__(self) -> None:
        self.ident: int | None = None
        self._lock = threading.Lock()
        self._shields = 0
        self._is_pending = False

    def cancel(self) -> None:
        """Raise a `CancelledError` in it."""
        with self._lock:
            if self._shields:
                self._is_pending = True
            elif self.ident is not None:
                self._raise()

    def _raise(self) -> None:
        if self.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self.ident), ctypes.py_object(CancelledError)
            )

    def ends(self) -> None:
        """The function has returned: raise nothing any more."""
        with self._lock:
            self.ident = None

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Hold a cancel back."""
        with self._lock:
            self._shields += 1
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1
                if not self._shields and self._is_pending:
                    self._is_pending = False
                    self._raise()


class ActivityRunner:
    """Runs the activities of a worker.

    Args:
        definitions: The activities.
        data_converter: How values travel.
        executor: Where activities run that are not async.
        interceptors: What is put around them.
        now_ms: The time.
        most: How many run at a time.
        client: The client of the worker, for activities.
    """

    def __init__(
        self,
        definitions: Sequence[ActivityDefinition],
        data_converter: DataConverter,
        executor: Executor | None,
        interceptors: Sequence[Interceptor],
        now_ms: Callable[[], int],
        most: int,
        client: Client | None,
    ) -> None:
        self._definitions = {each.name: each for each in definitions}
        self._converter = data_converter
        self._executor = executor
        self._interceptors = tuple(interceptors)
        self._now_ms = now_ms
        self._slots = asyncio.Semaphore(most)
        self._client = client
        self._running: dict[str, _Running] = {}
        self._shutdown = Flag()

    @property
    def names(self) -> list[str | None]:
        """The names of the activities; None for a dynamic one."""
        return list(self._definitions)

    @property
    def count(self) -> int:
        """How many run."""
        return len(self._running)

    async def run(
        self, attempt: Attempt, hold_s: float
    ) -> tuple[_proto.Ending | None, _proto.Payloads | None]:
        """Begin an attempt or find it again, and wait for it for a while.

        Args:
            attempt: The attempt.
            hold_s: How long to wait.

        Returns:
            How it ended, None if it goes on; and its last heartbeat.
        """
        running = self._running.get(attempt.target_id)
        if running is None:
            running = self._begin(attempt)
        if attempt.is_cancelled and not running.is_cancel_wanted:
            running.is_cancel_wanted = True
            if running.heartbeats:
                self._cancel(running, ActivityCancellationDetails(cancel_requested=True))
        await asyncio.wait([running.task], timeout=hold_s)
        if not running.task.done():
            return None, running.heartbeat
        self._running.pop(attempt.target_id, None)
        return running.task.result(), running.heartbeat

    async def run_local(self, task: _proto.Task, number: int) -> bytes:
        """Run an attempt of a local activity; the bytes of its ending."""
        attempt = Attempt(
            f"{task.run_id}:{task.activity_id}:local",
            task,
            number,
            self._now_ms(),
            task.start_to_close_ms,
            1,
            _proto.Payloads(),
            is_cancelled=False,
        )
        running = self._new(attempt, is_local=True)
        return (await running.task).SerializeToString()

    async def shut_down(self, grace_s: float) -> None:
        """Tell all that the worker stops; cancel what still runs after a while, and wait for it."""
        self._shutdown.set()
        left = [each.task for each in self._running.values()]
        if not left:
            return
        await asyncio.wait(left, timeout=grace_s)
        for each in self._running.values():
            if not each.task.done():
                self._cancel(each, ActivityCancellationDetails(worker_shutdown=True))
        await asyncio.wait(left)

    # --- an attempt -------------------------------------------------------------------------------

    def _begin(self, attempt: Attempt) -> _Running:
        running = self._running[attempt.target_id] = self._new(attempt, is_local=False)
        return running

    def _new(self, attempt: Attempt, *, is_local: bool) -> _Running:
        context = ActivityContext(
            info=_no_info,
            heartbeat=_no_heartbeat,
            payload_converter=self._converter.payload_converter,
            worker_shutdown=self._shutdown,
        )
        holder: list[_Running] = []
        task = asyncio.get_running_loop().create_task(
            self._attempt(attempt, context, holder, is_local=is_local)
        )
        running = _Running(task, context)
        holder.append(running)
        return running

    async def _attempt(
        self,
        attempt: Attempt,
        context: ActivityContext,
        holder: list[_Running],
        *,
        is_local: bool,
    ) -> _proto.Ending:
        """Run an attempt within its time-outs; every way it can end is an ending."""
        [running] = holder
        async with self._slots:
            try:
                definition, args = await self._opened(attempt)
                info = await self._info(attempt, is_local=is_local)
            except Exception as error:  # noqa: BLE001 - it is how the attempt failed
                return await self._failed(error)
            body = asyncio.ensure_future(
                self._execute(definition, args, info, context, running, attempt)
            )
            running.body = body
            watching = asyncio.ensure_future(self._watch(attempt, running))
            try:
                await asyncio.wait([body, watching], return_when=asyncio.FIRST_COMPLETED)
                if not body.done():
                    kind = watching.result()
                    self._cancel(running, ActivityCancellationDetails(timed_out=True))
                    if definition.is_async:
                        await asyncio.wait([body], timeout=1)
                    body.add_done_callback(_forget)
                    return _proto.Ending(failure=timed_out(kind))
            finally:
                watching.cancel()
            return await self._ending(body, running)

    async def _opened(self, attempt: Attempt) -> tuple[ActivityDefinition, list[Any]]:
        name = attempt.task.activity_type
        definition = self._definitions.get(name) or self._definitions.get(None)
        if definition is None:
            known = ", ".join(sorted(each for each in self._definitions if each is not None))
            raise ApplicationError(
                f"Activity function {name} for workflow {attempt.task.workflow_id} is not "
                f"registered on this worker, available activities: {known}",
                type="NotFoundError",
            )
        payloads = list(attempt.task.arguments.payloads)
        try:
            if definition.name is None:
                plain = await self._converter.decoded(payloads)
                return definition, [[RawValue(each) for each in plain]]
            hints = definition.hints.of(len(payloads))
            return definition, await self._converter.decode(payloads, hints)
        except Exception as error:
            raise ApplicationError("Failed decoding arguments") from error

    async def _info(self, attempt: Attempt, *, is_local: bool) -> Info:
        task = attempt.task
        details = await self._converter.decode(list(attempt.heartbeat.payloads))
        start_to_close = task.start_to_close_ms or task.schedule_to_close_ms
        return Info(
            activity_id=task.activity_id,
            activity_type=task.activity_type,
            attempt=attempt.number,
            current_attempt_scheduled_time=_time(attempt.scheduled_ms),
            heartbeat_details=details,
            heartbeat_timeout=span(task.heartbeat_ms),
            is_local=is_local,
            namespace=task.namespace,
            schedule_to_close_timeout=span(task.schedule_to_close_ms),
            scheduled_time=_time(task.scheduled_ms),
            start_to_close_timeout=span(start_to_close),
            started_time=_time(self._now_ms()),
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
        self,
        definition: ActivityDefinition,
        args: Sequence[Any],
        info: Info,
        context: ActivityContext,
        running: _Running,
        attempt: Attempt,
    ) -> Any:
        outbound = _Outbound(info, self._heartbeat_of(running))
        inbound: ActivityInboundInterceptor = _Inbound(definition, context, running)
        for each in reversed(self._interceptors):
            inbound = each.intercept_activity(inbound)
        inbound.init(outbound)
        context.info = (context.outbound or outbound).info
        context.heartbeat = (context.outbound or outbound).heartbeat
        if definition.is_async:
            context.client = self._client
        CONTEXT.set(context)
        given = ExecuteActivityInput(
            definition.function,
            args,
            None if definition.is_async else self._executor,
            dict(attempt.task.headers),
        )
        return await inbound.execute_activity(given)

    def _heartbeat_of(self, running: _Running) -> Callable[..., None]:
        loop = asyncio.get_running_loop()

        def heard(payloads: list[_proto.Payload]) -> None:
            running.heartbeat = _proto.Payloads(payloads=payloads)
            running.heartbeats = True
            running.has_heartbeat.set()
            if running.is_cancel_wanted and not running.context.cancelled.is_set:
                self._cancel(running, ActivityCancellationDetails(cancel_requested=True))

        def beat(*details: Any) -> None:
            payloads = self._converter.payload_converter.to_payloads(details)
            try:
                is_here = asyncio.get_running_loop() is loop
            except RuntimeError:
                is_here = False
            if is_here:
                heard(payloads)
            else:
                loop.call_soon_threadsafe(heard, payloads)

        return beat

    async def _watch(self, attempt: Attempt, running: _Running) -> int:
        """Wait until a time-out runs out; which."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + attempt.limit_ms / 1000 if attempt.limit_ms else None
        silence = attempt.task.heartbeat_ms / 1000
        while True:
            running.has_heartbeat.clear()
            left = None if ends is None else ends - loop.time()
            waits = [each for each in (left, silence or None) if each is not None]
            try:
                async with asyncio.timeout(min(waits) if waits else None):
                    await running.has_heartbeat.wait()
            except TimeoutError:
                if ends is not None and loop.time() >= ends:
                    return attempt.limit_kind
                return 4

    def _cancel(self, running: _Running, details: ActivityCancellationDetails) -> None:
        context = running.context
        if context.details is None:
            context.details = details
        context.cancelled.set()
        if running.thread is not None:
            running.thread.cancel()
        elif running.body is not None:
            running.body.cancel()

    # --- how it ends ------------------------------------------------------------------------------

    async def _ending(self, body: asyncio.Future[Any], running: _Running) -> _proto.Ending:
        details = running.context.details
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
            payloads = await self._converter.encode([result])
            check_size("the result", payloads)
        except Exception as error:  # noqa: BLE001 - it is how the attempt failed
            return await self._failed(error)
        return _proto.Ending(result=_proto.Payloads(payloads=payloads))

    async def _cancelled(
        self, error: CancelledError, details: ActivityCancellationDetails | None
    ) -> _proto.Ending:
        if details is not None and details.cancel_requested:
            ending = _proto.Ending()
            await self._converter.encode_failure(error, ending.canceled)
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
            await self._converter.encode_failure(error, ending.failure)
        except Exception as second:  # noqa: BLE001 - its details cannot be converted
            logger.exception("a failure of an activity cannot be converted")
            ending = _proto.Ending()
            await self._converter.encode_failure(
                ApplicationError(f"Failed building exception result: {second}"), ending.failure
            )
        return ending


class _Inbound(ActivityInboundInterceptor):
    """The last of the inbound interceptors: calls the function."""

    def __init__(
        self, definition: ActivityDefinition, context: ActivityContext, running: _Running
    ) -> None:
        self._definition = definition
        self._context = context
        self._running = running

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._context.outbound = outbound

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        if self._definition.is_async:
            return await input.fn(*input.args)
        loop = asyncio.get_running_loop()
        if isinstance(input.executor, ProcessPoolExecutor):
            return await loop.run_in_executor(input.executor, input.fn, *input.args)
        thread = None if self._definition.no_thread_cancel_exception else _CancellableThread()
        if thread is not None:
            self._context.shield = thread.shield
            self._running.thread = thread
        copied = contextvars.copy_context()
        return await loop.run_in_executor(
            input.executor, copied.run, _in_thread, thread, input.fn, input.args
        )


def _in_thread(
    thread: _CancellableThread | None, function: Callable[..., Any], args: Sequence[Any]
) -> Any:
    if thread is None:
        return function(*args)
    thread.ident = threading.get_ident()
    try:
        return function(*args)
    finally:
        thread.ends()


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
