"""Sagas: when steps are undone, and in which order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from statefun.durable import RetryableError, Saga, TerminalError

if TYPE_CHECKING:
    from collections.abc import Callable


class Undone(list[str]):
    async def later(self, step: str) -> None:
        self.append(step)

    def now(self, step: str) -> None:
        self.append(step)

    async def fail(self, step: str) -> None:
        self.append(step)
        raise TerminalError(f"{step} is gone", 410)


async def run(error: BaseException | None, **steps: Callable[[str], object]) -> None:
    """A saga with some steps that ends with an error, or well."""
    async with Saga() as saga:
        for name, undo in steps.items():
            saga.undo(undo, name)
        if error is not None:
            raise error


async def test_a_final_failure_undoes_the_steps_last_first() -> None:
    """What an undo step returns is awaited if it can be."""
    undone = Undone()

    with pytest.raises(TerminalError, match="no money"):
        await run(TerminalError("no money"), stock=undone.later, address=undone.now)

    assert undone == ["address", "stock"]


async def test_a_terminal_error_among_the_causes_is_final() -> None:
    """As it is for the invocation."""
    undone = Undone()
    error = ValueError("wrapped")
    error.__cause__ = TerminalError("no money")

    with pytest.raises(ValueError, match="wrapped"):
        await run(error, stock=undone.later)

    assert undone == ["stock"]


@pytest.mark.parametrize(
    "error", [RetryableError("later"), ValueError("bug"), asyncio.CancelledError()]
)
async def test_what_is_not_final_undoes_nothing(error: BaseException) -> None:
    """An attempt that comes again finds its steps done."""
    undone = Undone()

    with pytest.raises(type(error)):
        await run(error, stock=undone.later)

    assert undone == []


async def test_success_undoes_nothing() -> None:
    """The steps stay done."""
    undone = Undone()

    await run(None, stock=undone.later)

    assert undone == []


async def test_an_undo_step_that_fails_for_good_does_not_keep_the_others_from_being_undone() -> (
    None
):
    """The failure says so, with the code of the first one."""
    undone = Undone()
    error = TerminalError("no money", 402, {"order": "7"})

    with pytest.raises(TerminalError) as caught:
        await run(error, stock=undone.later, hotel=undone.fail)

    assert undone == ["hotel", "stock"]
    assert str(caught.value) == "no money; and undoing failed: hotel is gone"
    assert (caught.value.status_code, caught.value.metadata) == (402, {"order": "7"})
