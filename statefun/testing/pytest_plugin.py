"""The pytest plugin: fixtures for tests of functions. Installed with the package.

A test file, or `conftest.py`, says which functions are tested:

    @pytest.fixture
    def functions():
        return shop.functions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from statefun.testing.harness import Harness

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.sdk.functions import StatefulFunctions

__all__ = ["functions", "harness", "harness_under"]


@pytest.fixture
def functions() -> StatefulFunctions:
    """Give the functions under test; to be overridden."""
    raise pytest.UsageError(
        "the fixture 'harness' tests what a fixture 'functions' gives: define one in the test "
        "file or in conftest.py"
    )


@pytest.fixture
def harness(functions: StatefulFunctions) -> Harness:
    """Give a harness of the functions."""
    return Harness(functions)


@pytest.fixture
def harness_under(functions: StatefulFunctions) -> Callable[..., Harness]:
    """Give a function that makes a harness under faults: `harness_under("repeated", "split")`."""

    def make(*faults: Any, **options: Any) -> Harness:
        return Harness(functions, faults=faults, **options)

    return make
