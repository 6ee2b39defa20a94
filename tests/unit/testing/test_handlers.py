"""The harness for durable handlers: on a clock that the test moves."""

from __future__ import annotations

import asyncio
import gc
import random as chance
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from statefun.durable import (
    Context,
    JournalValueCodec,
    ObjectContext,
    RunOptions,
    Service,
    TerminalError,
    VirtualObject,
    app,
)
from statefun.durable.recording import Recording, differences
from statefun.errors import ConfigurationError
from statefun.testing import DurableHarness

shop = Service("Shop")
bank = Service("Bank")
stock = VirtualObject("Stock")
performed: Counter[str] = Counter()


@stock.handler()
async def take(ctx: ObjectContext, count: int) -> int:
    left = (await ctx.get("left", type_hint=int) or 10) - count
    ctx.set("left", left)
    return left


@bank.handler()
async def charge(ctx: Context, amount: int) -> str:
    raise AssertionError("the real bank is not asked in a test")


@shop.handler()
async def buy(ctx: Context, item: str) -> list[Any]:
    left = await ctx.object_call(take, item, 2)
    receipt = await ctx.service_call(charge, 20)
    await ctx.sleep(timedelta(hours=1))
    return [left, receipt, await ctx.run_typed("pack", pack, RunOptions(), item)]


def pack(item: str) -> str:
    performed[item] += 1
    return f"{item} packed"


@shop.handler()
async def wait(ctx: Context) -> str:
    name, answer = ctx.awakeable(type_hint=str)
    ctx.service_send(told, name)
    return await answer


@shop.handler()
async def told(ctx: Context, name: str) -> None:
    """Where a test reads the id of an awakeable."""


@shop.handler()
async def gamble(ctx: Context) -> None:
    if chance.SystemRandom().random() < 2:  # the machine's own, which nobody substitutes
        await ctx.sleep(timedelta(seconds=len(drawn)))
    drawn.append(1)
    await ctx.run_typed(f"draw {len(drawn)}", str, RunOptions(), "x")
    await ctx.sleep(timedelta(seconds=1))


drawn: list[int] = []
APP = app([shop, bank, stock])
MOCKS: dict[Any, Any] = {charge: lambda _, amount: f"paid {amount}"}


def test_a_call_lets_time_pass_until_it_is_answered() -> None:
    """An hour of sleep takes no time; a mock stands in for a handler."""
    harness = DurableHarness(APP, mocks=MOCKS)
    before = harness.clock.now_ms()

    assert harness.call(buy, "tea") == [8, "paid 20", "tea packed"]
    assert harness.clock.now_ms() - before >= 3_600_000


def test_what_was_called_can_be_asked_and_asserted() -> None:
    """Each call once, however often its turn ran; with its key and its argument."""
    harness = DurableHarness(APP, mocks=MOCKS, faults=0.3)
    harness.call(buy, "tea")

    assert [(each.handler, each.key, each.argument) for each in harness.called()] == [
        ("buy", "", "tea"),
        ("take", "tea", 2),
        ("charge", "", 20),
    ]
    harness.assert_called(take, key="tea", argument=2, times=1)
    harness.assert_called(charge)
    with pytest.raises(AssertionError, match="was called 0 times so, expected 2 times; all calls"):
        harness.assert_called(take, key="jam", times=2)


def test_a_failure_is_raised() -> None:
    """As a client would get it."""

    def declined(_: Any, __: int) -> str:
        raise TerminalError("no money", 402)

    harness = DurableHarness(APP, mocks={charge: declined})

    with pytest.raises(TerminalError, match="no money"):
        harness.call(buy, "tea")


def test_faults_repeat_effects_and_change_no_result() -> None:
    """A process that dies before its reply: the turn runs again, and acts on the world again."""
    performed.clear()
    for seed in range(20):
        harness = DurableHarness(APP, mocks=MOCKS, faults=0.4, seed=seed, replay="always")
        assert harness.call(buy, "jam") == [8, "paid 20", "jam packed"]

    assert performed["jam"] > 20


def test_an_effect_that_is_performed_again_has_the_same_uuid() -> None:
    """The other side can know it by that."""
    keys: list[str] = []
    bills = Service("Bills")

    @bills.handler()
    async def pay(ctx: Context) -> None:
        for _ in range(3):
            await ctx.run_typed("pay", keys.append, RunOptions(), str(ctx.uuid()))

    for seed in range(5):
        keys.clear()
        DurableHarness(app([bills]), faults=0.5, seed=seed).call(pay)
        assert len(set(keys)) == 3
        if len(keys) > 3:
            return
    raise AssertionError("no effect was performed again")


def test_chance_is_that_of_the_seed() -> None:
    """So a test that failed by it fails again."""
    dice = Service("Dice")

    @dice.handler()
    async def roll(ctx: Context) -> list[Any]:
        return [ctx.random().random(), str(ctx.uuid())]

    one, same, other = (DurableHarness(app([dice]), seed=seed) for seed in (1, 1, 2))
    rolled = one.call(roll)

    assert same.call(roll) == rolled
    assert other.call(roll) != rolled
    assert one.call(roll) != rolled


def test_a_handler_that_is_not_deterministic_is_told_where_it_differs() -> None:
    """With a replay at every turn the first wait shows it."""
    drawn.clear()
    harness = DurableHarness(APP, replay="always")

    with pytest.raises(AssertionError, match=r"recorded is run draw 1, now it is run draw \d"):
        harness.call(gamble)


def restless(ctx: Context) -> int:
    """A number that is another one whenever a handler asks, and a draw."""
    drawn.append(1)
    return len(drawn)


box = VirtualObject("Box")


@box.handler()
async def keep(ctx: ObjectContext) -> None:
    ctx.set("number", restless(ctx))


@box.handler()
async def pass_on(ctx: ObjectContext) -> None:
    ctx.object_send(take, "tea", restless(ctx))


@box.handler()
async def give(ctx: ObjectContext) -> int:
    return restless(ctx)


@box.handler()
async def stumble(ctx: ObjectContext) -> str:
    if restless(ctx) % 3:
        raise OSError("now and then")
    return "through"


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (keep, r"the value 'number' is b'\d' from memory, and b'\d' from the journal"),
        (pass_on, r"what is sent is .* from memory, and .* from the journal"),
        (give, r"what goes to egresses is .* from memory, and .* from the journal"),
    ],
)
def test_a_turn_that_asks_for_something_else_from_the_journal_is_told(
    handler: Any, sentence: str
) -> None:
    """Also where the steps are the same, and within the first turn."""
    drawn.clear()
    apart = app([box, stock])

    DurableHarness(apart).invoke(handler, key="a")
    with pytest.raises(AssertionError, match=sentence):
        DurableHarness(apart, replay="always").invoke(handler, key="a")


def test_an_attempt_that_fails_by_chance_is_not_held_against_a_handler() -> None:
    """It is tried again, and what follows is compared."""
    drawn.clear()

    harness = DurableHarness(app([box, stock]), replay="always")
    assert harness.call(stumble, key="a") == "through"


def test_a_mock_is_asked_once_for_each_invocation() -> None:
    """Though the handler that it stands in for runs twice."""
    receipts = iter(["first", "second"])
    harness = DurableHarness(APP, replay="always", mocks={charge: lambda _, __: next(receipts)})

    assert harness.call(buy, "tea")[1] == "first"
    assert harness.call(buy, "tea")[1] == "second"


class Mirrored(JournalValueCodec):
    """Turns bytes round."""

    def encode(self, buf: bytes) -> bytes:
        return b"!" + buf[::-1]

    async def decode(self, buf: bytes) -> bytes:
        assert buf.startswith(b"!")
        return buf[:0:-1]


def test_values_pass_the_codec_of_the_app() -> None:
    """Arguments, results, what was called, and awakeables that a test completes."""
    mirrored = app([shop, bank, stock], journal_value_codec=Mirrored())
    harness = DurableHarness(mirrored, replay="always", mocks=MOCKS)

    assert harness.call(buy, "tea") == [8, "paid 20", "tea packed"]
    harness.assert_called(take, key="tea", argument=2, times=1)
    waiting = harness.invoke(wait)
    harness.complete_awakeable(harness.called(told)[0].argument, "hello")
    assert waiting.result() == "hello"


def test_what_waits_when_a_test_ends_is_put_away_in_order() -> None:
    """Its `finally` blocks run on its own loop, and not where the collector comes by."""
    ended: list[str] = []
    tidy = Service("Tidy")

    @tidy.handler()
    async def sleep(ctx: Context) -> None:
        try:
            await ctx.sleep(timedelta(hours=1))
        finally:
            ended.append(type(asyncio.get_running_loop()).__name__)
            await ctx.run_typed("tidy up", str, RunOptions(), "x")

    harness = DurableHarness(app([tidy]))
    harness.invoke(sleep)
    del harness
    gc.collect()

    assert ended == ["DeterministicLoop"]


def test_who_waits_for_something_else_than_time_is_told_so() -> None:
    """With what it has been told so far; an awakeable is completed by its id."""
    harness = DurableHarness(APP)
    waiting = harness.invoke(wait)

    assert not waiting.is_done
    with pytest.raises(AssertionError, match="has not ended: begun: wait"):
        waiting.result()

    [call] = harness.called(told)
    harness.complete_awakeable(call.argument, "hello")

    assert waiting.result() == "hello"


def test_who_has_not_ended_since_it_fails_is_told_why() -> None:
    """With the failure of its last attempt."""
    broken = Service("Broken")

    @broken.handler()
    async def fail(ctx: Context) -> None:
        raise OSError("no disk")

    with pytest.raises(AssertionError, match=r"is paused after 70 failed attempts: OSError.*disk"):
        DurableHarness(app([broken])).call(fail)


def test_an_invocation_can_be_cancelled() -> None:
    """Its wait raises the cancellation."""
    harness = DurableHarness(APP, mocks=MOCKS)
    buying = harness.invoke(buy, "tea")
    harness.cancel(buying)

    with pytest.raises(TerminalError, match="cancelled"):
        buying.result()


def test_a_journal_is_exported_and_replayed_against_code() -> None:
    """The same code does what is recorded; other code is told with the step."""
    harness = DurableHarness(APP, mocks=MOCKS)
    harness.invoke(buy, "tea")
    [recording] = harness.recordings()
    read = Recording.from_json(recording.to_json(), "here")

    other = Service("Shop")

    @other.handler(name="buy")
    async def buy_otherwise(ctx: Context, item: str) -> None:
        await ctx.service_call(charge, 20)

    assert read == recording
    assert differences(read, APP) == ""
    assert "recorded is call Stock/tea.take, now it is call Bank.charge" in (
        differences(read, app([other, bank, stock]))
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"replay": "often"}, "replay is 'always' or 'never', got 'often'"),
        ({"faults": 1.0}, "faults are from 0 up to 1"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: Any, sentence: str) -> None:
    """At once."""
    with pytest.raises(ConfigurationError, match=sentence):
        DurableHarness(APP, **options)


def test_a_mock_of_nothing_is_refused() -> None:
    """It would stand in for nobody."""
    elsewhere = Service("Elsewhere")

    @elsewhere.handler()
    async def work(ctx: Context) -> None: ...

    with pytest.raises(ConfigurationError, match=r"the app has no Elsewhere.work to mock"):
        DurableHarness(APP, mocks={work: lambda _: None})
    with pytest.raises(ConfigurationError, match="needs what app"):
        DurableHarness(object())  # type: ignore[arg-type]
