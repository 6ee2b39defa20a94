"""The batch of a request and its messages."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from statefun.sdk.address import Address, SdkAddress
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.primitives import StringType
from statefun.sdk.wire import split_request
from tests.builders import text, to_function

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

REQUEST = to_function(Address("t/f", "1"), text("a"), text("b"), caller=Address("t/g", "2"))


def test_a_batch_names_its_target_and_the_callers_of_its_messages() -> None:
    """Each message has a caller and a value of its own."""
    batch = split_request(REQUEST)

    assert batch.address == SdkAddress("t", "f", "1", "t/f")
    assert (batch.typename, batch.target_id, batch.state) == ("t/f", "1", [])
    assert [batch.caller(0), batch.caller(1)] == [SdkAddress("t", "g", "2", "t/g")] * 2
    assert batch.value_typename(1) == StringType.typename


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]
)
def test_a_message_that_came_in_can_be_copied_and_pickled(
    duplicate: Callable[[Any], Any],
    asked: bool,  # noqa: FBT001
) -> None:
    """Also once somebody has asked for its object."""
    copies: list[Message] = []
    functions = StatefulFunctions()

    @functions.bind("t/f")
    def keep(context: Context, message: Message) -> None:
        if asked:
            assert message.typed_value.has_value
        copies.append(duplicate(message))

    RequestReplyHandler(functions).handle_sync(REQUEST)

    assert [
        (each.target_typename, each.target_id, each.as_string(), each.typed_value)
        for each in copies
    ] == [("t/f", "1", "a", text("a")), ("t/f", "1", "b", text("b"))]
