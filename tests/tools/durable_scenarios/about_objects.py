"""Objects: state by key, one exclusive handler at a time, and attempts that fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from statefun.durable import (
    Context,
    InvocationRetryPolicy,
    ObjectContext,
    ObjectSharedContext,
    Service,
    TerminalError,
    VirtualObject,
)
from statefun.durable.exceptions import RetryableError
from tests.tools.durable_scenarios.everywhere import CALM, EVERYWHERE
from tests.tools.durable_scenarios.scenario import (
    INVOKED,
    Command,
    Complete,
    DurableScenario,
    Invoke,
    durable,
    perform,
    performed,
    tell,
)
from tests.tools.scenarios.scenario import Await, NotBefore, Pause

MOMENT = timedelta(milliseconds=50)
SOON = InvocationRetryPolicy(initial_interval=timedelta(milliseconds=10))


def state() -> DurableScenario:
    counter = VirtualObject("Keeps")

    @counter.handler()
    async def add(ctx: ObjectContext, by: int) -> int:
        total = (await ctx.get("total", type_hint=int) or 0) + by
        ctx.set("total", total)
        return total

    return durable(
        "state",
        "an object keeps what a handler sets, for each key by itself",
        counter,
        steps=(
            Invoke("kept", add, 1, "a"),
            Invoke("kept", add, 2, "a"),
            Invoke("kept", add, 3, "a"),
            Invoke("kept of b", add, 4, "b"),
        ),
        records={"kept": ("1", "3", "6"), "kept of b": ("4",)},
        places=EVERYWHERE,
    )


def one_at_a_time() -> DurableScenario:
    desk = VirtualObject("Desk")

    @desk.handler()
    async def serve(ctx: ObjectContext, name: str) -> None:
        tell(ctx, "desk", f"{name} begins")
        await ctx.sleep(MOMENT)
        tell(ctx, "desk", f"{name} ends")

    return durable(
        "one at a time",
        "exclusive handlers of a key run in order of arrival, one after another, also if they wait",
        desk,
        steps=tuple(Invoke("served", serve, each, "k") for each in ("Ann", "Bob", "Cai")),
        records={
            "served": ("", "", ""),
            "desk": (
                *("Ann begins", "Ann ends", "Bob begins", "Bob ends"),
                *("Cai begins", "Cai ends"),
            ),
        },
        places=EVERYWHERE,
    )


def keys_are_independent() -> DurableScenario:
    desk = VirtualObject("Desks")

    @desk.handler()
    async def wait(ctx: ObjectContext) -> str:
        return str(await ctx.awakeable()[1])

    @desk.handler()
    async def go(ctx: ObjectContext) -> str:
        return "went"

    return durable(
        "keys are independent",
        "a handler that waits holds up nobody but its key",
        desk,
        steps=(
            Invoke("waiting", wait, key="a"),
            Invoke("going", go, key="b"),
            Await(1),
            Complete("waiting", 0, '"at last"'),
        ),
        records={"waiting": ('"at last"',), "going": ('"went"',)},
        places=EVERYWHERE,
    )


def shared_beside_exclusive() -> DurableScenario:
    shelf = VirtualObject("Shelf")

    @shelf.handler()
    async def fill(ctx: ObjectContext) -> None:
        ctx.set("status", "filling")
        await ctx.awakeable()[1]
        ctx.set("status", "full")

    @shelf.handler(kind="shared")
    async def look(ctx: ObjectSharedContext) -> str:
        return str(await ctx.get("status"))

    return durable(
        "a shared handler beside an exclusive one",
        "a shared handler runs while an exclusive one waits, and sees what that has set",
        shelf,
        steps=(
            Invoke("filled", fill, key="k"),
            Invoke("looked", look, key="k"),
            Await(1),
            Complete("filled", 1, "null"),
            Await(2),
            Invoke("looked", look, key="k"),
        ),
        records={"filled": ("",), "looked": ('"filling"', '"full"')},
        places=EVERYWHERE,
    )


def shared_that_waits() -> DurableScenario:
    shelf = VirtualObject("SlowLook")

    @shelf.handler()
    async def put(ctx: ObjectContext, thing: str) -> None:
        ctx.set("thing", thing)

    @shelf.handler(kind="shared")
    async def look(ctx: ObjectSharedContext) -> list[Any]:
        before = await ctx.get("thing")
        await ctx.awakeable()[1]
        return [before, await ctx.get("thing")]

    return durable(
        "a shared handler sees one state",
        "a shared handler goes on with the values it has read, whatever is set meanwhile",
        shelf,
        steps=(
            Invoke("put", put, "tea", "k"),
            Await(1),
            Invoke("slow look", look, key="k"),
            Invoke("put", put, "salt", "k"),
            Await(2),
            Complete("slow look", 0, "null"),
        ),
        records={"put": ("", ""), "slow look": ('["tea", "tea"]',)},
        places=EVERYWHERE,
    )


def a_shared_handler_that_writes() -> DurableScenario:
    shelf = VirtualObject("WrongWriter")

    @shelf.handler(kind="shared")
    async def write(ctx: ObjectSharedContext) -> None:
        ctx.set("thing", 1)  # type: ignore[attr-defined]

    return durable(
        "a shared handler that writes",
        "a shared handler that writes fails at once, and is not tried again",
        shelf,
        steps=(Invoke("wrote", write, key="k"),),
        records={
            "wrote": (
                "403 write is a shared handler and cannot write 'thing': write in an exclusive one",
            )
        },
        places=EVERYWHERE,
    )


def state_after_a_failure() -> DurableScenario:
    account = VirtualObject("Account")

    @account.handler()
    async def pay(ctx: ObjectContext, amount: int) -> None:
        ctx.set("asked", amount)
        raise TerminalError("no money", 402)

    @account.handler(kind="shared")
    async def asked(ctx: ObjectSharedContext) -> int | None:
        return await ctx.get("asked", type_hint=int)

    return durable(
        "state after a failure",
        "what a handler has set before it fails for good stays set",
        account,
        steps=(Invoke("paid", pay, 5, "k"), Await(1), Invoke("amount asked", asked, key="k")),
        records={"paid": ("402 no money",), "amount asked": ("5",)},
        places=EVERYWHERE,
    )


@dataclass
class Basket:
    items: list[str] = field(default_factory=list)
    is_paid: bool = False


def typed_state() -> DurableScenario:
    baskets = VirtualObject("Baskets", state=Basket)

    @baskets.handler()
    async def put(ctx: ObjectContext[Basket], item: str) -> int:
        ctx.state.items.append(item)
        await ctx.sleep(MOMENT)
        ctx.state.items.append(f"bag for {item}")
        return len(ctx.state.items)

    @baskets.handler(kind="shared")
    async def show(ctx: ObjectSharedContext[Basket]) -> list[str]:
        return ctx.state.items

    return durable(
        "typed state",
        "state that is changed in place is kept, on both sides of a wait",
        baskets,
        steps=(
            Invoke("basket", put, "tea", "k"),
            Invoke("basket", put, "jam", "k"),
            Await(2),
            Invoke("shown", show, key="k"),
        ),
        records={
            "basket": ("2", "4"),
            "shown": ('["tea", "bag for tea", "jam", "bag for jam"]',),
        },
        places=EVERYWHERE,
    )


def names_of_values() -> DurableScenario:
    drawer = VirtualObject("Drawer")

    @drawer.handler()
    async def sort(ctx: ObjectContext) -> list[list[str]]:
        seen = []
        for name in ("b", "a", "c"):
            ctx.set(name, 1)
        seen.append(await ctx.state_keys())
        await ctx.sleep(MOMENT)
        ctx.clear("a")
        seen.append(await ctx.state_keys())
        ctx.clear_all()
        seen.append(await ctx.state_keys())
        return seen

    return durable(
        "the names of values",
        "a handler can ask for the names of its values, and clear one or all",
        drawer,
        steps=(Invoke("names", sort, key="k"),),
        records={"names": ('[["a", "b", "c"], ["b", "c"], []]',)},
        places=EVERYWHERE,
    )


def a_queue() -> DurableScenario:
    counter = VirtualObject("Crowded")

    @counter.handler()
    async def add(ctx: ObjectContext) -> int:
        total = (await ctx.get("total", type_hint=int) or 0) + 1
        ctx.set("total", total)
        if total == 1:
            await ctx.sleep(MOMENT)
        return total

    return durable(
        "a queue at a key",
        "invocations that wait for a key are carried out in order of arrival",
        counter,
        steps=tuple(Invoke("crowd", add, key="k") for _ in range(12)),
        records={"crowd": tuple(map(str, range(1, 13)))},
        places=tuple(each for each in EVERYWHERE if each != "taskmanager-killed"),
    )


_ATTEMPTS: dict[str, int] = {}


def _attempt(ctx: Context) -> int:
    invocation = ctx.request().id
    _ATTEMPTS[invocation] = _ATTEMPTS.get(invocation, 0) + 1
    return _ATTEMPTS[invocation]


def a_failed_attempt() -> DurableScenario:
    service = Service("Stumbler", invocation_retry_policy=SOON)

    @service.handler()
    async def work(ctx: Context) -> list[int]:
        first = await perform(ctx, "first")
        if _attempt(ctx) < 3:
            raise OSError("the code stumbles")
        return [first, await performed(ctx, "first")]

    return durable(
        "an attempt that fails",
        "an exception ends one attempt; the next one repeats no step that is recorded",
        service,
        steps=(Invoke("stumbled", work),),
        records={"stumbled": ("[1, 1]",)},
        places=CALM,
        is_exact=True,
    )


def spent_attempts() -> DurableScenario:
    policy = InvocationRetryPolicy(
        initial_interval=timedelta(milliseconds=10), max_attempts=3, on_max_attempts="kill"
    )
    service = Service("Hopeless", invocation_retry_policy=policy)

    @service.handler()
    async def work(ctx: Context) -> None:
        raise OSError("always")

    return durable(
        "attempts that are spent",
        "when its attempts are spent, an invocation may end with the last error",
        service,
        steps=(Invoke("hopeless", work),),
        records={"hopeless": ("500 OSError('always')",)},
        places=EVERYWHERE,
    )


def a_pause_and_a_resume() -> DurableScenario:
    policy = InvocationRetryPolicy(
        initial_interval=timedelta(milliseconds=10), max_attempts=2, on_max_attempts="pause"
    )
    service = Service("Pausing", invocation_retry_policy=policy)
    repaired: set[str] = set()

    @service.handler()
    async def work(ctx: Context) -> str:
        await ctx.sleep(MOMENT)
        if ctx.request().id not in repaired:
            raise OSError("broken")
        return "repaired"

    @service.handler()
    async def repair(ctx: Context) -> None:
        repaired.add(str(INVOKED["paused"]))

    return durable(
        "a pause, and a resumption",
        "when its attempts are spent, an invocation may wait until somebody lets it go on",
        service,
        steps=(
            Invoke("paused", work),
            Pause(200),
            Invoke("repair", repair),
            Await(1),
            Command("resume", "paused"),
        ),
        records={"paused": ('"repaired"',), "repair": ("",)},
        places=EVERYWHERE,
    )


def a_time_to_wait() -> DurableScenario:
    service = Service("Busy", invocation_retry_policy=SOON)

    @service.handler()
    async def work(ctx: Context) -> str:
        if _attempt(ctx) == 1:
            raise RetryableError("busy", retry_after=timedelta(milliseconds=300))
        return "free"

    return durable(
        "a time to wait before the next attempt",
        "an error may say when the next attempt makes sense",
        service,
        steps=(Invoke("busy", work),),
        records={"busy": ('"free"',)},
        timing=(NotBefore("busy", (300,)),),
        places=CALM,
    )


def a_cause_that_is_terminal() -> DurableScenario:
    service = Service("Causes", invocation_retry_policy=SOON)

    @service.handler()
    async def work(ctx: Context) -> None:
        raise ValueError("wrapped") from TerminalError("no such card", 404)

    return durable(
        "a final cause",
        "an error whose cause is a terminal error is final as well",
        service,
        steps=(Invoke("cause", work),),
        records={"cause": ("404 no such card",)},
        places=EVERYWHERE,
    )


def an_unreadable_argument() -> DurableScenario:
    service = Service("Reader")

    @service.handler()
    async def read(ctx: Context, number: int) -> int:
        return number

    @service.handler()
    async def call(ctx: Context) -> int:
        try:
            await ctx.generic_call("Reader", "read", b"{")
        except TerminalError as error:
            return error.status_code
        return 0

    return durable(
        "an unreadable argument",
        "an argument that cannot be read is the fault of the caller, and final",
        service,
        steps=(Invoke("unreadable", call),),
        records={"unreadable": ("400",)},
        places=EVERYWHERE,
    )


SCENARIOS = tuple(
    make()
    for make in (
        *(state, one_at_a_time, keys_are_independent, shared_beside_exclusive, shared_that_waits),
        *(a_shared_handler_that_writes, state_after_a_failure, typed_state, names_of_values),
        *(a_queue, a_failed_attempt, spent_attempts, a_pause_and_a_resume, a_time_to_wait),
        *(a_cause_that_is_terminal, an_unreadable_argument),
    )
)
