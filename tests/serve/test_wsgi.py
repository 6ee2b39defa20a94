"""The WSGI application: bodies without a length, bodies cut short, threads."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from statefun.sdk.functions import StatefulFunctions
from statefun.serve import wsgi_app
from tests.serve.carriers import ask_wsgi, environ_of
from tests.serve.endpoint_functions import functions
from tests.serve.requests import request

if TYPE_CHECKING:
    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

BODY = request("test/silent")
OK = (200, {"Content-Type": "application/octet-stream", "Content-Length": "0"}, b"")


def post(body: bytes, **more: object) -> tuple[int, dict[str, str], bytes]:
    environ = environ_of("POST", "/", **{"wsgi.input": io.BytesIO(body)}, **more)
    return ask_wsgi(wsgi_app(functions), environ)


@pytest.mark.parametrize(
    "mark", [{"wsgi.input_terminated": True}, {"HTTP_TRANSFER_ENCODING": "Chunked"}]
)
def test_a_chunked_body_is_read_to_its_end(mark: dict[str, object]) -> None:
    """Without a length the body ends where the server ends it."""
    assert post(BODY, **mark) == OK


def test_no_more_is_read_than_the_request_has() -> None:
    """What follows on the connection is not this request's."""
    assert post(BODY + b"POST / HTTP/1.1", CONTENT_LENGTH=str(len(BODY))) == OK


def test_without_a_length_or_an_end_there_is_no_body() -> None:
    """Reading on would wait for ever on servers that do not mark the end."""
    status, _, reason = post(BODY)

    assert (status, b"no ToFunction" in reason or b"no invocation" in reason) == (400, True)


@pytest.mark.parametrize("length", [str(len(BODY) + 1), "-1", "many"])
def test_a_body_that_is_not_complete_is_refused(length: str) -> None:
    """Half a batch must not run, even if it happens to parse."""
    status, _, reason = post(BODY, CONTENT_LENGTH=length)

    assert (status, reason) == (400, b"the body is not complete\n")


def test_requests_in_several_threads_run_at_once() -> None:
    """One thread that waits in a function does not hold up another."""
    barrier = Barrier(2, timeout=10)
    mine = StatefulFunctions()

    @mine.bind("test/silent")
    def meet(context: Context, message: Message) -> None:
        barrier.wait()

    app = wsgi_app(mine)

    def ask(_: int) -> tuple[int, dict[str, str], bytes]:
        stream = io.BytesIO(BODY)
        return ask_wsgi(
            app,
            environ_of("POST", "/", CONTENT_LENGTH=str(len(BODY)), **{"wsgi.input": stream}),
        )

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(ask, range(2)))

    assert answers == [OK, OK]
