"""What handles know of their client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from datetime import timedelta

    from statefun.workflows import _proto
    from statefun.workflows.common import QueryRejectCondition
    from statefun.workflows.connection import Connection
    from statefun.workflows.converter import DataConverter

__all__ = ["ClientCore", "Requesting"]


class Requesting(Protocol):
    """Asks the service; see `Requests`."""

    async def ask(
        self,
        name: str,
        workflow_id: str,
        argument: bytes,
        within: timedelta | None = None,
        identity: str = "",
    ) -> bytes:
        """Ask a workflow for something, and wait for the answer."""
        ...

    async def update_outcome(
        self, workflow_id: str, run_id: str | None, update_id: str, within: timedelta | None
    ) -> _proto.UpdateAnswer:
        """The outcome of an update that was sent before."""
        ...


class ClientCore(Protocol):
    """A client, as its handles use it.

    Attributes:
        connection: The way to the service.
        outbound: The first `OutboundInterceptor`, which stands above handles since it returns them.
        requests: The last one.
    """

    connection: Connection
    outbound: Any

    @property
    def requests(self) -> Requesting:
        """Asks the service."""
        ...

    @property
    def namespace(self) -> str:
        """The namespace."""
        ...

    @property
    def data_converter(self) -> DataConverter:
        """How values travel."""
        ...

    @property
    def default_workflow_query_reject_condition(self) -> QueryRejectCondition | None:
        """When queries are rejected that do not say it."""
        ...
