"""The aiohttp application: as part of a larger one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from statefun.serve import aiohttp_app
from tests.serve.endpoint_functions import functions
from tests.serve.requests import request

if TYPE_CHECKING:
    from pytest_aiohttp import AiohttpClient


@pytest.mark.parametrize("path", ["/statefun", "/statefun/", "/statefun/anything"])
async def test_it_answers_at_the_prefix_it_is_mounted_at(
    path: str, aiohttp_client: AiohttpClient
) -> None:
    """With and without a slash behind it: the module file of an engine has none."""
    site = web.Application()
    site.add_subapp("/statefun", aiohttp_app(functions))

    client = await aiohttp_client(site)
    response = await client.post(path, data=request("test/silent"))

    assert response.status == 200
