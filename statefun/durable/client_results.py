"""What a client asks of an ingress about invocations that were started."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote

from statefun.durable.entry_codec import ValueCodec
from statefun.durable.exceptions import HttpError
from statefun.durable.handler import handler_from_callable
from statefun.durable.serde import DEFAULT_SERDE, serde_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statefun.durable.context_types import HandlerType, I, O, T
    from statefun.durable.handler import Handler
    from statefun.durable.serde import SerdeLike

__all__ = ["JSON", "Answer", "ResultsClient"]

JSON = "application/json"
_NOT_READY = 470


class Answer(NamedTuple):
    """What an ingress answered.

    Attributes:
        status: The HTTP status.
        reason: Its reason phrase.
        body: The body.
    """

    status: int
    reason: str
    body: bytes


class ResultsClient(ABC):
    """Asks for results, and completes what invocations wait for.

    Every method raises `HttpError` for an answer of 400 or more: the ingress refused the request,
    or the handler failed for good.

    Attributes:
        codec: The codec of the app.
    """

    codec = ValueCodec()

    @abstractmethod
    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one HTTP request to the ingress, and return its answer whatever it is.

        Args:
            method: In capitals.
            path: The path with its escapes, and the query.
            body: The body.
            headers: Header fields, besides those of every request.
        """

    async def attach(
        self,
        invocation_id: str,
        serde: SerdeLike[T] = DEFAULT_SERDE,
        type_hint: type[T] | None = None,
    ) -> T | None:
        """Wait for the result of an invocation, running or retained.

        Args:
            invocation_id: The invocation.
            serde: How the result is read.
            type_hint: The type of the result.
        """
        answer = await self._get(f"/restate/invocation/{quote(invocation_id, safe='')}/attach")
        return self.codec.over(serde_of(serde, type_hint)).deserialize(answer.body)

    async def workflow_attach(self, tpe: HandlerType[I, O], key: str) -> O:
        """Wait for the result of a workflow that was started.

        Args:
            tpe: Its main handler.
            key: Its key.
        """
        handler = handler_from_callable(tpe)
        name = quote(handler.service_tag.name, safe="")
        answer = await self._get(f"/restate/workflow/{name}/{quote(key, safe='')}/attach")
        return cast("O", self._result(handler, answer))

    async def is_done(self, invocation_id: str) -> bool:
        """Whether an invocation has ended, well or not.

        Args:
            invocation_id: The invocation.
        """
        path = f"/restate/invocation/{quote(invocation_id, safe='')}/output"
        answer = await self.request("GET", path)
        if answer.status in (400, 404):
            raise _error(answer)
        return answer.status != _NOT_READY

    async def resolve_awakeable(
        self, awakeable_id: str, value: I, serde: SerdeLike[I] = DEFAULT_SERDE
    ) -> None:
        """Give the value that an awakeable waits for; only the first completion counts.

        Args:
            awakeable_id: The id of the awakeable.
            value: The value.
            serde: How it is written.
        """
        path = f"/restate/awakeables/{quote(awakeable_id, safe='')}/resolve"
        await self._post(path, self.codec.over(serde_of(serde)).serialize(value), JSON, None, None)

    async def reject_awakeable(self, awakeable_id: str, reason: str) -> None:
        """Let whoever waits for an awakeable fail with a `TerminalError`, code 500.

        Args:
            awakeable_id: The id of the awakeable.
            reason: The message of the error.
        """
        path = f"/restate/awakeables/{quote(awakeable_id, safe='')}/reject"
        await self._post(path, reason.encode(), "text/plain; charset=utf-8", None, None)

    async def _post(
        self,
        path: str,
        body: bytes,
        content_type: str,
        idempotency_key: str | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        fields = {"content-type": content_type} if body else {}
        fields |= {name.lower(): value for name, value in (headers or {}).items()}
        if idempotency_key is not None:
            fields["idempotency-key"] = idempotency_key
        return _checked(await self.request("POST", path, body, fields))

    def _result(self, handler: Handler[Any, Any], answer: Answer) -> Any:
        return self.codec.over(handler.handler_io.output_serde).deserialize(answer.body)

    async def _get(self, path: str) -> Answer:
        return _checked(await self.request("GET", path))


def _checked(answer: Answer) -> Answer:
    if answer.status >= 400:
        raise _error(answer)
    return answer


def _error(answer: Answer) -> HttpError:
    return HttpError(answer.status, answer.reason, answer.body.decode(errors="replace"))
