"""State by a class: the same turns as by specs, with defaults, and changes in place are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun.errors import InvalidSpecError, InvocationError
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import IntType, LongType, StringType
from statefun.sdk.specs import ValueSpec
from statefun.sdk.state import State, Value
from statefun.sdk.types import make_json_type
from statefun.testing import Harness

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

NAMES = make_json_type("t/names", list[str])


@dataclass
class Profile:
    age: int
    tags: list[str]


class Cart(State):
    items = Value(LongType, default=0)
    names = Value(NAMES, default_factory=list[str])
    note = Value(StringType)
    profile = Value(make_json_type("t/profile", Profile))


def stored(harness: Harness, typename: str) -> dict[str, Any]:
    """The values of address 1."""
    types = {name: each.spec().type for name, each in Cart.VALUES.items()}
    values = harness.state(typename, "1").items()
    return {name: value.as_type(types[name]) for name, value in values}


def after(*acts: Callable[[Cart], object], blocking: bool = False) -> dict[str, Any]:
    """What is stored once each act was done by one message."""
    functions, remaining = StatefulFunctions(), list(acts)

    @functions.bind("t/cart", specs=Cart, blocking=blocking)
    def act(context: Context[Cart], message: Message) -> None:
        remaining.pop(0)(context.storage)

    harness = Harness(functions)
    for _ in acts:
        harness.send("t/cart", "1", int_value=1)
    harness.run()
    return stored(harness, "t/cart")


@pytest.mark.parametrize("blocking", [False, True], ids=["on the loop", "in a thread"])
def test_a_change_in_place_is_kept(blocking: bool) -> None:  # noqa: FBT001
    """A list that was read and changed is stored when the function returns."""
    add = [lambda cart: cart.names.append("a"), lambda cart: cart.names.append("b")]

    assert after(*add, blocking=blocking) == {"names": ["a", "b"]}


async def test_a_change_after_an_await_is_kept() -> None:
    """What counts is the value when the coroutine ends."""
    functions = StatefulFunctions()

    @functions.bind("t/cart", specs=Cart)
    async def add(context: Context[Cart], message: Message) -> None:
        names = context.storage.names
        context.storage.items += 1
        names.append("later")

    harness = Harness(functions)
    harness.send("t/cart", "1", int_value=1)
    harness.run()

    assert stored(harness, "t/cart") == {"items": 1, "names": ["later"]}


def test_a_change_inside_of_an_object_that_was_assigned_is_kept() -> None:
    """An object stays the value after it was assigned."""

    def act(cart: Cart) -> None:
        cart.profile = Profile(1, [])
        cart.profile.age = 2
        cart.profile.tags.append("new")

    assert after(act) == {"profile": Profile(2, ["new"])}


def test_reading_stores_nothing() -> None:
    """A default is not stored by being read."""
    assert after(lambda cart: (cart.items, cart.names, cart.note)) == {}


def test_a_value_without_a_default_reads_as_none_and_one_with_it_as_that() -> None:
    """As long as nothing is stored, and again once it is deleted."""
    seen: list[object] = []

    def act(cart: Cart) -> None:
        seen.append((cart.items, list(cart.names), cart.note))
        cart.items, cart.note = 5, "here"
        cart.names.append("x")
        seen.append((cart.items, list(cart.names), cart.note))
        del cart.items, cart.names, cart.note
        seen.append((cart.items, list(cart.names), cart.note))

    assert after(act) == {}
    assert seen == [(0, [], None), (5, ["x"], "here"), (0, [], None)]


def test_addresses_share_no_default() -> None:
    """Each address gets a list of its own."""

    def act(cart: Cart) -> None:
        assert cart.names == []
        cart.names.append("mine")
        cart.names.clear()

    assert after(act, act) == {}


def test_other_names_are_refused() -> None:
    """A misspelt name is an error that names the declared ones."""
    with pytest.raises(InvocationError, match=r"Cart has no value 'itmes'.*items"):
        after(lambda cart: setattr(cart, "itmes", 1))
    with pytest.raises(InvocationError, match="Cart has no value 'itmes'"):
        after(lambda cart: cart.itmes)  # type: ignore[attr-defined]


def test_none_is_refused_as_in_any_storage() -> None:
    """`del` deletes a value."""
    with pytest.raises(InvocationError, match=r"del storage\.note"):
        after(lambda cart: setattr(cart, "note", None))


def test_a_class_declares_the_same_as_specs() -> None:
    """With expirations, in the order of declaration, those of base classes first."""
    hour = timedelta(hours=1)

    class More(Cart):
        last = Value(IntType, expire_after_write=hour)

    functions = StatefulFunctions()
    functions.register("t/more", print, More)
    declared = functions.for_typename("t/more").storage_spec.specs

    assert [repr(each) for each in declared] == [
        repr(each)
        for each in (
            ValueSpec("items", LongType),
            ValueSpec("names", NAMES),
            ValueSpec("note", StringType),
            ValueSpec("profile", Cart.profile.spec().type),
            ValueSpec("last", IntType, expire_after_write=hour),
        )
    ]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"default": []}, "default_factory=list"),
        ({"default": ["a"], "default_factory": list}, "give one of them"),
        ({"default_factory": 3}, "cannot be called"),
    ],
)
def test_a_default_that_addresses_would_share_is_refused(
    values: dict[str, Any], sentence: str
) -> None:
    """So are two defaults, and one that cannot be made."""
    declare: Any = Value
    with pytest.raises(InvalidSpecError, match=sentence):
        declare(NAMES, **values)


def test_a_state_may_have_any_name_of_a_value() -> None:
    """Nothing of the class stands in the way of a value's name."""

    class Odd(State):
        get = Value(IntType, default=1)
        values = Value(IntType, default=2)
        _turn = Value(IntType, default=3)

    functions, seen = StatefulFunctions(), []

    @functions.bind("t/odd", specs=Odd)
    def read(context: Context[Odd], message: Message) -> None:
        seen.append((context.storage.get, context.storage.values, context.storage._turn))

    harness = Harness(functions)
    harness.send("t/odd", "1", int_value=1)
    harness.run()

    assert seen == [(1, 2, 3)]


@given(st.lists(st.sampled_from(["append", "assign", "delete", "read", "clear"]), max_size=12))
def test_a_class_and_specs_store_the_same(acts: list[str]) -> None:
    """Whatever is done to a list in place is what assigning the changed list would store."""
    by_class: dict[str, Callable[[Cart], object]] = {
        "append": lambda cart: cart.names.append(str(len(cart.names))),
        "assign": lambda cart: setattr(cart, "names", ["new"]),
        "delete": lambda cart: delattr(cart, "names"),
        "read": lambda cart: cart.names,
        "clear": lambda cart: cart.names.clear(),
    }
    by_specs: dict[str, Callable[[Any], object]] = {
        **by_class,
        "append": lambda kept: setattr(
            kept, "names", [*(kept.names or []), str(len(kept.names or []))]
        ),
        "clear": lambda kept: kept.names and kept.__setattr__("names", []),
    }

    functions = StatefulFunctions()
    functions.register(
        "t/class", lambda c, m: by_class[acts[m.as_int() or 0]](c.storage) and None, specs=Cart
    )
    functions.register(
        "t/specs",
        lambda c, m: by_specs[acts[m.as_int() or 0]](c.storage) and None,
        specs=[ValueSpec("names", NAMES)],
    )
    harness = Harness(functions)
    for position in range(len(acts)):
        harness.send("t/class", "1", int_value=position)
        harness.send("t/specs", "1", int_value=position)
    harness.run()

    assert stored(harness, "t/class") == stored(harness, "t/specs")
