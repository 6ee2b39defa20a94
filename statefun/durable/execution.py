"""The execution: one invocation at its address, from its start to its outcome.

It is kept as a header and a journal; its run, the live coroutine, comes and goes. A failed attempt
undoes nothing: what it commanded and wrote stays, and the next attempt begins with a replay of it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from statefun.durable import _proto
from statefun.durable.current import CURRENT
from statefun.durable.exceptions import SdkInternalException, TerminalError
from statefun.durable.run import Run
from statefun.errors import SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.durable.declaration import Declaration
    from statefun.durable.handler import Handler
    from statefun.durable.journal import Journal
    from statefun.durable.surroundings import Surroundings

__all__ = ["Execution"]


class Execution:
    """One invocation that has begun and has no outcome yet.

    Args:
        header: What is kept of it beside its journal.
        declaration: Its service, object or workflow.
        handler: Its handler.
        journal: Its journal.
        make_context: Makes what the handler is called with.

    Attributes:
        turn: The turn that handles it now.
        run: Its live coroutine; None if it is only kept.
        is_over: Whether it has its outcome.
    """

    def __init__(
        self,
        header: _proto.Execution,
        declaration: Declaration,
        handler: Handler[Any, Any],
        journal: Journal,
        make_context: Callable[[Execution, Run], Any],
    ) -> None:
        self.header = header
        self.declaration = declaration
        self.handler = handler
        self.journal = journal
        self._make_context = make_context
        self.is_shared = handler.kind == "shared"
        self.is_relaxed = handler.options.effects == "relaxed"
        self.run: Run | None = None
        self.is_over = False
        self.turn: Surroundings
        self.invoke = _proto.Invoke()
        self._view: dict[str, bytes] = {}
        self._before = {
            each.name: each.value if each.HasField("value") else None for each in header.before
        }

    @property
    def id(self) -> str:
        """The id of the invocation."""
        return self.header.id

    def join(self, turn: Surroundings) -> None:
        """Take part in a turn."""
        self.turn = turn
        if self.run is not None:
            self._see_entries()

    def wake_up(self) -> Run:
        """The live coroutine, by a replay if there is none."""
        if self.run is None:
            self.run = self._new_run()
            records = self.journal.records()
            if records:
                self._replay(self.run, records)
            else:
                self._see_entries()
        return self.run

    def _replay(self, run: Run, records: list[_proto.Record]) -> None:
        self.invoke = records[0].invoke
        self.journal.open_last(records)
        self._view = dict(self.turn.entries)
        for name, value in self._before.items():
            if value is None:
                self._view.pop(name, None)
            else:
                self._view[name] = value
        run.replay(records, self._start, may_extend=self.header.has_open_end)
        for retry in self.header.retries:
            effect = run.effects.get(retry.seq)
            if effect is not None:
                effect.attempts, effect.first_ms = retry.attempts, retry.first_ms
                effect.due_ms = retry.due_ms

    def tell(self, run: Run, record: _proto.Record) -> None:
        """Tell an event and note it in the journal."""
        if record.kind == _proto.START:
            self.invoke = record.invoke
        self.journal.append(record)
        run.tell(record, self._start)

    def put_away(self) -> None:
        """Close the live coroutine; what is kept stays."""
        if self.run is not None:
            self.save()
            run, self.run = self.run, None
            run.close()

    def save(self) -> None:
        """Bring the header up to date with the run."""
        header, run = self.header, self.run
        del header.before[:]
        for name, value in self._before.items():
            header.before.append(_proto.Before(name=name, value=value))
        if run is not None and not run.mismatch:
            del header.retries[:]
            for effect in run.effects.values():
                if effect.attempts:
                    header.retries.append(
                        _proto.Retry(
                            seq=effect.seq,
                            attempts=effect.attempts,
                            first_ms=effect.first_ms,
                            due_ms=effect.due_ms,
                        )
                    )
            header.calls[:] = run.children.values()
        if self.is_shared:
            header.journal = self.journal.encoded()

    # --- values of the key, for contexts ---

    def read(self, name: str) -> bytes | None:
        """A value of the key; a shared handler always sees what it saw first."""
        if not self.is_shared:
            return self._view.get(name)
        if name not in self._before:
            seen = self.header.has_seen_keys and name not in self.header.keys
            self._before[name] = None if seen else self.turn.entries.get(name)
        return self._before[name]

    def names(self) -> list[str]:
        """The names of all values of the key."""
        if not self.is_shared:
            return list(self._view)
        if not self.header.has_seen_keys:
            self.header.has_seen_keys = True
            known = [name for name in self.turn.entries if self._before.get(name, b"") is not None]
            known += [name for name, value in self._before.items() if value and name not in known]
            self.header.keys[:] = known
        return list(self.header.keys)

    def write(self, name: str, data: bytes | None) -> None:
        """Keep a value of the key, or remove it."""
        is_live = self.run is not None and not self.run.is_replaying
        if is_live:
            self._before.setdefault(name, self._view.get(name))
            self.turn.entries_changed = True
        if data is None:
            self._view.pop(name, None)
        else:
            self._view[name] = data

    def _see_entries(self) -> None:
        if self.declaration.service_tag.kind != "service":
            self._view = self.turn.entries

    # --- the handler ---

    def _new_run(self) -> Run:
        what = f"{self.turn.service}/{self.turn.key}" if self.turn.key else self.turn.service
        run = Run(self.id, f"{what}.{self.handler.name} ({self.id})", self._see_entries)
        run.cancel_child = self._cancel_child  # type: ignore[method-assign]
        return run

    @property
    def _live(self) -> Run:
        if self.run is None:
            raise SdkInternalException  # it is being put away
        return self.run

    def _cancel_child(self, child: str) -> None:
        _, is_new = self._live.plain_step("cancel call")
        if is_new:
            self.turn.send_home(child, _proto.Envelope(cancel=child))

    async def _start(self) -> bytes:
        """Run the handler: argument in, result out, as bytes."""
        handler = self.handler
        context = self._make_context(self, self._live)
        CURRENT.set(context)
        async with AsyncExitStack() as stack:
            for manager in handler.options.context_managers:
                await stack.enter_async_context(manager())
            arguments = (context, self._argument()) if handler.arity > 1 else (context,)
            result = await handler.fn(*arguments)
        context.flush()
        data = handler.handler_io.output_serde.serialize(result)
        if len(data) > self.turn.limits.value_bytes:
            raise too_long("a result", data, self.turn.limits.value_bytes)
        return data

    def _argument(self) -> Any:
        data = self.invoke.argument
        if not data and self.handler.has_default:
            return self.handler.default
        try:
            return self.handler.handler_io.input_serde.deserialize(data)
        except SerializationError as error:
            raise TerminalError(f"unable to parse the argument: {error}", 400) from error


def too_long(what: str, data: bytes, limit: int) -> TerminalError:
    """The error for a value beyond the limit."""
    return TerminalError(
        f"{what} has {len(data)} bytes, more than the limit of {limit}: keep it elsewhere and pass "
        "where it is",
        413,
    )
