"""The operator's API over HTTP: cancel, kill, pause and resume, on a port of its own.

Source:
    The admin API of Restate 1.7: `PATCH /invocations/{id}/cancel` answers 202, the others 200.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast, get_args
from urllib.parse import unquote

from statefun.durable.messages import Operation
from statefun.durable.replies import Answer
from statefun.durable.responses import refused
from statefun.errors import RequestRefusedError
from statefun.http import HttpServer, Response

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from statefun.durable.ingress import InvocationIngress
    from statefun.http import Access, Request

__all__ = ["OperatorServer"]

_OPERATIONS: Final = get_args(Operation)


class OperatorServer:
    """Listens for operators.

    Args:
        ingress: The running ingress, which knows the invocations.
        port: Which port; 0 for any free one.
        host: Where to listen.
        access: Who may ask.
    """

    def __init__(
        self,
        ingress: InvocationIngress,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        access: Access | None = None,
    ) -> None:
        self._ingress = ingress
        self._server = HttpServer(self.handle, host, port, access=access)

    @property
    def port(self) -> int:
        """The port in use; 0 if any may be taken and it has not started."""
        return self._server.port

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: If it cannot.
        """
        await self._server.start()

    async def stop(self) -> None:
        """Listen no more."""
        await self._server.stop()

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer a request."""
        segments = request.raw_path.strip("/").split("/")
        match segments:
            case ["invocations", invocation_id, operation] if operation in _OPERATIONS:
                if request.method != "PATCH":
                    return refused(RequestRefusedError(405, "method not allowed: use PATCH"))
                return self._do(unquote(invocation_id), cast("Operation", operation))
        return refused(
            RequestRefusedError(
                404, f"write PATCH /invocations/<id>/<operation>: {', '.join(_OPERATIONS)}"
            )
        )

    async def _do(self, invocation_id: str, operation: Operation) -> Response:
        try:
            answer = await self._ingress.operate(operation, invocation_id)
        except RequestRefusedError as error:
            return refused(error)
        if answer is Answer.UNKNOWN:
            return refused(RequestRefusedError(404, "invocation not found"))
        if answer is Answer.ENDED and operation != "cancel":
            return refused(RequestRefusedError(409, "the invocation has ended"))
        return Response(202 if operation == "cancel" else 200, b"", "")
