"""Fixtures that many tests use."""

from __future__ import annotations

import pytest

from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler


@pytest.fixture
def functions() -> StatefulFunctions:
    """An empty registry; bind what the test needs."""
    return StatefulFunctions()


@pytest.fixture
def handler(functions: StatefulFunctions) -> RequestReplyHandler:
    """A handler of `functions`; what is bound later is found too."""
    return RequestReplyHandler(functions)
