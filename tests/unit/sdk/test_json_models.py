"""JSON types of classes: `make_json_type("shop/order", Order)`."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pydantic
import pytest
from typing_extensions import TypedDict

from statefun import Context, Message, StatefulFunctions, ValueSpec, make_json_type, message_builder
from statefun.errors import DefinitionError, SerializationError
from statefun.testing import Harness


class Colour(enum.Enum):
    """An enum."""

    RED = "red"
    BLUE = "blue"


@dataclass
class Item:
    """A dataclass inside of another."""

    name: str
    price: Decimal
    colours: list[Colour] = field(default_factory=list)


@dataclass
class Order:
    """A dataclass."""

    id: UUID
    at: datetime
    items: list[Item]


class Model(pydantic.BaseModel):
    """A pydantic model."""

    name: str
    item: Item


class Struct(msgspec.Struct):
    """A msgspec struct."""

    name: str
    count: int = 0


class Plain(TypedDict):
    """A TypedDict."""

    name: str
    at: datetime


AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ID = UUID("12345678-1234-5678-1234-567812345678")
ITEM = Item("Žofie", Decimal("1.10"), [Colour.RED])
VALUES: list[tuple[Any, Any]] = [
    (Order, Order(ID, AT, [ITEM])),
    (Model, Model(name="m", item=ITEM)),
    (Struct, Struct("s", 3)),
    (Plain, {"name": "p", "at": AT}),
    (Colour, Colour.BLUE),
    (datetime, AT),
    (UUID, ID),
    (Decimal, Decimal("0.1")),
    (list[Item], [ITEM, ITEM]),
    (dict[str, Struct], {"a": Struct("s")}),
    (Order | Model, Model(name="m", item=ITEM)),
]


@pytest.mark.parametrize(("model", "value"), VALUES, ids=[str(model) for model, _ in VALUES])
def test_a_value_of_any_class_comes_back_as_it_was(model: Any, value: Any) -> None:
    """With its class, and equal; a fresh object each time."""
    serializer = make_json_type("t/value", model).serializer()

    data = serializer.serialize(value)
    read = serializer.deserialize(data)

    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("model", "data", "text"),
    [
        (Order, b'{"id": 1, "at": "2026-01-01T00:00:00Z", "items": []}', "Order: id: "),
        (
            Order,
            f'{{"id": "{ID}", "at": "2026-01-01T00:00:00Z", "items": [{{"name": "n"}}]}}'.encode(),
            "items.0.price: Field required",
        ),
        (Model, b'{"name": "m", "item": {"name": "n", "price": "x"}}', "item.price: "),
        (Struct, b'{"name": "m", "count": "x"}', "$.count"),
        (Plain, b'{"name": 1, "at": "2026-01-01T00:00:00Z"}', "name: "),
        (Colour, b'"green"', "'red' or 'blue'"),
        (Decimal, b"not", "not of the type Decimal"),
    ],
)
def test_bytes_that_do_not_fit_are_refused_with_the_field(
    model: Any, data: bytes, text: str
) -> None:
    """Each field that does not fit is named, at any depth."""
    with pytest.raises(SerializationError) as caught:
        make_json_type("t/value", model).serializer().deserialize(data)

    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (Order, {"id": "x"}),
        (Struct, ITEM),
        (Plain, [1]),
        (list[Item], ITEM),
        (Order | Model, ITEM),
        (Colour, "red"),
    ],
)
def test_a_value_of_another_class_is_not_written(model: Any, value: Any) -> None:
    """Nobody could read it."""
    with pytest.raises(SerializationError, match="is expected here, got"):
        make_json_type("t/value", model).serializer().serialize(value)


def test_a_class_that_nothing_reads_is_refused_where_the_type_is_made() -> None:
    """Not at the first message."""

    class Opaque:
        pass

    with pytest.raises(DefinitionError, match=r"no JSON is read as the type .*Opaque"):
        make_json_type("t/value", Opaque)


def test_messages_and_state_are_of_such_types() -> None:
    """A function reads, changes and stores them."""
    functions, order = StatefulFunctions(), make_json_type("shop/order", Order)

    @functions.bind("shop/orders", specs=[ValueSpec("order", order)])
    async def place(context: Context, message: Message) -> None:
        placed = message.as_type(order)
        assert placed is not None
        placed.items.append(ITEM)
        context.storage.order = placed

    harness = Harness(functions)
    harness.send(message_builder("shop/orders", "1", value=Order(ID, AT, []), value_type=order))
    harness.run()

    kept = harness.state("shop/orders", "1")["order"]
    assert kept.as_type(order) == Order(ID, AT, [ITEM])
