"""Operations as generators, and the two drivers that run them.

An operation says which function to call next and with which arguments; the driver sends the result
back in. `run` calls the functions; `run_async` awaits their results. Each operation of this package
is written once, as a generator, and becomes a method by `called` (sync) or `awaited` (async).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["Locked", "Step", "Steps", "awaited", "called", "run", "run_async"]

P = ParamSpec("P")
R = TypeVar("R")

Step: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
Steps: TypeAlias = Generator[Step, Any, R]


class Locked(Protocol):
    """An object whose sync operations exclude one another."""

    @property
    def _lock(self) -> AbstractContextManager[Any]: ...


S = TypeVar("S", bound=Locked)


def run(steps: Steps[R]) -> R:
    """Run an operation to its end, calling the function of each step.

    Args:
        steps: The operation.

    Returns:
        What the operation returns.
    """
    try:
        function, arguments = next(steps)
        while True:
            try:
                result = function(*arguments)
            except BaseException as error:  # noqa: BLE001 - the operation decides
                function, arguments = steps.throw(error)
            else:
                function, arguments = steps.send(result)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


async def run_async(steps: Steps[R]) -> R:
    """Run an operation to its end, awaiting the function of each step.

    Args:
        steps: The operation.

    Returns:
        What the operation returns.
    """
    try:
        function, arguments = next(steps)
        while True:
            try:
                result = await function(*arguments)
            except BaseException as error:  # noqa: BLE001 - the operation decides
                function, arguments = steps.throw(error)
            else:
                function, arguments = steps.send(result)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def called(operation: Callable[Concatenate[S, P], Steps[R]]) -> Callable[Concatenate[S, P], R]:
    """Turn an operation into a method that runs it while holding the lock of its object."""

    @wraps(operation)
    def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            return run(operation(self, *args, **kwargs))

    return method


def awaited(
    operation: Callable[Concatenate[S, P], Steps[R]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """Turn an operation into a coroutine method."""

    @wraps(operation)
    async def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await run_async(operation(self, *args, **kwargs))

    return method
