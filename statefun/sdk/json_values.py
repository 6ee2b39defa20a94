"""JSON of typed values: dataclasses, TypedDicts, enums, dates, pydantic models, msgspec structs.

Law: a value is written by what it is, and read by what its type says; a type that JSON alone can
represent asks for nothing more.

pydantic (extra `serde`) builds dataclasses, enums, dates and whatever else JSON does not have;
msgspec builds its own structs. Neither is imported before a type or a value needs it.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
import types
import typing
from datetime import date, time
from typing import TYPE_CHECKING, Any, Literal, cast

from statefun.errors import DefinitionError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "is_instance",
    "is_model",
    "is_plain",
    "is_struct",
    "json_bytes",
    "json_reader",
    "json_value",
    "misfit",
    "model_reader",
    "name_of",
    "shown",
    "struct_codec",
    "unwritable",
]

# What JSON reads and writes by itself.
_PLAIN = {Any, object, None, type(None), bool, int, float, str, list, dict, Ellipsis}


# --- reading --------------------------------------------------------------------------------------


def json_reader(hint: Any) -> Callable[[bytes], Any]:
    """Give the function that reads the JSON of a type, and names each field that does not fit.

    Args:
        hint: A pydantic model, a msgspec struct, a dataclass, a `TypedDict`, an enum, a date, a
            `UUID`, a `Decimal`, or a container or union of these. `Any` reads plain JSON.

    Raises:
        DefinitionError: If nothing reads that type.
    """
    if is_model(hint):
        return model_reader(hint)
    leaves = list(_leaves(hint))
    if any(map(is_struct, leaves)):
        try:
            return struct_codec(hint)[1]
        except TypeError as error:
            raise _unreadable(hint, error) from error
    if leaves:
        return _built_reader(hint, is_strict=not any(map(is_model, leaves)))
    return json_value


def model_reader(model: Any) -> Callable[[bytes], Any]:
    """Give the function that reads the JSON of a pydantic model."""

    def read(data: bytes) -> Any:
        try:
            return model.model_validate_json(data)
        except ValueError as error:
            raise misfit(model, error) from error

    return read


def struct_codec(hint: Any) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    """Give the functions that write and read a type with msgspec.

    Raises:
        TypeError: If msgspec does not read the type.
    """
    import msgspec  # noqa: PLC0415 - of the extra `serde`

    decode, encode = msgspec.json.Decoder(hint).decode, msgspec.json.encode

    def write(value: Any) -> bytes:
        try:
            return bytes(encode(value))
        except (TypeError, ValueError) as error:
            raise unwritable(value, error) from error

    def read(data: bytes) -> Any:
        try:
            return decode(data)
        except ValueError as error:  # all of msgspec's
            raise misfit(hint, error) from error

    return write, read


def _built_reader(hint: Any, *, is_strict: bool) -> Callable[[bytes], Any]:
    """Read a type that pydantic builds and that is not a model itself."""
    adapter = _adapter(hint)

    def read(data: bytes) -> Any:
        nonlocal adapter
        if adapter is None:  # its annotations were not known when it was declared
            import pydantic  # noqa: PLC0415 - as in `_adapter`

            adapter = pydantic.TypeAdapter(hint)
        try:
            return adapter.validate_json(data, strict=is_strict)
        except ValueError as error:
            raise misfit(hint, error) from error

    return read


def _adapter(hint: Any) -> Any:
    """What reads a type; None if it names something that is defined later."""
    try:
        import pydantic  # noqa: PLC0415 - of the extra `serde`
    except ImportError as error:
        raise DefinitionError(
            f"values of the type {name_of(hint)} are read by pydantic, which is not installed: "
            "pip install 'statefun[serde]'"
        ) from error
    try:
        return pydantic.TypeAdapter(hint)
    except pydantic.errors.PydanticUndefinedAnnotation:
        return None
    except pydantic.errors.PydanticUserError as error:
        raise _unreadable(hint, error) from error


def _unreadable(hint: Any, error: Exception) -> DefinitionError:
    reason = str(error).partition("\n")[0]
    return DefinitionError(
        f"no JSON is read as the type {name_of(hint)}: give a serializer of your own ({reason})"
    )


def _leaves(hint: Any, seen: frozenset[int] = frozenset()) -> Iterator[Any]:
    """The types within an annotation that JSON does not have."""
    origin = typing.get_origin(hint)
    if origin is Literal or isinstance(hint, typing.TypeVar | str | typing.ForwardRef):
        return
    if _is_typed_dict(hint) or hasattr(hint, "__supertype__"):  # or a NewType
        if id(hint) not in seen:
            for part in _parts(hint):
                yield from _leaves(part, seen | {id(hint)})
    elif origin is None:
        if hint not in _PLAIN:
            yield hint
    else:
        if origin not in _TRANSPARENT:
            yield origin  # a tuple, a set, a generic model, Annotated
        for part in typing.get_args(hint):
            yield from _leaves(part, seen)


def _parts(hint: Any) -> Iterable[Any]:
    if _is_typed_dict(hint):
        return typing.get_type_hints(hint, include_extras=True).values()
    return [hint.__supertype__]


def _is_typed_dict(hint: Any) -> bool:
    """Also one of `typing_extensions`, which pydantic needs before Python 3.12."""
    return isinstance(hint, type) and hasattr(hint, "__required_keys__")


_TRANSPARENT = {
    *(list, dict, typing.Union, types.UnionType, typing.Required, typing.NotRequired),
}


def is_instance(value: Any, kind: Any) -> bool:
    """Whether a value is of a class; a `TypedDict` is a dict, `list[int]` a list."""
    base = dict if _is_typed_dict(kind) else typing.get_origin(kind) or kind
    if base in (typing.Union, types.UnionType):
        return any(is_instance(value, each) for each in typing.get_args(kind))
    return not isinstance(base, type) or isinstance(value, base)


def is_plain(hint: Any) -> bool:
    """Whether a type is one that JSON has, or a container of these."""
    return next(_leaves(hint), None) is None


def is_model(kind: Any) -> bool:
    """Whether a type is a pydantic model."""
    loaded: Any = sys.modules.get("pydantic")  # a model exists only if pydantic is imported
    return loaded is not None and isinstance(kind, type) and issubclass(kind, loaded.BaseModel)


def is_struct(kind: Any) -> bool:
    """Whether a type is a msgspec struct."""
    loaded: Any = sys.modules.get("msgspec")
    return loaded is not None and isinstance(kind, type) and issubclass(kind, loaded.Struct)


# --- writing --------------------------------------------------------------------------------------


def json_bytes(value: Any) -> bytes:
    """Write any value as JSON in ASCII.

    Raises:
        SerializationError: If JSON has nothing for it.
    """
    if is_model(type(value)):
        try:
            return cast("bytes", value.model_dump_json().encode())
        except ValueError as error:
            raise unwritable(value, error) from error
    try:
        return _WRITER.encode(value).encode()
    except SerializationError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise unwritable(value, error) from error


def _plain(value: Any) -> Any:
    """A value as JSON has it, or as something whose parts JSON has."""
    kind = type(value)
    if is_model(kind):
        return value.model_dump(mode="json")
    if is_struct(kind):
        import msgspec  # noqa: PLC0415 - it is there, for there is a struct

        return msgspec.to_builtins(value)
    if dataclasses.is_dataclass(kind):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
    for kinds, convert in _CONVERSIONS:
        if isinstance(value, kinds):
            return convert(value)
    return _by_pydantic(value)


def _refuse_bytes(value: Any) -> Any:
    raise SerializationError(
        f"{len(value)} bytes are not JSON: keep them as bytes, or write them as text"
    )


_CONVERSIONS: tuple[tuple[tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((enum.Enum,), lambda value: value.value),
    ((date, time), lambda value: value.isoformat()),  # a datetime is a date
    ((set, frozenset), list),
    ((bytes, bytearray, memoryview), _refuse_bytes),
)


def _by_pydantic(value: Any) -> Any:
    """UUIDs, decimals, time spans, paths and the like."""
    try:
        from pydantic_core import to_jsonable_python  # noqa: PLC0415 - of the extra `serde`
    except ImportError as error:
        raise SerializationError(
            f"JSON has nothing for {shown(value)}: give a serde, or pip install 'statefun[serde]'"
        ) from error
    return to_jsonable_python(value)


def json_value(buf: bytes) -> Any:
    """Read plain JSON.

    Raises:
        SerializationError: If the bytes are not JSON; NaN and the infinities are not.
    """
    try:
        if buf[:1] < b"\x80" and b"\0" not in buf[:4]:
            return _READER.decode(buf.decode("utf-8", "surrogatepass"))
        return json.loads(buf, parse_constant=_refuse_constant)  # another encoding, or a mark of it
    except (ValueError, RecursionError) as error:  # also bytes that are not UTF-8
        raise SerializationError(f"{len(buf)} bytes are not JSON: {error}") from error


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"JSON has no {word}")


_READER = json.JSONDecoder(parse_constant=_refuse_constant)
_WRITER = json.JSONEncoder(default=_plain, allow_nan=False)


# --- sentences ------------------------------------------------------------------------------------


def unwritable(value: Any, error: Exception) -> SerializationError:
    """Give the error for a value that could not be written."""
    reason = " ".join(str(error).split())
    return SerializationError(f"{shown(value)} cannot be written as JSON: {reason}")


def misfit(hint: Any, error: ValueError) -> SerializationError:
    """Give the error for bytes that are not of a type; it names each field that does not fit."""
    return SerializationError(f"the value is not of the type {name_of(hint)}: {_reasons(error)}")


def _reasons(error: ValueError) -> str:
    """Each place that does not fit, and why, in one line."""
    details: Any = getattr(error, "errors", None)
    if details is None:
        return " ".join(str(error).split())
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'the value'}: {each['msg']}" for each in details()
    )


def name_of(hint: Any) -> str:
    """Give the name of a type, for errors."""
    return hint.__qualname__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def shown(value: Any) -> str:
    """Give a short text about a value, for errors."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
