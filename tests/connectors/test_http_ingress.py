"""The HTTP ingress: what it takes, what it answers, and that it answers only what is durable."""

from __future__ import annotations

import asyncio
import io
import math
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from statefun.connectors.http import HttpIngress
from statefun.errors import (
    AddressBusyError,
    CallFailedError,
    ConfigurationError,
    IdempotencyConflictError,
    MessageTooLargeError,
    RuntimeStoppedError,
    StatefunError,
    StoreError,
    UnknownFunctionError,
)
from statefun.sdk.address import Address
from statefun.sdk.functions import StatefulFunctions
from statefun.sdk.primitives import BoolType, DoubleType, LongType, StringType
from statefun.sdk.types import Type, make_json_type
from statefun.sdk.wire import encode_typed_value
from statefun.testing.ports import FakeIntake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from statefun.ports import IngressMessage, Position

GREETER = "io.example/greeter"
TEXT = "application/vnd.io.example/text"


def typed_value(value_type: Type[Any], value: Any) -> bytes:
    return encode_typed_value(value_type.typename, value_type.serializer().serialize(value))


class Runtime(FakeIntake):
    """The other side of the port: knows one function, and is durable when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stopped = False

    @property
    def taken(self) -> list[tuple[Address, bytes]]:
        """The messages without their keys."""
        return [(each.target, each.argument) for each in self.messages]

    @property
    def keys(self) -> list[str]:
        """The idempotency keys."""
        return [each.key for each in self.messages]

    async def deliver(
        self, messages: Sequence[IngressMessage], position: Position | None = None
    ) -> None:
        """Keep messages."""
        if self.is_stopped:
            raise RuntimeStoppedError("the runtime is stopping")
        for each in messages:
            if each.target.typename not in (GREETER, "a/b/c"):
                raise UnknownFunctionError(each.target.typename, (GREETER,))
        await super().deliver(messages, position)


class Client:
    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self.session = session
        self.root = f"http://127.0.0.1:{port}"

    async def request(
        self,
        path: str,
        body: bytes = b"x",
        content_type: str | None = TEXT,
        method: str = "PUT",
        key: str | None = None,
        **more: str,
    ) -> tuple[int, str]:
        url = URL(self.root + path, encoded=True)
        headers = {} if content_type is None else {"Content-Type": content_type}
        if key is not None:
            headers["Idempotency-Key"] = key
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        skip = {"Content-Type"}
        async with self.session.request(
            method, url, data=body, headers=headers, skip_auto_headers=skip
        ) as response:
            return response.status, await response.text()


@asynccontextmanager
async def serving(runtime: Runtime, **options: Any) -> AsyncIterator[Client]:
    ingress = HttpIngress(0, **options)
    await ingress.start(runtime)
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(session, ingress.port)
    finally:
        await ingress.stop()


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_a_message_reaches_its_address_unwrapped(method: str) -> None:
    """PUT and POST both deliver the body's bytes under the typename of the content type."""
    runtime = Runtime()
    async with serving(runtime) as client:
        answer = await client.request("/io.example/greeter/Bob", b"\x0a\x02hi", method=method)

    assert answer == (200, "")
    assert runtime.taken == [
        (Address(GREETER, "Bob"), encode_typed_value("io.example/text", b"\x0a\x02hi"))
    ]


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/io.example/greeter/a%2Fb%2f", Address(GREETER, "a/b/")),
        ("/io.example/greeter/%C3%A9%20%F0%9F%90%98", Address(GREETER, "é 🐘")),
        ("/io.example/greeter/100%25", Address(GREETER, "100%")),
        ("/io.example/greeter/a+b", Address(GREETER, "a+b")),
        ("/io.example/greeter/%00%0A", Address(GREETER, "\x00\n")),
        ("/io.example/greeter/%2E%2E", Address(GREETER, "..")),
        ("/io.example/greeter/Bob?ignored=1", Address(GREETER, "Bob")),
        ("/a%2Fb/c/1", Address("a/b/c", "1")),
    ],
)
async def test_each_segment_of_the_path_is_decoded_by_itself(path: str, address: Address) -> None:
    """An escaped slash belongs to the segment it stands in; everything else is plain UTF-8."""
    runtime = Runtime()
    async with serving(runtime) as client:
        assert await client.request(path) == (200, "")

    assert [target for target, _ in runtime.taken] == [address]


@pytest.mark.parametrize(
    "path",
    ["/", "/a", "/a/b", "/a/b/", "/a//b", "//a/b", "/a/b/c/d", "/a/b/%FF", "//a/b/c", "/a/b/c/"],
)
async def test_a_path_that_names_no_address_is_refused(path: str) -> None:
    """A wrong path is answered 400 with the path and what was expected."""
    runtime = Runtime()
    async with serving(runtime) as client:
        status, reason = await client.request(path)

    assert (status, runtime.taken) == (400, [])
    assert f"the path {path!r}" in reason


@pytest.mark.parametrize(
    ("content_type", "typename"),
    [
        ("application/vnd.io.example/Request", "io.example/Request"),
        ("Application/VND.io.example/Request", "io.example/Request"),
        ("application/vnd.io.example/Request; charset=utf-8", "io.example/Request"),
        ("application/vnd.a/b/c", "a/b/c"),
    ],
)
async def test_the_content_type_names_the_type(content_type: str, typename: str) -> None:
    """The typename is what stands behind `application/vnd.`, without parameters."""
    runtime = Runtime()
    async with serving(runtime) as client:
        assert await client.request("/io.example/greeter/1", b"", content_type) == (200, "")

    assert runtime.taken == [(Address(GREETER, "1"), encode_typed_value(typename, b""))]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/x-www-form-urlencoded",
        "application/vnd.",
        "application/vnd.name",
        "application/vnd./name",
        "application/vnd.namespace/",
        "application/vnd.; charset=utf-8",
    ],
)
async def test_a_content_type_without_a_typename_is_refused(content_type: str | None) -> None:
    """A body whose type is unknown is answered 415 with the header to write."""
    runtime = Runtime()
    async with serving(runtime) as client:
        answer = await client.request("/io.example/greeter/1", b"x", content_type)

    status, reason = answer
    assert (status, runtime.taken) == (415, [])
    assert reason == (
        f"the content type {content_type or ''!r} names no type: write 'Content-Type: text/plain' "
        "for a string, 'application/json' for a JSON type that the function accepts, or the "
        "typename of the body behind 'application/vnd.', for example "
        "'application/vnd.io.statefun.types/string'\n"
    )


# --- bodies that are checked ----------------------------------------------------------------------


@dataclass
class Order:
    items: int


TRUE = typed_value(BoolType, True)  # noqa: FBT003 - the value
ORDER = make_json_type("io.example/order", Order)
NOTE = make_json_type("io.example/note")


def typed(typename: str, data: bytes) -> list[tuple[Address, bytes]]:
    return [(Address(GREETER, "1"), encode_typed_value(typename, data))]


def greeter(*accepts: Type[Any]) -> StatefulFunctions:
    functions = StatefulFunctions()
    functions.register(GREETER, print, accepts=accepts)
    return functions


@pytest.mark.parametrize(
    ("content_type", "body", "taken"),
    [
        (
            "text/plain",
            "Žofie".encode(),
            ("io.statefun.types/string", b"\x0a\x06" + "Žofie".encode()),
        ),
        ("Text/Plain; charset=UTF-8", b"", ("io.statefun.types/string", b"")),
        ("application/json", b'{"items": 2}', ("io.example/order", b'{"items": 2}')),
        (
            "application/vnd.io.example/order",
            b'{"items": 3}',
            ("io.example/order", b'{"items": 3}'),
        ),
        ("application/vnd.io.example/other", b"\xff", ("io.example/other", b"\xff")),
        ("application/vnd.io.statefun.types/int", b"", ("io.statefun.types/int", b"")),
    ],
)
async def test_a_body_becomes_a_value_of_the_type_that_it_is_said_to_have(
    content_type: str, body: bytes, taken: tuple[str, bytes]
) -> None:
    """Text is a string; JSON is of the JSON type that the function accepts."""
    runtime = Runtime()
    async with serving(runtime, functions=greeter(ORDER)) as client:
        status, reason = await client.request("/io.example/greeter/1", body, content_type)

    assert (status, reason, runtime.taken) == (200, "", typed(*taken))


@pytest.mark.parametrize(
    ("content_type", "body", "status", "says"),
    [
        ("application/vnd.io.statefun.types/string", b"Ann", 400, "types/string'"),
        ("application/vnd.io.statefun.types/int", b"\x08", 400, "types/int'"),
        ("application/vnd.io.example/order", b'{"items": "a"}', 400, "io.example/order': "),
        ("application/json", b"[1,", 400, "io.example/order': "),
        ("application/json", b'{"items": "a"}', 400, "io.example/order': "),
        ("text/plain", b"\xff", 400, "the body is not UTF-8"),
        ("text/plain; charset=latin-1", b"a", 415, "in 'latin-1': send it in UTF-8"),
    ],
)
async def test_a_wrong_body_is_refused_at_once(
    content_type: str, body: bytes, status: int, says: str
) -> None:
    """So it never becomes a message that its function fails on."""
    runtime = Runtime()
    async with serving(runtime, functions=greeter(ORDER)) as client:
        answer = await client.request("/io.example/greeter/1", body, content_type)

    assert answer[0] == status
    assert says in answer[1]
    assert runtime.taken == []


async def test_json_is_a_built_in_value_if_the_function_accepts_no_other() -> None:
    """A number is written as a number."""
    runtime = Runtime()
    async with serving(runtime, functions=greeter(LongType)) as client:
        taken = await client.request("/io.example/greeter/1", b"2", "application/json")
        refused = await client.request("/io.example/greeter/1", b'"2"', "application/json")

    assert (taken[0], runtime.taken) == (200, [(Address(GREETER, "1"), typed_value(LongType, 2))])
    assert (refused[0], "not JSON of a value of" in refused[1]) == (400, True)


@pytest.mark.parametrize(
    ("accepts", "says"),
    [([], "is not known to accept one"), ([ORDER, NOTE], "several JSON types")],
)
async def test_json_needs_one_json_type_that_the_function_accepts(
    accepts: list[Type[Any]], says: str
) -> None:
    """The answer says what to write instead."""
    runtime = Runtime()
    async with serving(runtime, functions=greeter(*accepts)) as client:
        status, reason = await client.request("/io.example/greeter/1", b"[]", "application/json")

    assert (status, runtime.taken) == (415, [])
    assert says in reason
    assert "application/vnd." in reason


@pytest.mark.parametrize(
    ("reply", "headers", "answer"),
    [
        (typed_value(StringType, "Žofie"), {}, ("text/plain", "Žofie")),
        (typed_value(LongType, 7), {}, ("text/plain", "7")),
        (TRUE, {}, ("text/plain", "true")),
        (typed_value(LongType, 7), {"Accept": "application/json"}, ("application/json", "7")),
        (typed_value(StringType, "a"), {"Accept": "application/json"}, ("application/json", '"a"')),
        (
            typed_value(DoubleType, math.inf),
            {"Accept": "application/json"},
            ("text/plain", "Infinity"),
        ),
        (
            typed_value(NOTE, {"a": 1}),
            {"Accept": "application/json"},
            ("application/json", '{"a": 1}'),
        ),
        (typed_value(NOTE, {"a": 1}), {}, ("application/vnd.io.example/note", '{"a": 1}')),
        (
            typed_value(StringType, "a"),
            {"Accept": "application/vnd.io.statefun.types/string"},
            ("application/vnd.io.statefun.types/string", "\n\x01a"),
        ),
    ],
)
async def test_who_sends_text_or_json_gets_a_reply_as_text_or_json(
    reply: bytes, headers: dict[str, str], answer: tuple[str, str]
) -> None:
    """`Accept` decides, or else the content that was sent."""
    runtime = Runtime()
    runtime.replies[typed_value(StringType, "hi")] = reply
    async with (
        serving(runtime) as client,
        client.session.post(
            f"{client.root}/{GREETER}/Ada?wait=10s",
            data=b"hi",
            headers={"Content-Type": "text/plain", **headers},
        ) as response,
    ):
        content_type = response.headers["Content-Type"].partition(";")[0]
        told = content_type, (await response.read()).decode()

    assert told == answer


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "PATCH"])
async def test_another_method_is_refused(method: str) -> None:
    """Only PUT and POST deliver; others are answered 405."""
    runtime = Runtime()
    async with serving(runtime) as client:
        status, _ = await client.request("/io.example/greeter/1", b"", method=method)

    assert (status, runtime.taken) == (405, [])


async def test_an_unknown_function_is_answered_404_with_the_known_ones() -> None:
    """A message that nobody would take is refused at the door."""
    async with serving(Runtime()) as client:
        answer = await client.request("/io.example/gone/1")

    assert answer == (404, str(UnknownFunctionError("io.example/gone", (GREETER,))) + "\n")


async def test_a_stopping_runtime_is_answered_503_with_a_time_to_come_back() -> None:
    """While the runtime stops nothing is taken, and the client is told to retry."""
    runtime = Runtime()
    runtime.is_stopped = True
    async with (
        serving(runtime) as client,
        client.session.put(
            client.root + "/io.example/greeter/1", data=b"", headers={"Content-Type": TEXT}
        ) as response,
    ):
        answer = response.status, response.headers["Retry-After"], await response.text()

    assert answer == (503, "1", "the runtime is stopping\n")


async def test_the_answer_waits_until_the_message_is_durable() -> None:
    """Nothing is acknowledged before the runtime says that it is kept."""
    runtime = Runtime()
    runtime.is_durable.clear()
    async with serving(runtime) as client:
        waiting = asyncio.ensure_future(client.request("/io.example/greeter/1"))
        await runtime.has(1)
        other = await client.request("/io.example/gone/1")

        assert (waiting.done(), other[0]) == (False, 404)

        runtime.is_durable.set()
        assert await waiting == (200, "")


async def test_a_body_of_any_size_is_taken() -> None:
    """There is no limit on a body by default; clients may ask before they send one."""
    body = bytes(3 << 20)
    runtime = Runtime()
    async with (
        serving(runtime) as client,
        client.session.put(
            client.root + "/io.example/greeter/1",
            data=io.BytesIO(body),
            headers={"Content-Type": TEXT},
            expect100=True,
        ) as response,
    ):
        assert response.status == 200

    assert runtime.taken == [(Address(GREETER, "1"), encode_typed_value("io.example/text", body))]


async def test_a_half_sent_message_is_not_delivered() -> None:
    """A client that vanishes inside its body leaves nothing behind, and others go on."""
    runtime = Runtime()
    async with serving(runtime) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", int(client.root.rpartition(":")[2]))
        writer.write(
            b"PUT /io.example/greeter/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
            b"Content-Type: application/vnd.io.example/text\r\n\r\nhalf"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

        assert await client.request("/io.example/greeter/2") == (200, "")

    assert [target.id for target, _ in runtime.taken] == ["2"]


async def test_a_body_that_is_not_of_its_encoding_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is the client's mistake: an answer says so, the log does not."""
    runtime = Runtime()
    async with serving(runtime) as client:
        answer = await client.request("/io.example/greeter/1", b"abc", Content_Encoding="gzip")

    assert answer == (
        400,
        "the body is not the gzip that its Content-Encoding says: incorrect header check\n",
    )
    assert (runtime.taken, caplog.messages) == ([], [])


@pytest.mark.parametrize("line", ["Content-Length: 3x", "Transfer-Encoding: chunked"])
async def test_a_request_that_is_no_http_is_no_error_of_this_process(
    line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever somebody sends to the port, the log stays readable."""
    async with serving(Runtime()) as client:
        port = client.root.rpartition(":")[2]
        stream, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(
            f"PUT /io.example/greeter/1 HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\nzz\r\n".encode()
        )
        status = (await stream.readline()).split()[1]
        writer.close()

    assert status == b"400"
    assert caplog.messages == []


async def test_a_taken_port_is_a_clear_error() -> None:
    """Starting on a port that something else uses says so, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ingress = HttpIngress(port)

        with pytest.raises(ConfigurationError) as caught:
            await ingress.start(Runtime())
        await ingress.stop()

    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; stop what uses the port, or "
        "choose another one"
    )


async def test_a_host_that_is_none_is_a_clear_error() -> None:
    """The port has nothing to do with it. Names below `invalid` are nobody's."""
    ingress = HttpIngress(0, "nobody.invalid")

    with pytest.raises(ConfigurationError) as caught:
        await ingress.start(Runtime())
    await ingress.stop()

    sentence = str(caught.value)
    assert sentence.startswith("cannot listen on nobody.invalid:0: ")
    assert sentence.endswith("; write the name or the address of this host")


# --- keys, limits and faults ----------------------------------------------------------------------


async def test_an_idempotency_key_is_handed_on() -> None:
    """Without the header there is none; blanks around it do not count."""
    runtime = Runtime()
    async with serving(runtime) as client:
        await client.request("/io.example/greeter/Bob", key=" order 17 ")
        await client.request("/io.example/greeter/Bob")

    assert runtime.keys == ["order 17", ""]


@pytest.mark.parametrize("key", ["", "  ", "x" * 256, "\udcff"])
async def test_a_key_that_is_none_is_refused(key: str) -> None:
    """Whoever sends the header wants to be protected by it."""
    runtime = Runtime()
    async with serving(runtime) as client:
        status, reason = await client.request("/io.example/greeter/Bob", key=key)

    assert (status, reason[:31], runtime.taken) == (400, "the header Idempotency-Key is '", [])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MessageTooLargeError("too long"), 413),
        (IdempotencyConflictError("another body"), 409),
        (AddressBusyError("too much waits"), 503),
        (StoreError("the disk is full"), 503),
    ],
)
async def test_what_the_runtime_refuses_is_answered_with_its_reason(
    error: Exception, status: int
) -> None:
    """Nothing else than a 503 is the server's fault."""
    runtime = Runtime()
    runtime.error = error
    async with serving(runtime) as client:
        assert await client.request("/io.example/greeter/Bob") == (status, f"{error}\n")


async def test_a_503_says_when_to_come_again() -> None:
    """In the header Retry-After, in seconds."""
    runtime = Runtime()
    runtime.error = AddressBusyError("too much waits")
    async with (
        serving(runtime) as client,
        client.session.put(f"{client.root}/{GREETER}/Bob", headers={"Content-Type": TEXT}) as reply,
    ):
        assert reply.headers["Retry-After"] == "1"


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_body_over_the_limit_is_refused(is_chunked: bool) -> None:  # noqa: FBT001
    """Whether it says its length or not; one as long as the limit is taken."""
    runtime = Runtime()
    answers = []
    async with serving(runtime, max_body_bytes=10) as client:
        for size in (10, 11):
            body = io.BytesIO(b"x" * size) if is_chunked else b"x" * size
            async with client.session.put(
                f"{client.root}/{GREETER}/Bob",
                data=body,
                headers={"Content-Type": TEXT},
                chunked=is_chunked or None,
            ) as reply:
                answers.append((reply.status, await reply.text()))

    reason = "the body has more than 10 bytes, which is the limit here\n"
    assert answers == [(200, ""), (413, reason)]
    assert len(runtime.taken) == 1


# --- waiting for the reply ------------------------------------------------------------------------

HELLO = encode_typed_value("io.example/text", b"hello")


async def waiting(runtime: Runtime, query: str) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer to `hello`."""
    async with (
        serving(runtime) as client,
        client.session.post(
            URL(f"{client.root}/{GREETER}/Ada?{query}", encoded=True),
            data=b"hello",
            headers={"Content-Type": TEXT},
        ) as response,
    ):
        return response.status, response.headers.get("Content-Type", ""), await response.read()


async def test_a_request_that_waits_is_answered_with_the_reply() -> None:
    """The value's bytes, under the content type of its typename."""
    runtime = Runtime()
    runtime.replies[HELLO] = encode_typed_value("t/reply", b"\x00hi")

    answer = await waiting(runtime, "wait=10s")

    assert answer == (200, "application/vnd.t/reply", b"\x00hi")
    assert runtime.taken == [(Address(GREETER, "Ada"), HELLO)]


@pytest.mark.parametrize(
    ("reply", "status", "reason"),
    [
        (None, 504, b"did not reply within 2.5 s; the message stays accepted"),
        (CallFailedError(Address(GREETER, "Ada"), "no", 8, 7), 500, b"dead letter 7"),
        (AddressBusyError("too much waits"), 503, b"too much waits"),
        (UnknownFunctionError(GREETER, ()), 404, b"no function is registered"),
    ],
    ids=["time-out", "given up", "busy", "unknown"],
)
async def test_a_request_that_waits_in_vain_says_why(
    reply: StatefunError | None, status: int, reason: bytes
) -> None:
    """With the status that the error has everywhere."""
    runtime = Runtime()
    if reply is not None:
        runtime.replies[HELLO] = reply

    answer = await waiting(runtime, "wait=2500ms")

    assert answer[0] == status
    assert reason in answer[2]


@pytest.mark.parametrize("wait", ["", "0s", "-1s", "soon", "10h", "61m", "1e3s", "%D9%A1s"])
async def test_a_time_to_wait_that_is_none_is_refused(wait: str) -> None:
    """Nothing is delivered then."""
    runtime = Runtime()

    answer = await waiting(runtime, f"wait={wait}")

    assert answer[0] == 400
    assert b"write for example wait=10s" in answer[2]
    assert runtime.taken == []


async def test_a_query_without_a_wait_changes_nothing() -> None:
    """It is as if it was not there."""
    runtime = Runtime()

    assert (await waiting(runtime, "trace=1"))[0] == 200
    assert runtime.taken == [(Address(GREETER, "Ada"), HELLO)]


async def test_a_request_that_waits_is_answered_when_the_ingress_stops() -> None:
    """Stopping does not wait for the function."""
    runtime = Runtime()
    runtime.is_durable.clear()
    ingress = HttpIngress(0)
    await ingress.start(runtime)
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{ingress.port}/{GREETER}/Ada?wait=1m"
        asking = asyncio.create_task(
            session.post(url, data=b"hello", headers={"Content-Type": TEXT})
        )
        await runtime.has(1)

        await ingress.stop()

        async with await asking as response:
            answer = response.status, await response.text()

    assert answer[0] == 503
    assert "the runtime is stopping" in answer[1]
