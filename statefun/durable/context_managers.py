"""Values of an invocation that context managers give, and handlers read anywhere below."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["contextvar"]


class contextvar(Generic[P, T]):  # noqa: N801 - used as a decorator
    """Make what a context manager yields readable as `.value` in the invocation it is around.

    Args:
        func: A function with `@asynccontextmanager`.

    Example:
        ```python
        @contextvar
        @asynccontextmanager
        async def tenant():
            yield "acme"

        shop = Service("Shop", invocation_context_managers=[tenant])

        @shop.handler()
        async def greet(ctx: Context) -> str:
            return tenant.value
        ```
    """

    def __init__(self, func: Callable[P, AbstractAsyncContextManager[T]]) -> None:
        self._function = func
        self._name = getattr(func, "__qualname__", repr(func))
        self._value: ContextVar[T] = ContextVar(self._name)

    @property
    def value(self) -> T:
        """What the context manager yielded in this invocation.

        Raises:
            LookupError: If it is not around this code.
        """
        try:
            return self._value.get()
        except LookupError:
            raise LookupError(
                f"{self._name} is not around this code: name it in invocation_context_managers "
                "of the service or the handler"
            ) from None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> AbstractAsyncContextManager[None]:
        """The context manager, for `invocation_context_managers`."""
        return self._around(*args, **kwargs)

    @asynccontextmanager
    async def _around(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[None]:
        async with self._function(*args, **kwargs) as value:
            before = self._value.set(value)
            try:
                yield
            finally:
                self._value.reset(before)
