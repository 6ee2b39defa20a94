"""What a worker has registered: its workflows, and how values travel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statefun.workflows.coding import coded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from statefun.workflows import _proto
    from statefun.workflows.converter import DataConverter
    from statefun.workflows.definitions import WorkflowDefinition
    from statefun.workflows.interceptors import WorkflowInboundInterceptor

__all__ = ["Registered", "UnknownTypeError"]


class UnknownTypeError(RuntimeError):
    """A worker was sent a workflow of a type that it does not have."""


class Registered:
    """The workflows of a task queue, and how their runs run.

    Args:
        definitions: The classes.
        data_converter: How values travel.
        failure_exception_types: What else than failures ends a run as failed.
        interceptor_classes: What is put around runs, outermost first.
        activities: The names of the activities of the worker; None among them takes any.
        run_local: Runs an attempt of a local activity, and gives the bytes of its ending.

    Attributes:
        data_converter: How values travel.
        payloads: The payload converter, with the codec if there is one.
    """

    def __init__(
        self,
        definitions: Sequence[WorkflowDefinition],
        data_converter: DataConverter,
        failure_exception_types: Sequence[type[BaseException]],
        interceptor_classes: Sequence[type[WorkflowInboundInterceptor]],
        activities: Sequence[str | None],
        run_local: Callable[[_proto.Task, int], Awaitable[bytes]],
    ) -> None:
        self._definitions = {each.name: each for each in definitions}
        self.data_converter = data_converter
        self.payloads = coded(data_converter)
        self.failure_exception_types = tuple(failure_exception_types)
        self.interceptor_classes = tuple(interceptor_classes)
        self._activities = set(activities)
        self.run_local = run_local

    @property
    def names(self) -> list[str | None]:
        """The types of the workflows; None for a dynamic one."""
        return list(self._definitions)

    def definition_of(self, name: str) -> WorkflowDefinition:
        """The class of a type.

        Raises:
            RuntimeError: If this worker has none.
        """
        found = self._definitions.get(name) or self._definitions.get(None)
        if found is None:
            known = ", ".join(sorted(each for each in self._definitions if each is not None))
            raise UnknownTypeError(
                f"Workflow class {name} is not registered on this worker, available workflows: "
                f"{known}"
            )
        return found

    def check_activity(self, name: str) -> None:
        """Refuse a local activity that this worker does not have.

        Raises:
            ValueError: If it does not.
        """
        if name not in self._activities and None not in self._activities:
            known = ", ".join(sorted(each for each in self._activities if each is not None))
            raise ValueError(
                f"Activity function {name} is not registered on this worker, available "
                f"activities: {known}"
            )
