"""The web applications of the page of patterns, under requests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.reactive.asgi import request

PAGE = Path(__file__).parents[2] / "docs" / "patterns.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """All names of the page."""
    names: dict[str, Any] = {"__name__": "patterns"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        exec(block, names)
    return names


async def test_a_runtime_inside_of_fastapi_answers_with_the_reply_of_a_function(
    page: dict[str, Any],
) -> None:
    """It runs from the start of the application to its end."""
    web = page["web"]

    async with web.router.lifespan_context(web):
        await request(web, "POST", "/visits/Ann")
        status, body = await request(web, "POST", "/visits/Ann")

    assert (status, body) == (200, b'{"visits":2}')


async def test_a_route_of_fastapi_is_an_endpoint(page: dict[str, Any]) -> None:
    """At the path of the route, without a redirect."""
    status, body = await request(page["other"], "POST", "/statefun")

    assert (status, b"has no invocation" in body) == (400, True), body


async def test_a_mount_redirects_as_the_page_says(page: dict[str, Any]) -> None:
    """So the page tells its readers to name the path with the slash."""
    other = page["FastAPI"]()
    other.mount("/statefun", page["asgi_app"](page["counting"]))

    assert (await request(other, "POST", "/statefun"))[0] == 307
    assert (await request(other, "POST", "/statefun/"))[0] == 400
