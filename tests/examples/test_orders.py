"""The shop of `examples/orders`: what becomes of orders, and that its files agree."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from statefun.durable import HttpError, create_test_harness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from statefun.durable import RestateClient

SHOP = Path(__file__).parents[2] / "examples" / "orders"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, with a bank of its own."""
    monkeypatch.setenv("BANK", str(tmp_path / "bank.jsonl"))
    spec = importlib.util.spec_from_file_location("shop", SHOP / "shop.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "shop", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def client(shop: Any) -> AsyncIterator[RestateClient]:
    """A client of the shop, whose handlers are replayed at every wait; ten lamps are there."""
    async with create_test_harness(shop.app, always_replay=True) as harness:
        await harness.client.object_call(shop.fill, "lamp", 10)
        yield harness.client


async def shelf(shop: Any, client: RestateClient) -> tuple[int, int]:
    found: Any = await client.object_call(shop.look, "lamp", None)
    return found.left, found.reserved


async def test_an_order_is_paid_and_shipped(shop: Any, client: RestateClient) -> None:
    """What is shipped has left the stock, and its price is at the bank."""
    order = shop.Order("lamp", 3, 12, "4711")

    assert (await client.workflow_call(shop.place, "o-1", order)).startswith("3 lamp shipped")
    assert await shelf(shop, client) == (7, 0)
    assert [amount for _, amount in shop.booked()] == [36]


async def test_a_declined_card_puts_the_items_back(shop: Any, client: RestateClient) -> None:
    """The customer is told why, and nothing is reserved or paid."""
    with pytest.raises(HttpError) as caught:
        await client.workflow_call(shop.place, "o-1", shop.Order("lamp", 3, 12, "stolen"))

    assert caught.value.status_code == 402
    assert await shelf(shop, client) == (10, 0)
    assert shop.booked() == []


async def test_a_large_order_waits_for_its_approval(shop: Any, client: RestateClient) -> None:
    """Declined, its payment is given back, and its items are on the shelf again."""
    order = shop.Order("lamp", 9, 12, "4711")
    placed = asyncio.create_task(client.workflow_call(shop.place, "o-1", order))
    await client.workflow_call(shop.decline, "o-1", "too many lamps")

    with pytest.raises(HttpError) as caught:
        await placed

    assert caught.value.status_code == 403
    assert await shelf(shop, client) == (10, 0)
    assert [amount for _, amount in shop.booked()] == [108, -108]


def test_the_module_file_names_the_endpoint_of_the_shop(shop: Any) -> None:
    """`durable/*` covers all functions of the app."""
    [document] = yaml.safe_load_all((SHOP / "module.yaml").read_text())

    assert document["spec"]["functions"] == "durable/*"
    assert {each.rpartition("/")[0] for each in shop.app.typenames} == {"durable"}
