"""Cancelling, killing, pausing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from statefun.durable import Context, ObjectContext, Service, TerminalError, VirtualObject
from tests.tools.durable_scenarios.everywhere import CALM, EVERYWHERE
from tests.tools.durable_scenarios.scenario import (
    Attach,
    Command,
    Complete,
    DurableScenario,
    Invoke,
    durable,
    tell,
)
from tests.tools.scenarios.scenario import Await, Pause

LONG = timedelta(hours=1)
WHILE = timedelta(seconds=2)


def cancelling_a_sleep() -> DurableScenario:
    service = Service("CancelledSleeper")

    @service.handler()
    async def nap(ctx: Context) -> str:
        tell(ctx, "napping", "begins")
        try:
            await ctx.sleep(LONG)
        except TerminalError as error:
            undone = await ctx.run_typed("undo", lambda: "undone")
            await ctx.sleep(timedelta(milliseconds=10))
            return f"{error.status_code} {error.message}, {undone}"
        return "slept"

    return durable(
        "cancelling what waits",
        "cancellation is raised where the handler waits; durable steps after it work",
        service,
        steps=(Invoke("nap", nap), Await(1), Command("cancel", "nap")),
        records={"napping": ("begins",), "nap": ('"409 cancelled, undone"',)},
        places=EVERYWHERE,
    )


def cancelling_a_call() -> DurableScenario:
    service, desk = Service("CancelledCaller"), VirtualObject("HeldDesk")

    @desk.handler()
    async def hold(ctx: ObjectContext) -> None:
        tell(ctx, "held", "begins")
        await ctx.sleep(LONG)

    @desk.handler()
    async def free(ctx: ObjectContext) -> str:
        return "free"

    @service.handler()
    async def call(ctx: Context) -> None:
        await ctx.object_call(hold, "k", None)

    return durable(
        "cancelling a call",
        "a cancelled handler cancels the calls it awaits, and their keys are free again",
        *(service, desk),
        steps=(
            Invoke("calling", call),
            Await(1),
            Command("cancel", "calling"),
            Await(2),
            Invoke("next", free, key="k"),
        ),
        records={"held": ("begins",), "calling": ("409 cancelled",), "next": ('"free"',)},
        places=EVERYWHERE,
    )


def cancelling_what_queues() -> DurableScenario:
    desk = VirtualObject("BusyDesk")

    @desk.handler()
    async def serve(ctx: ObjectContext, name: str) -> str:
        tell(ctx, "served at all", name)
        if name == "Ann":
            await ctx.awakeable()[1]
        return name

    return durable(
        "cancelling in the queue",
        "an invocation that is cancelled while it waits for its key never begins",
        desk,
        steps=(
            Invoke("Ann", serve, "Ann", "k"),
            Await(1),
            Invoke("Bob", serve, "Bob", "k"),
            Invoke("Cai", serve, "Cai", "k"),
            Command("cancel", "Bob"),
            Await(2),
            Complete("Ann", 1, "null"),
        ),
        records={
            "served at all": ("Ann", "Cai"),
            "Ann": ('"Ann"',),
            "Bob": ("409 cancelled",),
            "Cai": ('"Cai"',),
        },
        places=EVERYWHERE,
    )


def cancelling_what_is_delayed() -> DurableScenario:
    desk = VirtualObject("FutureDesk")

    @desk.handler()
    async def serve(ctx: ObjectContext, name: str) -> str:
        return name

    return durable(
        "cancelling what is delayed",
        "an invocation that waits for its time can be cancelled",
        desk,
        steps=(
            Invoke("delayed by an hour", serve, "Ann", "k", delay=LONG),
            Command("cancel", "delayed by an hour"),
        ),
        records={"delayed by an hour": ("409 cancelled",)},
        places=EVERYWHERE,
    )


def cancelling_from_a_handler() -> DurableScenario:
    service = Service("Canceller")

    @service.handler()
    async def nap(ctx: Context) -> None:
        await ctx.sleep(LONG)

    @service.handler()
    async def start(ctx: Context) -> str:
        call = ctx.service_call(nap, None)
        await ctx.sleep(timedelta(milliseconds=20))
        await call.cancel_invocation()
        try:
            await call
        except TerminalError as error:
            return f"{error.status_code} {error.message}"
        return "slept"

    return durable(
        "cancelling from a handler",
        "a handler can cancel what it has called",
        service,
        steps=(Invoke("cancelling", start),),
        records={"cancelling": ('"409 cancelled"',)},
        places=EVERYWHERE,
    )


def killing() -> DurableScenario:
    desk = VirtualObject("KilledDesk")

    @desk.handler()
    async def hold(ctx: ObjectContext) -> None:
        tell(ctx, "holding", "begins")
        try:
            await ctx.sleep(LONG)
        except TerminalError:
            tell(ctx, "holding", "is told")

    @desk.handler()
    async def free(ctx: ObjectContext) -> str:
        return "free"

    return durable(
        "killing",
        "nothing of a killed handler runs any more; who waits for it is told, and its key is free",
        desk,
        steps=(
            Invoke("killed", hold, key="k"),
            Await(1),
            Attach("also waiting", of="killed"),
            Invoke("after the kill", free, key="k"),
            Command("kill", "killed"),
        ),
        records={
            "holding": ("begins",),
            "killed": ("409 killed",),
            "also waiting": ("409 killed",),
            "after the kill": ('"free"',),
        },
        places=EVERYWHERE,
    )


def pausing() -> DurableScenario:
    service = Service("PausedByHand")

    @service.handler()
    async def nap(ctx: Context) -> list[Any]:
        tell(ctx, "by hand", "begins")
        await ctx.sleep(WHILE)
        tell(ctx, "by hand", "wakes")
        return [1]

    return durable(
        "pausing by hand",
        "an invocation that is paused does not go on when its time comes, but when it is resumed",
        service,
        steps=(
            Invoke("paused by hand", nap),
            Await(1),
            Command("pause", "paused by hand"),
            Pause(2500),
            Attach("while paused", of="paused by hand", peek=True),
            Await(2),
            Command("resume", "paused by hand"),
        ),
        records={
            "by hand": ("begins", "wakes"),
            "paused by hand": ("[1]",),
            "while paused": ("470 the invocation exists but has not completed yet",),
        },
        places=CALM,
    )


SCENARIOS = tuple(
    make()
    for make in (
        *(cancelling_a_sleep, cancelling_a_call, cancelling_what_queues),
        *(cancelling_what_is_delayed, cancelling_from_a_handler, killing, pausing),
    )
)
