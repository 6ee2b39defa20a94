"""The state of an object as one Python object, next to `get` and `set`.

Law: a field of the model is the value of the same name. What a handler changes, also in place, is
found by comparing the bytes of each field with those that were loaded.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from statefun.durable.serde import DefaultSerde, Serde
from statefun.errors import DefinitionError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

M = TypeVar("M")

__all__ = ["StateModel"]


class StateModel(Generic[M]):
    """The class that describes the state of an object: a dataclass or a pydantic model.

    Args:
        model: The class. Each field has a default, for a new key has no state yet.

    Raises:
        DefinitionError: If it is another kind of class, a field has no default, or no serde reads
            the type of a field.
    """

    def __init__(self, model: type[M]) -> None:
        self.model = model
        self.serdes: dict[str, Serde[Any]] = {
            name: DefaultSerde(hint) for name, hint in _fields(model)
        }
        try:
            self._new({})
        except Exception as error:
            raise DefinitionError(
                f"{model.__qualname__} cannot be the state of a new key: give every field a "
                f"default ({' '.join(str(error).split())})",
                name=model.__qualname__,
            ) from error

    def load(self, values: Mapping[str, bytes]) -> M:
        """The state that some values are.

        Args:
            values: Name → bytes of what is kept. Other names are left alone; a field that is not
                there has its default.

        Raises:
            SerializationError: If the bytes of a field are not of its type.
        """
        fields = {}
        for name, serde in self.serdes.items():
            if (kept := values.get(name)) is not None:
                try:
                    fields[name] = serde.deserialize(kept)
                except SerializationError as error:
                    raise SerializationError(f"{self._field(name)} is kept as: {error}") from error
        return self._new(fields)

    def changes(self, state: M, values: Mapping[str, bytes]) -> dict[str, bytes]:
        """What must be kept of a state.

        Args:
            state: What `load` returned, possibly changed since.
            values: Name → bytes of what is kept. A field that has its default and is not kept
                counts as unchanged.

        Returns:
            Name → bytes of each field that differs.

        Raises:
            SerializationError: If a field cannot be written.
        """
        if not isinstance(state, self.model):
            raise SerializationError(
                f"the state is a {self.model.__qualname__}, got {type(state).__name__}: "
                "change the fields of ctx.state"
            )
        fresh = self._new({})
        changed = {}
        for name in self.serdes:
            written = self._written(state, name)
            known = values.get(name)
            if written != (self._written(fresh, name) if known is None else known):
                changed[name] = written
        return changed

    def show(self, state: M, name: str, data: bytes | None) -> None:
        """Let a state show a value that was kept by its name.

        Args:
            state: What `load` returned.
            name: The name; nothing changes if the model has no such field.
            data: The bytes; None if the value was removed, so that the field has its default.

        Raises:
            SerializationError: If the bytes are not of the type of the field.
        """
        if name in self.serdes:
            loaded = self.load({} if data is None else {name: data})
            object.__setattr__(state, name, getattr(loaded, name))  # it may be frozen

    def _new(self, fields: dict[str, Any]) -> M:
        """An instance with some fields; what was read is not validated once more."""
        construct: Any = getattr(self.model, "model_construct", None)
        if construct is None or not fields:
            return self.model(**fields)
        return typing.cast("M", construct(**fields))

    def _written(self, state: M, name: str) -> bytes:
        try:
            return self.serdes[name].serialize(getattr(state, name))
        except SerializationError as error:
            raise SerializationError(f"{self._field(name)} cannot be kept: {error}") from error

    def _field(self, name: str) -> str:
        return f"{self.model.__qualname__}.{name}"


def _fields(model: Any) -> Iterator[tuple[str, Any]]:
    """Each field with its type."""
    pydantic: Any = sys.modules.get("pydantic")  # a model exists only if it is imported
    if dataclasses.is_dataclass(model) and isinstance(model, type):
        hints = typing.get_type_hints(model, include_extras=True)
        yield from ((field.name, hints[field.name]) for field in dataclasses.fields(model))
    elif pydantic and isinstance(model, type) and issubclass(model, pydantic.BaseModel):
        fields: Mapping[str, Any] = getattr(model, "model_fields")  # noqa: B009 - not of `type`
        yield from ((name, field.annotation) for name, field in fields.items())
    else:
        raise DefinitionError(
            f"the state of an object is described by a dataclass or a pydantic model, got {model!r}"
        )
