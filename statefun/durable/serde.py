"""Serdes: how arguments, results and state become bytes, and bytes become them again.

Law: `None` and no bytes at all are the same thing. A value is encoded by what it is, and decoded by
what its annotation says; an annotation that JSON alone can represent asks for nothing more.

pydantic (extra `serde`) builds dataclasses, enums, dates and whatever else JSON does not have;
msgspec builds its own structs. Neither is imported before an annotation or a value needs it.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
import types
import typing
from abc import ABC, abstractmethod
from datetime import date, time
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, cast

from google.protobuf.message import DecodeError, EncodeError, Message

from statefun.errors import DefinitionError, SerializationError
from statefun.sdk.types import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pydantic
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    T = typing.TypeVar("T")

__all__ = [
    "DEFAULT_SERDE",
    "BytesSerde",
    "DefaultSerde",
    "JsonSerde",
    "MsgspecJsonSerde",
    "ProtobufSerde",
    "PydanticJsonSerde",
    "Serde",
    "SerdeLike",
    "TypeSerde",
    "serde_of",
]

# What JSON reads and writes by itself.
_PLAIN = {Any, object, None, type(None), bool, int, float, str, list, dict, Ellipsis}


class Serde(ABC, Generic[T]):
    """Turns values into bytes and back. Subclass it for a format of your own.

    Attributes:
        media_type: What the bytes are, for a handler whose annotation chose this serde.
    """

    media_type: str = "application/json"

    @abstractmethod
    def deserialize(self, buf: bytes) -> T | None:
        """The value of some bytes, which may be empty; a new object each time."""

    @abstractmethod
    def serialize(self, obj: T | None) -> bytes:
        """The bytes of a value."""


class BytesSerde(Serde[bytes]):
    """Bytes as they are."""

    media_type = "application/octet-stream"

    def deserialize(self, buf: bytes) -> bytes | None:
        """The same bytes; None for none."""
        return buf or None

    def serialize(self, obj: bytes | None) -> bytes:
        """The same bytes; none for None."""
        if obj is None:
            return b""
        if not isinstance(obj, bytes | bytearray | memoryview):
            raise SerializationError(f"bytes are expected here, got {_shown(obj)}: encode it first")
        return bytes(obj)


class JsonSerde(Serde[T]):
    """JSON without looking at any annotation: what comes back is what JSON has.

    Dataclasses, enums, dates, pydantic models and msgspec structs are written; they come back as
    objects, strings and numbers. NaN and the infinities, which JSON does not have, are refused.
    """

    def deserialize(self, buf: bytes) -> T | None:
        """The JSON value; None for no bytes."""
        return cast("T", _json_value(buf)) if buf else None

    def serialize(self, obj: T | None) -> bytes:
        """The JSON text in ASCII; no bytes for None."""
        return b"" if obj is None else _json_bytes(obj)


class DefaultSerde(Serde[T]):
    """JSON, guided by a type: what is used wherever no other serde is given.

    Args:
        type_hint: What is read: a pydantic model, a msgspec struct, a dataclass, a `TypedDict`, an
            enum, or a container or union of these; `bytes`; a class of protobuf messages; a `Type`
            of the SDK. None reads plain JSON.

    Raises:
        DefinitionError: If no serde reads that type.
    """

    def __init__(self, type_hint: type[T] | None = None) -> None:
        self.type_hint = type_hint
        self._serde: Serde[Any] = _serde_for(type_hint)
        self.media_type = self._serde.media_type

    def with_maybe_type(self, type_hint: type[T] | None = None) -> DefaultSerde[T]:
        """The default serde of another type; of the same if it is None."""
        return self if type_hint is None else DefaultSerde(type_hint)

    def deserialize(self, buf: bytes) -> T | None:
        """A value of the type."""
        return cast("T | None", self._serde.deserialize(buf))

    def serialize(self, obj: T | None) -> bytes:
        """The bytes of a value, by the value's own type."""
        return self._serde.serialize(obj)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DefaultSerde) and self.type_hint == other.type_hint

    def __hash__(self) -> int:
        return hash(repr(self.type_hint))  # an annotation itself need not be hashable


class PydanticJsonSerde(Serde[T]):
    """JSON of one pydantic model, validated.

    Args:
        model: The class of the model.
    """

    def __init__(self, model: type[T]) -> None:
        self.model: Any = model

    def deserialize(self, buf: bytes) -> T | None:
        """An instance of the model; None for no bytes."""
        if not buf:
            return None
        try:
            return cast("T", self.model.model_validate_json(buf))
        except ValueError as error:
            raise _misfit(self.model, error) from error

    def serialize(self, obj: T | None) -> bytes:
        """The model's own JSON; no bytes for None."""
        return b"" if obj is None else _json_bytes(obj)


class MsgspecJsonSerde(Serde[T]):
    """JSON of a msgspec struct, or of another type that msgspec reads, validated.

    Args:
        model: The type.
    """

    def __init__(self, model: type[T]) -> None:
        import msgspec  # noqa: PLC0415 - of the extra `serde`

        self.model = model
        self._decoder = msgspec.json.Decoder(model)
        self._encode = msgspec.json.encode

    def deserialize(self, buf: bytes) -> T | None:
        """A value of the type; None for no bytes."""
        if not buf:
            return None
        try:
            return cast("T", self._decoder.decode(buf))
        except ValueError as error:  # all of msgspec's
            raise _misfit(self.model, error) from error

    def serialize(self, obj: T | None) -> bytes:
        """What msgspec writes; no bytes for None."""
        if obj is None:
            return b""
        try:
            return bytes(self._encode(obj))
        except (TypeError, ValueError) as error:
            raise _unwritable(obj, error) from error


class ProtobufSerde(Serde[T]):
    """The bytes of protobuf messages of one class. No bytes are an empty message.

    Args:
        message: The class of the messages.
    """

    media_type = "application/protobuf"

    def __init__(self, message: type[T]) -> None:
        self.message: Any = message

    def deserialize(self, buf: bytes) -> T | None:
        """The message."""
        try:
            return cast("T", self.message.FromString(buf))
        except DecodeError as error:
            raise SerializationError(
                f"{len(buf)} bytes are not a {self.message.DESCRIPTOR.full_name}: {error}"
            ) from error

    def serialize(self, obj: T | None) -> bytes:
        """The bytes of the message; none for None."""
        if obj is None:
            return b""
        if not isinstance(obj, self.message):
            expected = self.message.DESCRIPTOR.full_name
            raise SerializationError(f"a message {expected} is expected here, got {_shown(obj)}")
        try:
            return cast("bytes", obj.SerializeToString())
        except EncodeError as error:
            raise _unwritable(obj, error) from error


class TypeSerde(Serde[T]):
    """A `Type` of the SDK, such as one that plain functions share.

    Args:
        value_type: The type. Its typename does not travel, so both sides name the same type.
    """

    media_type = "application/octet-stream"

    def __init__(self, value_type: Type[T]) -> None:
        self.value_type = value_type
        self._serializer = value_type.serializer()

    def deserialize(self, buf: bytes) -> T | None:
        """What the type makes of the bytes."""
        try:
            return self._serializer.deserialize(buf)
        except Exception as error:
            raise SerializationError(
                f"{len(buf)} bytes are not a {self.value_type.typename}: {error}"
            ) from error

    def serialize(self, obj: T | None) -> bytes:
        """The bytes of the type; none for None."""
        return b"" if obj is None else self._serializer.serialize(obj)


class _BuiltSerde(Serde[Any]):
    """JSON of a type that pydantic builds and that is not a model itself."""

    def __init__(self, hint: Any, *, is_strict: bool) -> None:
        self._hint = hint
        self._is_strict = is_strict
        self._adapter: pydantic.TypeAdapter[Any] | None = _adapter(hint)

    def deserialize(self, buf: bytes) -> Any:
        if not buf:
            return None
        if self._adapter is None:  # its annotations were not known when it was declared
            import pydantic  # noqa: PLC0415 - as in `_adapter`

            self._adapter = pydantic.TypeAdapter(self._hint)
        try:
            return self._adapter.validate_json(buf, strict=self._is_strict)
        except ValueError as error:
            raise _misfit(self._hint, error) from error

    def serialize(self, obj: Any) -> bytes:
        return b"" if obj is None else _json_bytes(obj)


SerdeLike: TypeAlias = Serde[T] | Type[T] | type[T]
"""How a serde is given: as one, as a `Type` of the SDK, or as the class of the values."""


def serde_of(serde: SerdeLike[T] | None, type_hint: Any = None) -> Serde[T]:
    """The serde that is meant.

    Args:
        serde: A serde, a `Type` of the SDK, or a type; None is the default serde.
        type_hint: The type of the values, for the default serde alone; None if it is not known.

    Raises:
        DefinitionError: If no serde reads that type.
    """
    if serde is None or isinstance(serde, DefaultSerde):
        known = serde or DEFAULT_SERDE
        return known if known.type_hint is not None else known.with_maybe_type(type_hint)
    if isinstance(serde, Serde):
        return serde
    return TypeSerde(serde) if isinstance(serde, Type) else DefaultSerde(serde)


# --- which serde reads a type ---------------------------------------------------------------------


def _serde_for(hint: Any) -> Serde[Any]:
    if named := next((each for each in _named(hint) if isinstance(each, Type | Serde)), None):
        return serde_of(named)
    wanted = _without_none(hint)
    if wanted is bytes:
        return BytesSerde()
    if isinstance(wanted, type) and issubclass(wanted, Message):
        return ProtobufSerde(wanted)
    if _is_model(wanted):
        return PydanticJsonSerde(wanted)
    return _json_serde(hint)


def _json_serde(hint: Any) -> Serde[Any]:
    leaves = list(_leaves(hint))
    if any(map(_is_struct, leaves)):
        return _msgspec_serde(hint)
    if leaves:
        return _BuiltSerde(hint, is_strict=not any(map(_is_model, leaves)))
    return JsonSerde()


def _msgspec_serde(hint: Any) -> Serde[Any]:
    try:
        return MsgspecJsonSerde(hint)
    except TypeError as error:
        raise _unreadable(hint, error) from error


def _adapter(hint: Any) -> pydantic.TypeAdapter[Any] | None:
    """What reads a type; None if it names something that is defined later."""
    try:
        import pydantic  # noqa: PLC0415 - of the extra `serde`
    except ImportError as error:
        raise DefinitionError(
            f"values of the type {_name(hint)} are read by pydantic, which is not installed: "
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
        f"no serde reads the type {_name(hint)}: give one of your own, such as "
        f"input_serde=MySerde() ({reason})"
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


def _named(hint: Any) -> tuple[Any, ...]:
    """What names a serde by itself: a `Type`, also as in `Annotated[User, USER_TYPE]`."""
    return (hint, *getattr(hint, "__metadata__", ()))


def _without_none(hint: Any) -> Any:
    """`M` of `M | None`; everything else as it is."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        others = [part for part in typing.get_args(hint) if part is not type(None)]
        if len(others) == 1:
            return others[0]
    return hint


def _is_model(kind: Any) -> bool:
    loaded: Any = sys.modules.get("pydantic")  # a model exists only if pydantic is imported
    return loaded is not None and isinstance(kind, type) and issubclass(kind, loaded.BaseModel)


def _is_struct(kind: Any) -> bool:
    loaded: Any = sys.modules.get("msgspec")
    return loaded is not None and isinstance(kind, type) and issubclass(kind, loaded.Struct)


# --- JSON -----------------------------------------------------------------------------------------


def _json_bytes(value: Any) -> bytes:
    if _is_model(type(value)):
        try:
            return cast("bytes", value.model_dump_json().encode())
        except ValueError as error:
            raise _unwritable(value, error) from error
    try:
        return json.dumps(value, default=_plain, allow_nan=False).encode()
    except SerializationError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise _unwritable(value, error) from error


def _plain(value: Any) -> Any:
    """A value as JSON has it, or as something whose parts JSON has."""
    kind = type(value)
    if _is_model(kind):
        return value.model_dump(mode="json")
    if _is_struct(kind):
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
        f"{len(value)} bytes are not JSON: give serde=BytesSerde(), or say type_hint=bytes"
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
            f"JSON has nothing for {_shown(value)}: give a serde, or pip install 'statefun[serde]'"
        ) from error
    return to_jsonable_python(value)


def _json_value(buf: bytes) -> Any:
    try:
        return json.loads(buf, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # also bytes that are not UTF-8
        raise SerializationError(f"{len(buf)} bytes are not JSON: {error}") from error


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"JSON has no {word}")


# --- sentences ------------------------------------------------------------------------------------


def _unwritable(value: Any, error: Exception) -> SerializationError:
    reason = " ".join(str(error).split())
    return SerializationError(f"{_shown(value)} cannot be written as JSON: {reason}")


def _misfit(hint: Any, error: ValueError) -> SerializationError:
    return SerializationError(f"the value is not of the type {_name(hint)}: {_reasons(error)}")


def _reasons(error: ValueError) -> str:
    """Each place that does not fit, and why, in one line."""
    details: Any = getattr(error, "errors", None)
    if details is None:
        return " ".join(str(error).split())
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'the value'}: {each['msg']}" for each in details()
    )


def _name(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


DEFAULT_SERDE: DefaultSerde[Any] = DefaultSerde()
"""The default serde of a type that is not known."""
