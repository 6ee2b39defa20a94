"""The instance: the live object of a run, its handlers of messages, and how it ends.

Law: what an instance does is a function of the events it is told. Handlers of messages begin in the
order in which these came; what `wait_condition` waits for is looked at when nothing else can run.
"""

from __future__ import annotations

import asyncio
import json
import uuid
import warnings
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, cast
from weakref import WeakKeyDictionary

from statefun.durable import _proto as durable
from statefun.durable.exceptions import SdkInternalBaseException, TerminalError
from statefun.durable.outcomes import failed, succeeded
from statefun.workflows import _proto
from statefun.workflows.addresses import command, workflow_typename
from statefun.workflows.coding import raw_values
from statefun.workflows.common import Priority
from statefun.workflows.definitions import (
    HandlerUnfinishedPolicy,
    Hints,
    QueryDefinition,
    SignalDefinition,
    UpdateDefinition,
    check_dynamic_handler,
    hints_of,
)
from statefun.workflows.endings import ContinueAsNewError, ReadOnlyContextError
from statefun.workflows.exceptions import (
    ApplicationError,
    CancelledError,
    FailureError,
    is_cancelled_exception,
)
from statefun.workflows.facts import Info, ParentInfo, RootInfo, UpdateInfo
from statefun.workflows.interceptors import (
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    WorkflowInboundInterceptor,
)
from statefun.workflows.logs import logger
from statefun.workflows.retrying import policy_of
from statefun.workflows.running import RUNNING, running, running_or_none
from statefun.workflows.search_attributes import typed, untyped, updates_of
from statefun.workflows.sizes import check_size
from statefun.workflows.spans import span

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from statefun.durable.execution import Execution
    from statefun.durable.run import Run
    from statefun.workflows.definitions import WorkflowDefinition
    from statefun.workflows.interceptors import WorkflowOutboundInterceptor
    from statefun.workflows.registered import Registered
    from statefun.workflows.search_attributes import SearchAttributes, SearchAttributeUpdate

__all__ = ["Instance", "OpenChild", "current", "current_or_none"]

LONG_HISTORY = 10_240
"""From so many events on there is a warning."""
_BUILT_IN = ("__enhanced_stack_trace", "__stack_trace", "__temporal_workflow_metadata")


class UnfinishedSignalHandlersWarning(RuntimeWarning):
    """A workflow ended while handlers of signals still ran."""


class UnfinishedUpdateHandlersWarning(RuntimeWarning):
    """A workflow ended while handlers of updates still ran."""


def current() -> Instance:
    """The instance whose code runs.

    Raises:
        NotInWorkflowEventLoopError: If there is none.
    """
    return cast("Instance", running())


def current_or_none() -> Instance | None:
    """The instance whose code runs; None if there is none."""
    return cast("Instance | None", running_or_none())


@dataclass
class OpenChild:
    """A child workflow that has not ended.

    Attributes:
        policy: What becomes of it when this run ends.
        run_id: Its first run.
        seq: The command that started it.
    """

    policy: int
    run_id: str
    seq: int


@dataclass
class _Condition:
    """Something that is waited for until it is true."""

    holds: Callable[[], bool]
    met: asyncio.Future[None]


@dataclass
class _Handling:
    """A handler of a message that still runs."""

    name: str
    identity: str
    policy: HandlerUnfinishedPolicy


@dataclass
class _UpdateState:
    """An update that was accepted, and its outcome."""

    routes: list[durable.Route] = field(default_factory=list)
    answer: _proto.UpdateAnswer | None = None


class Instance:
    """A workflow that runs.

    Args:
        program: What its worker has registered.
        execution: Its durable execution.
        run: That one's live coroutine.
        start: What it was started with.

    Attributes:
        start: What it was started with.
        info: What it knows of itself.
        object: The object of the user's class; None before its `__init__` has ended.
        cancellation_reason: Why it is asked to cancel; None if it is not.
        is_over: Whether it has its ending.
        is_read_only: Whether a query or a validator runs.
        current_details: What it says about itself to whoever describes it.
        memo: The memo.
        search_attributes: The search attributes.
        received: How many messages it has taken in.
        outbound: What its calls go through; set before it lives.
        on_end: Called when it ends, to do with its children what is to be done; with the number of
            the command before which they are left alone.
    """

    def __init__(
        self, program: Registered, execution: Execution, run: Run, start: _proto.Start
    ) -> None:
        self.program = program
        self.execution = execution
        self.run = run
        self.start = start
        self.converter = program.data_converter
        self.payloads = program.payloads
        self.info = _info_of(start)
        self.object: Any = None
        self.cancellation_reason: str | None = None
        self.is_over = False
        self.is_read_only = False
        self.current_details = ""
        self.memo = dict(start.memo)
        self.search_attributes = dict(start.search_attributes)
        self.activities = 0
        self.received = 0
        self._warns_at = LONG_HISTORY
        self.patches: dict[str, bool] = {}
        self.children: dict[str, OpenChild] = {}
        self.update_info: UpdateInfo | None = None
        self._definition: WorkflowDefinition | None = None
        self._main: asyncio.Task[None] | None = None
        self._args: Sequence[Any] = ()
        self._ends: asyncio.Future[bytes] = run.loop.create_future()
        self._conditions: list[_Condition] = []
        self._signals: dict[str | None, SignalDefinition] = {}
        self._queries: dict[str | None, QueryDefinition] = {}
        self._updates: dict[str | None, UpdateDefinition] = {}
        self._buffered: dict[str, list[_proto.SignalInput]] = {}
        self._running_signals: dict[int, _Handling] = {}
        self._running_updates: dict[int, _Handling] = {}
        self._handlings = 0
        self._update_states: dict[str, _UpdateState] = {}
        self.outbound: WorkflowOutboundInterceptor
        self.on_end: Callable[[int], None]
        self._inbound: WorkflowInboundInterceptor = _Inbound(self)
        RUNNING[run.loop] = self

    # --- life -------------------------------------------------------------------------------------

    async def drive(self) -> bytes:
        """Live: begin, then wait until a task of the workflow has failed.

        What ends the workflow does not end this: whoever asks is answered until the run is killed.

        Raises:
            Exception: The error by which this attempt failed.
        """
        self._wrap_interceptors()
        try:
            self._open()
        except SdkInternalBaseException:
            raise
        except BaseException as error:  # noqa: BLE001 - it ends the run, or the attempt
            self._end_by(error)
        for each in self.start.messages:
            self.tell(each)
        return await self._ends

    def _wrap_interceptors(self) -> None:
        for kind in reversed(self.program.interceptor_classes):
            self._inbound = kind(self._inbound)
        self._inbound.init(self.outbound)

    def _open(self) -> None:
        definition = self.program.definition_of(self.start.workflow_type)
        self._definition = definition
        self._signals = dict(definition.signals)
        self._queries = dict(definition.queries)
        self._updates = dict(definition.updates)
        payloads = list(self.start.arguments.payloads)
        if definition.name is None:
            self._args = (raw_values(self.payloads, payloads),)
        else:
            self._args = self._decoded(payloads, definition.hints)
        given = self._args if definition.takes_arguments_at_init else ()
        self.object = definition.cls(*given)

    def settle(self) -> bool:
        """See what has become true since nothing can run any more; whether something can now."""
        if self.is_over:
            return False
        self._warn_of_length()
        if self._main is None and self.object is not None:
            self._main = self._spawn(self._run_main())
            if self.cancellation_reason is not None:
                self.run.loop.call_soon(self._main.cancel)
            return True
        met = [each for each in self._conditions if self._is_met(each)]
        self._conditions = [each for each in self._conditions if each not in met]
        return bool(met)

    def _is_met(self, condition: _Condition) -> bool:
        if condition.met.done():
            return True
        try:
            holds = condition.holds()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            condition.met.set_exception(error)
            return True
        if holds:
            condition.met.set_result(None)
        return bool(holds)

    async def _run_main(self) -> None:
        definition = self._definition
        assert definition is not None  # noqa: S101 - `_open` has set it
        given = ExecuteWorkflowInput(
            definition.cls, definition.run, self._args, dict(self.start.headers)
        )
        try:
            result = await self._inbound.execute_workflow(given)
            [payload] = self.encoded("the result", [result])
        except SdkInternalBaseException:
            raise
        except BaseException as error:  # noqa: BLE001 - it ends the run, or the attempt
            self._end_by(error)
        else:
            self._end("complete", _proto.Ending(result=_proto.Payloads(payloads=[payload])))

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self.run.loop.create_task(coroutine)

    # --- its end ----------------------------------------------------------------------------------

    def _end_by(self, error: BaseException) -> None:
        """End by what was raised: the run, or if it says nothing of the run, this attempt."""
        if isinstance(error, ContinueAsNewError):
            self._end("continue as new", _proto.Ending(continued=error.start))
        elif self.cancellation_reason is not None and is_cancelled_exception(error):
            ending = _proto.Ending()
            self._write(CancelledError("Workflow cancelled"), ending.canceled)
            self._end("cancel", ending)
        elif isinstance(error, asyncio.CancelledError) or self._is_failure(error):
            ending = _proto.Ending()
            if isinstance(error, asyncio.CancelledError):
                error = CancelledError(str(error) or "Cancelled")
            self._write(error, ending.failure)
            self._end("fail", ending)
        elif not self._ends.done():
            self._ends.set_exception(error)

    def _is_failure(self, error: BaseException) -> bool:
        """Whether an exception is a failure of the workflow, and not of its code."""
        kinds = self.program.failure_exception_types
        if self._definition is not None:
            kinds = (*kinds, *self._definition.failure_exception_types)
        return isinstance(error, (FailureError, TimeoutError, *kinds))

    def _write(self, error: BaseException, failure: _proto.Failure) -> None:
        self.converter.failure_converter.to_failure(error, self.payloads, failure)

    def _end(self, signature: str, ending: _proto.Ending) -> None:
        if self.is_over:
            return
        _, is_new = self.run.step(signature)
        if is_new:
            ending.run_id = self.start.run_id
            ended = _proto.Ended(
                run_id=self.start.run_id,
                ending=ending,
                history_length=self.history_length,
                told=self.received,
            )
            self.to_workflow("ended", ended.SerializeToString(), self.start.workflow_id)
            self.on_end(0)
            self._abandon_updates()
        self.is_over = True
        self.run.rest()
        if is_new:
            self._warn_of_unfinished()

    def _abandon_updates(self) -> None:
        """Tell whoever waits for an update that nothing comes of it."""
        for state in self._update_states.values():
            if state.answer is None:
                self._answer_update(state, self._abandoned())

    def _abandoned(self) -> _proto.UpdateAnswer:
        answer = _proto.UpdateAnswer(stage=3, run_id=self.start.run_id)
        error = ApplicationError(
            "Workflow Update failed because the Workflow completed before the Update completed.",
            type="AcceptedUpdateCompletedWorkflow",
        )
        self._write(error, answer.failure)
        return answer

    def _warn_of_unfinished(self) -> None:
        for handlings, kind, word in (
            (self._running_updates, UnfinishedUpdateHandlersWarning, "update"),
            (self._running_signals, UnfinishedSignalHandlersWarning, "signal"),
        ):
            left = [
                each
                for each in handlings.values()
                if each.policy is HandlerUnfinishedPolicy.WARN_AND_ABANDON
            ]
            if left:
                named = json.dumps([{"name": each.name, "id": each.identity} for each in left])
                warnings.warn(
                    f"[TMPRL1102] Workflow finished while {word} handlers are still running: wait "
                    "for them with workflow.wait_condition(workflow.all_handlers_finished), or "
                    f"decorate them with unfinished_policy=ABANDON. Unfinished: {named}",
                    kind,
                    stacklevel=2,
                )

    # --- commands ---------------------------------------------------------------------------------

    def step(self, signature: str, what: str) -> tuple[int, bool]:
        """Give a command; see `Run.step`.

        Raises:
            ReadOnlyContextError: If a query or a validator runs.
        """
        self.check_writable(what)
        return self.run.step(signature)

    def check_writable(self, what: str) -> None:
        """Refuse what a query or a validator must not do.

        Raises:
            ReadOnlyContextError: If one runs.
        """
        if self.is_read_only:
            raise ReadOnlyContextError(f"While in read-only function, action attempted: {what}")

    def to_workflow(
        self, name: str, argument: bytes, workflow_id: str, reply: durable.Route | None = None
    ) -> None:
        """Ask a workflow of the same namespace for something."""
        envelope = command(name, argument, self.start.run_id, reply)
        typename = workflow_typename(self.start.namespace)
        self.execution.here.outbox.send(typename, workflow_id, envelope)

    def route(self, seq: int) -> durable.Route:
        """The way back to a command."""
        here = self.execution.here
        return durable.Route(
            typename=here.typename, id=here.target_id, execution=self.execution.id, seq=seq
        )

    @property
    def history_length(self) -> int:
        """How many events it has been told."""
        return self.run.told

    async def wait_condition(
        self,
        holds: Callable[[], bool],
        timeout: float | None,  # noqa: ASYNC109 - it is a durable timer
    ) -> None:
        """Wait until something is true.

        Raises:
            TimeoutError: If that takes too long.
        """
        self.check_writable("wait condition")
        if holds():
            return
        if timeout is not None and timeout <= 0:
            raise TimeoutError
        condition = _Condition(holds, self.run.loop.create_future())
        self._conditions.append(condition)
        try:
            await asyncio.wait_for(condition.met, timeout)
        finally:
            if condition in self._conditions:
                self._conditions.remove(condition)

    def read_failure(self, failure: _proto.Failure) -> BaseException:
        """The exception of a failure that came."""
        return self.converter.failure_converter.from_failure(failure, self.payloads)

    def encoded(self, what: str, values: Sequence[Any]) -> list[_proto.Payload]:
        """Values as they travel.

        Raises:
            ApplicationError: If they are too long.
        """
        payloads = list(self.payloads.to_payloads(values))
        check_size(what, payloads, is_silent=self.run.is_replaying)
        return payloads

    def new_uuid(self) -> uuid.UUID:
        """A UUID of version 4, drawn from the random numbers of the run."""
        return uuid.UUID(int=self.run.random.getrandbits(128), version=4)

    def upsert_memo(self, updates: Mapping[str, Any]) -> None:
        """Change the memo; None removes."""
        _, is_new = self.step("upsert memo", "upsert memo")
        upsert = _proto.Upsert(run_id=self.start.run_id)
        for name, value in updates.items():
            if value is None:
                self.memo.pop(name, None)
                upsert.memo[name].SetInParent()
            else:
                self.memo[name] = self.payloads.to_payload(value)
                upsert.memo[name].CopyFrom(self.memo[name])
        if is_new:
            self.to_workflow("upsert", upsert.SerializeToString(), self.start.workflow_id)

    def upsert_search_attributes(
        self, updates: SearchAttributes | Sequence[SearchAttributeUpdate[Any]]
    ) -> None:
        """Change the search attributes, also those in `info`."""
        changes = updates_of(updates)
        _, is_new = self.step("upsert search attributes", "upsert search attributes")
        upsert = _proto.Upsert(run_id=self.start.run_id)
        for name, payload in changes.items():
            upsert.search_attributes[name].CopyFrom(payload)
            if payload.metadata:
                self.search_attributes[name] = payload
            else:
                self.search_attributes.pop(name, None)
        lists: dict[str, Any] = {name: [] for name in self.info.search_attributes}
        self.info = replace(
            self.info,
            search_attributes={**lists, **untyped(self.search_attributes)},
            typed_search_attributes=typed(self.search_attributes),
        )
        if is_new:
            self.to_workflow("upsert", upsert.SerializeToString(), self.start.workflow_id)

    def patched(self, patch_id: str) -> bool:
        """Whether the code after a change is to run; what is said first holds for the run."""
        self.check_writable("patch")
        known = self.patches.get(patch_id)
        if known is None:
            known = self.patches[patch_id] = self.run.mark(f"patch {patch_id}")
        return known

    # --- messages ---------------------------------------------------------------------------------

    def tell(self, told: _proto.Told) -> None:
        """Take in a message."""
        if self.is_over:
            self._return(told)
            return
        self.received += 1
        match told.WhichOneof("content"):
            case "signal":
                self._signal(told.signal)
            case "update":
                self._update(told.update)
            case "cancel":
                self._cancel(told.cancel.reason)
            case "stop":
                self._stop(told.stop)

    def _warn_of_length(self) -> None:
        """Warn of a history that grows long, each time that it has doubled."""
        length = self.history_length
        if length < self._warns_at:
            return
        self._warns_at = max(2 * self._warns_at, length + 1)
        if not self.run.is_replaying:
            logger.warning(
                "the workflow %r has been told %d events, which are replayed whenever it is loaded "
                "again: let it go on as new, by workflow.continue_as_new",
                self.start.workflow_id,
                length,
            )

    def _return(self, told: _proto.Told) -> None:
        """Send back what comes too late: the run that follows takes it, if there is one."""
        kind = told.WhichOneof("content")
        request = _proto.Request(run_id=self.start.run_id, is_from_workflow=True)
        if kind == "update" and (told.update.is_poll or told.update.id in self._update_states):
            self._tell_outcome(told.update)  # it is counted, and nothing is left to take
        else:
            request.told.CopyFrom(told)
        if kind != "stop" and not self.run.is_replaying:
            self.to_workflow("returned", request.SerializeToString(), self.start.workflow_id)

    def _stop(self, stop: _proto.StopInput) -> None:
        """The run is over for a reason outside of its code."""
        _, is_new = self.run.step("stop")
        if is_new:
            self.on_end(stop.keeps_children)
            self._abandon_updates()
        self.is_over = True
        self.run.rest()

    def _cancel(self, reason: str) -> None:
        if self.cancellation_reason is not None:
            return
        self.cancellation_reason = reason
        if self._main is not None:
            self.run.loop.call_soon(self._main.cancel)

    @property
    def main_task(self) -> asyncio.Task[None] | None:
        """The task of the main method; None before it begins."""
        return self._main

    def all_handlers_finished(self) -> bool:
        """Whether no handler of a signal or an update runs."""
        return not self._running_signals and not self._running_updates

    def _decoded(self, payloads: Sequence[_proto.Payload], hints: Hints) -> list[Any]:
        return self.payloads.from_payloads(payloads, hints.of(len(payloads)))

    def _arguments(self, definition: Any, name: str, payloads: Sequence[_proto.Payload]) -> Any:
        """What a handler of messages is called with."""
        if definition.name is not None:
            return self._decoded(payloads, definition.hints)
        raw = raw_values(self.payloads, payloads)
        return (name, raw) if len(definition.hints.arguments) > 1 else (name, *raw)

    def call(self, definition: Any, function: Callable[..., Any], args: Sequence[Any]) -> Any:
        """Call a handler of messages."""
        return function(self.object, *args) if definition.is_method else function(*args)

    # signals

    def _signal(self, signal: _proto.SignalInput) -> None:
        definition = self._signals.get(signal.name) or self._signals.get(None)
        if definition is None:
            self._buffered.setdefault(signal.name, []).append(signal)
            return
        try:
            args = self._arguments(definition, signal.name, signal.arguments.payloads)
        except Exception:  # noqa: BLE001 - whoever sent it has gone
            logger.exception("a signal %r cannot be read and is dropped", signal.name)
            return
        if definition.name is not None:
            args = args[: len(definition.hints.arguments)]
        given = HandleSignalInput(signal.name, args, dict(signal.headers))
        handling = _Handling(signal.name, "", definition.unfinished_policy)
        self._spawn(self._handle_signal(given, handling))

    async def _handle_signal(self, given: HandleSignalInput, handling: _Handling) -> None:
        number = self._begun(self._running_signals, handling)
        raised: BaseException | None = None
        try:
            await self._inbound.handle_signal(given)
        except SdkInternalBaseException:
            raise
        except BaseException as error:  # noqa: BLE001 - it ends the run, or the attempt
            raised = error
        del self._running_signals[number]
        if raised is not None:
            self._end_by(raised)

    def _begun(self, running: dict[int, _Handling], handling: _Handling) -> int:
        self._handlings += 1
        running[self._handlings] = handling
        return self._handlings

    def signal_definition(self, name: str) -> SignalDefinition | None:
        """The handler of a signal."""
        return self._signals.get(name) or self._signals.get(None)

    # updates

    def _tell_outcome(self, update: _proto.UpdateInput) -> None:
        """Tell the outcome of an update that was sent before."""
        state = self._update_states.get(update.id)
        accepted, completed = _routes(update)
        if state is not None and state.answer is not None:
            self._answer([*accepted, *completed], state.answer)
        elif not self.run.is_replaying:
            error = TerminalError("workflow execution already completed", 5)
            self.execution.here.outbox.answer([*accepted, *completed], failed(error))

    def _update(self, update: _proto.UpdateInput) -> None:
        if update.is_poll and update.id not in self._update_states:
            self._tell_outcome(update)
            return
        state = self._update_states.get(update.id)
        is_new = state is None
        if state is None:
            state = self._update_states[update.id] = _UpdateState()
        accepted, completed = _routes(update)
        state.routes.extend(completed)
        if is_new:
            self._spawn(self._handle_update(update, state, accepted))
            return
        self._answer(accepted, _proto.UpdateAnswer(stage=2, run_id=self.start.run_id))
        if state.answer is not None:
            self._answer_update(state, state.answer)

    async def _handle_update(
        self, update: _proto.UpdateInput, state: _UpdateState, accepted: list[durable.Route]
    ) -> None:
        answer = _proto.UpdateAnswer(stage=3, run_id=self.start.run_id)
        try:
            definition, given = self._admit(update)
        except SdkInternalBaseException:
            raise
        except Exception as error:  # noqa: BLE001 - it is told to whoever sent the update
            self.run.step("reject update")
            self._write(error, answer.failure)
            self._answer([*accepted, *state.routes], answer)
            del self._update_states[update.id]
            return
        self._answer(accepted, _proto.UpdateAnswer(stage=2, run_id=self.start.run_id))
        handling = _Handling(update.name, update.id, definition.unfinished_policy)
        number = self._begun(self._running_updates, handling)
        _CURRENT_UPDATE[asyncio.current_task()] = UpdateInfo(update.id, update.name)
        raised: BaseException | None = None
        try:
            result = await self._inbound.handle_update_handler(given)
            answer.result.payloads.append(self.payloads.to_payload(result))
        except SdkInternalBaseException:
            raise
        except BaseException as error:  # noqa: BLE001 - it is told, or ends the attempt
            raised = error
        del self._running_updates[number]
        if isinstance(raised, asyncio.CancelledError):
            raised = CancelledError(str(raised) or "Cancelled")
        if raised is None:
            self._answer_update(state, answer)
        elif self._is_failure(raised):
            self._write(raised, answer.failure)
            self._answer_update(state, answer)
        else:
            self._end_by(raised)

    def _admit(self, update: _proto.UpdateInput) -> tuple[UpdateDefinition, HandleUpdateInput]:
        """Read an update and let its validator look at it, unless the journal has it accepted."""
        definition = self._updates.get(update.name) or self._updates.get(None)
        if definition is None:
            known = " ".join(sorted(each for each in self._updates if each is not None))
            raise RuntimeError(
                f"Update handler for '{update.name}' expected but not found, and there is no "
                f"dynamic handler. known updates: [{known}]"
            )
        try:
            args = self._arguments(definition, update.name, update.arguments.payloads)
        except Exception as error:
            raise RuntimeError("Failed decoding arguments") from error
        given = HandleUpdateInput(update.id, update.name, args, dict(update.headers))
        if not (self.run.is_replaying and self.run.mark("accept update")):
            if definition.validator is not None:
                with self._reading():
                    self._inbound.handle_update_validator(given)
            self.run.step("accept update")
        return definition, given

    def _answer(self, routes: Sequence[durable.Route], answer: _proto.UpdateAnswer) -> None:
        if not self.run.is_replaying and routes:
            outcome = succeeded(answer.SerializeToString())
            self.execution.here.outbox.answer(routes, outcome)

    def _answer_update(self, state: _UpdateState, answer: _proto.UpdateAnswer) -> None:
        state.answer = answer
        self._answer(state.routes, answer)
        state.routes.clear()

    def update_definition(self, name: str) -> UpdateDefinition | None:
        """The handler of an update."""
        return self._updates.get(name) or self._updates.get(None)

    # queries

    def query(self, query: _proto.QueryInput) -> _proto.QueryAnswer:
        """Answer a query; nothing of it is kept."""
        answer = _proto.QueryAnswer()
        try:
            with self._reading(), self.run.looked_at(_refused):
                result = self._queried(query)
                answer.result.payloads.append(self.payloads.to_payload(result))
        except SdkInternalBaseException:
            raise
        except Exception as error:  # noqa: BLE001 - it is told to whoever asks
            self._write(error, answer.failure)
        return answer

    def _queried(self, query: _proto.QueryInput) -> Any:
        if query.name in _BUILT_IN:
            return self._built_in(query.name)
        definition = self._queries.get(query.name) or self._queries.get(None)
        if definition is None:
            known = " ".join(sorted([*_BUILT_IN, *(each for each in self._queries if each)]))
            raise RuntimeError(
                f"Query handler for '{query.name}' expected but not found, known queries: [{known}]"
            )
        args = self._arguments(definition, query.name, query.arguments.payloads)
        given = HandleQueryInput("", query.name, args, dict(query.headers))
        return _at_once(self._inbound.handle_query(given))

    def query_definition(self, name: str) -> QueryDefinition | None:
        """The handler of a query."""
        return self._queries.get(name) or self._queries.get(None)

    def _built_in(self, name: str) -> Any:
        if name == "__stack_trace":
            return "\n\n".join(self._stacks())
        if name == "__enhanced_stack_trace":
            return {"stacks": self._stacks()}
        return {
            "definition": {
                "type": self.info.workflow_type,
                "queryDefinitions": _described(self._queries),
                "signalDefinitions": _described(self._signals),
                "updateDefinitions": _described(self._updates),
            },
            "currentDetails": self.current_details,
        }

    def _stacks(self) -> list[str]:
        stacks = []
        for task in self.run.loop.waiting():
            frames = [
                f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"
                for frame in task.get_stack()
            ]
            stacks.append("\n".join(frames))
        return stacks

    def _reading(self) -> _ReadOnly:
        return _ReadOnly(self)

    # handlers that are set while it runs

    def set_signal_handler(self, name: str | None, handler: Callable[..., Any] | None) -> None:
        """Set, change or remove the handler of a signal; None for all that have none."""
        self.check_writable("set signal handler")
        if handler is None:
            self._signals.pop(name, None)
            return
        if name is None:
            check_dynamic_handler(handler, is_method=False)
        self._signals[name] = SignalDefinition(
            name, handler, is_method=False, hints=hints_of(handler, is_method=False)
        )
        names = list(self._buffered) if name is None else [name]
        for each in names:
            for signal in self._buffered.pop(each, ()):
                self._signal(signal)

    def set_query_handler(self, name: str | None, handler: Callable[..., Any] | None) -> None:
        """Set, change or remove the handler of a query; None for all that have none."""
        self.check_writable("set query handler")
        if handler is None:
            self._queries.pop(name, None)
            return
        if name is None:
            check_dynamic_handler(handler, is_method=False)
        self._queries[name] = QueryDefinition(
            name, handler, is_method=False, hints=hints_of(handler, is_method=False)
        )

    def set_update_handler(
        self,
        name: str | None,
        handler: Callable[..., Any] | None,
        validator: Callable[..., Any] | None,
    ) -> None:
        """Set, change or remove the handler of an update; None for all that have none."""
        self.check_writable("set update handler")
        if handler is None:
            self._updates.pop(name, None)
            return
        if name is None:
            check_dynamic_handler(handler, is_method=False)
        self._updates[name] = UpdateDefinition(
            name,
            handler,
            is_method=False,
            hints=hints_of(handler, is_method=False),
            validator=validator,
        )

    def handler(self, definitions: str, name: str | None) -> Callable[..., Any] | None:
        """The function that handles messages of a name: `signals`, `queries` or `updates`."""
        known: dict[str | None, Any] = getattr(self, f"_{definitions}")
        definition = known.get(name)
        if definition is None:
            return None
        if definition.is_method:
            bound: Callable[..., Any] = definition.function.__get__(self.object)
            return bound
        function: Callable[..., Any] = definition.function
        return function


_CURRENT_UPDATE: WeakKeyDictionary[Any, UpdateInfo] = WeakKeyDictionary()


def current_update_info() -> UpdateInfo | None:
    """The update that the current task handles; None if it handles none."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None
    return None if task is None else _CURRENT_UPDATE.get(task)


class _ReadOnly:
    """While a query or a validator runs."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def __enter__(self) -> None:
        self._instance.is_read_only = True

    def __exit__(self, *_: object) -> None:
        self._instance.is_read_only = False


class _Inbound(WorkflowInboundInterceptor):
    """The last of the inbound interceptors: calls the user's methods."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._instance.outbound = outbound

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        return await input.run_fn(self._instance.object, *input.args)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002
        instance = self._instance
        definition = instance.signal_definition(input.signal)
        if definition is not None:
            result = instance.call(definition, definition.function, input.args)
            if hasattr(result, "__await__"):
                await result

    async def handle_query(self, input: HandleQueryInput) -> Any:  # noqa: A002
        instance = self._instance
        definition = instance.query_definition(input.query)
        if definition is None:
            return None
        result = instance.call(definition, definition.function, input.args)
        return await result if hasattr(result, "__await__") else result

    def handle_update_validator(self, input: HandleUpdateInput) -> None:  # noqa: A002
        instance = self._instance
        definition = instance.update_definition(input.update)
        if definition is not None and definition.validator is not None:
            instance.call(definition, definition.validator, input.args)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002
        instance = self._instance
        definition = instance.update_definition(input.update)
        if definition is None:
            return None
        result = instance.call(definition, definition.function, input.args)
        return await result if hasattr(result, "__await__") else result


def _refused(signature: str) -> NoReturn:
    raise ReadOnlyContextError(f"While in read-only function, action attempted: {signature}")


def _at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that does not wait.

    Raises:
        RuntimeError: If it waits.
    """
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    coroutine.close()
    raise RuntimeError("a query waits for something, and no event comes while it is answered")


def _described(definitions: Mapping[str | None, Any]) -> list[dict[str, str]]:
    return [
        {"name": each.name or "", "description": each.description or ""}
        for each in definitions.values()
    ]


def _routes(update: _proto.UpdateInput) -> tuple[list[durable.Route], list[durable.Route]]:
    """Where it is told that an update was accepted, and where its outcome."""
    accepted, completed = update.accepted_route, update.completed_route
    return (
        [durable.Route.FromString(accepted)] if accepted else [],
        [durable.Route.FromString(completed)] if completed else [],
    )


def _info_of(start: _proto.Start) -> Info:
    parent = start.parent if start.HasField("parent") else None
    begun = datetime.fromtimestamp(start.start_time_ms / 1000, UTC)
    return Info(
        attempt=start.attempt or 1,
        continued_run_id=start.continued_run_id or None,
        cron_schedule=start.cron_schedule or None,
        execution_timeout=span(start.execution_timeout_ms),
        first_execution_run_id=start.first_run_id or start.run_id,
        headers=dict(start.headers),
        namespace=start.namespace,
        original_execution_run_id=start.original_run_id or start.run_id,
        parent=None
        if parent is None
        else ParentInfo(parent.namespace, parent.run_id, parent.workflow_id),
        root=RootInfo(start.root_run_id, start.root_workflow_id) if start.root_run_id else None,
        priority=Priority(priority_key=start.priority_key or None),
        raw_memo=dict(start.memo),
        retry_policy=policy_of(start.retry_policy) if start.HasField("retry_policy") else None,
        run_id=start.run_id,
        run_timeout=span(start.run_timeout_ms),
        search_attributes=untyped(start.search_attributes),
        start_time=begun,
        task_queue=start.task_queue,
        task_timeout=span(start.task_timeout_ms) or timedelta(seconds=10),
        typed_search_attributes=typed(start.search_attributes),
        workflow_id=start.workflow_id,
        workflow_start_time=begun,
        workflow_type=start.workflow_type,
    )
