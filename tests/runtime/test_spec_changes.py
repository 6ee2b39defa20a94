"""What becomes of a value when its function declares it otherwise after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.driver import AFTER_CALL, AFTER_WRITE, NEVER, A, Driver, Effects, missing


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ((NEVER, 0), (AFTER_WRITE, 1000), ["x", "x", None]),
        ((AFTER_WRITE, 1000), (NEVER, 0), ["x", "x", "x"]),
        ((AFTER_WRITE, 1000), (AFTER_WRITE, 2000), ["x", "x", None]),
        ((AFTER_WRITE, 5000), (AFTER_WRITE, 1000), ["x", "x", None]),
        ((AFTER_WRITE, 2000), (AFTER_WRITE, 1500), ["x", "x", None]),
        ((AFTER_WRITE, 1000), (AFTER_WRITE, 900), ["x", None, None]),
        ((AFTER_WRITE, 800), (NEVER, 0), [None, None, None]),
        ((AFTER_WRITE, 800), (AFTER_WRITE, 5000), [None, None, None]),
        ((AFTER_WRITE, 1000), (AFTER_CALL, 1000), ["x", "x", "x"]),
    ],
)
def test_after_a_restart_the_expiration_is_the_one_declared_then(
    before: tuple[Any, int], after: tuple[Any, int], seen: list[str | None]
) -> None:
    """The time since the last write counts; where it is shorter now, that since the first request.

    A deploy does not take away a value that is there, nor does it bring one back that is not.
    """
    driver = Driver()
    driver.declare("n", mode=before[0], millis=before[1])
    driver.turn(A, Effects().set("n", "x"))
    driver.commit()

    restarted, states = driver.restarted(), []
    for number in range(3):
        restarted.wait(900)
        restarted.send(A, "look")
        if number == 0:
            restarted.answer(restarted.batch(), missing("n", mode=after[0], millis=after[1]))
        states += [each.state["n"] for each in restarted.take()]

    assert states == seen


def test_a_value_that_is_declared_no_more_is_kept_and_comes_back_when_it_is_again() -> None:
    """It is not sent meanwhile; another one is stored beside it."""
    driver = Driver()
    driver.declare("n")
    driver.turn(A, Effects().set("n", "x"))
    driver.commit()

    other = driver.restarted()
    other.declare("m")
    other.turn(A, Effects().set("m", "y"))
    other.send(A, "look")
    meanwhile = [each.state for each in other.take()]
    other.commit()
    back = other.restarted()
    back.send(A, "look")
    back.answer(back.batch(), missing("n", "m"))

    assert meanwhile == [{"m": "y"}]
    assert [each.state for each in back.take()] == [{"n": "x", "m": "y"}]
