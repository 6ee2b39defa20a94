"""An application: services, objects and workflows run as ordinary stateful functions.

Every test runs twice: with suspended handlers in memory, and with a replay before every event.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.durable import (
    Context,
    InvocationRetryPolicy,
    ObjectContext,
    ObjectSharedContext,
    RunOptions,
    Service,
    TerminalError,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
)
from statefun.sdk.builders import message_builder
from statefun.sdk.primitives import StringType
from tests.tools.durable.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.durable.declaration import Declaration

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(params=["warm", "cold"])
def stage(request: pytest.FixtureRequest) -> Callable[..., Stage]:
    """Makes a stage for some services."""

    def make(*declarations: Declaration, **options: Any) -> Stage:
        return Stage(declarations, is_cold=request.param == "cold", **options)

    return make


class Ledger:
    """What happened outside of handlers."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def note(self, what: str) -> str:
        self.calls.append(what)
        return what


def counter() -> tuple[VirtualObject, Any, Any]:
    counter = VirtualObject("Counter")

    @counter.handler()
    async def add(ctx: ObjectContext, by: int) -> int:
        total = (await ctx.get("total", int) or 0) + by
        ctx.set("total", total)
        return total

    @counter.handler(kind="shared")
    async def total(ctx: ObjectSharedContext) -> int:
        return await ctx.get("total", int) or 0

    return counter, add, total


def test_an_object_keeps_what_it_is_told(stage: Callable[..., Stage]) -> None:
    """Values stay from one invocation to the next."""
    declared, add, total = counter()
    here = stage(declared)

    assert [here.call(add, 5, key="a"), here.call(add, 2, key="a")] == [5, 7]
    assert [here.call(total, key="a"), here.call(total, key="b")] == [7, 0]


@dataclass
class Cart:
    items: list[str] = field(default_factory=list)
    paid: bool = False


def test_state_that_is_changed_in_place_is_kept(stage: Callable[..., Stage]) -> None:
    """At each durable step and at the end; a replay changes it in the same way."""
    carts = VirtualObject("Carts", state=Cart)

    @carts.handler()
    async def fill(ctx: ObjectContext[Cart], item: str) -> list[str]:
        ctx.state.items.append(item)
        await ctx.sleep(HOUR)
        ctx.state.items.append(f"{item} again")
        await ctx.run_typed("pay", str, RunOptions(), "paid")
        ctx.state.paid = True
        return ctx.state.items

    @carts.handler(kind="shared")
    async def look(ctx: ObjectSharedContext[Cart]) -> list[Any]:
        return [ctx.state.items, ctx.state.paid]

    here = stage(carts)
    asked = here.invoke(fill, "tea", key="k")

    assert here.call(look, key="k") == [["tea"], False]

    here.advance(HOUR)

    assert here.answer(asked) == ["tea", "tea again"]
    assert here.call(look, key="k") == [["tea", "tea again"], True]


def test_state_and_values_by_name_are_one(stage: Callable[..., Stage]) -> None:
    """Whoever holds the state sees what is set, cleared or assigned, and goes on changing it."""
    carts = VirtualObject("Carts", state=Cart)

    @carts.handler()
    async def mix(ctx: ObjectContext[Cart]) -> list[Any]:
        held = ctx.state
        held.items.append("tea")
        ctx.set("note", "by name")
        held.items.append("jam")
        ctx.set("paid", value=True)
        seen = [list(held.items), held.paid, await ctx.get("items")]
        ctx.clear("items")
        held.items.append("salt")
        await ctx.sleep(HOUR)
        seen.append(await ctx.get("items"))
        ctx.state = Cart(["new"])
        return [*seen, await ctx.get("items"), await ctx.get("paid")]

    @carts.handler()
    async def spoil(ctx: ObjectContext[Cart]) -> None:
        cart: Any = "no cart"
        ctx.state = cart

    here = stage(carts)
    asked = here.invoke(mix, key="k")
    here.advance(HOUR)

    assert here.answer(asked) == [["tea", "jam"], True, ["tea", "jam"], ["salt"], ["new"], False]
    assert "declares a Cart, got 'no cart' as its state" in str(here.call(spoil, key="k"))


def test_a_shared_handler_that_changes_the_state_is_told(stage: Callable[..., Stage]) -> None:
    """Nothing that somebody wrote is dropped in silence."""
    carts = VirtualObject("Carts", state=Cart)

    @carts.handler(kind="shared")
    async def pay(ctx: ObjectSharedContext[Cart]) -> None:
        ctx.state.paid = True

    told = stage(carts).call(pay, key="k")

    assert told.status_code == 403
    assert "pay is a shared handler and cannot write 'paid'" in str(told)


def test_a_saga_undoes_its_steps_last_first(stage: Callable[..., Stage]) -> None:
    """By durable steps, when the invocation fails for good, and not between attempts."""
    declared, add, total = counter()
    work, failures = Service("Work"), iter([OSError("once")])

    @work.handler()
    async def run(ctx: Context) -> None:
        async with ctx.saga() as saga:
            for by in (1, 10):
                await ctx.object_call(add, "k", by)
                saga.undo(ctx.object_call, add, "k", -by)
                await ctx.sleep(SECOND)
            for failure in failures:
                raise failure
            raise TerminalError("sold out", 410)

    here = stage(work, declared)
    asked = here.invoke(run)
    here.advance(SECOND)

    assert here.call(total, key="k") == 11

    here.advance(2 * SECOND)

    assert (here.answer(asked).status_code, here.call(total, key="k")) == (410, 0)


def test_an_invocation_that_ends_at_once_leaves_no_trace(stage: Callable[..., Stage]) -> None:
    """Neither a journal nor a timer: only what the handler has kept."""
    declared, add, _ = counter()
    here = stage(declared)

    here.call(add, 5, key="a")

    assert here.harness.state("durable/Counter", "a").keys() == {"entries"}
    assert here.harness.pending_timers == 0


def test_a_sleep_ends_on_time_and_not_before(stage: Callable[..., Stage]) -> None:
    """However long it is; what was kept before it stays."""
    naps = Service("Naps")

    @naps.handler()
    async def nap(ctx: Context) -> float:
        before = await ctx.time()
        await ctx.sleep(365 * 24 * HOUR)
        return (await ctx.time()) - before

    here = stage(naps)
    asked = here.invoke(nap)
    here.advance(365 * 24 * HOUR - SECOND)

    assert here.answers(asked) == []

    here.advance(SECOND)

    assert here.answer(asked) == 365 * 24 * 3600


def test_effects_run_once_and_their_results_stay(stage: Callable[..., Stage]) -> None:
    """A replay gives the recorded results, and one effect follows another's commit."""
    ledger, errands = Ledger(), Service("Errands")

    @errands.handler()
    async def run(ctx: Context) -> list[str]:
        first = await ctx.run_typed("first", ledger.note, RunOptions(), "a")
        await ctx.sleep(HOUR)
        return [first, await ctx.run_typed("second", ledger.note, RunOptions(), f"{first}b")]

    here = stage(errands)
    asked = here.invoke(run)
    here.advance(HOUR)

    assert here.answer(asked) == ["a", "ab"]
    assert ledger.calls == ["a", "ab"]


def test_an_async_effect_runs_on_the_real_loop(stage: Callable[..., Stage]) -> None:
    """It may await whatever it likes."""
    errands = Service("Errands")

    async def fetch() -> str:
        return await asyncio.to_thread(str, 5)

    @errands.handler()
    async def run(ctx: Context) -> str:
        return await ctx.run_typed("fetch", fetch)

    assert stage(errands).call(run) == "5"


def test_an_effect_that_fails_is_tried_again_by_itself(stage: Callable[..., Stage]) -> None:
    """The handler is not run again for it."""
    ledger, errands = Ledger(), Service("Errands")

    def flaky() -> str:
        ledger.note("try")
        if len(ledger.calls) < 3:
            raise OSError("down")
        return "up"

    @errands.handler()
    async def run(ctx: Context) -> str:
        return await ctx.run_typed("flaky", flaky)

    here = stage(errands)
    asked = here.invoke(run)
    here.advance(SECOND)

    assert (here.answer(asked), ledger.calls) == ("up", ["try"] * 3)


def test_an_effect_whose_attempts_are_spent_fails_for_good(stage: Callable[..., Stage]) -> None:
    """The handler gets a TerminalError and may go on."""
    errands = Service("Errands")

    def broken() -> str:
        raise OSError("down")

    @errands.handler()
    async def run(ctx: Context) -> str:
        try:
            return await ctx.run_typed("broken", broken, RunOptions(max_attempts=2))
        except TerminalError as error:
            return error.message

    here = stage(errands)
    asked = here.invoke(run)
    here.advance(SECOND)

    assert here.answer(asked) == "OSError('down')"


def test_asyncio_itself_works_in_handlers(stage: Callable[..., Stage]) -> None:
    """Tasks, groups, timeouts, queues and locks, over durable futures."""
    declared, add, _ = counter()
    work = Service("Work")

    @work.handler()
    async def run(ctx: Context) -> list[Any]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(ctx, number)) for number in (3, 1, 2)]
        results: list[Any] = [task.result() for task in tasks]
        try:
            async with asyncio.timeout(5):
                await ctx.awakeable()[1]
        except TimeoutError:
            results.append("late")
        done, pending = await asyncio.wait(
            [ctx.sleep(9 * SECOND), ctx.sleep(SECOND)], return_when=asyncio.FIRST_COMPLETED
        )
        results += [len(done), len(pending)]
        results += await asyncio.gather(
            ctx.object_call(add, "k", 2), asyncio.wait_for(ctx.object_call(add, "l", 3), 60)
        )
        return results

    async def one(ctx: Context, number: int) -> int:
        await asyncio.sleep(number)
        await ctx.sleep(timedelta(seconds=number))
        return number

    here = stage(work, declared)
    asked = here.invoke(run)
    here.advance(timedelta(minutes=1))

    assert here.answer(asked) == [3, 1, 2, "late", 1, 1, 2, 3]


def test_exclusive_handlers_wait_for_one_another(stage: Callable[..., Stage]) -> None:
    """In order of arrival; shared ones do not wait, and see what was kept."""
    slow = VirtualObject("Slow")

    @slow.handler()
    async def write(ctx: ObjectContext, word: str) -> str:
        words = (await ctx.get("words", str) or "") + word
        ctx.set("words", words)
        await ctx.sleep(SECOND)
        return words

    @slow.handler(kind="shared")
    async def read(ctx: ObjectSharedContext) -> str | None:
        return await ctx.get("words", str)

    here = stage(slow)
    asked = [here.invoke(write, word, key="k") for word in "abc"]

    assert here.call(read, key="k") == "a"

    here.advance(3 * SECOND)

    assert [here.answer(each) for each in asked] == ["a", "ab", "abc"]


def test_a_shared_handler_sees_its_start_for_ever(stage: Callable[..., Stage]) -> None:
    """What it has read once it reads again, whatever was written meanwhile; it cannot write."""
    declared, add, _ = counter()

    @declared.handler(kind="shared")
    async def twice(ctx: ObjectSharedContext) -> list[Any]:
        first = await ctx.get("total", int)
        await ctx.sleep(HOUR)
        return [first, await ctx.get("total", int)]

    @declared.handler(kind="shared")
    async def scribble(ctx: ObjectSharedContext) -> None:
        ctx.set("total", 9)  # type: ignore[attr-defined]

    here = stage(declared)
    here.call(add, 1, key="k")
    asked = here.invoke(twice, key="k")
    here.call(add, 1, key="k")
    here.advance(HOUR)

    assert here.answer(asked) == [1, 1]
    assert here.call(scribble, key="k").status_code == 403


def test_a_failed_attempt_undoes_nothing_and_repeats_nothing(
    stage: Callable[..., Stage], caplog: pytest.LogCaptureFixture
) -> None:
    """Effects, values, calls and sends of the attempt stay; the next one goes on from there."""
    declared, add, total = counter()
    ledger, failures = Ledger(), iter([OSError("once"), OSError("twice")])

    @declared.handler()
    async def shaky(ctx: ObjectContext) -> str:
        ctx.set("seen", "yes")
        ctx.object_send(add, "other", 1)
        found = await ctx.run_typed("effect", ledger.note, RunOptions(), "x")
        called = await ctx.object_call(add, "other", 10)
        for failure in failures:
            raise failure
        return f"{found} {called}"

    here = stage(declared)
    asked = here.invoke(shaky, key="k")
    here.advance(SECOND)

    assert here.answer(asked) == "x 11"
    assert (ledger.calls, here.call(total, key="other")) == (["x"], 11)
    assert "attempt 2 of shaky of Counter/k failed: OSError('twice')" in caplog.text


def test_spent_attempts_end_or_pause_an_invocation(stage: Callable[..., Stage]) -> None:
    """As the policy says; one that is paused goes on when it is resumed."""
    fate = Service("Fate", invocation_retry_policy=InvocationRetryPolicy(max_attempts=2))
    broken = [True]

    @fate.handler(
        invocation_retry_policy=InvocationRetryPolicy(max_attempts=2, on_max_attempts="kill")
    )
    async def killed(_: Context) -> None:
        raise OSError("down")

    @fate.handler()
    async def paused(_: Context) -> str:
        if broken:
            raise OSError("down")
        return "up"

    here = stage(fate)
    first, second = here.invoke(killed), here.invoke(paused)
    here.advance(HOUR)

    assert here.answer(first).message == "OSError('down')"
    assert here.answers(second) == []

    broken.clear()
    here.command(second, "resume")

    assert here.answer(second) == "up"


def test_a_terminal_error_ends_an_invocation_and_its_writes_stay(
    stage: Callable[..., Stage],
) -> None:
    """Its caller sees code, message and metadata."""
    declared, _, total = counter()

    @declared.handler()
    async def refuse(ctx: ObjectContext) -> None:
        ctx.set("total", 9)
        raise TerminalError("no", 418, {"why": "tea"})

    here = stage(declared)
    error = here.call(refuse, key="k")

    assert (error.message, error.status_code, error.metadata) == ("no", 418, {"why": "tea"})
    assert here.call(total, key="k") == 9


def test_a_task_group_that_fails_for_good_ends_the_invocation(
    stage: Callable[..., Stage],
) -> None:
    """Its group of errors is final if every one in it is; else the attempt is repeated."""
    work, attempts = Service("Work"), iter([OSError("once"), None, None])

    async def fails(error: Exception) -> None:
        raise error

    @work.handler()
    async def run(ctx: Context) -> None:
        error = next(attempts)
        async with asyncio.TaskGroup() as group:
            group.create_task(fails(TerminalError("no", 418)))
            if error:
                group.create_task(fails(error))
        await ctx.sleep(HOUR)

    here = stage(work)
    asked = here.invoke(run)

    assert here.answers(asked) == []

    here.advance(SECOND)

    assert here.answer(asked).status_code == 418


def test_cancelling_fails_what_is_awaited_once(stage: Callable[..., Stage]) -> None:
    """Compensation may take durable steps; calls are cancelled and say so by their failure."""
    ledger, work = Ledger(), Service("Work")
    naps = VirtualObject("Naps")

    @naps.handler()
    async def nap(ctx: ObjectContext) -> None:
        await ctx.sleep(HOUR)

    @work.handler()
    async def run(ctx: Context) -> str:
        try:
            await ctx.object_call(nap, "k", None)
        except TerminalError as error:
            await ctx.sleep(SECOND)
            await ctx.run_typed("undo", ledger.note, RunOptions(), "undone")
            return f"{error.status_code} {error.message}"
        return "not cancelled"

    here = stage(work, naps)
    asked = here.invoke(run)
    here.command(asked, "cancel")
    here.advance(SECOND)

    assert (here.answer(asked), ledger.calls) == ("409 cancelled", ["undone"])
    assert here.harness.state("durable/Naps", "k") == {}


def test_cancelling_ends_a_plain_wait_too(stage: Callable[..., Stage]) -> None:
    """A handler in asyncio.sleep ends as cancelled."""
    work = Service("Work")

    @work.handler()
    async def run(_: Context) -> None:
        await asyncio.sleep(3600)

    here = stage(work)
    asked = here.invoke(run)
    here.command(asked, "cancel")

    assert here.answer(asked).status_code == 409


def test_killing_frees_the_key_at_once_and_kills_what_it_calls(
    stage: Callable[..., Stage],
) -> None:
    """Nothing of the handler runs any more; what waited behind it begins."""
    ledger = Ledger()
    stuck = VirtualObject("Stuck")

    @stuck.handler()
    async def hold(ctx: ObjectContext, inner: str) -> None:
        try:
            if inner:
                await ctx.object_call(hold, inner, "")
            await ctx.sleep(HOUR)
        except TerminalError:
            ledger.note("compensated")

    @stuck.handler()
    async def quick(_: ObjectContext) -> str:
        return "free"

    here = stage(stuck)
    asked = here.invoke(hold, "inner", key="outer")
    waiting = [here.invoke(quick, key="outer"), here.invoke(quick, key="inner")]
    here.command(asked, "kill")

    assert here.answer(asked).message == "killed"
    assert [here.answer(each) for each in waiting] == ["free", "free"]
    assert ledger.calls == []


def test_what_waits_in_the_queue_is_cancelled_without_running(stage: Callable[..., Stage]) -> None:
    """It is answered, and the next one takes its turn."""
    ledger, slow = Ledger(), VirtualObject("Slow")

    @slow.handler()
    async def work(ctx: ObjectContext, name: str) -> None:
        ledger.note(name)
        await ctx.sleep(SECOND)

    here = stage(slow)
    asked = [here.invoke(work, name, key="k") for name in "abc"]
    here.command(asked[1], "cancel")
    here.advance(2 * SECOND)

    assert here.answer(asked[1]).status_code == 409
    assert sorted(set(ledger.calls)) == ["a", "c"]


def test_a_delayed_send_waits_and_can_be_cancelled(stage: Callable[..., Stage]) -> None:
    """At an address of its own, so the object does not carry it."""
    declared, add, total = counter()
    work = Service("Work")

    @work.handler()
    async def run(ctx: Context) -> None:
        ctx.object_send(add, "k", 1, send_delay=HOUR)
        await ctx.object_send(add, "k", 10, send_delay=HOUR).cancel_invocation()
        ctx.service_send(later, None, send_delay=HOUR)

    @work.handler()
    async def later(ctx: Context) -> None:
        ctx.object_send(add, "k", 100)

    here = stage(work, declared)
    here.call(run)

    assert here.call(total, key="k") == 0

    here.advance(HOUR)

    assert here.call(total, key="k") == 101
    assert here.harness.pending_timers == 0


def test_invocations_with_one_idempotency_key_are_one(stage: Callable[..., Stage]) -> None:
    """Repeats join it while it runs, and get what it gave as long as that is kept."""
    declared, add, total = counter()
    naps = Service("Naps")

    @naps.handler()
    async def nap(ctx: Context) -> str:
        await ctx.sleep(SECOND)
        return ctx.request().idempotency_key or ""

    here = stage(declared, naps)
    sums = [here.call(add, by, key="k", idempotency_key="one") for by in (5, 6)]
    asked = [here.invoke(nap, idempotency_key="n") for _ in range(2)]
    here.advance(SECOND)
    asked.append(here.invoke(nap, idempotency_key="n"))

    assert (sums, here.call(total, key="k")) == ([5, 5], 5)
    assert [here.answer(each) for each in asked] == ["n", "n", "n"]

    here.advance(24 * HOUR)

    assert here.call(add, 1, key="k", idempotency_key="one") == 6
    assert here.harness.state("durable/Naps", here.ids[asked[0]]) == {}


def test_a_workflow_runs_once_and_its_promises_join_its_handlers(
    stage: Callable[..., Stage],
) -> None:
    """Main waits for what a shared handler resolves; later runs are refused with 409."""
    order = Workflow("Order")

    @order.main()
    async def run(ctx: WorkflowContext, item: str) -> str:
        ctx.set("status", "waiting")
        who = await ctx.promise("approval", type_hint=str)
        ctx.set("status", "done")
        return f"{item} for {who}"

    @order.handler()
    async def approve(ctx: WorkflowSharedContext, who: str) -> str:
        promise = ctx.promise("approval", type_hint=str)
        before = await promise.peek()
        try:
            await promise.resolve(who)
        except TerminalError as error:
            return f"{before} {error.status_code}"
        return f"{before}"

    @order.handler()
    async def status(ctx: WorkflowSharedContext) -> str | None:
        return await ctx.get("status", str)

    here = stage(order)
    asked = here.invoke(run, "tea", key="o1")

    assert here.call(status, key="o1") == "waiting"
    assert [here.call(approve, who, key="o1") for who in ("Ada", "Bob")] == ["None", "Ada 409"]
    assert here.answer(asked) == "tea for Ada"
    assert here.call(status, key="o1") == "done"
    assert here.call(run, "tea", key="o1").status_code == 409

    here.advance(24 * HOUR)

    assert here.harness.state("durable/Order", "o1") == {}
    here.invoke(run, "tea", key="o1")
    assert here.call(approve, "Eve", key="o1") == "None"


def test_awakeables_and_signals_bring_values_from_outside(stage: Callable[..., Stage]) -> None:
    """The first completion counts; signals wait for whoever takes them."""
    ids: dict[str, str] = {}
    work = Service("Work")

    @work.handler()
    async def wait(ctx: Context) -> list[Any]:
        ids["invocation"] = ctx.request().id
        ids["awakeable"], future = ctx.awakeable(type_hint=str)
        got = [await future, await ctx.signal("s", type_hint=int)]
        try:
            await ctx.signal("s")
        except TerminalError as error:
            got.append(error.status_code)
        return got

    @work.handler()
    async def wake(ctx: Context) -> None:
        ctx.resolve_signal(ids["invocation"], "s", 1)
        ctx.reject_signal(ids["invocation"], "s", "no", 418)
        ctx.resolve_awakeable(ids["awakeable"], "first")
        ctx.reject_awakeable(ids["awakeable"], "second")

    here = stage(work)
    asked = here.invoke(wait)
    here.call(wake)

    assert here.answer(asked) == ["first", 1, 418]


def test_an_invocation_can_be_attached_to(stage: Callable[..., Stage]) -> None:
    """By its id, while it runs; an unknown one is 404."""
    naps, work = VirtualObject("Naps"), Service("Work")

    @naps.handler()
    async def nap(ctx: ObjectContext) -> str:
        await ctx.sleep(SECOND)
        return "rested"

    @work.handler()
    async def run(ctx: Context) -> list[Any]:
        call = ctx.object_call(nap, "k", None)
        name = await call.invocation_id()
        joined = ctx.attach_invocation(name, type_hint=str)
        got: list[Any] = [await call, await joined]
        try:
            await ctx.attach_invocation(name)
        except TerminalError as error:
            got.append(error.status_code)
        return got

    here = stage(naps, work)
    asked = here.invoke(run)
    here.advance(SECOND)

    assert here.answer(asked) == ["rested", "rested", 404]


def test_what_can_never_succeed_fails_at_once(stage: Callable[..., Stage]) -> None:
    """The own key, an unknown target, a missing key, a malformed id, a negative sleep."""
    declared, add, _ = counter()

    @declared.handler()
    async def tries(ctx: ObjectContext) -> list[int]:
        codes = []
        for attempt in (
            lambda: ctx.object_call(add, "k", 1),
            lambda: ctx.generic_call("Nobody", "x", b""),
            lambda: ctx.generic_call("Counter", "nothing", b"", key="k"),
            lambda: ctx.generic_call("Counter", "add", b"1"),
            lambda: ctx.attach_invocation("inv_1nonsense"),
            lambda: ctx.sleep(-SECOND),
        ):
            try:
                await attempt()
            except TerminalError as error:
                codes.append(error.status_code)
        return codes

    assert stage(declared).call(tries, key="k") == [409, 404, 404, 400, 400, 400]


def test_a_plain_function_and_a_handler_call_one_another(stage: Callable[..., Stage]) -> None:
    """A handler awaits what a function sends to its caller; a function sends an invocation."""
    declared, add, total = counter()
    work = Service("Work")

    @work.handler()
    async def run(ctx: Context) -> Any:
        answer = await ctx.call_function("com.example/echo", "Ada", "hello")
        message = message_builder("com.example/adder", "x", str_value=answer)
        ctx.send_function(message)
        return answer

    here = stage(work, declared)

    async def echo(context: Any, message: Any) -> None:
        caller = context.caller
        text = f"{message.as_string()} {context.address.id}"
        context.send(message_builder(caller.typename, caller.id, value=text, value_type=StringType))

    async def adder(context: Any, _: Any) -> None:
        context.send(here.application.invoke(add, 5, key="k"))

    here.application.register("com.example/echo", echo)
    here.application.register("com.example/adder", adder)
    here = here.again()

    assert here.call(run) == "hello Ada"
    assert here.call(total, key="k") == 5


def test_other_code_is_noticed_told_and_healed(
    stage: Callable[..., Stage], caplog: pytest.LogCaptureFixture
) -> None:
    """The invocation waits, nothing is emitted; with the old code it goes on."""
    work, is_new = Service("Work"), list[bool]()
    declared, add, total = counter()

    @work.handler()
    async def run(ctx: Context) -> str:
        await ctx.sleep(SECOND, name="new" if is_new else "old")
        await ctx.object_call(add, "k", 1)
        return "done"

    here = stage(work, declared)
    asked = here.invoke(run)
    is_new.append(True)
    here.forget()
    here.advance(SECOND)

    assert (here.answers(asked), here.call(total, key="k")) == ([], 0)
    assert "recorded is sleep old, now it is sleep new, at test_application.py:" in caplog.text

    is_new.clear()
    here.advance(timedelta(minutes=2))

    assert here.answer(asked) == "done"


def test_what_a_replay_could_not_repeat_is_replaced_or_refused(
    stage: Callable[..., Stage],
) -> None:
    """Time and chance are those of the invocation; threads are refused with a hint."""
    work = Service("Work", invocation_retry_policy=InvocationRetryPolicy(max_attempts=1))
    seen: list[Any] = []

    @work.handler()
    async def draw(ctx: Context) -> list[Any]:
        drawn = [time.time(), random.random(), str(uuid.uuid4()), str(ctx.uuid())]
        seen.append(drawn)
        await ctx.sleep(SECOND)
        return drawn

    @work.handler(
        invocation_retry_policy=InvocationRetryPolicy(max_attempts=1, on_max_attempts="kill")
    )
    async def thread(_: Context) -> None:
        await asyncio.to_thread(print)

    here = stage(work)
    asked = here.invoke(draw)
    here.forget()
    here.advance(SECOND)

    assert here.answer(asked) == seen[0]
    assert all(each == seen[0] for each in seen[1:])
    assert "ctx.run_typed" in here.call(thread).message


def test_a_handler_that_waits_in_vain_is_told(
    stage: Callable[..., Stage], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing would ever complete what it awaits, so the attempt fails."""
    work = Service("Work")

    @work.handler()
    async def run(_: Context) -> None:
        await asyncio.Event().wait()

    stage(work).invoke(run)

    assert "awaits something that no durable step will ever complete" in caplog.text


def test_a_message_that_cannot_be_read_hurts_nobody(
    stage: Callable[..., Stage], caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the log, and kept at the egress for such."""
    declared, add, _ = counter()
    here = stage(declared, dead_letters="com.example/unreadable")
    here.harness.send("durable/Counter", "k", str_value="hello")
    here.run()

    assert here.call(add, 1, key="k") == 1
    assert len(here.harness.egress("com.example/unreadable")) == 1
    assert "'k' got a io.statefun.types/string of 7 bytes, which it cannot read" in caplog.text
    assert caplog.records[0].levelno == logging.ERROR


def test_a_later_effect_waits_until_the_result_of_an_earlier_one_is_durable() -> None:
    """Else a crash takes the result back that it has acted on, and it is another one then."""
    work = Service("Work")
    done: list[str] = []

    @work.handler()
    async def run(ctx: Context) -> None:
        for step in ("first", "second"):
            await ctx.run_typed(step, done.append, RunOptions(), step)

    here = Stage([work])
    driver = here.harness._driver
    asked = here.application.invoke(run)
    here.harness.send(asked)

    while here.harness._step():
        pass

    assert done == ["first"]

    driver.commit()
    here.run()

    assert done == ["first", "second"]
