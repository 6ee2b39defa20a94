"""Functions that count what comes from Kafka, and say so to Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.sdk.egress import kafka_egress_message
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType
from statefun.sdk.specs import ValueSpec

if TYPE_CHECKING:
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

functions = StatefulFunctions()


@functions.bind("shop/count", specs=[ValueSpec("seen", IntType)])
async def count(context: Context, message: Message) -> None:
    """Answer each order with how many there were of its customer."""
    seen = (context.storage.seen or 0) + 1
    context.storage.seen = seen
    value = f"{seen}:".encode() + message.typed_value.value
    context.send_egress(
        kafka_egress_message("shop/out", topic="counts", key=context.address.id, value=value)
    )
