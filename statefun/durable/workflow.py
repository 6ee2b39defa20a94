"""Workflows: a main handler that runs once per key, and others around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from statefun.durable.declaration import Declaration
from statefun.durable.place import Place
from statefun.durable.serde import DEFAULT_SERDE
from statefun.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from statefun.durable.handler import Handler
    from statefun.durable.options import ContextManagers, RateLimit
    from statefun.durable.retry_policy import InvocationRetryPolicy
    from statefun.durable.serde import SerdeLike

F = TypeVar("F", bound="Callable[..., Any]")

__all__ = ["Workflow"]


class Workflow(Declaration):
    """A process with a key: its main handler runs once, and others signal and ask it.

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
            "workflow",
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

    def main(
        self,
        name: str | None = None,
        accept: str = "application/json",
        content_type: str = "application/json",
        input_serde: SerdeLike[Any] = DEFAULT_SERDE,
        output_serde: SerdeLike[Any] = DEFAULT_SERDE,
        metadata: Mapping[str, str] | None = None,
        inactivity_timeout: timedelta | None = None,
        abort_timeout: timedelta | None = None,
        journal_retention: timedelta | None = None,
        workflow_retention: timedelta | None = None,
        enable_lazy_state: bool | None = None,
        ingress_private: bool | None = None,
        invocation_retry_policy: InvocationRetryPolicy | None = None,
        invocation_context_managers: ContextManagers | None = None,
        *,
        rate_limit: RateLimit | None = None,
        max_concurrency: int | None = None,
    ) -> Callable[[F], F]:
        """Declare the main handler, which runs once per key, with a `WorkflowContext`.

        The function keeps its name and its docstring. Called directly, as `await other(ctx, x)`,
        it runs inside the same invocation.

        Args:
            name: Its name; None takes the function's.
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
            workflow_retention: How long the finished workflow keeps its key.
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
        if self._main is not None:
            raise DefinitionError(
                f"the workflow {self.name!r} has a main handler, {self._main.name!r} from "
                f"{self._main.place}: declare others with handler() ({place})",
                name=self.name,
                place=str(place),
            )
        return self._declare(
            place,
            "workflow",
            name,
            (accept, content_type, input_serde, output_serde),
            metadata,
            {
                "inactivity_timeout": inactivity_timeout,
                "abort_timeout": abort_timeout,
                "journal_retention": journal_retention,
                "workflow_retention": workflow_retention,
                "enable_lazy_state": enable_lazy_state,
                "ingress_private": ingress_private,
                "invocation_retry_policy": invocation_retry_policy,
                "invocation_context_managers": invocation_context_managers,
                "rate_limit": rate_limit,
                "max_concurrency": max_concurrency,
            },
        )

    def handler(
        self,
        name: str | None = None,
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
        """Declare a handler that signals or asks a workflow, with a `WorkflowSharedContext`.

        It may be called before, while and after the main handler runs.

        The function keeps its name and its docstring. Called directly, as `await other(ctx, x)`,
        it runs inside the same invocation.

        Args:
            name: Its name; None takes the function's.
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
        return self._declare(
            Place.of_caller(),
            "shared",
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

    @property
    def _main(self) -> Handler[Any, Any] | None:
        return next((each for each in self.handlers.values() if each.kind == "workflow"), None)
