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


ASK_COLLECTOR = """
import gc
from statefun.http.loops import collect_rarely
collect_rarely()
print(gc.get_threshold()[0] > 10_000, gc.get_freeze_count() > 0, gc.isenabled())
"""


def test_the_garbage_collector_looks_less_often_and_not_at_what_there_is() -> None:
    """It goes on working all the same."""
    assert printed(ASK_COLLECTOR) == ["True True True"]
