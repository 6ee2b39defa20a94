"""The dashboard of the tutorial, without a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.reactive.asgi import request, streaming

PAGE = Path(__file__).parents[3] / "docs" / "reactive-tutorial.md"


@pytest.fixture
def app() -> Any:
    """The application that the page tells its readers to start."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    [block] = [each for each in blocks if "app = FastAPI()" in each]
    names: dict[str, Any] = {}
    exec(block, names)
    return names["app"]


async def test_the_dashboard_of_the_tutorial_is_live(app: Any) -> None:
    """Server-sent events carry the document, then each change; readers come and go."""
    async with (
        streaming(app, "GET", "/events") as (status, patches),
        streaming(app, "GET", "/log") as (_, log),
    ):
        assert status == 200
        assert await of_event(patches) == [{"op": "replace", "path": "", "value": None}]

        assert (await request(app, "PUT", "/sensors/kitchen/21"))[0] == 200
        document = {"kitchen": 21.0}
        assert await of_event(patches) == [{"op": "replace", "path": "", "value": document}]
        assert await anext(log) == b"data: kitchen is 21.0\n\n"

        await request(app, "PUT", "/sensors/cellar/12")
        assert await of_event(patches) == [{"op": "add", "path": "/cellar", "value": 12.0}]
        async with streaming(app, "GET", "/events") as (_, late):
            [first] = await of_event(late)
            assert first["value"] == {"kitchen": 21.0, "cellar": 12.0}


async def test_the_page_of_the_dashboard_listens(app: Any) -> None:
    """It is HTML that opens the stream."""
    status, body = await request(app, "GET", "/")

    assert status == 200
    assert b'new EventSource("/events")' in body


async def of_event(chunks: Any) -> Any:
    """The data of the next server-sent event."""
    chunk = (await anext(chunks)).decode()
    assert chunk.startswith("data: ")
    assert chunk.endswith("\n\n")
    return json.loads(chunk.removeprefix("data: "))
