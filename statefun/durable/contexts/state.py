"""State and promises of a key, as contexts give them to handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.context import DurablePromise
from statefun.durable.contexts.base import Steps, nothing
from statefun.durable.exceptions import TerminalError
from statefun.durable.futures import done
from statefun.durable.outcomes import failed, succeeded
from statefun.durable.serde import DEFAULT_SERDE

if TYPE_CHECKING:
    from statefun.durable.execution import Execution
    from statefun.durable.run import Run
    from statefun.durable.serde import Serde

__all__ = ["PromiseSteps", "ReadingSteps", "WritingSteps"]


class _Keyed(Steps):
    """What contexts of objects and workflows have."""

    _model: Any = None

    def key(self) -> str:
        """The key."""
        return self._execution.here.key

    @property
    def state(self) -> Any:
        """The state as one object."""
        if self._model is None:
            model = self._execution.declaration.model
            if model is None:
                raise TerminalError(
                    f"{self._execution.here.service} declares no state: pass its class as state=…"
                )
            self._model = model.load(self._kept(model.serdes))
            self._run.before_step = self.flush
        return self._model

    def _changes(self) -> dict[str, bytes]:
        """What differs in `state` from what is kept."""
        model = self._execution.declaration.model
        if self._model is None or model is None:
            return {}
        return model.changes(self._model, self._kept(model.serdes))

    def _kept(self, names: Any) -> dict[str, bytes]:
        codec = self._execution.here.directory.codec
        values = ((name, self._execution.read(name)) for name in names)
        return {name: codec.decode(value) for name, value in values if value is not None}

    def get(
        self, name: str, serde: Any = DEFAULT_SERDE, type_hint: Any = None, entry_name: Any = None
    ) -> Any:
        """A value; None if there is none."""
        del entry_name
        reads = self._read_by(serde, type_hint)
        self.flush()
        data = self._execution.read(name)
        return done(self._run.loop, None if data is None else reads.deserialize(data))

    def state_keys(self, entry_name: str | None = None) -> Any:
        """The names of all values."""
        del entry_name
        self.flush()
        return done(self._run.loop, sorted(self._execution.names()))


class WritingSteps(_Keyed):
    """What contexts of exclusive handlers have."""

    @property
    def state(self) -> Any:
        """The state as one object."""
        return super().state

    @state.setter
    def state(self, state: Any) -> None:
        model = self._execution.declaration.model
        if model is None or not isinstance(state, model.model):
            wanted = "no state" if model is None else f"a {model.model.__qualname__}"
            raise TerminalError(
                f"{self._execution.here.service} declares {wanted}, got {state!r} as its state"
            )
        self._model = state
        self._run.before_step = self.flush

    def flush(self) -> None:
        """Keep what was changed in `state`."""
        codec = self._execution.here.directory.codec
        for name, data in self._changes().items():
            self._run.plain_step(f"set {name}")
            self._execution.write(name, codec.encode(data))

    def _write(self, name: str, data: bytes | None) -> None:
        """Keep a value, or remove it, and let `state` show it."""
        self._execution.write(name, data)
        model = self._execution.declaration.model
        if self._model is not None and model is not None:
            model.show(self._model, name, self._kept((name,)).get(name))

    def set(
        self, name: str, value: Any, serde: Any = DEFAULT_SERDE, entry_name: str | None = None
    ) -> None:
        """Keep a value."""
        del entry_name
        data = self._encode(self._read_by(serde), f"the value {name!r}", value)
        here = self._execution.here
        here.kept.check_state(name, data, here.limits.state_bytes)
        model = self._execution.declaration.model
        if model is not None and name in model.serdes:
            model.load(
                {name: here.directory.codec.decode(data)}
            )  # what the field cannot hold is refused
        self._run.step(f"set {name}")
        self._write(name, data)

    def clear(self, name: str, entry_name: str | None = None) -> None:
        """Remove a value."""
        del entry_name
        self._run.step(f"clear {name}")
        self._write(name, None)

    def clear_all(self, entry_name: str | None = None) -> None:
        """Remove all values."""
        del entry_name
        self._run.step("clear all")
        for name in self._execution.names():
            self._write(name, None)


class _Promise(DurablePromise[Any]):
    def __init__(self, name: str, serde: Serde[Any], execution: Execution, run: Run) -> None:
        super().__init__(name, serde)
        self._execution = execution
        self._run = run

    def value(self) -> Any:
        """The value, once there is one."""
        seq, is_new = self._run.step(f"await promise {self.name}")
        future = self._run.future(seq, self.serde.deserialize)
        self._run.promises.setdefault(self.name, []).append(seq)
        if is_new:
            known = self._execution.here.kept.promises.get(self.name)
            if known is not None:
                self._execution.here.answer(self._execution, seq, known)
        return future

    def peek(self) -> Any:
        """The value if there is one by now."""
        seq, is_new = self._run.step(f"peek promise {self.name}")
        if is_new:
            known = self._execution.here.kept.promises.get(self.name)
            self._execution.here.answer(self._execution, seq, known or _proto.Outcome())
        return self._run.future(seq, self.serde.deserialize)

    def resolve(self, value: Any) -> Any:
        """Give the value."""
        return self._complete(succeeded(self.serde.serialize(value)))

    def reject(self, message: str, code: int = 500) -> Any:
        """Let whoever awaits it fail."""
        return self._complete(failed(TerminalError(message, code)))

    def _complete(self, outcome: _proto.Outcome) -> Any:
        seq, is_new = self._run.step(f"complete promise {self.name}")
        if is_new:
            here = self._execution.here
            if self.name in here.kept.promises:
                again = TerminalError(f"promise {self.name!r} was already completed", 409)
                here.answer(self._execution, seq, failed(again))
            else:
                here.complete_promise(self.name, outcome)
                here.answer(self._execution, seq, _proto.Outcome())
        return self._run.future(seq, nothing)


class PromiseSteps(_Keyed):
    """What contexts of workflows have."""

    def promise(self, name: str, serde: Any = DEFAULT_SERDE, type_hint: Any = None) -> Any:
        """A promise of this workflow."""
        return _Promise(name, self._read_by(serde, type_hint), self._execution, self._run)


class ReadingSteps(_Keyed):
    """What contexts of shared handlers have: writing is refused in words."""

    def flush(self) -> None:
        """Refuse what was changed in `state`."""
        for name in self._changes():
            self.set(name)

    def set(self, name: str, *_: object, **__: object) -> None:
        """Refused."""
        handler = self._execution.handler.name
        raise TerminalError(
            f"{handler} is a shared handler and cannot write {name!r}: write in an exclusive one",
            403,
        )

    def clear(self, name: str, *_: object, **__: object) -> None:
        """Refused."""
        self.set(name)

    def clear_all(self, *_: object, **__: object) -> None:
        """Refused."""
        self.set("every value")
