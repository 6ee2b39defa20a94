"""The kinds of fields that specs in module files are made of.

Law: what a field refuses, the engine refuses too, or could not do; a number is what the runtime
counts in, milliseconds and bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

try:
    from pydantic import (
        AfterValidator,
        BaseModel,
        BeforeValidator,
        ConfigDict,
        Field,
        StrictInt,
        StrictStr,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "module files need pydantic: pip install 'statefun[runtime]'"
    ) from error

from statefun.errors import ConfigurationError, InvalidTypenameError
from statefun.modulefiles.durations import parse_duration_ms
from statefun.runtime.transports.options import parse_functions, parse_url_template
from statefun.sdk.address import parse_engine_typename, parse_typename

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statefun.modulefiles.yaml import KeyPath

__all__ = [
    "Count",
    "Duration",
    "Functions",
    "Name",
    "Port",
    "PositiveDuration",
    "Properties",
    "Spec",
    "Typename",
    "UrlTemplate",
    "doubtful_properties",
    "parse_component_typename",
    "properties_of",
    "property_value",
]


class Spec(BaseModel):
    """The spec of a component, or a part of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def warnings(self) -> Iterator[tuple[KeyPath, str]]:
        """What is legal in it and can hardly be meant: where, and why."""
        yield from ()


def parse_component_typename(text: str) -> str:
    """A typename of a module file, without the slashes that the engine drops from its end.

    Raises:
        ConfigurationError: If it is not of the form `namespace/name`.

    Source:
        `TypeName.parseFrom` of Flink Stateful Functions: exactly two parts. An empty namespace,
        which it would take, names nothing that could be sent to.
    """
    try:
        typename = parse_engine_typename(text)
        parse_typename(typename)
    except InvalidTypenameError as error:
        raise ConfigurationError(
            f"{text!r} is not of the form 'namespace/name', with exactly one '/': write for "
            "example 'com.example/greeter'"
        ) from error
    return typename


def _positive_ms(value: object) -> int:
    millis = parse_duration_ms(value)
    if millis == 0:
        raise ConfigurationError(f"{value!r} is shorter than a millisecond: write a longer time")
    return millis


def _check_functions(functions: str) -> str:
    parse_functions(functions)
    return functions.rstrip("/")


def _check_name(name: str) -> str:
    if not name:
        raise ConfigurationError("is empty: write a name")
    return name


def _check_properties(value: object) -> tuple[dict[str, str], ...]:
    """A list of maps; values become text as the engine reads them."""
    if not isinstance(value, list) or not all(isinstance(each, dict) and each for each in value):
        got = "a mapping" if isinstance(value, dict) else repr(value)
        raise ConfigurationError(
            "must be a list with one entry per element: write for example "
            f"'- max.poll.records: 50' below it, got {got}"
        )
    return tuple({str(key): _text(key, item) for key, item in each.items()} for each in value)


def _text(key: object, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        kind = "nothing" if value is None else type(value).__name__
        raise ConfigurationError(
            f"{str(key)!r} must be text or a number, got {kind}: write a plain value"
        )
    return str(value)


def property_value(properties: tuple[dict[str, str], ...], key: str) -> str | None:
    """The value of a property; of each element only the first entry counts, and the last wins."""
    found = None
    for each in properties:
        first, value = next(iter(each.items()))
        if first == key:
            found = value
    return found


def properties_of(properties: tuple[dict[str, str], ...]) -> dict[str, str]:
    """All properties by name, as the engine reads them; see `property_value`."""
    return dict(next(iter(each.items())) for each in properties)


def doubtful_properties(
    properties: tuple[dict[str, str], ...], name: str
) -> Iterator[tuple[KeyPath, str]]:
    """Entries that are not the first of their element."""
    for position, each in enumerate(properties):
        for key in list(each)[1:]:
            text = (
                f"{key!r} has no effect, only the first entry of an element has: begin a new "
                f"element, '- {key}: {each[key]}'"
            )
            yield (name, position, key), text


Duration: TypeAlias = Annotated[int, BeforeValidator(parse_duration_ms)]
PositiveDuration: TypeAlias = Annotated[int, BeforeValidator(_positive_ms)]
Port: TypeAlias = Annotated[StrictInt, Field(ge=0, le=65535)]
Count: TypeAlias = Annotated[StrictInt, Field(ge=1)]
Name: TypeAlias = Annotated[StrictStr, AfterValidator(_check_name)]
Functions: TypeAlias = Annotated[StrictStr, AfterValidator(_check_functions)]
UrlTemplate: TypeAlias = Annotated[StrictStr, AfterValidator(parse_url_template)]
Typename: TypeAlias = Annotated[StrictStr, AfterValidator(parse_component_typename)]
Properties: TypeAlias = Annotated[tuple[dict[str, str], ...], BeforeValidator(_check_properties)]
