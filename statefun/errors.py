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
    ├── UnknownValueError (AttributeError)             storage was asked for a value without a spec
    ├── UnknownFunctionError (KeyError, ValueError)    no function is registered under that typename
    ├── InvocationError                                a function raised, `__cause__` says what
    ├── TurnEndedError (RuntimeError)                  an effect came after its batch had ended
    ├── ProtocolError                                  `.http_status`: what a server should answer
    │   └── RemoteProtocolError                        they sent nonsense
    │       ├── RequestTypeError (TypeError)           a body that is not bytes
    │       ├── IncompleteRequestError (AttributeError)    a request without invocation or target
    │       └── UnknownEgressError                         a record for an unknown egress
    ├── TransportError                                 a function could not be reached
    │   └── ReplyTooLargeError                         it answered with more than is read
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

Facts are attributes, and a sentence says them. Each class carries one classification for all
servers and tools: `is_retryable`, `blame` and `http_status`. Where the old SDK raised a builtin,
the class inherits it, so existing `except` clauses go on working. Every error survives pickling.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import Any, ClassVar, Protocol

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


class _SentenceError(StatefunError):
    """An error with a sentence that is made where it is raised, and facts beside it.

    Args:
        sentence: The text.
        **facts: The facts that `FACTS` names; those that are not given are None.
    """

    FACTS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, sentence: str, **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        for name in self.FACTS:
            setattr(self, name, facts.pop(name, None))
        if facts:
            raise TypeError(f"{type(self).__name__} has no facts {sorted(facts)}")

    def __str__(self) -> str:
        return self.sentence


class DefinitionError(_SentenceError, ValueError, TypeError):
    """The program is wrong, found when a function, a spec or a type was defined."""


class InvalidTypenameError(DefinitionError):
    """A typename is not of the form `namespace/name`."""

    def __init__(self, typename: object, what: str = "typename") -> None:
        StatefunError.__init__(self, typename, what)
        self.typename = typename
        self.what = what

    def __str__(self) -> str:
        return (
            f"{self.what} {self.typename!r} is not of the form 'namespace/name': "
            "write for example 'com.example/greeter'"
        )


class InvalidSpecError(DefinitionError):
    """A value was declared in a way that no engine could keep.

    Attributes:
        value_name: The name of the value, if it is known.
    """

    FACTS = ("value_name",)

    value_name: str | None


class InvalidFunctionError(DefinitionError):
    """What was registered cannot be called with a context and a message.

    Attributes:
        typename: The typename it was to be registered under, if it is known.
    """

    FACTS = ("typename",)

    typename: str | None


class AlreadyRegisteredError(DefinitionError):
    """A function typename, or a value name within one function, was registered twice.

    Attributes:
        name: The typename, or the name of the value.
    """

    FACTS = ("name",)

    name: str | None


class InvalidMessageError(_SentenceError, ValueError, TypeError):
    """A message, a delay, a token or an egress record that cannot be sent."""

    blame = Blame.CALLER
    http_status = 400


class MessageArgumentsError(InvalidMessageError, KeyError):
    """A builder was called with keywords it does not know, or with too many or too few."""


class MessageTooLargeError(InvalidMessageError):
    """A message is longer than its function takes.

    Attributes:
        address: The address that it was for.
        size_bytes: Its size.
        limit_bytes: The limit.
    """

    FACTS = ("address", "size_bytes", "limit_bytes")
    http_status = 413

    address: _Address | None
    size_bytes: int | None
    limit_bytes: int | None


class IdempotencyConflictError(InvalidMessageError):
    """The idempotency key was used before, for another message to the same address.

    Attributes:
        address: The address that both messages were for.
        key: The key.
    """

    FACTS = ("address", "key")
    http_status = 409

    address: _Address | None
    key: str | None


class NumberOutOfRangeError(InvalidMessageError, struct.error):
    """A number does not fit the format that Kafka's serializers use for it.

    Attributes:
        number: The number.
    """

    FACTS = ("number",)

    number: int | None


class SerializationError(_SentenceError, ValueError, TypeError):
    """A value could not be turned into bytes, or bytes into a value; `__cause__` says why.

    Attributes:
        typename: The typename of the type, if it is known.
    """

    FACTS = ("typename",)
    blame = Blame.CALLER
    http_status = 400

    typename: str | None


class TypeMismatchError(StatefunError, TypeError):
    """A value carries the typename `actual` and was read as `expected`."""

    def __init__(self, what: str, expected: str, actual: str) -> None:
        super().__init__(what, expected, actual)
        self.what = what
        self.expected = expected
        self.actual = actual

    def __str__(self) -> str:
        return (
            f"{self.what} has the type {self.actual!r} and cannot be read as {self.expected!r}: "
            "ask is_type() first, or read it as the type it has"
        )


class UnknownValueError(StatefunError, AttributeError):
    """A function asked its storage for a value it never declared."""

    def __init__(self, name: str, typename: str, registered: tuple[str, ...]) -> None:
        super().__init__(name, typename, registered)
        self.value_name = name
        self.typename = typename
        self.registered = registered

    def __str__(self) -> str:
        known = ", ".join(self.registered) or "none"
        return (
            f"{self.typename} has no value {self.value_name!r}; registered: {known}. "
            f"Add ValueSpec({self.value_name!r}, ...) to the function's specs"
        )


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

    def __init__(
        self, typename: str, registered: tuple[str, ...], target_id: str | None = None
    ) -> None:
        super().__init__(typename, registered, target_id)
        self.typename = typename
        self.registered = registered
        self.target_id = target_id

    def __str__(self) -> str:
        known = ", ".join(self.registered) or "none"
        return (
            f"no function is registered as {self.typename!r}; registered: {known}. "
            f"Bind one with @functions.bind({self.typename!r}), or correct the sender"
        )


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

    def __init__(
        self, address: _Address, value_typename: str, position: int, batch_size: int, reason: str
    ) -> None:
        super().__init__(address, value_typename, position, batch_size, reason)
        self.address = address
        self.value_typename = value_typename
        self.position = position
        self.batch_size = batch_size
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.address.typename} {self.address.id!r} failed on message {self.position} of "
            f"{self.batch_size} (type {self.value_typename!r}): {self.reason}"
        )


class TurnEndedError(StatefunError, RuntimeError):
    """A context was used after its batch had ended, so the effect would have been lost."""

    def __init__(self, effect: str, address: _Address) -> None:
        super().__init__(effect, address)
        self.effect = effect
        self.address = address

    def __str__(self) -> str:
        return (
            f"{self.effect} came after the batch of {self.address.typename} {self.address.id!r} "
            "had ended and would have been lost: await the work inside the function"
        )


class ProtocolError(_SentenceError):
    """Bytes that break the request/reply protocol; `http_status` is what a server should answer."""

    http_status = 500


class RemoteProtocolError(ProtocolError):
    """The other side sent something that is not the protocol."""

    blame = Blame.CALLER

    http_status = 400


class RequestTypeError(RemoteProtocolError, TypeError):
    """The body of a request is not bytes; the code that called the handler has to change."""

    blame = Blame.PROGRAM


class IncompleteRequestError(RemoteProtocolError, AttributeError):
    """A request without an invocation, or an invocation without a target."""


class UnknownEgressError(RemoteProtocolError):
    """A function sent a record to an egress that does not exist.

    Attributes:
        egress: The typename of the egress.
        sender: The address of the function.
    """

    FACTS = ("egress", "sender")
    blame = Blame.PROGRAM

    egress: str | None
    sender: _Address | None


class TransportError(_SentenceError):
    """A function could not be reached, or the answer did not come from an endpoint.

    Attributes:
        connected: False if no connection could be made, so the function cannot have run.
    """

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 502

    def __init__(self, sentence: str, *, connected: bool = True, **facts: Any) -> None:
        super().__init__(sentence, **facts)
        self.connected = connected


class ReplyTooLargeError(TransportError):
    """A function answered with more than is read of an answer.

    Attributes:
        url: The endpoint.
        limit_bytes: The limit.
    """

    FACTS = ("url", "limit_bytes")
    blame = Blame.PROGRAM

    url: str | None
    limit_bytes: int | None


class AddressBusyError(_SentenceError):
    """So much waits for an address, or for all, that no more is taken in; nothing was kept.

    Attributes:
        address: The address; None if the limit is that of all addresses together.
        waiting_bytes: The size of the messages that wait.
    """

    FACTS = ("address", "waiting_bytes")
    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 503

    address: _Address | None
    waiting_bytes: int | None


class ProcessEndedError(StatefunError):
    """The process ended without a word while it worked on one message alone.

    Attributes:
        address: Whom the message was for.
        number: The number of the message.
    """

    def __init__(self, address: _Address, number: int) -> None:
        super().__init__(address, number)
        self.address = address
        self.number = number

    def __str__(self) -> str:
        return (
            f"the process ended while {self.address} worked on message {self.number} alone, killed "
            "by the function or from outside: look for a crash or too little memory, and correct "
            "the function"
        )


class GivenUpError(_SentenceError):
    """A message used up its attempts where the policy is `fail`; `__cause__` is the last error.

    Attributes:
        address: The address of the function.
    """

    FACTS = ("address",)

    address: _Address | None


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

    def __init__(
        self, address: _Address, reason: str, attempts: int, dead_letter_id: int | None
    ) -> None:
        super().__init__(address, reason, attempts, dead_letter_id)
        self.address = address
        self.reason = reason
        self.attempts = attempts
        self.dead_letter_id = dead_letter_id

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

    def __init__(self, address: _Address, timeout_s: float, *, is_accepted: bool) -> None:
        super().__init__(address, timeout_s, is_accepted)
        self.address = address
        self.timeout_s = timeout_s
        self.is_accepted = is_accepted

    def __reduce__(self) -> tuple[object, ...]:
        return _call_timeout, (self.address, self.timeout_s, self.is_accepted)

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


def _call_timeout(address: _Address, timeout_s: float, is_accepted: bool) -> CallTimeoutError:  # noqa: FBT001 - the order in which it is pickled
    return CallTimeoutError(address, timeout_s, is_accepted=is_accepted)


class StoreError(_SentenceError):
    """The data directory cannot be used as it is.

    Attributes:
        path: The file or directory, if it is known.
    """

    FACTS: ClassVar[tuple[str, ...]] = ("path",)
    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 503

    path: str | None


class StoreDamagedError(StoreError):
    """The file of a data directory is damaged, missing, or not of SQLite; a retry does not help."""

    is_retryable = False


class StoreLockedError(StoreError):
    """Another process is using the data directory."""


class SchemaTooNewError(StoreError):
    """The data directory was written by a newer version.

    Attributes:
        path: The file.
        version: The version of its schema.
    """

    FACTS = ("path", "version")
    is_retryable = False

    path: str | None
    version: int | None


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


class NonDeterminismError(StatefunError):
    """A handler, made to repeat what its journal says, does something else: its code has changed.

    The invocation waits, and nothing of the attempt counts; with the old code it goes on.

    Args:
        handler: Whose invocation it is, with its id.
        record: Which event of the journal, from one.
        recorded: The step that is recorded; None if the handler has given too many.
        given: The step that the handler gives; None if it gives none.
        place: Where it is in the user's code.
    """

    def __init__(
        self, handler: str, record: int, recorded: str | None, given: str | None, place: str
    ) -> None:
        super().__init__(handler, record, recorded, given, place)
        self.handler = handler
        self.record = record
        self.recorded = recorded
        self.given = given
        self.place = place

    def __str__(self) -> str:
        return (
            f"{self.handler} does not do after event {self.record} what is recorded: "
            f"recorded is {self.recorded or 'nothing more'}, now it is {self.given or 'nothing'}, "
            f"at {self.place}. Deploy the code it was started with, or give new code a new handler"
        )


class NotDeterministicError(StatefunError, RuntimeError):
    """A handler did what a replay could not repeat.

    Args:
        what: What it was.
        hint: What to do instead.
    """

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return (
            f"{self.what} is not for a durable handler, because a replay would differ: {self.hint}"
        )


class ConfigurationError(_SentenceError, ValueError):
    """A module file, an option or a target on the command line is wrong."""


class RuntimeStoppedError(_SentenceError, RuntimeError):
    """The runtime has stopped, or is stopping, and takes no more messages."""

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 503


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


class ValueSerializationError(StatefunError, ValueError, TypeError):
    """A value of a state tree cannot be written or read back; `__cause__` says why."""

    blame = Blame.CALLER
    http_status = 400

    def __init__(self, path: str, verb: str, reason: str) -> None:
        super().__init__(path, verb, reason)
        self.path = path
        self.verb = verb
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the value at {self.path!r} cannot be {self.verb} by its serializer ({self.reason}); "
            "nothing was changed: use a value or a serializer that fits"
        )


class StateBackendError(StatefunError):
    """The storage of a state tree failed; `__cause__` says how."""

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 503

    def __init__(self, path: str, verb: str, reason: str) -> None:
        super().__init__(path, verb, reason)
        self.path = path
        self.verb = verb
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.path!r} could not be {self.verb} ({self.reason}); what was stored before is "
            "still there: put the storage right and try again"
        )


class UnknownCallbackError(StatefunError, ValueError):
    """A path is to be subscribed by an id under which no callback is registered."""

    def __init__(self, callback_id: object, path: str) -> None:
        super().__init__(callback_id, path)
        self.callback_id = callback_id
        self.path = path

    def __str__(self) -> str:
        return (
            f"no callback is registered as {self.callback_id!r}, so {self.path!r} cannot be "
            "subscribed by it: call register_callback first, or pass ignore_missing=True"
        )


class CallbackIdTakenError(StatefunError, ValueError):
    """An id is asked for that belongs to another callback."""

    def __init__(self, callback_id: object) -> None:
        super().__init__(callback_id)
        self.callback_id = callback_id

    def __str__(self) -> str:
        return (
            f"{self.callback_id!r} is the id of another callback: choose another id, or pass "
            "replace=True to put the new callback in its place"
        )


class CoroutineCallbackError(StatefunError, RuntimeError):
    """A callback of a sync controller gave a coroutine while an event loop is running."""

    def __init__(self, callback: str) -> None:
        super().__init__(callback)
        self.callback = callback

    def __str__(self) -> str:
        return (
            f"{self.callback} returned a coroutine, which a ControllerSync cannot run inside a "
            "running event loop: use a ControllerAsync here, or a plain function"
        )


class MountError(StatefunError, ValueError):
    """The root backend of a hybrid backend was to be unmounted."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path!r} is the root backend and stays: mount another backend there instead"


class TransactionConflictError(StatefunError):
    """A transaction read a value that somebody else has changed since; nothing was written."""

    is_retryable = True
    blame = Blame.ENVIRONMENT
    http_status = 409

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"{self.path!r} was changed by somebody else after the transaction had read it; "
            "nothing was written: run the transaction again"
        )


class StreamOverflowError(StatefunError):
    """More events wait for the reader of a stream than it may keep."""

    is_retryable = True
    blame = Blame.CALLER

    def __init__(self, path: str, limit: int) -> None:
        super().__init__(path, limit)
        self.path = path
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"the reader of the stream of {self.path!r} is more than {self.limit} events behind: "
            "read the state anew and open another stream, or pass a higher limit"
        )
