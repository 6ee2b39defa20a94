"""Routes: the handler of a path."""

from __future__ import annotations

import pytest

from statefun.http import Response, Routes, text_response
from tests.unit.http.raw import request, serving


def routes() -> Routes:
    def named(name: str) -> Response:
        return text_response(200, name)

    found = Routes()
    found.add("/health", lambda _: named("health"))
    found.add("/things/", lambda _: named("things"), ["GET", "PUT"])
    found.add("/things/special/", lambda _: named("special"), [])
    return found


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        ("GET /health", 200, "health"),
        ("GET /heal%74h?x", 200, "health"),
        ("PUT /things/1", 200, "things"),
        ("DELETE /things/special/1", 200, "special"),
        ("POST /health", 405, "POST is not served: use GET"),
        ("DELETE /things/1", 405, "DELETE is not served: use GET"),
        (
            "GET /health/",
            404,
            "nothing is served at '/health/': ask for /health or /things/special/… or /things/…",
        ),
    ],
)
async def test_the_longest_path_that_fits_answers(line: str, status: int, text: str) -> None:
    """A path that ends in a slash stands for all behind it; others for themselves."""
    async with serving(routes()) as served:
        answer = await served.ask(request(f"{line} HTTP/1.1"))

    assert (answer.status, answer.body.decode()) == (status, f"{text}\n")


async def test_a_method_that_is_not_served_is_told_those_that_are() -> None:
    """In the header field Allow."""
    async with serving(routes()) as served:
        answer = await served.ask(request("POST /things/1 HTTP/1.1"))

    assert answer.fields["Allow"] == "GET, HEAD, PUT"
