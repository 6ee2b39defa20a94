"""What all contexts have: an execution, its run, and how values are written."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.exceptions import TerminalError
from statefun.durable.serde import DEFAULT_SERDE, serde_of

if TYPE_CHECKING:
    from statefun.durable.execution import Execution
    from statefun.durable.run import Run
    from statefun.durable.serde import Serde

__all__ = ["ONE_MILLISECOND", "Steps", "nothing", "read_by"]

ONE_MILLISECOND = timedelta(milliseconds=1)


class Steps:
    """Gives commands to a run.

    Args:
        execution: Whose they are.
        run: The run.
    """

    def __init__(self, execution: Execution, run: Run) -> None:
        self._execution = execution
        self._run = run

    @property
    def is_replaying(self) -> bool:
        """Whether the handler repeats what it has done before."""
        return self._run.is_replaying

    def flush(self) -> None:
        """Keep what was changed in `state`."""

    def _encode(self, serde: Serde[Any], what: str, value: Any) -> bytes:
        """The bytes of a value, if it is not too long."""
        data = serde.serialize(value)
        self._execution.here.limits.check_value(what, data)
        return data

    def _coded(self, serde: Serde[Any]) -> Serde[Any]:
        """The serde, with the codec of the app behind it."""
        return self._execution.here.directory.codec.over(serde)

    def _read_by(self, serde: Any, type_hint: Any = None) -> Serde[Any]:
        """The serde that is meant, with the codec of the app behind it."""
        return self._coded(read_by(serde, type_hint))

    def _check_pending(self) -> None:
        """Refuse a step if too many are unfinished."""
        limit = self._execution.here.limits.pending_steps
        if self._run.unfinished >= limit:
            raise TerminalError(
                f"{limit} steps of this invocation are unfinished: await some before the next", 429
            )

    def _check_sent(self, size: int) -> None:
        """Refuse to send more between two waits than one reply may carry."""
        limit = self._execution.here.limits.reply_bytes
        if self._run.sent_bytes + size > limit:
            raise TerminalError(
                f"more than {limit} bytes are sent between two waits: await something before the "
                "next, or pass where large values are kept",
                413,
            )
        self._run.sent_bytes += size

    def _route(self, seq: int) -> _proto.Route:
        """The way back to a command."""
        here = self._execution.here
        return _proto.Route(
            typename=here.typename, id=here.target_id, execution=self._execution.id, seq=seq
        )


def nothing(_: bytes) -> None:
    """Decode to None."""


def read_by(serde: Any, type_hint: Any = None) -> Serde[Any]:
    """The serde that is meant; those of types are made once."""
    hint = type_hint if serde is DEFAULT_SERDE else serde
    try:
        if hint is None or isinstance(hint, type):
            return _serde_of_type(hint)
    except TypeError:  # a type that cannot be looked up
        pass
    return serde_of(serde, type_hint)


@lru_cache(maxsize=1024)
def _serde_of_type(hint: type[Any] | None) -> Serde[Any]:
    return serde_of(DEFAULT_SERDE, hint)
