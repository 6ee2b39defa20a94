"""The declaration of values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statefun.errors import AlreadyRegisteredError, InvalidSpecError
from statefun.sdk.primitives import IntType, LongType, StringType
from statefun.sdk.specs import Upgrade, ValueSpec, check_names, whole_millis
from statefun.sdk.types import make_json_type
from statefun.sdk.wire import Expiration, ExpireMode

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("spec", "expiration", "old_names"),
    [
        (ValueSpec("seen", IntType), Expiration(), (0, False, False)),
        (
            ValueSpec("seen", IntType, expire_after_call=HOUR),
            Expiration(ExpireMode.AFTER_CALL, 3_600_000),
            (3_600_000, True, False),
        ),
        (
            ValueSpec("seen", IntType, expire_after_write=HOUR),
            Expiration(ExpireMode.AFTER_WRITE, 3_600_000),
            (3_600_000, False, True),
        ),
        (
            ValueSpec("seen", IntType, timedelta(milliseconds=1)),
            Expiration(ExpireMode.AFTER_CALL, 1),
            (1, True, False),
        ),
    ],
)
def test_a_spec_tells_its_expiration_in_old_and_new_words(
    spec: ValueSpec, expiration: Expiration, old_names: tuple[int, bool, bool]
) -> None:
    """`duration`, `after_call` and `after_write` say what `expiration` says."""
    assert (spec.name, spec.type, spec.expiration) == ("seen", IntType, expiration)
    assert (spec.duration, spec.after_call, spec.after_write) == old_names


@given(st.timedeltas())
def test_milliseconds_are_counted_exactly_and_rounded_down(duration: timedelta) -> None:
    """No detour through floating point loses a millisecond of a long time."""
    microseconds = duration // MICROSECOND

    assert whole_millis(duration) == microseconds // 1000


@pytest.mark.parametrize("name", ["seen", "_seen", "seen_2", "größe", "context"])
def test_a_lower_case_identifier_names_a_value(name: str) -> None:
    """Whatever can stand behind `context.storage.` and is lower case will do."""
    assert ValueSpec(name, IntType).name == name


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (None, "a value needs a name, got None"),
        ("", "a value needs a name, got ''"),
        (7, "a value needs a name, got 7"),
        *(
            (
                name,
                (
                    f"invalid value name {name!r}: a name is a lower-case Python identifier "
                    "and not a keyword, since it becomes an attribute of context.storage"
                ),
            )
            for name in ("Seen", "has seen", "2nd", "class", "seen-by", "_CELLS", "_")
        ),
        (
            "batch",
            (
                "the value name 'batch' is taken: the engine keeps state of its own under it. "
                "Choose another name"
            ),
        ),
        (
            "__class__",
            "the value name '__class__' belongs to Python: choose another name",
        ),
    ],
)
def test_a_name_that_cannot_be_an_attribute_is_refused(name: Any, sentence: str) -> None:
    """A wrong name is found where it is written down, not when it is first used."""
    with pytest.raises(InvalidSpecError) as caught:
        ValueSpec(name, IntType)

    assert str(caught.value) == sentence


@pytest.mark.parametrize("value_type", [None, int, "io.statefun.types/int"])
def test_a_type_that_is_no_type_is_refused(value_type: Any) -> None:
    """Python's classes and typenames are no types."""
    with pytest.raises(InvalidSpecError) as caught:
        ValueSpec("seen", value_type)

    assert str(caught.value) == (
        f"value 'seen' has {value_type!r} for a type: "
        "pass IntType, StringType, … or a type made by simple_type or make_json_type"
    )


@pytest.mark.parametrize("keyword", ["expire_after_call", "expire_after_write"])
@pytest.mark.parametrize("after", [timedelta(0), -HOUR, timedelta(microseconds=999), 60, "1h"])
def test_an_expiration_under_a_millisecond_is_refused(keyword: str, after: Any) -> None:
    """The wire counts whole milliseconds, and zero of them would mean never."""
    expiration: dict[str, Any] = {keyword: after}

    with pytest.raises(InvalidSpecError) as caught:
        ValueSpec("seen", IntType, **expiration)

    assert str(caught.value) == (
        f"value 'seen' expires after {after!r}: "
        "an expiration is a timedelta of at least 1 ms, or None for never"
    )


def test_two_expirations_of_one_value_are_refused() -> None:
    """The wire has room for one."""
    with pytest.raises(InvalidSpecError) as caught:
        ValueSpec("seen", IntType, expire_after_call=HOUR, expire_after_write=HOUR)

    assert str(caught.value) == (
        "value 'seen' has both expire_after_call and expire_after_write: give one of them"
    )


def test_a_spec_shows_what_it_declares() -> None:
    """The repr is what a reader of a log needs."""
    spec = ValueSpec("seen", StringType, expire_after_write=HOUR)

    assert repr(spec) == (
        "ValueSpec('seen', <PrimitiveType io.statefun.types/string>, "
        "Expiration(mode=<ExpireMode.AFTER_WRITE: 1>, millis=3600000))"
    )


def test_the_specs_of_a_function_keep_their_order() -> None:
    """Any iterable of specs will do."""
    first, second = ValueSpec("b", IntType), ValueSpec("a", IntType)

    assert check_names(iter([first, second]), "t/f") == (first, second)


def test_one_name_cannot_stand_for_two_values() -> None:
    """Of two specs with one name, none is preferred."""
    with pytest.raises(AlreadyRegisteredError) as caught:
        check_names([ValueSpec("seen", IntType), ValueSpec("seen", StringType)], "t/f")

    assert str(caught.value) == (
        "duplicate value name 'seen' in 't/f': give each value its own name"
    )


def test_what_is_no_spec_is_refused() -> None:
    """A name alone declares nothing."""
    specs: Any = ["seen"]

    with pytest.raises(InvalidSpecError) as caught:
        check_names(specs, "t/f")

    assert str(caught.value) == "specs of 't/f' must be ValueSpecs, got 'seen'"


@pytest.mark.parametrize("typename", ["order", "/order", "com.example/", "a/\ud800"])
def test_a_type_with_a_malformed_typename_is_refused(typename: str) -> None:
    """No engine could keep the value, and the first message would fail far from the mistake."""
    with pytest.raises(InvalidSpecError) as caught:
        ValueSpec("order", make_json_type(typename))

    assert caught.value.name == "order"
    assert str(caught.value) == (
        f"value 'order' has a type with the typename {typename!r}, which is not of the form "
        "'namespace/name': write for example 'com.example/order'"
    )


@pytest.mark.parametrize(
    ("upgrades", "reason"),
    [
        (Upgrade(StringType, int), "must be a list"),
        ([int], "must be Upgrades, got <class 'int'>"),
        ([Upgrade(LongType, int)], "which is the type that it has"),
        ([Upgrade(StringType, int), Upgrade(StringType, len)], "or stands there twice"),
        ([Upgrade(make_json_type("json"), int)], "not of the form 'namespace/name'"),
    ],
)
def test_an_upgrade_is_from_one_other_type(upgrades: Any, reason: str) -> None:
    """What could never be used is refused where it is declared."""
    with pytest.raises(InvalidSpecError, match=reason):
        ValueSpec("seen", LongType, upgrades=upgrades)


@pytest.mark.parametrize(
    ("was", "by", "reason"),
    [("string", int, "pass a type"), (StringType, "int", "which cannot be called")],
)
def test_an_upgrade_is_a_type_and_a_function(was: Any, by: Any, reason: str) -> None:
    """Anything else is refused at once."""
    with pytest.raises(InvalidSpecError, match=reason):
        Upgrade(was, by)
