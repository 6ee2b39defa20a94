"""Connections: how clients and workers reach the service."""

from __future__ import annotations

import asyncio
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from statefun.durable import _proto as durable
from statefun.durable.outcomes import ENVELOPE_TYPE
from statefun.durable.replies import Answer, Replies
from statefun.errors import (
    AddressBusyError,
    InvalidMessageError,
    MessageTooLargeError,
    RuntimeStoppedError,
    StatefunError,
    StoreError,
    UnknownFunctionError,
)
from statefun.ports import IngressMessage
from statefun.sdk.address import Address
from statefun.sdk.wire import encode_typed_value
from statefun.workflows import _proto
from statefun.workflows.addresses import (
    REPLIES,
    activity_typename,
    queue_of,
    run_typename,
    schedule_typename,
    workflow_typename,
)
from statefun.workflows.logs import logger
from statefun.workflows.offers import Offer, differences, problems
from statefun.workflows.queries import QueryError
from statefun.workflows.service import RPCError, RPCStatusCode
from statefun.workflows.status import WorkflowExecutionStatus
from statefun.workflows.visibility import looked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from statefun.ports import Intake
    from statefun.sdk.functions import StatefulFunctions

__all__ = ["Connection", "LocalConnection"]


class Connection(Protocol):
    """A way to the service."""

    async def ask(
        self,
        typename: str,
        target_id: str,
        envelope: durable.Envelope,
        within: timedelta | None,
    ) -> bytes:
        """Send a message and wait for the answer.

        Args:
            typename: The typename of the address it is for.
            target_id: The id of that.
            envelope: The message, an `invoke` or an `update`, without where its answer is sent.
            within: How long to wait; None for any time.

        Raises:
            RPCError: If it is refused, or there is no answer in time.
        """
        ...

    async def look(self, look: _proto.Look, within: timedelta | None) -> _proto.Looked:
        """Find workflows, or schedules.

        Args:
            look: Which.
            within: How long to wait; None for any time.

        Raises:
            RPCError: If the query cannot be understood, or there is no answer in time.
        """
        ...

    async def attach(self, functions: StatefulFunctions) -> None:
        """Let the functions of a worker be called."""
        ...

    async def detach(self, functions: StatefulFunctions) -> None:
        """Let them be called no more; returns when no call is under way."""
        ...

    def now_ms(self) -> int:
        """The time of the service, in milliseconds since 1970."""
        ...

    async def close(self) -> None:
        """End it."""
        ...

    def waiting(self) -> AbstractContextManager[None]:
        """While in the block, somebody waits for a workflow: a test's clock may skip time."""
        ...


class _Replies(Replies):
    """The egress that takes answers to clients."""

    @property
    def typename(self) -> str:
        """See `Egress`."""
        return REPLIES


class KeptState(Protocol):
    """A value that an address keeps."""

    @property
    def data(self) -> bytes:
        """Its bytes."""
        ...


States: TypeAlias = "Callable[[str], AsyncIterator[tuple[str, Mapping[str, KeptState]]]]"
"""What every address of a function keeps, by its typename; see `Runtime.states`."""


class Attachments(Protocol):
    """What workers attach to; see `statefun.runtime.transports.attached`."""

    def attach(self, functions: StatefulFunctions) -> None:
        """Call these from now on."""
        ...

    async def detach(self, functions: StatefulFunctions) -> None:
        """Call these no more."""
        ...

    def offers(self, typename: str) -> list[Any]:
        """The `Offer`s of those who serve a function."""
        ...

    @property
    def typenames(self) -> Sequence[str]:
        """The typenames that are served now."""
        ...

    def close(self) -> None:
        """Let what waits for a worker fail."""
        ...


_NO_RUN = 404
"""How durable execution answers for a run that never began, or is forgotten."""
_STATUS_OF = (
    (UnknownFunctionError, RPCStatusCode.NOT_FOUND),
    (MessageTooLargeError, RPCStatusCode.INVALID_ARGUMENT),
    (InvalidMessageError, RPCStatusCode.INVALID_ARGUMENT),
    (AddressBusyError, RPCStatusCode.RESOURCE_EXHAUSTED),
    (RuntimeStoppedError, RPCStatusCode.UNAVAILABLE),
    (StoreError, RPCStatusCode.UNAVAILABLE),
)


class LocalConnection:
    """A way to the service in this process: an ingress of its runtime; see `statefun.ports`.

    Args:
        attachments: What workers attach to.
        now_ms: The time.
        waiting: See `Connection`.

    Attributes:
        replies: The egress of answers, for the same runtime.
        states: What the addresses of the runtime keep; None before it is there.
    """

    def __init__(
        self,
        attachments: Attachments,
        now_ms: Callable[[], int],
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.replies = _Replies(f"{os.urandom(8).hex()}-")
        self._attachments = attachments
        self._now_ms = now_ms
        self.waiting = waiting
        self.states: States | None = None
        self._intake: Intake | None = None

    # --- the ingress ---

    async def start(self, intake: Intake) -> None:
        """See `Ingress`."""
        self._intake = intake

    def pause(self) -> None:
        """Nothing: what is sent meanwhile is refused."""

    def resume(self) -> None:
        """Nothing."""

    async def stop(self) -> None:
        """See `Ingress`; whoever waits for an answer is told that there is none."""
        self._intake = None
        self._attachments.close()
        await self.replies.stop()

    # --- the connection ---

    def now_ms(self) -> int:
        """See `Connection`."""
        return self._now_ms()

    async def close(self) -> None:
        """See `Connection`: nothing, the runtime stops it."""

    async def attach(self, functions: StatefulFunctions) -> None:
        """See `Connection`."""
        self._attachments.attach(functions)
        for typename in functions.typenames:
            if (warning := self.warning(typename)) is not None:
                logger.warning("%s", warning)
                break

    def warning(self, typename: str) -> str | None:
        """Tell what is wrong with the workers that serve a function; None if nothing is."""
        owner = queue_of(typename)
        told = [] if owner is None else differences(owner[1], self._offers(*owner))
        return " ".join(told) or None

    def _offers(self, namespace: str, queue: str) -> list[Offer]:
        """The workers of a task queue."""
        named = (run_typename(namespace, queue), activity_typename(namespace, queue))
        found = [offer for each in named for offer in self._attachments.offers(each)]
        return [offer for offer in dict.fromkeys(found) if isinstance(offer, Offer)]

    def _diagnosed(self, data: bytes) -> bytes:
        """A description of a workflow, with the reasons why it may wait for ever."""
        workflow = _proto.Workflow.FromString(data)
        if workflow.status != WorkflowExecutionStatus.RUNNING:
            return data
        start = workflow.start
        offers = self._offers(start.namespace, start.task_queue)
        owners = [queue_of(each) for each in self._attachments.typenames]
        queues = [each[1] for each in owners if each is not None and each[0] == start.namespace]
        found = problems(start.task_queue, start.workflow_type, offers, queues)
        for number, text in enumerate(found):
            workflow.problems[f"worker {number}"] = text
        return workflow.SerializeToString()

    async def detach(self, functions: StatefulFunctions) -> None:
        """See `Connection`."""
        await self._attachments.detach(functions)

    async def look(self, look: _proto.Look, within: timedelta | None) -> _proto.Looked:
        """See `Connection`."""
        if self._intake is None or self.states is None:
            raise RPCError("the service has stopped", RPCStatusCode.UNAVAILABLE)
        typename = (schedule_typename if look.is_for_schedules else workflow_typename)(
            look.namespace
        )
        try:
            async with asyncio.timeout(None if within is None else within.total_seconds()):
                kept = [
                    {name: value.data for name, value in values.items()}
                    async for _, values in self.states(typename)
                ]
                return await asyncio.to_thread(looked, look, kept, self._now_ms())
        except TimeoutError:
            raise RPCError("Timeout expired", RPCStatusCode.CANCELLED) from None
        except QueryError as error:
            raise RPCError(str(error), RPCStatusCode.INVALID_ARGUMENT) from error
        except StatefunError as error:
            raise RPCError(str(error), _status_of(error)) from error

    async def ask(
        self,
        typename: str,
        target_id: str,
        envelope: durable.Envelope,
        within: timedelta | None,
    ) -> bytes:
        """See `Connection`."""
        if self._intake is None:
            raise RPCError("the service has stopped", RPCStatusCode.UNAVAILABLE)
        name, answered = self.replies.expect()
        route = durable.Route(typename=REPLIES, id=name, is_egress=True)
        asked = envelope.update if envelope.HasField("update") else envelope.invoke
        asked.reply.CopyFrom(route)
        argument = encode_typed_value(ENVELOPE_TYPE.typename, envelope.SerializeToString())
        try:
            async with asyncio.timeout(None if within is None else within.total_seconds()):
                await self._intake.deliver(
                    (IngressMessage(Address(typename, target_id), argument),)
                )
                outcome = await answered
        except TimeoutError:
            raise RPCError("Timeout expired", RPCStatusCode.CANCELLED) from None
        except StatefunError as error:
            raise RPCError(str(error), _status_of(error)) from error
        except asyncio.CancelledError:
            if answered.cancelled() and self._intake is None:
                raise RPCError("the service has stopped", RPCStatusCode.UNAVAILABLE) from None
            raise
        finally:
            answered.cancel()
        if outcome.value is None:
            status = _status(outcome.code, outcome.answer)
            raise RPCError(outcome.message, status, facts=outcome.metadata)
        is_of_workflow = typename.endswith("/workflow")  # others are described, too
        is_description = is_of_workflow and envelope.invoke.handler == "describe"
        return self._diagnosed(outcome.value) if is_description else outcome.value


def _status_of(error: StatefunError) -> RPCStatusCode:
    return next(
        (status for kind, status in _STATUS_OF if isinstance(error, kind)), RPCStatusCode.INTERNAL
    )


def _status(code: int, answer: Answer) -> RPCStatusCode:
    if answer is Answer.UNKNOWN or code == _NO_RUN:
        return RPCStatusCode.NOT_FOUND
    return (
        RPCStatusCode(code) if code in RPCStatusCode._value2member_map_ else RPCStatusCode.UNKNOWN
    )
