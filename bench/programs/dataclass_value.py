"""A value of a dataclass of 200 bytes, read and written by msgspec."""

from dataclasses import dataclass, field

import msgspec

from statefun import Context, Message, StatefulFunctions, ValueSpec, simple_type


@dataclass
class Order:
    """An order."""

    id: str
    name: str
    city: str
    total: float
    note: str
    amounts: list[int] = field(default_factory=list)


DOCUMENT = Order(
    id="order-1234567",
    name="Ada Lovelace",
    city="London",
    total=149.5,
    note="please leave it at the door, and ring the bell two times if you can",
    amounts=list(range(20)),
)
ENCODER = msgspec.json.Encoder()
DECODER = msgspec.json.Decoder(Order)
STORED = ENCODER.encode(DOCUMENT)
ORDER = simple_type("bench/order", ENCODER.encode, DECODER.decode)

functions = StatefulFunctions()


@functions.bind("bench/dataclass", specs=[ValueSpec("order", ORDER)])
async def touch(context: Context, _: Message) -> None:
    """Read the value and write it."""
    context.storage.order = context.storage.order


def bare() -> None:
    """The codec alone."""
    ENCODER.encode(DECODER.decode(STORED))
