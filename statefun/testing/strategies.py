"""Strategies for hypothesis: values of the built-in types, and messages. Needs hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from statefun.errors import ConfigurationError
from statefun.sdk.builders import message_builder
from statefun.sdk.primitives import (
    BoolType,
    DoubleType,
    FloatType,
    IntType,
    LongType,
    StringType,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from statefun.sdk.messages import Message
    from statefun.sdk.types import Type

__all__ = ["messages", "values"]

T = TypeVar("T")

_VALUES: dict[str, SearchStrategy[Any]] = {
    BoolType.typename: st.booleans(),
    IntType.typename: st.integers(-(1 << 31), (1 << 31) - 1),
    LongType.typename: st.integers(-(1 << 63), (1 << 63) - 1),
    FloatType.typename: st.floats(width=32),
    DoubleType.typename: st.floats(),
    StringType.typename: st.text(st.characters(exclude_categories=["Cs"])),
}


def values(value_type: Type[T]) -> SearchStrategy[T]:
    """Give values of a built-in type: all that it can hold.

    Raises:
        ConfigurationError: If it is a type of your own: hypothesis builds your classes itself.
    """
    found = _VALUES.get(value_type.typename)
    if found is None:
        raise ConfigurationError(
            f"{value_type!r} is a type of your own: build its values, for example with "
            "hypothesis.strategies.builds, and pass them as messages(..., values=...)"
        )
    return found


def messages(
    typename: str,
    value_type: Type[T],
    *,
    ids: SearchStrategy[str] | None = None,
    values: SearchStrategy[T] | None = None,
) -> SearchStrategy[Message]:
    """Give messages to a function.

    Args:
        typename: The function's.
        value_type: The type of the messages.
        ids: The ids; three of them unless given, so that addresses meet several messages.
        values: The values; all of a built-in type unless given.
    """
    some = _values(value_type) if values is None else values
    return st.builds(
        lambda target_id, value: message_builder(
            typename, target_id, value=value, value_type=value_type
        ),
        st.sampled_from(["a", "b", "ž"]) if ids is None else ids,
        some,
    )


_values = values
