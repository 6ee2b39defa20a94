"""Names and types of what requests are about: workflows, signals, queries and updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statefun.workflows.definitions import (
    MESSAGE,
    Hints,
    QueryDefinition,
    SignalDefinition,
    UpdateMarker,
    WorkflowDefinition,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["query_named", "signal_named", "update_named", "workflow_named"]


def workflow_named(workflow: Any) -> tuple[str, Any]:
    """The name of a workflow's type, and the type of its result.

    Raises:
        TypeError: If it is neither a name nor a method.
    """
    if isinstance(workflow, str):
        return workflow, None
    if not callable(workflow):
        raise TypeError("Workflow must be a string or callable")
    name, hints = WorkflowDefinition.of_run(workflow)
    return name, hints.result


def signal_named(given: str | Callable[..., Any]) -> str:
    """The name of a signal.

    Raises:
        RuntimeError: If a method handles no signal, or every one.
    """
    return _named(given, SignalDefinition, "Signal")[0]


def query_named(given: str | Callable[..., Any]) -> tuple[str, Any]:
    """The name of a query, and the type of its answer.

    Raises:
        RuntimeError: If a method handles no query, or every one.
    """
    name, hints = _named(given, QueryDefinition, "Query")
    return name, None if hints is None else hints.result


def update_named(given: str | Callable[..., Any]) -> tuple[str, Any]:
    """The name of an update, and the type of its result.

    Raises:
        RuntimeError: If a method handles no update, or every one.
    """
    name, hints = _named(given, UpdateMarker, "Update")
    return name, None if hints is None else hints.result


def _named(given: Any, kind: type[Any], word: str) -> tuple[str, Hints | None]:
    if isinstance(given, str):
        return given, None
    definition: Any = getattr(given, MESSAGE, None)
    if not isinstance(definition, kind):
        name = getattr(given, "__qualname__", given)
        raise RuntimeError(  # noqa: TRY004 - as the peer
            f"{word} definition not found on {name}, is it decorated with @workflow.{word.lower()}?"
        )
    if definition.name is None:
        raise RuntimeError(f"Cannot invoke dynamic {word.lower()} definition")
    return definition.name, definition.hints
