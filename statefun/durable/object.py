"""Virtual objects: handlers that share a key and its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from statefun.durable.declaration import Declaration
from statefun.durable.options import Schedule
from statefun.durable.place import Place
from statefun.durable.serde import DEFAULT_SERDE
from statefun.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from statefun.durable.options import ContextManagers, RateLimit
    from statefun.durable.retry_policy import InvocationRetryPolicy
    from statefun.durable.serde import SerdeLike

F = TypeVar("F", bound="Callable[..., Any]")

__all__ = ["VirtualObject"]


class VirtualObject(Declaration):
    """Handlers with state by key; one exclusive handler at a time has a key.

    Args:
        name: The name, which is part of URLs and of addresses.
        description: A sentence for people.
        metadata: More facts for tools.
        inactivity_timeout: With `abort_timeout`, how long a handler may compute without waiting,
            and how long an attempt of an effect may take.
        abort_timeout: The rest of that time.
        journal_retention: How long a finished invocation is kept to be looked at.
        idempotency_retention: How long its result is kept under its idempotency key.
        enable_lazy_state: Accepted; the state of a key always comes with the invocation.
        ingress_private: Whether only other handlers may call it.
        invocation_retry_policy: When failed attempts are repeated.
        invocation_context_managers: What each attempt is run within, outermost first.
        effects: `"strict"` or `"relaxed"`; see `Options`.
        state: The class of `ctx.state`: a dataclass or a pydantic model, each field with a
            default.

    Raises:
        DefinitionError: If the name or an option cannot be meant.
    """

    def __init__(
        self,
        name: str,
        description: str | None = None,
        metadata: Mapping[str, str] | None = None,
        inactivity_timeout: timedelta | None = None,
        abort_timeout: timedelta | None = None,
        journal_retention: timedelta | None = None,
        idempotency_retention: timedelta | None = None,
        enable_lazy_state: bool | None = None,
        ingress_private: bool | None = None,
        invocation_retry_policy: InvocationRetryPolicy | None = None,
        invocation_context_managers: ContextManagers | None = None,
        *,
        effects: Literal["strict", "relaxed"] | None = None,
        state: type[Any] | None = None,
    ) -> None:
        super().__init__(
            "object",
            name,
            Place.of_caller(),
            description=description,
            metadata=metadata,
            options={
                "inactivity_timeout": inactivity_timeout,
                "abort_timeout": abort_timeout,
                "journal_retention": journal_retention,
                "idempotency_retention": idempotency_retention,
                "enable_lazy_state": enable_lazy_state,
                "ingress_private": ingress_private,
                "invocation_retry_policy": invocation_retry_policy,
                "invocation_context_managers": invocation_context_managers,
                "effects": effects,
            },
            state=state,
        )

    def handler(
        self,
        name: str | None = None,
        kind: Literal["exclusive", "shared"] | None = "exclusive",
        accept: str = "application/json",
        content_type: str = "application/json",
        input_serde: SerdeLike[Any] = DEFAULT_SERDE,
        output_serde: SerdeLike[Any] = DEFAULT_SERDE,
        metadata: Mapping[str, str] | None = None,
        inactivity_timeout: timedelta | None = None,
        abort_timeout: timedelta | None = None,
        journal_retention: timedelta | None = None,
        idempotency_retention: timedelta | None = None,
        enable_lazy_state: bool | None = None,
        ingress_private: bool | None = None,
        invocation_retry_policy: InvocationRetryPolicy | None = None,
        invocation_context_managers: ContextManagers | None = None,
        *,
        rate_limit: RateLimit | None = None,
        max_concurrency: int | None = None,
    ) -> Callable[[F], F]:
        """Declare a handler: an async function of a context and at most one argument.

        The function keeps its name and its docstring. Called directly, as `await other(ctx, x)`,
        it runs inside the same invocation.

        Args:
            name: Its name; None takes the function's.
            kind: `"exclusive"`: one at a time has a key, and writes. `"shared"`: many
                at once, reading.
            accept: The media type of the argument; `*/*` for any.
            content_type: The media type of the result.
            input_serde: How the argument is read: a serde, a `Type`, or by the
                annotation.
            output_serde: How the result is written: the same.
            metadata: More facts for tools.
            inactivity_timeout: With `abort_timeout`, how long it may compute without waiting, and
                how long an attempt of an effect may take.
            abort_timeout: The rest of that time.
            journal_retention: How long a finished invocation is kept to be looked at.
            idempotency_retention: How long its result is kept under its idempotency
                key.
            enable_lazy_state: Accepted; the state of a key always comes with the
                invocation.
            ingress_private: Whether only other handlers may call it.
            invocation_retry_policy: When failed attempts are repeated.
            invocation_context_managers: What each attempt is run within, outermost
                first.
            rate_limit: How often its invocations begin.
            max_concurrency: How many of its invocations run at a time; the others wait.

        Raises:
            DefinitionError: If something is wrong with the declaration.
        """
        place = Place.of_caller()
        return self._declare(
            place,
            self._kind(kind, place),
            name,
            (accept, content_type, input_serde, output_serde),
            metadata,
            {
                "inactivity_timeout": inactivity_timeout,
                "abort_timeout": abort_timeout,
                "journal_retention": journal_retention,
                "idempotency_retention": idempotency_retention,
                "enable_lazy_state": enable_lazy_state,
                "ingress_private": ingress_private,
                "invocation_retry_policy": invocation_retry_policy,
                "invocation_context_managers": invocation_context_managers,
                "rate_limit": rate_limit,
                "max_concurrency": max_concurrency,
            },
        )

    def schedule(self, cron: str, *, timezone: str = "UTC", key: str) -> Callable[[F], F]:
        """Let a handler start by itself at certain times; it stands above `handler()`.

        Each time is kept once, across restarts. A time that passes while nothing runs is made up
        for once, when it runs again.

        Args:
            cron: Minute, hour, day of the month, month, day of the week: `"0 * * * *"`.
            timezone: The time zone in which they are read, such as `"Europe/Berlin"`.
            key: The key of the object.

        Raises:
            DefinitionError: If it names no time, or the handler needs an argument.
        """
        return self._schedule(Schedule(cron, timezone, key), Place.of_caller())

    def _kind(self, kind: Any, place: Place) -> Literal["exclusive", "shared"]:
        if kind is None:
            return "exclusive"
        if kind not in ("exclusive", "shared"):
            raise DefinitionError(
                f"a handler of {self.name!r} is 'exclusive' or 'shared', got kind={kind!r} "
                f"({place})",
                name=self.name,
                place=str(place),
            )
        return "shared" if kind == "shared" else "exclusive"
