"""A handler: an async function that was declared with what an engine must know to invoke it.

Law: what is wrong with a declaration is refused where it is declared, with its file and line.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, cast, get_args

from statefun.durable.context_types import HandlerType, I, O
from statefun.durable.lint import warn_of_hazards
from statefun.durable.serde import DefaultSerde, Serde, serde_of
from statefun.errors import AlreadyRegisteredError, DefinitionError, InvalidFunctionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.durable.options import Options, Schedule
    from statefun.durable.place import Place
    from statefun.durable.state import StateModel

F = TypeVar("F", bound="Callable[..., Any]")

__all__ = [
    "NO_DEFAULT",
    "Handler",
    "HandlerIO",
    "HandlerKind",
    "ServiceTag",
    "TypeHint",
    "check_metadata",
    "check_new",
    "check_service_name",
    "handler_from_callable",
    "make_handler",
]

ServiceKind: TypeAlias = Literal["service", "object", "workflow"]
HandlerKind: TypeAlias = Literal["exclusive", "shared", "workflow"]
"""How handlers of one key share it; `workflow` is the main handler. None for a service."""

JSON = "application/json"
NO_DEFAULT: Any = inspect.Parameter.empty
"""Stands where a handler's parameter has no default value."""

_ATTRIBUTE = "__statefun_durable_handler__"
_SERVICE_NAME = re.compile(r"([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9._-]*")
_MEDIA_TYPE = re.compile(r"[^/\s;]+/[^/\s;]+(\s*;.*)?")
_HANDLER_NAME = re.compile(r"([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]*")


@dataclass(frozen=True)
class ServiceTag:
    """Who a handler belongs to.

    Attributes:
        kind: `"service"`, `"object"` or `"workflow"`.
        name: The name, which is part of URLs and of addresses.
        description: A sentence for people.
        metadata: More facts for tools.
    """

    kind: ServiceKind
    name: str
    description: str | None = None
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True)
class TypeHint(Generic[I]):
    """What an annotation says.

    Attributes:
        annotation: The annotation; None if there is none.
        is_void: Whether there is no value at all: no parameter, or `-> None`.
    """

    annotation: type[I] | None = None
    is_void: bool = False


@dataclass(frozen=True)
class HandlerIO(Generic[I, O]):
    """How argument and result travel.

    Attributes:
        accept: The media type of the argument; `*/*` for any.
        content_type: The media type of the result.
        input_serde: How the argument is read.
        output_serde: How the result is written.
        input_type: What the annotation of the argument says.
        output_type: What the return annotation says.
    """

    accept: str
    content_type: str
    input_serde: Serde[I]
    output_serde: Serde[O]
    input_type: TypeHint[I]
    output_type: TypeHint[O]


@dataclass(frozen=True)
class Handler(Generic[I, O]):
    """A declared handler.

    Attributes:
        service_tag: Who it belongs to.
        handler_io: How argument and result travel.
        kind: How it shares its key; None for a service.
        name: Its name within the service.
        fn: The function.
        arity: How many parameters it has: 1 for the context alone, else 2.
        place: Where it was declared.
        options: How its invocations are run and kept, the service's options included.
        description: Its docstring.
        metadata: More facts for tools.
        default: The default value of its argument; `NO_DEFAULT` if there is none.
        schedules: When it is started by itself.
    """

    service_tag: ServiceTag
    handler_io: HandlerIO[I, O]
    kind: HandlerKind | None
    name: str
    fn: HandlerType[I, O]
    arity: int
    place: Place
    options: Options
    description: str | None = None
    metadata: Mapping[str, str] | None = None
    default: Any = NO_DEFAULT
    schedules: tuple[Schedule, ...] = ()

    @property
    def has_default(self) -> bool:
        """Whether the argument may be left out though there is one."""
        return self.default is not NO_DEFAULT

    def stand_for(self, function: F) -> F:
        """What replaces the function: called directly it is the function, in calls the handler."""

        @functools.wraps(function)
        async def invoke(*args: Any, **kwargs: Any) -> Any:
            return await function(*args, **kwargs)

        setattr(invoke, _ATTRIBUTE, self)
        return cast("F", invoke)


def handler_from_callable(wrapper: Callable[..., Any]) -> Handler[Any, Any]:
    """The handler that a decorated function is.

    Raises:
        InvalidFunctionError: If it was not decorated.
    """
    handler = getattr(wrapper, _ATTRIBUTE, None)
    if not isinstance(handler, Handler):
        name = getattr(wrapper, "__qualname__", repr(wrapper))
        raise InvalidFunctionError(
            f"{name} is not a handler: declare it with @service.handler() and pass the function",
            name=name,
        )
    return handler


def make_handler(
    tag: ServiceTag,
    function: F,
    *,
    place: Place,
    kind: HandlerKind | None,
    name: str | None,
    io: tuple[str, str, Any, Any],
    options: Options,
    metadata: Mapping[str, str] | None = None,
    model: StateModel[Any] | None = None,
) -> tuple[Handler[Any, Any], F]:
    """Declare a function as a handler.

    Args:
        tag: Who it belongs to.
        function: The function.
        place: Where the decorator stands.
        kind: How it shares its key.
        name: Its name; None takes the function's.
        io: Accept, content type, and the serdes of argument and result.
        options: Its options, completed by those of its service.
        metadata: More facts for tools.
        model: The state that `ctx.state` is, if it was declared.

    Returns:
        The handler, and what replaces the function: it can be called as before, within the same
        invocation, and stands for the handler in calls.

    Raises:
        DefinitionError: If something is wrong with the declaration.
    """
    parameters = _parameters(tag, function, place)
    known = _known_name(tag, name or function.__name__, place)
    warn_of_hazards(function, f"handler {known!r} of {tag.name!r}")
    hints = _hints(function, parameters, place)
    handler: Handler[Any, Any] = Handler(
        service_tag=tag,
        handler_io=_io(io, hints, f"handler {known!r} of {tag.name!r}", place),
        kind=kind,
        name=known,
        fn=function,
        arity=len(parameters),
        place=place,
        options=options,
        description=inspect.getdoc(function),
        metadata=check_metadata(f"handler {known!r} of {tag.name!r}", metadata, place),
        default=parameters[1].default if len(parameters) > 1 else NO_DEFAULT,
    )
    _check_state(hints[0].annotation, model, place)
    return handler, handler.stand_for(function)


# --- what can be wrong ----------------------------------------------------------------------------


def check_service_name(name: object, kind: str, place: Place) -> str:
    """The name of a service, if it can be one.

    Raises:
        DefinitionError: If not.
    """
    if not isinstance(name, str) or not _SERVICE_NAME.fullmatch(name):
        raise DefinitionError(
            f"{name!r} cannot be the name of a {kind}: begin with a letter, go on with letters, "
            f"digits, '.', '_' and '-' ({place})",
            name=str(name),
            place=str(place),
        )
    if name.lower().startswith("restate") or name.lower() == "openapi":
        raise DefinitionError(
            f"{name!r} cannot be the name of a {kind}: its URLs would be those of the ingress "
            f"itself, choose another ({place})",
            name=name,
            place=str(place),
        )
    return name


def check_metadata(
    what: str, metadata: Mapping[str, str] | None, place: Place
) -> dict[str, str] | None:
    """The metadata of a service or a handler, if they are texts by name.

    Raises:
        DefinitionError: If not.
    """
    if metadata is None:
        return None
    is_mapping = isinstance(metadata, Mapping)
    if not is_mapping or not all(isinstance(each, str) for each in chain(*metadata.items())):
        raise DefinitionError(
            f"{what}: metadata are texts by name, got {metadata!r} ({place})",
            name=what,
            place=str(place),
        )
    return dict(metadata)


def _known_name(tag: ServiceTag, name: str, place: Place) -> str:
    if not isinstance(name, str) or not _HANDLER_NAME.fullmatch(name):
        raise DefinitionError(
            f"{name!r} cannot be the name of a handler of {tag.name!r}: begin with a letter, go on "
            f"with letters, digits and '_' ({place})",
            name=name,
            place=str(place),
        )
    return name


def check_new(name: str, known: Mapping[str, Handler[Any, Any]], tag: ServiceTag) -> None:
    """See that a service has no handler of a name yet.

    Raises:
        AlreadyRegisteredError: If it has one.
    """
    if name in known:
        raise AlreadyRegisteredError(
            f"handler {name!r} already exists in {tag.name!r}, from {known[name].place}: "
            "give one of them another name",
            name=name,
        )


def _parameters(tag: ServiceTag, function: Any, place: Place) -> list[inspect.Parameter]:
    name = getattr(function, "__name__", repr(function))
    if not callable(function) or not hasattr(function, "__name__"):
        raise InvalidFunctionError(
            f"{name} cannot be a handler of {tag.name!r}: decorate an async function, with "
            f"parentheses behind the decorator ({place})",
            name=name,
            place=str(place),
        )
    if not inspect.iscoroutinefunction(inspect.unwrap(function)):
        raise InvalidFunctionError(
            f"{name} cannot be a handler of {tag.name!r}, because it is not async: write "
            f"'async def {name}' ({place})",
            name=name,
            place=str(place),
        )
    parameters = list(inspect.signature(function).parameters.values())
    needed = [
        each
        for each in parameters
        if each.kind is not each.KEYWORD_ONLY or each.default is each.empty
    ]
    variadic = [each for each in needed if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    if not needed:
        raise InvalidFunctionError(
            f"handler {name!r} of {tag.name!r} must have at least one parameter, the context: "
            f"write 'async def {name}(ctx)' ({place})",
            name=name,
            place=str(place),
        )
    if len(needed) > 2 or variadic or needed[-1].kind is inspect.Parameter.KEYWORD_ONLY:
        raise InvalidFunctionError(
            f"handler {name!r} of {tag.name!r} takes {', '.join(map(str, parameters))}: a handler "
            "takes the context and at most one argument, so put several into a dataclass "
            f"({place})",
            name=name,
            place=str(place),
        )
    return needed


def _hints(
    function: Any, parameters: list[inspect.Parameter], place: Place
) -> tuple[TypeHint[Any], TypeHint[Any], TypeHint[Any]]:
    """What the annotations of context, argument and result say."""
    given = inspect.unwrap(function)
    names = {**getattr(given, "__globals__", {}), **place.names}
    context = parameters[0].annotation
    result = inspect.signature(function).return_annotation
    if isinstance(context, str):  # often known to the type checker alone, and nobody decodes it
        try:
            context = _evaluated(context, names, place)
        except DefinitionError:
            context = None
    argument: TypeHint[Any] = TypeHint(is_void=True)
    if len(parameters) > 1:
        argument = TypeHint(_evaluated(parameters[1].annotation, names, place))
    result = _evaluated(result, names, place)
    return TypeHint(context), argument, TypeHint(result, is_void=result is type(None))


class _UnknownAnnotationError(DefinitionError, NameError):
    """An annotation names what is not defined where the handler is declared."""


def _evaluated(annotation: Any, names: dict[str, Any], place: Place) -> Any:
    if annotation is inspect.Parameter.empty:
        return None
    if annotation is None:
        return type(None)
    if not isinstance(annotation, str):
        return annotation
    try:
        value = eval(annotation, names)  # noqa: S307 - as `typing.get_type_hints` does
    except Exception as error:
        raise _UnknownAnnotationError(
            f"the annotation {annotation!r} cannot be read ({type(error).__name__}: {error}): "
            f"import its names outside of 'if TYPE_CHECKING' ({place})"
        ) from error
    return type(None) if value is None else value


def _io(
    io: tuple[str, str, Any, Any],
    hints: tuple[TypeHint[Any], TypeHint[Any], TypeHint[Any]],
    what: str,
    place: Place,
) -> HandlerIO[Any, Any]:
    accept, content_type, input_serde, output_serde = io
    for option, given in (("accept", accept), ("content_type", content_type)):
        if not isinstance(given, str) or not _MEDIA_TYPE.fullmatch(given):
            raise DefinitionError(
                f"{what}: {option} is a media type such as 'application/json', got {given!r} "
                f"({place})",
                name=what,
                place=str(place),
            )
    _, argument, result = hints
    try:
        reads = serde_of(input_serde, argument.annotation)
        writes = serde_of(output_serde, None if result.is_void else result.annotation)
    except DefinitionError as error:
        raise DefinitionError(f"{what}: {error} ({place})", name=what, place=str(place)) from error
    return HandlerIO(
        _media_type(accept, reads),
        _media_type(content_type, writes),
        reads,
        writes,
        argument,
        result,
    )


def _media_type(given: str, serde: Serde[Any]) -> str:
    """The media type; that of JSON, which is the default, gives way to bytes."""
    return serde.media_type if given == JSON and isinstance(serde, DefaultSerde) else given


def _check_state(annotation: Any, model: StateModel[Any] | None, place: Place) -> None:
    """See that `ObjectContext[Cart]` is said only where the state is a `Cart`."""
    wanted = next(iter(get_args(annotation)), None)
    if wanted is None or isinstance(wanted, TypeVar) or wanted is Any:
        return
    if model is None or model.model is not wanted:
        declared = "none" if model is None else model.model.__qualname__
        raise DefinitionError(
            f"the context says that the state is {getattr(wanted, '__qualname__', wanted)}, and "
            f"the declared state is {declared}: declare it with state=… ({place})",
            place=str(place),
        )
