"""The handler for AWS Lambda: events, base64, and the loop that is kept warm."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from statefun.sdk.functions import StatefulFunctions
from statefun.serve import lambda_handler
from tests.serve.carriers import event_v1, event_v2
from tests.serve.endpoint_functions import functions
from tests.serve.requests import GREETER_REQUEST, request, sent

if TYPE_CHECKING:
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message


def text_of(response: dict[str, Any]) -> tuple[int, str]:
    return response["statusCode"], base64.b64decode(response["body"]).decode()


def test_the_answer_is_in_base64_whole() -> None:
    """A gateway decodes it again only if it is told that it is base64."""
    event = event_v2("POST", "/statefun", request("test/silent"))

    response = lambda_handler(functions)(event, None)

    assert response == {
        "statusCode": 200,
        "headers": {"Content-Type": "application/octet-stream"},
        "body": "",
        "isBase64Encoded": True,
    }


@pytest.mark.parametrize("mangled", [{"isBase64Encoded": True}, {"isBase64Encoded": False}, {}])
def test_a_body_that_is_not_base64_is_refused(mangled: dict[str, bool]) -> None:
    """A gateway that takes the body for text has mangled it: the answer says what to set."""
    event = event_v1("POST", "/", b"")
    del event["isBase64Encoded"]

    response = lambda_handler(functions)(event | {"body": "\ufffd\x06"} | mangled, None)

    assert text_of(response) == (
        400,
        (
            "the body did not come in base64: "
            "let the gateway treat application/octet-stream as binary\n"
        ),
    )


def test_a_stage_is_no_part_of_the_path() -> None:
    """Payload format 2.0 puts it in front of the path, but for the default stage."""
    handle = lambda_handler(functions, path="/products")
    body = request("test/silent")
    staged = event_v2("POST", "/products", body)
    unstaged = staged | {
        "rawPath": "/products",
        "requestContext": {"stage": "prod", "http": {"method": "POST"}},
    }

    statuses = [handle(staged, None)["statusCode"], handle(unstaged, None)["statusCode"]]

    assert statuses == [200, 200]


def test_it_can_be_invoked_directly() -> None:
    """The event is the request in base64, and so is what comes back."""
    event = base64.b64encode(GREETER_REQUEST).decode()

    reply = lambda_handler(functions)(event, None)

    assert sent(base64.b64decode(reply, validate=True)) == ["Hello Ada for the 1th time"]


def test_a_direct_invocation_that_fails_raises() -> None:
    """Lambda reports what a handler raises as the error of the invocation."""
    event = base64.b64encode(request("test/failing")).decode()

    with pytest.raises(ZeroDivisionError, match="nothing to share"):
        lambda_handler(functions)(event, None)


def test_the_event_loop_is_kept_from_one_event_to_the_next() -> None:
    """What an async function keeps open belongs to a loop: it must still be there."""
    loops: list[object] = []
    mine = StatefulFunctions()

    @mine.bind("test/silent")
    async def remember(context: Context, message: Message) -> None:
        loops.append(asyncio.get_running_loop())

    handle = lambda_handler(mine)

    for _ in range(2):
        handle(event_v2("POST", "/", request("test/silent")), None)

    assert loops[0] is loops[1]
