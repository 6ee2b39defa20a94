"""The ASGI application: what the protocol asks of it beyond carrying requests."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from statefun.sdk.functions import StatefulFunctions
from statefun.serve import asgi_app
from tests.serve.carriers import ask_asgi
from tests.serve.endpoint_functions import functions
from tests.serve.requests import request

POST = {"type": "http", "method": "POST", "path": "/", "headers": []}


async def test_the_answer_has_lower_case_header_names_and_its_length() -> None:
    """Servers send the header as it is given; ASGI wants names in lower case."""
    body = request("test/silent")

    went = await ask_asgi(asgi_app(functions), POST, {"type": "http.request", "body": body})

    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", b"0")]
    assert went == [
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": b""},
    ]


async def test_a_body_may_come_in_any_number_of_pieces() -> None:
    """The pieces are joined; a piece may be empty, and the last may leave its body out."""
    pieces: list[dict[str, Any]] = [
        {"type": "http.request", "body": bytes([byte]), "more_body": True}
        for byte in request("test/silent")
    ]
    pieces += [{"type": "http.request", "body": b"", "more_body": True}, {"type": "http.request"}]

    start, _ = await ask_asgi(asgi_app(functions), POST, *pieces)

    assert start["status"] == 200


@pytest.mark.parametrize("began", [True, False])
async def test_a_client_that_hangs_up_in_its_request_is_not_answered(*, began: bool) -> None:
    """Half a batch must not run, even if it happens to parse."""
    mine = StatefulFunctions()
    calls: list[object] = []
    mine.bind("test/silent")(lambda *called: calls.append(called))
    piece = {"type": "http.request", "body": request("test/silent"), "more_body": True}
    events = [piece] if began else []

    went = await ask_asgi(asgi_app(mine), POST, *events, {"type": "http.disconnect"})

    assert (went, calls) == ([], [])


async def test_lifespan_events_are_acknowledged() -> None:
    """Servers start and stop without a warning."""
    went = await ask_asgi(
        asgi_app(functions),
        {"type": "lifespan"},
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    )

    assert went == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]


async def test_a_websocket_is_turned_away() -> None:
    """Nobody is left waiting for a handshake."""
    went = await ask_asgi(
        asgi_app(functions), {"type": "websocket", "path": "/"}, {"type": "websocket.connect"}
    )

    assert went == [{"type": "websocket.close", "code": 1000}]


def test_frameworks_can_add_it_as_a_route() -> None:
    """Starlette and FastAPI take a function for a handler of theirs, any other object for ASGI."""
    assert not inspect.isroutine(asgi_app(functions))
