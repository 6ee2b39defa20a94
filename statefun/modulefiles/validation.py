"""What is wrong in the spec of a component, in sentences that say what to write instead."""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, ValidationError

from statefun.modulefiles.dialects import dialects_of
from statefun.modulefiles.transports import (
    ASYNC_TRANSPORT,
    OKHTTP_TRANSPORT,
    AsyncTransport,
    OkHttpTransport,
)
from statefun.modulefiles.yaml import unknown_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from statefun.modulefiles.components import Component
    from statefun.modulefiles.dialects import Dialect, ParseContext
    from statefun.modulefiles.fields import Spec
    from statefun.modulefiles.yaml import KeyPath, Problem

__all__ = ["Validation", "validate"]

_EXAMPLES: Final = {
    "functions": "com.example/*",
    "urlPathTemplate": "http://localhost:8000/statefun",
    "port": "8090",
    "topics": "[greetings]",
    "id": "com.example/greetings",
    "address": "localhost:9092",
    "topic": "my-topic",
    "stream": "my-stream",
    "valueType": "io.statefun.types/string",
    "targets": "[com.example/greeter]",
    "streams": "[{stream: my-stream, valueType: com.example/Hello, targets: [com.example/hi]}]",
}
_ENDPOINT_V2: Final = "io.statefun.endpoints.v2/http"
_HINTS: Final = {
    "timeouts": "write it inside 'transport'",
    "transports": "write 'transport'",
    **dict.fromkeys(("transport", "failureMode", "retry"), f"only {_ENDPOINT_V2!r} has it"),
    "maxRetries": "no engine has it; for this runtime write 'retry: {attempts: …}'",
}
_ADVICE: Final = {
    "int_type": "write a whole number, without quotes",
    "string_type": "put it into quotes",
    "bool_type": "write true or false",
}
"""Type of an error → what to write, where pydantic's sentence does not say it."""
_TAGS: Final[dict[str, type[BaseModel]]] = {
    ASYNC_TRANSPORT: AsyncTransport,
    OKHTTP_TRANSPORT: OkHttpTransport,
}
_FREE: Final = ("properties", "clientConfigProperties")
"""Keys below which any key may stand."""


@dataclass(slots=True)
class Validation:
    """A validated spec, and its problems.

    Attributes:
        spec: None if something is wrong.
        errors: What is wrong.
        unknown_keys: Keys without effect.
        warnings: What can hardly be meant.
    """

    spec: Spec | None = None
    errors: list[Problem] = field(default_factory=list)
    unknown_keys: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def validate(component: Component, model: type[Spec], reading: ParseContext) -> Validation:
    """Validate the spec of a component; keys without effect are left out."""
    result = Validation()
    spec: Any = component.spec
    for path in tuple(_foreign_keys(spec, reading.dialect)):
        text = _foreign_key(str(path[-1]), reading.dialect)
        result.unknown_keys.append(component.problem(path, text))
        spec = _without(spec, path)
    while result.spec is None:
        try:
            result.spec = model.model_validate(spec, context=reading)
        except ValidationError as error:
            details = [each for each in error.errors(include_url=False) if not _is_echo(each)]
            unknown = [each for each in details if each["type"] == "extra_forbidden"]
            for each in unknown:
                path = _key_path(each)
                key = str(path[-1])
                known = _known_keys(model, each["loc"][:-1], reading)
                text = unknown_key(key, known, _HINTS.get(key))
                result.unknown_keys.append(component.problem(path, text))
                spec = _without(spec, path)
            if not unknown:
                for each in details:
                    path = _key_path(each)
                    result.errors.append(component.problem(path, _sentence(each, path)))
                return result
    for path, text in result.spec.warnings():
        result.warnings.append(component.problem(path, text))
    return result


def _foreign_keys(value: Any, dialect: Dialect, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Where keys stand that other dialects have, and this one has not."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in _FREE and isinstance(key, str):
                if dialects_of(key) and key not in dialect.keys:
                    yield (*path, key)
                else:
                    yield from _foreign_keys(inner, dialect, (*path, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _foreign_keys(inner, dialect, (*path, position))


def _foreign_key(key: str, dialect: Dialect) -> str:
    others = " and ".join(dialects_of(key))
    return (
        f"unknown key {key!r}: the dialect {dialect.name} has none, it has no effect; "
        f"{others} has it"
    )


def _is_echo(error: ErrorDetails) -> bool:
    """Whether a list is called too short because what is in it is wrong."""
    return error["type"] == "too_short" and bool(error["input"])


def _key_path(error: ErrorDetails) -> KeyPath:
    """Where an error is; pydantic also names the member of a union."""
    return tuple(step for step in error["loc"] if step not in _TAGS)


def _without(value: Any, path: KeyPath) -> Any:
    """The same without what stands at `path`."""
    first, *rest = path
    if isinstance(value, list):
        assert isinstance(first, int)  # noqa: S101 - paths lead through what is there
        return [*value[:first], _without(value[first], tuple(rest)), *value[first + 1 :]]
    if not rest:
        return {key: inner for key, inner in value.items() if key != first}
    return {**value, first: _without(value[first], tuple(rest))}


def _sentence(error: ErrorDetails, path: KeyPath) -> str:  # noqa: PLR0911 - a table
    name = ".".join(map(str, path)) or "spec"
    match error["type"]:
        case "missing":
            example = _EXAMPLES.get(str(path[-1]), "…")
            return f"{name!r} is missing: write for example '{path[-1]}: {example}'"
        case "union_tag_invalid" | "union_tag_not_found" if isinstance(error["input"], dict):
            return (
                f"{name!r} is of no known type: write 'type: {ASYNC_TRANSPORT}' or "
                f"'type: {OKHTTP_TRANSPORT}' into it"
            )
        case "model_type" | "model_attributes_type" | "union_tag_invalid" | "union_tag_not_found":
            return f"{name!r} must be a mapping, got {error['input']!r}: write its keys below it"
        case "tuple_type":
            return f"{name!r} must be a list, got {error['input']!r}: write '- …' below it"
        case "too_short":
            return f"{name!r} is empty: write at least one element"
        case "value_error":
            sentence = str(error["ctx"]["error"])
            begins = sentence.startswith((name, f"'{name}")) or not path
            return sentence if begins else f"{name!r}: {sentence}"
        case _:
            what = error["msg"].removeprefix("Input ")
            advice = _ADVICE.get(error["type"])
            return f"{name!r} {what}, got {error['input']!r}{f': {advice}' if advice else ''}"


def _known_keys(
    model: type[BaseModel], loc: tuple[str | int, ...], reading: ParseContext
) -> list[str]:
    """The keys of a spec, or of what stands at `loc` inside it."""
    for step in loc:
        if isinstance(step, str):
            model = _TAGS.get(step) or _model_below(model, step)
    names = [each.alias or name for name, each in model.model_fields.items()]
    return [name for name in names if not dialects_of(name) or name in reading.dialect.keys]


def _model_below(model: type[BaseModel], key: str) -> type[BaseModel]:
    found = next(
        each.annotation for name, each in model.model_fields.items() if key in (name, each.alias)
    )
    return next(_models_in(found), model)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for each in get_args(annotation):
        yield from _models_in(each)
