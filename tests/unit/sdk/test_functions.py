"""The registry: what can be registered, what is refused, and how it is called."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from statefun.errors import (
    AlreadyRegisteredError,
    InvalidFunctionError,
    InvalidSpecError,
    InvalidTypenameError,
    UnknownFunctionError,
)
from statefun.sdk.address import Address
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.middleware import Middleware
from statefun.sdk.primitives import IntType, StringType
from statefun.sdk.specs import ValueSpec
from tests.builders import number, to_function

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

SEEN = ValueSpec("seen", IntType)
NOTHING: Any = None
CALLS: list[tuple[str, int | None]] = []


def note(how: str, message: Message) -> None:
    CALLS.append((how, message.as_int()))


async def note_later(how: str, message: Message) -> None:
    await asyncio.sleep(0)
    note(how, message)


# --- what can be registered -----------------------------------------------------------------------


def function(context: Context, message: Message) -> None:
    note("called", message)


async def coroutine(context: Context, message: Message) -> None:
    await note_later("called", message)


def returning_a_coroutine(context: Context, message: Message) -> Awaitable[None]:
    return note_later("called", message)


def returning_a_task(context: Context, message: Message) -> Awaitable[None]:
    return asyncio.ensure_future(note_later("called", message))


def returning_a_value(context: Context, message: Message) -> str:
    note("called", message)
    return "nobody looks at it"


def with_more(how: str, context: Context, message: Message) -> None:
    note(how, message)


async def with_more_later(how: str, context: Context, message: Message) -> None:
    await note_later(how, message)


def with_default(context: Context, message: Message, how: str = "called") -> None:
    note(how, message)


def with_keyword(context: Context, message: Message, *, how: str = "called") -> None:
    note(how, message)


def with_anything(*arguments: Any, **keywords: Any) -> None:
    note("called", arguments[1])


def with_odd_names(message: Any, context: Message, /) -> None:
    note("called", context)


def decorated(function: Callable[[Context, Message], None]) -> Callable[..., None]:
    @functools.wraps(function)
    def wrapper(*arguments: Any, **keywords: Any) -> None:
        function(*arguments, **keywords)

    return wrapper


def decorated_later(function: Callable[[Context, Message], Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*arguments: Any) -> None:
        await function(*arguments)

    return wrapper


class Called:
    def __call__(self, _: Context, message: Message) -> None:
        note("called", message)


class CalledLater:
    async def __call__(self, _: Context, message: Message) -> None:
        await note_later("called", message)


class Service:
    def method(self, _: Context, message: Message) -> None:
        note("called", message)

    async def later(self, _: Context, message: Message) -> None:
        await note_later("called", message)

    @classmethod
    def of_class(cls, _: Context, message: Message) -> None:
        note("called", message)

    @staticmethod
    async def of_nobody(_: Context, message: Message) -> None:
        await note_later("called", message)


class Awaited:
    def __init__(self, message: Message) -> None:
        self.message = message

    def __await__(self) -> Generator[Any, None, None]:
        return note_later("called", self.message).__await__()


CALLABLES: dict[str, Any] = {
    "a function": function,
    "a coroutine function": coroutine,
    "a function that returns a coroutine": returning_a_coroutine,
    "a function that returns an awaitable object": lambda _, message: Awaited(message),
    "a function that returns a value": returning_a_value,
    "a lambda": lambda _, message: note("called", message),
    "a partial": functools.partial(with_more, "called"),
    "a partial of a coroutine function": functools.partial(with_more_later, "called"),
    "a partial of a partial": functools.partial(functools.partial(with_more_later, "called")),
    "a bound method": Service().method,
    "a bound coroutine method": Service().later,
    "a class method": Service.of_class,
    "a static method": Service.of_nobody,
    "a callable object": Called(),
    "a callable object with a coroutine": CalledLater(),
    "a partial of a callable object": functools.partial(CalledLater()),
    "defaulted parameters": with_default,
    "defaulted keywords": with_keyword,
    "any number of arguments": with_anything,
    "positional parameters of any name": with_odd_names,
    "a wrapper": decorated(function),
    "an async wrapper": decorated_later(coroutine),
    "a partial of a wrapper": functools.partial(decorated_later(coroutine)),
}

COROUTINES = {
    *("a coroutine function", "a partial of a coroutine function", "a partial of a partial"),
    *("a bound coroutine method", "a static method", "a callable object with a coroutine"),
    *("an async wrapper", "a partial of a wrapper", "a partial of a callable object"),
}


@pytest.mark.parametrize(
    ("kind", "blocking"),
    [(kind, blocking) for kind in CALLABLES for blocking in (False, True)]
    + [("a function that returns a task", False)],  # a thread has no loop to make a task on
)
def test_what_takes_a_context_and_a_message_is_a_function(
    functions: StatefulFunctions, handler: RequestReplyHandler, *, kind: str, blocking: bool
) -> None:
    """It is called once a message, and what it returns is awaited before the next if it can be."""
    CALLS.clear()
    fun = CALLABLES.get(kind, returning_a_task)
    functions.register("t/f", fun, blocking=blocking)

    handler.handle_sync(to_function(Address("t/f", "1"), number(1), number(2)))

    assert CALLS == [("called", 1), ("called", 2)]


def test_binding_returns_the_function_itself(functions: StatefulFunctions) -> None:
    """It can be called directly, bound again under another typename, and tested by itself."""
    bound = functions.bind("t/f", [SEEN])(functions.bind("t/g")(function))

    assert bound is function
    assert functions.typenames == ("t/g", "t/f")


def test_a_registered_function_can_be_looked_up(functions: StatefulFunctions) -> None:
    """With what was said about it."""
    functions.register("t/f", coroutine, iter([SEEN]), blocking=True)

    found = functions.for_typename("t/f")

    assert (found.typename, found.fun, found.storage_spec.specs, found.is_blocking) == (
        "t/f",
        coroutine,
        [SEEN],
        True,
    )


@pytest.mark.parametrize("kind", CALLABLES)
def test_it_is_known_beforehand_which_functions_are_coroutines(
    functions: StatefulFunctions, kind: str
) -> None:
    """Also through partials, methods and callable objects; what else returns awaitables is not."""
    functions.register("t/f", CALLABLES[kind])

    assert functions.for_typename("t/f").is_async == (kind in COROUTINES)


def test_registering_the_same_function_twice_under_two_names_is_fine(
    functions: StatefulFunctions,
) -> None:
    """A typename has one function; a function may have many typenames."""
    for typename in ("t/a", "t/b", "a/b/c"):
        functions.register(typename, function, [SEEN])

    assert functions.typenames == ("t/a", "t/b", "a/b/c")


# --- what is refused ------------------------------------------------------------------------------


def no_parameters() -> None: ...


def one_parameter(context: Context) -> None: ...


def three_parameters(context: Context, message: Message, more: int) -> None: ...


def needs_keyword(context: Context, message: Message, *, more: int) -> None: ...


@pytest.mark.parametrize(
    ("fun", "parameters"),
    [
        (no_parameters, "() -> 'None'"),
        (one_parameter, "(context: 'Context') -> 'None'"),
        (three_parameters, "(context: 'Context', message: 'Message', more: 'int') -> 'None'"),
        (needs_keyword, "(context: 'Context', message: 'Message', *, more: 'int') -> 'None'"),
        (Service.method, "(self, _: 'Context', message: 'Message') -> 'None'"),
        (functools.partial(function, NOTHING), "(message: 'Message') -> 'None'"),
    ],
)
def test_a_function_with_other_parameters_is_refused(
    functions: StatefulFunctions, fun: Any, parameters: str
) -> None:
    """It is found when the program starts; Python's own words say why; nothing is registered."""
    with pytest.raises(TypeError) as why:
        inspect.signature(fun).bind(object(), object())

    with pytest.raises(InvalidFunctionError) as caught:
        functions.register("t/f", fun)

    assert str(caught.value) == (
        f"'t/f' is bound to {fun!r}, which cannot be called with a context and a message "
        f"({why.value}): its parameters are {parameters}"
    )
    assert functions.typenames == ()


@pytest.mark.parametrize("fun", ["greet", 5, [function]])
def test_what_cannot_be_called_is_refused(functions: StatefulFunctions, fun: Any) -> None:
    """The error shows what was given."""
    with pytest.raises(InvalidFunctionError) as caught:
        functions.register("t/f", fun)

    assert str(caught.value) == (
        f"'t/f' cannot be bound to {fun!r}: it is not callable with a context and a message"
    )


def test_there_must_be_a_function(functions: StatefulFunctions) -> None:
    """None is no function."""
    nothing: Any = None

    with pytest.raises(InvalidFunctionError) as caught:
        functions.register("t/f", nothing)

    assert str(caught.value) == "there is no function to register: pass a callable"


@pytest.mark.parametrize("typename", ["", "f", "/f", "t/", None, 5, ["t/f"]])
def test_a_function_needs_a_typename(functions: StatefulFunctions, typename: Any) -> None:
    """`namespace/name`, found when it is registered and not when it is called."""
    with pytest.raises(InvalidTypenameError) as caught:
        functions.bind(typename)(function)

    assert str(caught.value) == (
        f"the function typename {typename!r} is not of the form 'namespace/name': "
        "write for example 'com.example/greeter'"
    )


def test_a_typename_has_one_function(functions: StatefulFunctions) -> None:
    """The second is refused, even if it is the same; the first stays."""
    functions.register("t/f", function)

    with pytest.raises(AlreadyRegisteredError) as caught:
        functions.register("t/f", coroutine)

    assert str(caught.value) == ("'t/f' is registered already: give each function its own typename")
    assert functions.for_typename("t/f").fun is function


@pytest.mark.parametrize(
    ("specs", "error"),
    [
        ([SEEN, ValueSpec("seen", StringType)], AlreadyRegisteredError),
        (["seen"], InvalidSpecError),
        ([None], InvalidSpecError),
    ],
)
def test_wrong_specs_register_nothing(
    functions: StatefulFunctions, specs: Any, error: type[Exception]
) -> None:
    """A function is registered with all its values or not at all."""
    with pytest.raises(error):
        functions.register("t/f", function, specs)

    assert functions.typenames == ()


def test_an_unknown_typename_lists_what_there_is(functions: StatefulFunctions) -> None:
    """The error is for whoever reads the log of the sender."""
    with pytest.raises(UnknownFunctionError) as none:
        functions.for_typename("t/f")
    functions.register("t/a", function)
    functions.register("t/b", function)
    with pytest.raises(UnknownFunctionError) as two:
        functions.for_typename("t/f")

    advice = "Bind one with @functions.bind('t/f'), or correct the sender"
    assert [str(none.value), str(two.value)] == [
        f"no function is registered as 't/f'; registered: none. {advice}",
        f"no function is registered as 't/f'; registered: t/a, t/b. {advice}",
    ]


def _generator(context: Context, message: Message) -> Any:
    yield


async def _async_generator(context: Context, message: Message) -> Any:
    yield


class _Generators:
    async def method(self, *_: Any) -> Any:
        yield

    @staticmethod
    def static(*_: Any) -> Any:
        yield

    @classmethod
    async def of_class(cls, *_: Any) -> Any:
        yield


class _CallsStatic:
    __call__ = staticmethod(_async_generator)


@pytest.mark.parametrize(
    "function",
    [
        _generator,
        _async_generator,
        functools.partial(_generator),
        functools.partial(functools.partial(_async_generator)),
        _Generators().method,
        functools.partial(_Generators().method),
        _Generators.static,
        _Generators.of_class,
        _CallsStatic(),
        functools.partial(_CallsStatic()),
    ],
)
def test_a_generator_is_refused(function: Any) -> None:
    """Calling it runs nothing, so every message would be lost in silence."""
    with pytest.raises(InvalidFunctionError, match="a generator, and nothing would run it"):
        StatefulFunctions().register("t/f", function)


def _hidden(function: Any) -> Any:
    """A decorator that hides the kind of what it calls."""

    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


def _hidden_later(function: Any) -> Any:
    """The same, as a coroutine that does not await what it calls."""

    @functools.wraps(function)
    async def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


def _mapped(context: Context, message: Message) -> Any:
    return map(context.send, [message])


class _Iterating:
    def __aiter__(self) -> _Iterating:
        return self

    async def __anext__(self) -> None:
        raise StopAsyncIteration


class _Passing(Middleware):
    """Middleware that changes nothing."""


@pytest.mark.parametrize(
    "function",
    [
        _hidden(functools.partial(_generator)),
        functools.partial(_hidden(_async_generator)),
        lambda *_: _Iterating(),
        _hidden(_generator),
        _hidden(_async_generator),
        _hidden_later(_generator),
        _hidden_later(_async_generator),
        _hidden_later(_hidden_later(_async_generator)),
        _mapped,
        lambda *_: filter(None, [1]),
        lambda *_: [_generator(*_)],
        lambda *_: (None, [_async_generator(*_)]),
        lambda *_: {"later": _async_generator(*_)},
        contextlib.contextmanager(_generator),
        contextlib.asynccontextmanager(_async_generator),
        lambda *_: functools.partial(coroutine, *_),
        lambda *_: coroutine,
    ],
)
@pytest.mark.parametrize("is_blocking", [False, True])
@pytest.mark.parametrize("middleware", [(), (_Passing(),)])
async def test_a_message_is_never_answered_by_work_that_nobody_does(
    function: Any, is_blocking: Any, middleware: Any
) -> None:
    """A generator that no one could see at registration fails the call, with the reason."""
    functions = StatefulFunctions()
    functions.register("t/f", function, blocking=is_blocking)
    handler = RequestReplyHandler(functions, middleware=middleware)

    with pytest.raises(InvalidFunctionError, match=r"'t/f' returned .*nothing would run it"):
        await handler.handle_async(to_function(Address("t/f", "1"), number(1)))


async def test_coroutines_in_a_list_are_not_forgotten() -> None:
    """Nobody awaits them, so the call fails."""
    functions, forgotten = StatefulFunctions(), []

    @functions.bind("t/f")
    def several(context: Context, message: Message) -> object:
        forgotten.append(coroutine(context, message))
        return [*forgotten]

    with pytest.raises(InvalidFunctionError, match=r"'t/f' returned .*nothing would run it"):
        await RequestReplyHandler(functions).handle_async(
            to_function(Address("t/f", "1"), number(1))
        )
    forgotten[0].close()


async def test_the_future_of_a_thread_is_waited_for() -> None:
    """Its exception is the function's."""
    functions = StatefulFunctions()
    with ThreadPoolExecutor(1) as pool:
        functions.register("t/f", lambda *_: pool.submit(int, "no number"))
        handler = RequestReplyHandler(functions)

        with pytest.raises(ValueError, match="no number"):
            await handler.handle_async(to_function(Address("t/f", "1"), number(1)))


@pytest.mark.parametrize(
    "result", ["text", b"", 1, {}, [1, "a"], (), object(), contextlib.nullcontext()]
)
async def test_a_result_without_work_is_ignored(result: object) -> None:
    """A function has no result."""
    functions = StatefulFunctions()
    functions.register("t/f", lambda *_: result)

    reply = await RequestReplyHandler(functions).handle_async(
        to_function(Address("t/f", "1"), number(1))
    )

    assert reply == b""


@pytest.mark.parametrize(
    ("function", "is_blocking"),
    [
        (_hidden(coroutine), False),
        (_hidden_later(coroutine), False),
        (_hidden_later(_hidden_later(returning_a_task)), False),
        (functools.partial(_hidden_later(returning_a_coroutine)), False),
        (_hidden(_hidden_later(coroutine)), True),
        (functools.partial(_hidden_later(returning_a_coroutine)), True),
    ],
)
@pytest.mark.parametrize("middleware", [(), (_Passing(),)])
async def test_whatever_can_be_awaited_is_awaited(
    function: Any, is_blocking: Any, middleware: Any
) -> None:
    """Also what an awaitable results in, as long as it can be."""
    CALLS.clear()
    functions = StatefulFunctions()
    functions.register("t/f", function, blocking=is_blocking)

    handler = RequestReplyHandler(functions, middleware=middleware)
    await handler.handle_async(to_function(Address("t/f", "1"), number(1)))

    assert CALLS == [("called", 1)]


class _Forgetful(Middleware):
    """Middleware that does not await what it stands around."""

    async def around_message(self, *others: Any) -> Any:
        return others[-1]()


class _ForgetfulOfBatches(Middleware):
    async def around_batch(self, *others: Any) -> Any:
        return others[-1]()


@pytest.mark.parametrize("forgetful", [_Forgetful(), _ForgetfulOfBatches()])
async def test_what_middleware_forgets_to_await_is_awaited(forgetful: Middleware) -> None:
    """It returns the awaitable, so the function runs nevertheless."""
    CALLS.clear()
    functions = StatefulFunctions()
    functions.register("t/f", coroutine)

    handler = RequestReplyHandler(functions, middleware=[forgetful])
    await handler.handle_async(to_function(Address("t/f", "1"), number(1)))

    assert CALLS == [("called", 1)]


def test_a_decorator_without_its_typename_is_refused() -> None:
    """`@functions.bind` over a function would otherwise register nothing."""
    with pytest.raises(InvalidTypenameError, match="the function typename <function"):
        StatefulFunctions().bind(_generator)  # type: ignore[arg-type]


def test_one_spec_in_place_of_a_list_is_refused() -> None:
    """The sentence says to wrap it."""
    with pytest.raises(InvalidSpecError, match="must be a list: write specs="):
        StatefulFunctions().register(
            "t/f",
            print,
            specs=ValueSpec("n", IntType),  # type: ignore[arg-type]
        )
