"""Definitions: what the decorators of workflows and activities find, and refuse.

Law: a definition is made once, where the decorator stands. What can never run is refused there,
with all its faults in one sentence.
"""

from __future__ import annotations

import collections.abc
import inspect
import typing
import warnings
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from statefun.workflows.common import RawValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "ActivityDefinition",
    "HandlerUnfinishedPolicy",
    "QueryDefinition",
    "SignalDefinition",
    "UpdateDefinition",
    "WorkflowDefinition",
    "define_activity",
    "define_workflow",
    "definitions_of",
    "hints_of",
    "is_async",
]

RUN = "__statefun_workflow_run"
INIT = "__statefun_workflow_init"
MESSAGE = "__statefun_workflow_message"
WORKFLOW = "__statefun_workflow_definition"
ACTIVITY = "__statefun_activity_definition"


class HandlerUnfinishedPolicy(IntEnum):
    """What is said when a workflow ends while a handler of a message still runs."""

    WARN_AND_ABANDON = 1
    ABANDON = 2


@dataclass(frozen=True)
class Hints:
    """The types of a function: of its positional parameters without `self`, and of its result."""

    arguments: tuple[Any, ...]
    result: Any

    def of(self, count: int) -> list[Any]:
        """The types of so many arguments; `Any` for those beyond the parameters."""
        return [*self.arguments[:count], *([Any] * (count - len(self.arguments)))]


@dataclass(frozen=True)
class SignalDefinition:
    """A handler of signals.

    Attributes:
        name: The name of the signal; None for all that have no handler.
        function: The function, with `self` if it is a method.
        is_method: Whether it is.
        hints: Its types.
        unfinished_policy: What is said if it still runs at the end.
        description: A sentence about it.
    """

    name: str | None
    function: Callable[..., Any]
    is_method: bool
    hints: Hints
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON
    description: str | None = None


@dataclass(frozen=True)
class QueryDefinition:
    """A handler of queries; see `SignalDefinition`."""

    name: str | None
    function: Callable[..., Any]
    is_method: bool
    hints: Hints
    description: str | None = None


@dataclass(frozen=True)
class UpdateDefinition:
    """A handler of updates; see `SignalDefinition`.

    Attributes:
        validator: Refuses an update by an exception; None takes all.
    """

    name: str | None
    function: Callable[..., Any]
    is_method: bool
    hints: Hints
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON
    description: str | None = None
    validator: Callable[..., Any] | None = None


@dataclass(frozen=True)
class WorkflowDefinition:
    """A class of workflows.

    Attributes:
        name: The name of its type; None for all types that have no class.
        cls: The class.
        run: Its main method.
        hints: The types of that.
        signals: Name → handler; None for the dynamic one.
        queries: Likewise.
        updates: Likewise.
        takes_arguments_at_init: Whether `__init__` gets the arguments, too.
        failure_exception_types: What else than failures ends a run as failed.
    """

    name: str | None
    cls: type[Any]
    run: Callable[..., Any]
    hints: Hints
    signals: dict[str | None, SignalDefinition] = field(default_factory=dict)
    queries: dict[str | None, QueryDefinition] = field(default_factory=dict)
    updates: dict[str | None, UpdateDefinition] = field(default_factory=dict)
    takes_arguments_at_init: bool = False
    failure_exception_types: tuple[type[BaseException], ...] = ()

    @staticmethod
    def of(given: Any) -> WorkflowDefinition | None:
        """The definition of a class; None if it has none of its own."""
        found = vars(given).get(WORKFLOW) if isinstance(given, type) else None
        return found if isinstance(found, WorkflowDefinition) else None

    @staticmethod
    def of_run(method: Any) -> tuple[str, Hints]:
        """The name of the type and the types of a main method, for whoever starts it.

        Raises:
            ValueError: If it is not the main method of a workflow, or that of a dynamic one.
        """
        if isinstance(method, type):
            definition = WorkflowDefinition.of(method)
        else:
            definition = getattr(method, RUN, None)
        if not isinstance(definition, WorkflowDefinition):
            name = getattr(method, "__qualname__", "<unknown>")
            raise ValueError(  # noqa: TRY004 - as the peer
                f"Function {name} missing attributes, was it decorated with @workflow.run and was "
                "its class decorated with @workflow.defn?"
            )
        if definition.name is None:
            raise ValueError("Cannot invoke dynamic workflow explicitly")
        return definition.name, definition.hints


@dataclass(frozen=True)
class ActivityDefinition:
    """A function that is an activity.

    Attributes:
        name: The name of its type; None for all types that have no function.
        function: The function.
        hints: Its types.
        is_async: Whether it is async.
        no_thread_cancel_exception: Whether a cancel is not raised in its thread.
    """

    name: str | None
    function: Callable[..., Any]
    hints: Hints
    is_async: bool
    no_thread_cancel_exception: bool = False

    def bound_to(self, called: Any) -> ActivityDefinition:
        """The same, calling what was registered: a method of an object, or an object."""
        return replace(self, function=called)

    @staticmethod
    def of(function: Any) -> ActivityDefinition:
        """The definition of a function, a method or an object that can be called.

        Raises:
            TypeError: If it was not decorated.
        """
        found = getattr(function, ACTIVITY, None)
        if found is None and not isinstance(function, type) and not inspect.isroutine(function):
            found = getattr(getattr(function, "__call__", None), ACTIVITY, None)  # noqa: B004
        if found is None and isinstance(function, type):
            found = getattr(getattr(function, "__call__", None), ACTIVITY, None)  # noqa: B004
        if isinstance(found, ActivityDefinition):
            return found
        name = getattr(function, "__name__", "<unknown>")
        raise TypeError(
            f"Activity {name} missing attributes, was it decorated with @activity.defn?"
        )


# --- types ----------------------------------------------------------------------------------------


def is_async(function: Any) -> bool:
    """Whether a function, or an object that can be called, is async."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - what is called, not whether it can be
    )


def hints_of(function: Callable[..., Any], *, is_method: bool) -> Hints:
    """The types of a function; where it does not say any, or they cannot be resolved, `Any`."""
    called: Any = function
    if not inspect.isroutine(function) and not isinstance(function, type):
        called = type(function).__call__  # an object that can be called
        is_method = True
    parameters = _positional(called)
    if is_method:
        parameters = parameters[1:]
    try:
        known = typing.get_type_hints(called)
    except Exception:  # noqa: BLE001 - a name that only type checkers see
        known = {}
    return Hints(tuple(known.get(each.name, Any) for each in parameters), known.get("return", Any))


def _positional(function: Callable[..., Any]) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each for each in inspect.signature(function).parameters.values() if each.kind in kinds]


def _takes_raw_values(hints: Hints) -> bool:
    """Whether the only parameter is a sequence of raw values."""
    if len(hints.arguments) != 1:
        return False
    [hint] = hints.arguments
    is_sequence = typing.get_origin(hint) is collections.abc.Sequence
    return is_sequence and typing.get_args(hint) == (RawValue,)


def check_dynamic_handler(function: Callable[..., Any], *, is_method: bool) -> None:
    """Refuse a handler of everything that does not take a name and raw values.

    Raises:
        RuntimeError: If it does not.
    """
    parameters = list(inspect.signature(function).parameters.values())
    if is_method:
        parameters = parameters[1:]
    if len(parameters) == 2 and parameters[1].kind is inspect.Parameter.VAR_POSITIONAL:
        warnings.warn(
            "Dynamic handlers with vararg third param is deprecated, use Sequence[RawValue]",
            DeprecationWarning,
            stacklevel=4,
        )
        return
    hints = hints_of(function, is_method=is_method)
    takes_both = len(hints.arguments) == 2 and hints.arguments[0] in (str, Any)
    if not takes_both or not _takes_raw_values(Hints(hints.arguments[1:], Any)):
        raise RuntimeError(
            "Dynamic handler must have 3 arguments: self, str, and Sequence[RawValue]"
        )


# --- activities -----------------------------------------------------------------------------------


def define_activity(
    function: Any, name: str | None, *, is_dynamic: bool, no_thread_cancel_exception: bool
) -> None:
    """Make a function an activity.

    Raises:
        ValueError: If it is one already.
        TypeError: If it cannot be one.
    """
    if hasattr(function, ACTIVITY):
        raise ValueError("Function already contains activity definition")
    if not callable(function):
        raise TypeError("Activity is not callable")
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is inspect.Parameter.KEYWORD_ONLY for each in parameters):
        raise TypeError("Activity cannot have keyword-only arguments")
    first = next(iter(parameters), None)
    is_method = first is not None and first.name == "self"
    hints = hints_of(function, is_method=is_method)
    if is_dynamic and not _takes_raw_values(hints):
        raise TypeError(
            "Dynamic activity must accept a single Sequence[temporalio.common.RawValue]"
        )
    definition = ActivityDefinition(
        None if is_dynamic else name or function.__name__,
        function,
        hints,
        is_async(function),
        no_thread_cancel_exception,
    )
    setattr(function, ACTIVITY, definition)


# --- workflows ------------------------------------------------------------------------------------


def define_workflow(
    cls: type[Any],
    name: str | None,
    *,
    is_dynamic: bool,
    failure_exception_types: Sequence[type[BaseException]],
) -> None:
    """Make a class a workflow.

    Raises:
        ValueError: If it cannot be one, with all reasons.
        TypeError: If it is dynamic and does not take raw values.
    """
    if WORKFLOW in vars(cls):
        raise ValueError("Class already contains workflow definition")
    found = _Found(cls)
    if found.issues:
        raise ValueError(_sentence(found.issues))
    run = found.run
    if run is None:
        raise ValueError(_sentence(["Missing @workflow.run method"]))
    hints = hints_of(run, is_method=True)
    if is_dynamic and not _takes_raw_values(hints):
        raise TypeError(
            "Dynamic workflow must accept a single Sequence[temporalio.common.RawValue]"
        )
    definition = WorkflowDefinition(
        None if is_dynamic else name if name is not None else cls.__name__,
        cls,
        run,
        hints,
        found.signals,
        found.queries,
        found.updates,
        found.takes_arguments_at_init,
        tuple(failure_exception_types),
    )
    setattr(cls, WORKFLOW, definition)
    setattr(run, RUN, definition)


def _sentence(issues: list[str]) -> str:
    if len(issues) == 1:
        return f"Invalid workflow class: {issues[0]}"
    return f"Invalid workflow class for {len(issues)} reasons: {', '.join(issues)}"


class _Found:
    """What stands in a class, and what is wrong with it."""

    def __init__(self, cls: type[Any]) -> None:
        self.issues: list[str] = []
        self.run: Callable[..., Any] | None = None
        self.signals: dict[str | None, SignalDefinition] = {}
        self.queries: dict[str | None, QueryDefinition] = {}
        self.updates: dict[str | None, UpdateDefinition] = {}
        self._cls = cls
        for name, member in inspect.getmembers(cls):
            if hasattr(member, RUN):
                self._take_run(name, member)
            elif isinstance(getattr(member, MESSAGE, None), UpdateMarker):
                self._take(getattr(member, MESSAGE).definition(), self.updates, "update", name)
            elif (definition := getattr(member, MESSAGE, None)) is not None:
                into: Any = self.signals
                word = "signal"
                if isinstance(definition, QueryDefinition):
                    into, word = self.queries, "query"
                self._take(definition, into, word, name)
        self._check_overrides()
        if self.run is None and not any("@workflow.run" in each for each in self.issues):
            self.issues.insert(0, "Missing @workflow.run method")
        self.takes_arguments_at_init = hasattr(cls.__init__, INIT)
        if self.takes_arguments_at_init and self.run is not None:
            init, run = cls.__init__, self.run
            if not _same_parameters(init, run):
                self.issues.append(
                    "@workflow.init and @workflow.run method parameters do not match"
                )

    def _take_run(self, name: str, member: Any) -> None:
        if self.run is not None:
            self.issues.append(
                f"Multiple @workflow.run methods found (at least on {name} and {self.run.__name__})"
            )
        elif name not in vars(self._cls):
            self.issues.append(
                f"@workflow.run method {name} must be defined on {self._cls.__qualname__}"
            )
        else:
            self.run = member

    def _take(self, definition: Any, into: dict[str | None, Any], word: str, name: str) -> None:
        known = into.get(definition.name)
        if known is not None:
            what = definition.name or "<dynamic>"
            self.issues.append(
                f"Multiple {word} methods found for {what} (at least on {name} and "
                f"{known.function.__name__})"
            )
            return
        validator = getattr(definition, "validator", None)
        if validator is not None and not _same_parameters(validator, definition.function):
            self.issues.append(
                f"Update validator method {validator.__name__} parameters do not match update "
                f"method {definition.function.__name__} parameters"
            )
        into[definition.name] = definition

    def _check_overrides(self) -> None:
        """What is decorated in a base class has to be decorated here again."""
        for base in self._cls.__mro__[1:]:
            for name, member in vars(base).items():
                override = vars(self._cls).get(name)
                if override is None or not inspect.isfunction(override):
                    continue
                if hasattr(member, RUN) and not hasattr(override, RUN):
                    self._forgotten("run", base, name)
                message = getattr(member, MESSAGE, None)
                if message is not None and not hasattr(override, MESSAGE):
                    self._forgotten(_WORDS[type(message)], base, name)

    def _forgotten(self, word: str, base: type[Any], name: str) -> None:
        self.issues.append(
            f"@workflow.{word} defined on {base.__qualname__}.{name} but not on the override"
        )


def _same_parameters(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether two methods take the same, whatever the names."""
    return _shape(one) == _shape(other)


def _shape(function: Callable[..., Any]) -> list[tuple[Any, Any]]:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return [(each.kind, each.annotation) for each in parameters]


class UpdateMarker:
    """An update as it is decorated; its validator may come later."""

    def __init__(self, definition: UpdateDefinition) -> None:
        self._definition = definition
        self.validator: Callable[..., Any] | None = None

    @property
    def name(self) -> str | None:
        """The name of the update."""
        return self._definition.name

    @property
    def hints(self) -> Hints:
        """The types of its function."""
        return self._definition.hints

    def set_validator(self, function: Any) -> Any:
        """Decorate the validator.

        Raises:
            RuntimeError: If there is one already.
            ValueError: If it is async.
        """
        if self.validator is not None:
            raise RuntimeError(f"Validator already set for update {self.name}")
        if is_async(function):
            raise ValueError("Update validator must not be an async function")
        self.validator = function
        return function

    def definition(self) -> UpdateDefinition:
        """The definition with the validator."""
        given = self._definition
        return UpdateDefinition(
            given.name,
            given.function,
            given.is_method,
            given.hints,
            given.unfinished_policy,
            given.description,
            self.validator,
        )


_WORDS: dict[type, str] = {
    SignalDefinition: "signal",
    QueryDefinition: "query",
    UpdateMarker: "update",
}


def definitions_of(classes: Sequence[type[Any]]) -> list[WorkflowDefinition]:
    """The definitions of classes.

    Raises:
        ValueError: If one is not decorated, or two have the same name.
    """
    found: dict[str | None, WorkflowDefinition] = {}
    for each in classes:
        definition = WorkflowDefinition.of(each)
        if definition is None:
            name = getattr(each, "__qualname__", each)
            raise ValueError(
                f"Workflow {name} missing attributes, was it decorated with @workflow.defn?"
            )
        if definition.name in found:
            raise ValueError(
                "More than one dynamic workflow"
                if definition.name is None
                else f"More than one workflow named {definition.name}"
            )
        found[definition.name] = definition
    return list(found.values())
