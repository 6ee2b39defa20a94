"""Functions: the registry of all functions of a program, by typename."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from statefun.errors import (
    AlreadyRegisteredError,
    DefinitionError,
    InvalidFunctionError,
    InvalidTypenameError,
    UnknownFunctionError,
)
from statefun.sdk.address import parse_typename
from statefun.sdk.specs import check_names
from statefun.sdk.state import State, specs_of, with_state
from statefun.sdk.storage import StorageSpec
from statefun.sdk.types import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message
    from statefun.sdk.specs import ValueSpec

    UserFunction: TypeAlias = Callable[[Context, Message], object]
    F = TypeVar("F", bound=UserFunction)

__all__ = ["StatefulFunction", "StatefulFunctions"]


@dataclass(frozen=True, slots=True)
class StatefulFunction:
    """A registered function.

    Attributes:
        typename: `namespace/name`.
        fun: Called with a context and a message; its return value is awaited if it can be.
        storage_spec: Its values.
        is_async: Whether calling it is known to give a coroutine.
        is_blocking: Whether it runs in a thread of its own, off the event loop.
        kind: A word for the kind of function: `function`, or the word of the front end that
            registered it, such as `service` or `workflow`.
        schema: A description of the messages it takes, such as a JSON schema; None if there is
            none.
        metadata: Any other facts, for middleware and tools; cannot be changed.
        accepts: The types of the messages it is known to take. An HTTP ingress checks them.
    """

    typename: str
    fun: Callable[[Any, Any], Any]
    storage_spec: StorageSpec
    is_async: bool
    is_blocking: bool
    kind: str = "function"
    schema: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    accepts: tuple[Type[Any], ...] = ()


class StatefulFunctions:
    """All functions of a program, by typename.

    Any callable that takes a context and a message will do: a function, a coroutine function, a
    bound method, a partial, an object with `__call__`. A plain function runs on the event loop,
    and holds it while it runs, unless it is bound with `blocking=True`.

    Example:
        ```python
        functions = StatefulFunctions()


        @functions.bind("com.example/greeter", specs=[ValueSpec("seen", IntType)])
        async def greet(context: Context, message: Message) -> None:
            context.storage.seen = (context.storage.seen or 0) + 1
        ```
    """

    __slots__ = ("_functions",)

    def __init__(self) -> None:
        self._functions: dict[str, StatefulFunction] = {}

    @property
    def typenames(self) -> tuple[str, ...]:
        """The typenames that have a function, in the order of registration."""
        return tuple(self._functions)

    def register(
        self,
        typename: str,
        fun: UserFunction,
        specs: Iterable[ValueSpec] | type[State] | None = None,
        *,
        blocking: bool = False,
        kind: str = "function",
        schema: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        accepts: Iterable[Type[Any]] = (),
    ) -> None:
        """Register a function.

        Args:
            typename: `namespace/name`, split at the last `/`.
            fun: Called with a context and a message; its return value is awaited if it can be. A
                generator is refused here if it is visible, or else when it is returned: nothing
                would run it.
            specs: Its values: a list, or a class of `statefun.sdk.state.State`.
            blocking: Run it in a thread, off the event loop; batches of one address still run one
                after another, in the order of their requests, and up to 64 of different addresses
                at a time. For functions that wait without `await`.
            kind: See `StatefulFunction`; nothing here depends on it.
            schema: Likewise.
            metadata: Likewise.
            accepts: The types of the messages it takes, as far as they are to be checked before
                they come here: an HTTP ingress refuses a body that is not of its type, and takes
                `application/json` for the one that is JSON. Other messages come as ever.

        Raises:
            InvalidTypenameError, AlreadyRegisteredError, InvalidFunctionError, InvalidSpecError:
                If it cannot be registered like this; all are `ValueError`s.
        """
        if fun is None:
            raise InvalidFunctionError("there is no function to register: pass a callable")
        _check_typename(typename)
        if typename in self._functions:
            raise AlreadyRegisteredError(
                f"{typename!r} is registered already: give each function its own typename",
                name=typename,
            )
        _check_callable(typename, fun)
        is_async = _is_coroutine_function(fun)
        if isinstance(specs, type) and issubclass(specs, State):
            fun, specs = with_state(specs, fun, is_async=is_async), specs_of(specs)
        storage_spec = StorageSpec(typename, check_names(specs or (), typename))
        self._functions[typename] = StatefulFunction(
            typename,
            fun,
            storage_spec,
            is_async,
            blocking,
            kind,
            schema,
            MappingProxyType(dict(metadata or {})),
            _check_accepts(typename, accepts),
        )

    def bind(
        self,
        typename: str,
        specs: Iterable[ValueSpec] | type[State] | None = None,
        *,
        blocking: bool = False,
        kind: str = "function",
        schema: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        accepts: Iterable[Type[Any]] = (),
    ) -> Callable[[F], F]:
        """Register the decorated function, and return it as it is; see `register`."""
        _check_typename(typename)  # now: a decorator without parentheses would do nothing

        def decorate(function: F) -> F:
            self.register(
                typename,
                function,
                specs,
                blocking=blocking,
                kind=kind,
                schema=schema,
                metadata=metadata,
                accepts=accepts,
            )
            return function

        return decorate

    def for_typename(self, typename: str, target_id: str | None = None) -> StatefulFunction:
        """The function registered under `typename`.

        Args:
            typename: The typename.
            target_id: The id of the address that was called, as a fact for the error.

        Raises:
            UnknownFunctionError: If there is none; a `KeyError` and a `ValueError`.
        """
        function = self._functions.get(typename)
        if function is None:
            raise UnknownFunctionError(typename, self.typenames, target_id)
        return function


def _check_accepts(typename: str, accepts: Iterable[Type[Any]]) -> tuple[Type[Any], ...]:
    if isinstance(accepts, Type):
        raise DefinitionError(
            f"accepts of {typename!r} must be a list: write accepts=[{accepts!r}]", name=typename
        )
    checked = tuple(accepts)
    for each in checked:
        if not isinstance(each, Type):
            raise DefinitionError(
                f"accepts of {typename!r} must be types, got {each!r}: pass for example "
                "accepts=[StringType]",
                name=typename,
            )
    return checked


def _check_typename(typename: str) -> None:
    try:
        parse_typename(typename)
    except (InvalidTypenameError, TypeError) as error:  # TypeError: not even hashable
        raise InvalidTypenameError(typename, "the function typename") from error


def _check_callable(typename: str, fun: object) -> None:
    if not callable(fun):
        raise InvalidFunctionError(
            f"{typename!r} cannot be bound to {fun!r}: it is not callable with a context and a "
            "message",
            name=typename,
        )
    if any(map(_is_generator_function, _layers(fun))):  # a decorator hides one: see `results`
        raise InvalidFunctionError(
            f"{typename!r} is bound to {fun!r}, which is a generator, and nothing would run it: "
            "drop the yield",
            name=typename,
        )
    try:
        signature = inspect.signature(fun)
    except (TypeError, ValueError):  # some builtins have none; calling will tell
        return
    try:
        signature.bind(object(), object())
    except TypeError as error:
        raise InvalidFunctionError(
            f"{typename!r} is bound to {fun!r}, which cannot be called with a context and a "
            f"message ({error}): its parameters are {signature}",
            name=typename,
        ) from error


def _layers(fun: Any) -> list[object]:
    """What is called in the end: inside of partials, methods, and objects with `__call__`."""
    layers: list[object] = []
    while fun is not None and fun not in layers:
        layers.append(fun)
        if isinstance(fun, partial):
            fun = fun.func
        elif hasattr(fun, "__func__"):  # a method
            fun = fun.__func__
        elif not inspect.isfunction(fun):
            fun = getattr(type(fun), "__call__", None)  # noqa: B004 - the method itself is asked
    return layers


def registries_of(
    functions: StatefulFunctions | Iterable[StatefulFunctions] | None,
) -> tuple[StatefulFunctions, ...]:
    """One registry, several or None as a tuple.

    Raises:
        DefinitionError: If it is something else.
    """
    if functions is None:
        return ()
    if isinstance(functions, StatefulFunctions):
        return (functions,)
    registries = tuple(functions) if isinstance(functions, Iterable) else (functions,)
    for each in registries:
        if not isinstance(each, StatefulFunctions):
            raise DefinitionError(
                f"{each!r} is not a StatefulFunctions: pass what the functions are bound to, or "
                "several of them"
            )
    return registries


def _is_generator_function(fun: object) -> bool:
    return inspect.isgeneratorfunction(fun) or inspect.isasyncgenfunction(fun)


def _is_coroutine_function(fun: object) -> bool:
    return any(map(inspect.iscoroutinefunction, _layers(fun)))
