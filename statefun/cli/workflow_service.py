"""The parts of a runtime that are the service of `statefun.workflows`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from statefun.runtime.clock import SystemClock
from statefun.runtime.transports.attached import AttachedFunctions, LocalAttachments
from statefun.workflows.addresses import queue_of
from statefun.workflows.connection import LocalConnection
from statefun.workflows.hosts import ServiceFunctions
from statefun.workflows.listener import Listener

if TYPE_CHECKING:
    from statefun.http import Access

__all__ = ["WorkflowService", "workflow_service"]

_NAMESPACE = "default"
_RETENTION = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class WorkflowService:
    """The parts.

    Attributes:
        functions: All workflows, without their code.
        attached: The functions of workers.
        connection: An ingress, and the egress of answers.
        listener: Where clients and workers connect.
    """

    functions: ServiceFunctions
    attached: AttachedFunctions
    connection: LocalConnection
    listener: Listener


def workflow_service(host: str, port: int, access: Access | None) -> WorkflowService:
    """Make the parts.

    Args:
        host: Where clients and workers connect.
        port: The port; 0 for any free one.
        access: Who may.
    """
    clock = SystemClock()
    attached = AttachedFunctions(lambda typename: queue_of(typename) is not None)
    connection = LocalConnection(LocalAttachments(attached), clock.now_ms)
    return WorkflowService(
        ServiceFunctions(_NAMESPACE, _RETENTION, lambda: clock.now_ms() / 1000),
        attached,
        connection,
        Listener(connection, attached, host, port, access=access, namespaces=(_NAMESPACE,)),
    )
