"""The contexts as handlers get them: each method gives a command to the run and returns a future.

Law: bytes are made before a command is given. So a value that cannot be written gives no command,
in the first run as in every replay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.durable.context import (
    Context,
    ObjectContext,
    ObjectSharedContext,
    WorkflowContext,
    WorkflowSharedContext,
)
from statefun.durable.contexts.calls import CallSteps
from statefun.durable.contexts.effects import EffectSteps
from statefun.durable.contexts.functions import FunctionSteps
from statefun.durable.contexts.state import PromiseSteps, ReadingSteps, WritingSteps

if TYPE_CHECKING:
    from statefun.durable.execution import Execution
    from statefun.durable.run import Run

__all__ = ["make_context"]


class _Steps(EffectSteps, CallSteps, FunctionSteps):
    """The methods that all contexts have."""


class _ServiceContext(_Steps, Context):
    pass


class _ObjectContext(_Steps, WritingSteps, ObjectContext[Any]):
    pass


class _ObjectSharedContext(_Steps, ReadingSteps, ObjectSharedContext[Any]):
    pass


class _WorkflowContext(_Steps, PromiseSteps, WritingSteps, WorkflowContext[Any]):
    pass


class _WorkflowSharedContext(_Steps, PromiseSteps, ReadingSteps, WorkflowSharedContext[Any]):
    pass


_KINDS: dict[tuple[str, str | None], type[_Steps]] = {
    ("service", None): _ServiceContext,
    ("object", "exclusive"): _ObjectContext,
    ("object", "shared"): _ObjectSharedContext,
    ("workflow", "workflow"): _WorkflowContext,
    ("workflow", "shared"): _WorkflowSharedContext,
}


def make_context(execution: Execution, run: Run) -> Any:
    """The context of the kind that the handler of an execution gets."""
    return _KINDS[execution.declaration.service_tag.kind, execution.handler.kind](execution, run)
