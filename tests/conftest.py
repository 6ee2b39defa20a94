"""Fixtures that many tests use."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler

pytest.register_assert_rewrite("statefun.testing.contracts")  # its asserts show what they compare

settings.register_profile("house", deadline=None)  # a busy machine is no failure
settings.load_profile("house")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts jobs behind `&` like that
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def functions() -> StatefulFunctions:
    """An empty registry; bind what the test needs."""
    return StatefulFunctions()


@pytest.fixture
def handler(functions: StatefulFunctions) -> RequestReplyHandler:
    """A handler of `functions`; what is bound later is found too."""
    return RequestReplyHandler(functions)
