"""Whatever bytes arrive, there is a reply or a documented error, as lenient as protobuf itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from statefun import RequestReplyHandler
from statefun.errors import (
    IncompleteRequestError,
    InvocationError,
    RemoteProtocolError,
    UnknownFunctionError,
)
from statefun.sdk.failures import failure_of
from statefun.sdk.wire._proto import FromFunction, ToFunction
from tests.protocol import captured_functions
from tests.protocol.mutations import mutated, texts_spoiled
from tests.protocol.observer import (
    BODIES,
    REPLY_STOCK,
    STOCK,
    Observer,
    decoding_of,
    expected,
    expected_decoding_of,
)
from tests.protocol.payloads import (
    PRIMITIVES,
    REFUSED,
    payloads,
    read_by_protobuf,
    read_by_us,
)
from tests.protocol.wiretree import END, GROUP, varint

REQUESTS = 24_000
REPLIES = 6_000
PAYLOADS = 3_500
PAYLOAD_SEED = 7


async def test_mutated_requests_are_taken_as_protobuf_takes_them() -> None:
    """What protobuf accepts reaches the function unchanged; the rest is one documented error."""
    observer = Observer()
    kinds: Counter[str] = Counter()

    for seed in range(REQUESTS):
        kind, body = mutated(STOCK, seed)
        kinds[kind] += 1
        outcome = await observer.outcome(body)

        assert outcome == expected(body), f"seed {seed}, {kind}: {body.hex()}"

    assert sum(kinds.values()) >= 20_000
    assert min(kinds.values()) >= 1_000


async def test_mutated_requests_give_a_reply_or_a_documented_error() -> None:
    """The only other exceptions are those that functions raise, each with the facts about it."""
    handler = RequestReplyHandler(captured_functions.functions)
    documented = {
        RemoteProtocolError,
        IncompleteRequestError,
        UnknownFunctionError,
        InvocationError,
    }
    outcomes: Counter[Any] = Counter()

    for seed in range(REQUESTS):
        kind, body = mutated(STOCK, seed)
        error = await raised_by(handler, body)
        outcomes[type(error)] += 1

        assert error is None or type(error) in documented, (
            f"{error!r} from seed {seed}, {kind}: {body.hex()}"
        )

    assert set(outcomes) == {type(None), *documented}


async def raised_by(handler: RequestReplyHandler, body: bytes) -> Exception | None:
    """The error of a body, None if there is a reply, which then is well-formed.

    An exception of a function is told by the facts that go with it.
    """
    try:
        reply = await handler.handle_async(body)
    except Exception as error:  # noqa: BLE001 - any class may come out, which is the question
        return failure_of(error) or error
    FromFunction.FromString(reply)
    return None


def test_mutated_replies_are_decoded_or_refused() -> None:
    """An engine that gets broken replies meets one error, and takes what protobuf takes."""
    outcomes: Counter[str] = Counter()

    for seed in range(REPLIES):
        kind, body = mutated(REPLY_STOCK, seed)
        outcome = decoding_of(body)
        outcomes[outcome] += 1

        assert outcome == expected_decoding_of(body), f"seed {seed}, {kind}: {body.hex()}"

    assert set(outcomes) == {"decoded", "refused"}


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_a_text_that_is_not_utf8_is_refused_wherever_it_stands(body: bytes) -> None:
    """Each text field of a request, spoiled in each way, makes it no request of an engine."""
    observer = Observer()

    for spoiled, mutant in texts_spoiled(body, ToFunction.DESCRIPTOR):
        assert await observer.outcome(mutant) is RemoteProtocolError, f"{spoiled}: {mutant.hex()}"


@pytest.mark.parametrize("depth", [1, 50, 1_000, 100_000])
async def test_nesting_without_end_is_no_danger(depth: int) -> None:
    """Groups in groups, closed or not, are skipped or refused, as protobuf does."""
    observer = Observer()
    opened = varint(15 << 3 | GROUP) * depth
    closed = opened + varint(15 << 3 | END) * depth

    for tail in (opened, closed):
        assert await observer.outcome(BODIES[0] + tail) == expected(BODIES[0] + tail)


@pytest.mark.parametrize("view", [bytearray, memoryview])
async def test_a_body_in_another_buffer_is_taken_alike(view: Any) -> None:
    """A `bytearray` or a `memoryview` gives what the same `bytes` give, errors too."""
    observer = Observer()

    for seed in range(500):
        _, body = mutated(STOCK, seed)
        from_bytes = await observer.outcome(body)
        from_view = await observer.outcome(view(body))

        assert from_view == from_bytes, f"seed {seed}: {body.hex()}"


async def test_an_empty_body_is_an_incomplete_request() -> None:
    """Zero bytes are a well-formed message without an invocation."""
    handler = RequestReplyHandler(captured_functions.functions)

    with pytest.raises(IncompleteRequestError) as caught:
        await handler.handle_async(b"")

    assert caught.value.http_status == 400
    assert isinstance(caught.value, AttributeError)


def test_a_malformed_body_is_refused_by_handle_sync_too() -> None:
    """Both entry points give the same error, with protobuf's own as its cause."""
    handler = RequestReplyHandler(captured_functions.functions)

    with pytest.raises(RemoteProtocolError) as caught:
        handler.handle_sync(b"\xff\xff\xff")

    assert caught.value.http_status == 400
    assert caught.value.__cause__ is not None


# ------------------------------------------------------------------------- the built-in types


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_built_in_type_reads_what_protobuf_reads(name: str) -> None:
    """`as_<primitive>` and the type's serializer agree with protobuf on any bytes."""
    refused = 0

    for number, payload in enumerate(payloads(PAYLOAD_SEED, name, PAYLOADS)):
        theirs = read_by_protobuf(name, payload)
        refused += theirs == REFUSED

        assert read_by_us(name, payload) == [theirs, theirs], (
            f"payload {number} of seed {PAYLOAD_SEED}: {payload.hex()}"
        )

    assert 0 < refused < PAYLOADS


VALUES: dict[str, list[Any]] = {
    "bool": [False, True],
    "int": [0, 1, -1, 127, 128, 2**31 - 1, -(2**31)],
    "float": [0.0, 1.5, -1.5, float("inf"), float("-inf"), 3.4e38, 1e-45],
    "long": [0, 1, -1, 2**31, 2**63 - 1, -(2**63)],
    "double": [0.0, 1.5, -1.5, float("inf"), float("-inf"), 1.7e308, 5e-324],
    "string": ["", "hello", "žluť 🐿\0", "x" * 127, "x" * 128, "x" * 20_000],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in VALUES.items() for value in values]
)
def test_a_built_in_type_writes_the_canonical_bytes(name: str, value: Any) -> None:
    """One field and nothing else, and no bytes for zero, as readers with fixed offsets need it."""
    value_type, wrapper = PRIMITIVES[name]

    written = value_type.serializer().serialize(value)

    assert written == wrapper(value=value).SerializeToString()


@pytest.mark.parametrize(
    ("name", "expected_bytes"), [("float", "0d00000080"), ("double", "090000000000000080")]
)
def test_zero_keeps_its_sign(name: str, expected_bytes: str) -> None:
    """`-0.0` is written out and read back as it was, whatever the version of protobuf."""
    value_type, _ = PRIMITIVES[name]

    written = value_type.serializer().serialize(-0.0)

    assert written.hex() == expected_bytes
    assert repr(value_type.serializer().deserialize(written)) == "-0.0"
