"""Scenarios about what goes wrong, and what goes away and comes back."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from statefun.runtime.transports.options import HttpOptions
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.egress import kafka_egress_message
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.specs import ValueSpec
from tests.tools.scenarios.scenario import (
    CONCURRENT,
    ENGINES,
    LASTING,
    LEAVING,
    RAW,
    REMOTE,
    Await,
    Difference,
    Down,
    InTime,
    Keep,
    Mark,
    NotBefore,
    Pause,
    Restart,
    Scenario,
    Send,
    Up,
    paced,
    tell,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

SHORT = HttpOptions(call=timedelta(milliseconds=1500), connect=timedelta(milliseconds=500))
"""An engine whose calls fail stops as soon as this has gone by."""


def on_engines(difference: Difference) -> Mapping[str, Difference]:
    return dict.fromkeys(ENGINES, difference)


def counting() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/count", specs=[ValueSpec("count", IntType)])
    async def count(context: Context, message: Message) -> None:
        context.storage.count = (context.storage.count or 0) + 1
        tell(
            context, context.address.id, f"{message.as_string()} is number {context.storage.count}"
        )

    return functions


def counting_otherwise() -> StatefulFunctions:
    """The next version: another text, one more value, one more function."""
    functions = StatefulFunctions()

    @functions.bind("s/count", specs=[ValueSpec("count", IntType), ValueSpec("last", StringType)])
    async def count(context: Context, message: Message) -> None:
        storage = context.storage
        storage.count = (storage.count or 0) + 10
        tell(
            context,
            context.address.id,
            f"{message.as_string()} after {storage.last} is {storage.count}",
        )
        storage.last = message.as_string()
        context.send(message_builder("s/added", context.address.id, int_value=storage.count))

    @functions.bind("s/added", specs=[ValueSpec("sum", IntType)])
    async def added(context: Context, message: Message) -> None:
        context.storage.sum = (context.storage.sum or 0) + (message.as_int() or 0)
        tell(context, f"added {context.address.id}", context.storage.sum)

    return functions


def forgetting() -> StatefulFunctions:
    """A version that declares nothing."""
    functions = StatefulFunctions()

    @functions.bind("s/count")
    async def count(context: Context, message: Message) -> None:
        tell(context, context.address.id, message.as_string())

    return functions


def counting_in_words() -> StatefulFunctions:
    """A version whose value has another type."""
    functions = StatefulFunctions()

    @functions.bind("s/count", specs=[ValueSpec("count", StringType)])
    async def count(context: Context, message: Message) -> None:
        context.storage.count = (context.storage.count or "") + "+"
        tell(
            context, context.address.id, f"{message.as_string()} is number {context.storage.count}"
        )

    return functions


def holding() -> StatefulFunctions:
    """One function is busy until another address is called; not for ever, where it never is."""
    functions, others = StatefulFunctions(), list[str]()

    async def hold(context: Context, message: Message) -> None:
        if message.as_string() == "hold":
            for _ in range(800):
                if others:
                    break
                await asyncio.sleep(0.01)
            tell(context, "held", "until the other was called" if others else "for long")
        elif message.as_string() == "other":
            others.append(context.address.id)
            tell(context, "other", "called")

    functions.register("s/first", hold)
    functions.register("s/hold", hold, [ValueSpec("declared", IntType)])

    @functions.bind("s/flood")
    async def flood(context: Context, message: Message) -> None:
        for text in ("hold", "silent", "silent", "silent"):
            context.send(message_builder("s/hold", context.address.id, str_value=text))
        tell(context, "flooded", context.address.id)

    return functions


def slow_at_first() -> StatefulFunctions:
    functions, attempts = StatefulFunctions(), Counter[str]()

    @functions.bind("s/late", specs=[ValueSpec("count", IntType)])
    async def late(context: Context, message: Message) -> None:
        attempts["late"] += 1
        if attempts["late"] == 1:
            await asyncio.sleep(2.5)
        context.storage.count = (context.storage.count or 0) + 1
        tell(context, "late", f"{message.as_string()} is number {context.storage.count}")

    return functions


def poisoned() -> StatefulFunctions:
    functions = counting()

    @functions.bind("s/picky", specs=[ValueSpec("count", IntType)])
    async def picky(context: Context, message: Message) -> None:
        context.storage.count = (context.storage.count or 0) + 1
        tell(context, "picky", f"{message.as_string()} is number {context.storage.count}")
        if message.as_string() == "poison":
            raise ValueError("never")

    return functions


def tokens_twice(delay_ms: int) -> StatefulFunctions:
    """Two functions that use one token."""
    functions = counting()

    async def twice(context: Context, message: Message) -> None:
        text = message.as_string() or ""
        later = message_builder("s/count", "c", str_value=text)
        delay = timedelta(milliseconds=delay_ms if text == "one" else 0)
        context.send_after(delay, later, "T")
        tell(context, "twice", text)

    functions.register("s/twice", twice)
    functions.register("s/also", twice)
    return functions


def emitting_nowhere() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/emit")
    async def emit(context: Context, message: Message) -> None:
        egress = message.as_string() or ""
        context.send_egress(egress_message_builder(egress, value="x", value_type=StringType))
        tell(context, "emit", egress)

    return functions


def sending_nowhere() -> StatefulFunctions:
    functions = counting()

    @functions.bind("s/send")
    async def send(context: Context, message: Message) -> None:
        tell(context, "send", message.as_string())
        context.send(message_builder(message.as_string() or "", "a", str_value="x"))

    return functions


def talking_much(busy_ms: int) -> StatefulFunctions:
    """Together, the answers to what waits are larger than one alone."""
    functions = StatefulFunctions()

    @functions.bind("s/talk", specs=[ValueSpec("count", IntType)])
    async def talk(context: Context, message: Message) -> None:
        if message.as_string() == "0":
            await asyncio.sleep(busy_ms / 1000)
        context.storage.count = (context.storage.count or 0) + 1
        tell(context, "count", context.storage.count)
        tell(context, "much", "x" * 100_000)

    return functions


def reminding(due_ms: int) -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/remember", specs=[ValueSpec("text", StringType)])
    async def remember(context: Context, message: Message) -> None:
        if message.as_string() == "look":
            tell(context, "text", context.storage.text)
            return
        context.storage.text = message.as_string()
        for text, delay_ms in (("soon", 10), ("later", due_ms), ("last", due_ms + 100)):
            later = message_builder("s/remind", context.address.id, str_value=text)
            context.send_after(timedelta(milliseconds=delay_ms), later, text)

    @functions.bind("s/remind")
    async def remind(context: Context, message: Message) -> None:
        assert context.caller is not None
        tell(context, "reminded", f"{message.as_string()} by {context.caller.id}")

    return functions


def keeping(**expiration: Any) -> Callable[[], StatefulFunctions]:
    """Functions with a value that expires like this."""

    def make() -> StatefulFunctions:
        functions = StatefulFunctions()

        @functions.bind("s/keep", specs=[ValueSpec("text", StringType, **expiration)])
        async def keep(context: Context, message: Message) -> None:
            tell(context, "kept", context.storage.text)
            if message.as_string() != "look":
                context.storage.text = message.as_string()

        return functions

    return make


def ageing() -> StatefulFunctions:
    """Values whose expirations the next version changes as they are called."""
    return _ageing(
        ValueSpec("sooner", StringType, expire_after_write=A_WHILE),
        ValueSpec("later", StringType, expire_after_write=A_MOMENT),
        ValueSpec("some", StringType),
        ValueSpec("none", StringType, expire_after_call=A_MOMENT),
    )


def ageing_otherwise() -> StatefulFunctions:
    return _ageing(
        ValueSpec("sooner", StringType, expire_after_write=A_MOMENT),
        ValueSpec("later", StringType, expire_after_write=A_WHILE),
        ValueSpec("some", StringType, expire_after_write=A_MOMENT),
        ValueSpec("none", StringType),
    )


def _ageing(*specs: ValueSpec) -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/age", specs=specs)
    async def age(context: Context, message: Message) -> None:
        names = [spec.name for spec in specs]
        if message.as_string() == "set":
            for name in names:
                setattr(context.storage, name, "set")
        seen = ", ".join(f"{name} {getattr(context.storage, name)}" for name in names)
        tell(context, context.address.id, seen)

    return functions


def reminding_once(**delays_ms: int) -> Callable[[], StatefulFunctions]:
    """Functions that send delayed messages under tokens, all in one turn, and cancel them."""
    return partial(_reminding_once, delays_ms)


def _reminding_once(delays_ms: Mapping[str, int]) -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/set")
    async def set_(context: Context, message: Message) -> None:
        command = message.as_string() or ""
        if command == "all":
            for token, delay_ms in delays_ms.items():
                later = message_builder("s/came", context.address.id, str_value=token)
                context.send_after(timedelta(milliseconds=delay_ms), later, token)
        else:
            context.cancel_delayed_message(command)
        tell(context, "set", command)

    @functions.bind("s/came")
    async def came(context: Context, message: Message) -> None:
        assert context.caller is not None
        tell(context, "came", f"{message.as_string()} by {context.caller.id}")

    return functions


def working(*, ends: bool) -> Callable[[], StatefulFunctions]:
    """Functions whose work ends, or goes on until it is cut off."""

    def make() -> StatefulFunctions:
        functions = StatefulFunctions()

        @functions.bind("s/work", specs=[ValueSpec("done", StringType)])
        async def work(context: Context, message: Message) -> None:
            text = message.as_string() or ""
            if text == "long" and not ends:
                await asyncio.sleep(60)
            context.storage.done = f"{context.storage.done or ''} {text}"
            tell(context, "done", context.storage.done)

        return functions

    return make


def sending_nowhere_later(delay_ms: int) -> StatefulFunctions:
    functions = counting()

    @functions.bind("s/later")
    async def later(context: Context, message: Message) -> None:
        target = message_builder(message.as_string() or "", "a", str_value="x")
        context.send_after(timedelta(milliseconds=delay_ms), target)
        tell(context, "later", message.as_string())

    return functions


def with_headers() -> StatefulFunctions:
    functions = StatefulFunctions()

    @functions.bind("s/headers")
    async def headers(context: Context, message: Message) -> None:
        given = {"a": b"1", "empty": b"", "nothing": None}
        context.send_egress(kafka_egress_message(RAW, "t", "v", key="k", headers=given))

    return functions


KAFKA = "type.googleapis.com/io.statefun.sdk.egress.KafkaProducerRecord"
KAFKA_RECORD = (
    "0a016b120176"
    "1a0174"  # key, value, topic
    "22080a0161120131"
    "1801"  # a header that is "1"
    "220b0a05656d707479"
    "12001801"  # one that is empty
    "22090a076e6f7468696e67"  # one that is nothing
)
NOTHING_KEPT: Mapping[tuple[str, str], Mapping[str, object]] = {("s/hold", "cold"): {}}
UNTIL_THE_OTHER = {"held": ("until the other was called",), "other": ("called",)}
A_MOMENT = timedelta(milliseconds=500)
A_SECOND = timedelta(seconds=1)
A_WHILE = timedelta(minutes=10)


def a_pending_token(pace: int) -> Scenario:
    delay_ms = 1750 * pace
    return Scenario(
        "a pending token",
        "a token cannot be used for a second message while its first one waits",
        partial(tokens_twice, delay_ms),
        (
            Mark("used"),
            Send("s/twice", "t", "one"),
            Await(1),
            Keep(),
            Send("s/twice", "t", "two"),
            InTime("used", delay_ms // 2),
        ),
        {"twice": ("one",), "c": ("one is number 1",)},
        {("s/count", "c"): {"count": 1}},
        timing=(NotBefore("c", (delay_ms,)),),
        given_up=(("s/twice", "t"),),
        differs_on=on_engines(
            Difference(
                "A token that is used while it is pending stops the job, again and again until "
                "the delayed message has come; then the token is free.",
                records={
                    "twice": ("one", "two"),
                    "c": ("one is number 1", "two is number 2"),
                },
                state={("s/count", "c"): {"count": 2}},
                given_up=(),
                failures=1,
            )
        ),
    )


def a_token_of_two_functions(pace: int) -> Scenario:
    delay_ms = 1750 * pace
    return Scenario(
        "a token of two functions",
        "a token that a function uses cannot be used by another one with the same id",
        partial(tokens_twice, delay_ms),
        (
            Mark("used"),
            Send("s/twice", "t", "one"),
            Await(1),
            Keep(),
            Send("s/also", "t", "two"),
            InTime("used", delay_ms // 2),
        ),
        {"twice": ("one",), "c": ("one is number 1",)},
        {("s/count", "c"): {"count": 1}},
        timing=(NotBefore("c", (delay_ms,)),),
        given_up=(("s/also", "t"),),
        differs_on=on_engines(
            Difference(
                "A token that another function with the same id uses while it is pending stops "
                "the job, again and again until the delayed message has come.",
                records={
                    "twice": ("one", "two"),
                    "c": ("one is number 1", "two is number 2"),
                },
                state={("s/count", "c"): {"count": 2}},
                given_up=(),
                failures=1,
            )
        ),
    )


def an_unknown_function_later(pace: int) -> Scenario:
    delay_ms = 1500 * pace
    return Scenario(
        "an unknown function, later",
        "a delayed message for a function that nobody serves makes its turn fail, and no other",
        partial(sending_nowhere_later, delay_ms),
        (
            Send("s/count", "c", "other"),
            Await(1),
            Mark("sent"),
            Send("s/later", "l", "nobody/there"),
            Keep(),
            InTime("sent", delay_ms),
        ),
        {"c": ("other is number 1",)},
        {("s/count", "c"): {"count": 1}},
        given_up=(("s/later", "l"),),
        differs_on=on_engines(
            Difference(
                "A delayed message for a function that no endpoint serves stops the job when it "
                "is due, again and again.",
                records={"c": ("other is number 1",), "later": ("nobody/there",)},
                given_up=(),
                failures=2,
            )
        ),
    )


def an_answer_that_is_too_large(pace: int) -> Scenario:
    busy_ms = 500 * pace
    return Scenario(
        "an answer that is too large",
        "where the answers to a batch are too large together, each is had by itself",
        partial(talking_much, busy_ms),
        (
            Mark("busy"),
            *(Send("s/talk", "t", str(number)) for number in range(6)),
            InTime("busy", busy_ms // 2),
        ),
        {"count": tuple("123456"), "much": ("x" * 100_000,) * 6},
        {("s/talk", "t"): {"count": 6}},
        options=HttpOptions(
            call=timedelta(milliseconds=3 * busy_ms),
            connect=timedelta(milliseconds=500),
            payload_max_bytes=300_000,
        ),
        differs_on=on_engines(
            Difference(
                "An answer above `payload_max_bytes` stops the job, again and again: the batch "
                "stays as it is.",
                records={"count": ("1",), "much": ("x" * 100_000,)},
                failures=2,
            )
        ),
    )


def a_restart(pace: int) -> Scenario:
    due_ms = 1000 * pace
    return Scenario(
        "a restart",
        "values and delayed messages outlive a restart; what became due meanwhile comes at once",
        partial(reminding, due_ms),
        (
            Mark("set"),
            Send("s/remember", "r", "it"),
            Await(1),
            Restart(away_ms=due_ms + 200),
            InTime("set", 2 * due_ms + 200),  # so it had stopped before the others were due
            Await(3),
            Send("s/remember", "r", "look"),
        ),
        {"reminded": ("soon by r", "later by r", "last by r"), "text": ("it",)},
        {("s/remember", "r"): {"text": "it"}},
        timing=(NotBefore("reminded", (10, due_ms, due_ms + 100)),),
        places=LASTING,
    )


def due_while_nobody_is_there(pace: int) -> Scenario:
    due_ms = 500 * pace
    return Scenario(
        "due while nobody is there",
        "a delayed message that is due while the functions are away comes when they are back",
        reminding_once(late=due_ms + 200, early=due_ms),
        (
            Mark("set"),
            Send("s/set", "r", "all"),
            Await(1),
            Down(),
            InTime("set", due_ms),
            Pause(due_ms + 300),
            Up(),
        ),
        {"set": ("all",), "came": ("early by r", "late by r")},
        timing=(NotBefore("came", (due_ms, due_ms + 200)),),
        places=LEAVING,
    )


def a_token_after_a_restart(pace: int) -> Scenario:
    due_ms = 2000 * pace
    return Scenario(
        "a token after a restart",
        "a delayed message that was cancelled stays so after a restart; another one can be "
        "cancelled then, and no third one is",
        reminding_once(dropped=due_ms, cancelled=due_ms, kept=due_ms + 300),
        (
            Mark("set"),
            Send("s/set", "r", "all"),
            Send("s/set", "r", "dropped"),
            Await(2),
            Restart(),
            Send("s/set", "r", "cancelled"),
            Await(3),
            InTime("set", due_ms),
        ),
        {"set": ("all", "dropped", "cancelled"), "came": ("kept by r",)},
        timing=(NotBefore("came", (due_ms + 300,)),),
        places=LASTING,
    )


SCENARIOS = (
    Scenario(
        "nobody there",
        "while the functions are away messages wait; when they are back all come, in order",
        counting,
        (
            Send("s/count", "a", "first"),
            Await(1),
            Down(),
            *(Send("s/count", each, text) for text in ("x", "y") for each in "ab"),
            Pause(300),
            Up(),
        ),
        {
            "a": ("first is number 1", "x is number 2", "y is number 3"),
            "b": ("x is number 1", "y is number 2"),
        },
        {("s/count", "a"): {"count": 3}, ("s/count", "b"): {"count": 2}},
        places=REMOTE,
    ),
    Scenario(
        "cut off",
        "a call that is cut off leaves nothing behind and is made again",
        working(ends=False),
        (
            Send("s/work", "w", "short"),
            Await(1),
            Send("s/work", "w", "long"),
            Send("s/work", "w", "x"),
            Pause(300),
            Down(),
            Pause(100),
            Up(working(ends=True)),
        ),
        {"done": (" short", " short long", " short long x")},
        {("s/work", "w"): {"done": " short long x"}},
        places=LEAVING,
    ),
    Scenario(
        "a late answer",
        "an answer that comes too late counts for nothing, and the call is made again",
        slow_at_first,
        (Send("s/late", "l", "it"),),
        {"late": ("it is number 1",)},
        {("s/late", "l"): {"count": 1}},
        options=SHORT,
        differs_on=on_engines(
            Difference(
                "A call that takes too long fails the job, which starts again from its last "
                "checkpoint; every other call that is under way is made again too.",
                failures=1,
            )
        ),
    ),
    Scenario(
        "a poison message",
        "a message that always fails is given up; what waits behind it goes on",
        poisoned,
        (
            Send("s/picky", "p", "good"),
            Await(1),
            Keep(),
            Send("s/picky", "p", "poison"),
            Send("s/picky", "p", "better"),
            Send("s/count", "c", "other"),
        ),
        {
            "picky": ("good is number 1", "better is number 2"),
            "c": ("other is number 1",),
        },
        {("s/picky", "p"): {"count": 2}, ("s/count", "c"): {"count": 1}},
        given_up=(("s/picky", "p"),),
        options=SHORT,
        differs_on=on_engines(
            Difference(
                "A message that always fails stops the job, again and again; nothing that comes "
                "behind it to its address is ever worked on.",
                records={"picky": ("good is number 1",), "c": ("other is number 1",)},
                given_up=(),
                failures=2,
            )
        ),
    ),
    paced(a_pending_token),
    paced(a_token_of_two_functions),
    Scenario(
        "an unknown egress",
        "a record for an egress that is not there makes its message fail, and no other",
        emitting_nowhere,
        (
            Send("s/emit", "e", RAW),
            Await(2),
            Keep(),
            Send("s/emit", "e", "s/nowhere"),
            Send("s/emit", "e", RAW),
        ),
        {"emit": (RAW, RAW), "raw": ("io.statefun.types/string 0a0178",) * 2},
        given_up=(("s/emit", "e"),),
        differs_on=on_engines(
            Difference(
                "A record for an egress that is not in the module file stops the job, again and "
                "again.",
                records={"emit": (RAW,), "raw": ("io.statefun.types/string 0a0178",)},
                given_up=(),
                failures=2,
            )
        ),
    ),
    Scenario(
        "an unknown function",
        "a message for a function that nobody serves makes its turn fail, and no other",
        sending_nowhere,
        (
            Send("s/send", "s", "nobody/there"),
            Send("s/send", "s", "s/count"),
        ),
        {"send": ("s/count",), "a": ("x is number 1",)},
        {("s/count", "a"): {"count": 1}},
        given_up=(("s/send", "s"),),
        differs_on=on_engines(
            Difference(
                "A message for a function that no endpoint serves stops the job, again and again.",
                records={},
                given_up=(),
                failures=2,
            )
        ),
    ),
    paced(an_unknown_function_later),
    Scenario(
        "a function that its endpoint does not know",
        "a message for a function that its endpoint does not know is given up; others go on",
        counting,
        (
            Send("s/count", "c", "one"),
            Await(1),
            Keep(),
            Send("s/nobody", "n"),
            Send("s/count", "c", "two"),
        ),
        {"c": ("one is number 1", "two is number 2")},
        {("s/count", "c"): {"count": 2}},
        given_up=(("s/nobody", "n"),),
        options=SHORT,
        places=REMOTE,
        differs_on=on_engines(
            Difference(
                "A function that its endpoint does not know stops the job, again and again.",
                records={"c": ("one is number 1",)},
                given_up=(),
                failures=2,
            )
        ),
    ),
    paced(an_answer_that_is_too_large),
    Scenario(
        "a busy address",
        "an address that is busy holds up no other",
        holding,
        (Send("s/hold", "hot", "hold"), Send("s/hold", "cold", "other")),
        UNTIL_THE_OTHER,
        NOTHING_KEPT,
        places=CONCURRENT,
    ),
    Scenario(
        "the first call of a function",
        "the first call of a function holds up no other",
        holding,
        (Send("s/first", "f", "hold"), Send("s/hold", "cold", "other")),
        UNTIL_THE_OTHER,
        NOTHING_KEPT,
        places=CONCURRENT,
        differs_on=on_engines(
            Difference(
                "Until the first call of a function has been answered, nothing else is called, "
                "unless that answer asks for values.",
                records={"held": ("for long",), "other": ("called",)},
            )
        ),
    ),
    Scenario(
        "too much for one address",
        "an address for which too much waits holds up no other",
        holding,
        (Send("s/flood", "hot"), Await(1), Send("s/hold", "cold", "other")),
        {"flooded": ("hot",), **UNTIL_THE_OTHER},
        NOTHING_KEPT,
        max_waiting=2,
        places=CONCURRENT,
        differs_on=on_engines(
            Difference(
                "From `maxNumBatchRequests` messages waiting for one address on, nothing comes in "
                "for any address until its call has been answered.",
                records={"flooded": ("hot",), "held": ("for long",), "other": ("called",)},
            )
        ),
    ),
    Scenario(
        "the next version",
        "functions that come back otherwise find the values of before; new values and functions "
        "begin with nothing",
        counting,
        (
            Send("s/count", "a", "one"),
            Send("s/count", "b", "one"),
            Await(2),
            Down(),
            Up(counting_otherwise),
            Send("s/count", "a", "two"),
            Await(4),
            Send("s/count", "a", "three"),
        ),
        {
            "a": ("one is number 1", "two after None is 11", "three after two is 21"),
            "b": ("one is number 1",),
            "added a": ("11", "32"),
        },
        {("s/count", "a"): {"count": 21, "last": "three"}, ("s/added", "a"): {"sum": 32}},
        places=LEAVING,
    ),
    Scenario(
        "what waited for the next version",
        "what came while the functions were away is worked on, in order, by those that come back",
        counting,
        (
            Send("s/count", "a", "one"),
            Await(1),
            Down(),
            *(Send("s/count", each, text) for text in ("two", "three") for each in "ab"),
            Up(counting_otherwise),
        ),
        {
            "a": ("one is number 1", "two after None is 11", "three after two is 21"),
            "b": ("two after None is 10", "three after two is 20"),
            "added a": ("11", "32"),
            "added b": ("10", "30"),
        },
        {("s/count", "b"): {"count": 20, "last": "three"}},
        places=REMOTE,
    ),
    Scenario(
        "a value out of use",
        "a value that a version does not declare is there again for one that does",
        counting,
        (
            Send("s/count", "a", "one"),
            Await(1),
            Down(),
            Up(forgetting),
            Send("s/count", "a", "forgotten"),
            Await(2),
            Down(),
            Up(),
            Send("s/count", "a", "two"),
        ),
        {"a": ("one is number 1", "forgotten", "two is number 2")},
        {("s/count", "a"): {"count": 2}},
        places=LEAVING,
    ),
    Scenario(
        "another type",
        "an address whose value a new version cannot read is held, and others go on",
        counting,
        (
            Send("s/count", "a", "one"),
            Await(1),
            Keep(),
            Down(),
            Up(counting_in_words),
            Send("s/count", "a", "two"),
            Send("s/count", "b", "new"),
        ),
        {"a": ("one is number 1",), "b": ("new is number +",)},
        {("s/count", "a"): {"count": 1}, ("s/count", "b"): {"count": "+"}},
        options=SHORT,
        places=REMOTE,
        differs_on=on_engines(
            Difference(
                "A value that is set to another type than the running job knows stops the job, "
                "again and again.",
                records={"a": ("one is number 1",)},
                failures=2,
            )
        ),
    ),
    Scenario(
        "another type after a restart",
        "after a restart with such a version it is the same: what needs the value waits for it",
        counting,
        (
            Send("s/count", "a", "one"),
            Await(1),
            Restart(functions=counting_in_words),
            Send("s/count", "a", "two"),
            Send("s/count", "b", "new"),
        ),
        {"a": ("one is number 1",), "b": ("new is number +",)},
        {("s/count", "a"): {"count": 1}, ("s/count", "b"): {"count": "+"}},
        options=SHORT,
        places=LASTING,
        differs_on=on_engines(
            Difference(
                "A value that was stored as another type stops the job, again and again, whatever "
                "address is called.",
                records={"a": ("one is number 1",)},
                failures=2,
            )
        ),
    ),
    paced(a_restart),
    paced(due_while_nobody_is_there),
    paced(a_token_after_a_restart),
    Scenario(
        "work under way at a restart",
        "what is under way at a restart is done again, then what waited behind it, in order",
        working(ends=False),
        (
            Send("s/work", "w", "short"),
            Await(1),
            *(Send("s/work", "w", text) for text in ("long", "x", "y")),
            Restart(functions=working(ends=True)),
        ),
        {"done": (" short", " short long", " short long x", " short long x y")},
        {("s/work", "w"): {"done": " short long x y"}},
        places=LASTING,
    ),
    Scenario(
        "expiration while nothing runs",
        "time goes on for values while nothing runs",
        keeping(expire_after_write=A_SECOND),
        (
            Send("s/keep", "k", "it"),
            Await(1),
            Restart(away_ms=1500),
            Send("s/keep", "k", "look"),
        ),
        {"kept": ("None", "None")},
        {("s/keep", "k"): {}},
        places=LASTING,
    ),
    Scenario(
        "another expiration",
        "after a restart a value may expire sooner, later, or by another rule; it is kept",
        keeping(expire_after_write=A_WHILE),
        (
            Send("s/keep", "k", "it"),
            Await(1),
            Restart(functions=keeping(expire_after_call=A_WHILE / 2)),
            Send("s/keep", "k", "look"),
        ),
        {"kept": ("None", "it")},
        {("s/keep", "k"): {"text": "it"}},
        places=LASTING,
    ),
    Scenario(
        "another expiration at once",
        "while the runtime runs a value expires as it was first declared, whatever a later version "
        "declares",
        ageing,
        (
            Send("s/age", "before", "set"),
            Await(1),
            Down(),
            Up(ageing_otherwise),
            Send("s/age", "after", "set"),
            Await(2),
            Pause(700),
            *(Send("s/age", each, "look") for each in ("before", "after")),
        ),
        dict.fromkeys(
            ("before", "after"),
            (
                "sooner set, later set, some set, none set",
                "sooner set, later None, some set, none None",
            ),
        ),
        {("s/age", each): {"sooner": "set", "some": "set"} for each in ("before", "after")},
        places=REMOTE,
    ),
    Scenario(
        "an expiration where there was none",
        "after a restart a value that was to stay for ever may expire",
        keeping(),
        (
            Send("s/keep", "k", "it"),
            Await(1),
            Restart(functions=keeping(expire_after_write=A_WHILE)),
            Send("s/keep", "k", "look"),
        ),
        {"kept": ("None", "it")},
        {("s/keep", "k"): {"text": "it"}},
        places=LASTING,
        differs_on=on_engines(
            Difference(
                "A value that was stored without an expiration cannot get one: the job stops, "
                "again and again.",
                records={"kept": ("None",)},
                failures=2,
            )
        ),
    ),
    Scenario(
        "no expiration where there was one",
        "after a restart a value that was to expire may stay for ever",
        keeping(expire_after_write=A_WHILE),
        (
            Send("s/keep", "k", "it"),
            Await(1),
            Restart(functions=keeping()),
            Send("s/keep", "k", "look"),
        ),
        {"kept": ("None", "it")},
        {("s/keep", "k"): {"text": "it"}},
        places=LASTING,
        differs_on=on_engines(
            Difference(
                "A value that was stored with an expiration cannot lose it: the job stops, again "
                "and again.",
                records={"kept": ("None",)},
                failures=2,
            )
        ),
    ),
    Scenario(
        "headers of records",
        "the headers of a record go out as they were set",
        with_headers,
        (Send("s/headers", "h"),),
        {"raw": (f"{KAFKA} {KAFKA_RECORD}",)},
    ),
)
