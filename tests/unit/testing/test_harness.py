"""The harness: functions in a test, on a clock the test moves."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from statefun.errors import (
    AddressBusyError,
    ConfigurationError,
    DefinitionError,
    InvocationError,
    MessageArgumentsError,
    RemoteProtocolError,
    TransportError,
    UnknownFunctionError,
)
from statefun.runtime.engine.policy import FailurePolicy, Limits
from statefun.runtime.engine.retry import Backoff
from statefun.runtime.options import RuntimeOptions
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.testing import Harness, ManualClock
from statefun.testing.ports import FakeEndpoint

if TYPE_CHECKING:
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

functions = StatefulFunctions()
SECOND = timedelta(seconds=1)


@functions.bind("t/count", specs=[ValueSpec("count", IntType)])
async def count(context: Context, message: Message) -> None:
    context.storage.count = (context.storage.count or 0) + 1


@functions.bind("t/relay")
async def relay(context: Context, message: Message) -> None:
    """Counts, tells an egress, and does the same again a second later, three times in all."""
    left = message.as_int() or 0
    context.send(message_builder("t/count", context.address.id, int_value=left))
    context.send_egress(
        egress_message_builder("t/out", value=f"{left} left", value_type=StringType)
    )
    if left > 1:
        again = message_builder("t/relay", context.address.id, int_value=left - 1)
        context.send_after(SECOND, again)


@functions.bind("t/flaky", specs=[ValueSpec("tries", IntType)])
async def flaky(context: Context, message: Message) -> None:
    FLAKY_CALLS.append(1)
    context.storage.tries = len(FLAKY_CALLS)
    context.send(message_builder("t/count", "flaky", str_value="x"))
    if len(FLAKY_CALLS) < 3:
        raise ValueError("not yet")


@functions.bind("t/lost")
async def lost(context: Context, message: Message) -> None:
    context.send(message_builder("t/nowhere", "1", str_value="x"))


@functions.bind("t/exits")
async def exits(context: Context, message: Message) -> None:
    raise ENDS[message.as_int() or 0]


@functions.bind("t/cancels")
async def cancels(context: Context, message: Message) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


FLAKY_CALLS: list[int] = []
ENDS: list[BaseException] = [SystemExit(3), asyncio.CancelledError(), RecursionError("too deep")]


@pytest.fixture
def harness() -> Harness:
    FLAKY_CALLS.clear()
    return Harness(functions)


def test_nothing_runs_before_it_is_told_to(harness: Harness) -> None:
    """Sending only puts a message into the mailbox."""
    harness.send("t/count", "a", int_value=1)
    before = harness.state("t/count", "a")

    harness.run()

    assert (before, harness.state("t/count", "a")["count"].value) == ({}, 1)


def test_a_message_is_sent_whole_or_in_parts(harness: Harness) -> None:
    """Both ways mean the same."""
    harness.send(message_builder("t/count", "a", str_value="x"))
    harness.send("t/count", "a", value="x", value_type=StringType)
    harness.run()

    assert harness.state("t/count", "a")["count"].value == 2


def test_messages_of_functions_are_worked_off_too(harness: Harness) -> None:
    """Until nothing is left that can run now."""
    harness.send("t/relay", "a", int_value=3)
    harness.run()

    assert harness.is_idle
    assert harness.state("t/count", "a")["count"].value == 1
    assert [record.value for record in harness.egress("t/out")] == ["3 left"]
    assert harness.pending_timers == 1


def test_delayed_messages_are_delivered_as_time_advances(harness: Harness) -> None:
    """Each at its own time, with what follows from it, before the clock goes on."""
    harness.send("t/relay", "a", int_value=3)
    harness.advance(timedelta(milliseconds=999))
    before = [record.value for record in harness.egress("t/out")]
    harness.advance(timedelta(seconds=10))

    assert before == ["3 left"]
    assert [record.value for record in harness.egress("t/out")] == ["3 left", "2 left", "1 left"]
    assert harness.state("t/count", "a")["count"].value == 3
    assert harness.pending_timers == 0


def test_time_is_that_of_the_clock_that_was_given() -> None:
    """It ends up exactly where it was advanced to."""
    clock = ManualClock(1000)
    harness = Harness(functions, clock=clock)

    harness.advance(SECOND)

    assert clock.now_ms() == 2000


def test_a_function_that_fails_makes_run_raise(harness: Harness) -> None:
    """With what it raised as the cause, and nothing it did is kept."""
    harness.send("t/flaky", "a", str_value="x")

    with pytest.raises(InvocationError) as error:
        harness.run()

    assert isinstance(error.value.__cause__, ValueError)
    assert (harness.state("t/flaky", "a"), harness.state("t/count", "flaky")) == ({}, {})


def test_a_failure_hides_nothing_that_others_did(harness: Harness) -> None:
    """What ran beside it is there."""
    harness.send("t/flaky", "a", str_value="x")
    harness.send("t/relay", "b", int_value=1)

    with pytest.raises(InvocationError):
        harness.run()

    assert [record.value for record in harness.egress()] == ["1 left"]


def test_failures_can_be_collected_and_are_tried_again_as_time_advances() -> None:
    """By the policy of the runtime: after 100 ms, after 200 ms, and so on."""
    FLAKY_CALLS.clear()
    harness = Harness(functions, raise_failures=False)
    harness.send("t/flaky", "a", str_value="x")
    harness.run()
    is_idle = harness.is_idle
    harness.advance(SECOND)

    assert not is_idle
    assert [failed_attempt.attempts for failed_attempt in harness.failures] == [1, 2]
    assert [failed_attempt.decision.delay_ms for failed_attempt in harness.failures] == [100, 200]
    assert harness.state("t/flaky", "a")["tries"].value == 3
    assert harness.state("t/count", "flaky")["count"].value == 1


def test_what_failed_too_often_is_a_dead_letter() -> None:
    """As in the runtime, so a test can say what becomes of it."""
    harness = Harness(functions, raise_failures=False)
    harness.send("t/lost", "a", str_value="x")
    harness.run()

    [letter] = harness.dead_letters
    assert (letter.target.typename, letter.attempts) == ("t/lost", 1)
    assert harness.is_idle


@pytest.mark.parametrize("end", range(len(ENDS)))
def test_whatever_a_function_raises_is_a_failed_attempt(end: int) -> None:
    """Also what asks the whole process to end; the batch is tried again."""
    harness = Harness(functions, raise_failures=False)
    harness.send("t/exits", "a", int_value=end)

    harness.run()
    harness.advance(timedelta(milliseconds=100))

    assert [failed_attempt.attempts for failed_attempt in harness.failures] == [1, 2]
    assert [type(failed_attempt.error.__cause__) for failed_attempt in harness.failures] == [
        type(ENDS[end])
    ] * 2


def test_a_function_that_cancels_itself_is_a_failed_attempt() -> None:
    """Nobody else could have done it; the error says so."""
    harness = Harness(functions, raise_failures=False)
    harness.send("t/cancels", "a", str_value="x")

    harness.run()

    assert [str(failed_attempt.error) for failed_attempt in harness.failures] == [
        (
            "the call of t/cancels 'a' was cancelled by its own code: let the function return, or "
            "raise an Exception"
        )
    ]


def test_a_reply_that_no_engine_accepts_is_a_failure(harness: Harness) -> None:
    """Sending to a function that does not exist is found in the test already."""
    harness.send("t/lost", "a", str_value="x")

    with pytest.raises(RemoteProtocolError, match="t/lost 'a' sent a message to t/nowhere '1'"):
        harness.run()


def test_sending_to_an_unknown_function_is_an_error(harness: Harness) -> None:
    """At once."""
    with pytest.raises(UnknownFunctionError):
        harness.send("t/nowhere", "a", str_value="x")


def test_the_state_of_an_unknown_function_is_an_error(harness: Harness) -> None:
    """A mistyped name would have no values, and a test that expects none would pass."""
    with pytest.raises(UnknownFunctionError, match="no function is registered as 't/conut'"):
        harness.state("t/conut", "1")


def test_what_is_neither_functions_nor_time_is_told_what_to_pass(harness: Harness) -> None:
    """It is said where it was passed."""
    with pytest.raises(DefinitionError, match="5 is not a StatefulFunctions: pass what"):
        Harness(5)  # type: ignore[arg-type]
    with pytest.raises(
        ConfigurationError, match="advance takes a timedelta, got int 5: write for example"
    ):
        harness.advance(5)  # type: ignore[arg-type]


def test_a_whole_message_takes_no_further_parts(harness: Harness) -> None:
    """It has a target and a value already."""
    message = message_builder("t/count", "a", str_value="x")

    with pytest.raises(MessageArgumentsError, match="is a whole message"):
        harness.send(message, "b")


def test_any_egress_exists_unless_they_are_named() -> None:
    """A test may insist on the names."""
    strict = Harness(functions, egresses=["t/other"])
    strict.send("t/relay", "a", int_value=1)

    with pytest.raises(RemoteProtocolError, match="the egress 't/out', which does not exist"):
        strict.run()


def test_records_are_told_apart_by_their_egress(harness: Harness) -> None:
    """`egress` gives those of one, or all."""
    harness.send("t/relay", "a", int_value=1)
    harness.run()

    [record] = harness.egress("t/out")
    assert (record.typename, record.value) == ("io.statefun.types/string", "1 left")
    assert (harness.egress("t/none"), harness.egress()) == ([], [record])


def test_functions_may_come_from_several_registries() -> None:
    """They reach one another."""
    others = StatefulFunctions()

    @others.bind("t/front")
    async def front(context: Context, message: Message) -> None:
        context.send(message_builder("t/count", "a", str_value="x"))

    harness = Harness([functions, others])
    harness.send("t/front", "1", str_value="x")
    harness.run()

    assert harness.state("t/count", "a")["count"].value == 1


async def test_it_works_inside_a_running_event_loop(harness: Harness) -> None:
    """An async test may use it."""
    harness.send("t/count", "a", int_value=1)
    harness.run()

    assert harness.state("t/count", "a")["count"].value == 1


BARE = """
import sys
import statefun, statefun.testing, statefun.runtime
third = {"aiohttp", "filelock", "pydantic", "yaml", "prometheus_client", "granian", "uvloop"}
sys.exit(", ".join(sorted(third & set(sys.modules))) or 0)
"""


def test_the_test_kit_and_the_runtime_are_imported_with_protobuf_alone() -> None:
    """Extras are imported when they are used."""
    run = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")


# --- what else a runtime has ----------------------------------------------------------------------


def test_a_message_with_a_known_key_is_not_taken_in_again(harness: Harness) -> None:
    """The key is remembered over a restart."""
    for _ in range(2):
        harness.send("t/count", "a", int_value=1, key="K")
        harness.run()
    harness.restart()
    harness.send("t/count", "a", int_value=1, key="K")
    harness.run()

    assert harness.state("t/count", "a")["count"].value == 1


def test_an_address_has_the_limits_of_the_runtime() -> None:
    """What is over them is refused as an ingress would be."""
    harness = Harness(functions, limits=Limits(max_waiting=1))
    harness.send("t/count", "a", int_value=1)

    with pytest.raises(AddressBusyError):
        harness.send("t/count", "a", int_value=1)


def test_a_topic_has_a_policy_of_its_own() -> None:
    """It goes before that of the function."""
    harness = Harness(
        functions,
        raise_failures=False,
        topic_failure={"clicks": FailurePolicy("drop", Backoff(attempts=1))},
    )
    harness.send("t/lost", "a", str_value="x", topic="clicks")
    harness.send("t/lost", "b", str_value="x", topic="orders")
    harness.run()

    assert [letter.target.id for letter in harness.dead_letters] == ["b"]


def test_after_a_restart_state_messages_and_timers_are_there(harness: Harness) -> None:
    """As after a deploy; a version that is given takes over."""
    harness.send("t/count", "a", int_value=1)
    harness.run()
    newer = StatefulFunctions()

    @newer.bind("t/count", specs=[ValueSpec("count", IntType)])
    def doubled(context: Context, _: Message) -> None:
        context.storage.count *= 2

    harness.restart(newer)
    harness.send("t/count", "a", int_value=1)
    harness.run()

    assert harness.state("t/count", "a")["count"].value == 2
    with pytest.raises(UnknownFunctionError):
        harness.send("t/flaky", "a", str_value="x")


# --- functions elsewhere --------------------------------------------------------------------------


def elsewhere() -> StatefulFunctions:
    """A function that counts, and tells the one that is here."""
    functions = StatefulFunctions()

    @functions.bind("far/count", specs=[ValueSpec("seen", IntType)])
    async def count(context: Context, message: Message) -> None:
        context.storage.seen = (context.storage.seen or 0) + 1
        context.send(message_builder("near/note", context.address.id, int_value=1))

    return functions


def nearby() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("near/note", specs=[ValueSpec("noted", IntType)])
    async def note(context: Context, message: Message) -> None:
        context.storage.noted = (context.storage.noted or 0) + 1

    return functions


def test_functions_behind_an_endpoint_run_like_those_that_are_here() -> None:
    """They send to one another, and their state is kept and can be looked at."""
    harness = Harness(nearby(), endpoints=[FakeEndpoint("far/*", elsewhere())])
    harness.send("far/count", "1", str_value="x")
    harness.run()

    assert harness.state("far/count", "1")["seen"].value == 1
    assert harness.state("near/note", "1")["noted"].value == 1


def test_an_endpoint_that_cannot_be_reached_is_tried_again() -> None:
    """Such an attempt does not count, however many there are."""
    endpoint = FakeEndpoint("far/*", elsewhere(), failure=FailurePolicy("drop", Backoff()))
    harness = Harness(nearby(), endpoints=[endpoint], raise_failures=False)
    endpoint.error = TransportError("no connection", connected=False)
    harness.send("far/count", "1", str_value="x")
    harness.advance(timedelta(hours=1))
    attempts = len(endpoint.requests)

    endpoint.error = None
    harness.advance(timedelta(minutes=1))

    assert attempts > 100
    assert harness.state("far/count", "1")["seen"].value == 1


def test_the_policy_and_the_limits_of_an_endpoint_hold_for_its_functions_alone() -> None:
    """As those of a module file do."""
    broken = StatefulFunctions()
    broken.register("far/broken", lambda _, __: 1 / 0)
    endpoint = FakeEndpoint(
        "far/*",
        broken,
        failure=FailurePolicy("drop", Backoff(attempts=1)),
        limits=Limits(max_waiting=1),
    )
    harness = Harness(nearby(), endpoints=[endpoint], raise_failures=False)
    harness.send("far/broken", "1", str_value="x")
    with pytest.raises(AddressBusyError):
        harness.send("far/broken", "1", str_value="y")
    for value in "xy":
        harness.send("near/note", "1", str_value=value)
    harness.run()

    assert harness.dead_letters == []
    assert harness.is_idle
    assert harness.state("near/note", "1")["noted"].value == 2


def test_a_harness_takes_the_options_of_a_runtime() -> None:
    """The same value configures both."""
    options = RuntimeOptions(limits=Limits(max_waiting=1), max_waiting_bytes=10_000)
    harness = Harness(nearby(), options=options)
    harness.send("near/note", "1", str_value="x")

    with pytest.raises(AddressBusyError, match="wait for near/note '1'"):
        harness.send("near/note", "1", str_value="y")
