"""The event loop of a process that serves."""

from __future__ import annotations

import pytest

from tests.interpreter import printed

# A loop that nobody closes would warn.
ASK = """
from statefun.http.loops import new_event_loop
loop = new_event_loop()
print(type(loop).__module__)
loop.close()
"""


@pytest.mark.parametrize(
    ("missing", "module"), [(set(), "uvloop"), ({"uvloop"}, "asyncio.unix_events")]
)
def test_the_fastest_loop_that_is_installed_is_taken(missing: set[str], module: str) -> None:
    """Nothing needs uvloop."""
    assert printed(ASK, without=missing) == [module]
