"""Declaring services, objects, workflows and handlers: what is understood, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from statefun.durable import (
    Context,
    InvocationRetryPolicy,
    ObjectContext,
    RateLimit,
    Service,
    VirtualObject,
    Workflow,
    WorkflowContext,
)
from statefun.durable.handler import NO_DEFAULT, handler_from_callable
from statefun.durable.options import Options, Schedule
from statefun.durable.serde import BytesSerde, DefaultSerde
from statefun.errors import AlreadyRegisteredError, DefinitionError, InvalidFunctionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.durable import ObjectSharedContext as OnlyForTheTypeChecker

ANYTHING: Any = None


@dataclass
class Cart:
    items: int = 0


@dataclass
class Line:
    sku: str


def test_a_handler_knows_what_it_was_declared_with() -> None:
    """Name, kind, serdes, default and docstring."""
    shop = VirtualObject("Shop", "Sells", {"team": "a"})

    @shop.handler("buy", kind="shared", metadata={"k": "v"})
    async def purchase(ctx: OnlyForTheTypeChecker, line: Line | None = None) -> list[Line]:
        """Buys."""
        return [line] if line else []

    handler = handler_from_callable(purchase)

    assert shop.handlers == {"buy": handler}
    assert shop.name == handler.service_tag.name == "Shop"
    assert (handler.service_tag.description, handler.service_tag.metadata) == (
        "Sells",
        {"team": "a"},
    )
    assert (handler.name, handler.kind, handler.arity) == ("buy", "shared", 2)
    assert (handler.description, handler.metadata) == ("Buys.", {"k": "v"})
    assert handler.has_default
    assert handler.default is None
    assert handler.handler_io.input_serde == DefaultSerde(Line | None)  # type: ignore[arg-type]
    assert handler.handler_io.output_serde == DefaultSerde(list[Line])
    assert purchase.__name__ == "purchase"
    assert handler.place.file == __file__


async def test_a_decorated_function_can_be_called_directly() -> None:
    """`await other(ctx, x)` runs within the same invocation."""
    service = Service("S")

    @service.handler()
    async def double(ctx: Context, number: int) -> int:
        return 2 * number

    assert await double(ANYTHING, 4) == 8


def test_a_handler_without_an_argument_takes_and_gives_nothing() -> None:
    """The types are void, which the ingress needs to know."""
    service = Service("S")

    @service.handler()
    async def ping(ctx: Context) -> None:
        pass

    io = handler_from_callable(ping).handler_io

    assert io.input_type.is_void
    assert io.output_type.is_void
    assert handler_from_callable(ping).default is NO_DEFAULT


def test_the_annotation_chooses_the_media_type_unless_one_is_given() -> None:
    """Bytes are no JSON; a serde that was given travels as it is declared."""
    service = Service("S")

    @service.handler(content_type="image/png")
    async def draw(ctx: Context, data: bytes) -> bytes:
        return data

    @service.handler(input_serde=BytesSerde())
    async def raw(ctx: Context, data: Any) -> str:
        return ""

    assert handler_from_callable(draw).handler_io.accept == "application/octet-stream"
    assert handler_from_callable(draw).handler_io.content_type == "image/png"
    assert handler_from_callable(raw).handler_io.accept == "application/json"


def test_options_of_a_handler_go_before_those_of_its_service() -> None:
    """Context managers are the exception: the service's are around the handler's."""

    def outer() -> Any: ...

    def inner() -> Any: ...

    second, minute = timedelta(seconds=1), timedelta(minutes=1)
    service = Service(
        "S",
        abort_timeout=second,
        inactivity_timeout=second,
        invocation_context_managers=[outer],
        effects="relaxed",
    )

    @service.handler(
        abort_timeout=minute,
        invocation_context_managers=[inner],
        rate_limit=RateLimit(5, minute),
    )
    async def run(ctx: Context) -> None: ...

    assert handler_from_callable(run).options == Options(
        abort_timeout=minute,
        inactivity_timeout=second,
        context_managers=(outer, inner),
        effects="relaxed",
        rate_limit=RateLimit(5, minute),
    )


def test_a_schedule_belongs_to_a_handler() -> None:
    """Several may stand above one another."""
    service = Service("S")

    @service.schedule("0 * * * *")
    @service.schedule("0 9 * * MON", timezone="Europe/Berlin")
    @service.handler()
    async def tick(ctx: Context) -> None: ...

    planned = (Schedule("0 9 * * MON", "Europe/Berlin"), Schedule("0 * * * *"))

    assert handler_from_callable(tick).schedules == planned
    assert service.handlers["tick"].schedules == planned


def test_the_state_of_a_context_is_the_declared_one() -> None:
    """`ObjectContext[Cart]` needs `state=Cart`, here and nowhere later."""
    carts = VirtualObject("Carts", state=Cart)

    @carts.handler()
    async def add(ctx: ObjectContext[Cart]) -> int:
        return ctx.state.items

    with pytest.raises(DefinitionError, match="the declared state is Cart: declare it with state="):

        @carts.handler()
        async def wrong(ctx: ObjectContext[Line]) -> None: ...


# --- what is refused, with file and line ----------------------------------------------------------


def no_parameter() -> Any:
    async def run() -> None: ...

    return run


def three_parameters() -> Any:
    async def run(ctx: Context, a: int, b: int) -> None: ...

    return run


def variadic() -> Any:
    async def run(ctx: Context, *rest: int) -> None: ...

    return run


def keyword_only() -> Any:
    async def run(ctx: Context, *, a: int) -> None: ...

    return run


def not_async() -> Any:
    def run(ctx: Context) -> None: ...

    return run


def unknown_annotation() -> Any:
    async def run(ctx: Context, order: Unknown) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    return run


def opaque_annotation() -> Any:
    async def run(ctx: Context, order: threading.Lock) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    run.__annotations__["order"] = type("Opaque", (), {})
    return run


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (no_parameter, "handler 'run' of 'S' must have at least one parameter"),
        (three_parameters, "a handler takes the context and at most one argument"),
        (variadic, "a handler takes the context and at most one argument"),
        (keyword_only, "a handler takes the context and at most one argument"),
        (not_async, "run cannot be a handler of 'S', because it is not async: write 'async def"),
        (unknown_annotation, "the annotation 'Unknown' cannot be read (NameError"),
        (opaque_annotation, "handler 'run' of 'S': no JSON is read as the type Opaque"),
        (lambda: 7, "7 cannot be a handler of 'S': decorate an async function"),
    ],
)
def test_a_function_that_no_call_fits_is_refused(function: Callable[[], Any], text: str) -> None:
    """When it is declared, and not by the first call."""
    service = Service("S")
    decorate = service.handler()

    with pytest.raises(DefinitionError) as caught:
        decorate(function())

    assert text in str(caught.value)
    assert f"({__file__}, line " in str(caught.value)
    assert service.handlers == {}


def declare(**options: Any) -> None:
    @Service("S").handler(**options)
    async def handle(ctx: Context) -> None: ...


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        (lambda: Service("my service"), "'my service' cannot be the name of a service"),
        (lambda: VirtualObject("restateful"), "its URLs would be those of the ingress itself"),
        (lambda: Workflow(""), "'' cannot be the name of a workflow"),
        (lambda: Service("S", abort_timeout=5), "service 'S': abort_timeout takes a timedelta"),  # type: ignore[arg-type]
        (lambda: declare(journal_retention=timedelta(-1)), "journal_retention is zero or more"),
        (lambda: declare(rate_limit=RateLimit(0, timedelta(1))), "is a whole number from 1 on"),
        (lambda: declare(rate_limit=RateLimit(2000, timedelta(1))), "take a shorter period"),
        (lambda: declare(rate_limit=RateLimit(1, timedelta(0))), "is a millisecond or more"),
        (lambda: declare(rate_limit=5), "rate_limit takes a RateLimit, got 5"),
        (lambda: declare(max_concurrency=0), "max_concurrency is a whole number from 1 on"),
        (
            lambda: declare(invocation_retry_policy=InvocationRetryPolicy(max_attempts=0)),
            "max_attempts of the retry policy is a whole number from 1 on, got 0",
        ),
        (
            lambda: declare(invocation_retry_policy=InvocationRetryPolicy(on_max_attempts="stop")),  # type: ignore[arg-type]
            "on_max_attempts is 'pause' or 'kill', got 'stop'",
        ),
        (lambda: Service("S", metadata={"a": 1}), "service 'S': metadata are texts by name"),  # type: ignore[dict-item]
        (lambda: declare(accept="json"), "accept is a media type such as 'application/json', got"),
        (lambda: declare(content_type=3), "content_type is a media type such as"),
        (lambda: declare(metadata=["a"]), "metadata are texts by name, got ['a']"),
        (lambda: Service("S", effects="lax"), "effects are 'strict' or 'relaxed', got 'lax'"),  # type: ignore[arg-type]
        (lambda: VirtualObject("O").handler(kind="shred"), "'exclusive' or 'shared'"),  # type: ignore[arg-type]
        (lambda: Service("S").schedule("soon"), "'soon' is not a schedule"),
        (
            lambda: Service("S").schedule("0 * * * *", timezone="Mars/Crater"),
            "'Mars/Crater' is not a time zone",
        ),
        (lambda: VirtualObject("O", state=dict), "described by a dataclass or a pydantic model"),
        (lambda: VirtualObject("O", state=Line), "give every field a default"),
        (lambda: Service("S").handler(test_a_schedule_belongs_to_a_handler), "its parentheses"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_meant_is_refused(mistake: Callable[[], Any], text: str) -> None:
    """The sentence names the option, the value, the file and the line."""
    with pytest.raises(DefinitionError) as caught:
        mistake()

    assert text in str(caught.value)
    assert f"({__file__}, line " in str(caught.value)


def test_a_name_is_given_once() -> None:
    """The second handler of a name is told where the first one is."""
    service = Service("S")

    @service.handler()
    async def one(ctx: Context) -> None: ...

    with pytest.raises(AlreadyRegisteredError, match="handler 'one' already exists in 'S', from"):
        service.handler("one")(one)


def test_a_name_with_a_dash_is_refused() -> None:
    """Names of handlers are letters, digits and `_`."""
    decorate = Service("S").handler("my-handler")

    with pytest.raises(DefinitionError, match="'my-handler' cannot be the name of a handler"):

        @decorate
        async def run(ctx: Context) -> None: ...


def test_a_workflow_has_one_main_handler() -> None:
    """The second is refused and told where the first one is."""
    order = Workflow("Order")

    @order.main()
    async def run(ctx: WorkflowContext) -> None: ...

    with pytest.raises(DefinitionError, match="has a main handler, 'run' from"):
        order.main()


def test_a_schedule_needs_a_handler_that_needs_nothing() -> None:
    """A scheduled handler is given no argument, and is one of the service."""
    service = Service("S")

    @service.handler()
    async def greet(ctx: Context, name: str) -> None: ...

    with pytest.raises(DefinitionError, match="give it a default, or take none"):
        service.schedule("0 * * * *")(greet)
    with pytest.raises(DefinitionError, match="'greet' is a handler of 'S', so only that"):
        Service("T").schedule("0 * * * *")(greet)


def test_a_function_that_is_no_handler_is_told_how_to_become_one() -> None:
    """As an argument of a call."""
    with pytest.raises(InvalidFunctionError, match="declare it with @service"):
        handler_from_callable(test_a_name_is_given_once)
