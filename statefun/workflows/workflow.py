"""Workflows: classes whose main method is durable, and what their code may call.

A workflow's code is deterministic: what reaches outside is an activity. It runs on an event loop of
its own, where `asyncio` is durable: tasks, locks, queues, `sleep` and `timeout` work, and go on
after a crash where they were.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypedDict, TypeVar, cast, overload

from statefun.workflows.arguments import UNSET, arguments_of
from statefun.workflows.calls import ChildWorkflowHandle, ExternalWorkflowHandle
from statefun.workflows.common import Priority, WorkflowIDReusePolicy
from statefun.workflows.definitions import (
    INIT,
    MESSAGE,
    RUN,
    ActivityDefinition,
    HandlerUnfinishedPolicy,
    QueryDefinition,
    SignalDefinition,
    UpdateDefinition,
    UpdateMarker,
    WorkflowDefinition,
    check_dynamic_handler,
    define_workflow,
    hints_of,
    is_async,
)
from statefun.workflows.endings import (
    ContinueAsNewError,
    NondeterminismError,
    ReadOnlyContextError,
)
from statefun.workflows.facts import (
    ActivityCancellationType,
    ChildWorkflowCancellationType,
    Info,
    ParentClosePolicy,
    ParentInfo,
    RootInfo,
    UpdateInfo,
)
from statefun.workflows.instance import (
    UnfinishedSignalHandlersWarning,
    UnfinishedUpdateHandlersWarning,
    current,
    current_or_none,
    current_update_info,
)
from statefun.workflows.interceptors import (
    ContinueAsNewInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
)
from statefun.workflows.logs import ContextLogger
from statefun.workflows.spans import seconds

if TYPE_CHECKING:
    import uuid
    from collections.abc import (
        Awaitable,
        Callable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from datetime import datetime, timedelta
    from random import Random
    from typing import Unpack

    from statefun.workflows.common import (
        RetryPolicy,
        SearchAttributes,
        SearchAttributeUpdate,
        TypedSearchAttributes,
    )
    from statefun.workflows.payloads import PayloadConverter

__all__ = [
    "ActivityCancellationType",
    "ActivityConfig",
    "ActivityHandle",
    "ChildWorkflowCancellationType",
    "ChildWorkflowConfig",
    "ChildWorkflowHandle",
    "ContinueAsNewError",
    "ExternalWorkflowHandle",
    "HandlerUnfinishedPolicy",
    "Info",
    "LocalActivityConfig",
    "LoggerAdapter",
    "NondeterminismError",
    "ParentClosePolicy",
    "ParentInfo",
    "ReadOnlyContextError",
    "RootInfo",
    "UnfinishedSignalHandlersWarning",
    "UnfinishedUpdateHandlersWarning",
    "UpdateInfo",
    "all_handlers_finished",
    "as_completed",
    "cancellation_reason",
    "continue_as_new",
    "current_update_info",
    "defn",
    "deprecate_patch",
    "execute_activity",
    "execute_activity_class",
    "execute_activity_method",
    "execute_child_workflow",
    "execute_local_activity",
    "execute_local_activity_class",
    "execute_local_activity_method",
    "get_current_details",
    "get_dynamic_query_handler",
    "get_dynamic_signal_handler",
    "get_dynamic_update_handler",
    "get_external_workflow_handle",
    "get_external_workflow_handle_for",
    "get_last_completion_result",
    "get_last_failure",
    "get_query_handler",
    "get_signal_handler",
    "get_update_handler",
    "has_last_completion_result",
    "in_workflow",
    "info",
    "init",
    "instance",
    "logger",
    "memo",
    "memo_value",
    "new_random",
    "now",
    "patched",
    "payload_converter",
    "query",
    "random",
    "run",
    "set_current_details",
    "set_dynamic_query_handler",
    "set_dynamic_signal_handler",
    "set_dynamic_update_handler",
    "set_query_handler",
    "set_signal_handler",
    "set_update_handler",
    "signal",
    "sleep",
    "start_activity",
    "start_activity_class",
    "start_activity_method",
    "start_child_workflow",
    "start_local_activity",
    "start_local_activity_class",
    "start_local_activity_method",
    "time",
    "time_ns",
    "unsafe",
    "update",
    "upsert_memo",
    "upsert_search_attributes",
    "uuid4",
    "wait",
    "wait_condition",
]

C = TypeVar("C", bound=type[Any])
F = TypeVar("F", bound="Callable[..., Any]")
T = TypeVar("T")
A_contra = TypeVar("A_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")

LoggerAdapter = ContextLogger
ActivityHandle = asyncio.Task
"""An activity that was started: a task, to be awaited or cancelled."""

_NO_PRIORITY = Priority()


# --- definitions ----------------------------------------------------------------------------------


@overload
def defn(cls: C) -> C: ...
@overload
def defn(
    *,
    name: str | None = None,
    sandboxed: bool = True,
    dynamic: bool = False,
    failure_exception_types: Sequence[type[BaseException]] = (),
) -> Callable[[C], C]: ...


def defn(
    cls: type[Any] | None = None,
    *,
    name: str | None = None,
    sandboxed: bool = True,
    dynamic: bool = False,
    failure_exception_types: Sequence[type[BaseException]] = (),
) -> Any:
    """Make a class a workflow.

    Args:
        cls: The class, if this is used without parentheses.
        name: The name of its type; None for the class's.
        sandboxed: Accepted and ignored: guards take the place of a sandbox.
        dynamic: Whether it takes all types that have no class; its main method has one parameter, a
            `Sequence[RawValue]`.
        failure_exception_types: What else than failures ends a run as failed; other exceptions are
            faults of the code, and the run goes on once that is mended.

    Raises:
        ValueError: If it cannot be a workflow, with all reasons.
    """
    del sandboxed

    def decorate(given: type[Any]) -> type[Any]:
        define_workflow(
            given, name, is_dynamic=dynamic, failure_exception_types=failure_exception_types
        )
        return given

    return decorate if cls is None else decorate(cls)


def run(fn: F) -> F:
    """Make a method the main method of its workflow.

    Raises:
        ValueError: If it is not async, or its class stands inside of a function.
    """
    if not inspect.iscoroutinefunction(fn):
        raise ValueError("Workflow run method must be an async function")
    if "<locals>" in fn.__qualname__:
        raise ValueError("Local classes unsupported, @workflow.run cannot be on a local class")
    setattr(fn, RUN, True)
    return fn


def init(init_fn: F) -> F:
    """Let `__init__` have the arguments of the main method.

    Raises:
        ValueError: If it is another method.
    """
    if init_fn.__name__ != "__init__":
        raise ValueError("@workflow.init may only be used on the __init__ method")
    setattr(init_fn, INIT, True)
    return init_fn


@overload
def signal(fn: F) -> F: ...
@overload
def signal(
    *,
    name: str | None = None,
    dynamic: bool = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Callable[[F], F]: ...


def signal(
    fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    dynamic: bool = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Any:
    """Make a method the handler of a signal.

    Args:
        fn: The method, if this is used without parentheses.
        name: The name of the signal; None for the method's.
        dynamic: Whether it takes all signals that have no handler.
        unfinished_policy: What is said if it still runs when the workflow ends.
        description: A sentence about it.

    Raises:
        RuntimeError: If it has a name and takes all, or its parameters do not fit.
    """

    def decorate(function: Any) -> Any:
        definition = SignalDefinition(
            _message_name(function, name, dynamic=dynamic),
            function,
            is_method=True,
            hints=hints_of(function, is_method=True),
            unfinished_policy=unfinished_policy,
            description=description,
        )
        setattr(function, MESSAGE, definition)
        return function

    _check_names(name, dynamic=dynamic)
    return decorate if fn is None else decorate(fn)


@overload
def query(fn: F) -> F: ...
@overload
def query(
    *, name: str | None = None, dynamic: bool = False, description: str | None = None
) -> Callable[[F], F]: ...


def query(
    fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    dynamic: bool = False,
    description: str | None = None,
) -> Any:
    """Make a method the handler of a query, which changes nothing.

    Args:
        fn: The method, if this is used without parentheses.
        name: The name of the query; None for the method's.
        dynamic: Whether it takes all queries that have no handler.
        description: A sentence about it.

    Raises:
        RuntimeError: If it has a name and takes all, or its parameters do not fit.
    """

    def decorate(function: Any) -> Any:
        if is_async(function):
            import warnings  # noqa: PLC0415 - seldom

            warnings.warn(
                "Queries as async def functions are deprecated", DeprecationWarning, stacklevel=2
            )
        definition = QueryDefinition(
            _message_name(function, name, dynamic=dynamic),
            function,
            is_method=True,
            hints=hints_of(function, is_method=True),
            description=description,
        )
        setattr(function, MESSAGE, definition)
        return function

    _check_names(name, dynamic=dynamic)
    return decorate if fn is None else decorate(fn)


class UpdateMethod(Protocol[F]):
    """A method that handles an update; its `validator` decorates what refuses updates."""

    __call__: F

    def validator(self, fn: T) -> T:
        """Decorate the validator of the update."""
        ...


@overload
def update(fn: F) -> UpdateMethod[F]: ...
@overload
def update(
    *,
    name: str | None = None,
    dynamic: bool = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Callable[[F], UpdateMethod[F]]: ...


def update(
    fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    dynamic: bool = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Any:
    """Make a method the handler of an update, whose sender gets its result.

    Args:
        fn: The method, if this is used without parentheses.
        name: The name of the update; None for the method's.
        dynamic: Whether it takes all updates that have no handler.
        unfinished_policy: What is said if it still runs when the workflow ends.
        description: A sentence about it.

    Raises:
        RuntimeError: If it has a name and takes all, or its parameters do not fit.
    """

    def decorate(function: Any) -> Any:
        definition = UpdateDefinition(
            _message_name(function, name, dynamic=dynamic),
            function,
            is_method=True,
            hints=hints_of(function, is_method=True),
            unfinished_policy=unfinished_policy,
            description=description,
        )
        marker = UpdateMarker(definition)
        setattr(function, MESSAGE, marker)
        function.validator = marker.set_validator
        return function

    _check_names(name, dynamic=dynamic)
    return decorate if fn is None else decorate(fn)


def _check_names(name: str | None, *, dynamic: bool) -> None:
    if name is not None and dynamic:
        raise RuntimeError("Cannot provide name and dynamic boolean")


def _message_name(function: Any, name: str | None, *, dynamic: bool) -> str | None:
    if dynamic:
        check_dynamic_handler(function, is_method=True)
        return None
    return str(function.__name__) if name is None else name


# --- activities -----------------------------------------------------------------------------------


class ActivityConfig(TypedDict, total=False):
    """The options of an activity's call; see `start_activity`."""

    task_queue: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cancellation_type: ActivityCancellationType
    activity_id: str | None
    versioning_intent: None
    summary: str | None
    priority: Priority


class LocalActivityConfig(TypedDict, total=False):
    """The options of a local activity's call; see `start_local_activity`."""

    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    local_retry_threshold: timedelta | None
    cancellation_type: ActivityCancellationType
    activity_id: str | None
    summary: str | None


def _start_activity(
    activity: Any,
    arg: Any,
    args: Sequence[Any],
    result_type: type[Any] | None,
    options: ActivityConfig,
) -> asyncio.Task[Any]:
    name, hints, result = _named_activity(activity)
    given = StartActivityInput(
        activity=name,
        args=arguments_of(arg, args),
        activity_id=options.get("activity_id"),
        task_queue=options.get("task_queue"),
        schedule_to_close_timeout=options.get("schedule_to_close_timeout"),
        schedule_to_start_timeout=options.get("schedule_to_start_timeout"),
        start_to_close_timeout=options.get("start_to_close_timeout"),
        heartbeat_timeout=options.get("heartbeat_timeout"),
        retry_policy=options.get("retry_policy"),
        cancellation_type=options.get("cancellation_type", ActivityCancellationType.TRY_CANCEL),
        headers={},
        summary=options.get("summary"),
        priority=options.get("priority", _NO_PRIORITY),
        arg_types=hints,
        ret_type=result_type or result,
    )
    return current().outbound.start_activity(given)


def _start_local_activity(
    activity: Any,
    arg: Any,
    args: Sequence[Any],
    result_type: type[Any] | None,
    options: LocalActivityConfig,
) -> asyncio.Task[Any]:
    name, hints, result = _named_activity(activity)
    given = StartLocalActivityInput(
        activity=name,
        args=arguments_of(arg, args),
        activity_id=options.get("activity_id"),
        schedule_to_close_timeout=options.get("schedule_to_close_timeout"),
        schedule_to_start_timeout=options.get("schedule_to_start_timeout"),
        start_to_close_timeout=options.get("start_to_close_timeout"),
        retry_policy=options.get("retry_policy"),
        local_retry_threshold=options.get("local_retry_threshold"),
        cancellation_type=options.get("cancellation_type", ActivityCancellationType.TRY_CANCEL),
        headers={},
        summary=options.get("summary"),
        arg_types=hints,
        ret_type=result_type or result,
    )
    return current().outbound.start_local_activity(given)


def _named_activity(activity: Any) -> tuple[str, list[Any] | None, Any]:
    """The name of an activity, the types of its parameters and of its result."""
    if isinstance(activity, str):
        return activity, None, None
    if not callable(activity):
        raise TypeError("Activity must be a string or callable")
    definition = ActivityDefinition.of(activity)
    if definition.name is None:
        raise ValueError("Cannot invoke dynamic activity explicitly")
    return definition.name, list(definition.hints.arguments), definition.hints.result


@overload
def start_activity(
    activity: Callable[[], Awaitable[R]], **options: Unpack[ActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_activity(
    activity: Callable[[], R], **options: Unpack[ActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_activity(
    activity: Callable[[T], Awaitable[R]], arg: T, **options: Unpack[ActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_activity(
    activity: Callable[[T], R], arg: T, **options: Unpack[ActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_activity(
    activity: Callable[..., Awaitable[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[ActivityConfig],
) -> asyncio.Task[R]: ...
@overload
def start_activity(
    activity: Callable[..., R], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_activity(
    activity: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type[Any] | None = ...,
    **options: Unpack[ActivityConfig],
) -> asyncio.Task[Any]: ...


def start_activity(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    result_type: type[Any] | None = None,
    **options: Unpack[ActivityConfig],
) -> asyncio.Task[Any]:
    """Start an activity.

    Args:
        activity: The function, or the name of its type.
        arg: Its argument.
        args: Its arguments, if there are several.
        result_type: The type of its result, where a name is given.
        **options: `start_to_close_timeout`, how long an attempt may take, or
            `schedule_to_close_timeout`, how long all together may, is needed; also
            `schedule_to_start_timeout`, how long it may wait for a worker; `heartbeat_timeout`, how
            long it may be silent; `retry_policy`; `task_queue`, None for that of the workflow;
            `cancellation_type`, what is waited for when it is cancelled; `activity_id`, `summary`
            and `priority`.

    Returns:
        A task; awaiting it gives the result, cancelling it cancels the activity.

    Raises:
        ValueError: If a time-out is missing, or both `arg` and `args` are given.
        TypeError: If it is not an activity.
    """
    return _start_activity(activity, arg, args, result_type, options)


@overload
async def execute_activity(
    activity: Callable[[], Awaitable[R]], **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity(activity: Callable[[], R], **options: Unpack[ActivityConfig]) -> R: ...
@overload
async def execute_activity(
    activity: Callable[[T], Awaitable[R]], arg: T, **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity(
    activity: Callable[[T], R], arg: T, **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity(
    activity: Callable[..., Awaitable[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[ActivityConfig],
) -> R: ...
@overload
async def execute_activity(
    activity: Callable[..., R], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity(
    activity: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type[Any] | None = ...,
    **options: Unpack[ActivityConfig],
) -> Any: ...


async def execute_activity(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    result_type: type[Any] | None = None,
    **options: Unpack[ActivityConfig],
) -> Any:
    """Run an activity and wait for its result; see `start_activity`.

    Raises:
        ActivityError: If it has failed, was cancelled, or took too long; its cause says how.
    """
    return await _start_activity(activity, arg, args, result_type, options)


@overload
def start_activity_method(
    activity: Callable[[S], Awaitable[R]], **options: Unpack[ActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_activity_method(
    activity: Callable[[S], R], **options: Unpack[ActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_activity_method(
    activity: Callable[[S, T], Awaitable[R]], arg: T, **options: Unpack[ActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_activity_method(
    activity: Callable[[S, T], R], arg: T, **options: Unpack[ActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_activity_method(
    activity: Callable[..., Awaitable[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[ActivityConfig],
) -> asyncio.Task[R]: ...
@overload
def start_activity_method(
    activity: Callable[..., R], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> asyncio.Task[R]: ...


def start_activity_method(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    **options: Unpack[ActivityConfig],
) -> asyncio.Task[Any]:
    """Start an activity that is a method, named by its class; see `start_activity`."""
    return _start_activity(activity, arg, args, None, options)


@overload
async def execute_activity_method(
    activity: Callable[[S], Awaitable[R]], **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity_method(
    activity: Callable[[S], R], **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity_method(
    activity: Callable[[S, T], Awaitable[R]], arg: T, **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity_method(
    activity: Callable[[S, T], R], arg: T, **options: Unpack[ActivityConfig]
) -> R: ...
@overload
async def execute_activity_method(
    activity: Callable[..., Awaitable[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[ActivityConfig],
) -> R: ...
@overload
async def execute_activity_method(
    activity: Callable[..., R], *, args: Sequence[Any], **options: Unpack[ActivityConfig]
) -> R: ...


async def execute_activity_method(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    **options: Unpack[ActivityConfig],
) -> Any:
    """Run an activity that is a method, named by its class; see `start_activity`."""
    return await _start_activity(activity, arg, args, None, options)


def start_activity_class(
    activity: type[Callable[..., Any]],
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    **options: Unpack[ActivityConfig],
) -> asyncio.Task[Any]:
    """Start an activity that is the `__call__` of a class; see `start_activity`."""
    return _start_activity(activity, arg, args, None, options)


async def execute_activity_class(
    activity: type[Callable[..., Any]],
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    **options: Unpack[ActivityConfig],
) -> Any:
    """Run an activity that is the `__call__` of a class; see `start_activity`."""
    return await _start_activity(activity, arg, args, None, options)


# --- local activities -----------------------------------------------------------------------------


@overload
def start_local_activity(
    activity: Callable[[], Awaitable[R]], **options: Unpack[LocalActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_local_activity(
    activity: Callable[[], R], **options: Unpack[LocalActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_local_activity(
    activity: Callable[[T], Awaitable[R]], arg: T, **options: Unpack[LocalActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_local_activity(
    activity: Callable[[T], R], arg: T, **options: Unpack[LocalActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_local_activity(
    activity: Callable[..., Awaitable[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[LocalActivityConfig],
) -> asyncio.Task[R]: ...
@overload
def start_local_activity(
    activity: Callable[..., R], *, args: Sequence[Any], **options: Unpack[LocalActivityConfig]
) -> asyncio.Task[R]: ...
@overload
def start_local_activity(
    activity: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type[Any] | None = ...,
    **options: Unpack[LocalActivityConfig],
) -> asyncio.Task[Any]: ...


def start_local_activity(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    result_type: type[Any] | None = None,
    **options: Unpack[LocalActivityConfig],
) -> asyncio.Task[Any]:
    """Start an activity that the worker of the workflow runs itself, for what is short.

    It has no task queue and no heartbeats; see `start_activity` for the rest.
    """
    return _start_local_activity(activity, arg, args, result_type, options)


@overload
async def execute_local_activity(
    activity: Callable[[], Awaitable[R]], **options: Unpack[LocalActivityConfig]
) -> R: ...
@overload
async def execute_local_activity(
    activity: Callable[[], R], **options: Unpack[LocalActivityConfig]
) -> R: ...
@overload
async def execute_local_activity(
    activity: Callable[[T], Awaitable[R]], arg: T, **options: Unpack[LocalActivityConfig]
) -> R: ...
@overload
async def execute_local_activity(
    activity: Callable[[T], R], arg: T, **options: Unpack[LocalActivityConfig]
) -> R: ...
@overload
async def execute_local_activity(
    activity: Callable[..., Awaitable[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[LocalActivityConfig],
) -> R: ...
@overload
async def execute_local_activity(
    activity: Callable[..., R], *, args: Sequence[Any], **options: Unpack[LocalActivityConfig]
) -> R: ...
@overload
async def execute_local_activity(
    activity: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type[Any] | None = ...,
    **options: Unpack[LocalActivityConfig],
) -> Any: ...


async def execute_local_activity(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    result_type: type[Any] | None = None,
    **options: Unpack[LocalActivityConfig],
) -> Any:
    """Run a local activity and wait for its result; see `start_local_activity`.

    Raises:
        ApplicationError: By which its last attempt has failed.
        ActivityError: If it took too long.
    """
    return await _start_local_activity(activity, arg, args, result_type, options)


def start_local_activity_method(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    **options: Unpack[LocalActivityConfig],
) -> asyncio.Task[Any]:
    """Start a local activity that is a method; see `start_local_activity`."""
    return _start_local_activity(activity, arg, args, None, options)


async def execute_local_activity_method(
    activity: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    **options: Unpack[LocalActivityConfig],
) -> Any:
    """Run a local activity that is a method; see `start_local_activity`."""
    return await _start_local_activity(activity, arg, args, None, options)


start_local_activity_class = start_local_activity_method
execute_local_activity_class = execute_local_activity_method


# --- other workflows ------------------------------------------------------------------------------


class ChildWorkflowConfig(TypedDict, total=False):
    """The options of a child workflow; see `start_child_workflow`."""

    id: str | None
    task_queue: str | None
    cancellation_type: ChildWorkflowCancellationType
    parent_close_policy: ParentClosePolicy
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: TypedSearchAttributes | SearchAttributes | None
    versioning_intent: None
    static_summary: str | None
    static_details: str | None
    priority: Priority


async def _start_child(
    workflow: Any,
    arg: Any,
    args: Sequence[Any],
    result_type: type[Any] | None,
    options: ChildWorkflowConfig,
) -> ChildWorkflowHandle:
    name, hints, result = _named_workflow(workflow)
    given = StartChildWorkflowInput(
        workflow=name,
        args=arguments_of(arg, args),
        id=options.get("id") or str(uuid4()),
        task_queue=options.get("task_queue"),
        cancellation_type=options.get(
            "cancellation_type", ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED
        ),
        parent_close_policy=options.get("parent_close_policy", ParentClosePolicy.TERMINATE),
        execution_timeout=options.get("execution_timeout"),
        run_timeout=options.get("run_timeout"),
        task_timeout=options.get("task_timeout"),
        id_reuse_policy=options.get("id_reuse_policy", WorkflowIDReusePolicy.ALLOW_DUPLICATE),
        retry_policy=options.get("retry_policy"),
        cron_schedule=options.get("cron_schedule", ""),
        memo=options.get("memo"),
        search_attributes=options.get("search_attributes"),
        headers={},
        static_summary=options.get("static_summary"),
        static_details=options.get("static_details"),
        priority=options.get("priority", _NO_PRIORITY),
        arg_types=hints,
        ret_type=result_type or result,
    )
    return cast("ChildWorkflowHandle", await current().outbound.start_child_workflow(given))


def _named_workflow(workflow: Any) -> tuple[str, list[Any] | None, Any]:
    """The name of a workflow, the types of its parameters and of its result."""
    if isinstance(workflow, str):
        return workflow, None, None
    if not callable(workflow):
        raise TypeError("Workflow must be a string or callable")
    name, hints = WorkflowDefinition.of_run(workflow)
    return name, list(hints.arguments), hints.result


@overload
async def start_child_workflow(
    workflow: Callable[[S], Awaitable[R]], **options: Unpack[ChildWorkflowConfig]
) -> ChildWorkflowHandle: ...
@overload
async def start_child_workflow(
    workflow: Callable[[S, T], Awaitable[R]], arg: T, **options: Unpack[ChildWorkflowConfig]
) -> ChildWorkflowHandle: ...
@overload
async def start_child_workflow(
    workflow: Callable[..., Awaitable[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle: ...
@overload
async def start_child_workflow(
    workflow: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type[Any] | None = ...,
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle: ...


async def start_child_workflow(
    workflow: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    result_type: type[Any] | None = None,
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle:
    """Start a child workflow; returns once it has started.

    Args:
        workflow: Its main method, or the name of its type.
        arg: Its argument.
        args: Its arguments, if there are several.
        result_type: The type of its result, where a name is given.
        **options: `id`, None for a new UUID; `task_queue`, None for that of this workflow;
            `parent_close_policy`, what becomes of it when this workflow ends; `cancellation_type`,
            what is waited for when it is cancelled; time-outs, `id_reuse_policy`, `retry_policy`,
            `cron_schedule`, `memo`, `search_attributes`, `static_summary`, `static_details` and
            `priority`.

    Returns:
        A task; awaiting it gives the result, cancelling it cancels the child.

    Raises:
        WorkflowAlreadyStartedError: If its id runs already.
    """
    return await _start_child(workflow, arg, args, result_type, options)


@overload
async def execute_child_workflow(
    workflow: Callable[[S], Awaitable[R]], **options: Unpack[ChildWorkflowConfig]
) -> R: ...
@overload
async def execute_child_workflow(
    workflow: Callable[[S, T], Awaitable[R]], arg: T, **options: Unpack[ChildWorkflowConfig]
) -> R: ...
@overload
async def execute_child_workflow(
    workflow: Callable[..., Awaitable[R]],
    *,
    args: Sequence[Any],
    **options: Unpack[ChildWorkflowConfig],
) -> R: ...
@overload
async def execute_child_workflow(
    workflow: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type[Any] | None = ...,
    **options: Unpack[ChildWorkflowConfig],
) -> Any: ...


async def execute_child_workflow(
    workflow: Any,
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    result_type: type[Any] | None = None,
    **options: Unpack[ChildWorkflowConfig],
) -> Any:
    """Start a child workflow and wait for its result; see `start_child_workflow`.

    Raises:
        ChildWorkflowError: If it has failed; its cause says how.
    """
    return await (await _start_child(workflow, arg, args, result_type, options))


def get_external_workflow_handle(
    workflow_id: str, *, run_id: str | None = None
) -> ExternalWorkflowHandle:
    """Another workflow of the namespace, to signal or cancel it.

    Args:
        workflow_id: Its id.
        run_id: Its run; None for whichever is the current one.
    """
    return ExternalWorkflowHandle(current(), workflow_id, run_id)


def get_external_workflow_handle_for(
    workflow: Callable[..., Awaitable[Any]],
    workflow_id: str,
    *,
    run_id: str | None = None,
) -> ExternalWorkflowHandle:
    """Another workflow of a known type; see `get_external_workflow_handle`."""
    del workflow
    return get_external_workflow_handle(workflow_id, run_id=run_id)


def continue_as_new(
    arg: Any = UNSET,
    *,
    args: Sequence[Any] = (),
    workflow: Callable[..., Any] | str | None = None,
    task_queue: str | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    backoff_start_interval: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    memo: Mapping[str, Any] | None = None,
    search_attributes: TypedSearchAttributes | SearchAttributes | None = None,
) -> NoReturn:
    """End this run and go on as a new one, with an empty history.

    Args:
        arg: The argument of the new run.
        args: Its arguments, if there are several.
        workflow: Its main method or the name of its type; None for this one.
        task_queue: Its task queue; None for this one.
        run_timeout: How long it may take; None for as long as this one.
        task_timeout: Accepted; None for that of this one.
        backoff_start_interval: How long it waits before it begins.
        retry_policy: Its retry policy; None for this one's.
        memo: Its memo; None for this one's.
        search_attributes: Its search attributes; None for this one's.

    Raises:
        ContinueAsNewError: Always; it is not an `Exception`.
    """
    name = None if workflow is None else _named_workflow(workflow)[0]
    current().outbound.continue_as_new(
        ContinueAsNewInput(
            workflow=name,
            args=arguments_of(arg, args),
            task_queue=task_queue,
            run_timeout=run_timeout,
            task_timeout=task_timeout,
            retry_policy=retry_policy,
            memo=memo,
            search_attributes=search_attributes,
            headers={},
            backoff_start_interval=backoff_start_interval,
        )
    )


# --- waiting and time -----------------------------------------------------------------------------


async def sleep(duration: float | timedelta, *, summary: str | None = None) -> None:
    """Sleep, however long: nothing but a timer remains meanwhile.

    Args:
        duration: How long, as seconds or a span.
        summary: A sentence about it.

    Raises:
        RuntimeError: If it is negative.
    """
    del summary
    instance = current()
    length = seconds(duration)
    if length < 0:
        raise RuntimeError("Attempting to schedule timer with negative delay")
    instance.check_writable("start timer")
    future = instance.run.loop.create_future()
    handle = instance.run.loop.call_later(length, _set, future)
    try:
        await future
    finally:
        handle.cancel()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def wait_condition(
    fn: Callable[[], bool],
    *,
    timeout: timedelta | float | None = None,  # noqa: ASYNC109 - the peer's name
    timeout_summary: str | None = None,
) -> None:
    """Wait until something is true.

    Args:
        fn: Says whether it is; it is called often, and changes nothing.
        timeout: How long to wait.
        timeout_summary: A sentence about that.

    Raises:
        TimeoutError: If it takes longer; it is the one of Python.
    """
    del timeout_summary
    await current().wait_condition(fn, None if timeout is None else seconds(timeout))


def now() -> datetime:
    """The time of the event that is being told, in UTC; it stands still in between."""
    from datetime import UTC, datetime  # noqa: PLC0415 - for type checkers alone elsewhere

    return datetime.fromtimestamp(time(), UTC)


def time() -> float:
    """The time of the event that is being told, in seconds since 1970."""
    return current().run.now_ms / 1000


def time_ns() -> int:
    """The time of the event that is being told, in nanoseconds since 1970."""
    return current().run.now_ms * 1_000_000


async def wait(
    fs: Iterable[asyncio.Future[T]] | Iterable[asyncio.Task[T]],
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - as asyncio has it
    return_when: str = asyncio.ALL_COMPLETED,
) -> tuple[list[asyncio.Future[T]], list[asyncio.Future[T]]]:
    """Wait for some tasks or futures, as `asyncio.wait`; both lists are in the order given."""
    given: list[asyncio.Future[T]] = list(dict.fromkeys(fs))
    done, _ = await asyncio.wait(given, timeout=timeout, return_when=return_when)
    return [each for each in given if each in done], [each for each in given if each not in done]


def as_completed(
    fs: Iterable[Awaitable[T]],
    *,
    timeout: float | None = None,
) -> Iterator[Awaitable[T]]:
    """Tasks or futures in the order in which they end, as `asyncio.as_completed`."""
    return asyncio.as_completed(fs, timeout=timeout)


# --- itself ---------------------------------------------------------------------------------------


def in_workflow() -> bool:
    """Whether this code is called by a workflow."""
    return current_or_none() is not None


def info() -> Info:
    """What the run knows of itself."""
    return current().outbound.info()


def instance() -> Any:
    """The object of the workflow's class."""
    return current().object


def cancellation_reason() -> str | None:
    """Why the workflow is asked to cancel; None if it is not."""
    return current().cancellation_reason


def all_handlers_finished() -> bool:
    """Whether no handler of a signal or an update runs; what to wait for before the end."""
    return current().all_handlers_finished()


def random() -> Random:
    """Random numbers of the run, which a replay draws again."""
    found = current()
    found.check_writable("random")
    return found.run.random


def new_random() -> Random:
    """A new source of random numbers, seeded by that of the run."""
    from random import Random as Source  # noqa: PLC0415 - for type checkers alone elsewhere

    return Source(random().getrandbits(64))  # noqa: S311 - to be repeated


def uuid4() -> uuid.UUID:
    """A UUID of version 4, which a replay draws again."""
    found = current()
    found.check_writable("random")
    return found.new_uuid()


def patched(id: str) -> bool:  # noqa: A002 - the peer's name
    """Whether the code after a change runs; runs that began before the change get the old one.

    Args:
        id: Names the change.
    """
    return current().patched(id)


def deprecate_patch(id: str) -> None:  # noqa: A002 - the peer's name
    """Say that all runs have the change by now; the next version may leave this out.

    Args:
        id: Names the change.
    """
    current().patched(id)


def memo() -> Mapping[str, Any]:
    """The memo: facts about the workflow for whoever lists it."""
    found = current()
    return {name: found.payloads.from_payload(each) for name, each in found.memo.items()}


def memo_value(key: str, default: Any = UNSET, *, type_hint: type[Any] | None = None) -> Any:
    """A value of the memo.

    Args:
        key: Its name.
        default: What is returned if there is none.
        type_hint: Its type.

    Raises:
        KeyError: If there is none, and no default.
    """
    found = current()
    payload = found.memo.get(key)
    if payload is None:
        if default is UNSET:
            raise KeyError(f"Memo does not have a value for key {key}")
        return default
    return found.payloads.from_payload(payload, type_hint)


def upsert_search_attributes(
    attributes: Sequence[SearchAttributeUpdate[Any]] | SearchAttributes,
) -> None:
    """Change the search attributes, by which clients find the workflow.

    Args:
        attributes: Changes, made by `SearchAttributeKey.value_set` and `value_unset`; or lists of
            values by names, of which an empty one removes.

    Raises:
        TypeError: If a value is not of the type of its key.
        ValueError: If it is a time without a time zone.
    """
    current().upsert_search_attributes(attributes)


def upsert_memo(updates: Mapping[str, Any]) -> None:
    """Change the memo.

    Args:
        updates: Name → value; None removes.
    """
    current().upsert_memo(updates)


def get_last_completion_result(type_hint: type[Any] | None = None) -> Any:
    """The result of the run before, of a workflow with a cron expression; None if there is none."""
    found = current()
    payloads = list(found.start.last_result.payloads)
    return found.payloads.from_payload(payloads[0], type_hint) if payloads else None


def has_last_completion_result() -> bool:
    """Whether the run before had a result."""
    return bool(current().start.last_result.payloads)


def get_last_failure() -> BaseException | None:
    """What the run before failed by; None if it did not."""
    found = current()
    if not found.start.HasField("last_failure"):
        return None
    return found.read_failure(found.start.last_failure)


def set_current_details(description: str) -> None:
    """Say how the run stands, for whoever describes it."""
    found = current()
    found.check_writable("set current details")
    found.current_details = description


def get_current_details() -> str:
    """How the run stands, as it was said last."""
    return current().current_details


def payload_converter() -> PayloadConverter:
    """The payload converter of the worker, without its codec."""
    return current().converter.payload_converter


# --- handlers that are set while it runs ----------------------------------------------------------


def get_signal_handler(name: str) -> Callable[..., Any] | None:
    """The handler of a signal; None if there is none."""
    return current().handler("signals", name)


def set_signal_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Set the handler of a signal, or remove it by None; signals that wait for it are handled."""
    current().set_signal_handler(name, handler)


def get_dynamic_signal_handler() -> Callable[..., Any] | None:
    """The handler of all signals that have none; None if there is none."""
    return current().handler("signals", None)


def set_dynamic_signal_handler(handler: Callable[..., Any] | None) -> None:
    """Set the handler of all signals that have none, or remove it by None."""
    current().set_signal_handler(None, handler)


def get_query_handler(name: str) -> Callable[..., Any] | None:
    """The handler of a query; None if there is none."""
    return current().handler("queries", name)


def set_query_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Set the handler of a query, or remove it by None."""
    current().set_query_handler(name, handler)


def get_dynamic_query_handler() -> Callable[..., Any] | None:
    """The handler of all queries that have none; None if there is none."""
    return current().handler("queries", None)


def set_dynamic_query_handler(handler: Callable[..., Any] | None) -> None:
    """Set the handler of all queries that have none, or remove it by None."""
    current().set_query_handler(None, handler)


def get_update_handler(name: str) -> Callable[..., Any] | None:
    """The handler of an update; None if there is none."""
    return current().handler("updates", name)


def set_update_handler(
    name: str,
    handler: Callable[..., Any] | None,
    *,
    validator: Callable[..., Any] | None = None,
) -> None:
    """Set the handler of an update and its validator, or remove them by None."""
    current().set_update_handler(name, handler, validator)


def get_dynamic_update_handler() -> Callable[..., Any] | None:
    """The handler of all updates that have none; None if there is none."""
    return current().handler("updates", None)


def set_dynamic_update_handler(
    handler: Callable[..., Any] | None, *, validator: Callable[..., Any] | None = None
) -> None:
    """Set the handler of all updates that have none, or remove it by None."""
    current().set_update_handler(None, handler, validator)


# --- the rest -------------------------------------------------------------------------------------


class unsafe:  # noqa: N801 - the peer's name
    """What goes around the rules, or looks behind them."""

    @staticmethod
    def is_replaying() -> bool:
        """Whether the code repeats what it has done before."""
        return current().run.is_replaying

    @staticmethod
    def is_replaying_history_events() -> bool:
        """Whether the code repeats what it has done before, and no query is answered."""
        found = current()
        return found.run.is_replaying and not found.is_read_only

    @staticmethod
    def is_read_only() -> bool:
        """Whether a query or a validator runs."""
        return current().is_read_only

    @staticmethod
    def in_sandbox() -> bool:
        """Never: guards take the place of a sandbox."""
        return False

    @staticmethod
    @contextmanager
    def imports_passed_through() -> Iterator[None]:
        """Accepted, and changes nothing: no module is imported twice."""
        yield

    @staticmethod
    @contextmanager
    def sandbox_unrestricted() -> Iterator[None]:
        """While in the block, let the guards pass everything."""
        found = current_or_none()
        if found is None:
            yield
            return
        with found.run.loop.unguarded():
            yield


def _facts() -> Mapping[str, Any] | None:
    found = current_or_none()
    if found is None:
        return None
    known = found.info
    return {
        "attempt": known.attempt,
        "namespace": known.namespace,
        "run_id": known.run_id,
        "task_queue": known.task_queue,
        "workflow_id": known.workflow_id,
        "workflow_type": known.workflow_type,
    }


def _is_silent() -> bool:
    return current().run.is_replaying


logger = ContextLogger("statefun.workflows.workflow", _facts, "temporal_workflow", _is_silent)
"""A logger that is silent in a replay; its texts say which workflow logs."""
