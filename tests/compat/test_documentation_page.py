"""Every code block of the old SDK's documentation page runs as printed and does what it says."""

from __future__ import annotations

import ast
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from statefun import (
    Context,
    IntType,
    Message,
    RequestReplyHandler,
    StatefulFunctions,
    StringType,
    Type,
    ValueSpec,
    message_builder,
)
from statefun.sdk.address import Address
from statefun.sdk.wire import (
    DelayedMessage,
    EgressRecord,
    Expiration,
    ExpireMode,
    Incomplete,
    Invocation,
    MissingValue,
    OutgoingMessage,
    Reply,
    Result,
    StoredValue,
    decode_reply,
    encode_request,
)
from statefun.sdk.wire._proto import KafkaProducerRecord, KinesisEgressRecord, TypedValue

if TYPE_CHECKING:
    from pytest_aiohttp import AiohttpClient

PAGE = Path(__file__).with_name("documentation_page")
GREETER = Address("com.example.fns/greeter", "Ada")
HALF_AN_HOUR = timedelta(minutes=30) // timedelta(milliseconds=1)
USER_TYPENAME = "com.example/User"


def block(name: str) -> str:
    return (PAGE / f"{name}.py.txt").read_text(encoding="utf-8")


def opening() -> str:
    """How the first block begins: the import, and the registry that later blocks count on."""
    source = block("01_greeter")
    return source[: source.index("@functions.bind")]


def executed(*sources: str) -> dict[str, Any]:
    """The names that exist after the sources ran one after another in one module."""
    namespace: dict[str, Any] = {"__name__": "documentation_page"}
    for source in sources:
        exec(compile(source, "documentation_page", "exec", dont_inherit=True), namespace)
    return namespace


def expressions(source: str, namespace: dict[str, Any]) -> list[Any]:
    """The values of the expressions that stand alone in a block."""
    statements = ast.parse(source).body
    return [
        eval(ast.unparse(statement), namespace)
        for statement in statements
        if isinstance(statement, ast.Expr)
    ]


def typed(value_type: Type[Any], value: Any) -> bytes:
    data = value_type.serializer().serialize(value)
    return TypedValue(typename=value_type.typename, has_value=True, value=data).SerializeToString()


def text(value: str) -> bytes:
    return typed(StringType, value)


def stored(value: int) -> StoredValue:
    return StoredValue(IntType.typename, IntType.serializer().serialize(value))


def ask(
    functions: StatefulFunctions,
    *arguments: bytes,
    target: Address = GREETER,
    state: dict[str, StoredValue | None] | None = None,
    caller: Address | None = None,
) -> Reply:
    """The reply to a batch of messages, decoded as an engine decodes it."""
    batch = [Invocation(caller, argument) for argument in arguments]
    request = encode_request(target, state or {}, batch)
    return decode_reply(RequestReplyHandler(functions).handle_sync(request))


def missing(functions: StatefulFunctions) -> tuple[MissingValue, ...]:
    """The values that the greeter asks for, when none comes along."""
    reply = ask(functions, text("Ada"))
    assert isinstance(reply, Incomplete)
    return reply.missing


def keeping(spec: ValueSpec) -> StatefulFunctions:
    """A greeter with one value and nothing to say."""
    functions = StatefulFunctions()

    @functions.bind("com.example.fns/greeter", specs=[spec])
    def keep(context: Context, message: Message) -> None:
        pass

    return functions


def no_expiration(name: str, typename: str) -> MissingValue:
    return MissingValue(name, typename, Expiration())


def test_the_page_has_nine_blocks() -> None:
    """None of the blocks got lost."""
    assert len(list(PAGE.glob("*.py.txt"))) == 9


def test_the_greeter_asks_for_its_value() -> None:
    """Block 1: the function declares `seen_count`."""
    page = executed(block("01_greeter"))

    assert missing(page["functions"]) == (no_expiration("seen_count", IntType.typename),)


def test_the_greeter_counts_and_greets() -> None:
    """Block 1: each message is counted and answered to the inbox, in order."""
    page = executed(block("01_greeter"))

    reply = ask(page["functions"], text("Ada"), text("Bob"), state={"seen_count": stored(4)})

    assert reply == Result(
        messages=(
            OutgoingMessage(
                Address("com.example.fns/inbox", "Ada"), text("Hello Ada for the 4th time!")
            ),
            OutgoingMessage(
                Address("com.example.fns/inbox", "Bob"), text("Hello Bob for the 5th time!")
            ),
        ),
        mutations={"seen_count": stored(6)},
    )


def test_a_type_of_ones_own_takes_a_serializer_that_gives_text() -> None:
    """Block 2: `json.dumps` returns a `str`; it travels as UTF-8 through messages and state."""
    page = executed(block("02_custom_type"))
    user_type, functions = page["UserType"], StatefulFunctions()

    @functions.bind("com.example.fns/greeter", specs=[ValueSpec("user", user_type)])
    def repaint(context: Context, message: Message) -> None:
        user: Any = message.as_type(user_type)
        context.storage.user = user
        user.favorite_color = "žlutá"
        context.send(message_builder("com.example/wall", "1", value=user, value_type=user_type))

    sent = {"name": "Ada", "favorite_color": "green"}
    reply = ask(functions, typed(user_type, page["User"](**sent)), state={"user": None})

    repainted = {"name": "Ada", "favorite_color": "žlutá"}
    assert reply == Result(
        messages=(
            OutgoingMessage(
                Address("com.example/wall", "1"),
                TypedValue(
                    typename=USER_TYPENAME, has_value=True, value=json.dumps(repainted).encode()
                ).SerializeToString(),
            ),
        ),
        mutations={"user": StoredValue(USER_TYPENAME, json.dumps(sent).encode())},
    )


def test_values_are_declared_with_built_in_and_own_types() -> None:
    """Block 3: the two specs ask the engine for an int and a user, kept for ever."""
    page = executed(block("02_custom_type"), block("03_value_specs"))

    counted, user = expressions(block("03_value_specs"), page)

    assert missing(keeping(counted)) == (no_expiration("seen_count", IntType.typename),)
    assert missing(keeping(user)) == (no_expiration("user", USER_TYPENAME),)


@pytest.mark.parametrize(
    ("before", "after"), [(None, stored(1)), (stored(9), stored(10)), (stored(10), None)]
)
def test_a_value_is_read_written_and_deleted(
    before: StoredValue | None, after: StoredValue | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Block 4: the count goes up, and disappears once it is above ten."""
    page = executed(opening(), block("04_reading_and_deleting"))

    reply = ask(page["functions"], text("Ada"), state={"seen_count": before})

    assert reply == Result(mutations={"seen_count": after})
    count = 1 if before is None else 1 + IntType.serializer().deserialize(before.data)
    assert capsys.readouterr().out == f"the current count is {count}\n"


def test_values_expire_after_a_call_or_after_a_write() -> None:
    """Block 5: thirty minutes, counted from the last call and from the last write."""
    page = executed(opening(), block("05_expirations"))

    after_call, after_write = expressions(block("05_expirations"), page)

    assert missing(keeping(after_call)) == (
        MissingValue(
            "seen_count", IntType.typename, Expiration(ExpireMode.AFTER_CALL, HALF_AN_HOUR)
        ),
    )
    assert missing(keeping(after_write)) == (
        MissingValue(
            "seen_count", IntType.typename, Expiration(ExpireMode.AFTER_WRITE, HALF_AN_HOUR)
        ),
    )


def test_the_caller_is_answered_after_a_delay() -> None:
    """Block 6: the caller gets a message in thirty minutes, which nothing can cancel."""
    page = executed(block("06_delayed_message"))
    caller = Address("com.example.fns/caller", "Bob")

    reply = ask(
        page["functions"],
        text("hi"),
        target=Address("com.example.fns/delayed", "1"),
        caller=caller,
    )

    answer = DelayedMessage(HALF_AN_HOUR, caller, text("Hello from the future!"), token="")
    assert reply == Result(delayed=(answer,), mutations={})


def test_a_message_from_an_ingress_has_no_caller(capsys: pytest.CaptureFixture[str]) -> None:
    """Block 6: without a caller the function says so, and then fails as the page's code must."""
    page = executed(block("06_delayed_message"))

    with pytest.raises(AttributeError):
        ask(page["functions"], text("hi"), target=Address("com.example.fns/delayed", "1"))

    assert capsys.readouterr().out.startswith("Message has no known caller")


KAFKA = (
    "07_kafka_egress",
    KafkaProducerRecord(topic="greetings", key="Ada", value_bytes=b"Hello Ada for the 2th time!"),
)
KINESIS = (
    "08_kinesis_egress",
    KinesisEgressRecord(
        stream="greetings", partition_key="Ada", value_bytes=b"Hello Ada for the 2th time!"
    ),
)


@pytest.mark.parametrize(("name", "record"), [KAFKA, KINESIS], ids=["kafka", "kinesis"])
def test_a_user_is_greeted_through_an_egress(name: str, record: Any) -> None:
    """Blocks 7 and 8: the greeting leaves as one record, keyed by the user's name."""
    page = executed(block("02_custom_type"), block(name))
    user = typed(page["UserType"], page["User"]("Ada", "green"))

    reply = ask(page["functions"], user, state={"seen_count": stored(2)})

    envelope = TypedValue(
        typename=f"type.googleapis.com/{record.DESCRIPTOR.full_name}",
        has_value=True,
        value=record.SerializeToString(),
    )
    assert reply == Result(
        egress=(EgressRecord("com.example/greets", envelope.SerializeToString()),),
        mutations={"seen_count": stored(3)},
    )


@pytest.mark.parametrize("name", [KAFKA[0], KINESIS[0]], ids=["kafka", "kinesis"])
def test_a_message_of_another_type_is_refused_by_the_function(name: str) -> None:
    """Blocks 7 and 8: the exception of the function comes out."""
    page = executed(block("02_custom_type"), block(name))

    with pytest.raises(ValueError, match="Unknown type"):
        ask(page["functions"], text("Ada"), state={"seen_count": None})


async def test_functions_are_served_by_aiohttp(aiohttp_client: AiohttpClient) -> None:
    """Block 9: the application answers POSTs with replies, over real HTTP."""
    page = executed(block("09_serving"))
    batch = [Invocation(None, text("Ada"))]

    client = await aiohttp_client(page["app"])
    asked = await client.post("/statefun", data=encode_request(GREETER, {}, batch))
    request = encode_request(GREETER, {"seen_count": None}, batch)
    ran = await client.post("/statefun", data=request)
    replies = decode_reply(await asked.read()), decode_reply(await ran.read())

    assert (asked.status, ran.status) == (200, 200)
    assert asked.headers["Content-Type"] == "application/octet-stream"
    assert replies == (
        Incomplete((no_expiration("seen_count", IntType.typename),)),
        Result(mutations={}),
    )
