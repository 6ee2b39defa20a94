"""A shop: an order reserves stock, is approved if it is large, is paid, and is shipped, or undone.

The bank is a file here. Like a real one it carries out a payment once for each idempotency key.
"""

import asyncio
import json
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from statefun import durable
from statefun.durable import (
    Context,
    ObjectContext,
    ObjectSharedContext,
    RunOptions,
    TerminalError,
    WorkflowContext,
    WorkflowSharedContext,
)

BANK = Path(os.environ.get("BANK", "bank.jsonl"))
LIMIT = 100
"""An order that costs more has to be approved."""


@dataclass
class Order:
    """What a customer wants."""

    item: str
    count: int
    price: int
    card: str


@dataclass
class Shelf:
    """What the stock keeps of one item."""

    left: int = 0
    reserved: int = 0


stock = durable.VirtualObject("Stock", state=Shelf)
payments = durable.Service("Payments")
orders = durable.Workflow("Order")


@stock.handler()
async def fill(ctx: ObjectContext[Shelf], count: int) -> int:
    """Put items on the shelf."""
    ctx.state.left += count
    return ctx.state.left


@stock.handler()
async def reserve(ctx: ObjectContext[Shelf], count: int) -> None:
    """Keep items for an order."""
    if count > ctx.state.left:
        raise TerminalError(f"only {ctx.state.left} of {ctx.key()} left", 409)
    ctx.state.left -= count
    ctx.state.reserved += count


@stock.handler()
async def release(ctx: ObjectContext[Shelf], count: int) -> None:
    """Put the items of an order back."""
    ctx.state.left += count
    ctx.state.reserved -= count


@stock.handler()
async def ship(ctx: ObjectContext[Shelf], count: int) -> None:
    """Send the items of an order away."""
    ctx.state.reserved -= count


@stock.handler(kind="shared")
async def look(ctx: ObjectSharedContext[Shelf]) -> Shelf:
    """Say how many there are."""
    return ctx.state


@payments.handler()
async def charge(ctx: Context, order: Order) -> str:
    """Take money from a card; the key makes a repetition harmless."""
    key = str(ctx.uuid())
    amount = order.count * order.price
    return await ctx.run_typed("bank", transfer, RunOptions(), key, order.card, amount)


@payments.handler()
async def refund(ctx: Context, payment: str) -> None:
    """Give the money of a payment back."""
    await ctx.run_typed("bank", transfer_back, RunOptions(), str(ctx.uuid()), payment)


@orders.main()
async def place(ctx: WorkflowContext, order: Order) -> str:
    """Carry out an order. What fails for good undoes the steps before it, last first."""
    async with ctx.saga() as saga:
        ctx.set("status", "reserving")
        await ctx.object_call(reserve, order.item, order.count)
        saga.undo(ctx.object_call, release, order.item, order.count)

        ctx.set("status", "paying")
        payment = await ctx.service_call(charge, order)
        saga.undo(ctx.service_call, refund, payment)

        if order.count * order.price > LIMIT:
            ctx.set("status", "waiting for approval")
            async with asyncio.timeout(timedelta(days=1).total_seconds()):
                await ctx.promise("approval", type_hint=str)

        ctx.set("status", "shipping")
        await ctx.object_call(ship, order.item, order.count)
    ctx.set("status", "shipped")
    return f"{order.count} {order.item} shipped, payment {payment}"


@orders.handler()
async def approve(ctx: WorkflowSharedContext, by: str) -> None:
    """Let a large order go on."""
    await ctx.promise("approval", type_hint=str).resolve(by)


@orders.handler()
async def decline(ctx: WorkflowSharedContext, reason: str) -> None:
    """Undo a large order."""
    await ctx.promise("approval", type_hint=str).reject(reason, 403)


@orders.handler()
async def status(ctx: WorkflowSharedContext) -> str:
    """Say how far an order is."""
    return await ctx.get("status", type_hint=str) or "unknown"


def transfer(key: str, card: str, amount: int) -> str:
    """Tell the bank to take money, once for each key."""
    if card == "stolen":
        raise TerminalError("the bank declines the card", 402)
    book(key, amount)
    return f"{key}:{amount}"


def transfer_back(key: str, payment: str) -> None:
    """Tell the bank to give money back, once for each key."""
    book(key, -int(payment.rpartition(":")[2]))


def book(key: str, amount: int) -> None:
    """What a bank does with an idempotency key: it looks whether it knows it."""
    if any(key == known for known, _ in booked()):
        return
    with BANK.open("a") as file:
        file.write(json.dumps([key, amount]) + "\n")


def booked() -> list[tuple[str, int]]:
    """Key and amount of every payment."""
    lines = BANK.read_text().splitlines() if BANK.exists() else []
    return [(key, amount) for key, amount in map(json.loads, lines)]


app = durable.app([stock, payments, orders])
