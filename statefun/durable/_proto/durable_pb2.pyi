from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper

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
RUNNING: Status
BACKOFF: Status
PAUSED: Status
BLOCKED: Status

class Failure(_message.Message):
    __slots__ = ("code", "message", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: str | None = ..., value: str | None = ...) -> None: ...

    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(
        self,
        code: int | None = ...,
        message: str | None = ...,
        metadata: _Mapping[str, str] | None = ...,
    ) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("failure", "value")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    value: bytes
    failure: Failure
    def __init__(
        self, value: bytes | None = ..., failure: Failure | _Mapping | None = ...
    ) -> None: ...

class Route(_message.Message):
    __slots__ = ("execution", "id", "is_egress", "seq", "typename")
    TYPENAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    IS_EGRESS_FIELD_NUMBER: _ClassVar[int]
    typename: str
    id: str
    execution: str
    seq: int
    is_egress: bool
    def __init__(
        self,
        typename: str | None = ...,
        id: str | None = ...,
        execution: str | None = ...,
        seq: int | None = ...,
        is_egress: bool | None = ...,
    ) -> None: ...

class Invoke(_message.Message):
    __slots__ = (
        "argument",
        "chain",
        "delay_ms",
        "handler",
        "headers",
        "id",
        "idempotency_key",
        "reply",
        "retention_ms",
    )
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: str | None = ..., value: str | None = ...) -> None: ...

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
    def __init__(
        self,
        id: str | None = ...,
        handler: str | None = ...,
        argument: bytes | None = ...,
        reply: Route | _Mapping | None = ...,
        headers: _Mapping[str, str] | None = ...,
        idempotency_key: str | None = ...,
        delay_ms: int | None = ...,
        chain: _Iterable[int] | None = ...,
        retention_ms: int | None = ...,
    ) -> None: ...

class Done(_message.Message):
    __slots__ = ("execution", "outcome", "seq")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    execution: str
    seq: int
    outcome: Outcome
    def __init__(
        self,
        execution: str | None = ...,
        seq: int | None = ...,
        outcome: Outcome | _Mapping | None = ...,
    ) -> None: ...

class Signal(_message.Message):
    __slots__ = ("execution", "name", "outcome")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    execution: str
    name: str
    outcome: Outcome
    def __init__(
        self,
        execution: str | None = ...,
        name: str | None = ...,
        outcome: Outcome | _Mapping | None = ...,
    ) -> None: ...

class Attach(_message.Message):
    __slots__ = ("id", "peek", "reply")
    ID_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    PEEK_FIELD_NUMBER: _ClassVar[int]
    id: str
    reply: Route
    peek: bool
    def __init__(
        self,
        id: str | None = ...,
        reply: Route | _Mapping | None = ...,
        peek: bool | None = ...,
    ) -> None: ...

class Alarm(_message.Message):
    __slots__ = ("due_ms", "token")
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    due_ms: int
    token: str
    def __init__(self, due_ms: int | None = ..., token: str | None = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("argument", "id", "reply", "typename")
    REPLY_FIELD_NUMBER: _ClassVar[int]
    TYPENAME_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    ARGUMENT_FIELD_NUMBER: _ClassVar[int]
    reply: Route
    typename: str
    id: str
    argument: bytes
    def __init__(
        self,
        reply: Route | _Mapping | None = ...,
        typename: str | None = ...,
        id: str | None = ...,
        argument: bytes | None = ...,
    ) -> None: ...

class Envelope(_message.Message):
    __slots__ = (
        "alarm",
        "ask",
        "attach",
        "cancel",
        "done",
        "invoke",
        "kill",
        "pause",
        "resume",
        "signal",
        "version",
        "wake",
    )
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
    def __init__(
        self,
        version: int | None = ...,
        invoke: Invoke | _Mapping | None = ...,
        done: Done | _Mapping | None = ...,
        signal: Signal | _Mapping | None = ...,
        cancel: str | None = ...,
        kill: str | None = ...,
        pause: str | None = ...,
        resume: str | None = ...,
        attach: Attach | _Mapping | None = ...,
        alarm: Alarm | _Mapping | None = ...,
        wake: bool | None = ...,
        ask: Ask | _Mapping | None = ...,
    ) -> None: ...

class Record(_message.Message):
    __slots__ = ("commands", "invoke", "kind", "name", "outcome", "seq", "time_ms")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    INVOKE_FIELD_NUMBER: _ClassVar[int]
    kind: Kind
    seq: int
    name: str
    outcome: Outcome
    time_ms: int
    commands: _containers.RepeatedScalarFieldContainer[str]
    invoke: Invoke
    def __init__(
        self,
        kind: Kind | str | None = ...,
        seq: int | None = ...,
        name: str | None = ...,
        outcome: Outcome | _Mapping | None = ...,
        time_ms: int | None = ...,
        commands: _Iterable[str] | None = ...,
        invoke: Invoke | _Mapping | None = ...,
    ) -> None: ...

class Journal(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[Record]
    def __init__(self, records: _Iterable[Record | _Mapping] | None = ...) -> None: ...

class Before(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: bytes
    def __init__(self, name: str | None = ..., value: bytes | None = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("attempts", "due_ms", "first_ms", "seq")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    FIRST_MS_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    seq: int
    attempts: int
    first_ms: int
    due_ms: int
    def __init__(
        self,
        seq: int | None = ...,
        attempts: int | None = ...,
        first_ms: int | None = ...,
        due_ms: int | None = ...,
    ) -> None: ...

class Execution(_message.Message):
    __slots__ = (
        "attempts",
        "before",
        "calls",
        "due_ms",
        "failure",
        "handler",
        "has_open_end",
        "has_seen_keys",
        "id",
        "journal",
        "keys",
        "pending",
        "retention_ms",
        "retries",
        "status",
        "waiters",
        "was_resumed",
    )
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
    WAS_RESUMED_FIELD_NUMBER: _ClassVar[int]
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
    was_resumed: bool
    def __init__(
        self,
        id: str | None = ...,
        handler: str | None = ...,
        status: Status | str | None = ...,
        waiters: _Iterable[Route | _Mapping] | None = ...,
        due_ms: int | None = ...,
        attempts: int | None = ...,
        has_open_end: bool | None = ...,
        failure: str | None = ...,
        pending: _Iterable[Record | _Mapping] | None = ...,
        before: _Iterable[Before | _Mapping] | None = ...,
        has_seen_keys: bool | None = ...,
        keys: _Iterable[str] | None = ...,
        retries: _Iterable[Retry | _Mapping] | None = ...,
        calls: _Iterable[str] | None = ...,
        journal: bytes | None = ...,
        retention_ms: int | None = ...,
        was_resumed: bool | None = ...,
    ) -> None: ...

class Waiting(_message.Message):
    __slots__ = ("invoke", "pending", "start_ms", "waiters")
    INVOKE_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    WAITERS_FIELD_NUMBER: _ClassVar[int]
    invoke: Invoke
    start_ms: int
    pending: _containers.RepeatedCompositeFieldContainer[Record]
    waiters: _containers.RepeatedCompositeFieldContainer[Route]
    def __init__(
        self,
        invoke: Invoke | _Mapping | None = ...,
        start_ms: int | None = ...,
        pending: _Iterable[Record | _Mapping] | None = ...,
        waiters: _Iterable[Route | _Mapping] | None = ...,
    ) -> None: ...

class Queue(_message.Message):
    __slots__ = ("waiting",)
    WAITING_FIELD_NUMBER: _ClassVar[int]
    waiting: _containers.RepeatedCompositeFieldContainer[Waiting]
    def __init__(self, waiting: _Iterable[Waiting | _Mapping] | None = ...) -> None: ...

class Entries(_message.Message):
    __slots__ = ("entries",)
    class EntriesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: str | None = ..., value: bytes | None = ...) -> None: ...

    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.ScalarMap[str, bytes]
    def __init__(self, entries: _Mapping[str, bytes] | None = ...) -> None: ...

class Promises(_message.Message):
    __slots__ = ("promises",)
    class PromisesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Outcome
        def __init__(
            self, key: str | None = ..., value: Outcome | _Mapping | None = ...
        ) -> None: ...

    PROMISES_FIELD_NUMBER: _ClassVar[int]
    promises: _containers.MessageMap[str, Outcome]
    def __init__(self, promises: _Mapping[str, Outcome] | None = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("expires_ms", "id", "outcome")
    ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    outcome: Outcome
    expires_ms: int
    def __init__(
        self,
        id: str | None = ...,
        outcome: Outcome | _Mapping | None = ...,
        expires_ms: int | None = ...,
    ) -> None: ...

class Host(_message.Message):
    __slots__ = ("alarm", "executions", "format", "receipt", "stamp", "time_ms")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    ALARM_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    format: int
    stamp: int
    time_ms: int
    alarm: Alarm
    executions: _containers.RepeatedCompositeFieldContainer[Execution]
    receipt: Receipt
    def __init__(
        self,
        format: int | None = ...,
        stamp: int | None = ...,
        time_ms: int | None = ...,
        alarm: Alarm | _Mapping | None = ...,
        executions: _Iterable[Execution | _Mapping] | None = ...,
        receipt: Receipt | _Mapping | None = ...,
    ) -> None: ...

class Ticket(_message.Message):
    __slots__ = ("alarm", "due_ms", "invoke", "is_forwarded", "outcome", "waiters")
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
    def __init__(
        self,
        invoke: Invoke | _Mapping | None = ...,
        is_forwarded: bool | None = ...,
        waiters: _Iterable[Route | _Mapping] | None = ...,
        outcome: Outcome | _Mapping | None = ...,
        due_ms: int | None = ...,
        alarm: Alarm | _Mapping | None = ...,
    ) -> None: ...
