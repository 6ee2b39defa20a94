"""The turn of a schedule: when it takes its action, and what becomes of it. A pure function.

Law: each time of its spec is handled once: the action is taken, waits, or is counted as missed or
skipped. A schedule knows every workflow that it waits for, and is told by each that it has ended.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from statefun.durable import _proto as durable
from statefun.durable.outcomes import failed, failure_of, succeeded
from statefun.durable.turn import Reply
from statefun.workflows import _proto
from statefun.workflows.addresses import command, schedule_typename, workflow_typename
from statefun.workflows.alarms import arm
from statefun.workflows.ids import derived_id
from statefun.workflows.refusals import RefusedError
from statefun.workflows.schedule_times import Times, compiled
from statefun.workflows.search_attributes import SearchAttributeKey, payload_of
from statefun.workflows.service import RPCStatusCode
from statefun.workflows.visibility import SCHEDULE_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statefun.durable.outbox import Outbox

__all__ = ["ScheduleTurn"]

_COMMANDS = {"create", "describe", "update", "patch", "delete"}
_YEAR_MS = 365 * 86_400_000
_MOST_TIMES = 1000
"""So many times are handled in one turn, and so many actions wait at most."""
_RECENT = 10
_NEXT = 10
_STARTED_BY = SearchAttributeKey.for_keyword("TemporalScheduledById")
_STARTED_FOR = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")

SKIP, BUFFER_ONE, BUFFER_ALL, CANCEL_OTHER, TERMINATE_OTHER, ALLOW_ALL = range(1, 7)


class ScheduleTurn:
    """One turn of a schedule.

    Args:
        outbox: What it sends.
        namespace: Its namespace.
        schedule_id: Its id.
        kept: What is kept there; None if there is nothing.
        now_ms: The time.
        token: Names what this turn makes; no other turn has it.
    """

    def __init__(
        self,
        outbox: Outbox,
        namespace: str,
        schedule_id: str,
        kept: bytes | None,
        now_ms: int,
        token: str,
    ) -> None:
        self._outbox = outbox
        self._namespace = namespace
        self._id = schedule_id
        self._kept = kept
        self._state = None if kept is None else _proto.Schedule.FromString(kept)
        self._now_ms = max(now_ms, 0 if self._state is None else self._state.time_ms)
        self._token = token
        self._must_go_on = False

    # --- messages ---

    def receive(self, envelope: durable.Envelope) -> None:
        """Take a message and do everything that follows from it."""
        match envelope.WhichOneof("content"):
            case "alarm":
                self._now_ms = max(self._now_ms, envelope.alarm.due_ms)
                if self._state is not None and self._state.alarm_token == envelope.alarm.token:
                    self._state.alarm_ms, self._state.alarm_token = 0, ""
            case "invoke" if envelope.invoke.handler in _COMMANDS:
                self._command(envelope.invoke)
            case "done":
                self._done(envelope.done)
        self._go_on()

    def _command(self, invoke: durable.Invoke) -> None:
        reply = [invoke.reply] if invoke.HasField("reply") else []
        request = _proto.ScheduleRequest.FromString(invoke.argument)
        try:
            answer = getattr(self, f"_{invoke.handler}")(request)
        except RefusedError as refused:
            self._outbox.answer(reply, failed(refused.error))
        else:
            self._outbox.answer(reply, succeeded(answer))

    def _known(self) -> _proto.Schedule:
        if self._state is None:
            raise RefusedError(RPCStatusCode.NOT_FOUND, f"schedule not found for ID: {self._id}")
        return self._state

    def _create(self, request: _proto.ScheduleRequest) -> bytes:
        if self._state is not None:
            raise RefusedError(RPCStatusCode.ALREADY_EXISTS, "Schedule already running")
        definition = self._checked(request.definition)
        self._state = _proto.Schedule(
            id=self._id,
            namespace=self._namespace,
            definition=definition,
            memo=request.memo,
            search_attributes=request.search_attributes,
            version=1,
            created_ms=self._now_ms,
            handled_ms=self._now_ms,
            nonce=self._token,
        )
        self._patch(request)
        return b""

    def _checked(self, definition: _proto.ScheduleDefinition) -> _proto.ScheduleDefinition:
        """A definition with its cron expressions as calendars."""
        invalid = RPCStatusCode.INVALID_ARGUMENT
        if not definition.action.task_queue:
            raise RefusedError(invalid, "missing task queue name")
        made = _proto.ScheduleDefinition()
        made.CopyFrom(definition)
        try:
            made.spec.CopyFrom(compiled(definition.spec))
        except ValueError as error:
            raise RefusedError(invalid, f"Invalid schedule spec: {error}") from error
        return made

    def _describe(self, request: _proto.ScheduleRequest) -> bytes:
        del request
        state = self._known()
        described = _proto.Schedule()
        described.CopyFrom(state)
        described.next_ms.extend(self._times(state).following(self._now_ms, _NEXT))
        for name in ("buffered", "last_result", "last_failure"):
            described.ClearField(name)
        return described.SerializeToString()

    def _update(self, request: _proto.ScheduleRequest) -> bytes:
        state = self._known()
        if request.version != state.version:
            raise RefusedError(RPCStatusCode.ABORTED, "the schedule has changed meanwhile")
        state.definition.CopyFrom(self._checked(request.definition))
        if request.replaces_search_attributes:
            state.ClearField("search_attributes")
            for name, payload in request.search_attributes.items():
                state.search_attributes[name].CopyFrom(payload)
        state.version += 1
        state.updated_ms = self._now_ms
        state.handled_ms = max(state.handled_ms, self._now_ms)
        return b""

    def _patch(self, request: _proto.ScheduleRequest) -> bytes:
        state = self._known()
        for name, is_paused in (("pause", True), ("unpause", False)):
            if request.HasField(name):
                self._pause(state, getattr(request, name), is_paused=is_paused)
        if request.triggers:
            self._due(state, self._now_ms, self._now_ms, request.trigger_overlap, is_manual=True)
        for each in request.backfills:
            self._backfill(state, each)
        return b""

    def _pause(self, state: _proto.Schedule, note: str, *, is_paused: bool) -> None:
        if state.definition.state.paused and not is_paused:
            state.handled_ms = self._now_ms
        state.definition.state.paused = is_paused
        state.definition.state.note = note
        state.version += 1

    def _backfill(self, state: _proto.Schedule, given: _proto.ScheduleBackfill) -> None:
        if given.end_ms < given.start_ms:
            raise RefusedError(
                RPCStatusCode.INVALID_ARGUMENT, "EndTime of a backfill is before its StartTime"
            )
        times, count = self._times(state), 0
        at_ms = times.after(given.start_ms - 1)
        while at_ms is not None and at_ms <= given.end_ms:
            count += 1
            if count + len(state.buffered) > _MOST_TIMES:
                raise RefusedError(
                    RPCStatusCode.INVALID_ARGUMENT,
                    f"a backfill may ask for {_MOST_TIMES} actions at most, with those that wait: "
                    "split it",
                )
            self._due(state, at_ms, at_ms, given.overlap, is_manual=True)
            at_ms = times.after(at_ms)

    def _delete(self, request: _proto.ScheduleRequest) -> bytes:
        del request
        state = self._known()
        if state.alarm_token:
            self._outbox.withdrawn.append(state.alarm_token)
        self._state = None
        return b""

    # --- time ---

    def _times(self, state: _proto.Schedule) -> Times:
        return Times(state.definition.spec, self._id)

    def _go_on(self) -> None:
        """Handle every time that has come, and take what actions may be taken."""
        state = self._state
        if state is None:
            return
        if not self._is_idle(state):
            for nominal_ms, due_ms in self._came(state):
                window_ms = state.definition.policy.catchup_window_ms or _YEAR_MS
                if self._now_ms - due_ms > window_ms:
                    state.missed_catchup_window += 1
                else:
                    self._due(state, nominal_ms, due_ms, 0, is_manual=False)
        self._take(state)

    def _is_idle(self, state: _proto.Schedule) -> bool:
        """Whether times pass without an action."""
        stands = state.definition.state
        return stands.paused or (stands.limited_actions and not stands.remaining_actions)

    def _came(self, state: _proto.Schedule) -> Iterator[tuple[int, int]]:
        """The times that have come and were not handled; each is when it is given."""
        times = self._times(state)
        for _ in range(_MOST_TIMES):
            nominal_ms = times.after(state.handled_ms)
            if nominal_ms is None:
                return
            due_ms = times.due_ms(nominal_ms)
            if due_ms > self._now_ms:
                return
            state.handled_ms = nominal_ms
            yield nominal_ms, due_ms
        self._must_go_on = True

    def _due(
        self, state: _proto.Schedule, nominal_ms: int, due_ms: int, overlap: int, *, is_manual: bool
    ) -> None:
        """An action is due: let it wait for its turn."""
        state.buffered.add(
            nominal_ms=nominal_ms,
            due_ms=due_ms,
            overlap=overlap or state.definition.policy.overlap or SKIP,
            is_manual=is_manual,
        )
        self._take(state)

    def _take(self, state: _proto.Schedule) -> None:
        """Take the actions that wait and may be taken; leave out those that their policy says."""
        waiting = list(state.buffered)
        del state.buffered[:]
        for each in waiting:
            if each.overlap == ALLOW_ALL or not state.running:
                self._start(state, each)
                continue
            match each.overlap:
                case 2 if not state.buffered:
                    state.buffered.append(each)
                case 3 if len(state.buffered) < _MOST_TIMES:
                    state.buffered.append(each)
                case 4 | 5:
                    self._end_others(state, each.overlap)
                    state.skipped_overlap += len(state.buffered)
                    del state.buffered[:]
                    state.buffered.append(each)
                case _:
                    state.skipped_overlap += 1

    def _end_others(self, state: _proto.Schedule, overlap: int) -> None:
        """Cancel or terminate what runs, once."""
        for each in state.running:
            if each.is_ending:
                continue
            each.is_ending = True
            request = _proto.Request(first_run_id=each.first_run_id, is_from_workflow=True)
            if overlap == CANCEL_OTHER:
                request.told.cancel.reason = "cancelled by schedule overlap policy"
                name = "cancel"
            else:
                request.reason, name = "terminated by schedule overlap policy", "terminate"
            self._ask(each.workflow_id, name, request.SerializeToString(), "", None)

    def _start(self, state: _proto.Schedule, action: _proto.ScheduledAction) -> None:
        stands = state.definition.state
        if stands.limited_actions and not action.is_manual:
            if not stands.remaining_actions:
                return
            stands.remaining_actions -= 1
        nominal = datetime.fromtimestamp(action.nominal_ms // 1000, UTC)
        state.seq += 1
        start = _proto.Start()
        start.CopyFrom(state.definition.action)
        start.workflow_id = f"{start.workflow_id}-{nominal:%Y-%m-%dT%H:%M:%SZ}"
        start.run_id = derived_id(f"{state.nonce}:{state.seq}")
        start.search_attributes[_STARTED_BY.name].CopyFrom(payload_of(_STARTED_BY, self._id))
        start.search_attributes[_STARTED_FOR.name].CopyFrom(payload_of(_STARTED_FOR, nominal))
        if state.HasField("last_result"):
            start.last_result.CopyFrom(state.last_result)
        if state.HasField("last_failure"):
            start.last_failure.CopyFrom(state.last_failure)
        result = _proto.ScheduleActionResult(
            scheduled_ms=action.due_ms,
            started_ms=self._now_ms,
            workflow_id=start.workflow_id,
            first_run_id=start.run_id,
            seq=state.seq,
        )
        if action.overlap != ALLOW_ALL:
            state.running.append(result)
        state.actions += 1
        state.recent.append(result)
        del state.recent[:-_RECENT]
        self._ask(
            start.workflow_id, "start", start.SerializeToString(), start.run_id, 2 * state.seq
        )

    # --- workflows that were started ---

    def _ask(
        self, workflow_id: str, name: str, argument: bytes, identity: str, seq: int | None
    ) -> None:
        """Ask a workflow for something; its answer comes back by the number, if there is one."""
        route = None
        if seq is not None and self._state is not None:
            route = durable.Route(
                typename=schedule_typename(self._namespace),
                id=self._id,
                execution=self._state.nonce,
                seq=seq,
            )
        envelope = command(name, argument, identity, route)
        self._outbox.send(workflow_typename(self._namespace), workflow_id, envelope)

    def _done(self, done: durable.Done) -> None:
        """A workflow was started, or has ended."""
        state = self._state
        if state is None or done.execution != state.nonce:
            return
        found = next((each for each in state.running if each.seq == done.seq // 2), None)
        refused = failure_of(done.outcome)
        if done.seq % 2 == 0:
            self._started(state, done.seq // 2, found, is_refused=refused is not None)
        elif found is not None and refused is not None:
            state.running.remove(found)  # it is not known any more
        elif found is not None:
            self._ended(state, found, _proto.Ending.FromString(done.outcome.value))

    def _started(
        self,
        state: _proto.Schedule,
        seq: int,
        found: _proto.ScheduleActionResult | None,
        *,
        is_refused: bool,
    ) -> None:
        if is_refused:  # a workflow has that id: the action does not count
            state.actions -= 1
            kept = [each for each in state.recent if each.seq != seq]
            del state.recent[:]
            state.recent.extend(kept)
            if found is not None:
                state.running.remove(found)
        elif found is not None:
            self._await_end(found, found.first_run_id)

    def _await_end(self, running: _proto.ScheduleActionResult, run_id: str) -> None:
        request = _proto.Request(run_id=run_id, is_from_workflow=True).SerializeToString()
        self._ask(running.workflow_id, "result", request, "", 2 * running.seq + 1)

    def _ended(
        self, state: _proto.Schedule, running: _proto.ScheduleActionResult, ending: _proto.Ending
    ) -> None:
        if ending.next_run_id:
            self._await_end(running, ending.next_run_id)
            return
        state.running.remove(running)
        kind = ending.WhichOneof("ending")
        if kind == "result":
            state.last_result.CopyFrom(ending.result)
            state.ClearField("last_failure")
        elif kind in ("failure", "timed_out"):
            failure = getattr(ending, kind)
            state.last_failure.CopyFrom(failure)
            if state.definition.policy.pause_on_failure and not state.definition.state.paused:
                why = "failure" if kind == "failure" else "timeout"
                text = f": {failure.message}" if kind == "failure" else ""
                note = f"paused due to workflow {why}: {running.workflow_id}{text}"
                self._pause(state, note, is_paused=True)

    def end(self) -> Reply:
        """The reply; the turn is over."""
        state = self._state
        if state is None:
            values: dict[str, bytes | None] = {} if self._kept is None else {SCHEDULE_VALUE: None}
            return Reply(values, self._outbox)
        arm(self._outbox, state, self._next_ms(state), self._now_ms, self._token)
        state.time_ms = self._now_ms
        data = state.SerializeToString(deterministic=True)
        return Reply({} if data == self._kept else {SCHEDULE_VALUE: data}, self._outbox)

    def _next_ms(self, state: _proto.Schedule) -> int:
        """When something is due next; 0 for never."""
        if self._is_idle(state):
            return 0
        if self._must_go_on:
            return self._now_ms
        times = self._times(state)
        nominal_ms = times.after(state.handled_ms)
        return 0 if nominal_ms is None else times.due_ms(nominal_ms)
