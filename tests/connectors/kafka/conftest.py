"""A broker for the tests of a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.connectors.kafka.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture
def topic(broker: Broker, request: pytest.FixtureRequest) -> str:
    """A topic of this test alone."""
    name = re.sub(r"[^a-zA-Z0-9._-]", "-", request.node.name)
    broker.make(name)
    return name


@pytest.fixture(autouse=True)
def _short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """This broker knows no ids of topics, and does not say so."""
    monkeypatch.setattr("statefun.connectors.kafka.reader._ID_ANSWER_S", 0.01)
