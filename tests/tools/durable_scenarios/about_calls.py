"""Calls and sends, between handlers and with plain functions."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from statefun.durable import Context, ObjectContext, Service, TerminalError, VirtualObject
from statefun.sdk.builders import message_builder
from statefun.sdk.primitives import IntType
from tests.tools.durable_scenarios.everywhere import EVERYWHERE
from tests.tools.durable_scenarios.scenario import (
    Attach,
    Complete,
    DurableScenario,
    Invoke,
    durable,
    tell,
)
from tests.tools.scenarios.scenario import Await, NotBefore, Send

if TYPE_CHECKING:
    from statefun.durable.endpoint import App
    from statefun.sdk.context import Context as FunctionContext
    from statefun.sdk.messages import Message

WHILE = timedelta(milliseconds=300)


def _counter(name: str) -> tuple[VirtualObject, Any]:
    counter = VirtualObject(name)

    @counter.handler()
    async def add(ctx: ObjectContext, by: int) -> int:
        total = (await ctx.get("total", type_hint=int) or 0) + by
        ctx.set("total", total)
        return total

    return counter, add


def a_call() -> DurableScenario:
    service, (counter, add) = Service("Caller"), _counter("Called")

    @service.handler()
    async def call(ctx: Context, by: int) -> list[int]:
        return [await ctx.object_call(add, "k", by) for _ in range(3)]

    return durable(
        "a call",
        "a call is carried out once and answered once",
        *(service, counter),
        steps=(Invoke("call", call, 5), Await(1), Invoke("call", call, 1)),
        records={"call": ("[5, 10, 15]", "[16, 17, 18]")},
        places=EVERYWHERE,
    )


def calls_side_by_side() -> DurableScenario:
    service, (counter, add) = Service("CallerOfMany"), _counter("CalledTogether")

    @service.handler()
    async def call(ctx: Context) -> list[int]:
        calls = [ctx.object_call(add, f"k{each}", each) for each in range(6)]
        return list(await asyncio.gather(*calls))

    return durable(
        "calls side by side",
        "calls to several keys wait for one another no more than their handlers do",
        *(service, counter),
        steps=(Invoke("calls", call),),
        records={"calls": ("[0, 1, 2, 3, 4, 5]",)},
        places=EVERYWHERE,
    )


def a_call_nobody_awaits() -> DurableScenario:
    service, (counter, add) = Service("CarelessCaller"), _counter("CalledAnyway")

    @service.handler()
    async def call(ctx: Context) -> str:
        ctx.object_call(add, "k", 1)
        return "gone"

    @service.handler()
    async def look(ctx: Context) -> int:
        await ctx.sleep(WHILE)
        return await ctx.object_call(add, "k", 0)

    return durable(
        "a call that nobody awaits",
        "a call is made when it is asked for, whether or not it is awaited",
        *(service, counter),
        steps=(Invoke("careless", call), Await(1), Invoke("careless", look)),
        records={"careless": ('"gone"', "1")},
        places=EVERYWHERE,
    )


def sends_in_order() -> DurableScenario:
    service, listener = Service("Sender"), VirtualObject("Listener")

    @listener.handler()
    async def hear(ctx: ObjectContext, number: int) -> None:
        tell(ctx, "sends", number)

    @service.handler()
    async def send(ctx: Context) -> None:
        for number in range(3):
            ctx.object_send(hear, "k", number)
        await ctx.sleep(timedelta(milliseconds=50))
        for number in range(3, 6):
            ctx.object_send(hear, "k", number)

    return durable(
        "sends in order",
        "what a handler sends to one key arrives in the order of sending",
        *(service, listener),
        steps=(Invoke("sender", send),),
        records={"sender": ("",), "sends": ("0", "1", "2", "3", "4", "5")},
        places=EVERYWHERE,
    )


def a_delayed_send() -> DurableScenario:
    service, listener = Service("DelayingSender"), VirtualObject("PatientListener")

    @listener.handler()
    async def hear(ctx: ObjectContext, text: str) -> None:
        tell(ctx, "delayed", text)

    @service.handler()
    async def send(ctx: Context) -> None:
        ctx.object_send(hear, "k", "later", send_delay=WHILE)

    return durable(
        "a delayed send",
        "a delayed send begins no earlier than its time",
        *(service, listener),
        steps=(Invoke("delaying", send),),
        records={"delaying": ("",), "delayed": ("later",)},
        timing=(NotBefore("delayed", (300,)),),
        places=EVERYWHERE,
    )


def a_delayed_invocation() -> DurableScenario:
    service = Service("DelayedService")

    @service.handler()
    async def work(ctx: Context) -> str:
        return "now"

    return durable(
        "a delayed invocation",
        "an invocation from outside may wait for its time as well",
        service,
        steps=(Invoke("from outside", work, delay=WHILE),),
        records={"from outside": ('"now"',)},
        timing=(NotBefore("from outside", (300,)),),
        places=EVERYWHERE,
    )


def a_call_that_fails() -> DurableScenario:
    service, shop = Service("FailedCaller"), Service("Failing")

    @shop.handler()
    async def buy(ctx: Context) -> None:
        raise TerminalError("sold out", 410)

    @service.handler()
    async def call(ctx: Context, what: str) -> str:
        try:
            await ctx.service_call(buy, None)
        except TerminalError as error:
            if what == "raise":
                raise
            return f"{error.status_code} {error.message}"
        return "bought"

    return durable(
        "a call that fails",
        "the final failure of a call is raised where it is awaited, with its code",
        *(service, shop),
        steps=(Invoke("caught", call, "catch"), Invoke("passed on", call, "raise")),
        records={"caught": ('"410 sold out"',), "passed on": ("410 sold out",)},
        places=EVERYWHERE,
    )


def an_idempotency_key() -> DurableScenario:
    service, (counter, add) = Service("RepeatingCaller"), _counter("CalledOnce")

    @service.handler()
    async def call(ctx: Context) -> list[int]:
        calls = [ctx.object_call(add, "k", 7, idempotency_key="once") for _ in range(3)]
        return [*await asyncio.gather(*calls), await ctx.object_call(add, "k", 0)]

    return durable(
        "an idempotency key of calls",
        "calls with one idempotency key are one invocation, and all get its answer",
        *(service, counter),
        steps=(Invoke("repeated", call),),
        records={"repeated": ("[7, 7, 7, 7]",)},
        places=EVERYWHERE,
    )


def an_idempotency_key_from_outside() -> DurableScenario:
    counter, add = _counter("InvokedOnce")
    first = Invoke("outside once", add, 7, "k", idempotency_key="order 1")
    return durable(
        "an idempotency key from outside",
        "an invocation that comes again with its idempotency key is not carried out again",
        counter,
        steps=(first, Await(1), first, Await(2), Invoke("outside once", add, 1, "k")),
        records={"outside once": ("7", "7", "8")},
        places=EVERYWHERE,
    )


def an_idempotent_service() -> DurableScenario:
    service, (counter, add) = Service("OnceService"), _counter("OnceCounter")

    @service.handler()
    async def work(ctx: Context, by: int) -> int:
        total: int = await ctx.object_call(add, "k", by)
        await ctx.sleep(timedelta(milliseconds=50))
        return total

    ask = Invoke("joined", work, 3, idempotency_key="order 2")
    return durable(
        "invocations that join",
        "an invocation that comes again while the first one runs waits for the same answer",
        *(service, counter),
        steps=(ask, ask, ask),
        records={"joined": ("3", "3", "3")},
        places=EVERYWHERE,
    )


def an_unknown_target() -> DurableScenario:
    service = Service("LostCaller")

    @service.handler()
    async def call(ctx: Context) -> list[int]:
        codes = []
        for name, handler in (("Nobody", "work"), ("LostCaller", "nothing")):
            try:
                await ctx.generic_call(name, handler, b"")
            except TerminalError as error:
                codes.append(error.status_code)
        return codes

    return durable(
        "an unknown target",
        "a call of an unknown service or handler fails where it is awaited, and hurts nobody else",
        service,
        steps=(Invoke("lost", call),),
        records={"lost": ("[404, 404]",)},
        places=EVERYWHERE,
    )


def the_own_key() -> DurableScenario:
    counter = VirtualObject("SelfCaller")

    @counter.handler()
    async def inner(ctx: ObjectContext) -> str:
        return "inner"

    @counter.handler()
    async def outer(ctx: ObjectContext) -> int:
        try:
            await ctx.object_call(inner, ctx.key(), None)
        except TerminalError as error:
            return error.status_code
        return 0

    return durable(
        "a call of the own key",
        "an exclusive handler that calls one of its own key would wait for ever, so it is refused",
        counter,
        steps=(Invoke("own key", outer, key="k"),),
        records={"own key": ("409",)},
        places=EVERYWHERE,
    )


def calls_by_name() -> DurableScenario:
    service = Service("GenericCaller")

    @service.handler()
    async def echo(ctx: Context, text: str) -> str:
        return text * 2

    @service.handler()
    async def call(ctx: Context) -> str:
        return (await ctx.generic_call("GenericCaller", "echo", b'"ab"')).decode()

    return durable(
        "calls by name",
        "a handler can be called by its name, with bytes in and out",
        service,
        steps=(Invoke("by name", call),),
        records={"by name": ('"\\"abab\\""',)},
        places=EVERYWHERE,
    )


def headers() -> DurableScenario:
    service = Service("HeaderCaller")

    @service.handler()
    async def read(ctx: Context) -> dict[str, str]:
        return ctx.request().headers

    @service.handler()
    async def call(ctx: Context) -> dict[str, str]:
        return await ctx.service_call(read, None, headers={"X-Tenant": "acme"})

    return durable(
        "headers",
        "headers of a call reach its handler",
        service,
        steps=(Invoke("headers", call),),
        records={"headers": ('{"x-tenant": "acme"}',)},
        places=EVERYWHERE,
    )


def a_plain_function_is_called() -> DurableScenario:
    service = Service("CallerOfAFunction")

    @service.handler()
    async def call(ctx: Context) -> int:
        return await ctx.call_function("s/doubles", "d", 21, reply_type=IntType)

    def bind(app: App) -> None:
        @app.bind("s/doubles")
        async def double(context: FunctionContext, message: Message) -> None:
            caller = context.caller
            assert caller is not None
            answer = message_builder(
                caller.typename, caller.id, int_value=2 * (message.as_int() or 0)
            )
            context.send(answer)

    return durable(
        "a plain function is called",
        "a handler awaits what a plain function sends back to its caller",
        service,
        steps=(Invoke("function", call),),
        records={"function": ("42",)},
        places=EVERYWHERE,
        bind=bind,
    )


def a_plain_function_invokes() -> DurableScenario:
    counter, add = _counter("InvokedByAFunction")
    told = VirtualObject("ToldByAFunction")

    @told.handler()
    async def total(ctx: ObjectContext) -> None:
        tell(ctx, "from a function", await ctx.object_call(add, "k", 0))

    def bind(app: App) -> None:
        @app.bind("s/invokes")
        async def invoke(context: FunctionContext, message: Message) -> None:
            context.send(app.invoke(add, 4, key="k"))
            context.send(app.invoke(total, key="k"))

    return durable(
        "a plain function invokes",
        "a plain function sends an invocation as it sends any message",
        *(counter, told),
        steps=(Send("s/invokes", "i"),),
        records={"from a function": ("4",)},
        places=EVERYWHERE,
        bind=bind,
    )


def attaching() -> DurableScenario:
    service = Service("Attached")

    @service.handler()
    async def work(ctx: Context) -> str:
        return str(await ctx.awakeable()[1])

    return durable(
        "attaching",
        "whoever attaches to an invocation gets its outcome; who only peeks is told that it runs",
        service,
        steps=(
            Invoke("attached", work),
            Attach("peeked", of="attached", peek=True),
            Await(1),
            Attach("also attached", of="attached"),
            Complete("attached", 0, '"ready"'),
        ),
        records={
            "attached": ('"ready"',),
            "also attached": ('"ready"',),
            "peeked": ("470 the invocation exists but has not completed yet",),
        },
        places=EVERYWHERE,
    )


def attaching_too_late() -> DurableScenario:
    service = Service("Forgotten")

    @service.handler()
    async def work(ctx: Context) -> str:
        return "over"

    return durable(
        "attaching too late",
        "nothing is kept of an invocation for which no option asks, and who attaches is told so",
        service,
        steps=(Invoke("over", work), Await(1), Attach("too late", of="over")),
        records={"over": ('"over"',), "too late": ("404 not found",)},
        places=EVERYWHERE,
    )


SCENARIOS = tuple(
    make()
    for make in (
        *(a_call, calls_side_by_side, a_call_nobody_awaits, sends_in_order, a_delayed_send),
        *(a_delayed_invocation, a_call_that_fails, an_idempotency_key),
        *(an_idempotency_key_from_outside, an_idempotent_service, an_unknown_target, the_own_key),
        *(calls_by_name, headers, a_plain_function_is_called, a_plain_function_invokes),
        *(attaching, attaching_too_late),
    )
)
