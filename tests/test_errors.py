"""Every error: its text, its facts, its builtin parents, and that it survives pickling."""

from __future__ import annotations

import asyncio
import os
import pickle
import re
import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from statefun import errors
from statefun.errors import Blame, InvocationError, StatefunError, TransportError
from statefun.reactive import (
    ControllerSync,
    FileSystemSyncBackend,
    HybridSyncBackend,
    InMemoryBackend,
    SqliteBackend,
)
from statefun.runtime.admin import edit_json
from statefun.runtime.admin.edits import Drop, find
from statefun.runtime.engine.policy import Limits, Rules
from statefun.runtime.runtime import Runtime
from statefun.runtime.stores.memory import MemoryStore
from statefun.runtime.stores.migrations import MIGRATIONS, check_version
from statefun.runtime.stores.sqlite import SqliteReader
from statefun.sdk.address import Address, SdkAddress
from statefun.sdk.builders import egress_message_builder, message_builder
from statefun.sdk.egress import kafka_egress_message
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.handler import RequestReplyHandler
from statefun.sdk.primitives import IntType, LongType, StringType
from statefun.sdk.specs import ValueSpec
from tests.builders import number, to_function
from tests.runtime.driver import A, Driver, Effects

if TYPE_CHECKING:
    from collections.abc import Callable

    from statefun.sdk.context import Context
    from statefun.sdk.messages import Message

ADA = SdkAddress("t", "f", "Ada", "t/f")
NOTHING: Any = None


class _Any:
    """Equal to everything: a sentence that is compared elsewhere."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # like other mutable things


ANY = _Any()


STRING = StringType.typename


@dataclass(frozen=True)
class Example:
    """One error as it comes.

    Attributes:
        make: Raises it, or returns it where nothing simple raises it.
        text: All of its text.
        builtins: What else an `except` clause may call it.
        facts: Its attributes; the sentence stands for itself where it is the only one.
    """

    make: Callable[[], object]
    text: str
    builtins: tuple[type[Exception], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


# --- what raises them -----------------------------------------------------------------------------


def two_callbacks_of_one_id() -> None:
    controller = ControllerSync()
    controller.register_callback(print, force_id="stats")
    controller.register_callback(repr, force_id="stats")


async def a_coroutine_in_a_sync_controller() -> None:
    async def sleep(event: object) -> None:
        """Not run."""

    sleep.__qualname__ = "asyncio.sleep"
    controller = ControllerSync()
    controller.subscribe("/a", sleep)
    controller.set_state("/a", 1)


def handle(act: Callable[[Context, Message], object], *specs: ValueSpec) -> None:
    """Runs a function on one message."""
    functions = StatefulFunctions()
    functions.register("t/f", act, specs)
    state = {spec.name: None for spec in specs}
    request = to_function(Address("t/f", "Ada"), number(1), state=state)
    RequestReplyHandler(functions).invoke_sync(request)


def cause_of(act: Callable[[Context, Message], object], *specs: ValueSpec) -> BaseException | None:
    """What a function raises when it does this."""
    try:
        handle(act, *specs)
    except errors.InvocationError as failure:
        return failure.__cause__
    return None


def late_effect() -> None:
    kept: list[Context] = []
    handle(lambda context, _: kept.append(context))
    kept[0].send(message_builder("t/f", "1", int_value=1))


def registered_twice() -> None:
    functions = StatefulFunctions()
    for _ in range(2):
        functions.register("t/f", lambda _, __: None)


def too_many_messages() -> None:
    driver = Driver(rules=Rules(limits=Limits(max_waiting=1)))
    for value in "12":
        driver.send(A, value)


def too_long_a_message() -> None:
    Driver(rules=Rules(limits=Limits(max_message_bytes=1))).send(A, "1")


def key_used_twice() -> None:
    driver = Driver()
    for argument in (b"1", b"2"):
        driver.engine.intake.deliver(A, argument, key="order 17")


def unknown_egress() -> Exception:
    driver = Driver()
    driver.turn(A, Effects().egress("1", "t/nowhere"))
    [failed_attempt] = driver.engine.take_failed_attempts()
    return failed_attempt.error


def newer_schema() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA user_version = 99")
        check_version(connection, "data/statefun.db")


def write_a_set() -> None:
    """A value that JSON does not have, into a file that is closed again."""
    with TemporaryDirectory() as folder, SqliteBackend(Path(folder) / "state.db") as backend:
        backend.write("/a", {1, 2})


EXAMPLES: dict[str, Example] = {
    "StatefunError": Example(lambda: StatefunError("a", 1), "('a', 1)"),
    "DefinitionError": Example(
        lambda: RequestReplyHandler(NOTHING),
        "a handler needs the StatefulFunctions it should serve, got None",
        (ValueError, TypeError),
    ),
    "InvalidTypenameError": Example(
        lambda: message_builder("greeter", "1", int_value=1),
        "typename 'greeter' is not of the form 'namespace/name': "
        "write for example 'com.example/greeter'",
        (ValueError, TypeError),
        {"sentence": ANY, "name": "greeter", "what": "typename"},
    ),
    "InvalidSpecError": Example(
        lambda: ValueSpec("batch", IntType),
        "the value name 'batch' is taken: the engine keeps state of its own under it. "
        "Choose another name",
        (ValueError, TypeError),
        facts={"sentence": ANY, "name": "batch"},
    ),
    "InvalidFunctionError": Example(
        lambda: StatefulFunctions().register("t/f", "greet"),  # type: ignore[arg-type]
        "'t/f' cannot be bound to 'greet': it is not callable with a context and a message",
        (ValueError, TypeError),
        facts={"sentence": ANY, "name": "t/f"},
    ),
    "AlreadyRegisteredError": Example(
        registered_twice,
        "'t/f' is registered already: give each function its own typename",
        (ValueError, TypeError),
        facts={"sentence": ANY, "name": "t/f"},
    ),
    "InvalidMessageError": Example(
        lambda: egress_message_builder("t/e", NOTHING, IntType),
        "an egress message needs a value, got None",
        (ValueError, TypeError),
        facts={"sentence": ANY, "argument": "value", "given": "None"},
    ),
    "MessageArgumentsError": Example(
        lambda: message_builder("t/f", "1", number=1),  # type: ignore[call-overload]
        "a message takes exactly one of int_value, float_value, long_value, str_value, "
        "double_value, bool_value, or value with value_type, "
        "which is a type like IntType; got number",
        (ValueError, TypeError, KeyError),
        facts={"sentence": ANY, "argument": "value", "given": "number"},
    ),
    "MessageTooLargeError": Example(
        too_long_a_message,
        "a message to t/a '1' has 13 bytes, and the limit is 1: "
        "send less, or raise the limit of the function",
        (ValueError, TypeError),
        facts={"sentence": ANY, "address": A, "size_bytes": 13, "limit_bytes": 1},
    ),
    "NonDeterminismError": Example(
        lambda: errors.NonDeterminismError("Order/o1.run", 12, "call Stock", "sleep", "a.py:3 run"),
        "Order/o1.run does not do after event 12 what is recorded: recorded is call Stock, now it "
        "is sleep, at a.py:3 run. Deploy the code it was started with, or give new code a new "
        "handler",
        (),
        {
            "handler": "Order/o1.run",
            "record": 12,
            "recorded": "call Stock",
            "given": "sleep",
            "place": "a.py:3 run",
        },
    ),
    "NotDeterministicError": Example(
        lambda: errors.NotDeterministicError("a socket", "use it in an effect"),
        "a socket is not for a durable handler, because a replay would differ: use it in an effect",
        (RuntimeError,),
        {"what": "a socket", "hint": "use it in an effect"},
    ),
    "IdempotencyConflictError": Example(
        key_used_twice,
        "the idempotency key 'order 17' was used for another message to t/a '1': "
        "send what was sent before, or use a new key",
        (ValueError, TypeError),
        facts={"sentence": ANY, "address": A, "key": "order 17"},
    ),
    "NumberOutOfRangeError": Example(
        lambda: kafka_egress_message("t/kafka", "topic", 2**31),
        "2147483648 does not fit Kafka's 32 bit integers: "
        "pass bytes, or a value_type such as LongType",
        (ValueError, TypeError, struct.error),
        facts={"sentence": ANY, "number": 2**31},
    ),
    "SerializationError": Example(
        lambda: message_builder("t/f", "1", int_value="one"),  # type: ignore[call-overload]
        "io.statefun.types/int takes an integer, got str 'one': convert it first",
        (ValueError, TypeError),
        facts={"sentence": ANY, "typename": IntType.typename},
    ),
    "TypeMismatchError": Example(
        lambda: message_builder("t/f", "1", int_value=1).as_type(StringType),
        "the message has the type 'io.statefun.types/int' and cannot be read as "
        "'io.statefun.types/string': ask is_type() first, or read it as the type it has",
        (TypeError,),
        {
            "what": "the message",
            "expected": "io.statefun.types/string",
            "actual": "io.statefun.types/int",
        },
    ),
    "UnreadableValueError": Example(
        lambda: errors.UnreadableValueError("value 'seen'", LongType.typename, STRING, A),
        "value 'seen' of t/a '1' is stored as 'io.statefun.types/string' and declared as "
        "'io.statefun.types/long' now, which cannot be read as that: give the ValueSpec an "
        "upgrade, declare the old type, or set the value with 'statefun state set'",
        (TypeError,),
        {
            "what": "value 'seen'",
            "expected": "io.statefun.types/long",
            "actual": STRING,
            "address": A,
        },
    ),
    "UnknownValueError": Example(
        lambda: cause_of(lambda context, _: context.storage.sen, ValueSpec("seen", IntType)),
        "t/f has no value 'sen'; registered: seen. "
        "Add ValueSpec('sen', ...) to the function's specs",
        (AttributeError,),
        {"value_name": "sen", "typename": "t/f", "registered": ("seen",)},
    ),
    "UnknownFunctionError": Example(
        lambda: StatefulFunctions().for_typename("t/f"),
        "no function is registered as 't/f'; registered: none. "
        "Bind one with @functions.bind('t/f'), or correct the sender",
        (KeyError, ValueError),
        {"typename": "t/f"},
    ),
    "InvocationError": Example(
        lambda: handle(lambda _, __: 1 / 0),
        "t/f 'Ada' failed on message 1 of 1 (type 'io.statefun.types/int'): "
        "ZeroDivisionError: division by zero",
        (),
        {
            "address": ADA,
            "value_typename": "io.statefun.types/int",
            "position": 1,
            "batch_size": 1,
            "reason": "ZeroDivisionError: division by zero",
        },
    ),
    "DoNotRetryError": Example(lambda: errors.DoNotRetryError("no such card"), "no such card"),
    "TurnEndedError": Example(
        late_effect,
        "send came after the batch of t/f 'Ada' had ended and would have been lost: "
        "await the work inside the function",
        (RuntimeError,),
        {"effect": "send", "address": ADA},
    ),
    "ProtocolError": Example(lambda: errors.ProtocolError("what happened"), "what happened"),
    "RemoteProtocolError": Example(
        lambda: errors.RemoteProtocolError("3 bytes cannot be read"), "3 bytes cannot be read"
    ),
    "RequestTypeError": Example(
        lambda: RequestReplyHandler(StatefulFunctions()).handle_sync(NOTHING),
        "the body of a request must be bytes, got NoneType: pass the body unchanged",
        (TypeError,),
    ),
    "IncompleteRequestError": Example(
        lambda: RequestReplyHandler(StatefulFunctions()).handle_sync(b""),
        "a request of 0 bytes has no invocation: an engine always sends one",
        (AttributeError,),
    ),
    "UnknownEgressError": Example(
        unknown_egress,
        "t/a '1' sent to the egress 't/nowhere', which does not exist: "
        "add it to the module file, or correct the function",
        facts={"sentence": ANY, "egress": "t/nowhere", "sender": A},
    ),
    "TransportError": Example(
        lambda: errors.TransportError("no connection to http://localhost:1", connected=False),
        "no connection to http://localhost:1",
        (),
        {"sentence": "no connection to http://localhost:1", "connected": False},
    ),
    "ReplyTooLargeError": Example(
        lambda: errors.ReplyTooLargeError(
            "http://localhost:1 answered with more than 10 bytes",
            url="http://localhost:1",
            limit_bytes=10,
        ),
        "http://localhost:1 answered with more than 10 bytes",
        (),
        {"sentence": ANY, "connected": True, "url": "http://localhost:1", "limit_bytes": 10},
    ),
    "MessageRefusedError": Example(
        lambda: errors.MessageRefusedError("http://localhost:1 answered 500: no such card"),
        "http://localhost:1 answered 500: no such card",
        (),
        {"sentence": ANY, "connected": True},
    ),
    "ValueRefusedError": Example(
        lambda: errors.ValueRefusedError("http://localhost:1 answered 500: value 'seen' is …"),
        "http://localhost:1 answered 500: value 'seen' is …",
        (),
        {"sentence": ANY, "connected": True},
    ),
    "AddressBusyError": Example(
        too_many_messages,
        "1 messages of 13 bytes wait for t/a '1', which takes no more for now: send again later",
        facts={"sentence": ANY, "address": A, "waiting_bytes": 13},
    ),
    "GivenUpError": Example(
        lambda: errors.GivenUpError("t/a '1' failed 8 times, and its policy is to stop", address=A),
        "t/a '1' failed 8 times, and its policy is to stop",
        facts={"sentence": ANY, "address": A},
    ),
    "ProcessEndedError": Example(
        lambda: errors.ProcessEndedError(A, 7),
        "the process ended while t/a '1' worked on message 7 alone, killed by the function or from "
        "outside: look for a crash or too little memory, and correct the function",
        facts={"address": A, "number": 7},
    ),
    "CallFailedError": Example(
        lambda: errors.CallFailedError(A, "ValueError: no", 8, 17),
        "t/a '1' failed 8 times on the message (ValueError: no); the message is dead letter 17: "
        "correct the function, then replay it",
        facts={"address": A, "reason": "ValueError: no", "attempts": 8, "dead_letter_id": 17},
    ),
    "CallTimeoutError": Example(
        lambda: errors.CallTimeoutError(A, 2.5, is_accepted=True),
        "t/a '1' did not reply within 2.5 s; the message stays accepted: do not send it again, or "
        "wait longer",
        (TimeoutError, OSError),
        {"address": A, "timeout_s": 2.5, "is_accepted": True},
    ),
    "RequestRefusedError": Example(
        lambda: errors.RequestRefusedError(503, "too much waits: send it again later"),
        "too much waits: send it again later (HTTP 503)",
        (),
        {
            "http_status": 503,
            "reason": "too much waits: send it again later",
            "retry_after_s": 1,
        },
    ),
    "StoreError": Example(
        lambda: SqliteReader(Path("nowhere")),
        "there is no nowhere/statefun.db: no runtime has used this directory yet. "
        "Check the name of the data directory",
        facts={"sentence": ANY, "path": "nowhere/statefun.db"},
    ),
    "StoreDamagedError": Example(
        lambda: errors.StoreDamagedError(
            "data/statefun.db cannot be used: it is damaged", path="data/statefun.db"
        ),
        "data/statefun.db cannot be used: it is damaged",
        facts={"sentence": ANY, "path": "data/statefun.db"},
    ),
    "StoreLockedError": Example(
        lambda: errors.StoreLockedError("the data directory data is in use", path="data"),
        "the data directory data is in use",
        facts={"sentence": ANY, "path": "data"},
    ),
    "SchemaTooNewError": Example(
        newer_schema,
        "data/statefun.db has the schema version 99, and this version of statefun knows those up "
        f"to {len(MIGRATIONS)}: install the version that wrote it, or a newer one",
        facts={"sentence": ANY, "path": "data/statefun.db", "version": 99},
    ),
    "ConfigurationError": Example(
        lambda: Runtime(durability="some"),  # type: ignore[arg-type]
        "there is no durability 'some': choose 'full', 'normal' or 'memory'",
        (ValueError,),
        {"sentence": ANY, "option": "durability", "given": "'some'"},
    ),
    "EditError": Example(
        lambda: edit_json.decode([]), "an edit is a JSON object, got []", (ValueError,)
    ),
    "EditTargetError": Example(
        lambda: find(Drop([17]), MemoryStore()),
        "there is no dead letter 17; nothing was changed",
        (ValueError, LookupError),
        {"sentence": ANY, "kind": "dead letter", "target": "17"},
    ),
    "RuntimeStoppedError": Example(
        lambda: Runtime().send(message_builder("t/f", "1", int_value=1)).send(None),
        "the runtime has not been started: use it inside `async with Runtime(...)`",
        (RuntimeError,),
        {"sentence": ANY, "state": "new"},
    ),
    "InvalidPathError": Example(
        lambda: ControllerSync().get_state(7),  # type: ignore[arg-type]
        "'7' cannot be used as a path: a path is a str, a PurePosixPath or an object with a .path",
        (ValueError, TypeError),
        {"path": "7", "reason": "a path is a str, a PurePosixPath or an object with a .path"},
    ),
    "ValueSerializationError": Example(
        write_a_set,
        "the value at '/a' cannot be written by its serializer (TypeError: Object of type set is "
        "not JSON serializable); nothing was changed: use a value or a serializer that fits",
        (ValueError, TypeError),
        {
            "path": "/a",
            "verb": "written",
            "reason": "TypeError: Object of type set is not JSON serializable",
        },
    ),
    "StateBackendError": Example(
        lambda: FileSystemSyncBackend(os.devnull).write("/a", 1),
        "'/a' could not be written (FileExistsError: [Errno 17] File exists: '/dev/null'); what "
        "was stored before is still there: put the storage right and try again",
        (),
        {
            "path": "/a",
            "verb": "written",
            "reason": "FileExistsError: [Errno 17] File exists: '/dev/null'",
        },
    ),
    "UnknownCallbackError": Example(
        lambda: ControllerSync().subscribe_by_id("/a", "stats"),
        "no callback is registered as 'stats', so '/a' cannot be subscribed by it: call "
        "register_callback first, or pass ignore_missing=True",
        (ValueError,),
        {"callback_id": "stats", "path": "/a"},
    ),
    "CallbackIdTakenError": Example(
        two_callbacks_of_one_id,
        "'stats' is the id of another callback: choose another id, or pass replace=True to put the "
        "new callback in its place",
        (ValueError,),
        {"callback_id": "stats"},
    ),
    "CoroutineCallbackError": Example(
        lambda: asyncio.run(a_coroutine_in_a_sync_controller()),
        "asyncio.sleep returned a coroutine, which a ControllerSync cannot run inside a running "
        "event loop: use a ControllerAsync here, or a plain function",
        (RuntimeError,),
        {"callback": "asyncio.sleep"},
    ),
    "MountError": Example(
        lambda: HybridSyncBackend(InMemoryBackend()).unmount("/"),
        "'/' is the root backend and stays: mount another backend there instead",
        (ValueError,),
        {"path": "/"},
    ),
    "TransactionConflictError": Example(
        lambda: errors.TransactionConflictError("/a"),
        "'/a' was changed by somebody else after the transaction had read it; nothing was written: "
        "run the transaction again",
        (),
        {"path": "/a"},
    ),
    "StreamOverflowError": Example(
        lambda: errors.StreamOverflowError("/a", 10),
        "the reader of the stream of '/a' is more than 10 events behind: read the state anew and "
        "open another stream, or pass a higher limit",
        (),
        {"path": "/a", "limit": 10},
    ),
}


def example_of(name: str) -> StatefunError:
    """The error of an example."""
    try:
        error = EXAMPLES[name].make()
    except StatefunError as raised:
        error = raised
    assert isinstance(error, StatefunError), f"{name}: nothing was raised"
    return error


# --- the tests ------------------------------------------------------------------------------------


def test_every_public_error_has_an_example() -> None:
    """Whoever adds an error adds its text and its facts here."""
    assert sorted(EXAMPLES) == [name for name in errors.__all__ if name != "Blame"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_error_says_what_where_what_was_expected_and_what_to_do(name: str) -> None:
    """The whole text is pinned; so are the class, the facts and the builtin parents."""
    example, error = EXAMPLES[name], example_of(name)

    builtins = tuple(
        parent
        for parent in type(error).__mro__
        if parent.__module__ != "statefun.errors"
        and parent not in (Exception, BaseException, object)
        and not (parent is LookupError and KeyError in type(error).__mro__)
    )

    assert (type(error).__name__, str(error)) == (name, example.text)
    assert set(builtins) == set(example.builtins)
    assert facts_of(error) == (example.facts or sentence_of(error))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_error_says_who_can_mend_it_and_whether_to_try_again(name: str) -> None:
    """The status of an HTTP answer agrees: 4xx for the caller, 5xx for everybody else."""
    error = example_of(name)

    assert type(error.is_retryable) is bool
    if error.blame is Blame.CALLER:
        assert 400 <= error.http_status < 600
    elif error.blame is Blame.ENVIRONMENT:
        assert error.http_status in (409, 502, 503, 504)
    else:
        assert not error.is_retryable or isinstance(error, InvocationError | TransportError)


CLASSIFIED = [
    (errors.InvalidMessageError("x"), False, Blame.CALLER, 400),
    (errors.MessageTooLargeError("x"), False, Blame.CALLER, 413),
    (errors.IdempotencyConflictError("x"), False, Blame.CALLER, 409),
    (errors.UnknownFunctionError("t/f", ()), True, Blame.CALLER, 404),
    (errors.InvocationError(A, "t/t", 1, 1, "x"), True, Blame.PROGRAM, 500),
    (errors.RemoteProtocolError("x"), False, Blame.CALLER, 400),
    (errors.RequestTypeError("x"), False, Blame.PROGRAM, 400),
    (errors.TransportError("x"), True, Blame.ENVIRONMENT, 502),
    (errors.AddressBusyError("x"), True, Blame.ENVIRONMENT, 503),
    (errors.RuntimeStoppedError("x"), True, Blame.ENVIRONMENT, 503),
    (errors.StoreError("x"), True, Blame.ENVIRONMENT, 503),
    (errors.StoreDamagedError("x"), False, Blame.ENVIRONMENT, 503),
    (errors.ConfigurationError("x"), False, Blame.PROGRAM, 500),
    (errors.EditError("x"), False, Blame.CALLER, 400),
    (errors.EditTargetError("x"), False, Blame.CALLER, 404),
]


@pytest.mark.parametrize(
    ("error", "is_retryable", "blame", "http_status"),
    CLASSIFIED,
    ids=[type(row[0]).__name__ for row in CLASSIFIED],
)
def test_an_error_is_classified_once_for_all_servers(
    error: StatefunError, *, is_retryable: bool, blame: Blame, http_status: int
) -> None:
    """No adapter has a table of its own."""
    assert (error.is_retryable, error.blame, error.http_status) == (
        is_retryable,
        blame,
        http_status,
    )


def test_a_fact_that_a_class_does_not_have_is_refused() -> None:
    """A typing mistake where an error is raised does not lose the fact."""
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        errors.StoreError("the file is gone", paht="data")  # type: ignore[call-arg]


def facts_of(error: BaseException) -> dict[str, Any]:
    """The attributes that are known, without the notes of the handler that it came through."""
    facts = {name: fact for name, fact in vars(error).items() if fact not in (None, ())}
    facts.pop("__notes__", None)
    return facts


def sentence_of(error: StatefunError) -> dict[str, str]:
    return {} if type(error) is StatefunError else {"sentence": str(error)}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("version", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling(name: str, version: int) -> None:
    """Errors cross processes and are stored with what failed."""
    error = example_of(name)

    copy = pickle.loads(pickle.dumps(error, version))

    assert type(copy) is type(error)
    assert (str(copy), copy.args, vars(copy)) == (str(error), error.args, vars(error))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ProtocolError, 500),
        (errors.RemoteProtocolError, 400),
        (errors.IncompleteRequestError, 400),
        (errors.UnknownEgressError, 400),
    ],
)
def test_an_error_of_the_protocol_says_how_a_server_answers(
    error: type[errors.ProtocolError], status: int
) -> None:
    """Whose fault it is decides."""
    assert error("what happened").http_status == status


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    """Whoever reads the picture reads the truth: each class, its parent, its builtin parents."""
    drawn, path = {}, ["Exception"]
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+Error)(?: \(([\w., ]+)\))?(  |$)", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        path[depth + 1 :] = [match[2]]
        drawn[match[2]] = (path[depth], (match[3] or "").split(", ") if match[3] else [])

    def described(error: type[StatefunError]) -> tuple[str, list[str]]:
        parent, *others = (base for base in error.__bases__)
        if not parent.__name__[0].isalpha():  # what the sentences share
            parent = parent.__bases__[0]
        names = [other.__qualname__ for other in others]
        return parent.__name__, ["struct.error" if name == "error" else name for name in names]

    assert drawn == {name: described(getattr(errors, name)) for name in EXAMPLES}
