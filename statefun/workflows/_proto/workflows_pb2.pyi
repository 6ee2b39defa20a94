from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Payload(_message.Message):
    __slots__ = ("metadata", "data")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    metadata: _containers.ScalarMap[str, bytes]
    data: bytes
    def __init__(self, metadata: _Optional[_Mapping[str, bytes]] = ..., data: _Optional[bytes] = ...) -> None: ...

class Payloads(_message.Message):
    __slots__ = ("payloads",)
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    payloads: _containers.RepeatedCompositeFieldContainer[Payload]
    def __init__(self, payloads: _Optional[_Iterable[_Union[Payload, _Mapping]]] = ...) -> None: ...

class ApplicationFailureInfo(_message.Message):
    __slots__ = ("type", "non_retryable", "details", "next_retry_delay_ms", "category")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NON_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    NEXT_RETRY_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    type: str
    non_retryable: bool
    details: Payloads
    next_retry_delay_ms: int
    category: int
    def __init__(self, type: _Optional[str] = ..., non_retryable: _Optional[bool] = ..., details: _Optional[_Union[Payloads, _Mapping]] = ..., next_retry_delay_ms: _Optional[int] = ..., category: _Optional[int] = ...) -> None: ...

class TimeoutFailureInfo(_message.Message):
    __slots__ = ("timeout_type", "last_heartbeat_details")
    TIMEOUT_TYPE_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARTBEAT_DETAILS_FIELD_NUMBER: _ClassVar[int]
    timeout_type: int
    last_heartbeat_details: Payloads
    def __init__(self, timeout_type: _Optional[int] = ..., last_heartbeat_details: _Optional[_Union[Payloads, _Mapping]] = ...) -> None: ...

class CanceledFailureInfo(_message.Message):
    __slots__ = ("details",)
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    details: Payloads
    def __init__(self, details: _Optional[_Union[Payloads, _Mapping]] = ...) -> None: ...

class TerminatedFailureInfo(_message.Message):
    __slots__ = ("details",)
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    details: Payloads
    def __init__(self, details: _Optional[_Union[Payloads, _Mapping]] = ...) -> None: ...

class ServerFailureInfo(_message.Message):
    __slots__ = ("non_retryable",)
    NON_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    non_retryable: bool
    def __init__(self, non_retryable: _Optional[bool] = ...) -> None: ...

class ActivityFailureInfo(_message.Message):
    __slots__ = ("scheduled_event_id", "started_event_id", "identity", "activity_type", "activity_id", "retry_state")
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    RETRY_STATE_FIELD_NUMBER: _ClassVar[int]
    scheduled_event_id: int
    started_event_id: int
    identity: str
    activity_type: str
    activity_id: str
    retry_state: int
    def __init__(self, scheduled_event_id: _Optional[int] = ..., started_event_id: _Optional[int] = ..., identity: _Optional[str] = ..., activity_type: _Optional[str] = ..., activity_id: _Optional[str] = ..., retry_state: _Optional[int] = ...) -> None: ...

class ChildWorkflowExecutionFailureInfo(_message.Message):
    __slots__ = ("namespace", "workflow_id", "run_id", "workflow_type", "initiated_event_id", "started_event_id", "retry_state")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    INITIATED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    RETRY_STATE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    initiated_event_id: int
    started_event_id: int
    retry_state: int
    def __init__(self, namespace: _Optional[str] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., initiated_event_id: _Optional[int] = ..., started_event_id: _Optional[int] = ..., retry_state: _Optional[int] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("message", "source", "stack_trace", "cause", "application_failure_info", "timeout_failure_info", "canceled_failure_info", "terminated_failure_info", "server_failure_info", "activity_failure_info", "child_workflow_execution_failure_info", "encoded_attributes")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STACK_TRACE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FAILURE_INFO_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FAILURE_INFO_FIELD_NUMBER: _ClassVar[int]
    CANCELED_FAILURE_INFO_FIELD_NUMBER: _ClassVar[int]
    TERMINATED_FAILURE_INFO_FIELD_NUMBER: _ClassVar[int]
    SERVER_FAILURE_INFO_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FAILURE_INFO_FIELD_NUMBER: _ClassVar[int]
    CHILD_WORKFLOW_EXECUTION_FAILURE_INFO_FIELD_NUMBER: _ClassVar[int]
    ENCODED_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    message: str
    source: str
    stack_trace: str
    cause: Failure
    application_failure_info: ApplicationFailureInfo
    timeout_failure_info: TimeoutFailureInfo
    canceled_failure_info: CanceledFailureInfo
    terminated_failure_info: TerminatedFailureInfo
    server_failure_info: ServerFailureInfo
    activity_failure_info: ActivityFailureInfo
    child_workflow_execution_failure_info: ChildWorkflowExecutionFailureInfo
    encoded_attributes: Payload
    def __init__(self, message: _Optional[str] = ..., source: _Optional[str] = ..., stack_trace: _Optional[str] = ..., cause: _Optional[_Union[Failure, _Mapping]] = ..., application_failure_info: _Optional[_Union[ApplicationFailureInfo, _Mapping]] = ..., timeout_failure_info: _Optional[_Union[TimeoutFailureInfo, _Mapping]] = ..., canceled_failure_info: _Optional[_Union[CanceledFailureInfo, _Mapping]] = ..., terminated_failure_info: _Optional[_Union[TerminatedFailureInfo, _Mapping]] = ..., server_failure_info: _Optional[_Union[ServerFailureInfo, _Mapping]] = ..., activity_failure_info: _Optional[_Union[ActivityFailureInfo, _Mapping]] = ..., child_workflow_execution_failure_info: _Optional[_Union[ChildWorkflowExecutionFailureInfo, _Mapping]] = ..., encoded_attributes: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("initial_interval_ms", "backoff_coefficient", "maximum_interval_ms", "maximum_attempts", "non_retryable_error_types")
    INITIAL_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NON_RETRYABLE_ERROR_TYPES_FIELD_NUMBER: _ClassVar[int]
    initial_interval_ms: int
    backoff_coefficient: float
    maximum_interval_ms: int
    maximum_attempts: int
    non_retryable_error_types: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, initial_interval_ms: _Optional[int] = ..., backoff_coefficient: _Optional[float] = ..., maximum_interval_ms: _Optional[int] = ..., maximum_attempts: _Optional[int] = ..., non_retryable_error_types: _Optional[_Iterable[str]] = ...) -> None: ...

class Parent(_message.Message):
    __slots__ = ("namespace", "workflow_id", "run_id", "close_policy")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CLOSE_POLICY_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    workflow_id: str
    run_id: str
    close_policy: int
    def __init__(self, namespace: _Optional[str] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., close_policy: _Optional[int] = ...) -> None: ...

class Start(_message.Message):
    __slots__ = ("workflow_id", "run_id", "workflow_type", "task_queue", "namespace", "arguments", "retry_policy", "execution_timeout_ms", "run_timeout_ms", "task_timeout_ms", "id_reuse_policy", "id_conflict_policy", "cron_schedule", "memo", "search_attributes", "static_summary", "static_details", "start_delay_ms", "headers", "parent", "result_route", "root_workflow_id", "root_run_id", "messages", "attempt", "continued_run_id", "first_run_id", "start_time_ms", "execution_deadline_ms", "last_failure", "last_result", "priority_key", "reset", "original_run_id", "seeds")
    class MemoEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    class SearchAttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    class SeedsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: str
        def __init__(self, key: _Optional[int] = ..., value: _Optional[str] = ...) -> None: ...
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    RETRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    RUN_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    TASK_TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    ID_REUSE_POLICY_FIELD_NUMBER: _ClassVar[int]
    ID_CONFLICT_POLICY_FIELD_NUMBER: _ClassVar[int]
    CRON_SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    SEARCH_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    STATIC_SUMMARY_FIELD_NUMBER: _ClassVar[int]
    STATIC_DETAILS_FIELD_NUMBER: _ClassVar[int]
    START_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    RESULT_ROUTE_FIELD_NUMBER: _ClassVar[int]
    ROOT_WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    ROOT_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CONTINUED_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    LAST_RESULT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_KEY_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEEDS_FIELD_NUMBER: _ClassVar[int]
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    namespace: str
    arguments: Payloads
    retry_policy: RetryPolicy
    execution_timeout_ms: int
    run_timeout_ms: int
    task_timeout_ms: int
    id_reuse_policy: int
    id_conflict_policy: int
    cron_schedule: str
    memo: _containers.MessageMap[str, Payload]
    search_attributes: _containers.MessageMap[str, Payload]
    static_summary: Payload
    static_details: Payload
    start_delay_ms: int
    headers: _containers.MessageMap[str, Payload]
    parent: Parent
    result_route: bytes
    root_workflow_id: str
    root_run_id: str
    messages: _containers.RepeatedCompositeFieldContainer[Told]
    attempt: int
    continued_run_id: str
    first_run_id: str
    start_time_ms: int
    execution_deadline_ms: int
    last_failure: Failure
    last_result: Payloads
    priority_key: int
    reset: Reset
    original_run_id: str
    seeds: _containers.ScalarMap[int, str]
    def __init__(self, workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., task_queue: _Optional[str] = ..., namespace: _Optional[str] = ..., arguments: _Optional[_Union[Payloads, _Mapping]] = ..., retry_policy: _Optional[_Union[RetryPolicy, _Mapping]] = ..., execution_timeout_ms: _Optional[int] = ..., run_timeout_ms: _Optional[int] = ..., task_timeout_ms: _Optional[int] = ..., id_reuse_policy: _Optional[int] = ..., id_conflict_policy: _Optional[int] = ..., cron_schedule: _Optional[str] = ..., memo: _Optional[_Mapping[str, Payload]] = ..., search_attributes: _Optional[_Mapping[str, Payload]] = ..., static_summary: _Optional[_Union[Payload, _Mapping]] = ..., static_details: _Optional[_Union[Payload, _Mapping]] = ..., start_delay_ms: _Optional[int] = ..., headers: _Optional[_Mapping[str, Payload]] = ..., parent: _Optional[_Union[Parent, _Mapping]] = ..., result_route: _Optional[bytes] = ..., root_workflow_id: _Optional[str] = ..., root_run_id: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[Told, _Mapping]]] = ..., attempt: _Optional[int] = ..., continued_run_id: _Optional[str] = ..., first_run_id: _Optional[str] = ..., start_time_ms: _Optional[int] = ..., execution_deadline_ms: _Optional[int] = ..., last_failure: _Optional[_Union[Failure, _Mapping]] = ..., last_result: _Optional[_Union[Payloads, _Mapping]] = ..., priority_key: _Optional[int] = ..., reset: _Optional[_Union[Reset, _Mapping]] = ..., original_run_id: _Optional[str] = ..., seeds: _Optional[_Mapping[int, str]] = ...) -> None: ...

class Reset(_message.Message):
    __slots__ = ("journal", "again", "messages", "told", "commands")
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    journal: bytes
    again: _containers.RepeatedScalarFieldContainer[int]
    messages: _containers.RepeatedCompositeFieldContainer[Told]
    told: int
    commands: int
    def __init__(self, journal: _Optional[bytes] = ..., again: _Optional[_Iterable[int]] = ..., messages: _Optional[_Iterable[_Union[Told, _Mapping]]] = ..., told: _Optional[int] = ..., commands: _Optional[int] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("run_id", "first_run_id", "is_new", "workflow_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    IS_NEW_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    first_run_id: str
    is_new: bool
    workflow_id: str
    def __init__(self, run_id: _Optional[str] = ..., first_run_id: _Optional[str] = ..., is_new: _Optional[bool] = ..., workflow_id: _Optional[str] = ...) -> None: ...

class SignalInput(_message.Message):
    __slots__ = ("name", "arguments", "headers")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    arguments: Payloads
    headers: _containers.MessageMap[str, Payload]
    def __init__(self, name: _Optional[str] = ..., arguments: _Optional[_Union[Payloads, _Mapping]] = ..., headers: _Optional[_Mapping[str, Payload]] = ...) -> None: ...

class UpdateInput(_message.Message):
    __slots__ = ("id", "name", "arguments", "headers", "accepted_route", "completed_route", "is_poll")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_ROUTE_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_ROUTE_FIELD_NUMBER: _ClassVar[int]
    IS_POLL_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    arguments: Payloads
    headers: _containers.MessageMap[str, Payload]
    accepted_route: bytes
    completed_route: bytes
    is_poll: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., arguments: _Optional[_Union[Payloads, _Mapping]] = ..., headers: _Optional[_Mapping[str, Payload]] = ..., accepted_route: _Optional[bytes] = ..., completed_route: _Optional[bytes] = ..., is_poll: _Optional[bool] = ...) -> None: ...

class CancelInput(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class StopInput(_message.Message):
    __slots__ = ("keeps_children",)
    KEEPS_CHILDREN_FIELD_NUMBER: _ClassVar[int]
    keeps_children: int
    def __init__(self, keeps_children: _Optional[int] = ...) -> None: ...

class Told(_message.Message):
    __slots__ = ("signal", "update", "cancel", "stop")
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    signal: SignalInput
    update: UpdateInput
    cancel: CancelInput
    stop: StopInput
    def __init__(self, signal: _Optional[_Union[SignalInput, _Mapping]] = ..., update: _Optional[_Union[UpdateInput, _Mapping]] = ..., cancel: _Optional[_Union[CancelInput, _Mapping]] = ..., stop: _Optional[_Union[StopInput, _Mapping]] = ...) -> None: ...

class QueryInput(_message.Message):
    __slots__ = ("name", "arguments", "headers")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    arguments: Payloads
    headers: _containers.MessageMap[str, Payload]
    def __init__(self, name: _Optional[str] = ..., arguments: _Optional[_Union[Payloads, _Mapping]] = ..., headers: _Optional[_Mapping[str, Payload]] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("run_id", "first_run_id", "told", "query", "reject_condition", "reason", "details", "start", "follows_runs", "wait_stage", "is_from_workflow", "is_from_parent")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    REJECT_CONDITION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    FOLLOWS_RUNS_FIELD_NUMBER: _ClassVar[int]
    WAIT_STAGE_FIELD_NUMBER: _ClassVar[int]
    IS_FROM_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    IS_FROM_PARENT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    first_run_id: str
    told: Told
    query: QueryInput
    reject_condition: int
    reason: str
    details: Payloads
    start: Start
    follows_runs: bool
    wait_stage: int
    is_from_workflow: bool
    is_from_parent: bool
    def __init__(self, run_id: _Optional[str] = ..., first_run_id: _Optional[str] = ..., told: _Optional[_Union[Told, _Mapping]] = ..., query: _Optional[_Union[QueryInput, _Mapping]] = ..., reject_condition: _Optional[int] = ..., reason: _Optional[str] = ..., details: _Optional[_Union[Payloads, _Mapping]] = ..., start: _Optional[_Union[Start, _Mapping]] = ..., follows_runs: _Optional[bool] = ..., wait_stage: _Optional[int] = ..., is_from_workflow: _Optional[bool] = ..., is_from_parent: _Optional[bool] = ...) -> None: ...

class QueryAnswer(_message.Message):
    __slots__ = ("result", "failure", "rejected_status")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    REJECTED_STATUS_FIELD_NUMBER: _ClassVar[int]
    result: Payloads
    failure: Failure
    rejected_status: int
    def __init__(self, result: _Optional[_Union[Payloads, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., rejected_status: _Optional[int] = ...) -> None: ...

class UpdateAnswer(_message.Message):
    __slots__ = ("stage", "result", "failure", "run_id")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    stage: int
    result: Payloads
    failure: Failure
    run_id: str
    def __init__(self, stage: _Optional[int] = ..., result: _Optional[_Union[Payloads, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., run_id: _Optional[str] = ...) -> None: ...

class Ending(_message.Message):
    __slots__ = ("result", "failure", "canceled", "terminated", "timed_out", "continued", "completes_later", "run_id", "next_run_id")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CANCELED_FIELD_NUMBER: _ClassVar[int]
    TERMINATED_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    CONTINUED_FIELD_NUMBER: _ClassVar[int]
    COMPLETES_LATER_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    NEXT_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    result: Payloads
    failure: Failure
    canceled: Failure
    terminated: Failure
    timed_out: Failure
    continued: Start
    completes_later: bool
    run_id: str
    next_run_id: str
    def __init__(self, result: _Optional[_Union[Payloads, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., canceled: _Optional[_Union[Failure, _Mapping]] = ..., terminated: _Optional[_Union[Failure, _Mapping]] = ..., timed_out: _Optional[_Union[Failure, _Mapping]] = ..., continued: _Optional[_Union[Start, _Mapping]] = ..., completes_later: _Optional[bool] = ..., run_id: _Optional[str] = ..., next_run_id: _Optional[str] = ...) -> None: ...

class Ended(_message.Message):
    __slots__ = ("run_id", "ending", "history_length", "told")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    HISTORY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    ending: Ending
    history_length: int
    told: int
    def __init__(self, run_id: _Optional[str] = ..., ending: _Optional[_Union[Ending, _Mapping]] = ..., history_length: _Optional[int] = ..., told: _Optional[int] = ...) -> None: ...

class Upsert(_message.Message):
    __slots__ = ("run_id", "memo", "search_attributes", "details")
    class MemoEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    class SearchAttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    SEARCH_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    memo: _containers.MessageMap[str, Payload]
    search_attributes: _containers.MessageMap[str, Payload]
    details: Payload
    def __init__(self, run_id: _Optional[str] = ..., memo: _Optional[_Mapping[str, Payload]] = ..., search_attributes: _Optional[_Mapping[str, Payload]] = ..., details: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("run_id", "activity_id", "text")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    activity_id: str
    text: str
    def __init__(self, run_id: _Optional[str] = ..., activity_id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("activity_id", "activity_type", "task_queue", "namespace", "workflow_id", "run_id", "workflow_type", "arguments", "headers", "schedule_to_close_ms", "schedule_to_start_ms", "start_to_close_ms", "heartbeat_ms", "retry_policy", "scheduled_ms", "priority_key", "started_route")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_CLOSE_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_START_MS_FIELD_NUMBER: _ClassVar[int]
    START_TO_CLOSE_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    RETRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_MS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_KEY_FIELD_NUMBER: _ClassVar[int]
    STARTED_ROUTE_FIELD_NUMBER: _ClassVar[int]
    activity_id: str
    activity_type: str
    task_queue: str
    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    arguments: Payloads
    headers: _containers.MessageMap[str, Payload]
    schedule_to_close_ms: int
    schedule_to_start_ms: int
    start_to_close_ms: int
    heartbeat_ms: int
    retry_policy: RetryPolicy
    scheduled_ms: int
    priority_key: int
    started_route: bytes
    def __init__(self, activity_id: _Optional[str] = ..., activity_type: _Optional[str] = ..., task_queue: _Optional[str] = ..., namespace: _Optional[str] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., arguments: _Optional[_Union[Payloads, _Mapping]] = ..., headers: _Optional[_Mapping[str, Payload]] = ..., schedule_to_close_ms: _Optional[int] = ..., schedule_to_start_ms: _Optional[int] = ..., start_to_close_ms: _Optional[int] = ..., heartbeat_ms: _Optional[int] = ..., retry_policy: _Optional[_Union[RetryPolicy, _Mapping]] = ..., scheduled_ms: _Optional[int] = ..., priority_key: _Optional[int] = ..., started_route: _Optional[bytes] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("ending", "heartbeat", "is_heartbeat")
    ENDING_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    IS_HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ending: Ending
    heartbeat: Payloads
    is_heartbeat: bool
    def __init__(self, ending: _Optional[_Union[Ending, _Mapping]] = ..., heartbeat: _Optional[_Union[Payloads, _Mapping]] = ..., is_heartbeat: _Optional[bool] = ...) -> None: ...

class ReportAnswer(_message.Message):
    __slots__ = ("cancel_requested",)
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    cancel_requested: bool
    def __init__(self, cancel_requested: _Optional[bool] = ...) -> None: ...

class PastRun(_message.Message):
    __slots__ = ("run_id", "status", "ending", "next_run_id", "task_queue", "expires_ms", "start", "start_ms", "close_ms", "history_length")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    NEXT_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    CLOSE_MS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    status: int
    ending: Ending
    next_run_id: str
    task_queue: str
    expires_ms: int
    start: Start
    start_ms: int
    close_ms: int
    history_length: int
    def __init__(self, run_id: _Optional[str] = ..., status: _Optional[int] = ..., ending: _Optional[_Union[Ending, _Mapping]] = ..., next_run_id: _Optional[str] = ..., task_queue: _Optional[str] = ..., expires_ms: _Optional[int] = ..., start: _Optional[_Union[Start, _Mapping]] = ..., start_ms: _Optional[int] = ..., close_ms: _Optional[int] = ..., history_length: _Optional[int] = ...) -> None: ...

class Waiter(_message.Message):
    __slots__ = ("route", "run_id", "follows_runs")
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FOLLOWS_RUNS_FIELD_NUMBER: _ClassVar[int]
    route: bytes
    run_id: str
    follows_runs: bool
    def __init__(self, route: _Optional[bytes] = ..., run_id: _Optional[str] = ..., follows_runs: _Optional[bool] = ...) -> None: ...

class Workflow(_message.Message):
    __slots__ = ("start", "status", "start_ms", "close_ms", "ending", "past", "waiters", "history_length", "run_deadline_ms", "begins_ms", "buffered", "time_ms", "alarm_ms", "alarm_token", "details", "expires_ms", "execution_start_ms", "signal_ids", "told", "problems", "returning")
    class ProblemsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    START_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    CLOSE_MS_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    PAST_FIELD_NUMBER: _ClassVar[int]
    WAITERS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_LENGTH_FIELD_NUMBER: _ClassVar[int]
    RUN_DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    BEGINS_MS_FIELD_NUMBER: _ClassVar[int]
    BUFFERED_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    ALARM_MS_FIELD_NUMBER: _ClassVar[int]
    ALARM_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_START_MS_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_IDS_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    RETURNING_FIELD_NUMBER: _ClassVar[int]
    start: Start
    status: int
    start_ms: int
    close_ms: int
    ending: Ending
    past: _containers.RepeatedCompositeFieldContainer[PastRun]
    waiters: _containers.RepeatedCompositeFieldContainer[Waiter]
    history_length: int
    run_deadline_ms: int
    begins_ms: int
    buffered: _containers.RepeatedCompositeFieldContainer[Told]
    time_ms: int
    alarm_ms: int
    alarm_token: str
    details: Payload
    expires_ms: int
    execution_start_ms: int
    signal_ids: _containers.RepeatedScalarFieldContainer[str]
    told: int
    problems: _containers.ScalarMap[str, str]
    returning: int
    def __init__(self, start: _Optional[_Union[Start, _Mapping]] = ..., status: _Optional[int] = ..., start_ms: _Optional[int] = ..., close_ms: _Optional[int] = ..., ending: _Optional[_Union[Ending, _Mapping]] = ..., past: _Optional[_Iterable[_Union[PastRun, _Mapping]]] = ..., waiters: _Optional[_Iterable[_Union[Waiter, _Mapping]]] = ..., history_length: _Optional[int] = ..., run_deadline_ms: _Optional[int] = ..., begins_ms: _Optional[int] = ..., buffered: _Optional[_Iterable[_Union[Told, _Mapping]]] = ..., time_ms: _Optional[int] = ..., alarm_ms: _Optional[int] = ..., alarm_token: _Optional[str] = ..., details: _Optional[_Union[Payload, _Mapping]] = ..., expires_ms: _Optional[int] = ..., execution_start_ms: _Optional[int] = ..., signal_ids: _Optional[_Iterable[str]] = ..., told: _Optional[int] = ..., problems: _Optional[_Mapping[str, str]] = ..., returning: _Optional[int] = ...) -> None: ...

class Activity(_message.Message):
    __slots__ = ("task", "route", "attempt", "arrived_ms", "scheduled_ms", "started_ms", "owner", "heartbeat_ms", "heartbeat", "last_failure", "due_ms", "is_cancelled", "completes_later", "alarm_ms", "alarm_token", "time_ms", "last_timeout", "has_problem")
    TASK_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_MS_FIELD_NUMBER: _ClassVar[int]
    STARTED_MS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    IS_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    COMPLETES_LATER_FIELD_NUMBER: _ClassVar[int]
    ALARM_MS_FIELD_NUMBER: _ClassVar[int]
    ALARM_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    HAS_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    task: Task
    route: bytes
    attempt: int
    arrived_ms: int
    scheduled_ms: int
    started_ms: int
    owner: str
    heartbeat_ms: int
    heartbeat: Payloads
    last_failure: Failure
    due_ms: int
    is_cancelled: bool
    completes_later: bool
    alarm_ms: int
    alarm_token: str
    time_ms: int
    last_timeout: Failure
    has_problem: bool
    def __init__(self, task: _Optional[_Union[Task, _Mapping]] = ..., route: _Optional[bytes] = ..., attempt: _Optional[int] = ..., arrived_ms: _Optional[int] = ..., scheduled_ms: _Optional[int] = ..., started_ms: _Optional[int] = ..., owner: _Optional[str] = ..., heartbeat_ms: _Optional[int] = ..., heartbeat: _Optional[_Union[Payloads, _Mapping]] = ..., last_failure: _Optional[_Union[Failure, _Mapping]] = ..., due_ms: _Optional[int] = ..., is_cancelled: _Optional[bool] = ..., completes_later: _Optional[bool] = ..., alarm_ms: _Optional[int] = ..., alarm_token: _Optional[str] = ..., time_ms: _Optional[int] = ..., last_timeout: _Optional[_Union[Failure, _Mapping]] = ..., has_problem: _Optional[bool] = ...) -> None: ...

class ScheduleRange(_message.Message):
    __slots__ = ("start", "end", "step")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    start: int
    end: int
    step: int
    def __init__(self, start: _Optional[int] = ..., end: _Optional[int] = ..., step: _Optional[int] = ...) -> None: ...

class ScheduleCalendar(_message.Message):
    __slots__ = ("second", "minute", "hour", "day_of_month", "month", "year", "day_of_week", "comment")
    SECOND_FIELD_NUMBER: _ClassVar[int]
    MINUTE_FIELD_NUMBER: _ClassVar[int]
    HOUR_FIELD_NUMBER: _ClassVar[int]
    DAY_OF_MONTH_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    DAY_OF_WEEK_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    second: _containers.RepeatedCompositeFieldContainer[ScheduleRange]
    minute: _containers.RepeatedCompositeFieldContainer[ScheduleRange]
    hour: _containers.RepeatedCompositeFieldContainer[ScheduleRange]
    day_of_month: _containers.RepeatedCompositeFieldContainer[ScheduleRange]
    month: _containers.RepeatedCompositeFieldContainer[ScheduleRange]
    year: _containers.RepeatedCompositeFieldContainer[ScheduleRange]
    day_of_week: _containers.RepeatedCompositeFieldContainer[ScheduleRange]
    comment: str
    def __init__(self, second: _Optional[_Iterable[_Union[ScheduleRange, _Mapping]]] = ..., minute: _Optional[_Iterable[_Union[ScheduleRange, _Mapping]]] = ..., hour: _Optional[_Iterable[_Union[ScheduleRange, _Mapping]]] = ..., day_of_month: _Optional[_Iterable[_Union[ScheduleRange, _Mapping]]] = ..., month: _Optional[_Iterable[_Union[ScheduleRange, _Mapping]]] = ..., year: _Optional[_Iterable[_Union[ScheduleRange, _Mapping]]] = ..., day_of_week: _Optional[_Iterable[_Union[ScheduleRange, _Mapping]]] = ..., comment: _Optional[str] = ...) -> None: ...

class ScheduleInterval(_message.Message):
    __slots__ = ("every_ms", "offset_ms")
    EVERY_MS_FIELD_NUMBER: _ClassVar[int]
    OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    every_ms: int
    offset_ms: int
    def __init__(self, every_ms: _Optional[int] = ..., offset_ms: _Optional[int] = ...) -> None: ...

class ScheduleSpec(_message.Message):
    __slots__ = ("calendars", "intervals", "cron_expressions", "skip", "start_ms", "end_ms", "jitter_ms", "time_zone_name")
    CALENDARS_FIELD_NUMBER: _ClassVar[int]
    INTERVALS_FIELD_NUMBER: _ClassVar[int]
    CRON_EXPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    END_MS_FIELD_NUMBER: _ClassVar[int]
    JITTER_MS_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_NAME_FIELD_NUMBER: _ClassVar[int]
    calendars: _containers.RepeatedCompositeFieldContainer[ScheduleCalendar]
    intervals: _containers.RepeatedCompositeFieldContainer[ScheduleInterval]
    cron_expressions: _containers.RepeatedScalarFieldContainer[str]
    skip: _containers.RepeatedCompositeFieldContainer[ScheduleCalendar]
    start_ms: int
    end_ms: int
    jitter_ms: int
    time_zone_name: str
    def __init__(self, calendars: _Optional[_Iterable[_Union[ScheduleCalendar, _Mapping]]] = ..., intervals: _Optional[_Iterable[_Union[ScheduleInterval, _Mapping]]] = ..., cron_expressions: _Optional[_Iterable[str]] = ..., skip: _Optional[_Iterable[_Union[ScheduleCalendar, _Mapping]]] = ..., start_ms: _Optional[int] = ..., end_ms: _Optional[int] = ..., jitter_ms: _Optional[int] = ..., time_zone_name: _Optional[str] = ...) -> None: ...

class SchedulePolicy(_message.Message):
    __slots__ = ("overlap", "catchup_window_ms", "pause_on_failure")
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    CATCHUP_WINDOW_MS_FIELD_NUMBER: _ClassVar[int]
    PAUSE_ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    overlap: int
    catchup_window_ms: int
    pause_on_failure: bool
    def __init__(self, overlap: _Optional[int] = ..., catchup_window_ms: _Optional[int] = ..., pause_on_failure: _Optional[bool] = ...) -> None: ...

class ScheduleState(_message.Message):
    __slots__ = ("note", "paused", "limited_actions", "remaining_actions")
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    LIMITED_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    note: str
    paused: bool
    limited_actions: bool
    remaining_actions: int
    def __init__(self, note: _Optional[str] = ..., paused: _Optional[bool] = ..., limited_actions: _Optional[bool] = ..., remaining_actions: _Optional[int] = ...) -> None: ...

class ScheduleDefinition(_message.Message):
    __slots__ = ("action", "spec", "policy", "state")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    action: Start
    spec: ScheduleSpec
    policy: SchedulePolicy
    state: ScheduleState
    def __init__(self, action: _Optional[_Union[Start, _Mapping]] = ..., spec: _Optional[_Union[ScheduleSpec, _Mapping]] = ..., policy: _Optional[_Union[SchedulePolicy, _Mapping]] = ..., state: _Optional[_Union[ScheduleState, _Mapping]] = ...) -> None: ...

class ScheduleBackfill(_message.Message):
    __slots__ = ("start_ms", "end_ms", "overlap")
    START_MS_FIELD_NUMBER: _ClassVar[int]
    END_MS_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    start_ms: int
    end_ms: int
    overlap: int
    def __init__(self, start_ms: _Optional[int] = ..., end_ms: _Optional[int] = ..., overlap: _Optional[int] = ...) -> None: ...

class ScheduleRequest(_message.Message):
    __slots__ = ("definition", "memo", "search_attributes", "replaces_search_attributes", "triggers", "trigger_overlap", "backfills", "pause", "unpause", "version")
    class MemoEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    class SearchAttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    SEARCH_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    REPLACES_SEARCH_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    TRIGGERS_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    BACKFILLS_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    UNPAUSE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    definition: ScheduleDefinition
    memo: _containers.MessageMap[str, Payload]
    search_attributes: _containers.MessageMap[str, Payload]
    replaces_search_attributes: bool
    triggers: bool
    trigger_overlap: int
    backfills: _containers.RepeatedCompositeFieldContainer[ScheduleBackfill]
    pause: str
    unpause: str
    version: int
    def __init__(self, definition: _Optional[_Union[ScheduleDefinition, _Mapping]] = ..., memo: _Optional[_Mapping[str, Payload]] = ..., search_attributes: _Optional[_Mapping[str, Payload]] = ..., replaces_search_attributes: _Optional[bool] = ..., triggers: _Optional[bool] = ..., trigger_overlap: _Optional[int] = ..., backfills: _Optional[_Iterable[_Union[ScheduleBackfill, _Mapping]]] = ..., pause: _Optional[str] = ..., unpause: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ScheduledAction(_message.Message):
    __slots__ = ("nominal_ms", "due_ms", "overlap", "is_manual")
    NOMINAL_MS_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    IS_MANUAL_FIELD_NUMBER: _ClassVar[int]
    nominal_ms: int
    due_ms: int
    overlap: int
    is_manual: bool
    def __init__(self, nominal_ms: _Optional[int] = ..., due_ms: _Optional[int] = ..., overlap: _Optional[int] = ..., is_manual: _Optional[bool] = ...) -> None: ...

class ScheduleActionResult(_message.Message):
    __slots__ = ("scheduled_ms", "started_ms", "workflow_id", "first_run_id", "seq", "is_ending")
    SCHEDULED_MS_FIELD_NUMBER: _ClassVar[int]
    STARTED_MS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    IS_ENDING_FIELD_NUMBER: _ClassVar[int]
    scheduled_ms: int
    started_ms: int
    workflow_id: str
    first_run_id: str
    seq: int
    is_ending: bool
    def __init__(self, scheduled_ms: _Optional[int] = ..., started_ms: _Optional[int] = ..., workflow_id: _Optional[str] = ..., first_run_id: _Optional[str] = ..., seq: _Optional[int] = ..., is_ending: _Optional[bool] = ...) -> None: ...

class Schedule(_message.Message):
    __slots__ = ("id", "namespace", "definition", "memo", "search_attributes", "version", "created_ms", "updated_ms", "actions", "missed_catchup_window", "skipped_overlap", "running", "recent", "buffered", "handled_ms", "seq", "nonce", "last_result", "last_failure", "time_ms", "alarm_ms", "alarm_token", "next_ms")
    class MemoEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    class SearchAttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    SEARCH_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATED_MS_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    MISSED_CATCHUP_WINDOW_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    RECENT_FIELD_NUMBER: _ClassVar[int]
    BUFFERED_FIELD_NUMBER: _ClassVar[int]
    HANDLED_MS_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    LAST_RESULT_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    ALARM_MS_FIELD_NUMBER: _ClassVar[int]
    ALARM_TOKEN_FIELD_NUMBER: _ClassVar[int]
    NEXT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    namespace: str
    definition: ScheduleDefinition
    memo: _containers.MessageMap[str, Payload]
    search_attributes: _containers.MessageMap[str, Payload]
    version: int
    created_ms: int
    updated_ms: int
    actions: int
    missed_catchup_window: int
    skipped_overlap: int
    running: _containers.RepeatedCompositeFieldContainer[ScheduleActionResult]
    recent: _containers.RepeatedCompositeFieldContainer[ScheduleActionResult]
    buffered: _containers.RepeatedCompositeFieldContainer[ScheduledAction]
    handled_ms: int
    seq: int
    nonce: str
    last_result: Payloads
    last_failure: Failure
    time_ms: int
    alarm_ms: int
    alarm_token: str
    next_ms: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, id: _Optional[str] = ..., namespace: _Optional[str] = ..., definition: _Optional[_Union[ScheduleDefinition, _Mapping]] = ..., memo: _Optional[_Mapping[str, Payload]] = ..., search_attributes: _Optional[_Mapping[str, Payload]] = ..., version: _Optional[int] = ..., created_ms: _Optional[int] = ..., updated_ms: _Optional[int] = ..., actions: _Optional[int] = ..., missed_catchup_window: _Optional[int] = ..., skipped_overlap: _Optional[int] = ..., running: _Optional[_Iterable[_Union[ScheduleActionResult, _Mapping]]] = ..., recent: _Optional[_Iterable[_Union[ScheduleActionResult, _Mapping]]] = ..., buffered: _Optional[_Iterable[_Union[ScheduledAction, _Mapping]]] = ..., handled_ms: _Optional[int] = ..., seq: _Optional[int] = ..., nonce: _Optional[str] = ..., last_result: _Optional[_Union[Payloads, _Mapping]] = ..., last_failure: _Optional[_Union[Failure, _Mapping]] = ..., time_ms: _Optional[int] = ..., alarm_ms: _Optional[int] = ..., alarm_token: _Optional[str] = ..., next_ms: _Optional[_Iterable[int]] = ...) -> None: ...

class Look(_message.Message):
    __slots__ = ("namespace", "is_for_schedules", "query", "is_count", "page_size", "page_token")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    IS_FOR_SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    IS_COUNT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    is_for_schedules: bool
    query: str
    is_count: bool
    page_size: int
    page_token: bytes
    def __init__(self, namespace: _Optional[str] = ..., is_for_schedules: _Optional[bool] = ..., query: _Optional[str] = ..., is_count: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[bytes] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("value", "count")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    value: str
    count: int
    def __init__(self, value: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class Looked(_message.Message):
    __slots__ = ("workflows", "schedules", "next_page_token", "count", "groups")
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    workflows: _containers.RepeatedCompositeFieldContainer[Workflow]
    schedules: _containers.RepeatedCompositeFieldContainer[Schedule]
    next_page_token: bytes
    count: int
    groups: _containers.RepeatedCompositeFieldContainer[Group]
    def __init__(self, workflows: _Optional[_Iterable[_Union[Workflow, _Mapping]]] = ..., schedules: _Optional[_Iterable[_Union[Schedule, _Mapping]]] = ..., next_page_token: _Optional[bytes] = ..., count: _Optional[int] = ..., groups: _Optional[_Iterable[_Union[Group, _Mapping]]] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("typename", "id", "envelope")
    TYPENAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    typename: str
    id: str
    envelope: bytes
    def __init__(self, typename: _Optional[str] = ..., id: _Optional[str] = ..., envelope: _Optional[bytes] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("value", "refusal")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    value: bytes
    refusal: Refusal
    def __init__(self, value: _Optional[bytes] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("status", "message", "facts")
    class FactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    status: int
    message: str
    facts: _containers.ScalarMap[str, str]
    def __init__(self, status: _Optional[int] = ..., message: _Optional[str] = ..., facts: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Attach(_message.Message):
    __slots__ = ("typenames", "identity", "workflows", "activities")
    TYPENAMES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_FIELD_NUMBER: _ClassVar[int]
    typenames: _containers.RepeatedScalarFieldContainer[str]
    identity: str
    workflows: _containers.RepeatedScalarFieldContainer[str]
    activities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, typenames: _Optional[_Iterable[str]] = ..., identity: _Optional[str] = ..., workflows: _Optional[_Iterable[str]] = ..., activities: _Optional[_Iterable[str]] = ...) -> None: ...

class Detach(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Call(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: bytes
    def __init__(self, request: _Optional[bytes] = ...) -> None: ...

class Called(_message.Message):
    __slots__ = ("reply", "error")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    reply: bytes
    error: str
    def __init__(self, reply: _Optional[bytes] = ..., error: _Optional[str] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Frame(_message.Message):
    __slots__ = ("number", "ask", "answer", "attach", "detach", "call", "called", "ping", "look")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    DETACH_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CALLED_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    LOOK_FIELD_NUMBER: _ClassVar[int]
    number: int
    ask: Ask
    answer: Answer
    attach: Attach
    detach: Detach
    call: Call
    called: Called
    ping: Ping
    look: Look
    def __init__(self, number: _Optional[int] = ..., ask: _Optional[_Union[Ask, _Mapping]] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., attach: _Optional[_Union[Attach, _Mapping]] = ..., detach: _Optional[_Union[Detach, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., called: _Optional[_Union[Called, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., look: _Optional[_Union[Look, _Mapping]] = ...) -> None: ...
