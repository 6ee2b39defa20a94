"""The names, modules and parameters that programs for Restate's SDK use."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

from statefun import durable

NAMES = {
    "": (
        "Service VirtualObject Workflow Context ObjectContext ObjectSharedContext WorkflowContext "
        "WorkflowSharedContext ScopedContext DurablePromise RestateDurableFuture "
        "RestateDurableCallFuture RestateDurableSleepFuture SendHandle RunOptions "
        "InvocationRetryPolicy JournalValueCodec JournalValueCodecProvider TerminalError "
        "HttpError SdkInternalBaseException "
        "is_internal_exception app gather select as_completed wait_completed RestateClient "
        "RestateClientSendHandle create_client create_test_harness test_harness "
        "HarnessEnvironment getLogger RestateLoggingFilter logging"
    ),
    ".exceptions": (
        "TerminalError RetryableError SdkInternalBaseException SuspendedException "
        "SdkInternalException is_internal_exception"
    ),
    ".serde": "Serde BytesSerde JsonSerde DefaultSerde PydanticJsonSerde MsgspecJsonSerde",
    ".context_managers": "contextvar",
    ".extensions": "current_context contextvar",
    ".retry_policy": "InvocationRetryPolicy",
    ".context": "Request HandlerType RunAction KeyValueStore AttemptFinishedEvent",
    ".handler": "handler_from_callable Handler HandlerIO ServiceTag TypeHint",
    ".service": "Service",
    ".object": "VirtualObject",
    ".workflow": "Workflow",
    ".endpoint": "app Endpoint",
    ".client": "create_client",
    ".client_types": "RestateClient RestateClientSendHandle HttpError",
    ".logging": "getLogger RestateLoggingFilter",
    ".types": "HarnessEnvironment",
    ".harness": "create_test_harness test_harness",
    ".asyncio": "gather select as_completed wait_completed",
}

TIMES = "inactivity_timeout abort_timeout journal_retention"
SERVICE = (
    f"name description metadata {TIMES} idempotency_retention ingress_private "
    "invocation_retry_policy invocation_context_managers"
)
OBJECT = SERVICE.replace("ingress_private", "enable_lazy_state ingress_private")
IO = "accept content_type input_serde output_serde metadata"
INTERVALS = "initial_retry_interval max_retry_interval retry_interval_factor"
LAST = "ingress_private invocation_retry_policy invocation_context_managers"

# A callable → its parameters there, in their order; ours may follow as keywords.
PARAMETERS: list[tuple[Any, str]] = [
    (durable.Service, SERVICE),
    (durable.VirtualObject, OBJECT),
    (durable.Workflow, OBJECT),
    (durable.Service.handler, f"self name {IO} {TIMES} idempotency_retention {LAST}"),
    (
        durable.VirtualObject.handler,
        f"self name kind {IO} {TIMES} idempotency_retention enable_lazy_state {LAST}",
    ),
    (durable.Workflow.main, f"self name {IO} {TIMES} workflow_retention enable_lazy_state {LAST}"),
    (
        durable.Workflow.handler,
        f"self name {IO} {TIMES} idempotency_retention enable_lazy_state {LAST}",
    ),
    (durable.app, "services protocol identity_keys journal_value_codec"),
    (
        durable.RunOptions,
        f"serde type_hint max_attempts max_duration {INTERVALS} max_retry_duration",
    ),
    (
        durable.InvocationRetryPolicy,
        "initial_interval exponentiation_factor max_interval max_attempts on_max_attempts",
    ),
    (durable.TerminalError, "message status_code metadata"),
    (durable.RetryableError, "message status_code retry_after"),
    (durable.HttpError, "status_code message body"),
    (
        durable.Context.run,
        "self name action serde max_attempts max_retry_duration type_hint args",
    ),
    (durable.Context.run_typed, "self name action options args kwargs"),
    (durable.Context.sleep, "self delta name"),
    (durable.Context.service_call, "self tpe arg idempotency_key headers"),
    (durable.Context.service_send, "self tpe arg send_delay idempotency_key headers"),
    (durable.Context.object_call, "self tpe key arg idempotency_key headers"),
    (durable.Context.object_send, "self tpe key arg send_delay idempotency_key headers"),
    (durable.Context.workflow_call, "self tpe key arg idempotency_key headers"),
    (durable.Context.workflow_send, "self tpe key arg send_delay idempotency_key headers"),
    (
        durable.Context.generic_call,
        "self service handler arg key idempotency_key headers scope limit_key",
    ),
    (
        durable.Context.generic_send,
        "self service handler arg key send_delay idempotency_key headers scope limit_key",
    ),
    (durable.Context.awakeable, "self serde type_hint"),
    (durable.Context.resolve_awakeable, "self name value serde"),
    (durable.Context.reject_awakeable, "self name failure_message failure_code"),
    (durable.Context.signal, "self name serde type_hint"),
    (durable.Context.resolve_signal, "self invocation_id name value serde"),
    (durable.Context.reject_signal, "self invocation_id name failure_message failure_code"),
    (durable.Context.cancel_invocation, "self invocation_id"),
    (durable.Context.attach_invocation, "self invocation_id serde type_hint"),
    (durable.ObjectContext.get, "self name serde type_hint entry_name"),
    (durable.ObjectContext.set, "self name value serde entry_name"),
    (durable.ObjectContext.clear, "self name entry_name"),
    (durable.ObjectContext.clear_all, "self entry_name"),
    (durable.ObjectContext.state_keys, "self entry_name"),
    (durable.WorkflowContext.promise, "self name serde type_hint"),
    (durable.DurablePromise.reject, "self message code"),
    (durable.Client.service_call, "self tpe arg idempotency_key headers"),
    (durable.Client.object_send, "self tpe key arg send_delay idempotency_key headers"),
    (
        durable.Client.generic_call,
        "self service handler arg key idempotency_key headers scope limit_key",
    ),
    (
        durable.create_test_harness,
        "app follow_logs restate_image always_replay disable_retries journal_value_codec",
    ),
]


@pytest.mark.parametrize("module", NAMES)
def test_a_name_is_where_programs_import_it_from(module: str) -> None:
    """After `import statefun.durable as restate`, and from the modules of the same names."""
    found = importlib.import_module(f"statefun.durable{module}")

    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []


@pytest.mark.parametrize(
    ("function", "expected"), PARAMETERS, ids=[each.__qualname__ for each, _ in PARAMETERS]
)
def test_parameters_have_the_names_and_the_order_they_have_there(
    function: Any, expected: str
) -> None:
    """What is our own comes behind them, by keyword."""
    parameters = list(inspect.signature(function).parameters.values())
    names = expected.split()

    assert [each.name for each in parameters[: len(names)]] == names
    assert all(each.kind is each.KEYWORD_ONLY for each in parameters[len(names) :])


def test_the_contexts_are_related_as_they_are_there() -> None:
    """An object's context is no shared one; a workflow's is an object's."""
    assert not issubclass(durable.ObjectContext, durable.ObjectSharedContext)
    assert issubclass(durable.WorkflowContext, durable.ObjectContext)
    assert issubclass(durable.WorkflowSharedContext, durable.ObjectSharedContext)
    assert not hasattr(durable.ObjectSharedContext, "set")
