"""What an endpoint answers, the same through whatever carries it."""

from __future__ import annotations

import gzip
import logging
import zlib
from typing import TYPE_CHECKING

import pytest

from statefun.errors import InvocationError
from statefun.serve.endpoint import FunctionEndpoint
from tests.serve.carriers import CARRIERS, ONE_SEGMENT
from tests.serve.endpoint_functions import functions, handler
from tests.serve.requests import GREETER_REQUEST, OCTETS, TEXT, Heard, request, sent

if TYPE_CHECKING:
    from pytest_aiohttp import AiohttpClient

    from tests.serve.carriers import Carrier, CarrierOfClient


@pytest.fixture(params=list(CARRIERS.values()), ids=list(CARRIERS))
def carrier(request: pytest.FixtureRequest, aiohttp_client: AiohttpClient) -> Carrier:
    carrier_of: CarrierOfClient = request.param
    return carrier_of(aiohttp_client)


async def test_a_batch_is_answered_with_what_the_handler_replies(carrier: Carrier) -> None:
    """The status is 200 and the type has no parameters: the engine compares the whole header."""
    reply = await handler.handle_async(GREETER_REQUEST)

    async with carrier(functions, None) as ask:
        heard = await ask("POST", "/statefun", GREETER_REQUEST)

    assert heard == Heard(200, OCTETS, reply)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_body_is_answered_like_any_other(carrier: Carrier, coding: str) -> None:
    """A proxy may compress what the engine sends."""
    reply = await handler.handle_async(GREETER_REQUEST)
    pack = gzip.compress if coding == "gzip" else zlib.compress

    async with carrier(functions, None) as ask:
        heard = await ask("POST", "/statefun", pack(GREETER_REQUEST), coding)

    assert heard == Heard(200, OCTETS, reply)


async def test_a_body_that_is_not_compressed_as_it_says_is_refused(carrier: Carrier) -> None:
    """Neither half a body nor another encoding runs a function."""
    packed = gzip.compress(GREETER_REQUEST)

    async with carrier(functions, None) as ask:
        for body, coding, status in (
            (GREETER_REQUEST, "gzip", 400),
            (packed[:-10], "gzip", 400),
            (packed, "compress", 415),
        ):
            heard = await ask("POST", "/statefun", body, coding)
            assert (heard.status, heard.content_type) == (status, TEXT), coding


async def test_a_few_bytes_do_not_stand_for_more_than_the_limit(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer names the limit; no more than that is decompressed."""
    monkeypatch.setattr(FunctionEndpoint, "max_decompressed_bytes", 1 << 20)
    packed = gzip.compress(bytes(64 << 20))

    async with carrier(functions, None) as ask:
        heard = await ask("POST", "/statefun", packed, "gzip")

    assert heard.status == 413


async def test_an_empty_reply_is_an_answer_like_any_other(carrier: Carrier) -> None:
    """A batch that asks for nothing is answered with zero bytes, still of the engine's type."""
    async with carrier(functions, None) as ask:
        heard = await ask("POST", "/statefun", request("test/silent"))

    assert heard == Heard(200, OCTETS, b"")


async def test_a_handler_can_be_served_as_well(carrier: Carrier) -> None:
    """What is served is a StatefulFunctions, or a RequestReplyHandler of one."""
    async with carrier(handler, None) as ask:
        heard = await ask("POST", "/statefun", request("test/silent"))

    assert heard == Heard(200, OCTETS, b"")


async def test_a_function_may_wait_for_the_event_loop(carrier: Carrier) -> None:
    """An async function runs in a task of a loop, so timeouts and clients work in it."""
    async with carrier(functions, None) as ask:
        heard = await ask("POST", "/statefun", request("test/suspending"))

    assert (heard.status, sent(heard.body)) == (200, ["woken"])


async def test_a_large_body_is_not_refused(carrier: Carrier) -> None:
    """There is no limit: the engine sends a whole backlog as one request."""
    large = request("test/greeter", "x" * 3_000_000, state={"seen": None})

    async with carrier(functions, None) as ask:
        heard = await ask("POST", "/statefun", large)

    assert heard == Heard(200, OCTETS, await handler.handle_async(large))


@pytest.mark.parametrize("path", ["/", "/statefun", "/a/b", ONE_SEGMENT])
async def test_any_path_is_answered_unless_one_is_given(carrier: Carrier, path: str) -> None:
    """One transport of the engine sends its path as a single percent-encoded segment."""
    async with carrier(functions, None) as ask:
        heard = await ask("POST", path, request("test/silent"))

    assert heard == Heard(200, OCTETS, b"")


async def test_another_path_than_the_one_given_is_not_found(carrier: Carrier) -> None:
    """With a path given, it alone is answered."""
    async with carrier(functions, "/für alle") as ask:
        right = await ask("POST", "/f%C3%BCr%20alle", request("test/silent"))
        wrong = await ask("POST", "/statefun", request("test/silent"))

    assert right == Heard(200, OCTETS, b"")
    reason = "nothing is served at '/statefun': POST to '/für alle'\n"
    assert wrong == Heard(404, TEXT, reason.encode())


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_another_method_than_post_is_not_allowed(carrier: Carrier, method: str) -> None:
    """The answer says which method is."""
    async with carrier(functions, None) as ask:
        heard = await ask(method, "/statefun", b"")

    assert heard == Heard(
        405, TEXT, f"{method} is not served: POST a ToFunction\n".encode(), "POST"
    )


@pytest.mark.parametrize("path", [None, "/statefun"])
async def test_health_is_answered(carrier: Carrier, path: str | None) -> None:
    """Whoever asks for /health learns that the process serves, whatever the path given."""
    async with carrier(functions, path) as ask:
        heard = [await ask("GET", "/health", b""), await ask("HEAD", "/health", b"")]

    assert heard == [Heard(200, TEXT, b"ok\n"), Heard(200, TEXT, b"")]


@pytest.mark.parametrize("body", [b"", b"\xff\xff", b"hello"])
async def test_a_body_that_is_no_request_is_a_bad_request(
    carrier: Carrier, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """No engine sends one, so the answer may be final; it says what was expected, in one line."""
    async with carrier(functions, None) as ask:
        heard = await ask("POST", "/statefun", body)

    assert (heard.status, heard.content_type) == (400, TEXT)
    assert heard.body.count(b"\n") == 1
    assert [(each.levelname, each.exc_info) for each in caplog.records] == [("WARNING", None)]


def address_in(record: logging.LogRecord) -> tuple[str, str]:
    """The address that a log record carries, as those of the runtime do."""
    return record.__dict__["statefun_typename"], record.__dict__["statefun_id"]


async def test_a_function_that_fails_is_a_server_error(
    carrier: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer names the address and the cause in one line; one log record has the traceback."""
    async with carrier(functions, None) as ask:
        heard = await ask("POST", "/statefun", request("test/failing", target_id="Ada"))

    assert (heard.status, heard.content_type) == (500, TEXT)
    reason = heard.body.decode()
    assert reason.startswith("test/failing 'Ada' failed")
    assert reason.endswith("ZeroDivisionError: there is nothing to share\n")
    [record] = caplog.records
    assert (record.name, record.levelno) == ("statefun.serve", logging.ERROR)
    assert address_in(record) == ("test/failing", "Ada")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], InvocationError)
    assert isinstance(record.exc_info[1].__cause__, ZeroDivisionError)


async def test_a_function_that_raises_no_exception_is_a_server_error(
    carrier: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises is answered and logged, and the next request is answered, too."""
    async with carrier(functions, None) as ask:
        heard = await ask("POST", "/statefun", request("test/panicking", target_id="Ada"))
        after = await ask("POST", "/statefun", request("test/silent"))

    assert (heard.status, after.status) == (500, 200)
    assert heard.body.endswith(b"Panic: there is nothing to share\n")
    assert [address_in(each) for each in caplog.records] == [("test/panicking", "Ada")]


async def test_an_unknown_function_is_a_server_error(
    carrier: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be deployed a moment later, and one transport of the engine never retries a 4xx."""
    async with carrier(functions, None) as ask:
        heard = await ask("POST", "/statefun", request("test/unheard-of", target_id="Ada"))

    assert (heard.status, heard.content_type) == (500, TEXT)
    assert heard.body.startswith(b"test/unheard-of 'Ada' failed: UnknownFunctionError: ")
    assert [address_in(each) for each in caplog.records] == [("test/unheard-of", "Ada")]
