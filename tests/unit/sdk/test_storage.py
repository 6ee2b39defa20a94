"""The values of an address while a batch runs: what is read and written, what is sent back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import (
    InvalidMessageError,
    SerializationError,
    TurnEndedError,
    UnknownValueError,
    UnreadableValueError,
)
from statefun.sdk.address import Address, SdkAddress
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.primitives import BoolType, DoubleType, FloatType, IntType, LongType, StringType
from statefun.sdk.specs import Upgrade, ValueSpec
from statefun.sdk.types import Type, make_json_type, simple_type
from tests.builders import asked, number, text, to_function, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message
    from statefun.sdk.wire._proto import TypedValue

JSON = make_json_type("t/json")
SPECS = (ValueSpec("seen", IntType), ValueSpec("name", StringType), ValueSpec("basket", JSON))
ABSENT: dict[str, TypedValue | None] = {"seen": None, "name": None, "basket": None}
KEPT: dict[str, TypedValue | None] = {
    "seen": number(3),
    "name": text("Ada"),
    "basket": typed(JSON, ["pear"]),
}


def mutations(
    *acts: Callable[[Any], None],
    state: Mapping[str, TypedValue | None] = KEPT,
    specs: tuple[ValueSpec, ...] = SPECS,
) -> dict[str, Any]:
    """The mutations of a batch in which each act is one invocation on the same storage."""
    functions, remaining = StatefulFunctions(), list(acts)

    @functions.bind("t/f", specs)
    def act(context: Context, message: Message) -> None:
        remaining.pop(0)(context.storage)

    request = to_function(Address("t/f", "1"), *[number(1) for _ in acts], state=state)
    return asked(RequestReplyHandler(functions).handle_sync(request)).mutations


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (KEPT, (3, "Ada", ["pear"])),
        (ABSENT, (None, None, None)),
        (
            {"seen": number(0), "name": text(""), "basket": typed(JSON, [])},
            (0, "", []),
        ),
    ],
)
def test_a_value_reads_as_it_was_stored(
    state: Mapping[str, TypedValue | None], expected: tuple[Any, ...]
) -> None:
    """A value never set is None, which no stored value is."""
    seen: list[Any] = []

    def read(storage: Any) -> None:
        seen.append((storage.seen, storage.name, storage.basket))

    assert mutations(read, read, state=state) == {}
    assert seen == [expected, expected]


def test_of_a_name_sent_twice_the_last_counts() -> None:
    """Protobuf's rule for repeated fields holds for values too."""
    state_field = to_function(Address("t/f", "1"), state={"seen": number(1)})
    twice = to_function(Address("t/f", "1"), number(1), state={"seen": number(2)})
    seen: list[Any] = []
    functions = StatefulFunctions()
    functions.register("t/f", lambda context, _: seen.append(context.storage.seen), SPECS[:1])

    RequestReplyHandler(functions).handle_sync(state_field + twice)  # protobuf merges the two

    assert seen == [2]


def test_a_value_sent_and_not_declared_is_ignored() -> None:
    """An engine may still know a value that the function has forgotten."""

    def check(storage: Any) -> None:
        with pytest.raises(UnknownValueError):
            _ = storage.forgotten

    assert mutations(check, state={**KEPT, "forgotten": number(1)}) == {}


def test_a_value_stored_as_another_type_is_read_by_its_upgrade() -> None:
    """Each time as a new object; it is sent back only when the function writes it."""

    def read(storage: Any) -> None:
        storage.basket.append("plum")
        assert storage.basket == ["pear", "apple"]

    def write(storage: Any) -> None:
        storage.basket = [*storage.basket, "fig"]

    spec = ValueSpec("basket", JSON, upgrades=[Upgrade(StringType, str.split)])
    state = {"basket": text("pear apple")}

    assert mutations(read, state=state, specs=(spec,)) == {}
    assert mutations(read, write, state=state, specs=(spec,)) == {
        "basket": ("t/json", b'["pear", "apple", "fig"]')
    }


@pytest.mark.parametrize(
    ("declared", "stored", "expected"),
    [
        (LongType, number(-3), -3),
        (DoubleType, number(2**31 - 1), 2147483647.0),
        (DoubleType, typed(FloatType, 0.5), 0.5),
        (LongType, number(0), 0),
    ],
)
def test_a_value_is_read_as_a_wider_type(
    declared: Type[Any], stored: TypedValue, expected: float
) -> None:
    """Every value of the one is a value of the other, so nothing has to be said."""
    seen: list[Any] = []

    changed = mutations(
        lambda storage: seen.append(storage.seen),
        state={"seen": stored},
        specs=(ValueSpec("seen", declared),),
    )

    assert (seen, type(seen[0]), changed) == ([expected], type(expected), {})


def test_an_upgrade_goes_before_what_types_say() -> None:
    """For example when a number counts something else now."""
    spec = ValueSpec("seen", LongType, upgrades=[Upgrade(IntType, lambda euros: euros * 100)])

    def read(storage: Any) -> None:
        assert storage.seen == 300

    assert mutations(read, state={"seen": number(3)}, specs=(spec,)) == {}


def test_an_upgrade_that_fails_says_so() -> None:
    """With its reason; the value stays as it is."""
    spec = ValueSpec("seen", LongType, upgrades=[Upgrade(StringType, int)])

    def read(storage: Any) -> None:
        with pytest.raises(UnreadableValueError, match="upgrade failed") as caught:
            _ = storage.seen
        assert str(caught.value.reason).startswith("ValueError: invalid literal")

    assert mutations(read, state={"seen": text("three")}, specs=(spec,)) == {}


@pytest.mark.parametrize(
    ("spec", "stored"),
    [
        (ValueSpec("seen", IntType), text("three")),
        (ValueSpec("seen", IntType), typed(LongType, 3)),
        (ValueSpec("seen", FloatType), number(3)),
        (ValueSpec("seen", DoubleType), typed(LongType, 3)),
        (ValueSpec("seen", LongType), typed(BoolType, 1)),
        (ValueSpec("seen", JSON), number(3)),
    ],
)
def test_a_value_stored_as_another_type_cannot_be_read(spec: ValueSpec, stored: TypedValue) -> None:
    """The error names the value and both types; writing over it is allowed."""

    def read(storage: Any) -> None:
        with pytest.raises(UnreadableValueError) as caught:
            _ = storage.seen
        error = caught.value
        assert (error.what, error.expected, error.actual) == (
            "value 'seen'",
            spec.type.typename,
            stored.typename,
        )

    def overwrite(storage: Any) -> None:
        storage.seen = 5
        assert storage.seen == 5

    changed = mutations(read, overwrite, state={"seen": stored}, specs=(spec,))

    assert list(changed) == ["seen"]


# --- writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value_type", "value", "read_back"),
    [
        (IntType, True, 1),
        (LongType, 2**40, 2**40),
        (BoolType, 7, True),
        (FloatType, 1e300, float("inf")),
        (DoubleType, 2, 2.0),
        (StringType, b"Ada", "Ada"),
    ],
)
def test_a_written_value_reads_as_it_would_after_a_restart(
    value_type: Type[Any], value: Any, read_back: Any
) -> None:
    """Within the batch and ever after, a value is the same."""
    seen: list[Any] = []

    def write(storage: Any) -> None:
        storage.seen = value
        seen.append(storage.seen)

    changed = mutations(
        write,
        lambda storage: seen.append(storage.seen),
        state={"seen": None},
        specs=(ValueSpec("seen", value_type),),
    )

    assert (changed, seen) == ({"seen": read_back}, [read_back, read_back])
    assert [type(each) for each in seen] == [type(read_back)] * 2


def test_only_what_was_written_is_sent_back_once() -> None:
    """However often a value is written, its last state is what the engine gets."""

    def write(storage: Any) -> None:
        storage.seen += 1
        storage.seen += 1

    assert mutations(write, write) == {"seen": 7}


def test_writing_the_same_value_is_a_write() -> None:
    """It starts an expiration anew, so it must reach the engine."""

    def write(storage: Any) -> None:
        storage.name = storage.name

    assert mutations(write) == {"name": "Ada"}


def test_a_deleted_value_is_gone_at_once() -> None:
    """Deleting is a mutation also for a value that is not there, and can be undone by writing."""
    seen: list[Any] = []

    def delete(storage: Any) -> None:
        del storage.seen
        del storage.name
        seen.append(storage.seen)
        storage.name = "Grace"
        seen.append(storage.name)
        del storage.basket
        del storage.basket

    changed = mutations(delete, state={**KEPT, "basket": None})

    assert (changed, seen) == ({"seen": None, "name": "Grace", "basket": None}, [None, "Grace"])


def test_changing_an_object_changes_no_state() -> None:
    """What is written is a copy, and what is read is one too; only assignment writes."""
    seen: list[Any] = []

    def change(storage: Any) -> None:
        storage.basket.append("read and forgotten")
        seen.append(storage.basket)
        mine = ["apple"]
        storage.basket = mine
        mine.append("after the assignment")
        storage.basket.append("read and forgotten")
        seen.append(storage.basket)

    assert mutations(change) == {"basket": ("t/json", b'["apple"]')}
    assert seen == [["pear"], ["apple"]]


def test_a_mutable_value_is_serialized_when_it_is_assigned() -> None:
    """A value that cannot be stored fails on the line that assigns it, and leaves the old one."""

    def spoil(storage: Any) -> None:
        with pytest.raises(TypeError):
            storage.basket = object()
        with pytest.raises(SerializationError):
            storage.seen = "three"
        assert (storage.seen, storage.basket) == (3, ["pear"])

    assert mutations(spoil) == {}


def test_none_cannot_be_stored() -> None:
    """The error says how to delete."""

    def write(storage: Any) -> None:
        storage.seen = None

    with pytest.raises(InvalidMessageError) as caught:
        mutations(write)

    assert str(caught.value) == (
        "None cannot be stored as 'seen': to delete the value write del storage.seen"
    )


def read_unknown(storage: Any) -> None:
    _ = storage.sen


def write_unknown(storage: Any) -> None:
    storage.sen = 1


def delete_unknown(storage: Any) -> None:
    del storage.sen


@pytest.mark.parametrize("act", [read_unknown, write_unknown, delete_unknown])
def test_a_misspelt_value_is_an_error(act: Callable[[Any], None]) -> None:
    """A typing mistake is never a new value; the error lists what there is."""
    with pytest.raises(UnknownValueError) as caught:
        mutations(act)

    assert str(caught.value) == (
        "t/f has no value 'sen'; registered: seen, name, basket. "
        "Add ValueSpec('sen', ...) to the function's specs"
    )


def test_a_storage_can_be_asked_what_it_has() -> None:
    """`hasattr` and `getattr` with a default work as for any object."""

    def ask(storage: Any) -> None:
        assert (hasattr(storage, "seen"), hasattr(storage, "sen")) == (True, False)
        assert getattr(storage, "sen", "default") == "default"

    assert mutations(ask) == {}


def test_a_storage_without_values_has_none() -> None:
    """A function without specs is told so."""
    with pytest.raises(UnknownValueError) as caught:
        mutations(read_unknown, specs=(), state={})

    assert caught.value.registered == ()


@pytest.mark.parametrize("name", ["keys", "get", "cells", "_cells", "storage", "seal", "self"])
def test_no_value_name_is_taken_by_the_storage_itself(name: str) -> None:
    """Whatever a value is called, it is a value."""

    def write(storage: Any) -> None:
        assert getattr(storage, name) is None
        setattr(storage, name, 1)

    assert mutations(write, specs=(ValueSpec(name, IntType),), state={name: None}) == {name: 1}


def test_a_write_after_the_batch_is_refused() -> None:
    """It would be lost; what was read and written before can still be read."""
    kept: list[Any] = []

    def keep(storage: Any) -> None:
        storage.seen = 4
        kept.append(storage)

    mutations(keep)
    [storage] = kept

    with pytest.raises(TurnEndedError) as caught:
        storage.seen = 5
    with pytest.raises(TurnEndedError):
        del storage.name

    assert (caught.value.effect, caught.value.address) == (
        "a write to the storage",
        SdkAddress("t", "f", "1", "t/f"),
    )
    assert (storage.seen, storage.name, storage.basket) == (4, "Ada", ["pear"])


def test_a_type_of_ones_own_is_stored_under_its_typename() -> None:
    """The engine keeps the typename beside the bytes."""
    shout: Type[str] = simple_type("t/shout", str.upper, bytes.decode)

    def write(storage: Any) -> None:
        storage.seen = "hello"
        assert storage.seen == "HELLO"

    changed = mutations(write, specs=(ValueSpec("seen", shout),), state={"seen": None})

    assert changed == {"seen": ("t/shout", b"HELLO")}
