"""State: the values of a function as a class that checkers and editors read.

Law: what a function sees and writes is exactly what it would be by `ValueSpec`s of the same names.
The class adds types, defaults, and that a change inside of a value is kept.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from statefun.errors import InvalidSpecError, UnknownValueError
from statefun.sdk.context import Context
from statefun.sdk.specs import Upgrade, ValueSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

    from statefun.sdk.address import SdkAddress
    from statefun.sdk.messages import EgressMessage, Message
    from statefun.sdk.types import Type

__all__ = ["State", "Upgrade", "Value", "specs_of", "with_state"]

T = TypeVar("T")
V = TypeVar("V")

_UNCHANGEABLE = frozenset({int, bool, float, str, bytes, type(None)})
"""The classes of values in which nothing can be changed, so that nothing is compared."""


class Value(Generic[V]):
    """One value of a `State`: an attribute, and the declaration of a `ValueSpec`.

    Reading it gives the stored value; its default if there is none; None if it has no default. An
    object that was read may be changed in place: what it has become is stored when the function
    returns.

    Args:
        type: The type of the value.
        default: The value as long as none is stored. It is not stored by being read.
        default_factory: Makes that value, for those that can be changed, such as `list`.
        expire_after_call: See `ValueSpec`, as for the other arguments.
        expire_after_write: See `ValueSpec`.
        upgrades: See `ValueSpec`.

    Raises:
        InvalidSpecError: If the declaration is not valid, or has two defaults.
    """

    name: str
    """The name of the attribute, which is the name of the value."""

    @overload
    def __init__(
        self: Value[T | None],
        type: Type[T],
        *,
        expire_after_call: timedelta | None = None,
        expire_after_write: timedelta | None = None,
        upgrades: Iterable[Upgrade[Any]] = (),
    ) -> None: ...
    @overload
    def __init__(
        self: Value[T],
        type: Type[T],
        *,
        default: T,
        expire_after_call: timedelta | None = None,
        expire_after_write: timedelta | None = None,
        upgrades: Iterable[Upgrade[Any]] = (),
    ) -> None: ...
    @overload
    def __init__(
        self: Value[T],
        type: Type[T],
        *,
        default_factory: Callable[[], T],
        expire_after_call: timedelta | None = None,
        expire_after_write: timedelta | None = None,
        upgrades: Iterable[Upgrade[Any]] = (),
    ) -> None: ...

    def __init__(
        self,
        type: Type[Any],  # noqa: A002 - the name that it has in a ValueSpec
        *,
        default: Any = None,
        default_factory: Callable[[], Any] | None = None,
        expire_after_call: timedelta | None = None,
        expire_after_write: timedelta | None = None,
        upgrades: Iterable[Upgrade[Any]] = (),
    ) -> None:
        if default_factory is not None and not callable(default_factory):
            raise InvalidSpecError(
                f"a value has the default_factory {default_factory!r}, which cannot be called: "
                "pass a function without parameters, such as list, or write default=..."
            )
        if default is not None and default_factory is not None:
            raise InvalidSpecError("a value has both default and default_factory: give one of them")
        if default.__class__ in {list, dict, set}:
            raise InvalidSpecError(
                f"a value has the default {default!r}, which all addresses would share: write "
                f"default_factory={default.__class__.__name__}, or a function that makes it"
            )
        self._declared = (type, expire_after_call, expire_after_write, tuple(upgrades))
        self._make = default_factory or (lambda: default)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def spec(self) -> ValueSpec:
        """Give the declaration that an engine gets.

        Raises:
            InvalidSpecError: If the name or the type is not valid.
        """
        value_type, after_call, after_write, upgrades = self._declared
        return ValueSpec(self.name, value_type, after_call, after_write, upgrades=upgrades)

    def absent(self) -> V:
        """Give the value of an address for which none is stored."""
        made: V = self._make()
        return made

    def encoded(self, value: Any) -> bytes:
        """Give the bytes of a value, by which a change is seen."""
        return self._declared[0].serializer().serialize(value)

    @overload
    def __get__(self, instance: None, owner: type) -> Value[V]: ...
    @overload
    def __get__(self, instance: State, owner: type) -> V: ...

    def __get__(self, instance: State | None, owner: type) -> Any:
        return self if instance is None else turn_of(instance).read(self)

    def __set__(self, instance: State, value: V) -> None:
        turn_of(instance).write(self, value)

    def __delete__(self, instance: State) -> None:
        turn_of(instance).delete(self)


class State:
    """The values of a function: subclass it, declare each value, and bind the class as `specs`.

    Its own names are in upper case, which no value's name may be.

    Args:
        storage: The storage of one address, as `context.storage` gives it without a class.

    Raises:
        UnknownValueError: On reading or writing a name that is not declared; an `AttributeError`.

    Example:
        ```python
        class Cart(State):
            items = Value(LongType, default=0)
            notes = Value(make_json_type("com.example/notes", list[str]), default_factory=list)


        @functions.bind("com.example/cart", specs=Cart)
        async def add(context: Context[Cart], message: Message) -> None:
            context.storage.items += 1
            context.storage.notes.append("added one")
        ```
    """

    __slots__ = ("_TURN",)

    VALUES: ClassVar[Mapping[str, Value[Any]]] = {}
    """The declared values, by name, those of base classes first."""

    _TURN: _Turn

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = {name: each for name, each in vars(cls).items() if isinstance(each, Value)}
        cls.VALUES = {**cls.VALUES, **own}

    def __init__(self, storage: Any) -> None:
        object.__setattr__(self, "_TURN", _Turn(storage))

    if not TYPE_CHECKING:  # a checker would take these for a licence to use any name

        def __getattr__(self, name: str) -> Any:
            raise UnknownValueError(name, type(self).__name__, tuple(self.VALUES))

        def __setattr__(self, name: str, value: Any) -> None:
            if name not in self.VALUES:
                raise UnknownValueError(name, type(self).__name__, tuple(self.VALUES))
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(self.VALUES) or 'no values'}>"


class _Turn:
    """The values that a function has in its hands while it handles one message."""

    __slots__ = ("_read", "_storage")

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._read: dict[str, tuple[Value[Any], Any, bytes]] = {}  # the object, and its bytes then

    def read(self, value: Value[Any]) -> Any:
        """The value; the same object each time until it is written."""
        held = self._read.get(value.name)
        if held is not None:
            return held[1]
        stored = getattr(self._storage, value.name)
        found = value.absent() if stored is None else stored
        self._hold(value, found)
        return found

    def write(self, value: Value[Any], new: Any) -> None:
        """Store a value; what is changed in it later is stored, too."""
        setattr(self._storage, value.name, new)
        self._hold(value, new)

    def delete(self, value: Value[Any]) -> None:
        """Delete a value."""
        delattr(self._storage, value.name)
        self._read.pop(value.name, None)

    def keep(self) -> None:
        """Store each value that was changed in place.

        Raises:
            StatefunError: If one cannot be written as its type any more.
        """
        for name, (value, now, before) in self._read.items():
            if value.encoded(now) != before:
                setattr(self._storage, name, now)

    def _hold(self, value: Value[Any], found: Any) -> None:
        if found.__class__ in _UNCHANGEABLE:
            self._read.pop(value.name, None)
        else:
            self._read[value.name] = (value, found, value.encoded(found))


def turn_of(state: State) -> _Turn:
    """Give the values that are in use; a method of this name could not be a value."""
    return state._TURN  # noqa: SLF001 - see above


def specs_of(state: type[State]) -> tuple[ValueSpec, ...]:
    """Give the declarations that an engine gets.

    Raises:
        InvalidSpecError: If one of them is not valid.
    """
    return tuple([each.spec() for each in state.VALUES.values()])


class StateContext(Context[Any]):
    """A context whose storage is a `State`; everything else is that of the context behind."""

    __slots__ = ("_context", "_state")

    def __init__(self, context: Context, state: State) -> None:
        self._context, self._state = context, state

    @property
    def address(self) -> SdkAddress:
        """See `Context.address`."""
        return self._context.address

    @property
    def storage(self) -> Any:
        """The `State`."""
        return self._state

    @property
    def caller(self) -> SdkAddress | None:
        """See `Context.caller`."""
        return self._context.caller

    def send(self, message: Message) -> None:
        """See `Context.send`."""
        self._context.send(message)

    def send_after(
        self, duration: timedelta, message: Message, cancellation_token: str = ""
    ) -> None:
        """See `Context.send_after`."""
        self._context.send_after(duration, message, cancellation_token)

    def cancel_delayed_message(self, cancellation_token: str) -> None:
        """See `Context.cancel_delayed_message`."""
        self._context.cancel_delayed_message(cancellation_token)

    def send_egress(self, message: EgressMessage) -> None:
        """See `Context.send_egress`."""
        self._context.send_egress(message)


def with_state(
    state: type[State], fun: Callable[[Any, Any], Any], *, is_async: bool
) -> Callable[[Any, Any], Any]:
    """Wrap a function so that it gets a context with a state, and in-place changes are kept.

    Args:
        state: The class.
        fun: The function.
        is_async: Whether calling it is known to give a coroutine.
    """

    async def finish(outcome: Any, values: State) -> Any:
        result = await outcome
        turn_of(values).keep()
        return result

    def call(context: Context, message: Message) -> Any:
        values = state(context.storage)
        outcome = fun(StateContext(context, values), message)
        if inspect.isawaitable(outcome):
            return finish(outcome, values)
        turn_of(values).keep()
        return outcome

    async def call_async(context: Context, message: Message) -> Any:
        return await call(context, message)

    return call_async if is_async else call
