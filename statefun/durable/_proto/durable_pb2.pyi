from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    START: _ClassVar[Kind]
    DONE: _ClassVar[Kind]
    TIMER: _ClassVar[Kind]
    EFFECT: _ClassVar[Kind]
    SIGNAL: _ClassVar[Kind]
    PROMISE: _ClassVar[Kind]
    CANCEL: _ClassVar[Kind]
    UPDATE: _ClassVar[Kind]

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUNNING: _ClassVar[Status]
    BACKOFF: _ClassVar[Status]
    PAUSED: _ClassVar[Status]
    BLOCKED: _ClassVar[Status]
START: Kind
DONE: Kind
TIMER: Kind
EFFECT: Kind
SIGNAL: Kind
PROMISE: Kind
CANCEL: Kind
UPDATE: Kind
RUNNING: Status
BACKOFF: Status
PAUSED: Status
BLOCKED: Status

class Failure(_message.Message):
    __slots__ = ("code", "message", "metadata", "details")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    metadata: _containers.ScalarMap[str, str]
    details: bytes
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., details: _Optional[bytes] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("value", "failure")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    value: bytes
    failure: Failure
    def __init__(self, value: _Optional[bytes] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("typename", "id", "execution", "seq", "is_egress", "topic")
    TYPENAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    IS_EGRESS_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    typename: str
    id: str
    execution: str
    seq: int
    is_egress: bool
    topic: str
    def __init__(self, typename: _Optional[str] = ..., id: _Optional[str] = ..., execution: _Optional[str] = ..., seq: _Optional[int] = ..., is_egress: _Optional[bool] = ..., topic: _Optional[str] = ...) -> None: ...

class Invoke(_message.Message):
    __slots__ = ("id", "handler", "argument", "reply", "headers", "idempotency_key", "delay_ms", "chain", "retention_ms")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    ARGUMENT_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    RETENTION_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    handler: str
    argument: bytes
    reply: Route
    headers: _containers.ScalarMap[str, str]
    idempotency_key: str
    delay_ms: int
    chain: _containers.RepeatedScalarFieldContainer[int]
    retention_ms: int
    def __init__(self, id: _Optional[str] = ..., handler: _Optional[str] = ..., argument: _Optional[bytes] = ..., reply: _Optional[_Union[Route, _Mapping]] = ..., headers: _Optional[_Mapping[str, str]] = ..., idempotency_key: _Optional[str] = ..., delay_ms: _Optional[int] = ..., chain: _Optional[_Iterable[int]] = ..., retention_ms: _Optional[int] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("execution", "seq", "outcome", "expires_ms")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    execution: str
    seq: int
    outcome: Outcome
    expires_ms: int
    def __init__(self, execution: _Optional[str] = ..., seq: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("execution", "name", "outcome")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    execution: str
    name: str
    outcome: Outcome
    def __init__(self, execution: _Optional[str] = ..., name: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ...) -> None: ...

class Query(_message.Message):
    __slots__ = ("execution", "name", "argument", "reply")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENT_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    execution: str
    name: str
    argument: bytes
    reply: Route
    def __init__(self, execution: _Optional[str] = ..., name: _Optional[str] = ..., argument: _Optional[bytes] = ..., reply: _Optional[_Union[Route, _Mapping]] = ...) -> None: ...

class Update(_message.Message):
    __slots__ = ("execution", "id", "name", "argument", "reply", "accepted")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENT_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    execution: str
    id: str
    name: str
    argument: bytes
    reply: Route
    accepted: Route
    def __init__(self, execution: _Optional[str] = ..., id: _Optional[str] = ..., name: _Optional[str] = ..., argument: _Optional[bytes] = ..., reply: _Optional[_Union[Route, _Mapping]] = ..., accepted: _Optional[_Union[Route, _Mapping]] = ...) -> None: ...

class Attach(_message.Message):
    __slots__ = ("id", "reply", "peek")
    ID_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    PEEK_FIELD_NUMBER: _ClassVar[int]
    id: str
    reply: Route
    peek: bool
    def __init__(self, id: _Optional[str] = ..., reply: _Optional[_Union[Route, _Mapping]] = ..., peek: _Optional[bool] = ...) -> None: ...

class Alarm(_message.Message):
    __slots__ = ("due_ms", "token")
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    due_ms: int
    token: str
    def __init__(self, due_ms: _Optional[int] = ..., token: _Optional[str] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("reply", "typename", "id", "argument")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    TYPENAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ARGUMENT_FIELD_NUMBER: _ClassVar[int]
    reply: Route
    typename: str
    id: str
    argument: bytes
    def __init__(self, reply: _Optional[_Union[Route, _Mapping]] = ..., typename: _Optional[str] = ..., id: _Optional[str] = ..., argument: _Optional[bytes] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ("version", "invoke", "done", "signal", "cancel", "kill", "pause", "resume", "attach", "alarm", "wake", "ask", "query", "update")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INVOKE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    KILL_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    ALARM_FIELD_NUMBER: _ClassVar[int]
    WAKE_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    version: int
    invoke: Invoke
    done: Done
    signal: Signal
    cancel: str
    kill: str
    pause: str
    resume: str
    attach: Attach
    alarm: Alarm
    wake: bool
    ask: Ask
    query: Query
    update: Update
    def __init__(self, version: _Optional[int] = ..., invoke: _Optional[_Union[Invoke, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., signal: _Optional[_Union[Signal, _Mapping]] = ..., cancel: _Optional[str] = ..., kill: _Optional[str] = ..., pause: _Optional[str] = ..., resume: _Optional[str] = ..., attach: _Optional[_Union[Attach, _Mapping]] = ..., alarm: _Optional[_Union[Alarm, _Mapping]] = ..., wake: _Optional[bool] = ..., ask: _Optional[_Union[Ask, _Mapping]] = ..., query: _Optional[_Union[Query, _Mapping]] = ..., update: _Optional[_Union[Update, _Mapping]] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("kind", "seq", "name", "outcome", "time_ms", "commands", "invoke", "update")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    INVOKE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    kind: Kind
    seq: int
    name: str
    outcome: Outcome
    time_ms: int
    commands: _containers.RepeatedScalarFieldContainer[str]
    invoke: Invoke
    update: Update
    def __init__(self, kind: _Optional[_Union[Kind, str]] = ..., seq: _Optional[int] = ..., name: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., time_ms: _Optional[int] = ..., commands: _Optional[_Iterable[str]] = ..., invoke: _Optional[_Union[Invoke, _Mapping]] = ..., update: _Optional[_Union[Update, _Mapping]] = ...) -> None: ...

class Journal(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[Record]
    def __init__(self, records: _Optional[_Iterable[_Union[Record, _Mapping]]] = ...) -> None: ...

class Before(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: bytes
    def __init__(self, name: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("seq", "attempts", "first_ms", "due_ms")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_MS_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    attempts: int
    first_ms: int
    due_ms: int
    def __init__(self, seq: _Optional[int] = ..., attempts: _Optional[int] = ..., first_ms: _Optional[int] = ..., due_ms: _Optional[int] = ...) -> None: ...

class Execution(_message.Message):
    __slots__ = ("id", "handler", "status", "waiters", "due_ms", "attempts", "has_open_end", "failure", "pending", "before", "has_seen_keys", "keys", "retries", "calls", "journal", "retention_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WAITERS_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    HAS_OPEN_END_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    HAS_SEEN_KEYS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    RETENTION_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    handler: str
    status: Status
    waiters: _containers.RepeatedCompositeFieldContainer[Route]
    due_ms: int
    attempts: int
    has_open_end: bool
    failure: str
    pending: _containers.RepeatedCompositeFieldContainer[Record]
    before: _containers.RepeatedCompositeFieldContainer[Before]
    has_seen_keys: bool
    keys: _containers.RepeatedScalarFieldContainer[str]
    retries: _containers.RepeatedCompositeFieldContainer[Retry]
    calls: _containers.RepeatedScalarFieldContainer[str]
    journal: bytes
    retention_ms: int
    def __init__(self, id: _Optional[str] = ..., handler: _Optional[str] = ..., status: _Optional[_Union[Status, str]] = ..., waiters: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., due_ms: _Optional[int] = ..., attempts: _Optional[int] = ..., has_open_end: _Optional[bool] = ..., failure: _Optional[str] = ..., pending: _Optional[_Iterable[_Union[Record, _Mapping]]] = ..., before: _Optional[_Iterable[_Union[Before, _Mapping]]] = ..., has_seen_keys: _Optional[bool] = ..., keys: _Optional[_Iterable[str]] = ..., retries: _Optional[_Iterable[_Union[Retry, _Mapping]]] = ..., calls: _Optional[_Iterable[str]] = ..., journal: _Optional[bytes] = ..., retention_ms: _Optional[int] = ...) -> None: ...

class Waiting(_message.Message):
    __slots__ = ("invoke", "start_ms", "pending", "waiters")
    INVOKE_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    WAITERS_FIELD_NUMBER: _ClassVar[int]
    invoke: Invoke
    start_ms: int
    pending: _containers.RepeatedCompositeFieldContainer[Record]
    waiters: _containers.RepeatedCompositeFieldContainer[Route]
    def __init__(self, invoke: _Optional[_Union[Invoke, _Mapping]] = ..., start_ms: _Optional[int] = ..., pending: _Optional[_Iterable[_Union[Record, _Mapping]]] = ..., waiters: _Optional[_Iterable[_Union[Route, _Mapping]]] = ...) -> None: ...

class Queue(_message.Message):
    __slots__ = ("waiting",)
    WAITING_FIELD_NUMBER: _ClassVar[int]
    waiting: _containers.RepeatedCompositeFieldContainer[Waiting]
    def __init__(self, waiting: _Optional[_Iterable[_Union[Waiting, _Mapping]]] = ...) -> None: ...

class Entries(_message.Message):
    __slots__ = ("entries",)
    class EntriesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.ScalarMap[str, bytes]
    def __init__(self, entries: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Promises(_message.Message):
    __slots__ = ("promises",)
    class PromisesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Outcome
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Outcome, _Mapping]] = ...) -> None: ...
    PROMISES_FIELD_NUMBER: _ClassVar[int]
    promises: _containers.MessageMap[str, Outcome]
    def __init__(self, promises: _Optional[_Mapping[str, Outcome]] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("id", "outcome", "expires_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    outcome: Outcome
    expires_ms: int
    def __init__(self, id: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class Host(_message.Message):
    __slots__ = ("format", "stamp", "time_ms", "alarm", "executions", "receipt", "closed")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    ALARM_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    format: int
    stamp: int
    time_ms: int
    alarm: Alarm
    executions: _containers.RepeatedCompositeFieldContainer[Execution]
    receipt: Receipt
    closed: Execution
    def __init__(self, format: _Optional[int] = ..., stamp: _Optional[int] = ..., time_ms: _Optional[int] = ..., alarm: _Optional[_Union[Alarm, _Mapping]] = ..., executions: _Optional[_Iterable[_Union[Execution, _Mapping]]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., closed: _Optional[_Union[Execution, _Mapping]] = ...) -> None: ...

class Ticket(_message.Message):
    __slots__ = ("invoke", "is_forwarded", "waiters", "outcome", "due_ms", "alarm")
    INVOKE_FIELD_NUMBER: _ClassVar[int]
    IS_FORWARDED_FIELD_NUMBER: _ClassVar[int]
    WAITERS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    ALARM_FIELD_NUMBER: _ClassVar[int]
    invoke: Invoke
    is_forwarded: bool
    waiters: _containers.RepeatedCompositeFieldContainer[Route]
    outcome: Outcome
    due_ms: int
    alarm: Alarm
    def __init__(self, invoke: _Optional[_Union[Invoke, _Mapping]] = ..., is_forwarded: _Optional[bool] = ..., waiters: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., outcome: _Optional[_Union[Outcome, _Mapping]] = ..., due_ms: _Optional[int] = ..., alarm: _Optional[_Union[Alarm, _Mapping]] = ...) -> None: ...
