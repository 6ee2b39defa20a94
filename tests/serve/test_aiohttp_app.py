"""The aiohttp application: as part of a larger one."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from statefun.serve import aiohttp_app
from tests.serve.endpoint_functions import functions
from tests.serve.requests import request


@pytest.mark.parametrize("path", ["/statefun", "/statefun/", "/statefun/anything"])
async def test_it_answers_at_the_prefix_it_is_mounted_at(path: str) -> None:
    """With and without a slash behind it: the module file of an engine has none."""
    site = web.Application()
    site.add_subapp("/statefun", aiohttp_app(functions))

    async with TestClient(TestServer(site)) as client:
        response = await client.post(path, data=request("test/silent"))

    assert response.status == 200
