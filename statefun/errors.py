"""Every exception of `statefun`, one tree.

    StatefunError
    ├── DefinitionError (ValueError, TypeError)        your program is wrong, found at registration
    │   ├── InvalidTypenameError                       not `namespace/name`
    │   ├── InvalidSpecError                           a value that cannot be declared like this
    │   ├── InvalidFunctionError                       not callable with a context and a message
    │   └── AlreadyRegisteredError                     a typename or a value name used twice
    ├── InvalidMessageError (ValueError, TypeError)    a message or record that cannot be sent
    │   ├── MessageArgumentsError (KeyError)           wrong keywords for a builder
    │   ├── MessageTooLargeError                       longer than the limit
    │   ├── IdempotencyConflictError                   the key was used for another message
    │   └── NumberOutOfRangeError (struct.error)       a number too large for Kafka's format
    ├── SerializationError (ValueError, TypeError)     to or from bytes failed
    ├── TypeMismatchError (TypeError)                  a value is read as what it is not
    │   └── UnreadableValueError                       it is stored as what it was declared as
    ├── UnknownValueError (AttributeError)             storage was asked for a value without a spec
    ├── UnknownFunctionError (KeyError, ValueError)    no function is registered under that typename
    ├── InvocationError                                a function raised, `__cause__` says what
    ├── DoNotRetryError                                a function wants its message given up at once
    ├── TurnEndedError (RuntimeError)                  an effect came after its batch had ended
    ├── ProtocolError                                  `.http_status`: what a server should answer
    │   └── RemoteProtocolError                        they sent nonsense
    │       ├── RequestTypeError (TypeError)           a body that is not bytes
    │       ├── IncompleteRequestError (AttributeError)    a request without invocation or target
    │       └── UnknownEgressError                         a record for an unknown egress
    ├── TransportError                                 a function could not be reached
    │   ├── MessageRefusedError                        it wants its message given up at once
    │   ├── ReplyTooLargeError                         it answered with more than is read
    │   └── ValueRefusedError                          it cannot read a stored value
    ├── AddressBusyError                               too much waits for an address
    ├── ProcessEndedError                              a message ends the process that works on it
    ├── GivenUpError                                   the policy `fail` stopped the runtime
    ├── CallFailedError                                a message was given up whose reply is awaited
    ├── CallTimeoutError (TimeoutError)                no reply came in time
    ├── StoreError                                     the data directory cannot be used
    │   ├── StoreDamagedError                          its file is damaged
    │   ├── StoreLockedError                           another process has it
    │   └── SchemaTooNewError                          a newer version wrote it
    ├── RequestRefusedError                            an HTTP request that is answered 4xx or 503
    ├── NonDeterminismError                            a handler does not do what its journal says
    ├── NotDeterministicError (RuntimeError)           a handler did what a replay could not repeat
    ├── ConfigurationError (ValueError)                a module file, an option or a target is wrong
    ├── EditError (ValueError)                         a change by hand that is refused
    │   └── EditTargetError (LookupError)              it names something that is not there
    ├── InvalidPathError (ValueError, TypeError)       not a path of a state tree
    ├── ValueSerializationError (ValueError, TypeError)    a state cannot be written or read back
    ├── StateBackendError                              the storage of a state tree failed
    ├── UnknownCallbackError (ValueError)              no callback is registered under that id
    ├── CallbackIdTakenError (ValueError)              the id belongs to another callback
    ├── CoroutineCallbackError (RuntimeError)          a coroutine where it cannot be run
    ├── MountError (ValueError)                        the root of a tree cannot be unmounted
    ├── TransactionConflictError                       somebody else wrote what was read
    ├── StreamOverflowError                            a reader is too slow for its stream
    └── RuntimeStoppedError (RuntimeError)             the runtime does not accept messages any more

Facts are attributes, and a sentence says them; a fact that is not known is None. Each class carries
one classification for all servers and tools: `is_retryable`, `blame` and `http_status`. Where the
old SDK raised a builtin, the class inherits it, so existing `except` clauses go on working. Every
error survives pickling.
"""

from __future__ import annotations

import struct
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Any, ClassVar, Literal, Protocol

__all__ = [
    "AddressBusyError",
    "AlreadyRegisteredError",
    "Blame",
    "CallFailedError",
    "CallTimeoutError",
    "CallbackIdTakenError",
    "ConfigurationError",
    "CoroutineCallbackError",
    "DefinitionError",
    "DoNotRetryError",
    "EditError",
    "EditTargetError",
    "GivenUpError",
    "IdempotencyConflictError",
    "IncompleteRequestError",
    "InvalidFunctionError",
    "InvalidMessageError",
    "InvalidPathError",
    "InvalidSpecError",
    "InvalidTypenameError",
    "InvocationError",
    "MessageArgumentsError",
    "MessageRefusedError",
    "MessageTooLargeError",
    "MountError",
    "NonDeterminismError",
    "NotDeterministicError",
    "NumberOutOfRangeError",
    "ProcessEndedError",
    "ProtocolError",
    "RemoteProtocolError",
    "ReplyTooLargeError",
    "RequestRefusedError",
    "RequestTypeError",
    "RuntimeStoppedError",
    "SchemaTooNewError",
    "SerializationError",
    "StateBackendError",
    "StatefunError",
    "StoreDamagedError",
    "StoreError",
    "StoreLockedError",
    "StreamOverflowError",
    "TransactionConflictError",
    "TransportError",
    "TurnEndedError",
    "TypeMismatchError",
    "UnknownCallbackError",
    "UnknownEgressError",
    "UnknownFunctionError",
    "UnknownValueError",
    "UnreadableValueError",
    "ValueRefusedError",
    "ValueSerializationError",
]


class _Address(Protocol):
    """What an error needs to know of an address."""

    @property
    def typename(self) -> str: ...

    @property
    def id(self) -> str: ...


class Blame(StrEnum):
    """The side that has to change something before an attempt can succeed."""

    CALLER = "caller"
    """The sender of the message or request."""

    PROGRAM = "program"
    """The functions, or the configuration that they run with."""

    ENVIRONMENT = "environment"
    """The network, the disk, the load, or another process."""


class StatefunError(Exception):
    """The root of every error that `statefun` raises on purpose.

    Attributes:
        is_retryable: Whether the same call may succeed later, although its sender changes nothing.
        blame: The side that has to change something.
        http_status: The status of the answer when an HTTP server meets the error.
    """

    is_retryable: ClassVar[bool] = False
    blame: ClassVar[Blame] = Blame.PROGRAM
    http_status: int = 500

    def __reduce__(self) -> tuple[object, ...]:
        return _with_facts, (type(self), self.args, vars(self))


def _with_facts(
    kind: type[StatefunError], args: tuple[object, ...], facts: dict[str, object]
) -> StatefunError:
    """An error as it was before it was pickled."""
    error = kind.__new__(kind, *args)
    vars(error).update(facts)
    return error


@dataclass(eq=False, repr=False)
class _SentenceError(StatefunError):
    """An error with a sentence that is made where it is raised, and facts beside it.

    Attributes:
        sentence: The text.
    """

    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(eq=False, repr=False, kw_only=True)
class DefinitionError(_SentenceError, ValueError, TypeError):
    """The program is wrong, found when a function, a spec, a type or a handler was defined.

    Attributes:
        name: The name of what was defined: a typename, or the name of a value, a service or a
            handler.
        place: The file and line where it is defined.
    """

    name: str | None = None
    place: str | None = None


class InvalidTypenameError(DefinitionError):
    """A typename is not of the form `namespace/name`.

    Attributes:
        what: The thing that has the typename.
    """

    def __init__(self, typename: object, what: str = "typename") -> None:
        super().__init__(
            f"{what} {typename!r} is not of the form 'namespace/name': "
            "write for example 'com.example/greeter'",
            name=typename if isinstance(typename, str) else None,
        )
        self.what = what


class InvalidSpecError(DefinitionError):
    """A value was declared in a way that no engine could keep."""


class InvalidFunctionError(DefinitionError):
    """What was registered cannot be called with a context and a message."""


class AlreadyRegisteredError(DefinitionError):
    """A function typename, a value name within one function, or a service was registered twice."""


@dataclass(eq=False, repr=False, kw_only=True)
class InvalidMessageError(_SentenceError, ValueError, TypeError):
    """A message, a delay, a token or an egress record that cannot be sent.

    Attributes:
        argument: The argument or the part of the record that is wrong.
        given: What was given for it, as text; a type by its name.
    """

    blame = Blame.CALLER
    http_status = 400

    argument: str | None = None
    given: str | None = None


class MessageArgumentsError(InvalidMessageError, KeyError):
    """A builder was called with keywords it does not know, or with too many or too few."""


@dataclass(eq=False, repr=False, kw_only=True)
class MessageTooLargeError(InvalidMessageError):
    """A message is longer than its function takes.

    Attributes:
        address: The address that it was for.
        size_bytes: Its size.
        limit_bytes: The limit.
    """

    http_status = 413

    address: _Address | None = None
    size_bytes: int | None = None
    limit_bytes: int | None = None


@dataclass(eq=False, repr=False, kw_only=True)
class IdempotencyConflictError(InvalidMessageError):
    """The idempotency key was used before, for another message to the same address.

    Attributes:
        address: The address that both messages were for.
        key: The key.
    """

    http_status = 409

    address: _Address | None = None
    key: str | None = None


@dataclass(eq=False, repr=False, kw_only=True)
class NumberOutOfRangeError(InvalidMessageError, struct.error):
    """A number does not fit the format that Kafka's serializers use for it.

    Attributes:
        number: The number.
    """

    number: int | None = None


@dataclass(eq=False, repr=False, kw_only=True)
class SerializationError(_SentenceError, ValueError, TypeError):
    """A value could not be turned into bytes, or bytes into a value; `__cause__` says why.

    Attributes:
        typename: The typename of the type, if it is known.
    """

    blame = Blame.CALLER
    http_status = 400

    typename: str | None = None


@dataclass(eq=False, repr=False)
class TypeMismatchError(StatefunError, TypeError):
    """A value carries the typename `actual` and was read as `expected`."""

    what: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return (
            f"{self.what} has the type {self.actual!r} and cannot be read as {self.expected!r}: "
            "ask is_type() first, or read it as the type it has"
        )


@dataclass(eq=False, repr=False)
class UnreadableValueError(TypeMismatchError):
    """A stored value cannot be read as the type that its function declares now.

    Attributes:
        address: Whose value it is; None if a function found out, which names it in a note.
        reason: Why its upgrade failed; None if there is no upgrade from that type.
    """

    address: _Address | None = None
    reason: str | None = None

    def __str__(self) -> str:
        of_address = "" if self.address is None else f" of {self.address}"
        why = (
            "which cannot be read as that: give the ValueSpec an upgrade"
            if self.reason is None
            else f"and its upgrade failed ({self.reason}): mend the upgrade"
        )
        return (
            f"{self.what}{of_address} is stored as {self.actual!r} and declared as "
            f"{self.expected!r} now, {why}, declare the old type, or set the value with "
            "'statefun state set'"
        )


@dataclass(eq=False, repr=False)
class UnknownValueError(StatefunError, AttributeError):
    """A function asked its storage for a value it never declared."""

    value_name: str
    typename: str
    registered: tuple[str, ...]

    def __str__(self) -> str:
        known = ", ".join(self.registered) or "none"
        return (
            f"{self.typename} has no value {self.value_name!r}; registered: {known}. "
            f"Add ValueSpec({self.value_name!r}, ...) to the function's specs"
        )


@dataclass(eq=False, repr=False)
class UnknownFunctionError(StatefunError, KeyError, ValueError):
    """A message is addressed to a typename under which no function is registered.

    Attributes:
        typename: That typename.
        registered: The typenames that have a function.
        target_id: The id of the address that was called; None if there is none.
    """

    is_retryable = True
    blame = Blame.CALLER
    http_status = 404

    typename: str
    registered: tuple[str, ...]
    target_id: str | None = None

    def __str__(self) -> str:
        known = ", ".join(self.registered) or "none"
        return (
            f"no function is registered as {self.typename!r}; registered: {known}. "
            f"Bind one with @functions.bind({self.typename!r}), or correct the sender"
        )


@dataclass(eq=False, repr=False)
class InvocationError(StatefunError):
    """A function raised. `__cause__` is what it raised; the whole batch counts as failed.

    Attributes:
        address: Where the function was running.
        value_typename: The typename of the message it was given.
        position: Which message of the batch it was; the first is 1.
        batch_size: How many messages the batch has.
        reason: The class and the text of the user's exception.
    """

    is_retryable = True

    address: _Address
    value_typename: str
    position: int
    batch_size: int
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.address.typename} {self.address.id!r} failed on message {self.position} of "
            f"{self.batch_size} (type {self.value_typename!r}): {self.reason}"
        )


class DoNotRetryError(_SentenceError):
    """Raise it in a function to have the message given up at once: another attempt is in vain.

    The message then becomes a dead letter, or whatever else the policy of the function says about a
    message that used up its attempts. If it came with others in one batch, it is told apart from
    them first. Functions behind an endpoint of ours may raise it, too. A Flink cluster knows
    nothing of it, and tries again.

    Example:
        ```python
        if order["cents"] < 0:
            raise DoNotRetryError(f"order {context.address.id} costs less than nothing")
        ```
    """


@dataclass(eq=False, repr=False)
class TurnEndedError(StatefunError, RuntimeError):
    """A context was used after its batch had ended, so the effect would have been lost."""

    effect: str
    address: _Address

    def __str__(self) -> str:
        return (
            f"{self.effect} came after the batch of {self.address.typename} {self.address.id!r} "
            "had ended and would have been lost: await the work inside the function"
        )


class ProtocolError(_SentenceError):
    """Bytes that break the request/reply protocol; `http_status` is what a server should answer."""

    http_status = 500


@dataclass(eq=False, repr=False, kw_only=True)
class RemoteProtocolError(ProtocolError):
    """The other side sent something that is not the protocol.

    Attributes:
        address: The address of the function that sent it, or that it was for.
        value_name: The name of the value that is wrong.
        size_bytes: The size of the bytes that cannot be read, or of a part that is too large.
    """

    blame = Blame.CALLER
    http_status = 400

    address: _Address | None = None
    value_name: str | None = None
    size_bytes: int | None = None


class RequestTypeError(RemoteProtocolError, TypeError):
    """The body of a request is not bytes; the code that called the handler has to change."""

    blame = Blame.PROGRAM


class IncompleteRequestError(RemoteProtocolError, AttributeError):
    """A request without an invocation, or an invocation without a target."""


@dataclass(eq=False, repr=False, kw_only=True)
class UnknownEgressError(RemoteProtocolError):
    """A function sent a record to an egress that does not exist.

    Attributes:
        egress: The typename of the egress.
        sender: The address of the function.
    """

    blame = Blame.PROGRAM

    egress: str | None = None
    sender: _Address | None = None


@dataclass(eq=False, repr=False, kw_only=True)
class TransportError(_SentenceError):
    """A function could not be reached, or the answer did not come from an endpoint.

    Attributes:
        connected: False if no connection could be made, or if the endpoint is there and takes no
            request now (429 or 503 with `Retry-After`), so the function cannot have run.
        retry_after_ms: The endpoint asked to be left alone so long; None if it did not.
    """

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 502

    connected: bool = True
    retry_after_ms: int | None = None


@dataclass(eq=False, repr=False, kw_only=True)
class ReplyTooLargeError(TransportError):
    """A function answered with more than is read of an answer.

    Attributes:
        url: The endpoint.
        limit_bytes: The limit.
    """

    blame = Blame.PROGRAM

    url: str | None = None
    limit_bytes: int | None = None


class ValueRefusedError(TransportError):
    """A function behind an endpoint cannot read a stored value; see `UnreadableValueError`."""

    blame = Blame.PROGRAM


class MessageRefusedError(TransportError):
    """A function behind an endpoint raised a `DoNotRetryError`."""

    is_retryable = False
    blame = Blame.PROGRAM


@dataclass(eq=False, repr=False, kw_only=True)
class AddressBusyError(_SentenceError):
    """So much waits for an address, or for all, that no more is taken in; nothing was kept.

    Attributes:
        address: The address; None if the limit is that of all addresses together.
        waiting_bytes: The size of the messages that wait.
    """

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 503

    address: _Address | None = None
    waiting_bytes: int | None = None


@dataclass(eq=False, repr=False)
class ProcessEndedError(StatefunError):
    """The process ended without a word while it worked on one message alone.

    Attributes:
        address: Whom the message was for.
        number: The number of the message.
    """

    address: _Address
    number: int

    def __str__(self) -> str:
        return (
            f"the process ended while {self.address} worked on message {self.number} alone, killed "
            "by the function or from outside: look for a crash or too little memory, and correct "
            "the function"
        )


@dataclass(eq=False, repr=False, kw_only=True)
class GivenUpError(_SentenceError):
    """A message used up its attempts where the policy is `fail`; `__cause__` is the last error.

    Attributes:
        address: The address of the function.
    """

    address: _Address | None = None


@dataclass(eq=False, repr=False)
class CallFailedError(StatefunError):
    """A message was given up, so that the reply that somebody waits for will not come.

    Attributes:
        address: Whom the message was for.
        reason: Why the last attempt failed.
        attempts: How many attempts were made.
        dead_letter_id: Its number as a dead letter, from which it can be replayed; None if the
            policy of the function drops what it gives up.
    """

    blame = Blame.PROGRAM
    http_status = 500

    address: _Address
    reason: str
    attempts: int
    dead_letter_id: int | None

    def __str__(self) -> str:
        left = "the message was dropped: correct the function, then send it again"
        if self.dead_letter_id is not None:
            left = (
                f"the message is dead letter {self.dead_letter_id}: correct the function, then "
                "replay it"
            )
        return (
            f"{self.address.typename} {self.address.id!r} failed {self.attempts} times on the "
            f"message ({self.reason}); {left}"
        )


@dataclass(eq=False, repr=False)
class CallTimeoutError(StatefunError, TimeoutError):
    """A function did not reply in time.

    Attributes:
        address: Whom the message was for.
        timeout_s: How long the reply was waited for, in seconds.
        is_accepted: Whether the message is durable. If it is, the function works on it all the
            same, and its reply becomes a dead letter; if not, the message may be lost.
    """

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 504

    address: _Address
    timeout_s: float
    _: KW_ONLY
    is_accepted: bool

    def __str__(self) -> str:
        what = "the message stays accepted: do not send it again, or wait longer"
        if not self.is_accepted:
            what = (
                "the message was not durable by then, and may or may not be delivered: send it "
                "again if it may come twice"
            )
        return (
            f"{self.address.typename} {self.address.id!r} did not reply within "
            f"{self.timeout_s:g} s; {what}"
        )


@dataclass(eq=False, repr=False, kw_only=True)
class StoreError(_SentenceError):
    """The data directory cannot be used as it is.

    Attributes:
        path: The file or directory, if it is known.
    """

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 503

    path: str | None = None


class StoreDamagedError(StoreError):
    """The file of a data directory is damaged, missing, or not of SQLite; a retry does not help."""

    is_retryable = False


class StoreLockedError(StoreError):
    """Another process is using the data directory."""


@dataclass(eq=False, repr=False, kw_only=True)
class SchemaTooNewError(StoreError):
    """The data directory was written by a newer version.

    Attributes:
        version: The version of its schema.
    """

    is_retryable = False

    version: int | None = None


class RequestRefusedError(StatefunError):
    """An HTTP request is refused; raised where a server answers it, and sent as its answer.

    Attributes:
        http_status: The status of the answer.
        reason: The line that is its body.
        retry_after_s: When the client may try again, in seconds; None if it need not. By default
            1 for the status 503.
    """

    blame = Blame.CALLER

    def __init__(self, http_status: int, reason: str, retry_after_s: int | None = None) -> None:
        super().__init__(http_status, reason, retry_after_s)
        self.http_status = http_status
        self.reason = reason
        self.retry_after_s = 1 if retry_after_s is None and http_status == 503 else retry_after_s

    def __str__(self) -> str:
        return f"{self.reason} (HTTP {self.http_status})"


@dataclass(eq=False, repr=False)
class NonDeterminismError(StatefunError):
    """A handler, made to repeat what its journal says, does something else: its code has changed.

    The invocation waits, and nothing of the attempt counts; with the old code it goes on.

    Attributes:
        handler: Whose invocation it is, with its id.
        record: Which event of the journal, from one.
        recorded: The step that is recorded; None if the handler has given too many.
        given: The step that the handler gives; None if it gives none.
        place: Where it is in the user's code.
    """

    handler: str
    record: int
    recorded: str | None
    given: str | None
    place: str

    def __str__(self) -> str:
        return (
            f"{self.handler} does not do after event {self.record} what is recorded: "
            f"recorded is {self.recorded or 'nothing more'}, now it is {self.given or 'nothing'}, "
            f"at {self.place}. Deploy the code it was started with, or give new code a new handler"
        )


@dataclass(eq=False, repr=False)
class NotDeterministicError(StatefunError, RuntimeError):
    """A handler did what a replay could not repeat.

    Attributes:
        what: What it was.
        hint: What to do instead.
    """

    what: str
    hint: str

    def __str__(self) -> str:
        return (
            f"{self.what} is not for a durable handler, because a replay would differ: {self.hint}"
        )


@dataclass(eq=False, repr=False, kw_only=True)
class ConfigurationError(_SentenceError, ValueError):
    """A module file, an option or a target on the command line is wrong.

    Attributes:
        option: The name of the option, argument or key that is wrong.
        given: What was given for it, as text.
        problems: The problems of module files, each with its `file`, `line`, `key` and `text`.
    """

    option: str | None = None
    given: str | None = None
    problems: tuple[Any, ...] = ()


class EditError(_SentenceError, ValueError):
    """A change by hand is refused; nothing was changed."""

    blame = Blame.CALLER
    http_status = 400


@dataclass(eq=False, repr=False, kw_only=True)
class EditTargetError(EditError, LookupError):
    """A change by hand names something that is not there; nothing was changed.

    Attributes:
        kind: `dead letter`, `paused address`, `delayed message` or `value`.
        target: Its number, address or name, as text.
    """

    http_status = 404

    kind: str | None = None
    target: str | None = None


@dataclass(eq=False, repr=False, kw_only=True)
class RuntimeStoppedError(_SentenceError, RuntimeError):
    """The runtime does not run: it takes no more messages, or none yet.

    Attributes:
        state: Whether it has not been started, is stopping, or has stopped.
    """

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 503

    state: Literal["new", "stopping", "stopped"] | None = None


# --- state trees ----------------------------------------------------------------------------------


class InvalidPathError(StatefunError, ValueError, TypeError):
    """A path that no node of a state tree can have."""

    blame = Blame.CALLER
    http_status = 400

    def __init__(self, path: object, reason: str) -> None:
        text = path if isinstance(path, str) else repr(path)
        super().__init__(text, reason)
        self.path = text
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path!r} cannot be used as a path: {self.reason}"


@dataclass(eq=False, repr=False)
class ValueSerializationError(StatefunError, ValueError, TypeError):
    """A value of a state tree cannot be written or read back; `__cause__` says why."""

    blame = Blame.CALLER
    http_status = 400

    path: str
    verb: str
    reason: str

    def __str__(self) -> str:
        return (
            f"the value at {self.path!r} cannot be {self.verb} by its serializer ({self.reason}); "
            "nothing was changed: use a value or a serializer that fits"
        )


@dataclass(eq=False, repr=False)
class StateBackendError(StatefunError):
    """The storage of a state tree failed; `__cause__` says how."""

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 503

    path: str
    verb: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.path!r} could not be {self.verb} ({self.reason}); what was stored before is "
            "still there: put the storage right and try again"
        )


@dataclass(eq=False, repr=False)
class UnknownCallbackError(StatefunError, ValueError):
    """A path is to be subscribed by an id under which no callback is registered."""

    callback_id: object
    path: str

    def __str__(self) -> str:
        return (
            f"no callback is registered as {self.callback_id!r}, so {self.path!r} cannot be "
            "subscribed by it: call register_callback first, or pass ignore_missing=True"
        )


@dataclass(eq=False, repr=False)
class CallbackIdTakenError(StatefunError, ValueError):
    """An id is asked for that belongs to another callback."""

    callback_id: object

    def __str__(self) -> str:
        return (
            f"{self.callback_id!r} is the id of another callback: choose another id, or pass "
            "replace=True to put the new callback in its place"
        )


@dataclass(eq=False, repr=False)
class CoroutineCallbackError(StatefunError, RuntimeError):
    """A callback of a sync controller gave a coroutine while an event loop is running."""

    callback: str

    def __str__(self) -> str:
        return (
            f"{self.callback} returned a coroutine, which a ControllerSync cannot run inside a "
            "running event loop: use a ControllerAsync here, or a plain function"
        )


@dataclass(eq=False, repr=False)
class MountError(StatefunError, ValueError):
    """The root backend of a hybrid backend was to be unmounted."""

    path: str

    def __str__(self) -> str:
        return f"{self.path!r} is the root backend and stays: mount another backend there instead"


@dataclass(eq=False, repr=False)
class TransactionConflictError(StatefunError):
    """A transaction read a value that somebody else has changed since; nothing was written."""

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 409

    path: str

    def __str__(self) -> str:
        return (
            f"{self.path!r} was changed by somebody else after the transaction had read it; "
            "nothing was written: run the transaction again"
        )


@dataclass(eq=False, repr=False)
class StreamOverflowError(StatefunError):
    """More events wait for the reader of a stream than it may keep."""

    is_retryable = True
    blame = Blame.CALLER

    path: str
    limit: int

    def __str__(self) -> str:
        return (
            f"the reader of the stream of {self.path!r} is more than {self.limit} events behind: "
            "read the state anew and open another stream, or pass a higher limit"
        )
