"""Bugs to be planted in workflows, to see whether the simulation finds them; see durable's."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

from statefun.workflows import _proto, activity_turn, program, workflow_turn
from statefun.workflows.activity_turn import ActivityTurn
from statefun.workflows.alarms import arm
from statefun.workflows.calls import Outbound
from statefun.workflows.endings import ContinueAsNewError
from statefun.workflows.instance import Instance, _ReadOnly
from statefun.workflows.refusals import RefusedError
from statefun.workflows.service import RPCStatusCode
from statefun.workflows.workflow_turn import WorkflowTurn
from tests.tools.durable.bugs import Bug

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BUGS"]

BUGS: list[Bug] = []


def bug(name: str, owner: Any, function: str) -> Callable[[Any], Any]:
    """Add a bug: the decorated function makes the variation."""

    def add(spoil: Any) -> Any:
        BUGS.append(Bug(name, owner, function, spoil))
        return spoil

    return add


def nothing(_: Any) -> Any:
    """A function that does nothing."""
    return lambda *_args, **_options: None


# --- activities -----------------------------------------------------------------------------------


@bug("what runs once is begun without being claimed", ActivityTurn, "attempt")
def _(original: Any) -> Any:
    def attempt(self: Any) -> Any:
        if self._state is not None and not self._state.owner:
            self._state.owner = self._worker
        return original(self)

    return attempt


@bug("a worker takes over what another one has claimed", ActivityTurn, "attempt")
def _(original: Any) -> Any:
    def attempt(self: Any) -> Any:
        if self._state is not None and self._state.owner:
            self._state.owner = self._worker
        return original(self)

    return attempt


@bug("attempts are not counted", ActivityTurn, "_fail")
def _(original: Any) -> Any:
    def fail(self: Any, failure: Any) -> None:
        original(self, failure)
        if self._state is not None:
            self._state.attempt = max(self._state.attempt - 1, 1)

    return fail


@bug("an activity is tried without end", activity_turn, "next_attempt")
def _(original: Any) -> Any:
    def following(policy: Any, attempt: int, failure: Any, left_ms: Any) -> Any:
        endless = _proto.RetryPolicy()
        endless.CopyFrom(policy)
        endless.maximum_attempts = 0
        return original(endless, attempt, failure, left_ms)

    return following


@bug("a final failure is followed by an attempt", activity_turn, "next_attempt")
def _(original: Any) -> Any:
    def following(policy: Any, attempt: int, failure: Any, left_ms: Any) -> Any:
        del failure
        return original(policy, attempt, _proto.Failure(), left_ms) if attempt > 1 else 1000

    return following


@bug("the details of the last heartbeat are lost", ActivityTurn, "goes_on")
def _(original: Any) -> Any:
    return lambda self, _: original(self, None)


@bug("the caller of an activity is told twice", ActivityTurn, "_conclude")
def _(original: Any) -> Any:
    def conclude(self: Any, ending: Any) -> None:
        state = self._state
        original(self, ending)
        self._state = state
        original(self, ending)

    return conclude


@bug("the caller of an activity is told before that is durable", ActivityTurn, "end")
def _(original: Any) -> Any:
    def end(self: Any) -> Any:
        reply = original(self)
        reply.has_acted = False
        return reply

    return end


@bug("nobody looks at a claimed attempt again", ActivityTurn, "_check_lease")
def _(original: Any) -> Any:
    return nothing(original)


@bug("two activities have one address", Outbound, "start_activity")
def _(original: Any) -> Any:
    def start(self: Any, given: Any) -> Any:
        self._instance.activities = 0
        return original(self, given)

    return start


# --- workflows ------------------------------------------------------------------------------------


@bug("a signal that is repeated is told twice", WorkflowTurn, "_signal")
def _(original: Any) -> Any:
    def signal(self: Any, invoke: Any) -> Any:
        if self._state is not None:
            del self._state.signal_ids[:]
        return original(self, invoke)

    return signal


@bug("an id that is taken begins another run", WorkflowTurn, "_taken")
def _(_: Any) -> Any:
    def taken(self: Any, state: Any) -> Any:
        start = _proto.Start()
        start.CopyFrom(state.start)
        start.run_id += " again"
        self._begin(start, self._now_ms)
        return RefusedError(RPCStatusCode.ALREADY_EXISTS, "taken")

    return taken


@bug("what came before the run began is lost", WorkflowTurn, "_send_start")
def _(original: Any) -> Any:
    def send(self: Any, state: Any) -> None:
        del state.buffered[:]
        original(self, state)

    return send


@bug("a run and the next one have one id", workflow_turn, "derived_id")
def _(_: Any) -> Any:
    return lambda run_id: run_id


@bug("who waits for a result is told twice", WorkflowTurn, "_close")
def _(original: Any) -> Any:
    def close(self: Any, state: Any, ending: Any) -> None:
        waiters = list(state.waiters)
        original(self, state, ending)
        state.waiters.extend(waiters)
        original(self, state, ending)

    return close


@bug("runs that are over are never forgotten", WorkflowTurn, "_go_on")
def _(original: Any) -> Any:
    def go_on(self: Any) -> None:
        state = self._state
        past = [] if state is None else list(state.past)
        if state is not None:
            del state.past[:]
        original(self)
        if self._state is not None:
            self._state.past.extend(past)

    return go_on


@bug("a run that is forgotten is not put away", WorkflowTurn, "_kill")
def _(original: Any) -> Any:
    return nothing(original)


@bug("an alarm is armed only once", workflow_turn, "arm")
def _(_: Any) -> Any:
    def armed(outbox: Any, holder: Any, due_ms: int, now_ms: int, token: str) -> None:
        if not holder.alarm_token:
            arm(outbox, holder, due_ms, now_ms, token)

    return armed


# --- runs -----------------------------------------------------------------------------------------


@bug("what comes when a run is over is dropped", Instance, "_return")
def _(original: Any) -> Any:
    return nothing(original)


@bug("children outlive their parents", program, "close_children")
def _(original: Any) -> Any:
    return nothing(original)


@bug("a run that is over leaves its updates without an answer", Instance, "_abandon_updates")
def _(original: Any) -> Any:
    return nothing(original)


@bug("a UUID is drawn from real chance", Instance, "new_uuid")
def _(_: Any) -> Any:
    return lambda _: uuid.UUID(bytes=os.urandom(16))


@bug("after a query a run stays read-only", _ReadOnly, "__exit__")
def _(original: Any) -> Any:
    return nothing(original)


@bug("no validator is asked", Instance, "_admit")
def _(original: Any) -> Any:
    def admit(self: Any, update: Any) -> Any:
        definition = self._updates[update.name]
        self._updates[update.name] = type(definition)(**{**definition.__dict__, "validator": None})
        return original(self, update)

    return admit


@bug("an update that is repeated runs again", Instance, "_update")
def _(original: Any) -> Any:
    def update(self: Any, given: Any) -> None:
        self._update_states.pop(given.id, None)
        original(self, given)

    return update


@bug("a run goes on as new with the arguments that it had", Outbound, "continue_as_new")
def _(original: Any) -> Any:
    def continued(self: Any, given: Any) -> Any:
        try:
            original(self, given)
        except ContinueAsNewError as error:
            error.start.arguments.CopyFrom(self._instance.start.arguments)
            raise

    return continued
