"""The state of an object as one Python object."""

from __future__ import annotations

from dataclasses import dataclass, field

import pydantic
import pytest

from statefun.durable.state import StateModel
from statefun.errors import DefinitionError, SerializationError


@dataclass
class Line:
    sku: str
    quantity: int = 1


@dataclass
class Cart:
    lines: list[Line] = field(default_factory=list)
    total: int = 0


class Profile(pydantic.BaseModel):
    name: str = ""
    tags: list[str] = []


CART = StateModel(Cart)


def test_a_new_key_has_the_defaults_and_no_changes() -> None:
    """Reading alone writes nothing."""
    cart = CART.load({})

    assert cart == Cart()
    assert CART.changes(cart, {}) == {}


def test_a_field_is_the_value_of_its_name() -> None:
    """What `set` kept is there; other names are left alone."""
    cart = CART.load({"total": b"3", "lines": b'[{"sku": "a", "quantity": 2}]', "other": b"1"})

    assert cart == Cart([Line("a", 2)], 3)
    assert CART.changes(cart, {"total": b"3", "lines": b'[{"sku": "a", "quantity": 2}]'}) == {}


def test_what_is_changed_in_place_is_found() -> None:
    """Also deep within a field; the others are not written."""
    kept = {"total": b"3", "lines": b'[{"sku": "a", "quantity": 2}]'}
    cart = CART.load(kept)

    cart.lines[0].quantity += 1

    assert CART.changes(cart, kept) == {"lines": b'[{"sku": "a", "quantity": 3}]'}


def test_a_field_that_returns_to_its_default_is_kept_as_such() -> None:
    """The old value does not stay."""
    cart = CART.load({"total": b"3"})

    cart.total = 0

    assert CART.changes(cart, {"total": b"3"}) == {"total": b"0"}


def test_a_pydantic_model_describes_state_too() -> None:
    """Its fields are read by their types."""
    model = StateModel(Profile)
    profile = model.load({"tags": b'["a"]'})

    profile.name = "Ada"

    assert profile == Profile(name="Ada", tags=["a"])
    assert model.changes(profile, {"tags": b'["a"]'}) == {"name": b'"Ada"'}


def test_bytes_of_another_type_name_the_field() -> None:
    """Whoever changed the type of a field learns which one."""
    with pytest.raises(SerializationError, match=r"Cart.lines is kept as: .* not of the type"):
        CART.load({"lines": b'{"a": 1}'})


def test_a_value_that_cannot_be_kept_names_the_field() -> None:
    """Nothing of the state is kept then."""
    cart = Cart()
    cart.total = float("nan")  # type: ignore[assignment]

    with pytest.raises(SerializationError, match=r"Cart.total cannot be kept: float nan"):
        CART.changes(cart, {})


def test_a_state_of_another_class_is_refused() -> None:
    """`ctx.state` is changed, not replaced."""
    with pytest.raises(SerializationError, match="the state is a Cart, got Line"):
        CART.changes(Line("a"), {})  # type: ignore[arg-type]


def test_a_field_without_a_default_is_refused() -> None:
    """A new key has no state yet."""
    with pytest.raises(DefinitionError, match="Line cannot be the state of a new key"):
        StateModel(Line)


def test_a_state_shows_what_was_kept_by_name() -> None:
    """Also a frozen one; a name that is no field changes nothing."""

    @dataclass(frozen=True)
    class Point:
        x: int = 0
        y: int = 0

    points = StateModel(Point)
    point = points.load({"x": b"3"})
    points.show(point, "y", b"4")
    points.show(point, "x", None)
    points.show(point, "z", b"5")

    assert point == Point(0, 4)
