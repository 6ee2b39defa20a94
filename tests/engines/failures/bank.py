"""Functions that keep account of numbered orders; served by processes that get killed.

Each order is booked four times: when it comes in, by the account that is paid, by the payer again
when that one says so, and by the payer once it is due. Each booking is counted in the state of the
account and written to the egress.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from statefun import (
    Context,
    LongType,
    Message,
    StatefulFunctions,
    Type,
    ValueSpec,
    kafka_egress_message,
    make_json_type,
    message_builder,
)

ACCOUNT = "bank/account"
ORDER: Type[dict[str, Any]] = make_json_type("bank/order")
BOOKS = make_json_type("bank/books")

functions = StatefulFunctions()


@functions.bind(ACCOUNT, specs=[ValueSpec("books", BOOKS), ValueSpec("total", LongType)])
async def account(context: Context, message: Message) -> None:
    """Book an order, and pass it on; or report what has been booked."""
    order: dict[str, Any] = message.as_type(ORDER) or {}
    kind, books = order["kind"], context.storage.books or {}
    total = context.storage.total or 0
    if kind == "report":
        record = {"account": context.address.id, "books": books, "total": total}
    else:
        times = books.setdefault(kind, {})
        times[str(order["number"])] = times.get(str(order["number"]), 0) + 1
        context.storage.books = books
        context.storage.total = total + order["amount"]
        record = {"kind": kind, "number": order["number"]}
    egress = kafka_egress_message("bank/out", "entries", json.dumps(record), key=context.address.id)
    context.send_egress(egress)
    if kind == "ordered":
        context.send(told(order["to"], order, "paid"))
        delay = timedelta(milliseconds=order["due_ms"])
        context.send_after(delay, told(context.address.id, order, "due"))
    if kind == "paid":
        context.send(told(order["from"], order, "confirmed"))


def told(target: str, order: dict[str, Any], kind: str) -> Any:
    """The order as a message to an account."""
    return message_builder(ACCOUNT, target, value=order | {"kind": kind}, value_type=ORDER)
